// How far the reader is: marks in lists of exercises, and the page "Your progress" with points by chapter, saving and opening of files.

import * as answers from "./answers.js";
import { button, element } from "./elements.js";
import { chapterOf, fileName, filled, read, startsOf } from "./handed.js";

const ROOT = new URL("../", import.meta.url);

/** Writes into each list of exercises how far each is, and keeps it so. */
export function marked() {
  const rows = new Map();
  for (const row of document.querySelectorAll("table tr")) {
    const id = /^Exercise (\d+\.\d+)$/.exec(row.cells[0]?.textContent.trim())?.[1];
    if (id) rows.set(id, row);
  }
  if (!rows.size) return;
  const place = document.querySelector(".progress-desk");
  if (place) progressPage(place);
  else above(rows);
  const mark = (id) => rows.has(id) && markRow(rows.get(id), answers.get(id));
  for (const id of rows.keys()) mark(id);
  answers.watch((id) => (id === undefined ? [...rows.keys()].forEach(mark) : mark(id)));
}

function markRow(row, state) {
  const { answer, points, of, passed, checks } = state;
  const cell = row.cells[0].querySelector("p") ?? row.cells[0];
  const words = checks ? `${passed ? "✓ " : ""}${points} of ${of}${answers.isStale(state) ? ", changed since" : ""}` : answer ? "begun" : "";
  cell.querySelector(".exercise-mark")?.remove();
  if (words) cell.append(element("span", { className: "exercise-mark", textContent: words }));
}

/** Above a chapter's list: that it can be worked on here, and how far it is. */
function above(rows) {
  const table = rows.values().next().value.closest("table");
  const line = element("p", { className: "exercise-sum" });
  const link = element("a", { href: new URL("progress.html", ROOT).href, textContent: "Your progress" });
  (table.closest(".pst-scrollable-table-container") ?? table).before(line);
  const tell = () => {
    const solved = [...rows.keys()].filter((id) => answers.get(id).passed).length;
    line.replaceChildren(`Each can be answered and checked on its page, in this browser: ${solved} of ${rows.size} solved so far. `, link, ": points, and your answers as a file.");
  };
  tell();
  answers.watch(tell);
}

// --- the page "Your progress"

function progressPage(place) {
  const says = element("p", { className: "exercise-says", role: "status" });
  const chapters = chapterRows();
  const which = element("select", { id: "progress-which" });
  which.append(element("option", { value: "", textContent: "all chapters" }));
  for (const { chapter, title } of chapters) which.append(element("option", { value: chapter, textContent: title }));
  const student = element("input", { id: "progress-student", type: "text", autocomplete: "off", maxLength: 80 });
  const file = element("input", { type: "file", accept: ".ipynb,application/json", id: "progress-file", className: "exercise-file" });
  const saving = element("div", { className: "exercise-form" });
  saving.append(
    labelled("Answers of", which), labelled("Your name or number, if your class asks for it (it becomes the file's name)", student),
    button("Save to a file", () => save(Number(which.value), student.value.trim(), says), "is-main"),
  );
  const opening = element("div", { className: "exercise-form" });
  opening.append(labelled("Open a file that was saved here, or your notebook of exercises", file), forgetting(says));
  file.addEventListener("change", () => open(file, says));
  place.append(saving, opening, says);
  if (!answers.isKept) says.textContent = "This browser keeps nothing for this site, so there is nothing to save here. Copy an answer from its page.";
  const sum = () => {
    const states = [...answers.all()];
    for (const { chapter, cell, of } of chapters) {
      const got = states.filter(([id]) => chapterOf(id) === chapter).reduce((points, [, state]) => points + state.points, 0);
      cell.textContent = `${got} of ${of}`;
    }
  };
  sum();
  answers.watch(sum);
}

function labelled(text, field) {
  const box = element("div", { className: "exercise-labelled" });
  box.append(element("label", { htmlFor: field.id, textContent: text }), field);
  return box;
}

/** The rows of the table of points by chapter, "4. Mathematics". */
function chapterRows() {
  const rows = [...document.querySelectorAll("table tr")].map((row) => [/^(\d+)\. /.exec(row.cells[0].textContent.trim())?.[1], row]);
  return rows.filter(([chapter]) => chapter).map(([chapter, { cells }]) => (
    { chapter: Number(chapter), title: cells[0].textContent.trim(), cell: cells[1], of: Number(cells[1].textContent) }));
}

/** The notebooks that are handed out, of these chapters. */
async function handedOut(chapters) {
  const folder = document.querySelector(".progress-desk").dataset.folder;
  return Promise.all(chapters.map(async (chapter) => {
    const answer = await fetch(new URL(`${folder}/${String(chapter).padStart(2, "0")}-exercises.ipynb`, ROOT));
    if (!answer.ok) throw new Error(`The exercises of chapter ${chapter} could not be fetched: are you offline?`);
    return answer.json();
  }));
}

async function save(chapter, student, says) {
  const states = new Map([...answers.all()].filter(([id]) => !chapter || chapterOf(id) === chapter));
  const answered = [...states].filter(([, state]) => state.answer).map(([id]) => id);
  if (!answered.length) {
    says.textContent = "There is nothing to save yet: no exercise has an answer.";
    return;
  }
  try {
    const notebook = filled(await handedOut([...new Set(answered.map(chapterOf))]), states, student);
    const name = fileName(student, chapter);
    const link = element("a", { download: name, href: URL.createObjectURL(new Blob([`${JSON.stringify(notebook, null, 1)}\n`], { type: "application/x-ipynb+json" })) });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    says.textContent = `${answered.length} answer${answered.length === 1 ? "" : "s"} saved to ${name}.`;
  } catch (error) {
    says.textContent = `Nothing was saved. ${error.message}`;
  }
}

async function open(file, says) {
  const [chosen] = file.files;
  if (!chosen) return;
  try {
    const found = read(await chosen.text(), startsOf(await handedOut(chapterRows().map(({ chapter }) => chapter))));
    let taken = 0;
    for (const [id, state] of found) {
      const mine = answers.get(id);
      const both = answers.together(mine, state);
      taken += both.answer !== mine.answer;
      if (!answers.change(id, both)) throw new Error("The browser has no room for these answers.");
    }
    const there = [...found.values()].filter((state) => state.answer).length;
    says.textContent = `${chosen.name}: ${there} answer${there === 1 ? "" : "s"}, ${taken} taken over${taken < there ? "; where yours here is the same or newer, it stays" : ""}.`;
  } catch (error) {
    says.textContent = error.message;
  }
  file.value = "";
}

/** Deletes what this browser keeps; asked for twice, since nothing brings it back. */
function forgetting(says) {
  const NAME = "Delete all answers here";
  const made = button(NAME, () => {
    if (made.textContent === NAME) {
      made.textContent = "Really delete: nothing brings them back";
      return;
    }
    answers.forget();
    made.textContent = NAME;
    says.textContent = "This browser keeps no answers of this book any more.";
  });
  made.addEventListener("blur", () => (made.textContent = NAME));
  return made;
}
