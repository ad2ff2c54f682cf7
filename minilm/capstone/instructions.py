"""Questions and answers to fine-tune on: a function's name and parameters, and the first sentence of its documentation.

    urllib.parse.quote(string, safe, encoding, errors)
    Replace special characters in string using the %xx escape.

They are made of what the pretraining has not read: most docstrings are shorter than the 200 characters that the pipeline asks for, and
those that it holds out are left out of the training text, too. An answer that stands anywhere in that text makes no pair.

The exam is on other files than the lessons, and no answer of it is one of theirs: the names of a class and its subclass, in one file, tell
much of each other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minilm.capstone.surprise import Part
from minilm.data import fold_text
from minilm.data.corpus import digest, held_out
from minilm.data.sets.python_text import Documented
from minilm.types import HostArray

LONGEST = 120  # characters of an answer
EXAM, VALIDATION = 0.2, 0.1  # of the files


class Pair(NamedTuple):
    """A function and what it does.

    Attributes:
        question: "json.decoder.JSONDecoder.decode(s)" and a line end.
        answer: the first sentence or so of its documentation, and a line end.
        file: where it stands; pairs of a file belong together.
    """

    question: str
    answer: str
    file: str

    @property
    def part(self) -> Part:
        """The answer as what is to be foretold."""
        return Part(self.question, self.answer)


class Lessons(NamedTuple):
    """Pairs in three parts, none of which shares a file or an answer with another; and how many more there were.

    Attributes:
        train, validation, exam: to learn from, to choose by, to be read once.
        known: how many functions made no pair since their answer stands in the pretraining text.
        copies: how many made none since the answer was there before, in this part or an earlier one.
    """

    train: list[Pair]
    validation: list[Pair]
    exam: list[Pair]
    known: int
    copies: int


def lessons(functions: Iterable[Documented], read: str, seed: int = 0) -> Lessons:
    """The pairs of functions with docstrings.

    Args:
        functions: as `minilm.data.sets.python_text.documented` finds them; what is no function is passed over.
        read: the text of the pretraining.
        seed: of the draw of the files.
    """
    known, made = 0, list[Pair]()
    for each in functions:
        if (pair := _pair(each)) is None:
            continue
        if pair.answer.rstrip("\n") in read:
            known += 1
        else:
            made.append(pair)
    files = sorted({pair.file for pair in made})
    digests = np.array([digest(file) for file in files], np.uint64)
    for_exam = dict(zip(files, held_out(digests, EXAM, seed), strict=True))
    for_validation = dict(zip(files, held_out(digests, VALIDATION / (1 - EXAM), seed + 1), strict=True))
    parts: tuple[list[Pair], list[Pair], list[Pair]] = [], [], []
    for pair in made:
        parts[2 if for_exam[pair.file] else 1 if for_validation[pair.file] else 0].append(pair)
    seen: set[str] = set()
    train, validation, exam = (_different(part, seen) for part in parts)
    copies = len(made) - len(train) - len(validation) - len(exam)
    return Lessons(train, validation, exam, known, copies)


def _pair(each: Documented) -> Pair | None:
    """None: it is no function, or its docstring does not begin with a short paragraph."""
    if each.parameters is None:
        return None
    answer = " ".join(each.text.split("\n\n")[0].split())
    file, _, name = each.name.partition(":")
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    if not 0 < len(answer) <= LONGEST:
        return None
    return Pair(f"{module}.{name}({_names(each.parameters)})\n", f"{answer}\n", file)


def _names(parameters: str) -> str:
    """The names of parameters, without defaults, types, and the object of a method: "s, *args" of "self, s: str = '', *args"."""
    found = ast.parse(f"def f({parameters}): ...").body[0]
    assert isinstance(found, ast.FunctionDef)
    a = found.args
    names = [each.arg for each in (*a.posonlyargs, *a.args)]
    names += [f"*{a.vararg.arg}"] if a.vararg else []
    names += [each.arg for each in a.kwonlyargs] + ([f"**{a.kwarg.arg}"] if a.kwarg else [])
    return ", ".join(names[1:] if names[:1] in (["self"], ["cls"]) else names)


def _different(pairs: Sequence[Pair], seen: set[str]) -> list[Pair]:
    """Those whose answer is not among the ones that were seen; all their answers are seen then."""
    found = []
    for pair in pairs:
        if (key := fold_text(pair.answer)) not in seen:
            seen.add(key)
            found.append(pair)
    return found


def ids_of(pairs: Sequence[Pair], tokenizer: Any, end: int, seed: int = 0) -> HostArray:
    """Pairs as a text to train on: in a random order, the end token behind each."""
    order = np.random.default_rng(seed).permutation(len(pairs))
    rows = [[*tokenizer.encode(pairs[i].question), *tokenizer.encode(pairs[i].answer), end] for i in order]
    return np.array([id for row in rows for id in row], np.uint16)


__all__ = ["Lessons", "Pair", "ids_of", "lessons"]
