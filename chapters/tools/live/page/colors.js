// Code in the page's colors, after a reader has changed it: not all that Sphinx tells apart, but the same classes.

const KEYWORDS = new Set(
  ("and as assert async await break case class continue def del elif else except finally for from global if import in is lambda " +
    "match nonlocal not or pass raise return try while with yield").split(" "),
);
const TOKEN =
  /(#[^\n]*)|([rbfuRBFU]{0,2}(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?))|((?<![\w.])\d[\w.]*)|([A-Za-z_]\w*)/g;

/** The code in the page's colors, as nodes: the classes are those that Sphinx gives. */
export function colored(code) {
  const nodes = [];
  let done = 0;
  for (const m of code.matchAll(TOKEN)) {
    const word = m[4] && (KEYWORDS.has(m[4]) ? "k" : /^(None|True|False)$/.test(m[4]) ? "kc" : "");
    const kind = m[1] ? "c1" : m[2] ? "s2" : m[3] ? "mi" : word;
    if (!kind) continue;
    nodes.push(code.slice(done, m.index), Object.assign(document.createElement("span"), { className: kind, textContent: m[0] }));
    done = m.index + m[0].length;
  }
  nodes.push(code.slice(done));
  return nodes;
}
