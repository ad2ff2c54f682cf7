"""Documents in which an answer is sought: cut into passages, scored for each question, ranked."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from minilm.applications.application import Answer
from minilm.types import HostArray

PASSAGE = 200  # words of a passage, about: paragraphs are not cut
KEPT = 8  # collections of documents whose index is kept

Documents = tuple[str, ...]
Scores = Callable[[Sequence[str], Documents], HostArray]
"""The score of each document for each question, (questions, documents), higher is better; minus infinity: it is not found."""


class Asked:
    """A question with its answer.

    Attributes:
        question, answer: the texts.
        topic: where they come from.
        documents: among which the answer is; they are the same for all questions, and not shown with each.
    """

    def __init__(self, question: str, answer: str, topic: str, documents: Documents) -> None:
        self.question, self.answer, self.topic, self.documents = question, answer, topic, documents

    def _asdict(self) -> dict[str, str]:
        return {"question": self.question, "answer": self.answer, "topic": self.topic}


def passages(text: str, words: int = PASSAGE) -> list[str]:
    """The text in passages: as many paragraphs as have together at most so many words, or one that is longer."""
    found: list[str] = []
    length = 0
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        size = len(paragraph.split())
        if found and length + size <= words:
            found[-1], length = f"{found[-1]}\n\n{paragraph}", length + size
        else:
            found.append(paragraph)
            length = size
    return found


def all_passages(documents: Documents, words: int = PASSAGE) -> tuple[list[str], HostArray]:
    """The passages of all documents, one after the other, and the number of the first one of each document."""
    cut = [passages(document, words) for document in documents]
    return [passage for each in cut for passage in each], np.cumsum([0, *(len(each) for each in cut[:-1])])


def rank(answer: Answer, right: str) -> int | None:
    """The place of the right document among those that were found: how many score as high as it. None: it is not among them."""
    scores = {each["text"]: each["score"] for each in answer["answers"]}
    return sum(score >= scores[right] for score in scores.values()) if right in scores else None


__all__ = ["KEPT", "PASSAGE", "Asked", "Documents", "Scores", "all_passages", "passages", "rank"]
