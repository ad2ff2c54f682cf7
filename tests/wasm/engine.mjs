// Python in WebAssembly, under Node: a job that `python -m tests.wasm` describes in JSON on the standard input.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const job = JSON.parse(readFileSync(0, "utf8"));
const { loadPyodide } = await import(pathToFileURL(join(job.core, "pyodide.mjs")));

async function run() {
  const python = await loadPyodide({
    indexURL: job.core,
    packageCacheDir: job.wheels,
    env: job.env,
    stdout: (line) => process.stdout.write(line + "\n"),
    stderr: (line) => process.stderr.write(line + "\n"),
  });
  await python.loadPackage(job.packages, { messageCallback: () => {} });
  for (const [there, here] of Object.entries(job.mounts)) {
    python.FS.mkdirTree(there);
    python.FS.mount(python.FS.filesystems.NODEFS, { root: here }, there);
  }
  python.FS.chdir(job.cwd);
  return python.runPython(job.code);
}

// Node prints the line of the source in which an error arose, and Pyodide's are a megabyte long: the message alone.
process.exitCode = await run().catch((error) => (process.stderr.write(`${error.message}\n`), 70));
