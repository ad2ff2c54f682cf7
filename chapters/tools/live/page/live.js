// The page's Python: one Web Worker, started when the first thing is asked of it. Nothing is fetched before.
//
//   const python = session();                    the page's only one
//   python.addEventListener("progress", ...)     event.detail: {text, done, total}; also "ready", "failed" {text}, "stopped"
//   await python.start()                         true, or false where it could not start
//   await python.run(code, on, name)             on({kind, text}) for each output; {ok, ms}
//   await python.call("desk", "check", [1])      {ok, value, text}: what a Python function of this folder returned, or its error
//   python.stop()                                ends the worker, and with it all names; what was asked returns {ok: false, stopped: true}
//   await python.reset()                         forgets all names, and keeps Python running

class Session extends EventTarget {
  #worker = null;
  #jobs = new Map(); // id -> {on, resolve}
  #next = 0;
  #ready = null; // a promise of true or false
  #answer = null; // its resolve

  /** "off", "starting", "ready" or "failed" */
  state = "off";
  /** counts the workers so far: what was defined in an earlier one is gone */
  generation = 0;

  start() {
    if (this.state === "failed") this.#end();
    if (this.#ready) return this.#ready;
    this.state = "starting";
    this.generation++;
    this.#ready = new Promise((resolve) => (this.#answer = resolve));
    try {
      this.#worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    } catch (error) {
      // A page that was opened from a file may start none.
      this.#fail(`This browser starts no Python here (${error.message}). ${location.protocol === "file:" ? FROM_FILE : ""}`);
      return this.#ready;
    }
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      if (location.protocol === "file:") this.#fail(FROM_FILE);
      else this.#fail(`Python ended by itself${event.message ? ` (${event.message})` : ""}.`);
    };
    return this.#ready;
  }

  async run(code, on = () => {}, name = "") {
    return this.#ask({ kind: "run", code, name }, on);
  }

  async call(module, name, args = []) {
    let text = "";
    const done = await this.#ask({ kind: "call", module, name, args }, (output) => (text += output.text));
    return { ...done, text };
  }

  stop() {
    if (!this.#worker) return;
    this.#end();
    this.#tell("stopped");
  }

  async reset() {
    if (this.state !== "off") await this.call("cells", "forget");
    this.#tell("reset");
  }

  async #ask(message, on) {
    if (!(await this.start())) return { ok: false, failed: true };
    const id = this.#next++;
    return new Promise((resolve) => {
      this.#jobs.set(id, { on, resolve });
      this.#worker.postMessage({ ...message, id });
    });
  }

  #hear(data) {
    if (data.kind === "ready") {
      this.state = "ready";
      this.#answer(true);
      this.#tell("ready", data);
    } else if (data.kind === "failed") {
      this.#fail(`Python could not start: ${data.text}. Is the network there? Press Run to try again.`);
    } else if (data.kind === "progress") {
      this.#tell("progress", data);
    } else if (data.kind === "done") {
      const job = this.#jobs.get(data.id);
      this.#jobs.delete(data.id);
      job?.resolve(data);
    } else {
      this.#jobs.get(data.id)?.on(data);
    }
  }

  #fail(text) {
    const answer = this.#answer;
    this.#end({ failed: true });
    this.state = "failed";
    answer?.(false);
    this.#tell("failed", { text });
  }

  // The worker and all names are gone; whoever waits is told.
  #end(why = { stopped: true }) {
    this.#worker?.terminate();
    this.#worker = this.#ready = null;
    this.#answer?.(false);
    this.#answer = null;
    this.state = "off";
    for (const job of this.#jobs.values()) job.resolve({ ok: false, ...why });
    this.#jobs.clear();
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

const FROM_FILE =
  "Browsers start no Python in a page that was opened from a file. " +
  "In the site's folder, run: python -m http.server, and open the address that it prints.";

let only = null;

/** The page's session. */
export function session() {
  return (only ??= new Session());
}
