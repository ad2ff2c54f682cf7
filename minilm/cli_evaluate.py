"""The command line for evaluating language models: ``minilm evaluate``."""

from __future__ import annotations

import argparse
import json
import math
from typing import TYPE_CHECKING, Any

from minilm import options as kinds
from minilm import terminal
from minilm.options import UsageError
from minilm.terminal import say

if TYPE_CHECKING:
    from minilm.evaluation import Difference, Evaluation
    from minilm.metrics import Interval
    from minilm.training.opening import Opened

SPLITS = ("files", "paragraphs")
SUMS = ("tokens", "characters", "bytes")
COMPARED = ("bits per character", "bits per byte")


def add_parser(commands: Any) -> None:
    """Adds the command."""
    p = commands.add_parser(
        "evaluate",
        help="measure how well language models predict a text",
        description="Measure how well language models predict a text: nats per token, perplexity, bits per character and per byte, each "
        "with its interval of 95 % over documents. Several models are compared on the same documents. Every token is predicted once, "
        "with the context before it in its document.",
    )
    p.set_defaults(command=run_evaluate)
    p.add_argument("model", nargs="+", type=kinds.model, metavar="MODEL",
                   help="the folder of a run, a name of `minilm models list`, a folder or GGUF file of a model")  # fmt: skip
    p.add_argument("--data", type=kinds.text_source, metavar="TEXT",
                   help="a .txt file (one document), a .jsonl file (one per line), a folder, a name of `minilm data list`, or a "
                   "corpus, for what it holds out")  # fmt: skip
    p.add_argument("--documents", type=kinds.name_of("way to split", SPLITS), default="files", metavar="KIND",
                   help="files: as they are (default); paragraphs: cut at blank lines, too")  # fmt: skip
    p.add_argument("--stride", type=kinds.integer(1), metavar="N",
                   help="tokens by which the window moves in a long document; 1: each token sees all the context there is, at a pass "
                   "each (default: half of the context)")  # fmt: skip
    p.add_argument("--context", type=kinds.integer(1), metavar="N",
                   help="the window's length in tokens (default: the longest that the model takes)")  # fmt: skip
    p.add_argument("--batch-size", type=kinds.integer(1, 1 << 20), metavar="N", help="windows a forward pass")
    p.add_argument("--seed", type=kinds.integer(0), default=0, metavar="N", help="of the intervals' draws (default 0)")
    p.add_argument("--json", action="store_true", help="everything that was found, for a program")
    kinds.add_device(p)


def run_evaluate(options: argparse.Namespace) -> int:
    """``minilm evaluate``"""
    from minilm.evaluation import compare

    if options.data is None:  # not argparse's to say: it would say it before it names a misspelt option
        raise UsageError("--data says which text: a file, a folder, or a name of `minilm data list`.")
    opened = [_open(name, options.device) for name in options.model]
    documents = _documents(options)
    found = [_evaluated(each, documents, options) for each in opened]
    differences = [
        (first, second, name, compare(found[first], found[second], name, options.seed))
        for first in range(len(found))
        for second in range(first + 1, len(found))
        for name in COMPARED
    ]
    if options.json:
        terminal.write(_json(options, opened, found, differences) + "\n")
        return 0
    for number, (each, evaluation) in enumerate(zip(opened, found, strict=True)):
        say(("\n" if number else "") + each.name)
        terminal.write(terminal.table(_rows(each, evaluation, options.seed), terminal.columns()) + "\n")
    for first, second, name, difference in differences:
        if name == COMPARED[-1]:
            say(f"\n{_verdict(opened[first].name, opened[second].name, name, difference)}")
    if notes := _notes(found):
        say(f"\n{notes}")
    return 0


def _open(name: str, device: str) -> Opened:
    from minilm.training.opening import open_language_model

    place = kinds.device_named(device)
    try:
        return open_language_model(name, place)
    except ValueError as error:
        raise ValueError(f"MODEL {terminal.shortened(name, 60)}: {error}") from None
    except OSError as error:
        raise ValueError(f"MODEL {terminal.shortened(name, 60)}: {error.strerror or error}") from None


def _documents(options: argparse.Namespace) -> list[str]:
    from minilm.evaluation import read_documents

    try:
        documents = list(read_documents(options.data, options.documents))
    except ValueError as error:
        raise ValueError(f"--data: {error}") from None
    except OSError as error:
        raise ValueError(f"--data: {terminal.shortened(options.data, 300)}: {error.strerror or error}") from None
    if not any(documents):
        raise ValueError(f"--data: {terminal.shortened(options.data, 300)} has no document with text in it.")
    return documents


def _evaluated(opened: Opened, documents: list[str], options: argparse.Namespace) -> Evaluation:
    from minilm.evaluation import evaluate
    from minilm.text import TokenizerError

    longest = opened.model.cache_size.longest
    if options.context is not None and options.context > longest:
        raise ValueError(f"--context {options.context:,} is more than {opened.name} takes: {longest:,} tokens.")
    if options.stride is not None and options.stride > (options.context or longest):
        raise ValueError(
            f"--stride {options.stride:,} is more than the context of {options.context or longest:,} tokens: tokens would be passed over."
        )
    try:
        return evaluate(opened.model, opened.tokenizer, documents, stride=options.stride, context=options.context,
                        batch_size=options.batch_size)  # fmt: skip
    except TokenizerError as error:
        raise ValueError(f"--data: the tokenizer of {opened.name} cannot read it: {error}") from None
    except MemoryError as error:
        raise MemoryError(f"{error} (--context)" if str(error) else "--context, --batch-size") from None
    except ValueError as error:
        raise ValueError(f"--data, {opened.name}: {error}") from None


def _rows(opened: Opened, e: Evaluation, seed: int) -> list[tuple[str, str, str]]:
    from minilm.evaluation import MEASURES

    skipped = [
        f"{count:,} {why}" for count, why in ((e.empty, "empty"), (e.unpredicted, "of one token alone")) if count
    ]
    rows = [("", "", "95 % interval over documents")]
    rows += [("documents", f"{len(e.nats):,}", f"skipped: {', '.join(skipped)}" if skipped else "")]
    rows += [(name, f"{int(getattr(e, name).sum()):,}", "") for name in SUMS]
    for name in MEASURES:
        value, interval = e.measure(name), e.interval(name, seed)
        rows.append(
            (name, _number(value), f"{_number(interval.low)} to {_number(interval.high)}" if interval else "none")
        )
    rows += [
        ("context", f"{e.context:,}", f"tokens; windows {e.stride:,} apart"),
        ("first token", _first(opened, e), ""),
    ]
    return rows


def _first(opened: Opened, e: Evaluation) -> str:
    return "not counted: nothing precedes it" if e.begin is None else f"after {opened.tokenizer.id_to_token(e.begin)}"


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.1f}"


def _verdict(first: str, second: str, name: str, d: Difference) -> str:
    """Which of two models is better, and whether other documents could say otherwise."""
    if not d.value:
        return f"{first} and {second} need equally many {name}."
    better, worse = (first, second) if d.value < 0 else (second, first)
    text = f"{better} needs {_number(abs(d.value))} {name} less than {worse}"
    if d.interval is None:
        return f"{text}; whether it would on other documents, this does not say."
    low, high = (-d.interval.high, -d.interval.low) if d.value < 0 else d.interval[:2]
    interval = (
        f"95 % interval of the difference: {_number(low)} to {_number(high)}, over the same {d.documents:,} documents"
    )
    return f"{text}, and other documents could say otherwise ({interval})." if low <= 0 else f"{text} ({interval})."


def _notes(found: list[Evaluation]) -> str:
    from minilm.metrics.interval import FEW

    least, notes = min(len(e.nats) for e in found), []
    if least == 1:
        notes.append(
            "One document has no interval: it does not say how documents differ. --documents paragraphs makes more of them."
        )
    elif least < FEW:
        notes.append(f"With fewer than {FEW} documents the intervals are too narrow.")
    if any(e.begin is None for e in found):
        notes.append(
            "A tokenizer without a token that begins a text: the first token of each document and its text are not counted."
        )
    return " ".join(notes)


def _json(options: argparse.Namespace, opened: list[Opened], found: list[Evaluation], differences: list[Any]) -> str:
    from minilm.evaluation import MEASURES

    models = []
    for each, e in zip(opened, found, strict=True):
        measures = {
            name.replace(" ", "_"): {
                "value": _finite(e.measure(name)),
                "interval": _bounds(e.interval(name, options.seed)),
            }
            for name in MEASURES
        }
        sums = {name: int(getattr(e, name).sum()) for name in SUMS}
        each_document = [
            {"number": int(e.numbers[i]) + 1, "nats": _finite(float(e.nats[i])), **{name: int(getattr(e, name)[i]) for name in SUMS}}
            for i in range(len(e.nats))
        ]  # fmt: skip
        models.append(
            {
                "model": each.name,
                "documents": len(e.nats),
                "skipped": {"empty": e.empty, "one_token_alone": e.unpredicted},
                **sums,
                "nats": _finite(float(e.nats.sum())),
                **measures,
                "context": e.context,
                "stride": e.stride,
                "first_token_after": None if e.begin is None else each.tokenizer.id_to_token(e.begin),
                "each_document": each_document,
            }
        )
    compared = [
        {
            "first": opened[first].name,
            "second": opened[second].name,
            "measure": name.replace(" ", "_"),
            "difference": _finite(d.value),
            "interval": _bounds(d.interval),
            "documents": d.documents,
        }
        for first, second, name, d in differences
    ]
    about = {"data": options.data, "split": options.documents, "confidence": 0.95, "seed": options.seed}
    return json.dumps({**about, "models": models, "differences": compared}, indent=2, allow_nan=False)


def _bounds(interval: Interval | None) -> list[float | None] | None:
    return None if interval is None else [_finite(interval.low), _finite(interval.high)]


def _finite(value: float) -> float | None:
    """JSON knows no infinity: null."""
    return value if math.isfinite(value) else None
