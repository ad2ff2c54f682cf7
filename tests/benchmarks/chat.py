"""A chat of ten turns with a published model: ``python -m tests.benchmarks.chat [FILE]``.

Each way to keep the weights gets a fresh process, with all cores. It talks with SmolLM2-135M-Instruct with the settings and the seed
that `minilm chat --seed 0` has, and prints

- seconds from the start of the process to the first token, and the processor's: import, loading, and reading the first turn;
- tokens per second after each answer's first, and the processor's milliseconds per token, the reading of the turns
  included, which other programs change less;
- seconds to the first token of the last turn with the kept cache, and with a fresh one, that reads the whole conversation again;
- the peak of the process's memory.

The conversations go into FILE. Where other programs run, compare rows with each other, not with another day's.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from typing import Any

STORAGES = ("float32", "float16", "int8", "blocks")
TURNS = ("Hi! Who are you?", "What is the capital of France?", "And what is it famous for?",
         "Explain in one sentence what a neural network is.", "Write two lines about the sea.", "Now two lines about the mountains.",
         "Give me a name for a black cat.", "Why that name?", "Is 17 a prime number?", "Thank you! Say goodbye in French.")  # fmt: skip


def measure(storage: str, started: float) -> dict[str, Any]:
    """The chat, in this process, which was started at that time."""
    from minilm.chat import Conversation, template_for
    from minilm.chat.memory import process_memory
    from minilm.models.generation import Sampler
    from minilm.training.opening import open_language_model

    opened = open_language_model("smollm2-135m-instruct", storage=storage)
    sampler = Sampler(0.2, top_p=0.9, repetition_penalty=1.1)
    talk = Conversation(
        opened.model, template_for(opened.tokenizer, opened.chat_template), sampler=sampler, seed=0, max_tokens=512
    )
    first, cpu, stamps, rows = None, 0.0, [0.0, 0], []
    for turn in TURNS:
        for _ in talk.ask(turn):
            if first is None:
                first, cpu, before = time.time() - started, time.process_time(), 0
        last = talk.last
        stamps = [stamps[0] + last.seconds, stamps[1] + last.tokens - 1]
        rows.append(
            {
                "turn": turn,
                "answer": last.text,
                "tokens": last.tokens,
                "per second": last.per_second,
                "first": last.first,
            }
        )
    spent, tokens = time.process_time() - cpu, sum(row["tokens"] for row in rows) - before - 1
    peak, kept = process_memory().peak, talk.last.first
    talk.reading.forget()
    next(iter(talk.retry()))
    return {"storage": storage, "start": first, "start cpu": cpu, "per second": stamps[1] / stamps[0], "cpu": spent / tokens, "kept": kept,
            "fresh": talk.last.first, "peak": peak, "turns": rows}  # fmt: skip


def main(file: str | None = None) -> None:
    print(
        "storage   start to first token, processor  tokens/s  CPU ms/token  last turn's first token, kept / fresh  peak memory"
    )
    with open(file, "w", encoding="utf-8") if file else contextlib.nullcontext() as out:
        for storage in STORAGES:
            command = [sys.executable, "-m", "tests.benchmarks.chat", "--side", storage, repr(time.time())]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            line = (
                f"{storage:<9} {found['start']:18.2f} s / {found['start cpu']:6.2f} s  {found['per second']:8.1f}  "
                f"{1e3 * found['cpu']:12.0f}  {found['kept']:27.2f} s / {found['fresh']:.2f} s  {found['peak'] / 1e6:8.0f} MB"
            )
            print(line, flush=True)
            if out:
                turns = [
                    f"> {row['turn']}\n{row['answer']}\n[{row['tokens']} tokens, {row['per second'] or 0:.1f} tokens/s, the first after "
                    f"{row['first']:.2f} s]\n"
                    for row in found["turns"]
                ]
                print(line, *turns, sep="\n", file=out, flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        print(json.dumps(measure(sys.argv[2], float(sys.argv[3]))))
    else:
        main(*sys.argv[1:])
