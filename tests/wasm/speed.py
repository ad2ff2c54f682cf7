"""How long the engine takes in a page, as a multiple of what it takes here on one thread: ``python -m tests.wasm.speed``.

The smallest of some repetitions, on both sides with the same code: products of square float32 matrices, a pass over an array, and a
training step of a small GPT (2 layers, 64 wide, 64 tokens, batch 8).
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import minilm as ml
from minilm import models, optim

SIZES = (64, 256, 1024)


def seconds(work: Callable[[], object], repeated: int) -> float:
    """The shortest time of several."""
    found = []
    for _ in range(repeated):
        begin = time.perf_counter()
        work()
        found.append(time.perf_counter() - begin)
    return min(found)


def step_of_gpt() -> Callable[[], None]:
    """One training step."""
    rng = np.random.default_rng(0)
    ml.manual_seed(0)
    model = models.GPT(models.GPTConfig(vocab_size=96, block_size=64, n_layer=2, n_head=4, n_embd=64))
    optimizer = optim.AdamW(model.parameters(), lr=1e-3)
    ids = rng.integers(0, 96, (8, 65))

    def step() -> None:
        optimizer.zero_grad()
        loss = ml.nn.functional.cross_entropy(model(ids[:, :-1]).reshape(-1, 96), ml.tensor(ids[:, 1:].reshape(-1)))
        loss.backward()
        optimizer.step()

    return step


def measured() -> dict[str, float]:
    """Seconds, by what was done."""
    ml.set_num_threads(1)
    rng, found = np.random.default_rng(0), {}
    for n in SIZES:
        x, y = (rng.random((n, n), np.float32) for _ in range(2))
        a, b = ml.tensor(x), ml.tensor(y)
        found[f"product of {n} x {n} matrices"] = seconds(lambda a=a, b=b: a @ b, 3 if n > 512 else 20)
        found[f"NumPy's own, {n} x {n}"] = seconds(lambda x=x, y=y: x @ y, 2 if n > 512 else 10)
    x = ml.tensor(rng.random(1 << 20, np.float32))
    found["gelu of a million numbers"] = seconds(lambda: ml.nn.functional.gelu(x), 5)
    found["training step of a small GPT"] = seconds(step_of_gpt(), 6)
    return found


def main() -> int:
    """Measures there and here, and prints the ratios."""
    from tests.wasm.__main__ import SCRIPT, missing, run

    if reason := missing():
        print(f"not run: {reason}.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        done = run(SCRIPT, ["/minilm/tests/wasm/speed.py", "/out/seconds.json"], mounts={"/out": Path(folder)})
        if done.returncode:
            return done.returncode
        there = json.loads(Path(folder, "seconds.json").read_text(encoding="utf-8"))
    here = measured()
    for name, took in here.items():
        print(
            f"{name:32} here {1e3 * took:9.2f} ms   in a page {1e3 * there[name]:9.2f} ms   {there[name] / took:6.1f} times"
        )
    return 0


if __name__ == "__main__":
    if sys.platform == "emscripten":
        Path(sys.argv[1]).write_text(json.dumps(measured()), encoding="utf-8")
    else:
        sys.exit(main())
