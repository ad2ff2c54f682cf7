// What is kept of the reader's work: per exercise the answer, points, checks and hints. In this browser only.
//
// One entry of localStorage per exercise, so that two open pages do not write over each other's. Where the browser refuses to keep
// anything, the page works all the same until it is left, and says so.

const BOOK = `minilm ${new URL("../", import.meta.url).pathname} `; // several books may lie on one host
const here = new Map(); // what localStorage would hold, where it is refused

/** Whether what is written stays when the page is left. */
export const isKept = (() => {
  try {
    localStorage.setItem(`${BOOK}?`, "");
    localStorage.removeItem(`${BOOK}?`);
    return true;
  } catch {
    return false;
  }
})();

const NUMBERS = ["points", "of", "checks", "solvedAfter", "hints"];
const TEXTS = ["answer", "checked", "edited", "passed", "last"];

/**
 * A state of which nothing is missing or of another kind, whatever a file or the browser held.
 *
 * answer: the text; "" as long as it is the one to begin with. checked: the answer as it was checked last. edited, last, passed: when it
 * was written, last checked or helped with, and first solved. points: the most that a check gave. checks, solvedAfter: how often it was
 * checked, and how often until it was solved. hints: the highest level of help that was opened.
 */
export function sound(state) {
  const given = state !== null && typeof state === "object" ? state : {};
  const found = {};
  for (const name of NUMBERS) found[name] = Number.isSafeInteger(given[name]) && given[name] >= 0 ? given[name] : 0;
  for (const name of TEXTS) found[name] = typeof given[name] === "string" ? given[name] : "";
  return found;
}

/** Whether the answer is another one than that which was checked. */
export const isStale = ({ checks, answer, checked }) => checks > 0 && answer.trimEnd() !== checked.trimEnd();

export function get(id) {
  try {
    return sound(JSON.parse(isKept ? localStorage.getItem(BOOK + id) : (here.get(id) ?? null)));
  } catch {
    return sound(null);
  }
}

/** Keeps the changes; returns whether there was room for them. */
export function change(id, changes) {
  const text = JSON.stringify({ ...get(id), ...changes });
  try {
    if (isKept) localStorage.setItem(BOOK + id, text);
    else here.set(id, text);
  } catch {
    return false; // the browser's room is used up
  }
  dispatchEvent(new CustomEvent("answers", { detail: id }));
  return true;
}

/** The state of each exercise of which anything is kept, in the order of the book. */
export function all() {
  const ids = isKept ? Object.keys(localStorage).filter((key) => key.startsWith(BOOK)).map((key) => key.slice(BOOK.length)) : [...here.keys()];
  return new Map(ids.filter((id) => /^\d+\.\d+$/.test(id)).sort(inOrder).map((id) => [id, get(id)]));
}

export function inOrder(a, b) {
  const [x, y] = [a, b].map((id) => id.split(".").map(Number));
  return x[0] - y[0] || x[1] - y[1];
}

export function forget() {
  for (const id of all().keys()) {
    if (isKept) localStorage.removeItem(BOOK + id);
    else here.delete(id);
  }
  dispatchEvent(new CustomEvent("answers"));
}

/**
 * Calls `changed(id, isElsewhere)` when a state changes, here or in another window of this book; without an id, any may have.
 */
export function watch(changed) {
  addEventListener("answers", ({ detail }) => changed(detail ?? undefined, false));
  addEventListener("storage", ({ key }) => {
    if (key === null) changed(undefined, true);
    else if (key.startsWith(BOOK)) changed(key.slice(BOOK.length), true);
  });
}

export const now = () => new Date().toISOString().replace(/\.\d+Z$/, "Z");

/** The two states of one exercise as one: the answer that was written last, the most points, the most help. */
export function together(mine, other) {
  const newer = other.answer && (!mine.answer || other.edited > mine.edited) ? other : mine;
  const passed = [mine, other].filter((s) => s.passed).sort((a, b) => (a.passed < b.passed ? -1 : 1))[0];
  const most = (name) => Math.max(mine[name], other[name]);
  return sound({
    answer: newer.answer, checked: newer.checked, edited: newer.edited, points: most("points"), of: most("of"), checks: most("checks"),
    hints: most("hints"), passed: passed?.passed, solvedAfter: passed?.solvedAfter, last: mine.last > other.last ? mine.last : other.last,
  });
}
