// Exercises that are answered in the page: an editor below each statement, Check, Hint, Reset, and the grader's message.
//
// The grader is the library's own, in the page's Python (`desk.py`); nothing of it is fetched before the first Check. Hints come from
// the pages of solutions, which are there without Python.

import * as answers from "./answers.js";
import { editor } from "./editor.js";
import { arrived, button, element } from "./elements.js";
import { marked } from "./progress.js";

const LONG = 20_000; // milliseconds of silence after which it is broken
const SLOW = `Nothing came for ${LONG / 1000} s. What runs within NumPy or never gives up its turn can only be ended from outside: by Stop.`;

class Desk {
  constructor(place) {
    const task = (this.task = JSON.parse(place.dataset.exercise));
    this.place = place;
    this.link = place.parentElement.querySelector("p.solution a");
    const state = answers.get(task.id);
    const note = task.graded
      ? "Tab indents; Esc, then Tab leaves the field. Ctrl+Enter checks."
      : "A teacher reads this one. What you write is kept here, and goes into the file that you save.";
    this.editor = editor({
      text: state.answer || task.start, label: `Your answer to exercise ${task.id}`, code: task.graded, note,
      changed: () => this.edited(), submitted: () => this.check(),
    });
    this.checkButton = button("Check", () => this.check(), "is-main");
    this.stopButton = button("Stop", () => this.stop());
    this.hintButton = button("Hint", () => this.hint());
    this.resetButton = button("Reset", () => this.reset());
    this.stopButton.hidden = true;
    this.says = element("p", { className: "exercise-says", role: "status" }); // a role="status" is a polite live region
    this.help = element("div", { className: "exercise-help" });
    this.result = element("div", { className: "exercise-result" });
    const buttons = element("div", { className: "exercise-buttons" });
    buttons.append(...(task.graded ? [this.checkButton, this.stopButton] : []), ...(this.link ? [this.hintButton] : []), this.resetButton);
    this.hideStart();
    if (task.given) place.append(this.given());
    place.append(this.editor.box, buttons, this.says, this.help, this.result);
    this.nameHint();
    this.say(this.standing(state));
  }

  /** The statement ends with the code to begin with, which the editor shows now; on paper it stays. */
  hideStart() {
    const block = this.place.previousElementSibling;
    const code = block?.querySelector("pre")?.textContent; // without the button that copies it
    if (this.task.graded && code?.trim() === this.task.start.trim()) block.classList.add("exercise-start");
  }

  /** What is defined before the answer runs. */
  given() {
    const details = element("details", { className: "exercise-given" });
    details.append(element("summary", { textContent: "What is defined before your code" }), element("pre", { textContent: this.task.given, tabIndex: 0 }));
    return details;
  }

  /** How far the exercise is, for one who comes back. */
  standing(state) {
    if (!answers.isKept) return "This browser keeps nothing for this site: what you write is gone when you leave the page. Copy what you want to keep.";
    const { points, of, passed, solvedAfter } = state;
    const checks = (passed && solvedAfter) || state.checks;
    if (!checks) return "";
    const far = `${passed ? "Solved" : `${points} of ${of} points`} in ${checks} check${checks === 1 ? "" : "s"}`;
    return `${far}${answers.isStale(state) ? "; changed since the last one" : ""}.`;
  }

  say(text) {
    this.says.textContent = text;
  }

  /** Names say to whom a button belongs, since a page may have several exercises. */
  named() {
    const of = `exercise ${this.task.id}`;
    for (const each of [this.checkButton, this.stopButton, this.hintButton, this.resetButton]) each.setAttribute("aria-label", `${each.textContent}, ${of}`);
  }

  edited() {
    this.before = undefined; // what Reset took is not to be brought back over this
    this.resetButton.textContent = "Reset";
    this.named();
    this.keep();
  }

  keep() {
    const ok = answers.change(this.task.id, { answer: this.kept(this.editor.text), edited: answers.now() });
    if (!ok) this.say("The browser has no room to keep this answer: save your answers to a file on the page “Your progress”.");
  }

  /** An answer as it is kept: the code to begin with is none. */
  kept(text) {
    return text === this.task.start ? "" : text;
  }

  // --- check

  async check() {
    if (this.checking || !this.task.graded) return;
    const { text } = this.editor;
    this.waits(true);
    this.say("Python starts …");
    let slow;
    try {
      const outcome = await graded(this.task.id, text, (words) => {
        this.say(words);
        clearTimeout(slow);
        slow = setTimeout(() => this.say(SLOW), LONG);
      });
      this.found(text, outcome);
    } catch (error) {
      this.say(error.message);
    } finally {
      clearTimeout(slow);
      this.waits(false);
    }
  }

  waits(yes) {
    this.checking = yes;
    const [from, to] = yes ? [this.checkButton, this.stopButton] : [this.stopButton, this.checkButton];
    const isThere = document.activeElement === from;
    to.hidden = false;
    if (isThere) to.focus(); // the keyboard stays where it was
    from.hidden = true;
  }

  found(text, { points, of, passed, html }) {
    const state = answers.get(this.task.id);
    const checks = state.checks + 1;
    const first = passed && !state.passed;
    answers.change(this.task.id, {
      points: Math.max(points, state.points), of, checks, last: answers.now(), checked: this.kept(text),
      ...(first ? { passed: answers.now(), solvedAfter: checks } : {}),
    });
    this.result.innerHTML = html; // the grader's own, from this site, without a script
    const level = Number(this.place.parentElement.querySelector("h1, h2, h3, h4").tagName[1]) + 1;
    for (const each of this.result.querySelectorAll("h4")) each.setAttribute("aria-level", level); // it knows no page around it
    this.say(passed ? `Right: ${points} of ${of} points.` : `${points} of ${of} points. What is wrong stands below.`);
  }

  stop() {
    python?.stop();
  }

  /** Another window of the book wrote this answer. */
  other() {
    const state = answers.get(this.task.id);
    if (!this.checking && !this.place.contains(document.activeElement)) this.editor.text = state.answer || this.task.start;
    this.say(this.standing(state));
    this.nameHint();
  }

  // --- help, a step at a time

  async hint() {
    const steps = await this.steps();
    if (!steps) return;
    const opened = Math.min(answers.get(this.task.id).hints, steps.length);
    const next = Math.min(opened + 1, steps.length);
    const name = steps[next - 1].name;
    if (name === "Solution" && opened < next && !this.asked) {
      this.asked = true;
      this.nameHint("Open the solution");
      this.say("The next step is the solution, the last one. Press “Open the solution” to see it.");
      return;
    }
    this.help.replaceChildren(...steps.slice(0, next).map((step, i) => this.fold(step, i, next)));
    window.MathJax?.typesetPromise?.([this.help]);
    answers.change(this.task.id, { hints: Math.max(next, opened), last: answers.now() });
    this.say(`${name}, step ${next} of ${steps.length}, stands below.`);
    this.nameHint();
  }

  fold({ name, nodes }, i, next) {
    const fold = element("details", { open: i === next - 1 });
    const summary = element("summary", { textContent: `${name}, ${i + 1} of ${this.task.helps.length}` });
    fold.append(summary, ...nodes.map((node) => document.importNode(node, true)));
    return fold;
  }

  /** The button says which step it opens. */
  nameHint(name = this.task.helps[answers.get(this.task.id).hints] ?? "Hint, again") {
    this.hintButton.textContent = name;
    this.named();
  }

  /** Hint, derivation and solution, as the page of solutions has them. */
  async steps() {
    if (this.read) return this.read;
    try {
      const address = new URL(this.link.href);
      const answer = await fetch(address);
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const section = page.getElementById(decodeURIComponent(address.hash.slice(1)));
      for (const each of section.querySelectorAll("a[href]")) each.setAttribute("href", new URL(each.getAttribute("href"), address));
      const folds = new Map([...section.querySelectorAll("details")].map((fold) => [fold.firstElementChild.textContent.trim(), fold]));
      this.read = this.task.helps.map((name) => ({ name, nodes: [...folds.get(name).children].slice(1) }));
    } catch {
      this.say("This could not be fetched. It stands on the page “Hint, derivation and solution”, linked below.");
    }
    return this.read;
  }

  // --- reset

  /** Back to the code to begin with, or, pressed again, to what was there. */
  reset() {
    const back = this.before;
    this.before = back === undefined ? this.editor.text : undefined;
    this.editor.text = back ?? this.task.start;
    this.resetButton.textContent = back === undefined ? "Bring my answer back" : "Reset";
    this.result.replaceChildren();
    this.named();
    this.keep();
    this.say(back === undefined ? "This is the code to begin with." : "Your answer is back.");
  }
}

// --- the page's Python

const STOPPED = "Stopped. The names that cells of this page had defined are gone with it; your answer is kept.";
const BROKEN = "Python broke down over this answer, and begins anew with the next check. Too much memory, very deep recursion or os._exit can do that. Your answer is kept.";

/** What the grader found, or an Error that says why there is nothing. */
async function graded(id, text, say) {
  const { session } = await import("./live.js");
  python = session();
  let failed = "Python could not start.";
  const told = ({ detail }) => say(`${arrived(detail)} …`);
  const noted = ({ detail }) => (failed = detail.text.replace("Press Run", "Press Check"));
  python.addEventListener("progress", told);
  python.addEventListener("failed", noted);
  try {
    if (!(await python.start())) throw new Error(failed);
    say("Checking …");
    const answer = await python.call("desk", "check", [id, text]);
    if (answer.ok) return answer.value;
    if (answer.stopped) throw new Error(STOPPED);
    if (answer.text?.includes("Traceback (most recent call last)")) throw new Error(`The grader failed: ${answer.text.trim().split("\n").pop()}`);
    python.stop(); // what is left of it would answer no more
    throw new Error(BROKEN);
  } finally {
    python.removeEventListener("progress", told);
    python.removeEventListener("failed", noted);
  }
}

let python;

const desks = [...document.querySelectorAll(".exercise-desk")].map((place) => new Desk(place));
answers.watch((id, isElsewhere) => {
  for (const each of desks) if (isElsewhere && (id === undefined || id === each.task.id)) each.other();
});
marked();
