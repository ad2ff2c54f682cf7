// A field for a few lines of Python: a plain textarea, so that undo, the phone's keyboard and screen readers work as they do elsewhere,
// with line numbers beside it, which the grader's messages name.

import { element } from "./elements.js";

const INDENT = "    ";
let count = 0;

/**
 * Makes the field. Returns an object with `box`, what to put on the page, `text`, to be read and set, and `focus()`.
 *
 * code: whether it is Python; otherwise it is prose, in which Tab and Enter do what they do elsewhere. note: a line below it, which
 * screen readers say too. changed: called after each change by the reader. submitted: called for Ctrl+Enter.
 */
export function editor({ text, label, note, code = true, changed, submitted }) {
  const id = `exercise-note-${++count}`;
  const box = element("div", { className: `exercise-editor${code ? "" : " is-prose"}` });
  const numbers = element("div", { className: "exercise-numbers", "aria-hidden": "true" });
  const area = element("textarea", {
    value: text, spellcheck: !code, autocapitalize: "off", autocomplete: "off", wrap: code ? "off" : "soft",
    "aria-label": label, "aria-describedby": id, autocorrect: "off",
  });
  const field = element("div", { className: "exercise-field" });
  field.append(...(code ? [numbers] : []), area);
  box.append(field, element("p", { className: "exercise-note", id, textContent: note }));
  let leaving = false; // after Esc, Tab leaves the field

  function fit() {
    const lines = area.value.split("\n").length;
    area.rows = Math.min(Math.max(lines + 1, code ? 4 : 8), 40);
    numbers.textContent = Array.from({ length: lines }, (_, i) => i + 1).join("\n");
    numbers.scrollTop = area.scrollTop;
  }

  area.addEventListener("input", () => {
    fit();
    changed();
  });
  area.addEventListener("scroll", () => (numbers.scrollTop = area.scrollTop));
  area.addEventListener("blur", () => (leaving = false));
  area.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const { key, shiftKey } = event;
    if (key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      submitted();
    } else if (key === "Escape") {
      leaving = true;
      return;
    } else if (!code || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    } else if (key === "Tab" && !leaving) {
      event.preventDefault();
      indent(area, shiftKey);
    } else if (key === "Enter" && !shiftKey) {
      event.preventDefault();
      typed(area, `\n${depthAfter(area)}`);
    }
    if (key !== "Tab" && key !== "Shift") leaving = false;
  });
  fit();

  return {
    box,
    focus: () => area.focus(),
    get text() {
      return area.value;
    },
    set text(text) {
      area.value = text;
      fit();
    },
  };
}

/** Puts text in the place of what is selected, as if it had been typed: undo takes it back. */
function typed(area, text) {
  // execCommand is old, but the one way that leaves undo to the browser; where it refuses, the text comes without undo.
  const done = text ? document.execCommand("insertText", false, text) : document.execCommand("delete");
  if (!done) {
    area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input"));
  }
}

/** The blanks that the next line begins with: those of this one, and more after a colon. */
function depthAfter(area) {
  const line = area.value.slice(0, area.selectionStart).split("\n").pop();
  return line.match(/^[ \t]*/)[0] + (/:\s*(#.*)?$/.test(line) ? INDENT : "");
}

/** Tab: to the next stop of four, or all selected lines in; with `back`, out. */
function indent(area, back) {
  const { selectionStart: from, selectionEnd: to, value } = area;
  const begin = value.lastIndexOf("\n", from - 1) + 1;
  if (!back && !value.slice(from, to).includes("\n")) {
    typed(area, " ".repeat(4 - ((from - begin) % 4)));
    return;
  }
  const lines = value.slice(begin, to).split("\n");
  const moved = lines.map((line) => (back ? line.replace(/^( {1,4}|\t)/, "") : line && INDENT + line));
  if (moved.join("\n") === lines.join("\n")) return;
  area.setSelectionRange(begin, to);
  typed(area, moved.join("\n"));
  const first = Math.max(begin, from + moved[0].length - lines[0].length);
  area.setSelectionRange(lines.length > 1 ? begin : first, begin + moved.join("\n").length);
}
