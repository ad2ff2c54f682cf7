// A file of answers: the notebook that a class hands in (`minilm exercises 4 --out mine` writes the same), with the answers in it and,
// in its metadata, what the page keeps of points, checks and hints. Pure functions: what goes in, what comes out.

import { inOrder, sound } from "./answers.js";

const FORMAT = 1;
const markOf = (cell) => cell?.metadata?.minilm ?? {};
const textOf = ({ source }) => (Array.isArray(source) ? source.join("") : typeof source === "string" ? source : "");
const linesOf = (text) => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

/** The chapter of an exercise: 4 of "4.9". */
export const chapterOf = (id) => Number(id.split(".")[0]);

/**
 * One notebook with the exercises that have an answer.
 *
 * notebooks: those that are handed out, of the chapters of the states, in their order. states: a Map from ids to states. student: a
 * name or number where the class asks for one; else "".
 */
export function filled(notebooks, states, student = "") {
  const cells = [];
  const taken = new Set();
  for (const notebook of notebooks) {
    for (const cell of notebook.cells) {
      const { role, task } = markOf(cell);
      if (task === undefined ? taken.has(role) : !states.get(task)?.answer) continue;
      if (task === undefined) taken.add(role);
      const text = role === "answer" ? states.get(task).answer : textOf(cell);
      cells.push({ ...cell, source: linesOf(role === "introduction" ? introduction(text, student) : text) });
    }
  }
  const kept = Object.fromEntries([...states].sort(([a], [b]) => inOrder(a, b)).map(([id, { answer, ...rest }]) => [id, rest]));
  return { ...notebooks[0], cells, metadata: { ...notebooks[0].metadata, minilm: { format: FORMAT, student, progress: kept } } };
}

function introduction(text, student) {
  const named = student ? `# Exercises: answers of ${student.replace(/([\\`*_[\]<>$#|])/g, "\\$1")}` : "# Exercises: answers";
  return text.replace(/^# .*/, named);
}

/**
 * The states in a notebook: one that was saved here, or one that was handed out and worked in. Throws an Error that says what is wrong.
 *
 * starts: a Map from ids to the code to begin with; an answer that is still that is none.
 */
export function read(text, starts) {
  let notebook;
  try {
    notebook = JSON.parse(text);
  } catch {
    throw new Error("This file is no notebook: it is not JSON. Choose a file that was saved here, or your notebook of exercises (.ipynb).");
  }
  if (!Array.isArray(notebook?.cells)) throw new Error("This file is no notebook: it has no cells.");
  const { progress } = notebook.metadata?.minilm ?? {};
  const answers = new Map();
  for (const cell of notebook.cells) {
    const { role, task } = markOf(cell);
    if (role !== "answer" || typeof task !== "string") continue;
    answers.set(task, [...(answers.get(task) ?? []), textOf(cell)]); // an answer may have several cells
  }
  const states = new Map();
  for (const id of new Set([...answers.keys(), ...Object.keys(progress ?? {})])) {
    if (!starts.has(id)) continue; // not of this book
    const answer = (answers.get(id) ?? []).map((part) => part.trimEnd()).join("\n\n");
    const own = answer.trim() !== starts.get(id).trim() ? answer : "";
    states.set(id, sound({ ...progress?.[id], answer: own && `${own}\n` }));
  }
  if (!answers.size) throw new Error("No answer was found in this notebook: its cells do not say which exercise they belong to.");
  return states;
}

/** The code to begin with of each exercise in notebooks that are handed out. */
export function startsOf(notebooks) {
  const cells = notebooks.flatMap((notebook) => notebook.cells).filter((cell) => markOf(cell).role === "answer");
  return new Map(cells.map((cell) => [markOf(cell).task, textOf(cell)]));
}

/** A name for the file, which `minilm classroom grade` takes for the student's where it is one. */
export function fileName(student, chapter) {
  const name = student.normalize("NFC").replace(/[\\/:*?"<>|\u0000-\u001f]+/g, "-").replace(/^[\s.]+|[\s.]+$/g, "").slice(0, 80);
  return `${name || (chapter ? `exercises-of-chapter-${chapter}` : "exercises")}.ipynb`;
}
