"""What an option of the command line may be: each kind is a function of the text that was typed, and says what it expected."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from minilm import terminal
from minilm.terminal import did_you_mean, say, shortened

if TYPE_CHECKING:
    from minilm.training.loop import Outcome
    from minilm.training.run import Run

MOST = 2**63 - 1


class UsageError(Exception):
    """A command line that cannot be understood; the message names the option as it is typed."""


class Parser(argparse.ArgumentParser):
    """An `argparse.ArgumentParser` whose errors are a sentence or two, with the name that was perhaps meant.

    Attributes:
        alone: the words that are meant where none follow the command.
        behind: the name of what stands behind a "--" alone, where that is another command's line; "": it is as ever.
    """

    alone: Sequence[str] = ()
    behind = ""

    def error(self, message: str) -> NoReturn:
        message = message.removeprefix("argument ")
        if message.endswith("expected one argument"):
            option = message.split(":")[0].split("/")[0]
            message = f"{option} needs a value; one that begins with '-' is joined to it: {option}=-x"
        end = "" if message.endswith((".", "?")) else "."
        raise UsageError(f"{message}{end}\n`{self.prog} --help` lists what there is.")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Help and version; the base class passes over an output that cannot be written to."""
        terminal.write(message)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuses what it does not know, where the options are that it could have been."""
        words = sys.argv[1:] if args is None else args
        if self.behind:
            cut = list(words).index("--") if "--" in words else len(words)
            namespace = argparse.Namespace() if namespace is None else namespace
            setattr(namespace, self.behind, list(words[cut + 1 :]))
            words = words[:cut]
        options, unknown = super().parse_known_args(words or list(self.alone), namespace)
        if unknown:
            word = str(unknown[0])
            if not word.startswith("-"):
                self.error(f"{quoted(word)} is one argument too many")
            option = word.split("=")[0]
            self.error(
                f"there is no option {shortened(option, 60)}.{did_you_mean(option, self._option_string_actions)}"
            )
        return options, unknown

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Python before 3.13 takes ``--stop=--``, or the last ``--`` of ``check -- 4.9 --``, for the end of the options: an empty list."""
        if arg_strings == ["--"] and (action.option_strings or action.nargs is None):
            return self._get_value(action, "--")
        return super()._get_values(action, arg_strings)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            names = list(action.choices)
            self.error(
                f"there is no {action.metavar} {quoted(str(value))}: {', '.join(names)}.{did_you_mean(str(value), names)}"
            )


def quoted(text: str) -> str:
    """The text as Python writes it, of a length that can be read."""
    return shortened(repr(text), 60)


def integer(least: int, most: int = MOST) -> Callable[[str], int]:
    """An integer from `least` to `most`, in digits."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]+", text):
            raise argparse.ArgumentTypeError(f"expected an integer of at least {least}, got {quoted(text)}")
        value = int(text) if len(text) < 25 else MOST + 1 if text[0] != "-" else least - 1  # int() refuses 5,000 digits
        if value < least:
            raise argparse.ArgumentTypeError(f"expected an integer of at least {least}, got {shortened(text, 60)}")
        if value > most:
            raise argparse.ArgumentTypeError(f"expected an integer of at most {most}, got {shortened(text, 60)}")
        return value

    return read


def integer_or_auto(most: int) -> Callable[[str], int | str]:
    """An integer from 1 to `most`, or "auto"."""
    read = integer(1, most)

    def read_or_auto(text: str) -> int | str:
        if text.isalpha() and text != "auto":
            raise argparse.ArgumentTypeError(f"expected auto or an integer of at least 1, got {quoted(text)}")
        return text if text == "auto" else read(text)

    return read_or_auto


def chapter_or_section(text: str) -> int | tuple[int, int]:
    """A chapter of the book, "6", or one of its sections, "6-3": one number or two. Appendix A counts as chapter 101."""
    if re.fullmatch("[A-Z]", text):
        return 101 + ord(text) - ord("A")
    found = re.fullmatch(r"([0-9]{1,3})(?:[-.]([1-9][0-9]{0,2}))?", text)
    if not found or not int(found[1]):
        raise argparse.ArgumentTypeError(
            f"expected a chapter, as 6, 6-3 (a section) or A (an appendix), got {quoted(text)}"
        )
    return (int(found[1]), int(found[2])) if found[2] else int(found[1])


def number(expected: str, fits: Callable[[float], bool]) -> Callable[[str], float]:
    """A finite number that `fits`; `expected` says which, as "a number above 0"."""

    def read(text: str) -> float:
        written = re.fullmatch(r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)(e[+-]?[0-9]+)?", text, re.IGNORECASE)
        if not written or abs(value := float(text)) == float("inf") or not fits(value):
            raise argparse.ArgumentTypeError(f"expected {expected}, got {quoted(text)}")
        return value

    return read


def name_of(what: str, names: Iterable[str]) -> Callable[[str], str]:
    """One of the names, such as those of the recipes."""
    there = list(names)

    def read(text: str) -> str:
        if text not in there:
            listed = ", ".join(there)
            raise argparse.ArgumentTypeError(
                f"there is no {what} {quoted(text)}; there are {listed}.{did_you_mean(text, there)}"
            )
        return text

    return read


def some_text(text: str) -> str:
    """A text of at least one character."""
    if not text:
        raise argparse.ArgumentTypeError("expected some text, got none")
    return text


def any_text(text: str) -> str:
    """Any text that is text: not bytes that the terminal's encoding does not know."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise argparse.ArgumentTypeError(f"expected text, got bytes that are none in this encoding: {quoted(text)}")
    return text


def path(text: str) -> Path:
    """A path, "~" for the home folder included."""
    try:
        can_be = bool(text) and b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        can_be = False
    if not can_be:
        raise argparse.ArgumentTypeError(f"expected a path, got {quoted(text)}")
    whole = os.path.expanduser(text)
    if text.startswith("~") and whole == text and not os.path.exists(text):
        raise argparse.ArgumentTypeError(f"there is no home folder {quoted(text.split('/')[0])}")
    return Path(whole)


def model(text: str) -> str:
    """The name of a model, or a path."""
    path(text)
    return any_text(text)


def text_source(text: str) -> str:
    """What `minilm.data.iter_text` reads: a file, a folder, a data set's name or a URL. Its name goes into the run's settings."""
    there = path(text)
    any_text(text)
    if os.path.exists(there) and not (os.path.isfile(there) or os.path.isdir(there)):
        raise argparse.ArgumentTypeError(f"{text} is not a regular file: expected a file of text, or a folder of them")
    return text


TOKENIZERS = ("char", "bpe", "wordpiece")


def tokenizer(text: str) -> str:
    """ "char", "bpe", "wordpiece", or the path of a tokenizer.json."""
    if text in TOKENIZERS:
        return text
    if not os.path.isfile(there := path(text)):
        guess = did_you_mean(text, TOKENIZERS)
        raise argparse.ArgumentTypeError(
            f"expected {', '.join(TOKENIZERS)} or the path of a tokenizer.json; there is no file {quoted(text)}.{guess}"
        )
    return str(there)


def checksum(text: str) -> str:
    """A SHA-256."""
    if not re.fullmatch("[0-9a-fA-F]{64}", text):
        raise argparse.ArgumentTypeError(f"expected a SHA-256, 64 hexadecimal digits, got {quoted(text)}")
    return text


# -- what several commands do with their options ------------------------------------------------------------------------


def help_alone(p: Parser) -> None:
    """Without a command a parser of commands prints its help: a first look is no mistake."""

    def run_help(_options: argparse.Namespace) -> int:
        p.print_help()
        return 0

    p.set_defaults(command=run_help)


def add_device(p: Any) -> None:
    """Adds ``--device``."""
    p.add_argument(
        "--device", type=some_text, default="auto", help="cpu, cuda, or auto: a GPU if one can be used (default)"
    )


def device_named(text: str) -> str:
    """The name of the device that ``--device`` stands for.

    Raises:
        DeviceError: there is none of that name, or it cannot be used.
    """
    from minilm.backend import DeviceError, get_device

    try:
        return get_device(text).name
    except DeviceError as error:
        raise DeviceError(f"--device: {error}{did_you_mean(text, ('cpu', 'cuda', 'auto'))}") from None


@contextlib.contextmanager
def named(option: str) -> Iterator[None]:
    """Within it, the message of an error begins with the option that is to blame."""
    try:
        yield
    except (ValueError, OSError) as error:
        told = str(error)
        if isinstance(error, OSError) and error.errno is not None:
            told = f"{error.filename}: {error.strerror}"
        raise ValueError(told if option in told else f"{option}: {told}") from None


# -- what the commands that train have in common --------------------------------------------------------------------------


def add_run(p: Any, name: str) -> None:
    """Adds what says in which folder is trained, and how it is shown: ``--out``, ``--resume``, ``--device``, ``--quiet``,
    ``--dashboard``.

    Args:
        name: of the folders that are made where ``--out`` does not say, as in runs/NAME-1.
    """
    p.add_argument(
        "--out", type=path, metavar="RUN", help=f"the run's folder, new or empty (default: runs/{name}-1, -2, ...)"
    )
    p.add_argument(
        "--resume",
        type=path,
        metavar="RUN",
        help="go on with a run where its last checkpoint is; with training options: in a new phase",
    )
    add_device(p)
    p.add_argument("--quiet", action="store_true", help="no progress bar")
    p.add_argument(
        "--dashboard",
        action="store_true",
        help="write each layer's gradient, weights, update and dead units to flow.jsonl, and draw them in flow.png",
    )


def add_training(p: Any) -> list[str]:
    """Adds the options that are settings of a training (`minilm.training.settings.TrainConfig`); returns the names of the settings."""
    count, rate = integer(1), number("a number of at least 0", lambda x: x >= 0)
    training = p.add_argument_group("training")
    kinds: tuple[tuple[str, Callable[[str], Any], str], ...] = (
        ("steps", count, "updates; with --resume those of the run in all"),
        ("batch-size", count, "examples a forward pass"),
        ("accumulate", count, "forward passes an update"),
        ("learning-rate", number("a number above 0", lambda x: x > 0), "highest learning rate"),
        ("min-learning-rate", rate, "learning rate at the end"),
        ("warmup", integer(0), "steps in which the learning rate rises"),
        ("weight-decay", rate, "AdamW's decay of the matrices"),
        ("clip", rate, "largest norm of the gradient; 0: not clipped"),
        ("eval-every", count, "steps between evaluations"),
        ("patience", integer(0), "stop after so many evaluations without a better validation loss; 0: never"),
        ("checkpoint-every", count, "steps between checkpoints"),
        ("seed", integer(0), "of weights, batches and dropout"),
        ("processes", integer(1, 256), "processes that share each batch on the CPU, with a core each"),
        (
            "threads-per-batch",
            integer_or_auto(256),
            "threads that share each batch on the CPU; auto: as many as a few measured steps find fastest, which the run keeps",
        ),
    )
    for name, kind, text in kinds:
        metavar = "X" if name in ("learning-rate", "min-learning-rate", "weight-decay", "clip") else "N"
        training.add_argument(f"--{name}", type=kind, metavar=metavar, help=text)
    return [name.replace("-", "_") for name, _, _ in kinds]


def on_all_ranks(options: argparse.Namespace, lead: Callable[[argparse.Namespace], int]) -> int:
    """Runs a command that trains. Of the ranks that mpiexec started, rank 0 runs it, and the others compute what it asks for.

    Raises:
        ValueError: ``--processes`` was given, too.
        RankError: mpiexec started this process, and there is no MPI that knows of it.
    """
    from minilm.parallel import world
    from minilm.parallel.launcher import NOT_BOTH
    from minilm.training.follow import follow

    ranks = world()
    if ranks is None:
        return lead(options)
    if ranks.number:
        follow(ranks)
        return 0
    with ranks.together():
        if (options.processes or 1) > 1:
            raise ValueError(f"--processes: {NOT_BOTH}")
        return lead(options)


def check_training(settings: Mapping[str, Any], of: Callable[[str], str]) -> None:
    """Refuses settings of a training that do not fit each other, in the names of the options.

    Args:
        of: from the name of a setting to its option with its value.

    Raises:
        ValueError: which options do not fit, and what would.
    """
    if settings["min_learning_rate"] > settings["learning_rate"]:
        raise ValueError(
            f"{of('min_learning_rate')} is above {of('learning_rate')}: the rate falls to it, so it is at most that."
        )
    from minilm.parallel.launcher import launched_count

    if (ranks := launched_count()) > settings["batch_size"]:
        raise ValueError(
            f"mpiexec started {ranks} ranks, more than {of('batch_size')}: each needs an example of the batch."
        )
    if settings["processes"] > 1 and settings["threads_per_batch"] != 1:
        raise ValueError(f"{of('threads_per_batch')} and {of('processes')} exclude each other: a process has one core.")
    if settings["threads_per_batch"] == "auto":
        if ranks > 1:
            raise ValueError(
                f"{of('threads_per_batch')}: the ranks that mpiexec started would measure each other; give a number."
            )
    elif settings["threads_per_batch"] > settings["batch_size"]:
        raise ValueError(
            f"{of('threads_per_batch')} is more than {of('batch_size')}: each thread needs an example of the batch."
        )
    if settings["processes"] > settings["batch_size"]:
        raise ValueError(
            f"{of('processes')} is more than {of('batch_size')}: each process needs an example of the batch."
        )


def without_auto(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were given, but for the one that `settle_threads` measures later."""
    return {name: value for name, value in given.items() if (name, value) != ("threads_per_batch", "auto")}


def settle_threads(options: argparse.Namespace, run: Run[Any], data: Any, device: str) -> None:
    """With ``--threads-per-batch auto``, measures, tells and records how many threads share each batch of a run that is locked."""
    if options.threads_per_batch == "auto":
        from minilm.training.threads import settle_threads

        choice = settle_threads(run, data, device)
        say(f"--threads-per-batch {choice.threads} (auto): {choice.why}")


def free_folder(name: str) -> Path:
    """The first of runs/NAME-1, -2, ... that is not there."""
    count = 1
    while (folder := Path("runs") / f"{name}-{count}").exists():
        count += 1
    return folder


def computing(run: Run[Any], device: str) -> str:
    """Where a run is computed, in words: "cpu, each batch on 2 threads"."""
    config = run.train_config
    several = {"threads": config.threads_per_batch, "processes": config.processes}
    return ", each batch on ".join([device, *(f"{count} {name}" for name, count in several.items() if count > 1)])


def say_phase(run: Run[Any]) -> None:
    """Tells which phase of a run begins, if it is not its first."""
    if run.phases:
        phase = run.phases[-1]
        changes = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in phase.changes.items())
        say(f"phase {len(run.phases) + 1}, begun after step {phase.began}: {changes}")


def say_stopped(run: Run[Any], outcome: Outcome) -> int:
    """Tells how to go on with a training that was interrupted; returns the exit status."""
    say(f"Stopped after step {outcome.step} of {run.train_config.steps}; nothing is lost. Go on with:")
    say(f"  {run.command}")
    return 130


def say_ended(run: Run[Any], outcome: Outcome, result: str) -> None:
    """Tells how a training ended, with its `result`, and where its curve and its card are."""
    say(f"{outcome.reason} after step {outcome.step}, {outcome.seconds:.0f} s")
    say(result)
    say(f"loss curve: {run.folder / 'loss.png'}")
    say(f"model card: {run.folder / 'card.md'}")
    if os.path.exists(run.folder / "flow.png"):
        say(f"layers: {run.folder / 'flow.png'}")


def typed(path: Path) -> str:
    """The path as a shell takes it."""
    return shlex.quote(str(path)) if os.name == "posix" else f'"{path}"' if " " in str(path) else str(path)
