"""What the grader says of answers, here and in a page: the same. ``python -m tests.wasm.verdicts`` compares; ``--all`` takes minutes.

In a page the answer runs in the process that asks (`minilm.exercises.run`, "here"), here in one of its own. The answers: solutions,
known wrong ones, stubs, and answers that do harm.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from minilm.exercises import tasks
from minilm.exercises.grade import grade
from minilm.exercises.run import Answer, Way
from minilm.exercises.task import Task, with_bug

HARM = {
    "syntax": "def {name}(:\n    pass\n",
    "another name": "def other(*a, **k):\n    return 1\n",
    "no function": "{name} = 3\n",
    "raises": "def {name}(*a, **k):\n    return [][1]\n",
    "raises while it is defined": "1 / 0\n",
    "unknown name": "def {name}(*a, **k):\n    return unknwon\n",
    "nothing": "def {name}(*a, **k):\n    pass\n",
    "too few arguments": "def {name}():\n    return 1\n",
    "prints": "def {name}(*a, **k):\n    print('hello')\n    print(a[0])\n",
    "prints much": "def {name}(*a, **k):\n    while True:\n        print('x' * 100000)\n",
    "asks": "def {name}(*a, **k):\n    return input('how many? ')\n",
    "exits": "import sys\ndef {name}(*a, **k):\n    sys.exit(3)\n",
    "no module": "import scipy_or_so\ndef {name}(*a, **k):\n    return 1\n",
    "imports": "import math, random, itertools\ndef {name}(*a, **k):\n    return math.pi\n",
    "endless": "def {name}(*a, **k):\n    while True: pass\n",
    "endless while it is defined": "while True: pass\n",
    "recursion": "def {name}(*a, **k):\n    return {name}(*a, **k)\n",
    "recursion through NumPy": "def {name}(*a, **k):\n    return np.vectorize(lambda x: {name}(*a, **k), otypes=[float])(np.ones(2))\n",
    "memory": "def {name}(*a, **k):\n    return np.ones((1 << 30,) * 3)\n",
    "warns": "def {name}(*a, **k):\n    return np.log(np.zeros(3))\n",
    "writes into its input": "def {name}(x, *a, **k):\n    x[...] = 0\n    return x\n",
    "opens": "def {name}(*a, **k):\n    return open('/no/such/file').read()\n",
}
HARMED = ("4.9",)
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]?\d+)?")


def answers(whole: bool) -> Iterator[tuple[str, Task, str]]:
    """A name, the exercise and the text of each answer: all that are known, or of each kind in each chapter one exercise's."""
    seen = set()
    for task in tasks.every():
        if not task.graded or (not whole and (task.chapter, task.kind) in seen):
            continue
        seen.add((task.chapter, task.kind))
        yield f"{task.id} solution", task, task.solution
        if task.stub:
            yield f"{task.id} stub", task, task.stub
        if task.kind != "write the test":
            for i, wrong in enumerate(task.wrong if whole else task.wrong[:1]):
                yield f"{task.id} wrong {i}", task, with_bug(task.solution, wrong)
    for id in HARMED:
        task = tasks.find(id)
        for name, text in HARM.items():
            yield f"{id} {name}", task, text.format(name=task.name)


def verdicts(whole: bool) -> dict[str, str]:
    """What the grader says of each."""
    way: Way = "here" if sys.platform == "emscripten" else "fork" if hasattr(os, "fork") else "fresh"
    return {name: str(grade(task, Answer(text), seed=1, way=way)) for name, task, text in answers(whole)}


def same(a: str, b: str) -> bool:
    """Whether two messages say the same: but for last digits, the width of NumPy's integers, numbers of the system, and the limit."""
    a, b = (
        " ".join(re.sub(r"\[Errno \d+\]|int32|int64|no result after [\d.]+ s", "", text).split()) for text in (a, b)
    )
    if NUMBER.sub("#", a) != NUMBER.sub("#", b):
        return False
    pairs = zip(map(float, NUMBER.findall(a)), map(float, NUMBER.findall(b)), strict=True)
    return all(abs(x - y) <= 1e-3 * max(abs(x), abs(y), 1e-9) for x, y in pairs)


def compare(whole: bool = False) -> list[str]:
    """The answers of which something else is said in a page, with both messages."""
    from tests.wasm.__main__ import SCRIPT, run

    with tempfile.TemporaryDirectory() as folder:
        script = "/minilm/" + Path(__file__).resolve().relative_to(Path(__file__).resolve().parents[2]).as_posix()
        done = run(SCRIPT, [script, "/out/verdicts.json", *(["--all"] if whole else [])], mounts={"/out": Path(folder)})
        if done.returncode:
            return [f"Python ended with {done.returncode} in WebAssembly"]
        there = json.loads(Path(folder, "verdicts.json").read_text(encoding="utf-8"))
    here = verdicts(whole)
    print(f"{len(here)} answers, {sum(here[name] == there[name] for name in here)} of them with the same letters")
    return [
        f"== {name}\n-- here\n{here[name]}\n-- in a page\n{there[name]}"
        for name in here
        if not same(here[name], there[name])
    ]


if __name__ == "__main__":
    if sys.platform == "emscripten":
        Path(sys.argv[1]).write_text(json.dumps(verdicts("--all" in sys.argv)), encoding="utf-8")
    else:
        found = compare("--all" in sys.argv)
        print("\n\n".join(found))
        sys.exit(bool(found))
