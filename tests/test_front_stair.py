"""The way of ``y = (x @ w).sigmoid(); y.backward(g)``, taken for the first time in a process: which files a reader must open."""

import subprocess
import sys

PROGRAM = """
import sys, numpy as np, minilm as ml

x = ml.tensor(np.ones((2, 3), "f"))
w = ml.tensor(np.ones((3, 2), "f"), requires_grad=True)
g = ml.tensor(np.ones((2, 2), "f"))
calls = []


def note(frame, event, _):
    name = frame.f_globals.get("__name__", "")
    if event == "call" and name.startswith("minilm"):
        calls.append(name)


sys.setprofile(note)
y = (x @ w).sigmoid()
forward = len(calls)
y.backward(g)
sys.setprofile(None)
print(forward, len(calls) - forward, *sorted(set(calls)))
"""
FILES = [
    "minilm.backend.cpu",
    "minilm.graph",
    "minilm.ops.activation",
    "minilm.ops.linalg",
    "minilm.ops.op",
    "minilm.tensor",
]


def test_six_files_and_few_calls():
    """All of a call's frames count, those of comprehensions before Python 3.12 too. They were 65 and 105 in eleven files."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    forward, backward, *files = done.stdout.split()
    assert files == FILES
    assert int(forward) <= 30
    assert int(backward) <= 45
