// How the search orders what it finds. An op by its name, and an exercise by its number, come first (`reference/sphinx.py` enters them);
// then what explains, before what asks, answers or is made wrong on purpose. Sphinx takes a whole scorer or none; all but `score` are the
// numbers of its own.
var Scorer = {
  score: ([docname, _title, _anchor, _description, score, _filename, kind]) => {
    if (kind === "index") return score;
    // The function that an op's page describes: the page itself is found.
    if (kind === "object" && docname.startsWith("reference/ops/")) return 0;
    // A name in the middle of another page's prose counts less in the reference, whose pages hold hundreds of names.
    if (kind === "text" && docname.startsWith("reference/")) return score / 4;
    return /\/exercise-|^solutions-|^bugs/.test(docname) ? score / 4 : score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
