r"""Answers that somebody has written already: given a question, which of many documents answers it?

The system knows the words of no question. MiniLM turns each text into a vector of length 1 (`minilm.models.bert.Bert.embed`: the mean over
its word pieces); it was trained so that a question and its answer are near each other (Reimers and Gurevych 2019, *Sentence-BERT*). A
document is cut into passages, at empty lines, since one vector cannot stand for many pages, and its score is that of its best passage,

.. math::
    \text{score}(q, d) = \max_{p \in d} \; e_q \cdot e_p

which is a cosine. The documents are embedded once; a question then costs one pass of the model and a product with a matrix.

Nothing is trained here: one part of the questions serves to choose settings, ours and those of the simple methods, the other to measure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minilm.applications.application import Answer, Application, Baseline, Split, System
from minilm.applications.documents import KEPT, PASSAGE, Asked, Documents, Scores, all_passages, rank
from minilm.applications.published import MINILM, by_length, padded
from minilm.applications.records import records_of, text_of
from minilm.applications.simple.ranking import bm25, reciprocal_ranks, word_methods
from minilm.data import python_questions, small_talk, without_copies
from minilm.graph import no_grad
from minilm.indices import positions
from minilm.metrics import Score, mrr, recall_at
from minilm.pretrained import load
from minilm.strict_json import object_from
from minilm.text.bert_input import framed
from minilm.types import HostArray

LONGEST = 256  # word pieces of a passage or a question; what is longer loses its end
BEST = 10  # documents of an answer
AT_ONCE = 32
TOPICS = ("coding", "computers", "history", "literature", "science", "trivia")
PYTHON = "Python"


class Question(NamedTuple):
    """A question, and the documents among which the answer is sought; None: the published ones."""

    text: str
    documents: Documents | None = None


class Answers(Application[Asked]):
    """Which of the documents answers a question."""

    name = "answers"
    title = "Answers: which of many written ones fits a question (MiniLM's sentence vectors)"
    datasets = ("python-questions", "small-talk")
    models = (MINILM,)
    line = 'How do I copy a file?  (or, with documents of your own: {"question": "...", "documents": ["...", "..."]})'
    file = 'each line a JSON object with "question" and "answer"; the answers of all lines are the documents'

    def __init__(self) -> None:
        self.published: Documents | None = None

    def split(self) -> Split[Asked]:
        talk = [
            (pair[0].strip(), pair[1].strip(), topic)
            for topic in TOPICS
            for pair in small_talk("english", topics=[topic])
            if len(pair) == 2 and all(text.strip() for text in pair)
        ]
        pairs = [(question, answer, PYTHON) for question, answer in python_questions()]
        found = without_copies([*pairs, *talk], key=lambda each: each[0])
        asked = _asked(found.kept)
        order = np.random.default_rng(0).permutation(len(asked))
        third = len(asked) // 3
        about = (
            f"{found.removed} questions went that repeat another one. Nothing is trained: of the rest a third was drawn to choose settings "
            "by, the others are the test part. All answers are searched for every question."
        )
        return Split([], [asked[i] for i in order[:third]], [asked[i] for i in order[third:]], about)

    def read(self, path: Path) -> list[Asked]:
        pairs = records_of(path, lambda fields: (text_of(fields, "question"), text_of(fields, "answer"), ""))
        return _asked(pairs)

    def question(self, example: Asked) -> Question:
        return Question(example.question, example.documents)

    def parse(self, line: str) -> Question:
        if not line.lstrip().startswith("{"):
            if not line.strip():
                raise ValueError("the line has no question.")
            return Question(line.strip())
        fields = object_from(line.encode())
        documents = fields.get("documents")
        if documents is None:
            return Question(text_of(fields, "question"))
        if not isinstance(documents, list) or not documents or not all(isinstance(x, str) for x in documents):
            raise ValueError('"documents" should be a list of one text or more.')
        return Question(text_of(fields, "question"), tuple(dict.fromkeys(documents)))

    def open(self, folder: Path | None, device: str) -> System:
        return self._searching(Embeddings(device))

    def baselines(self) -> Mapping[str, Baseline]:
        return {
            **{name: self._tuned(tune) for name, tune in word_methods().items()},
            "BM25 and minilm, ranks joined": self._tuned(lambda split: reciprocal_ranks([bm25(split), Embeddings()])),
        }

    def measure(self, examples: Sequence[Asked], answers: Sequence[Answer]) -> list[Score]:
        found = [rank(answer, example.answer) for example, answer in zip(examples, answers, strict=True)]
        first = recall_at(1, found)
        scores = [first, recall_at(5, found), Score(f"MRR@{BEST}", first.n, mrr(found).of_draws)]
        python = np.array([each.topic == PYTHON for each in examples], float)
        if python.any() and not python.all():
            right = np.array([place == 1 for place in found], float)
            for name, of in (("questions on Python", python), ("other questions", 1 - python)):
                scores.append(Score.of_sums(f"recall@1, {name}", np.stack([right * of, of], axis=1), _share))
        return scores

    def limits(self) -> Sequence[str]:
        return (
            "It answers also where no document does; the score of the best is then low, but there is no bound that tells the two apart.",
            f"Of a passage of more than {LONGEST} word pieces the end is not read.",
            "MiniLM learned from over a billion pairs of texts of the web, questions with their answers among them: perhaps these, too.",
        )

    def _tuned(self, tune: Callable[[Split[Asked]], Scores]) -> Baseline:
        return lambda split: self._searching(tune(split))

    def _searching(self, scores: Scores) -> System:
        """The system that answers with the documents of the highest scores; a document without one is not found."""

        def answer(questions: Sequence[Question]) -> list[Answer]:
            groups: dict[Documents, list[int]] = {}
            for i, question in enumerate(questions):
                documents = self._published() if question.documents is None else question.documents
                groups.setdefault(documents, []).append(i)
            answers: list[Answer] = [{} for _ in questions]
            for documents, rows in groups.items():
                for i, row in zip(rows, scores([questions[i].text for i in rows], documents), strict=True):
                    best = [j for j in np.argsort(-row, kind="stable")[:BEST].tolist() if np.isfinite(row[j])]
                    answers[i] = {
                        "question": questions[i].text,
                        "answers": [{"text": documents[j], "score": round(float(row[j]), 6)} for j in best],
                    }
            return answers

        return answer

    def _published(self) -> Documents:
        if self.published is None:
            self.published = self.split().test[0].documents
        return self.published


class Embeddings:
    """Scores by MiniLM's vectors. Those of the documents that were searched last are kept."""

    def __init__(self, device: str = "auto", words: int = PASSAGE) -> None:
        found = load(MINILM)
        assert found.tokenizer is not None
        self.model, self.tokenizer, self.words = found.model.to(device).eval(), found.tokenizer, words
        self.kept = lru_cache(KEPT)(self._vectors)

    def __call__(self, questions: Sequence[str], documents: Documents) -> HostArray:
        """The score of each document for each question: (questions, documents)."""
        vectors, first = self.kept(documents)
        return np.maximum.reduceat(self.embed(questions) @ vectors.T, positions(first), axis=1)

    def _vectors(self, documents: Documents) -> tuple[HostArray, HostArray]:
        """Those of all passages, and the number of each document's first one."""
        texts, first = all_passages(documents, self.words)
        return self.embed(texts), first

    def embed(self, texts: Sequence[str]) -> HostArray:
        """(n, 384), each row of length 1."""
        ids = [framed(self.tokenizer, [self.tokenizer.encode(text)[: LONGEST - 2]]).ids for text in texts]
        vectors = np.zeros((len(ids), self.model.config.hidden_size), np.float32)
        with no_grad():
            for some in by_length(np.array([len(row) for row in ids]), AT_ONCE):
                vectors[some] = self.model.embed(*padded([ids[row] for row in some])).numpy()
        return vectors


def _asked(pairs: Sequence[tuple[str, str, str]]) -> list[Asked]:
    documents = tuple(dict.fromkeys(answer for _, answer, _ in pairs))
    return [Asked(question, answer, topic, documents) for question, answer, topic in pairs]


def _share(right: HostArray, of: HostArray) -> HostArray:
    """NaN where a draw holds none."""
    return np.divide(right, of, out=np.full_like(right, np.nan), where=of > 0)


__all__ = ["Answers", "Embeddings", "Question"]
