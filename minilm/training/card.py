"""The model card of a run: what was trained on what and how, what was measured, and what it is not good for.

Its parts are those of Mitchell et al., *Model Cards for Model Reporting*, 2019 (https://arxiv.org/abs/1810.03993). It is Markdown for
people, and says nothing that config.json and metrics.jsonl do not; for programs, there are those two. Like them it is written whole or
not at all, and no number of the run depends on it.

The validation loss is a mean over the validation data, and has an interval: how far it would move with other data of the kind. Neighbors
in a text are alike, so what is drawn again and again is not single contexts but blocks of neighbors (Carlstein 1986, *The Use of
Subseries Values for Estimating the Variance of a General Statistic from a Stationary Sequence*), as `minilm.metrics.interval` draws
documents.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np

from minilm.files import atomic_write, shown
from minilm.indices import positions
from minilm.metrics.interval import FEW, Interval, ratio_interval
from minilm.training.run import Run
from minilm.training.task import Parts, Tested

CARD = "card.md"
BLOCKS = 100  # of the validation data, at most, for an interval


class Result(NamedTuple):
    """What was measured at the end of a training.

    Attributes:
        loss: the validation loss of the best weights, over all of the validation data.
        parts: what it is made of; None: not known.
        measures: what else the task tells.
        tested: what it measured on its test part.
    """

    loss: float
    parts: Parts | None
    measures: Mapping[str, float]
    tested: tuple[Tested, ...] = ()


def blocks_of(parts: Parts, most: int = BLOCKS) -> Parts:
    """Neighbors put together, so that there are at most `most` parts, equally many in each but for one."""
    count = len(parts.sums)
    starts = np.unique(np.linspace(0, count, min(most, count), endpoint=False).astype(int))
    return Parts(np.add.reduceat(parts.sums, positions(starts)), np.add.reduceat(parts.counts, positions(starts)))


def write_card(run: Run[Any], data: Any, model: Any, step: int, reason: str, result: Result | None) -> None:
    """Writes the card of a run into its folder.

    Args:
        data: what the task of the run learns from.
        model: the task's, with any weights.
        step: updates done; `reason`: how the training ended, as in `minilm.training.loop.Outcome`.
        result: what was measured at the end; None where the training was stopped before it.
    """
    text = card_of(run, data, model, step, reason, result)
    with atomic_write(run.folder / CARD) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def card_of(run: Run[Any], data: Any, model: Any, step: int, reason: str, result: Result | None) -> str:
    """The text of the card; the arguments are those of `write_card`."""
    task = run.task
    facts = task.facts(data, run.folder, examples_of(run, step))
    device = next(model.parameters()).device.name
    state = {
        "finished": f"The training finished after {step:,} updates.",
        "early stop": f"The training ended early, after {step:,} of {run.train_config.steps:,} updates: the validation loss rose.",
        "interrupted": f"The training was stopped after {step:,} of {run.train_config.steps:,} updates: this is no finished model. "
        f"`{run.command}` goes on with it.",
    }[reason]
    architecture = {"task": task.name, "class": f"`{type(model).__name__}`", **facts.model,
                    "parameters": f"{model.num_parameters():,}"}  # fmt: skip
    sections = {
        "Model": _listed(architecture),
        "What it is for": _told([*facts.use, "To learn how such a model is made. It was made for nothing else."]),
        "Data": _listed(facts.data) or ["Not recorded by this task."],
        "Training": _listed(_training(run, step, device)),
        "Measured": _measured(run, data, step, result),
        "Limits": _told([*_limits(run, result), *facts.limits]),
        "How to make it again": _again(run, device),
    }
    lines = [f"# Model card: {shown(run.folder.resolve().name)}", "", state]
    for title, content in sections.items():
        lines += ["", f"## {title}", "", *content]
    return "\n".join(lines) + "\n"


def examples_of(run: Run[Any], step: int) -> int:
    """How many examples a run has learned from after `step` updates, over all of its phases."""
    ends = [min(phase.began, step) for phase in run.phases] + [step]
    total = began = 0
    for phase, end in enumerate(ends):
        settings = run.config.settings(phase)
        total, began = total + (end - began) * settings.batch_size * settings.accumulate, end
    return total


def _training(run: Run[Any], step: int, device: str) -> dict[str, str]:
    settings = asdict(run.config.settings(0))
    facts = {"settings": ", ".join(f"{name} {value:g}" for name, value in settings.items())}
    for number, phase in enumerate(run.phases):
        facts[f"phase {number + 2}"] = f"after step {phase.began}: " + ", ".join(
            f"{name} {value:g}" for name, value in phase.changes.items()
        )
    counted = f"{examples_of(run, step) * run.task.units:,} {run.task.counted}, counted as often as they were seen"
    own = sys.modules["minilm"].__version__  # the package that this room is in: it imports from none above
    versions = f"minilm {own}, NumPy {np.__version__}, Python {platform.python_version()}"
    return {
        **facts,
        "learned from": counted,
        "seed": str(run.train_config.seed),
        "made with": f"{versions}, on {device}",
    }


def _measured(run: Run[Any], data: Any, step: int, result: Result | None) -> list[str]:
    """A table of the numbers, and what the intervals mean."""
    rows = [("measure", "value", "95 % interval"), ("---", "---:", "---")]
    notes = []
    if result is not None:
        blocks = None if result.parts is None else blocks_of(result.parts)
        interval = None if blocks is None else ratio_interval(*blocks)
        bounds = {} if interval is None else run.task.bounds(data, interval.low, interval.high)
        rows.append((f"validation loss, {run.task.unit}", f"{result.loss:.4f}", _between(interval)))
        rows += [
            (name.replace("_", " "), f"{value:.4f}", _between(bounds.get(name)))
            for name, value in result.measures.items()
        ]
        rows += [(f"test: {test.name}", f"{test.value:.4f}", _between(test.bounds)) for test in result.tested]
        if result.tested:
            notes.append(
                "The test part was read once, after the training; no setting was chosen by it."
                if not (
                    before := sum("final_validation_loss" in line and line["step"] < step for line in run.metrics())
                )
                else f"The test part was read {before + 1} times, whenever a phase of the training had ended."
            )
        if any(test.bounds for test in result.tested):
            notes.append(
                "The interval of a number of the test part holds the middle 95 % of what it becomes when its examples, or the groups "
                "that they belong to, are drawn again with replacement."
            )
        notes.append("The validation loss is over all of the validation data, of the weights in model.safetensors.")
        if blocks is not None and interval is not None:
            notes.append(
                f"The interval holds the middle 95 % of what the mean becomes when the {len(blocks.sums)} blocks of neighbors, into which "
                "the validation data are cut, are drawn again with replacement. It says how much the number depends on which text was "
                "held out; it says nothing of another seed, or of texts of another kind."
                + (f" With fewer than {FEW} blocks it is too narrow." if len(blocks.sums) < FEW else "")
            )
    lines = run.metrics()
    evaluated = [line for line in lines if line.get("validation_loss") is not None and line["step"] <= step]
    if evaluated:
        best = min(evaluated, key=lambda line: line["validation_loss"])
        rows.append((f"lowest on the way, after step {best['step']:,}", f"{best['validation_loss']:.4f}", ""))
    trained = [line for line in lines if line.get("loss") is not None and line["step"] <= step]
    if trained:
        last = trained[-1]
        rows.append((f"training loss, one batch, at step {last['step']:,}", f"{last['loss']:.4f}", ""))
    if result is None:
        notes.append(
            "What is measured over all of the validation data, with its interval, is told when the training ends."
        )
    table = ["| " + " | ".join(row) + " |" for row in rows]
    return [*table, "", *notes] if len(rows) > 2 else [*notes]


def _between(bounds: Interval | tuple[float, float] | None) -> str:
    return "" if bounds is None else f"{bounds[0]:.4f} to {bounds[1]:.4f}"


def _limits(run: Run[Any], result: Result | None) -> list[str]:
    """What holds of every run, whatever its task."""
    limits = [
        "It was measured on data of the source that it was trained on; how it does on other data, nobody looked at.",
        "It was not checked for false, harmful or private content, nor for how it treats groups of people.",
    ]
    evaluated = sum("validation_loss" in line for line in run.metrics())
    if evaluated > 1:
        limits.append(
            f"Its weights are the best of {evaluated} evaluations on the validation data: the validation loss is a little better than "
            "that of data never looked at."
        )
    return limits


def _again(run: Run[Any], device: str) -> list[str]:
    first = run.task.command(run.config.settings(0), run.folder)
    if first is None:
        return ["There is no command that makes it: the run was begun from Python, with the settings above."]
    lines = ["```", f"{first} --device {device}"]
    for number, phase in enumerate(run.phases):
        until = run.config.settings(number).steps
        if phase.began < until:
            lines.append(f"# stopped with Ctrl-C after step {phase.began}")
        changes = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in phase.changes.items())
        lines.append(f"{run.task.program} --resume RUN {changes} --device {device}")
    run_is = " RUN is the folder that the first command names." if run.phases else ""
    return [
        *lines,
        "```",
        "",
        "On the same machine, with the same versions and the same text (by its SHA-256), the weights come out the same to the last bit; "
        f"elsewhere up to rounding.{run_is}",
    ]


def _listed(facts: Mapping[str, str]) -> list[str]:
    return [f"- {label}: {' '.join(text.split())}" for label, text in facts.items()]


def _told(sentences: Iterable[str]) -> list[str]:
    return [f"- {' '.join(sentence.split())}" for sentence in sentences]


__all__ = ["CARD", "Result", "blocks_of", "card_of", "examples_of", "write_card"]
