"""The command line for a corpus: ``minilm corpus INPUT ...``."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minilm import options as kinds
from minilm.files import shown
from minilm.options import UsageError
from minilm.terminal import did_you_mean, say

if TYPE_CHECKING:
    from minilm.data.packed import PackedCorpus
    from minilm.pipeline.processes import Executor
    from minilm.pipeline.stages import Stage

SETTINGS = (
    "field", "max_bytes", "least", "threshold", "check", "held_out", "most_share", "most_runs", "vocab_size", "sample", "shard", "seed",
)  # fmt: skip
MOST = 10**18 - 1
WEIGHT = kinds.number("a number of 0 or more, below 65536", lambda x: 0 <= x < 2**16)


def add_parser(commands: Any) -> None:
    """Adds the command."""
    p = commands.add_parser(
        "corpus",
        help="raw text to a corpus: rules, copies, shuffle, tokens",
        description="Make a corpus of raw text: read, judge by rules, leave out copies, shuffle, hold out a part and keep it out of the "
        "rest, make tokens. The folder that comes out is what `minilm train --data` learns from, with a report. Stopped, in any way, it "
        "goes on with the same command.",
    )
    p.set_defaults(command=run_corpus)
    share = kinds.number("a number from 0 to 1", lambda x: 0 <= x <= 1)
    p.add_argument("input", nargs="+", type=_named, metavar="[NAME=]PATH",
                   help="a file, or a folder of .jsonl and .txt files, also .gz and .zst; NAME is what its weight, its licence and the "
                   "report call it (default: the last part of the path)")  # fmt: skip
    p.add_argument("--out", type=kinds.path, metavar="FOLDER", help="where the corpus is made")
    p.add_argument(
        "--field",
        type=kinds.any_text,
        metavar="NAME",
        help="the field of a JSON line that holds its text (default: text)",
    )
    p.add_argument("--weight", action="append", default=[], type=_pair("weight", WEIGHT), metavar="NAME=EPOCHS",
                   help="how often an input is taken: 0.5 for every second document, 2 for all twice (default: 1)")  # fmt: skip
    p.add_argument("--licence", action="append", default=[], type=_pair("licence", kinds.any_text), metavar="NAME=TEXT",
                   help="what the data card says of the licence of an input")  # fmt: skip
    p.add_argument("--without", action="append", default=[], type=_rule, metavar="RULE",
                   help="do not ask this rule, as in --without 'not English'; for a name that is none, all are told")  # fmt: skip
    p.add_argument(
        "--least",
        type=kinds.integer(0, MOST),
        metavar="N",
        help="fewest characters of a document besides punctuation and spaces",
    )
    p.add_argument(
        "--max-bytes", type=kinds.integer(1, MOST), metavar="N", help="longest line or text file that is used"
    )
    p.add_argument(
        "--threshold",
        type=kinds.number("a number between 0 and 1", lambda x: 0 < x < 1),
        metavar="J",
        help="Jaccard index from which on two are near copies (default: 0.8)",
    )
    p.add_argument(
        "--check", action="store_true", default=None, help="compute the index of those that may be near copies"
    )
    p.add_argument(
        "--held-out",
        type=kinds.number("a number from 0 on, below 1", lambda x: 0 <= x < 1),
        metavar="SHARE",
        help="share of documents for validation (default: 0.02)",
    )
    p.add_argument("--evaluation", action="append", default=[], type=kinds.path, metavar="PATH",
                   help="an evaluation set: documents in which much of it stands are left out of the training part")  # fmt: skip
    p.add_argument(
        "--most-share", type=share, metavar="S", help="how much of a document may stand there (default: 0.1)"
    )
    p.add_argument(
        "--most-runs",
        type=kinds.integer(0, MOST),
        metavar="N",
        help="how many runs of 13 words of it may (default: 50)",
    )
    p.add_argument(
        "--tokenizer", type=kinds.path, metavar="FILE", help="a tokenizer.json (default: a byte-pair encoding is made)"
    )
    p.add_argument(
        "--vocab-size",
        type=kinds.integer(257, 2**32),
        metavar="N",
        help="tokens of the one that is made (default: 8192)",
    )
    p.add_argument(
        "--sample", type=kinds.integer(1, MOST), metavar="N", help="characters that it is made from (default: 10000000)"
    )
    p.add_argument("--shard", type=kinds.integer(1024, MOST), metavar="N", help="tokens of a file (default: 134217728)")
    p.add_argument("--seed", type=kinds.integer(0, MOST), metavar="N", help="of all draws (default: 0)")
    p.add_argument("--processes", type=kinds.integer(1, 256), default=None, metavar="N",
                   help="processes on this machine (default: one for each core)")  # fmt: skip
    p.add_argument(
        "--scheduler",
        type=kinds.some_text,
        metavar="ADDRESS",
        help="a Dask scheduler, whose workers compute instead, or its scheduler file",
    )
    p.add_argument("--partition", type=kinds.integer(1024), metavar="N",
                   help="about how many bytes of input are a part of the work (default: 8388608); what comes out is the same")  # fmt: skip
    p.add_argument("--keep-work", action="store_true", help="keep what the stages handed on, in FOLDER/work")
    p.add_argument("--quiet", action="store_true", help="no progress")


def run_corpus(options: argparse.Namespace) -> int:
    """``minilm corpus``"""
    from minilm.data.corpus.partitions import plan
    from minilm.pipeline import NOT_STATED, Collection, Settings, build
    from minilm.pipeline.pack import end_of
    from minilm.pipeline.runner import PARTITION_BYTES
    from minilm.text import load_tokenizer

    if options.out is None:  # not argparse's to say: it would say it before it names a misspelt option
        raise UsageError("--out says in which folder the corpus is made.")
    names = [name for name, _ in options.input]
    licences, weights = dict(options.licence), dict(options.weight)
    for option, given_to in (("--licence", licences), ("--weight", weights)):
        if unknown := sorted(given_to.keys() - set(names)):
            raise UsageError(
                f"{option}: there is no input {unknown[0]!r}; there are {', '.join(names)}.{did_you_mean(unknown[0], names)}"
            )
    with kinds.named("--tokenizer"):
        if options.tokenizer is not None:
            end_of(load_tokenizer(options.tokenizer))
    with kinds.named("--evaluation"):
        for path in options.evaluation:
            plan(path)
    given = {name: value for name in SETTINGS if (value := getattr(options, name)) is not None}
    settings = Settings(**given, without=tuple(options.without), weights=weights)
    executor = _executor(options)
    with _out_named(options.out):
        corpus = build(
            [Collection(name, path, licences.get(name, NOT_STATED)) for name, path in options.input],
            options.out,
            settings,
            evaluation=[str(path) for path in options.evaluation],
            tokenizer=options.tokenizer and str(options.tokenizer),
            executor=executor,
            size=options.partition or PARTITION_BYTES,
            progress=None if options.quiet else _Bar(),
            keep=options.keep_work,
        )
    _say_what_is_there(corpus)
    return 0


@contextlib.contextmanager
def _out_named(folder: Path) -> Iterator[None]:
    """Within it, an error about the corpus's folder begins with the option that named it."""
    from minilm.data.errors import DataError

    try:
        yield
    except DataError as error:
        about = str(error).startswith((str(folder), shown(folder)))
        raise DataError(f"--out: {error}" if about else str(error)) from None
    except OSError as error:
        if str(error.filename).startswith(str(folder)):
            error.filename = f"--out: {error.filename}"
        raise


def _executor(options: argparse.Namespace) -> Executor:
    from minilm.backend.threads import processors
    from minilm.pipeline import Here, Processes

    if options.scheduler:
        from minilm.pipeline.cluster import Dask

        if options.processes:
            raise UsageError(
                "--scheduler and --processes exclude each other: the cluster's workers are started by Dask."
            )
        return Dask(options.scheduler)
    count = options.processes or processors()
    return Processes(count) if count > 1 else Here()


def _say_what_is_there(corpus: PackedCorpus) -> None:
    for name in corpus.about["splits"]:
        about = corpus.about["splits"][name]
        say(
            f"{name:10}  {about['documents']:,} documents, {about['characters']:,} characters, {about['tokens']:,} tokens"
        )
    folder = kinds.typed(corpus.folder)
    say(f"what was left out, and why: {folder}/report.html\nlearn from it: minilm train --data {folder}")


class _Bar:
    """A line for each stage, with its parts."""

    def __init__(self) -> None:
        self._bar: Any = None

    def __call__(self, stage: Stage, done: int, parts: int) -> None:
        from tqdm.auto import tqdm

        if self._bar is None:
            self._bar = tqdm(total=parts, initial=done, desc=stage.doing, unit="part", dynamic_ncols=True,
                             bar_format="{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}, {elapsed}")  # fmt: skip
        else:
            self._bar.update(done - self._bar.n)
        if done == parts:
            self._bar.close()
            self._bar = None


def _named(text: str) -> tuple[str, str]:
    """The name and the path of an input."""
    name, separator, path = text.partition("=")
    if separator and name and os.sep not in name and not kinds.path(text).exists():
        return kinds.any_text(name), _checked(path)
    place = _checked(text)
    from minilm.data.corpus.partitions import writable

    return writable(os.path.basename(os.path.abspath(place)) or place), place


def _checked(text: str) -> str:
    kinds.path(text)
    return os.path.expanduser(text)


def _rule(text: str) -> str:
    from minilm.pipeline.settings import RULE_NAMES

    return kinds.name_of("rule", RULE_NAMES)(text)


def _pair(what: str, kind: Any) -> Any:
    def parse(text: str) -> tuple[str, Any]:
        name, separator, value = text.partition("=")
        try:
            if not separator or not name:
                raise ValueError
            return name, kind(value)
        except (ValueError, argparse.ArgumentTypeError):
            raise argparse.ArgumentTypeError(
                f"expected the name of an input and its {what}, NAME={what.upper()}, found {kinds.quoted(text)}"
            ) from None

    return parse


__all__ = ["add_parser", "run_corpus"]
