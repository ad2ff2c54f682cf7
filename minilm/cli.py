"""The command line: ``minilm train``, ``generate``, ``data``, ``book``, ``doctor``, and what the files beside it add."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import errno
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minilm import (
    cli_bugs,
    cli_capstone,
    cli_chat,
    cli_classroom,
    cli_corpus,
    cli_evaluate,
    cli_exercises,
    cli_models,
    cli_sweep,
    cli_task,
    terminal,
)
from minilm import options as kinds
from minilm.options import Parser, UsageError
from minilm.terminal import say

if TYPE_CHECKING:
    from minilm.models.gpt import GPTConfig
    from minilm.training.recipes import Recipe

FIRST_STEPS = """\
first steps:
  minilm train             a small model, in two minutes
  minilm generate RUN      text from it; RUN is its folder
  minilm COMMAND --help    the options of a command
"""
ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EROFS: "choose a place that can be written to",
    errno.EACCES: "check its permissions, or choose another place",
    errno.EPERM: "check its permissions, or choose another place",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.ENAMETOOLONG: "choose a shorter name",
}
NO_SETTINGS = ("command", "recipe", "out", "resume", "device", "quiet", "dashboard")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        the exit status: 0; 1 for an error that was explained; 2 for a command line that cannot be understood; 130 after Ctrl-C.
    """
    with terminal.standard_streams():
        try:
            status, message = _run(arguments)
        finally:
            terminal.give_up_broken_streams()
        if message:
            terminal.complain(message, after_ctrl_c=status == 130)
            terminal.give_up_broken_streams()
        return status


def _run(arguments: Sequence[str] | None) -> tuple[int, str]:
    """The exit status of a command, and the error to explain."""
    from minilm.backend import DeviceError
    from minilm.launch import BookError
    from minilm.parallel import RankError, WorkerError
    from minilm.parallel.launcher import launched_number

    try:
        options = parser().parse_args(arguments)
        return int(options.command(options)), ""
    except UsageError as error:
        return 2, "" if launched_number() else str(error)  # of several ranks that were told the same, one answers
    except KeyboardInterrupt:
        return 130, "stopped."
    except BrokenPipeError:  # the reader of the output has gone, as in `minilm data list | head`
        return 1, ""
    except RankError as error:
        return 1, "" if launched_number() else str(error)  # rank 0 tells it
    except (BookError, DeviceError, WorkerError, FloatingPointError, ValueError, OSError, MemoryError) as error:
        return 1, explanation(error)


def explanation(error: Exception) -> str:
    """The message of an error, and of what the system refused, what can be done."""
    if isinstance(error, terminal.OutputError):
        return f"the output cannot be written: {error.strerror}."
    if isinstance(error, OSError):
        return _os_error(error)
    if isinstance(error, MemoryError):
        return f"there is not enough memory ({error or 'for a part of it'}): choose a smaller model, batch or number of texts."
    if isinstance(error, UnicodeEncodeError):
        return f"{error.object[error.start : error.end]!r} cannot be written as {error.encoding}: {error.reason}."
    return str(error)


def _os_error(error: OSError) -> str:
    if error.errno is None:
        return str(error)
    if error.errno == errno.ENOENT and not _current_folder():
        return "the current folder does not exist any more: change to another one."
    name = (
        f"{terminal.shortened(os.fsdecode(error.filename), 300)}: " if isinstance(error.filename, str | bytes) else ""
    )
    advice = ADVICE.get(error.errno)
    return f"{name}{error.strerror}{f' ({advice})' if advice else ''}."


def _current_folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


def parser() -> Parser:
    """The whole command line, with help."""
    import minilm

    top = Parser(prog="minilm", description="Train small language models, and write text with them.", epilog=FIRST_STEPS,
                 formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    top.add_argument("--version", action="version", version=f"minilm {minilm.__version__}")
    kinds.help_alone(top)
    commands = top.add_subparsers(title="commands", metavar="COMMAND")
    _train_parser(commands)
    _generate_parser(commands)
    cli_chat.add_parser(commands)
    cli_evaluate.add_parser(commands)
    cli_task.add_parser(commands)
    cli_sweep.add_parser(commands)
    cli_corpus.add_parser(commands)
    cli_capstone.add_parser(commands)
    _data_parser(commands)
    cli_models.add_parser(commands)
    _book_parser(commands)
    cli_exercises.add_parsers(commands)
    cli_bugs.add_parser(commands)
    cli_classroom.add_parser(commands)
    doctor = commands.add_parser("doctor", help="print what is installed, and which devices can be used")
    doctor.set_defaults(command=run_doctor)
    return top


def _train_parser(commands: Any) -> None:
    from minilm.training.recipes import RECIPES

    p = commands.add_parser(
        "train",
        help="train a language model",
        description="Train a GPT, or with --recipe masked a BERT. Without options: on the text that every Python carries, in about two "
        "minutes on two cores.",
    )
    p.set_defaults(command=run_train)
    p.add_argument(
        "--data",
        type=kinds.text_source,
        metavar="TEXT",
        help="a .txt or .jsonl file, a folder of them, a URL, a name of `minilm data list`, or a corpus of `minilm corpus`",
    )
    p.add_argument(
        "--sha256",
        type=kinds.checksum,
        metavar="HEX",
        help="with a URL as --data: the checksum that the file must have",
    )
    recipes = "; ".join(f"{name}: {recipe.about}" for name, recipe in RECIPES.items())
    p.add_argument(
        "--recipe",
        type=kinds.name_of("recipe", RECIPES),
        default="default",
        metavar="NAME",
        help=f"named settings ({recipes})",
    )
    kinds.add_run(p, "RECIPE")
    count = kinds.integer(1)
    model = p.add_argument_group("tokenizer and model")
    model.add_argument(
        "--tokenizer",
        type=kinds.tokenizer,
        metavar="KIND",
        help="char, bpe, wordpiece, or the path of a tokenizer.json",
    )
    model.add_argument("--vocab-size", type=count, metavar="N", help="tokens of a new bpe or wordpiece tokenizer")
    model.add_argument("--layers", dest="n_layer", type=count, metavar="N", help="number of blocks")
    model.add_argument("--heads", dest="n_head", type=count, metavar="N", help="attention heads in each block")
    model.add_argument(
        "--width", dest="n_embd", type=count, metavar="N", help="numbers that represent one token; heads must divide it"
    )
    model.add_argument("--block-size", type=count, metavar="N", help="tokens the model can look back at")
    model.add_argument(
        "--dropout",
        type=kinds.number("a number of at least 0 and less than 1", lambda x: 0 <= x < 1),
        metavar="P",
        help="probability of dropping an activation in training",
    )
    kinds.add_training(p)


def _generate_parser(commands: Any) -> None:
    from minilm.training.language_model import PROMPT

    p = commands.add_parser(
        "generate",
        help="write text with a trained model",
        description="Write text with a trained model. Characters that would act on the terminal, such as the escape character, "
        "are written as \\x1b, also into a file; --raw writes them as they are.",
    )
    p.set_defaults(command=run_generate)
    p.add_argument("run", type=kinds.path, metavar="RUN", help="the run's folder")
    p.add_argument(
        "--prompt",
        type=kinds.any_text,
        default=PROMPT,
        metavar="TEXT",
        help="the text to continue (default: a new line)",
    )
    p.add_argument(
        "--tokens", type=kinds.integer(0), default=300, metavar="N", help="tokens to write at most (default 300)"
    )
    p.add_argument(
        "--samples", type=kinds.integer(1), default=1, metavar="N", help="how many continuations (default 1)"
    )
    p.add_argument(
        "--temperature",
        type=kinds.number("0 or a number above it", lambda x: x >= 0),
        default=0.8,
        metavar="X",
        help="0: always the likeliest token; 1: as the model says (default 0.8)",
    )
    p.add_argument("--top-k", type=kinds.integer(1), metavar="N", help="only the N likeliest tokens")
    p.add_argument(
        "--top-p",
        type=kinds.number("a number above 0 and at most 1", lambda x: 0 < x <= 1),
        metavar="P",
        help="only the fewest tokens that together have probability P",
    )
    p.add_argument(
        "--repetition-penalty",
        type=kinds.number("a number above 0", lambda x: x > 0),
        default=1.0,
        metavar="X",
        help="more than 1: avoid tokens that were used",
    )
    p.add_argument(
        "--stop",
        type=kinds.some_text,
        action="append",
        default=[],
        metavar="TEXT",
        help="end before this text; may be given several times",
    )
    p.add_argument("--seed", type=kinds.integer(0), metavar="N", help="the same seed gives the same text")
    p.add_argument("--raw", action="store_true", help="write control characters as they are")
    kinds.add_device(p)


def _data_parser(commands: Any) -> None:
    p = commands.add_parser("data", help="the table of data sets")
    kinds.help_alone(p)
    data = p.add_subparsers(title="commands", metavar="COMMAND")
    data.add_parser("list", help="name, state and content of each").set_defaults(command=run_data_list)
    show = data.add_parser("show", help="source, licence, size, checksums and citation of one")
    show.set_defaults(command=run_data_show)
    get = data.add_parser("get", help="fetch one into the cache, verify it, and print where its files are")
    get.set_defaults(command=run_data_get)
    for p in (show, get):
        p.add_argument("name", type=kinds.some_text, metavar="NAME", help="a name of `minilm data list`")


def _book_parser(commands: Any) -> None:
    p = commands.add_parser(
        "book",
        help="open the book's notebooks in JupyterLab",
        description="Open the book's notebooks in JupyterLab, and mark them as trusted, so that their step-throughs work at once.",
    )
    p.set_defaults(command=run_book)
    p.add_argument(
        "chapter",
        nargs="?",
        type=kinds.chapter_or_section,
        metavar="CHAPTER",
        help="its number, chapter-section as 6-3, or an appendix's letter, as A (default: the first)",
    )
    p.add_argument("--no-browser", action="store_true", help="print the address instead of opening it")
    p.add_argument(
        "--jupyter",
        type=kinds.some_text,
        action="append",
        default=[],
        metavar="OPTION",
        help="a further option of JupyterLab, as --jupyter=--port=9999; may be given several times",
    )


def run_train(options: argparse.Namespace) -> int:
    """``minilm train``"""
    return kinds.on_all_ranks(options, _train)


def _train(options: argparse.Namespace) -> int:
    from minilm.training.loop import train
    from minilm.training.recipes import find_recipe, resume_run, start_run

    device = kinds.device_named(options.device)  # before a folder is made
    given = {k: v for k, v in vars(options).items() if v is not None and k not in NO_SETTINGS}
    if options.resume:
        if options.out or options.recipe != "default":
            raise ValueError(
                "--resume goes on in the run's own folder, with its own recipe; it takes neither --out nor --recipe."
            )
        with _named("--resume"):
            _refuse_run_of_application(options.resume)
            run, text = resume_run(options.resume, kinds.without_auto(given))
    else:
        folder = options.out or kinds.free_folder(options.recipe)
        recipe = find_recipe(options.recipe)
        check_settings(recipe, given, device)
        with _settings_named(given, folder):
            run, text = start_run(folder, recipe, kinds.without_auto(given))
    with run.locked(), run.undone_unless_begun():
        vocab_size, source, tokens = run.task.config.vocab_size, run.task.text, len(text.train) + len(text.validation)
        say(f"{source.source}: {source.characters:,} characters, {tokens:,} tokens from a vocabulary of {vocab_size:,}")
        say(f"{run.task.shape}; on {kinds.computing(run, device)}; run folder {run.folder}")
        kinds.say_phase(run)
        kinds.settle_threads(options, run, text, device)
        outcome = train(run, text, device=device, progress=not options.quiet, dashboard=options.dashboard)
    if outcome.reason == "interrupted":
        return kinds.say_stopped(run, outcome)
    kinds.say_ended(run, outcome, run.task.result(outcome.validation_loss, outcome.measures))
    terminal.write(f"\nA sample:\n{terminal.visible(_sample(run, text, device))}\n\n")
    say(run.task.more(kinds.typed(run.folder)))
    return 0


def _refuse_run_of_application(folder: Path) -> None:
    """A run of ``minilm task`` goes on with that command."""
    from minilm.applications import PLACES
    from minilm.training.config import task_named_in

    if (task := task_named_in(folder / "config.json")) in PLACES:
        raise ValueError(
            f"{folder} is a run of the task {task}: minilm task {task} train --resume {kinds.typed(folder)}"
        )


def option_names() -> dict[str, str]:
    """The option of ``minilm train`` for each setting of a run: {"n_head": "--heads", ...}."""
    commands = argparse.ArgumentParser().add_subparsers(parser_class=Parser)
    _train_parser(commands)
    actions = commands.choices["train"]._actions
    return {action.dest: action.option_strings[0] for action in actions if action.dest not in (*NO_SETTINGS, "help")}


def check_settings(recipe: Recipe, given: dict[str, Any], device: str = "cpu") -> None:
    """Refuses settings that do not fit each other, in the names of the options, before anything is read or made.

    Raises:
        ValueError: which options do not fit, and what would.
    """
    from minilm.backend.detect import memory
    from minilm.training.recipes import TASKS
    from minilm.training.settings import TrainConfig

    task, kind = TASKS[recipe.task], given.get("tokenizer", recipe.tokenizer)
    learned = kind in ("bpe", "wordpiece")
    if "vocab_size" in given and not learned:
        raise ValueError(
            f"--vocab-size is for a new bpe or wordpiece tokenizer (as with --tokenizer bpe), and the tokenizer is {kind}."
        )
    is_url = given.get("data", "").startswith(("http://", "https://"))
    if is_url and "sha256" not in given:
        raise ValueError(f"--data {given['data']} needs --sha256, the checksum that the file must have.")
    if "sha256" in given and not is_url:
        raise ValueError("--sha256 is the checksum of a file that is fetched: it needs a URL as --data.")
    least = given.get("vocab_size", recipe.vocab_size) if learned else 1
    standard = {
        **dataclasses.asdict(TrainConfig()),
        **task.settings_of(task.make_config(least, recipe.model)),
        **recipe.training,
    }
    settings, names = {**standard, **given}, option_names()

    def of(name: str) -> str:
        return f"{names[name]} {settings[name]}{'' if name in given else ' (the default)'}"

    if settings["n_embd"] % settings["n_head"]:
        raise ValueError(f"{of('n_head')} does not divide {of('n_embd')}: each head has an equal part of the width.")
    kinds.check_training(settings, of)
    config = task.make_config(least, {name: settings[name] for name in task.model_settings})
    there, (weights, need) = memory(), task.sizes(config, settings["batch_size"])
    if device == "cpu" and there is not None and need > there:
        raise ValueError(
            f"a model of {weights:,} weights takes at least {need / 1e9:,.0f} GB of memory to train with "
            f"{of('batch_size')}, and there are {there / 1e9:,.0f} GB: choose a smaller --width, --layers, --block-size or --batch-size."
        )


@contextlib.contextmanager
def _named(option: str) -> Iterator[None]:
    """Within it, the message of an error begins with the option that is to blame."""
    try:
        yield
    except (ValueError, OSError) as error:
        message = _in_options(error)
        raise ValueError(message if option in message else f"{option}: {message}") from None


@contextlib.contextmanager
def _settings_named(given: dict[str, Any], folder: Path) -> Iterator[None]:
    """Within it, an error names the option that the user typed, not the setting that it stands for, nor none."""
    from minilm.data import DataError
    from minilm.text import TokenizerError
    from minilm.training.checkpoint import CheckpointError

    try:
        yield
    except (ValueError, OSError) as error:
        message = _in_options(error)
        blamed = "--data"
        if isinstance(error, TokenizerError):
            blamed = "--vocab-size" if "vocab_size" in message else "--tokenizer"
        elif isinstance(error, CheckpointError) or (
            isinstance(error, OSError) and str(error.filename).startswith(str(folder))
        ):
            blamed = "--out"
        elif not isinstance(error, OSError | DataError) and "part of the text" not in message:
            blamed = ""
        known = blamed.removeprefix("--").replace("-", "_") in given or blamed == "--out"
        raise ValueError(f"{blamed}: {message}" if known and blamed not in message else message) from None


def _in_options(error: Exception) -> str:
    """The explanation of an error; a plain ValueError is one of settings, told in options."""
    return in_options(str(error)) if type(error) is ValueError else explanation(error)


def in_options(message: str) -> str:
    """A message about settings ("n_head must be ...", "n_head=3") in the names of the options that set them."""
    names = option_names()
    settings = "|".join(sorted(names, key=len, reverse=True))
    message = re.sub(
        rf"^(?:GPT|Bert)Config: |\b({settings})=", lambda found: f"{names[found[1]]} " if found[1] else "", message
    )
    return re.sub(rf"\b({settings})(?= must be )", lambda found: names[found[1]], message)


def _sample(run: Any, text: Any, device: str) -> str:
    """What the best weights do."""
    return str(run.task.sample(run.model(device), run.task.tokenizer(run.folder), text, run.train_config.seed))


def run_generate(options: argparse.Namespace) -> int:
    """``minilm generate``"""
    from minilm.text import TextStream
    from minilm.training.language_model import PROMPT, encode_prompt
    from minilm.training.recipes import open_run

    device = kinds.device_named(options.device)
    with _named("RUN"):
        run = open_run(options.run)
    tokenizer, model = run.task.tokenizer(run.folder), run.model(device)
    with _named("--prompt"):
        prompt = encode_prompt(tokenizer, options.prompt) or [0]
    _check_room(model.config, options.samples, len(prompt) + options.tokens)
    streams = [
        TextStream(tokenizer, prompt, stops=options.stop, shown=options.prompt != PROMPT)
        for _ in range(options.samples)
    ]
    pieces: list[list[str]] = [[stream.head] for stream in streams]
    write = terminal.Writer(options.raw)

    def on_token(i: int, id: int) -> bool:
        piece = streams[i].add(id)
        if i:
            pieces[i].append(piece)
        else:
            write(piece)
        return streams[i].ended

    write(streams[0].head)
    model.generate(
        [prompt] * options.samples,
        options.tokens,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        repetition_penalty=options.repetition_penalty,
        seed=options.seed,
        on_token=on_token,
    )
    write(streams[0].finish() + "\n")
    for stream, written in zip(streams[1:], pieces[1:], strict=True):
        write("-" * 20 + "\n" + "".join(written) + stream.finish() + "\n")
    write.explain()
    return 0


def _check_room(config: GPTConfig, texts: int, tokens: int) -> None:
    """Refuses more texts at once than the memory holds, before it is taken."""
    from minilm.backend.detect import memory
    from minilm.models.size import writing_bytes

    there, need = memory(), writing_bytes(config, texts, tokens)
    if there is not None and need > there:
        raise ValueError(
            f"--samples {texts}: that many texts at once take at least {need / 1e9:,.0f} GB of memory, and there are "
            f"{there / 1e9:,.0f}: write fewer at a time."
        )


def run_data_list(_options: argparse.Namespace) -> int:
    """``minilm data list``"""
    from minilm.data import list_datasets

    rows = [(row["name"], row["state"], row["holds"]) for row in list_datasets()]
    terminal.write(terminal.table([("name", "state", "holds"), *rows], terminal.columns()) + "\n")
    return 0


def run_data_show(options: argparse.Namespace) -> int:
    """``minilm data show``"""
    from minilm.data import describe

    say(describe(options.name))
    return 0


def run_data_get(options: argparse.Namespace) -> int:
    """``minilm data get``"""
    from minilm.data import get_files

    for path in get_files(options.name):
        terminal.write(f"{path}\n")
    return 0


def run_book(options: argparse.Namespace) -> int:
    """``minilm book``"""
    from minilm.launch import open_book

    return open_book(options.chapter, [*(["--no-browser"] if options.no_browser else []), *options.jupyter])


def run_doctor(_options: argparse.Namespace) -> int:
    """``minilm doctor``"""
    from minilm.backend.detect import describe

    terminal.write(terminal.table(describe(), terminal.columns()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
