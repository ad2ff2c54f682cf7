"""The command line for the applications: ``minilm task NAME train``, ``evaluate``, ``predict``."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import json
import math
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from minilm import options as kinds
from minilm import terminal
from minilm.options import UsageError
from minilm.terminal import say

if TYPE_CHECKING:
    from minilm.applications import Answer, Application, Split, System
    from minilm.applications.evaluation import Measured
    from minilm.applications.trained import Trained
    from minilm.metrics.interval import Interval
    from minilm.training.task import Task, Tested

LIST = "list"
NO_SETTINGS = ("command", "task", "brief", "out", "resume", "data", "device", "quiet", "dashboard")
LONGEST = 1 << 20  # bytes of a line of `predict`
AT_ONCE = 1 << 18  # bytes that `predict` reads, at most, before it answers
SHOWN = 400  # characters of an example among the errors


def add_parser(commands: Any) -> None:
    """Adds the command."""
    from minilm.applications import PLACES

    p = commands.add_parser(
        "task",
        help="an application: train it, measure it beside simple methods, use it",
        description="An application of language models: train it, measure it beside the best simple methods, use it. "
        "`minilm task list` lists them, `minilm task NAME` describes one.",
    )
    p.set_defaults(command=run_about)
    p.alone = [LIST]
    p.add_argument(
        "task", type=kinds.name_of("task", (LIST, *PLACES)), metavar="NAME",
        help="list, or a name that it lists (default: list)",
    )  # fmt: skip
    inner = p.add_subparsers(title="commands", metavar="COMMAND")
    _train_parser(inner)
    _evaluate_parser(inner)
    _predict_parser(inner)


def _train_parser(commands: Any) -> None:
    p = commands.add_parser(
        "train",
        help="train it",
        description="Train an application. The settings that are not given are the application's own: `minilm task NAME` tells them.",
    )
    p.set_defaults(command=run_train)
    p.add_argument("--brief", action="store_true", help="trains for a minute at most, for a first look")
    p.add_argument("--data", type=kinds.text_source, metavar="FILE",
                   help="your own examples, of which 80, 10 and 10 %% become the three parts (default: the published ones)")  # fmt: skip
    kinds.add_run(p, "NAME")
    kinds.add_training(p)


def _evaluate_parser(commands: Any) -> None:
    p = commands.add_parser(
        "evaluate",
        help="measure it",
        description="Measure an application on its test part or on a file: each number with its interval of 95 % over examples.",
    )
    p.set_defaults(command=run_evaluate)
    _add_which_run(p)
    p.add_argument(
        "--data",
        type=kinds.text_source,
        metavar="FILE",
        help="a file of examples with their answers (default: the test part)",
    )
    p.add_argument("--baselines", action="store_true",
                   help="the simple methods beside it, with the differences; they learn from the same training part first")  # fmt: skip
    p.add_argument(
        "--errors", type=kinds.integer(0), default=0, metavar="N", help="show N wrong answers, the worst first"
    )
    p.add_argument("--json", action="store_true", help="everything that was found, for a program")
    kinds.add_device(p)


def _predict_parser(commands: Any) -> None:
    p = commands.add_parser(
        "predict",
        help="use it: a line in, an answer out",
        description="Answer lines: each gives a JSON object on a line of standard output, in the same order, with the number of the line. "
        "A line that cannot be answered is reported on standard error and passed over. `minilm task NAME` shows what a line looks like.",
    )
    p.set_defaults(command=run_predict)
    _add_which_run(p)
    p.add_argument(
        "file", nargs="?", type=kinds.path, metavar="FILE", help="the lines, in UTF-8 (default: standard input)"
    )
    kinds.add_device(p)


def _add_which_run(p: Any) -> None:
    p.add_argument(
        "--run",
        type=kinds.path,
        metavar="RUN",
        help="the run's folder (default: the last of runs/NAME-1, -2, ... that has ended)",
    )


# -- what there is ------------------------------------------------------------------------------------------------------


def run_about(options: argparse.Namespace) -> int:
    """``minilm task list`` and ``minilm task NAME``"""
    from minilm.applications import PLACES, find

    if options.task == LIST:
        rows = [
            (
                application.name,
                application.title,
                "; ".join(_states(application)) or "none",
                _last_run_of(application),
            )
            for application in map(find, PLACES)
        ]
        terminal.write(terminal.table([("name", "title", "data", "trained"), *rows], terminal.columns()) + "\n")
    else:
        say(_described(find(options.task)))
    return 0


class Fetched(NamedTuple):
    """A data set or a model that an application uses: what it is, its licence, and whether it is here or how much is to be fetched."""

    name: str
    title: str
    licence: str
    state: str


def _data(application: Application[Any]) -> list[Fetched]:
    from minilm.data.sets import fetch, table

    entries = [(table.find(name), fetch.is_here(name)) for name in application.datasets]
    return [
        Fetched(entry.name, entry.title, entry.licence, _state(here, entry.download_size)) for entry, here in entries
    ]


def _models(application: Application[Any]) -> list[Fetched]:
    from minilm.pretrained import table

    entries = [(table.find(name), table.is_here(name)) for name in application.models]
    return [
        Fetched(entry.name, entry.title, entry.licence.text, _state(here, entry.package.archive_size))
        for entry, here in entries
    ]


def _state(here: bool, size: int) -> str:
    return "here" if here else f"{size / 1e6:.1f} MB to fetch"


def _states(application: Application[Any]) -> list[str]:
    return [f"{each.name} ({each.state})" for each in (*_data(application), *_models(application))]


def _last_run_of(application: Application[Any]) -> str:
    from minilm.applications.trained import Trained

    if not isinstance(application, Trained):
        return "not needed"
    return str(last_run(application.name, application.task) or "no")


def _described(application: Application[Any]) -> str:
    from minilm.applications.trained import Trained

    name = application.name
    facts = [("data", each) for each in _states(application)]
    facts += [("a line", application.line)]
    facts += [("a file", application.file)] if application.file else []
    facts += [("beside it", "; ".join(application.baselines()) or "no simple method")]
    if isinstance(application, Trained):
        facts += [("settings", _settings(application.task.settings)), ("--brief", _settings(application.brief))]
        facts += [("last run", _last_run_of(application))]
    lines = [f"{label:<10} {text}" for label, text in facts]
    train = [f"  minilm task {name} train"] if isinstance(application, Trained) else []
    return "\n".join([f"{name}: {application.title}", "", *lines, "", *train, f"  minilm task {name} evaluate --baselines",
                      f"  minilm task {name} predict FILE"])  # fmt: skip


def _settings(settings: Any) -> str:
    return (
        ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings.items()) or "those of `minilm train`"
    )


def last_run(name: str, task: type[Task]) -> Path | None:
    """The last of runs/NAME-1, -2, ... that has ended.

    Args:
        task: of these runs.
    """
    from minilm.training.checkpoint import CheckpointError
    from minilm.training.run import Run

    numbered = {
        int(found[1]): folder
        for folder in Path("runs").glob(f"{name}-*")
        if (found := re.fullmatch(rf"{name}-([0-9]{{1,9}})", folder.name))
    }
    for _, folder in sorted(numbered.items(), reverse=True):
        try:
            lines = Run(folder, task).metrics()
        except CheckpointError:
            continue
        if any("final_validation_loss" in line for line in lines):
            return folder
    return None


# -- train --------------------------------------------------------------------------------------------------------------


def run_train(options: argparse.Namespace) -> int:
    """``minilm task NAME train``"""
    return kinds.on_all_ranks(options, _train)


def _train(options: argparse.Namespace) -> int:
    from minilm.training.loop import train

    application = _trained(options, "train")
    device = kinds.device_named(options.device)  # before a folder is made
    given = {name: value for name, value in vars(options).items() if value is not None and name not in NO_SETTINGS}
    source = options.data or ""
    _announce(application)
    if options.resume:
        if options.out or options.brief:
            raise ValueError(
                "--resume goes on in the run's own folder, with its own settings; it takes neither --out nor --brief."
            )
        with kinds.named("--resume"):
            run, data = application.resume(options.resume, kinds.without_auto(given), source)
    else:
        settings = {**(application.brief if options.brief else {}), **given}
        _check(application, settings, given)
        with _data_named(source):
            run, data = application.begin(
                options.out or kinds.free_folder(application.name), kinds.without_auto(settings), source
            )
    with run.locked(), run.undone_unless_begun():
        sizes = [f"{len(part):,}" for part in (data.split.train, data.split.validation, data.split.test)]
        say(
            f"{run.task.source or application.title}: {sizes[0]} examples to learn from, {sizes[1]} to validate, {sizes[2]} to test on"
        )
        say(f"{run.train_config.steps:,} steps on {kinds.computing(run, device)}; run folder {run.folder}")
        kinds.say_phase(run)
        kinds.settle_threads(options, run, data, device)
        outcome = train(run, data, device=device, progress=not options.quiet, dashboard=options.dashboard)
    if outcome.reason == "interrupted":
        return kinds.say_stopped(run, outcome)
    kinds.say_ended(run, outcome, _result(run.task.unit, outcome.validation_loss, outcome.measures))
    if outcome.tested:
        terminal.write("\n" + terminal.table(_tested_rows(outcome.tested), terminal.columns()) + "\n\n")
    folder = kinds.typed(run.folder)
    say(f"Beside the simple methods:  minilm task {application.name} evaluate --run {folder} --baselines")
    say(f"To use it:                  minilm task {application.name} predict --run {folder} FILE")
    return 0


@contextlib.contextmanager
def _data_named(source: str) -> Iterator[None]:
    """Within it, an error of the user's file of examples names the option."""
    from minilm.data import DataError

    try:
        yield
    except DataError as error:
        raise ValueError(f"--data: {error}" if source else str(error)) from None


def _trained(options: argparse.Namespace, command: str) -> Trained[Any]:
    from minilm.applications.trained import Trained

    application = _application(options, command)
    if not isinstance(application, Trained):
        raise ValueError(
            f"{application.name} has nothing to train: `minilm task {application.name} evaluate` measures it as it is."
        )
    return application


def _application(options: argparse.Namespace, command: str) -> Application[Any]:
    from minilm.applications import find

    if options.task == LIST:
        raise UsageError(
            f"`minilm task list` takes no {command}; `minilm task NAME {command}` needs the name of a task."
        )
    return find(options.task)


def _check(application: Trained[Any], settings: dict[str, Any], given: dict[str, Any]) -> None:
    """Refuses settings that do not fit each other, before anything is read or made."""
    from minilm.training.settings import TrainConfig

    whole = {**dataclasses.asdict(TrainConfig()), **application.task.settings, **settings}

    def of(name: str) -> str:
        return f"--{name.replace('_', '-')} {whole[name]}{'' if name in given else ' (the default)'}"

    kinds.check_training(whole, of)


def _announce(application: Application[Any]) -> None:
    """Tells on standard error which models are about to be fetched, and under which licence they are; data sets tell it themselves."""
    for each in _models(application):
        if each.state != "here":
            terminal.complain(f"{each.name}: {each.title}; {each.state}. Licence: {each.licence}")


def _result(unit: str, loss: float, measures: Any) -> str:
    told = [
        f"validation loss {loss:.4f} {unit}",
        *(f"{name.replace('_', ' ')} {value:.4f}" for name, value in measures.items()),
    ]
    return ", ".join(told)


def _tested_rows(tested: Sequence[Tested]) -> list[tuple[str, str, str]]:
    return [
        ("test part", "value", "95 % interval"),
        *((each.name, f"{each.value:.4f}", _between(each.bounds)) for each in tested),
    ]


# -- evaluate -----------------------------------------------------------------------------------------------------------


def run_evaluate(options: argparse.Namespace) -> int:
    """``minilm task NAME evaluate``"""
    from minilm.applications.evaluation import OURS, baselines, measured

    application = _application(options, "evaluate")
    device = kinds.device_named(options.device)
    folder = _which_run(application, options.run)
    _announce(application)
    split, examples, about = _examples(application, folder, options)
    systems = [measured(application, OURS, _open(application, folder, device), examples)]
    for remark in application.remarks(folder, examples):
        terminal.complain(remark)
    if options.baselines:
        assert split is not None
        systems += baselines(application, split, examples, folder, device)
    wrong = {each.name: application.wrong(examples, each.answers) for each in systems} if options.errors else {}
    shown = wrong.get(OURS, [])[: options.errors]
    if options.json:
        terminal.write(_json(application, folder, about, examples, systems, shown) + "\n")
        return 0
    say(f"{application.title}: {about}{f'; run {folder}' if folder else ''}")
    terminal.write(terminal.table(_rows(systems), terminal.columns()) + "\n")
    if len(systems) > 1:
        say(
            "\nThe last column: ours less theirs, on the same examples. Where its interval holds 0, other examples of the kind could say "
            "otherwise."
        )
    if shown and len(systems) > 1:
        say(f"\n{_shared(wrong, len(examples))}")
    for i in shown:
        say(f"\n{i + 1}. {_shown(examples[i])}\n   answered: {_shown(systems[0].answers[i])}")
        if also := [each.name for each in systems[1:] if i in wrong[each.name]]:
            say(f"   wrong, too: {', '.join(also)}")
    if options.errors and not shown:
        say("\nNo answer is wrong.")
    return 0


def _shared(wrong: dict[str, list[int]], examples: int) -> str:
    """Of how many of our errors each simple method makes one, too; ours are the first."""
    (_, ours), *others = wrong.items()
    both = "; ".join(f"{name} in {len(set(ours) & set(theirs)):,}" for name, theirs in others)
    return f"{len(ours):,} of {examples:,} answers are not wholly right. Neither is the answer of {both} of these."


def _which_run(application: Application[Any], given: Path | None) -> Path | None:
    """The folder of the run that is meant; None of an application that is not trained here, unless one is given."""
    from minilm.applications.trained import Trained

    if not isinstance(application, Trained):
        if given and not application.opens_runs:
            raise ValueError(f"--run: {application.name} is not trained, there are no runs of it.")
        return given
    if given is None and (given := last_run(application.name, application.task)) is None:
        raise ValueError(
            f"there is no run of {application.name} that has ended in {Path('runs').resolve()}: train one with "
            f"`minilm task {application.name} train`, or name one with --run."
        )
    return given


def _open(application: Application[Any], folder: Path | None, device: str) -> System:
    with kinds.named("--run"):
        return application.open(folder, device)


def _examples(
    application: Application[Any], folder: Path | None, options: argparse.Namespace
) -> tuple[Split[Any] | None, Sequence[Any], str]:
    """What the simple methods learn from (None: not needed), what is measured on, and what that is."""
    from minilm.applications.trained import Trained, fingerprint
    from minilm.training.run import Run

    run, learned_from = None, application.split
    if isinstance(application, Trained) and folder is not None:
        with kinds.named("--run"):
            run = Run(folder, application.task)
        learned_from = functools.partial(application.examples_of, run)
    if not options.data:
        split = learned_from()
        return split, split.test, f"{len(split.test):,} examples of the test part"
    with kinds.named("--data"):
        examples = application.read(Path(options.data))
        if not examples:
            raise ValueError(f"{options.data} holds no examples.")
        if run is not None and run.task.source and len(examples) >= 10:
            split = application.divide(examples)
            if fingerprint(split) == run.task.examples_sha256:
                about = f"{len(split.test):,} examples of {options.data}, the part that the run neither learned from nor was chosen by"
                return split, split.test, about
    return learned_from() if options.baselines else None, examples, f"{len(examples):,} examples of {options.data}"


def _rows(systems: Sequence[Measured]) -> list[tuple[str, ...]]:
    """A block of lines for each number: that of ours, then those of the others with the difference."""
    from minilm.applications.evaluation import differences

    ours, *others = systems
    if not others:
        return [
            ("number", "value", "95 % interval"),
            *((score.name, _number(score.value), _between(score.interval())) for score in ours.scores),
        ]
    rows: list[tuple[str, ...]] = [("number", "system", "value", "95 % interval", "ours less it")]
    for score in ours.scores:
        rows.append((score.name, ours.name, _number(score.value), _between(score.interval()), ""))
        for other in others:
            theirs = next((each for each in other.scores if each.name == score.name), None)
            if theirs is not None:
                less = next(each for each in differences(ours, other) if each.name == score.name)
                told = f"{less.value:+.4f}" + (f" ({_between(less.interval)})" if less.interval else "")
                rows.append(("", other.name, _number(theirs.value), _between(theirs.interval()), told))
    rows += [("seconds", ours.name, "", f"{ours.answering:.1f} to answer", "")]
    rows += [
        ("", each.name, "", f"{each.learning:.1f} to learn, {each.answering:.1f} to answer", "") for each in others
    ]
    return rows


def _number(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.4f}"


def _between(bounds: Interval | tuple[float, float] | None) -> str:
    return "none" if bounds is None else f"{bounds[0]:.4f} to {bounds[1]:.4f}"


def _json(
    application: Application[Any],
    folder: Path | None,
    about: str,
    examples: Sequence[Any],
    systems: Sequence[Measured],
    wrong: list[int],
) -> str:
    from minilm.applications.evaluation import differences

    told = [
        {
            "system": each.name,
            "numbers": {
                score.name: {"value": _finite(score.value), "interval": _bounds(score.interval())}
                for score in each.scores
            },
            "seconds": {"learning": each.learning, "answering": each.answering},
            **({"details": details} if (details := application.details(examples, each.answers)) else {}),
        }
        for each in systems
    ]
    less = [
        {"system": other.name, "number": name, "difference": _finite(value), "interval": _bounds(interval)}
        for other in systems[1:]
        for name, value, interval in differences(systems[0], other)
    ]
    errors = [{"number": i + 1, "example": _plain(examples[i]), "answer": systems[0].answers[i]} for i in wrong]
    found = {"task": application.name, "run": None if folder is None else str(folder), "examples": len(examples), "about": about,
             "confidence": 0.95, "systems": told, "ours_less": less, "errors": errors}  # fmt: skip
    return json.dumps(found, indent=2, allow_nan=False)


def _finite(value: float) -> float | None:
    """JSON knows no infinity: null."""
    return value if math.isfinite(value) else None


def _bounds(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _plain(example: Any) -> Any:
    """An example as JSON has it: a dataclass or a named tuple by its fields."""
    if dataclasses.is_dataclass(example) and not isinstance(example, type):
        return dataclasses.asdict(example)
    return example._asdict() if hasattr(example, "_asdict") else example


def _shown(value: Any) -> str:
    """An example or an answer on a line or two; long texts with their beginning and end."""

    def short(part: Any) -> Any:
        if isinstance(part, str):
            return terminal.shortened(part, SHOWN)
        if isinstance(part, dict):
            return {name: short(each) for name, each in part.items()}
        return [short(each) for each in part] if isinstance(part, list | tuple) else part

    return json.dumps(short(_plain(value)), ensure_ascii=False)


# -- predict ------------------------------------------------------------------------------------------------------------


def run_predict(options: argparse.Namespace) -> int:
    """``minilm task NAME predict``"""
    application = _application(options, "predict")
    device = kinds.device_named(options.device)
    folder = _which_run(application, options.run)
    _announce(application)
    system = _open(application, folder, device)
    count = skipped = 0
    for lines in _lines(options.file):
        for number, answer in _answered(application, system, lines, count + 1):
            if answer is None:
                skipped += 1
            else:
                terminal.write(_json_line({"line": number, **answer}) + "\n")
        count += len(lines)
    if skipped:
        terminal.complain(f"{skipped:,} of {count:,} lines were passed over.")
    return 1 if count and skipped == count else 0


def _lines(path: Path | None) -> Iterator[list[bytes | None]]:
    """The lines of a file or of standard input, as many at once as are there; None for one that is too long."""
    from minilm.data import DataError
    from minilm.files import open_regular

    if path is not None:
        with open_regular(path, lambda message: DataError(f"FILE: {message}")) as file:
            yield from _cut(iter(lambda: file.read(AT_ONCE), b""))
        return
    stream: Any = sys.stdin
    if hasattr(stream, "buffer"):
        yield from _cut(iter(lambda: stream.buffer.read1(AT_ONCE), b""))
    else:  # what someone has put in its place
        yield from _cut(iter([stream.read().encode("utf-8", "surrogatepass")]))


def _cut(blocks: Iterator[bytes]) -> Iterator[list[bytes | None]]:
    """Lines from blocks of bytes. A line that is too long is not kept while it is read."""
    begun, lost = b"", False
    for block in blocks:
        *ended, rest = block.split(b"\n")
        lines: list[bytes | None] = []
        for end in ended:
            line, begun = begun + end, b""
            lines.append(None if lost or len(line) > LONGEST else line.removesuffix(b"\r"))
            lost = False
        begun += rest
        if len(begun) > LONGEST:
            begun, lost = b"", True
        if lines:
            yield lines
    if begun or lost:
        yield [None if lost else begun.removesuffix(b"\r")]


def _answered(
    application: Application[Any], system: System, lines: Sequence[bytes | None], first: int
) -> Iterator[tuple[int, Answer | None]]:
    """The answer to each line by its number; None, and a word on standard error, where there is none."""
    questions, faults = {}, {}
    for number, line in enumerate(lines, first):
        try:
            questions[number] = application.parse(_decoded(line, number))
        except ValueError as error:
            faults[number] = str(error)
    answers = _ask(system, questions, faults)
    for number in range(first, first + len(lines)):
        if number in faults:
            terminal.complain(f"line {number}: {faults[number]}")
        yield number, answers.get(number)


def _decoded(line: bytes | None, number: int) -> str:
    if line is None:
        raise ValueError(f"it has more than {LONGEST:,} bytes: cut it.")
    try:
        return line.decode("utf-8").removeprefix("\ufeff" if number == 1 else "")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"it is no UTF-8: byte 0x{line[error.start]:02x} at offset {error.start} ({error.reason})."
        ) from None


def _ask(system: System, questions: dict[int, Any], faults: dict[int, str]) -> dict[int, Answer]:
    """The answers. Where the system refuses a question, it is asked one by one, so that the others get theirs."""
    if not questions:
        return {}
    try:
        return dict(zip(questions, system(list(questions.values())), strict=True))
    except ValueError as error:
        if len(questions) == 1:
            faults[next(iter(questions))] = str(error)
            return {}
    answers = {}
    for number, question in questions.items():
        answers.update(_ask(system, {number: question}, faults))
    return answers


def _json_line(answer: Answer) -> str:
    """An answer on a line that every reader of JSON takes, and no terminal acts on."""
    text = json.dumps(answer, ensure_ascii=False)
    if terminal.cannot_show(text):
        return json.dumps(answer)
    return terminal.CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
