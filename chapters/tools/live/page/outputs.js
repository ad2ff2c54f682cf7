// What a cell shows, in the place where the page shows it. The old output stays until there is a new one.
import { element } from "./elements.js";

const WIDE = 120; // columns: what is wider is prose, and is wrapped (chapters/tools/extension.py)
const CHECKED = /^[✓✗] \([\w.*]+\) .*(?:\n {4}.*)*\n?/gm; // what a formula's check prints: the line of a folded cell

export class Outputs {
  constructor(cell) {
    this.cell = cell;
    this.own = cell.querySelector(":scope > .cell_output"); // null where the cell shows nothing
    this.shown = this.own;
    this.names = [...(this.own?.querySelectorAll("img") ?? [])].map((picture) => picture.alt);
  }

  /** A run begins; `line` is the folded cell's, which says what a check printed. */
  begin(line = null) {
    this.line = line;
    this.next = null;
    this.printed = null;
    this.pictures = 0;
    this.shown?.classList.add("live-old");
  }

  add({ kind, text }) {
    if (!this.next) this.#replace(element("div", { className: "cell_output docutils container live-output" }));
    if (kind === "stream") this.#print(text);
    else this.printed = null;
    if (kind === "text") this.#block("text_plain", text);
    if (kind === "error") this.#block("traceback", text);
    if (kind === "html" || kind === "svg") {
      const box = element("div", { className: "output text_html" });
      box.append(document.createRange().createContextualFragment(text)); // scripts in it run, as in a notebook
      this.next.append(box);
      this.#reachable(box);
    }
    if (kind === "png") {
      const alt = this.names[this.pictures++] ?? "A figure that this cell has drawn";
      this.next.append(element("img", { src: `data:image/png;base64,${text}`, alt }));
    }
  }

  end() {
    if (!this.next) this.#replace(null);
    const line = this.line;
    if (!line || !this.next) return;
    let checks = "";
    for (const pre of this.next.querySelectorAll(".stream pre")) {
      pre.textContent = pre.textContent.replace(CHECKED, (check) => ((checks += check), ""));
      if (!pre.textContent.trim()) pre.closest(".output").remove();
    }
    checks = checks.trim().replace(/\n +/g, " ");
    if (checks) for (const title of line.querySelectorAll("p")) title.textContent = checks;
    if (!this.next.childElementCount) this.#replace(null);
  }

  /** The run was stopped: what has come stays, and if nothing has, the old. */
  broken() {
    this.shown?.classList.remove("live-old");
  }

  /** The page's own output again. */
  restore() {
    this.#replace(this.own);
    this.own?.classList.remove("live-old");
  }

  #replace(box) {
    if (this.shown && this.shown !== box) this.shown.remove();
    if (box) this.cell.append(box);
    this.shown = this.next = box;
  }

  #print(text) {
    this.printed ??= this.#block("stream", "");
    this.printed.append(text);
    if (this.printed.textContent.split("\n").some((line) => line.length > WIDE)) this.printed.closest(".output").classList.add("prose");
    this.#reachable(this.printed);
  }

  #block(kind, text) {
    const pre = element("pre", { textContent: text });
    const inner = element("div", { className: "highlight" });
    const box = element("div", { className: `output ${kind} highlight-myst-ansi notranslate` });
    inner.append(pre);
    box.append(inner);
    this.next.append(box);
    this.#reachable(pre);
    return pre;
  }

  // What scrolls must be reached by the keyboard.
  #reachable(box) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
}
