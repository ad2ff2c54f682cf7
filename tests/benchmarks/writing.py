"""How fast a published model writes: ``python -m tests.benchmarks.writing``.

SmolLM2-135M-Instruct (or the GGUF file given with --model), each side in a fresh process, in turns, so that whatever slows the machine
down slows all of them; of each side the best of all rounds counts, and ratios are to the best PyTorch side. Sides:

    float32, float16, int8, blocks    minilm, by how it keeps the weights (`minilm.models.storage`)
    transformers                      LlamaForCausalLM in float32 with its cache, from a safetensors file
    torch                             the same in plain PyTorch, as fast as we could write it (`torch_llama.py`)

Measured: seconds from the start of the process to the first token after a prompt of 5 tokens (import and loading included); tokens per
second of 64 more, greedily; seconds to read a prompt of 500 tokens; beside each, the processor's time, which on one thread is what a
machine without other work would take; the peak of the process's memory, and what is held at the end. A ratio is PyTorch's time over ours.
All sides must write the same first tokens as float32 does (int8 is told apart, since its weights are others).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

OURS = ("float32", "float16", "int8", "blocks")
THEIRS = ("transformers", "torch")
PROMPT = (504, 3575, 282, 4649, 314)  # "The capital of France is"
COLUMNS = ("threads", "side", "first token s", "CPU s", "tokens/s", "ratio", "CPU ms", "ratio", "prompt s", "ratio", "CPU s", "ratio",
           "peak MB", "held MB")  # fmt: skip
SMALLER_IS_BETTER = ("first", "first_cpu", "step_cpu", "prompt", "prompt_cpu")


def measure(load: Callable[[], tuple[Any, Any]], started: float, tokens: int, length: int) -> dict[str, Any]:
    """What one side needs, in this process.

    Args:
        load: gives two functions: one that writes n tokens after a prompt and calls back at each, and one that reads a prompt.
        started: when the process was started, by `time.time`.
    """
    write, read = load()
    stamps: list[tuple[float, float]] = []
    ids = write(list(PROMPT), tokens + 1, lambda: stamps.append((time.time(), time.process_time())))
    steps, cpu = ([b[i] - a[i] for a, b in itertools.pairwise(stamps[1:])] for i in range(2))
    long = [1000 + 37 * i % 40000 for i in range(length)]
    spent = []
    for _ in range(3):
        before = time.perf_counter(), time.process_time()
        read(long)
        spent.append((time.perf_counter() - before[0], time.process_time() - before[1]))
    return {
        "first": stamps[0][0] - started,
        "first_cpu": stamps[0][1],
        "rate": 1 / median(steps),
        "step_cpu": median(cpu),
        "prompt": min(wall for wall, _ in spent),
        "prompt_cpu": min(busy for _, busy in spent),
        "ids": ids[:8],
        **memory(),
    }


def memory() -> dict[str, float]:
    """The peak of this process's memory, and what it holds now, in MB; where the system does not say, the peak alone."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines() if ":" in line)
        return {"peak": int(lines["VmHWM"].split()[0]) / 1024, "held": int(lines["VmRSS"].split()[0]) / 1024}
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return {"peak": peak, "held": float("nan")}


def load_ours(path: str, storage: str, threads: int) -> tuple[Any, Any]:
    """minilm, from the GGUF file."""
    import minilm as ml
    from minilm.formats.gguf import GGUF
    from minilm.pretrained.llama import from_gguf

    ml.set_num_threads(threads)
    with GGUF(path) as file:
        model = from_gguf(file, storage)

    def write(prompt: list[int], count: int, told: Callable[[], None]) -> list[int]:
        return model.generate([prompt], count, temperature=0, on_token=lambda _i, _id: told())[0]

    def read(prompt: list[int]) -> None:
        with ml.no_grad():
            model.next_logits([prompt], None)[0].numpy()

    return write, read


def load_theirs(folder: str, side: str, threads: int) -> tuple[Any, Any]:
    """PyTorch, from the folder with config.json and model.safetensors."""
    import torch

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    if side == "torch":
        from tests.benchmarks.torch_llama import TorchLlama

        model = TorchLlama.open(Path(folder))
        return model.write, model.read
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").eval()

    def write(prompt: list[int], count: int, told: Callable[[], None]) -> list[int]:
        ids, cache, written = torch.tensor([prompt]), None, []
        for _ in range(count):
            out = model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache, ids = out.past_key_values, out.logits[:, -1].argmax(-1, keepdim=True)
            written.append(int(ids))
            told()
        return written

    def read(prompt: list[int]) -> None:
        model(torch.tensor([prompt]), use_cache=True, logits_to_keep=1)

    return write, read


def in_a_process(side: str, threads: int, options: argparse.Namespace, folder: str) -> dict[str, Any]:
    """What `measure` says in a fresh process."""
    command = [sys.executable, "-m", "tests.benchmarks.writing", "--side", side, "--threads", str(threads), "--model", options.model,
               "--folder", folder, "--tokens", str(options.tokens), "--length", str(options.length),
               "--started", repr(time.time())]  # fmt: skip
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(threads)), "TRANSFORMERS_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def best(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Of several runs of one side: the best of each measure."""
    return {
        **{name: min(run[name] for run in runs) for name in SMALLER_IS_BETTER},
        "rate": max(run["rate"] for run in runs),
        "peak": max(run["peak"] for run in runs),
        "held": max(run["held"] for run in runs),
        "ids": runs[0]["ids"],
    }


def write_folder(path: str, folder: str) -> None:
    """The GGUF file's weights in the form that PyTorch's sides read: float32, in safetensors."""
    from minilm.formats import safetensors
    from minilm.formats.gguf import GGUF
    from minilm.pretrained.llama import from_gguf, to_huggingface

    with GGUF(path) as file:
        config, arrays = to_huggingface(from_gguf(file))
    safetensors.write(Path(folder) / "model.safetensors", arrays, metadata={"format": "pt"})
    (Path(folder) / "config.json").write_text(json.dumps(config), encoding="utf-8")


def rows(results: dict[tuple[int, str], list[dict[str, Any]]]) -> list[tuple[str, ...]]:
    """The table: a row for each number of threads and side; ratios are to the faster PyTorch side."""
    found = {key: best(runs) for key, runs in results.items()}
    table = [COLUMNS]
    for (threads, side), one in found.items():
        peers = [found[threads, peer] for peer in THEIRS if (threads, peer) in found] if side in OURS else []
        ratio = {
            name: f"{min(peer[name] for peer in peers) / one[name]:.2f}" if peers else ""
            for name in ("step_cpu", "prompt", "prompt_cpu")
        }
        rate = f"{one['rate'] / max(peer['rate'] for peer in peers):.2f}" if peers else ""
        table.append((str(threads), side, f"{one['first']:.2f}", f"{one['first_cpu']:.2f}", f"{one['rate']:.1f}", rate,
                      f"{1000 * one['step_cpu']:.1f}", ratio["step_cpu"], f"{one['prompt']:.2f}", ratio["prompt"],
                      f"{one['prompt_cpu']:.2f}", ratio["prompt_cpu"], f"{one['peak']:.0f}", f"{one['held']:.0f}"))  # fmt: skip
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast a published model writes.")
    parser.add_argument("--model", default="", help="a GGUF file; default: SmolLM2-135M-Instruct of the table")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--sides", nargs="+", default=[*OURS, *THEIRS], choices=[*OURS, *THEIRS])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--length", type=int, default=500, help="of the long prompt, in tokens")
    for hidden in ("--side", "--folder", "--started"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        threads = options.threads[0]
        load = (
            (lambda: load_ours(options.model, options.side, threads))
            if options.side in OURS
            else (lambda: load_theirs(options.folder, options.side, threads))
        )
        print(json.dumps(measure(load, float(options.started), options.tokens, options.length)))
        return
    if not options.model:
        from minilm.pretrained import table

        options.model = str(table.get("smollm2-135m-instruct"))
    results: dict[tuple[int, str], list[dict[str, Any]]] = {
        (threads, side): [] for threads in options.threads for side in options.sides
    }
    with tempfile.TemporaryDirectory() as folder:
        if set(options.sides) & set(THEIRS):
            write_folder(options.model, folder)
        for turn in range(options.rounds):
            for threads, side in results:
                results[threads, side].append(in_a_process(side, threads, options, folder))
                found = " ".join(rows({(threads, side): results[threads, side][-1:]})[1])
                print(f"round {turn + 1} of {options.rounds}: {found}", file=sys.stderr)
    expected = next(iter(results.values()))[0]["ids"]
    for (threads, side), runs in results.items():
        if any(run["ids"] != expected for run in runs):
            print(f"{side} on {threads} threads wrote {runs[0]['ids']}, {options.sides[0]} {expected}")
    table = rows(results)
    widths = [max(len(row[i]) for row in table) for i in range(len(COLUMNS))]
    for row in table:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


if __name__ == "__main__":
    main()
