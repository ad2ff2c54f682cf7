// How the search orders what it finds: what explains comes before what asks, answers or is made wrong on purpose. Sphinx takes a
// whole scorer or none; all but `score` are the numbers of its own.
var Scorer = {
  score: ([docname, _title, _anchor, _description, score]) =>
    /\/exercise-|^solutions-|^bugs/.test(docname) ? score / 4 : score,
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
