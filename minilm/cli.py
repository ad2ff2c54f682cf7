"""The command line: ``minilm train``, ``generate``, ``data``, ``book``, ``doctor``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MODEL_OPTIONS = {"block_size", "n_layer", "n_head", "n_embd", "dropout"}
PROMPT = "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status: 0, 1 for an error that was explained, 130 after Ctrl-C."""
    from minilm.backend import DeviceError
    from minilm.book.launch import BookError
    from minilm.checkpoint import CheckpointError
    from minilm.data import DataError
    from minilm.text import TokenizerError

    options = parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except (
        BookError,
        CheckpointError,
        DataError,
        TokenizerError,
        DeviceError,
        FileExistsError,
        ValueError,
        FloatingPointError,
    ) as error:
        print(f"minilm: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has gone, as in `minilm data list | head`
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        print("\nminilm: stopped.", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """The whole command line, with help."""
    import minilm

    top = argparse.ArgumentParser(prog="minilm", description="Train small language models, and write text with them.")
    top.add_argument("--version", action="version", version=f"minilm {minilm.__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _train_parser(commands)
    _generate_parser(commands)
    _data_parser(commands)
    _book_parser(commands)
    doctor = commands.add_parser("doctor", help="print what is installed, and which devices can be used")
    doctor.set_defaults(command=run_doctor)
    return top


def _train_parser(commands: Any) -> None:
    from minilm.recipes import RECIPES

    p = commands.add_parser(
        "train",
        help="train a language model",
        description="Train a GPT. Without options: on the text that every Python carries, in about two minutes on two cores.",
    )
    p.set_defaults(command=run_train)
    p.add_argument(
        "--data", metavar="TEXT", help="a .txt or .jsonl file, a folder of them, a URL, or a name of `minilm data list`"
    )
    p.add_argument("--sha256", metavar="HEX", help="with a URL as --data: the checksum that the file must have")
    recipes = "; ".join(f"{name}: {recipe.about}" for name, recipe in RECIPES.items())
    p.add_argument("--recipe", default="default", metavar="NAME", help=f"named settings ({recipes})")
    p.add_argument(
        "--out", type=Path, metavar="RUN", help="the run's folder, new or empty (default: runs/RECIPE-1, -2, ...)"
    )
    p.add_argument(
        "--resume",
        type=Path,
        metavar="RUN",
        help="go on with a run where its last checkpoint is; with training options: in a new phase",
    )
    p.add_argument("--device", default="auto", help="cpu, cuda, or auto: a GPU if one can be used (default)")
    p.add_argument("--quiet", action="store_true", help="no progress bar")
    model = p.add_argument_group("tokenizer and model")
    model.add_argument("--tokenizer", metavar="KIND", help="char, bpe, or the path of a tokenizer.json")
    model.add_argument("--vocab-size", type=int, metavar="N", help="tokens of a new bpe tokenizer")
    model.add_argument("--layers", dest="n_layer", type=int, metavar="N", help="number of blocks")
    model.add_argument("--heads", dest="n_head", type=int, metavar="N", help="attention heads in each block")
    model.add_argument(
        "--width", dest="n_embd", type=int, metavar="N", help="numbers that represent one token; heads must divide it"
    )
    model.add_argument("--block-size", type=int, metavar="N", help="tokens the model can look back at")
    model.add_argument("--dropout", type=float, metavar="P", help="probability of dropping an activation in training")
    training = p.add_argument_group("training")
    for name, kind, text in (
        ("steps", int, "updates; with --resume those of the run in all"),
        ("batch-size", int, "sequences a forward pass"),
        ("accumulate", int, "forward passes an update"),
        ("learning-rate", float, "highest learning rate"),
        ("min-learning-rate", float, "learning rate at the end"),
        ("warmup", int, "steps in which the learning rate rises"),
        ("weight-decay", float, "AdamW's decay of the matrices"),
        ("clip", float, "largest norm of the gradient; 0: not clipped"),
        ("eval-every", int, "steps between evaluations"),
        ("patience", int, "stop after so many evaluations without a better validation loss; 0: never"),
        ("checkpoint-every", int, "steps between checkpoints"),
        ("seed", int, "of weights, batches and dropout"),
        ("processes", int, "processes that share each batch on the CPU, with a core each"),
    ):
        training.add_argument(f"--{name}", type=kind, metavar="N" if kind is int else "X", help=text)


def _generate_parser(commands: Any) -> None:
    p = commands.add_parser("generate", help="write text with a trained model")
    p.set_defaults(command=run_generate)
    p.add_argument("run", type=Path, metavar="RUN", help="the run's folder")
    p.add_argument("--prompt", default=PROMPT, metavar="TEXT", help="the text to continue (default: a new line)")
    p.add_argument("--tokens", type=int, default=300, metavar="N", help="tokens to write at most (default 300)")
    p.add_argument("--samples", type=int, default=1, metavar="N", help="how many continuations (default 1)")
    p.add_argument(
        "--temperature",
        type=float,
        default=0.8,
        metavar="X",
        help="0: always the likeliest token; 1: as the model says (default 0.8)",
    )
    p.add_argument("--top-k", type=int, metavar="N", help="only the N likeliest tokens")
    p.add_argument("--top-p", type=float, metavar="P", help="only the fewest tokens that together have probability P")
    p.add_argument(
        "--repetition-penalty", type=float, default=1.0, metavar="X", help="more than 1: avoid tokens that were used"
    )
    p.add_argument(
        "--stop", action="append", default=[], metavar="TEXT", help="end before this text; may be given several times"
    )
    p.add_argument("--seed", type=int, metavar="N", help="the same seed gives the same text")
    p.add_argument("--device", default="auto", help="cpu, cuda or auto (default)")


def _data_parser(commands: Any) -> None:
    data = commands.add_parser("data", help="the table of data sets").add_subparsers(
        required=True, metavar="list|show|get"
    )
    data.add_parser("list", help="one line a data set").set_defaults(command=run_data_list)
    show = data.add_parser("show", help="source, licence, size, checksum and citation of one")
    show.set_defaults(command=run_data_show)
    get = data.add_parser("get", help="fetch one into the cache, verify it, and print its path")
    get.set_defaults(command=run_data_get)
    for p in (show, get):
        p.add_argument("name", metavar="NAME", help="a name of `minilm data list`")


def _book_parser(commands: Any) -> None:
    p = commands.add_parser(
        "book",
        help="open the book's notebooks in JupyterLab",
        description="Open the book's notebooks in JupyterLab, and mark them as trusted, so that their step-throughs work at once.",
    )
    p.set_defaults(command=run_book)
    p.add_argument("chapter", nargs="?", type=int, metavar="CHAPTER", help="its number (default: the first)")
    p.add_argument("--no-browser", action="store_true", help="print the address instead of opening it")
    p.add_argument(
        "--jupyter",
        action="append",
        default=[],
        metavar="OPTION",
        help="a further option of JupyterLab, as --jupyter=--allow-root; may be given several times",
    )


def run_train(options: argparse.Namespace) -> int:
    """``minilm train``"""
    from minilm.backend import get_device
    from minilm.recipes import find_recipe, resume_run, start_run
    from minilm.train import train

    device = get_device(options.device).name  # before a folder is made
    given = {k: v for k, v in vars(options).items() if v is not None and k not in
             ("command", "recipe", "out", "resume", "device", "quiet")}  # fmt: skip
    if options.resume:
        if options.out or options.recipe != "default":
            raise ValueError(
                "--resume goes on in the run's own folder, with its own recipe; it takes neither --out nor --recipe."
            )
        run, text = resume_run(options.resume, given)
    else:
        folder = options.out or _free_folder(options.recipe)
        run, text = start_run(folder, find_recipe(options.recipe), given)
    with run.locked(), run.undone_unless_begun():
        model = run.model_config
        tokens = len(text.train) + len(text.validation)
        print(f"{run.text.source}: {run.text.characters:,} characters, {tokens:,} tokens of {model.vocab_size}")
        shape = f"{model.n_layer} layers, {model.n_head} heads, {model.n_embd} wide, context {model.block_size}"
        print(f"GPT: {shape}; on {device}; run folder {run.folder}")
        if run.phases:
            print(
                f"phase {len(run.phases) + 1}, begun after step {run.phases[-1].began}: {_listed(run.phases[-1].changes)}"
            )
        outcome = train(run, text, device=device, progress=not options.quiet)
    if outcome.reason == "interrupted":
        print(f"Stopped after step {outcome.step} of {run.train_config.steps}; nothing is lost. Go on with:")
        print(f"  {run.command}")
        return 130
    print(f"{outcome.reason} after step {outcome.step}, {outcome.seconds:.0f} s")
    print(
        f"validation loss {outcome.validation_loss:.4f} nats a token, {outcome.bits_per_character:.3f} bits per character"
    )
    print(f"loss curve: {run.folder / 'loss.png'}\n\nA sample:\n{_sample(run, device)}\n")
    print(f'Write more with:\n  minilm generate {run.folder} --prompt "The "')
    return 0


def _listed(changes: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in changes.items())


def _free_folder(recipe: str) -> Path:
    number = 1
    while (folder := Path("runs") / f"{recipe}-{number}").exists():
        number += 1
    return folder


def _sample(run: Any, device: str) -> str:
    tokenizer, model = run.tokenizer(), run.model(device)
    prompt = encode_prompt(tokenizer, PROMPT) or [0]
    (ids,) = model.generate([prompt], 300, temperature=0.8, seed=run.train_config.seed)
    return str(tokenizer.decode(ids)).strip("\n")


def encode_prompt(tokenizer: Any, prompt: str) -> list[int]:
    """The prompt's ids; empty where it is the default prompt and the tokenizer does not know the new line."""
    from minilm.text import TokenizerError

    try:
        return list(tokenizer.encode(prompt))
    except TokenizerError:
        if prompt == PROMPT:
            return []
        raise


def run_generate(options: argparse.Namespace) -> int:
    """``minilm generate``"""
    from minilm.run import Run

    if options.samples < 1:
        raise ValueError(f"--samples must be at least 1, got {options.samples}.")
    run = Run(options.run)
    tokenizer, model = run.tokenizer(), run.model(options.device)
    prompt = encode_prompt(tokenizer, options.prompt) or [0]
    stops = [text for text in options.stop if text]
    results = model.generate(
        [prompt] * options.samples,
        options.tokens,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        repetition_penalty=options.repetition_penalty,
        stop=(lambda ids: any(text in tokenizer.decode(ids) for text in stops)) if stops else (),
        seed=options.seed,
    )
    for number, ids in enumerate(results):
        text = tokenizer.decode(ids)
        ends = [text.find(stop) for stop in stops if stop in text]
        separator = "-" * 20 + "\n" if number else ""
        print(f"{separator}{options.prompt if options.prompt != PROMPT else ''}{text[: min(ends)] if ends else text}")
    return 0


def run_data_list(_options: argparse.Namespace) -> int:
    """``minilm data list``"""
    from minilm.data import list_datasets

    rows = list_datasets()
    widths = {key: max(len(key), *(len(row[key]) for row in rows)) for key in rows[0]}
    for row in [{key: key for key in rows[0]}, *rows]:
        print("  ".join(row[key].ljust(width) for key, width in widths.items()).rstrip())
    return 0


def run_data_show(options: argparse.Namespace) -> int:
    """``minilm data show``"""
    from minilm.data import describe

    print(describe(options.name))
    return 0


def run_data_get(options: argparse.Namespace) -> int:
    """``minilm data get``"""
    from minilm.data import get

    print(get(options.name))
    return 0


def run_book(options: argparse.Namespace) -> int:
    """``minilm book``"""
    from minilm.book.launch import open_book

    return open_book(options.chapter, [*(["--no-browser"] if options.no_browser else []), *options.jupyter])


def run_doctor(_options: argparse.Namespace) -> int:
    """``minilm doctor``"""
    from minilm.backend.detect import describe

    rows = dict(describe())
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name.ljust(width)}  {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
