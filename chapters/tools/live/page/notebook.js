// Run, Edit and Reset on each code cell of a chapter's page.
//
// A page is a piece of a chapter, and a cell needs some of those above it, perhaps on earlier pages: cells/NAME.json says which
// (chapters/tools/live/needs.py). Those that have not run are run first. It is fetched, as Python is, with the first Run.
import { colored } from "./colors.js";
import { editor } from "./editor.js";
import { arrived, button, element } from "./elements.js";
import { session } from "./live.js";
import { Outputs } from "./outputs.js";

const LONG = 20; // seconds, from which on a cell says how long it takes before it runs
const NOTE = "Ctrl+Enter or Shift+Enter runs the cell. To leave the field with Tab, press Esc first.";

const python = session();
const notebook = document.querySelector("script[data-notebook]").dataset.notebook;
let chapter = null; // a promise of the chapter's cells
let queue = Promise.resolve();
let epoch = 0; // counts the stops: what was waiting then is not run
const ran = new Map(); // id -> {generation, at}: when a cell has run last
let clock = 0;

async function fetched() {
  const answer = await fetch(new URL(`./cells/${notebook}.json`, import.meta.url));
  if (!answer.ok) throw new Error(`the cells of this chapter could not be fetched (${answer.status})`);
  const { cells } = await answer.json();
  cells.forEach((cell, number) => Object.assign(cell, { number, binds: new Set(cell.binds) }));
  return { cells, byId: new Map(cells.map((cell) => [cell.id, cell])) };
}

class Cell {
  constructor(box, number) {
    this.box = box;
    this.id = box.id.replace(/^cell-/, "");
    this.name = `cell ${number}`;
    this.input = box.querySelector(".cell_input");
    this.pre = this.input.querySelector("pre");
    this.line = box.querySelector("details.check > summary");
    this.text = this.original = this.pre.textContent.replace(/\n$/, "");
    this.before = { code: [...this.pre.childNodes], line: this.line?.innerHTML };
    this.outputs = new Outputs(box);
    this.editor = null;

    this.runs = this.#button("Run", () => this.run());
    this.stops = this.#button("Stop", stop, true);
    this.edits = this.#button("Edit", () => (this.editor ? this.leave() : this.edit()));
    this.resets = this.#button("Reset", () => this.reset(), true);
    this.status = element("span", { className: "live-status", role: "status" });
    const bar = element("div", { className: "live-bar" });
    bar.append(this.runs, this.stops, this.edits, this.resets, this.status);
    this.input.append(bar);
  }

  #button(text, pressed, hidden = false) {
    const made = button(text, pressed, "live-button");
    made.hidden = hidden;
    made.setAttribute("aria-label", `${text} ${this.name}`);
    return made;
  }

  say(text) {
    this.status.textContent = text;
  }

  edit() {
    this.editor = editor({
      text: this.text,
      label: `Code of ${this.name}`,
      note: NOTE,
      changed: () => this.changed(this.editor.text),
      submitted: () => this.run(),
    });
    this.editor.box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !event.shiftKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      this.run();
    });
    this.pre.closest(".highlight").hidden = true;
    this.pre.closest(".highlight").after(this.editor.box);
    this.#name(this.edits, "Done");
    this.editor.focus();
  }

  leave() {
    this.pre.closest(".highlight").hidden = false;
    this.editor.box.remove();
    this.editor = null;
    if (this.text === this.original) this.pre.replaceChildren(...this.before.code);
    else this.pre.replaceChildren(...colored(this.text + "\n"));
    this.#name(this.edits, "Edit");
    this.edits.focus();
  }

  #name(button, text) {
    button.textContent = text;
    button.setAttribute("aria-label", `${text} ${this.name}`);
  }

  changed(text) {
    this.text = text;
    this.resets.hidden = false;
  }

  /** The cell's own text and output come back; names in Python stay. */
  reset() {
    this.text = this.original;
    if (this.editor) this.editor.text = this.original;
    else this.pre.replaceChildren(...this.before.code);
    if (this.line) this.line.innerHTML = this.before.line;
    this.outputs.restore();
    ran.delete(this.id); // so it runs anew, with its own text, for a cell that needs it
    this.resets.hidden = true;
    this.say("As it was.");
    (this.editor ?? this.runs).focus();
  }

  /** Runs the cell after those that it needs. `sure`: however long it takes. */
  run(sure = false) {
    const mine = epoch;
    this.ask?.remove();
    this.#running(true);
    this.say(python.state === "ready" ? "Waiting." : "Starting Python.");
    const done = queue.then(() => (mine === epoch ? this.#run(sure) : undefined));
    queue = done.catch((error) => this.say(`${error.message}.`)).then(() => mine === epoch && this.#running(false));
    return queue;
  }

  #running(on) {
    // A button that is about to vanish hands its focus on, or the keyboard would begin at the top of the page.
    const focused = [this.runs, this.stops].includes(document.activeElement);
    this.runs.hidden = on;
    this.stops.hidden = !on;
    if (focused) (on ? this.stops : this.runs).focus();
    this.input.setAttribute("aria-busy", on);
  }

  /** Python has been ended while the cell ran or waited. */
  stopped() {
    if (this.runs.hidden) {
      const focused = document.activeElement === this.stops;
      this.runs.hidden = false;
      this.stops.hidden = true;
      this.input.setAttribute("aria-busy", false);
      if (focused) this.runs.focus();
      this.say("Stopped. Python has ended, and all names are gone: the next Run starts it again, and runs the cells above that it needs.");
    }
  }

  async #run(sure) {
    chapter ??= fetched();
    chapter.catch(() => (chapter = null));
    const { cells, byId } = await chapter;
    const mine = byId.get(this.id);
    const needed = this.text === this.original ? mine.needs.map((n) => cells[n]) : neededNow(this.text, mine, cells);
    const missing = needed.filter((cell) => !hasRun(cell));
    const hindered = [...missing, mine].find((cell) => cell.cannot && textOf(cell) === cell.source);
    if (hindered) {
      this.say(hindered === mine ? hindered.cannot : `Cell ${hindered.number + 1} of the chapter, which this one needs: ${hindered.cannot}`);
      return;
    }
    const seconds = [...missing, mine].reduce((sum, cell) => sum + (textOf(cell) === cell.source ? (cell.seconds ?? 0) : 0), 0);
    if (seconds > LONG && !sure) {
      this.#offer(seconds, missing, mine);
      return;
    }
    const watch = (event) => this.say(`${arrived(event.detail)}.`);
    python.addEventListener("progress", watch);
    const started = await python.start();
    python.removeEventListener("progress", watch);
    if (!started) {
      if (python.state === "failed") this.say(python.why);
      return;
    }
    const again = await anew(needed, mine);
    const before = again ? needed : missing;
    for (const [k, cell] of before.entries()) {
      this.say(`Cell ${k + 1} of ${before.length} above.`);
      const view = views.get(cell.id);
      const ok = await runs(cell, view);
      if (ok === null) return;
      if (!ok) {
        this.say(`A cell that this one needs failed${view ? `: ${view.name}` : `: cell ${cell.number + 1} of the chapter, on an earlier page`}.`);
        return;
      }
    }
    this.say("Running.");
    const begin = performance.now();
    const ok = await runs(mine, this);
    if (ok !== null) this.say(`${ok ? "Done" : "It failed"} after ${timeOf((performance.now() - begin) / 1000, 1)}.`);
  }

  #offer(seconds, missing, mine) {
    const above = missing.length ? `, with the ${missing.length === 1 ? "cell" : `${missing.length} cells`} above that it needs` : "";
    this.say("");
    this.ask = element("div", { className: "live-ask", role: "group", "aria-label": `How long ${this.name} takes` });
    const answer = (text, pressed) =>
      button(text, () => {
        this.ask.remove();
        this.runs.focus();
        pressed();
      }, "live-button");
    this.ask.append(element("p", { textContent: `About ${timeOf(seconds)} here${above}: a page computes slower than a program on a computer.` }));
    if (mine.budget && this.text === this.original) {
      const words = `Run a small version: ${mine.budget.map(([, shorter]) => shorter).join(", ")}`;
      this.ask.append(
        answer(words, () => {
          const shorter = mine.budget.reduce((text, [old, next]) => text.replace(old, () => next), this.text);
          if (this.editor) this.editor.text = shorter;
          else this.pre.replaceChildren(...colored(shorter + "\n"));
          this.changed(shorter);
          this.run(missing.every((cell) => (cell.seconds ?? 0) <= LONG));
        }),
      );
    }
    this.ask.append(
      answer("Run all of it", () => this.run(true)),
      answer("Not now", () => this.say("")),
    );
    this.input.append(this.ask);
    this.ask.querySelector("button").focus();
  }
}

/** Runs one cell, and shows its output if it stands on this page; null where it was stopped. */
async function runs(cell, view) {
  view?.outputs.begin(view.line);
  const code = view ? view.text : cell.source;
  const done = await python.run(code, (output) => view?.outputs.add(output), view?.name ?? `cell ${cell.number + 1} of the chapter`);
  if (done.stopped || done.failed) {
    view?.outputs.broken();
    if (done.failed) view?.say(python.why);
    return null;
  }
  view?.outputs.end();
  if (view) view.resets.hidden = false;
  if (done.ok) ran.set(cell.id, { generation: python.generation, at: ++clock });
  return done.ok;
}

function hasRun(cell) {
  return ran.get(cell.id)?.generation === python.generation && python.state !== "off";
}

function textOf(cell) {
  return views.get(cell.id)?.text ?? cell.source;
}

/** Of a changed text: besides what the cell needed, the cells above that bind a name in it. */
function neededNow(text, mine, cells) {
  const numbers = new Set(mine.needs);
  const words = new Set(text.match(/[A-Za-z_]\w*/g) ?? []);
  for (const other of cells.slice(0, mine.number)) {
    if ([...other.binds].some((name) => words.has(name))) [...other.needs, other.number].forEach((n) => numbers.add(n));
  }
  return [...numbers].sort((a, b) => a - b).map((n) => cells[n]);
}

/** Whether all that is needed must run again: a cell that is not needed has since bound one of its names to something else. */
async function anew(needed, mine) {
  const wanted = new Set(needed);
  const { cells } = await chapter;
  const others = cells.filter((cell) => cell !== mine && !wanted.has(cell) && hasRun(cell));
  const spoiled = needed.some((cell) =>
    others.some((other) => hasRun(cell) && ran.get(other.id).at > ran.get(cell.id).at && [...other.binds].some((name) => cell.binds.has(name))),
  );
  if (!spoiled || needed.reduce((sum, cell) => sum + (cell.seconds ?? 0), 0) > LONG) return false; // then as in a notebook
  await python.reset();
  return true;
}

function stop() {
  epoch++;
  python.stop();
  queue = Promise.resolve();
  for (const view of views.values()) view.stopped();
}

/** "3 minutes", "40 seconds", with `digits` "0.4 s". */
function timeOf(seconds, digits = 0) {
  if (digits) return seconds < 10 ? `${seconds.toFixed(digits)} s` : `${Math.round(seconds)} s`;
  if (seconds < 90) return `${Math.max(10, Math.round(seconds / 10) * 10)} seconds`;
  return `${Math.round(seconds / 60)} minutes`;
}

python.addEventListener("failed", ({ detail }) => (python.why = detail.text));
python.addEventListener("reset", () => ran.clear());
const views = new Map();
document.querySelectorAll("div.cell[id^='cell-']").forEach((box, number) => {
  if (!box.querySelector(".cell_input pre")) return;
  const view = new Cell(box, number + 1);
  views.set(view.id, view);
});
