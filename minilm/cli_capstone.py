"""The command line for the capstone: ``minilm capstone``."""

from __future__ import annotations

import argparse
from typing import Any

from minilm import options as kinds
from minilm.terminal import say


def add_parser(commands: Any) -> None:
    """Adds the command."""
    p = commands.add_parser(
        "capstone",
        help="from raw text to a model that answers, in one go",
        description="From the raw text that every Python carries to a model that answers: the pipeline, a tokenizer, pretraining, "
        "evaluation beside an n-gram, fine-tuning on questions and answers, and what the model writes, in one folder with a report "
        "(chapter 10 of the book). Stopped, in any way, it goes on where it was.",
    )
    p.set_defaults(command=run_capstone)
    p.add_argument(
        "--out",
        type=kinds.path,
        metavar="FOLDER",
        help="where it is made (default: runs/capstone-1, -2, ...)",
    )
    p.add_argument(
        "--resume",
        type=kinds.path,
        metavar="FOLDER",
        help="go on with one: its folder, or that of one of its trainings",
    )
    p.add_argument(
        "--quick", action="store_true", help="the chapter's size: one minute of processor time instead of two"
    )
    kinds.add_device(p)
    p.add_argument("--quiet", action="store_true", help="no progress bars")


def run_capstone(options: argparse.Namespace) -> int:
    """``minilm capstone``"""
    from minilm.capstone import Capstone, Stopped
    from minilm.capstone.corpus import left_out
    from minilm.capstone.report import results_text, steps_of, write_report

    device = kinds.device_named(options.device)
    how: dict[str, Any] = {"device": device, "say": say, "progress": not options.quiet}
    if options.resume:
        if options.out or options.quick:
            raise ValueError(
                "--resume goes on in the capstone's own folder, with its own size; it takes neither --out nor --quick."
            )
        with kinds.named("--resume"):
            capstone = Capstone.resume(options.resume, **how)
    else:
        with kinds.named("--out"):
            folder = options.out or kinds.free_folder("capstone")
            capstone = Capstone(folder, "quick" if options.quick else "full", **how)
    try:
        say(f"folder {kinds.typed(capstone.folder)}; raw text and corpus")
        for name, count in steps_of(left_out(capstone.corpus.packed)):
            say(f"  {count:>7} {name}")
        say(f"\nbits per character of {len(capstone.corpus.test_texts)} documents that neither has read:")
        say(results_text(capstone.evaluation))
        say(f"\nbits per character of {len(capstone.lessons.exam)} answers that none has read:")
        say(results_text(capstone.answers))
        say(f"\nall of it: {kinds.typed(write_report(capstone))}")
    except Stopped as stopped:
        say(f"{stopped} Go on with:\n  minilm capstone --resume {kinds.typed(capstone.folder)}")
        return 130
    return 0


__all__ = ["add_parser", "run_capstone"]
