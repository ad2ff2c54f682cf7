"""Packing: documents in a row, cut into windows of one length."""

from __future__ import annotations

from typing import Any

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, fixed

END = 99


def _documents(*lengths: int, size: int) -> Inputs:
    """Documents of tokens up to 98, the end token's number being 99."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        return [[int(token) for token in rng.integers(1, END, n)] for n in lengths], size, END

    return inputs


PACK = Task(
    id="10.6",
    title="Every token is a target once",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="windows, targets, off by one",
    statement=r"""
A language model learns from windows of a fixed length, and documents have none. So all documents are laid in a row, in their order, the
token `end` behind each, also behind the last. A document without tokens leaves nothing, not even an end.

Write `pack(documents, size, end)`: the row cut into windows. A window has `size` inputs, and as many targets: the token behind each
input. No token is lost at an edge: each of the row but the very first is a target exactly once, and each but the very last an input
exactly once. The last window is shorter if it does not come out even.

Return two lists: the inputs of each window, and its targets.
""",
    stub='''
def pack(documents, size, end):
    """The inputs and the targets of each window: two lists of lists of integers.

    documents: a list of lists of tokens. end: the end token.
    """
    raise NotImplementedError
''',
    solution="""
def pack(documents, size, end):
    row = []
    for document in documents:
        if document:
            row += [*document, end]
    x, y = row[:-1], row[1:]
    starts = range(0, len(x), size)
    return [x[i : i + size] for i in starts], [y[i : i + size] for i in starts]
""",
    name="pack",
    setup="",
    hint="How many tokens of the row does a window of `size` inputs and their targets touch? Where does the next one begin?",
    derivation=r"""
Inputs are the row without its last token, targets the row without its first: two rows of one length, and target $i$ is the token behind
input $i$. Cut both at the same places, every `size`, and nothing is lost.

A window touches `size` + 1 tokens of the row, and the next one begins with the last of them: it was a target there and is an input here.
Cut the row into pieces of `size` + 1 that do not overlap, and the token behind each edge is never predicted: with `size` 1023 that is one
of 1024, with `size` 1 it is half of all.
""",
    tests=(
        Test("one document", fixed([[5, 6, 7]], 3, 0)),
        Test("one document, short windows", fixed([[1, 2, 3, 4]], 2, 9)),
        Test("two documents", fixed([[11, 12, 13], [21, 22]], 3, 0), points=2),
        Test("it does not come out even", fixed([[11, 12, 13, 14], [21, 22, 23]], 3, 0)),
        Test("documents without tokens", fixed([[], [8], [], [3, 4], []], 2, 0), hidden=True),
        Test("nothing at all", fixed([[], []], 4, 0), hidden=True),
        Test("a window longer than the row", fixed([[7, 8]], 16, 1), hidden=True),
        Test("an end token that occurs", fixed([[4, 2, 4], [2, 2]], 2, 2), hidden=True),
        Test("windows of one", fixed([[31, 32], [41]], 1, 0), hidden=True),
        Test("many documents", _documents(9, 1, 17, 4, 30, 2, size=8), hidden=True),
    ),
    wrong=(
        Wrong(
            "last-window-lost",
            "range(0, len(x), size)",
            "range(0, len(x) - size + 1, size)",
        ),
        Wrong(
            "",
            "    starts = range(0, len(x), size)\n",
            "    starts = range(0, max(len(x) - size + 1, min(1, len(x))), size)\n"
            "    rest = starts[-1] if starts else 0\n"
            "    return (\n        [x[i : len(x) if i == rest else i + size] for i in starts],\n"
            "        [y[i : len(x) if i == rest else i + size] for i in starts],\n    )\n"
            "    starts = range(0, len(x), size)\n",
            why="What does not fill a window was joined to the last full one, which is too long now.",
            look="The length of your last window.",
        ),
        Wrong(
            "",
            "[*document, end]",
            "[*document, end, end]",
            why="Two end tokens stand behind each document.",
            look="How many tokens longer than all documents the row is.",
        ),
        Wrong("end-token-missing", "[*document, end]", "document"),
        Wrong(
            "",
            "x, y = row[:-1], row[1:]",
            "row = row[:-1]\n    x, y = row[:-1], row[1:]",
            why="The last document has no end token. It is one token of the row like the others.",
            look="Where an end token stands: between documents, and behind the last one.",
        ),
        Wrong(
            "",
            "row += [*document, end]",
            "row += [end, *document]",
            why="The end token stands in front of each document. It belongs behind.",
            look="The first token of the row.",
        ),
        Wrong(
            "",
            "range(0, len(x), size)",
            "range(0, len(x), size + 1)",
            why="Windows of size + 1 tokens do not overlap here, so the first token of each is never a target, and the last one never "
            "an input.",
            look="Which token does the second window begin with?",
        ),
        Wrong(
            "",
            "range(0, len(x), size)",
            "range(0, len(x), max(1, size - 1))",
            why="The windows overlap by one input too many: a token at each edge is a target twice.",
            look="How often each token is a target.",
        ),
        Wrong(
            "",
            "range(0, len(x), size)",
            "range(0, len(row), size)",
            why="Where the inputs come out even, an empty window stands at the end: the row has one token more than there are inputs.",
            look="Five tokens in windows of two: two windows.",
        ),
        Wrong(
            "",
            "return [x[i : i + size] for i in starts], [y[i : i + size] for i in starts]",
            "return x, y",
            why="Inputs and targets are right, and were not cut into windows.",
            look="What the list of inputs holds: lists.",
        ),
        Wrong(
            "",
            "[*document, end]",
            "[*document[:size], end]",
            why="What a document has beyond `size` tokens was cut off. A document goes on in the next window.",
            look="How many tokens the row has.",
        ),
        Wrong(
            "",
            "range(0, len(x), size)",
            "range(len(x))",
            why="A window begins at every token. Each token is an input many times.",
            look="How often each token is an input: once.",
        ),
        Wrong("targets-not-shifted", "x, y = row[:-1], row[1:]", "x, y = row[:-1], row[:-1]"),
        Wrong(
            "",
            "x, y = row[:-1], row[1:]",
            "x, y = row[:-2], row[2:]",
            why="The targets are two tokens behind the inputs: they were shifted twice.",
            look="The token behind each input.",
        ),
        Wrong(
            "",
            "x, y = row[:-1], row[1:]",
            "x, y = row, row[1:] + row[:1]",
            why="The target of the last token is the first one of the row: it went around. Behind the last token there is none.",
            look="How many tokens of the row are inputs.",
        ),
        Wrong(
            "",
            "[x[i : i + size] for i in starts], [y[i : i + size] for i in starts]",
            "[(x[i : i + size], y[i : i + size]) for i in starts]",
            why="This is a list of pairs. Asked are two lists: all inputs, and all targets.",
            look="The last sentence of the statement.",
        ),
        Wrong(
            "",
            "x, y = row[:-1], row[1:]",
            "x, y = row[1:], row[:-1]",
            why="Inputs and targets changed places: the model would learn the token before.",
            look="Which of the two has the row's first token.",
        ),
        Wrong(
            "",
            "[x[i : i + size] for i in starts], [y[i : i + size] for i in starts]",
            "[row[i : i + size][:-1] for i in starts], [row[i : i + size][1:] for i in starts]",
            why="The row was cut into windows of `size` tokens, and each has one target less: what stands behind its last token is lost.",
            look="How many inputs a window has.",
        ),
        Wrong(
            "",
            "        if document:\n            row += [*document, end]\n",
            "        row += [*document, end]\n",
            why="A document without tokens left an end token.",
            look="What an empty document leaves: nothing.",
        ),
        Wrong(
            "",
            "for document in documents:",
            "for document in sorted(documents, key=len, reverse=True):",
            why="The documents were sorted by length. They stay in their order.",
            look="Which document's tokens come first.",
        ),
        Wrong(
            "",
            "    x, y = row[:-1], row[1:]\n    starts = range(0, len(x), size)\n"
            "    return [x[i : i + size] for i in starts], [y[i : i + size] for i in starts]\n",
            "    inputs, targets = [], []\n    for document in documents:\n"
            "        row = [*document, end] if document else []\n"
            "        for i in range(0, len(row) - 1, size):\n"
            "            inputs.append(row[:-1][i : i + size])\n            targets.append(row[1:][i : i + size])\n"
            "    return inputs, targets\n",
            why="Each document was cut by itself, so that most windows are short. A window goes on with the next document.",
            look="How many windows have less than `size` inputs.",
        ),
        Wrong(
            "",
            "    x, y = row[:-1], row[1:]\n",
            "    x, y = row[:-1], row[1:]\n    gap = [end] * (-len(x) % size)\n    x, y = x + gap, y + gap\n",
            why="The last window was filled up with end tokens. It is shorter.",
            look="The length of the last window.",
        ),
    ),
    after="A model sees the end of one document when it predicts the beginning of the next. Does it harm? What would a mask cost?",
)

TASKS = (PACK,)
