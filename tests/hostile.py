"""Files damaged at random, thousands of them: each is refused by name, or read; nothing else happens.

A good file is changed by flipped bits, cuts, pieces that are left out, doubled or exchanged, and by giving a field another
value: a number in a binary file, a value anywhere in JSON. Whatever comes of it is read. Right answers are the value of the good
file (the damage hit nothing that is read), another value that such a file may have, or the reader's own error with the file's
name in it; not another exception or warning, not more than `SECONDS`, not more memory than `MEMORY` bytes.

The kinds of files are in `tests/hostile_files.py`; ``python -m tests.hostile_files`` tries them all, and prints how many there were.
"""

import copy
import json
import random
import struct
import time
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.anew import anew

SECONDS = 1.0  # of the processor
MEMORY = 4 << 20
NUMBERS = [0, 1, 2, 3, 7, 8, 31, 32, 33, 255, 256, 1 << 15, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 40,
           (1 << 62), (1 << 63) - 1, 1 << 63, (1 << 64) - 32, (1 << 64) - 1]  # fmt: skip
VALUES = [
    None, True, False, 0, 1, -1, 2, 3, 1 << 20, 1 << 31, 1 << 53, 10**17, 10**30, 10**400, 0.5, -0.0, 1e300, 1e-300, "", "a", "5",
    "[UNK]", "\0", "é" * 300, "\ud800", "__class__", [], [[]], [0], [-1], [1, 2, 3], ["a"], [None], {}, {"a": 1}, {"": {}},
    [[[[[[[[]]]]]]]], list(range(100)), [10**12, 10**12], "x" * 10_000,
]  # fmt: skip
RAW = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1e999",
    "9" * 5000,
    "[" * 5000,
    '{"a":1,"a":2}',
    "",
    "'a'",
    "01",
    "0x1",
    "\x00",
    '"\\ud800"',
]
"""What stands in a file in place of a value, though JSON does not have all of it."""


class Form(NamedTuple):
    """A kind of file.

    Attributes:
        good: a whole file.
        read: reads it from a path; the answer is compared.
        error: the error that the reader may raise.
        fields: numbers in it that may be given other values: place, and `struct`'s letter.
        document: the JSON in it, and how a text is put in its place.
        name: what the file is called.
        around: files that must lie beside it.
    """

    good: bytes
    read: Callable[[Path], Any]
    error: type[Exception] | tuple[type[Exception], ...]
    fields: list[tuple[int, str]] = []
    document: tuple[Any, Callable[[bytes], bytes]] | None = None
    name: str = "x"
    around: dict[str, bytes] = {}


# -- damages ------------------------------------------------------------------------------------------------------------


def bits(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 8])):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def piece(content: bytes, rng: random.Random) -> bytes:
    """A piece is left out, doubled, overwritten, or exchanged with another one; or the file ends."""
    start, other = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    end = min(start + rng.choice([1, 2, 4, 8, 8, 30, 200]), len(content))
    part = content[start:end]
    filler = rng.choice([bytes(len(part)), b"\xff" * len(part), rng.randbytes(len(part))])
    return rng.choice([
        content[:start], content[:start] + content[end:], content[:end] + part + content[end:],
        content[:start] + filler + content[end:], content[:start] + filler + content[start:],
        content[:start] + content[other : other + len(part)] + content[end:], content + filler,
    ])  # fmt: skip


def number(content: bytes, rng: random.Random, fields: list[tuple[int, str]]) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        at, form = rng.choice(fields)
        size = struct.calcsize(form)
        before = int.from_bytes(content[at : at + size], "little")
        value = rng.choice(
            [
                *NUMBERS,
                before + 1,
                before - 1,
                before * 2,
                before // 2,
                before + 32,
                before - 32,
                rng.getrandbits(8 * size),
            ]
        )
        changed[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, "little")
    return bytes(changed)


def places(document: Any) -> list[tuple[Any, Any]]:
    """All (list or object, index or name) in a document."""
    found = []
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, (dict, list)):
            keys = list(value) if isinstance(value, dict) else range(len(value))
            found += [(value, key) for key in keys]
            waiting += [value[key] for key in keys]
    return found


def json_value(document: Any, rng: random.Random) -> bytes:
    """One to three values, anywhere in the document, are replaced, removed, renamed, doubled, or exchanged."""
    document, raw = copy.deepcopy(document), None
    for _ in range(rng.choice([1, 1, 2, 3])):
        found = places(document)
        if not found:
            break
        # Of a vocabulary of thousands of entries the other fields would never be met.
        outer = [pair for pair in found if isinstance(pair[0], dict)][:60]
        holder, key = rng.choice(outer if outer and rng.random() < 0.7 else found)
        value, (elsewhere, there) = holder[key], rng.choice(found)
        what = rng.randrange(8)
        if what == 0 and isinstance(holder, dict):
            del holder[key]
        elif what == 1 and isinstance(holder, dict):
            holder[rng.choice(["", "a", key + " ", key.upper(), str(there)])] = holder.pop(key)
        elif what == 2:
            holder[key] = copy.deepcopy(elsewhere[there]) if rng.random() < 0.5 else [value]
        elif what == 3 and type(value) is int:
            holder[key] = rng.choice([value + 1, value - 1, -value, value * 2, value + 0.5, float(value), str(value)])
        elif what == 4 and raw is None:
            holder[key], raw = "RAW", rng.choice(RAW)
        else:
            holder[key] = copy.deepcopy(rng.choice(VALUES))
    text = json.dumps(document, ensure_ascii=rng.random() < 0.5)
    return (text if raw is None else text.replace('"RAW"', raw, 1)).encode("utf-8", "surrogatepass")


def damaged(form: Form, seed: int) -> bytes:
    """The good file after the damage of this number."""
    rng = random.Random(seed)
    ways: list[Callable[[bytes], bytes]] = [lambda c: bits(c, rng), lambda c: piece(c, rng)]
    if form.fields:
        ways += [lambda c: number(c, rng, form.fields)] * 2
    if form.document:
        document, put = form.document
        ways += [lambda c: put(json_value(document, rng))] * 3
    content = rng.choice(ways)(form.good)
    while rng.random() < 0.1 and content:
        content = rng.choice(ways[:2])(content)
    return content


# -- answers ------------------------------------------------------------------------------------------------------------


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return type(a) is type(b) and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))


def outcome(form: Form, content: bytes, folder: Path, wanted: Any) -> str:
    """ "the same", "another value", "refused", or what must not be, which begins with FAULT."""
    path = folder / form.name
    anew(path).write_bytes(content)
    begun = time.process_time()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        value = form.read(path)
    except form.error as error:
        named = str(path.parent if form.around else path) in str(error)
        answer = "refused" if named else f"FAULT: the error does not name the file: {error}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        answer = f"FAULT: {type(error).__name__}: {error}"[:300]
    else:
        answer = "the same" if same(value, wanted) else "another value"
    peak = tracemalloc.get_traced_memory()[1] - before
    if (seconds := time.process_time() - begun) > SECONDS:
        return f"FAULT: {seconds:.1f} s"
    if peak > MEMORY + 40 * len(form.good):
        return f"FAULT: {peak:,} bytes of memory"
    return answer


def tried(form: Form, seeds: range, folder: Path) -> Counter[str]:
    """How often each answer came, for damages of these numbers; a fault is listed with its number."""
    for name, content in {form.name: form.good, **form.around}.items():
        anew(folder / name).write_bytes(content)
    counts: Counter[str] = Counter()
    running = tracemalloc.is_tracing()
    if not running:
        tracemalloc.start(1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            wanted = form.read(folder / form.name)
            for seed in seeds:
                answer = outcome(form, damaged(form, seed), folder, wanted)
                counts[f"{answer} (damage {seed})" if answer.startswith("FAULT") else answer] += 1
    finally:
        if not running:
            tracemalloc.stop()
    return counts
