"""Questions whose answers stand in WordNet's definitions.

WordNet's editors noted how words hang together: a toe is a kind of digit, and part of a foot. Where the other word stands in the
definition, "one of the digits of the foot", it is the answer to a question: What is a toe part of? Only definitions are taken of which two
different things can be asked, so that nobody finds the answer without having read the question.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from minilm.applications.application import Split
from minilm.applications.records import text_of
from minilm.data import gloss_relations, three_parts, without_copies

FORMS = {
    "kind": (
        "What is {}?",
        "What kind of thing is {}?",
        "{} is an example of what?",
        "How would you classify {}?",
    ),
    "whole": (
        "What is {} part of?",
        "Of what is {} a part?",
        "Which whole does {} belong to?",
        "In what larger thing is {} contained?",
    ),
    "group": (
        "What is {} a member of?",
        "Which group counts {} as a member?",
        "Among what is {} counted?",
        "What collection includes {}?",
    ),
    "field": (
        "In which field is {} used?",
        "To which subject does the word {} belong?",
        "{} is a term of what?",
        "Which discipline speaks of {}?",
    ),
    "part": (
        "What is a part of {}?",
        "What does {} have as a part?",
        "Which part does {} have?",
        "What component is found in {}?",
    ),
    "member": (
        "What is a member of {}?",
        "Who or what belongs to {}?",
        "Which members does {} have?",
        "What is included in {}?",
    ),
    "substance": (
        "What is {} made of?",
        "Which substance does {} contain?",
        "From what is {} made?",
        "What material is in {}?",
    ),
    "product": (
        "What is made of {}?",
        "What contains {} as a substance?",
        "{} is the substance of what?",
        "For what does {} serve as material?",
    ),
}
"""How things are asked for. The last form of each is never learned from: it is asked in a quarter of the test part."""
NEW = 3  # the number of that form
KINDS = {
    "is-a": "kind",
    "instance-of": "kind",
    "part-of": "whole",
    "member-of": "group",
    "topic-of": "field",
    "has-part": "part",
    "has-member": "member",
    "has-substance": "substance",
    "substance-of": "product",
}


@dataclass(frozen=True)
class Reading:
    """A question on a text.

    Attributes:
        question, context: the question, and the text in which the answer stands.
        answers: all that are right, as they stand in the text.
        start: where the first of them begins.
        kind: what is asked for, a name of `FORMS`, and `form`, which of its forms; "" and -1: another question.
    """

    question: str
    context: str
    answers: tuple[str, ...]
    start: int
    kind: str = ""
    form: int = -1


def published_readings() -> Split[Reading]:
    """The questions on WordNet's definitions, in three parts.

    Raises:
        DataError: WordNet cannot be had.
    """
    entries: dict[tuple[str, str], dict[str, dict[int, str]]] = {}
    for each in gloss_relations():
        if each.relation in KINDS:
            asked = entries.setdefault((each.head, each.sentence), {}).setdefault(KINDS[each.relation], {})
            asked[each.tail_start] = each.tail
    several = [
        (head, text, asked) for (head, text), asked in entries.items() if len({min(a) for a in asked.values()}) > 1
    ]
    found = without_copies(several, key=lambda entry: entry[1])
    parts = three_parts(len(found.kept), groups=[head.lower() for head, *_ in found.kept])
    train, validation, test = (
        [reading for i in part for reading in _readings(found.kept[i], forms)]
        for part, forms in zip(parts, (NEW, NEW, NEW + 1), strict=True)
    )
    about = (
        f"{found.removed} definitions went that repeat another one; all questions on the meanings of a word are in one part. "
        "A quarter of the test part is asked in words that no question of the other parts is asked in."
    )
    return Split(train, validation, test, about)


def _readings(entry: tuple[str, str, Mapping[str, Mapping[int, str]]], forms: int) -> list[Reading]:
    """The questions on a definition, each in one of the first forms; which, follows from the words alone."""
    head, definition, asked = entry
    found = []
    for kind, tails in asked.items():
        form = crc32(f"{head}: {definition} {kind}".encode()) % forms
        answers = tuple(tails[start] for start in sorted(tails))
        found.append(Reading(FORMS[kind][form].format(head), definition, answers, min(tails), kind, form))
    return found


def reading_of(fields: dict[str, Any]) -> Reading:
    """An example of a user's file.

    Raises:
        ValueError: what is missing, or wrong with it.
    """
    question, context = text_of(fields, "question"), text_of(fields, "context")
    answers = fields.get("answers", [fields.get("answer")])
    if not isinstance(answers, list) or not answers or not all(isinstance(x, str) and x.strip() for x in answers):
        raise ValueError('the object should hold the right "answer", a text, or several in a list "answers".')
    for each in answers:
        if each not in context:
            raise ValueError(f"the answer {each!r:.60} does not stand in the context: expected its very words.")
    return Reading(question, context, tuple(answers), context.index(answers[0]))


__all__ = ["FORMS", "KINDS", "NEW", "Reading", "published_readings", "reading_of"]
