"""Notes from a child that an answer wrote among, cut off or forged: never an error of ours, never a value that was not checked."""

import json
import random

import numpy as np
import pytest

from minilm.exercises import child
from minilm.exercises.notes import Reader
from minilm.exercises.perform import Ran, Trouble
from minilm.exercises.process import Process

JOB = {"budgets": [1.0, 1.0, 1.0], "waiting": 1.0}


class Told(Process):
    """A process that has written these bytes, and ended."""

    def __init__(self, content, size=50):
        self.parts = [content[i : i + size] for i in range(0, len(content), size)]

    def chunk(self, seconds):
        return self.parts.pop(0) if self.parts else b""


def lines():
    rans = [Ran(np.ones(2), seconds=0.5, printed="a"), Ran(trouble=Trouble("ValueError", "b", (1, "c"), "f"))]
    notes = [["begin"]]
    for i, ran in enumerate(rans):
        notes += [["at", i], ["ran", i, child.note_of(ran)]]
    notes += [["again", 0], ["ran again", 0, child.note_of(rans[0])], ["end"]]
    return [json.dumps(note).encode() + b"\n" for note in notes]


def read(content):
    return Reader(Told(content), JOB, 0).read()


def test_whole_notes():
    ended = read(b"".join(lines()))
    assert ended.whole
    assert ended.trouble is None
    first, second = ended.rans
    assert first.value.tolist() == first.again.tolist() == [1, 1]
    assert (first.seconds, first.printed) == (0.5, "a")
    assert second.trouble == Trouble("ValueError", "b", (1, "c"), "f")


def test_notes_that_are_cut_off_are_what_they_are_so_far():
    content = b"".join(lines())
    for end in range(len(content) - 1):
        ended = read(content[:end])
        assert not ended.whole
        assert ended.trouble is None


@pytest.mark.parametrize("forged", [
    b"hello\n", b"[]\n", b"{}\n", b"[1]\n", b'["end"]\n', b'["ran", 1, {}]\n', b'["ran", 0, {}]\n', b'["at", 7]\n', b'["at", true]\n',
    b'["at", -2]\n', b'["trouble", {}]\n', b'["trouble", {"kind": 1, "message": "", "line": null, "where": ""}]\n',
    b'["trouble", {"kind": "", "message": "", "line": [1], "where": ""}]\n', b'["broken", 1]\n', b'["ran again", 0, {}]\n', b"\xff\n",
    b"[" * 5000 + b"\n", b'["at", NaN]\n', b'["at", 1e999]\n', b'["begin", 1]\n', b"9" * 5000 + b"\n",
])  # fmt: skip
def test_what_is_forged_is_trouble(forged):
    ended = read(b"".join(lines()[:1]) + forged)
    assert ended.trouble.kind == "stream"
    assert not ended.whole


def test_a_result_of_a_call_that_did_not_begin():
    whole = lines()
    ended = read(whole[0] + whole[2])
    assert (ended.trouble.kind, ended.rans) == ("stream", [])


@pytest.mark.parametrize("rounds", [200, pytest.param(20_000, marks=pytest.mark.slow)])
def test_damaged_notes(rounds):
    rng, whole = random.Random(1), b"".join(lines())
    for _ in range(rounds):
        content = bytearray(whole)
        for _ in range(rng.choice([1, 1, 2, 20])):
            i = rng.randrange(len(content))
            content[i : i + rng.choice([0, 1, 1, 5])] = rng.choice(
                [b"", b'"', b"[", b"}", b"\n", b"0", b"-", bytes([rng.randrange(256)])]
            )
        ended = read(bytes(content))
        assert isinstance(ended.trouble, Trouble | None)
        assert all(isinstance(ran, Ran) and isinstance(ran.printed, str) for ran in ended.rans)
