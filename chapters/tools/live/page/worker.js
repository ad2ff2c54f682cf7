// Python in a Web Worker: it starts once, and then does what the page asks, one thing after the other.
//
// page -> worker  {id, kind: "run", code, name}             runs a cell in the notebook's names
//                 {id, kind: "call", module, name, args}     calls a function of a Python module that lies in this folder
// worker -> page  {id, kind: "stream" | "html" | "svg" | "png" | "text" | "error", text}   what a cell shows
//                 {id, kind: "done", ok, ms, value}          value: what the called function returned, as JSON has it
//                 {kind: "progress", text, done, total}      bytes; {kind: "ready", ms} {kind: "failed", text}
//
// All files come from this folder. Pages and worker are told of nothing else.
import { loadPyodide } from "./pyodide.js"; // pyodide.mjs, under a name that every host sends as JavaScript

const here = new URL("./", import.meta.url).href;
const DATA = "/home/pyodide/data"; // minilm's cache, and Python's manual
const MODULES = "/home/pyodide/live"; // the Python modules of this folder

let python;
let arrived = 0;
let expected = 0;
let told = 0;

// Counts the bytes as they arrive, for the words on the page. The name of a file decides its type: a host that sends .wasm as something
// else would keep the browser from compiling it.
const fetched = self.fetch.bind(self);
self.fetch = async (address, options) => {
  const url = String(address.url ?? address);
  const answer = await fetched(address, options).catch((error) => lost(url, error));
  if (!answer.ok) lost(url, new Error(`the server says ${answer.status}`));
  if (!answer.body) return answer;
  const size = Number(answer.headers.get("content-length")) || 0;
  if (!answer.headers.get("content-encoding")) expected += size; // else it is the size of what was sent, not of the file
  const headers = new Headers(answer.headers);
  if (url.endsWith(".wasm")) headers.set("content-type", "application/wasm");
  const counting = new TransformStream({
    transform(chunk, controller) {
      arrived += chunk.length;
      if (arrived - told > 2e5) say("Fetching Python");
      controller.enqueue(chunk);
    },
  });
  answer.body.pipeTo(counting.writable).catch((error) => python || failed(url, error));
  return new Response(counting.readable, { status: answer.status, headers });
};

// Pyodide waits for ever where its own files do not come: the page is told here.
function lost(url, error) {
  if (!python) failed(url, error);
  throw error;
}

function failed(url, error) {
  postMessage({ kind: "failed", text: `${url.split("/").pop()} did not come (${error.message})` });
}

function say(text) {
  told = arrived;
  postMessage({ kind: "progress", text, done: arrived, total: Math.max(expected, arrived) });
}

async function file(name) {
  const answer = await self.fetch(here + name);
  return new Uint8Array(await answer.arrayBuffer());
}

async function start() {
  const begin = performance.now();
  const manifest = JSON.parse(new TextDecoder().decode(await file("manifest.json")));
  const data = file(manifest.data.file); // while Python is on its way
  const modules = Promise.all(["cells.py", "figures.py", "later.py"].map(async (name) => [name, await file(name)]));
  python = await loadPyodide({
    indexURL: here,
    packages: manifest.start,
    env: { HOME: "/home/pyodide", MINILM_CACHE: DATA, MPLBACKEND: "module://figures" },
  });
  say("Starting Python");
  python.FS.mkdirTree(MODULES);
  for (const [name, content] of await modules) python.FS.writeFile(`${MODULES}/${name}`, content);
  python.unpackArchive(await data, "zip", { extractDir: DATA });
  python.runPython(`import sys; sys.path[:0] = [${JSON.stringify(MODULES)}]; sys.path.append(${JSON.stringify(DATA)})`);
  python.pyimport("later").install(here);
  python.pyimport("later").library();
  python.pyimport("minilm"); // from here on NumPy takes integers of 64 bits as positions (minilm/indices.py)
  python.runPython("import time; time.process_time = time.perf_counter"); // a page is not told how long it has computed
  python.pyimport("cells");
  postMessage({ kind: "ready", ms: performance.now() - begin });
}

async function call({ module, name, args }) {
  const path = `${MODULES}/${module}.py`;
  if (!python.FS.analyzePath(path).exists) python.FS.writeFile(path, await file(`${module}.py`));
  const answer = python.pyimport("cells").call(module, name, JSON.stringify(args ?? []));
  return JSON.parse(answer);
}

async function work(data) {
  const begin = performance.now();
  const send = (kind, text) => postMessage({ id: data.id, kind, text });
  const done = { id: data.id, kind: "done", ok: true, value: null };
  try {
    if (data.kind === "call") done.value = await call(data);
    else done.ok = python.pyimport("cells").run(data.code, data.name ?? "", send);
  } catch (error) {
    send("error", String(error.message ?? error));
    done.ok = false;
  }
  postMessage({ ...done, ms: performance.now() - begin });
}

let last = start().catch((error) => postMessage({ kind: "failed", text: String(error.message ?? error) }));
self.onmessage = ({ data }) => {
  last = last.then(() => python && work(data)); // after what was asked before
};
