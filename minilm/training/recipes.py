"""Runs of the tasks on a text, made from a recipe and opened again: the text is read, and cut into tokens."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from minilm.data import TABLE, DataError, fetch_url, iter_text, open_tokens, read_token_header, write_tokens
from minilm.data.packed import is_corpus, open_corpus
from minilm.text import BPETokenizer, CharTokenizer, Tokenizer, WordPieceTokenizer, load_tokenizer
from minilm.training.checkpoint import CheckpointError
from minilm.training.config import task_named_in
from minilm.training.language_model import LanguageModel
from minilm.training.masked_language_model import MaskedLanguageModel
from minilm.training.recipe import RECIPES, Recipe, find_recipe
from minilm.training.run import Run
from minilm.training.settings import TrainConfig, check_changes
from minilm.training.text_task import TRAIN_SHARE, TextSource, TextTask, TokenizedText

MIN_COUNT = 15  # of a pair that WordPiece joins: rarer ones are joined by chance, and leave no room for words
IN_MEMORY = 200_000_000  # characters; a longer text goes to token files on the disk


TASKS: dict[str, type[TextTask]] = {task.name: task for task in (LanguageModel, MaskedLanguageModel)}


def start_run(folder: Path, recipe: Recipe, options: dict[str, Any]) -> tuple[Run[Any], TokenizedText]:
    """Makes a new run: reads the text, makes the tokenizer, and writes the run's settings.

    Args:
        folder: must not exist, or be empty.
        recipe: the settings.
        options: what replaces them: the task's `model_settings`, fields of `TrainConfig`, and "data", "sha256" (of the file behind a
            URL), "tokenizer", "vocab_size".

    Raises:
        FileExistsError: the folder holds something.
        RunError: the folder cannot be made. After this and every other error nothing is left of it.
        DataError: the text cannot be read.
        ValueError: a setting is out of range, the vocabulary too small, or the text shorter than one context.
    """
    kind_of_task, options = TASKS[recipe.task], dict(options)
    source = _settle(options.pop("data", recipe.data), options.pop("sha256", None))
    if is_corpus(source) and options.keys() & {"tokenizer", "vocab_size"}:
        raise DataError(
            f"the corpus {source} has its own tokenizer, in which its tokens are: ask for no other, and no vocabulary"
        )
    kind, vocab_size = options.pop("tokenizer", recipe.tokenizer), options.pop("vocab_size", recipe.vocab_size)
    own = [name for name in kind_of_task.model_settings if name in options]
    model = {**recipe.model, **{name: options.pop(name) for name in own}}
    unknown = sorted(set(options) - {f.name for f in fields(TrainConfig)})
    if unknown:
        raise ValueError(
            f"there is no setting {unknown[0]!r}; there are {', '.join(f.name for f in fields(TrainConfig))}."
        )
    training = TrainConfig(**{**recipe.training, **options})
    text = TextSource(source, *_measure(source))
    tokenizer = make_tokenizer(kind, text, vocab_size)
    config = kind_of_task.make_config(tokenizer.vocab_size, model)
    task = kind_of_task.make(config, text, tokenizer)
    in_memory = not has_token_files(text)
    tokens = tokenize(text, tokenizer, task.context) if in_memory else None

    def make_task(place: Path) -> TextTask:
        tokenizer.save(place / "tokenizer.json")
        files = {} if in_memory else {name: write_tokens_of(text, tokenizer, place / name) for name in TOKEN_FILES}
        return replace(task, token_files=files)

    run = Run.create(folder, kind_of_task, training, make_task)
    return run, tokens or tokenize_to_disk(run, tokenizer)


def open_run(folder: Path) -> Run[LanguageModel]:
    """Opens the folder of a language model's run.

    Raises:
        CheckpointError: there is none in the folder, it is another task's, or its config.json is damaged or was edited.
    """
    if task_named_in(Path(folder) / "config.json") == MaskedLanguageModel.name:
        run = Run(folder, MaskedLanguageModel)
        raise CheckpointError(
            f"{folder} is a run of a masked language model: it says what stands at [MASK], and does not write on. "
            f"{run.task.more(str(folder))}\nA model that writes is trained by the other recipes, such as minilm train --recipe bpe."
        )
    return Run(folder, LanguageModel)


def open_text_run(folder: Path) -> Run[Any]:
    """Opens the folder of a run of any task on a text.

    Raises:
        CheckpointError: there is none in the folder, or its config.json is damaged or was edited.
    """
    return Run(folder, TASKS.get(task_named_in(Path(folder) / "config.json"), LanguageModel))


def resume_run(folder: Path, changes: dict[str, Any] | None = None) -> tuple[Run[Any], TokenizedText]:
    """Opens a run to go on with it.

    Args:
        folder: the run's.
        changes: settings of a new phase (`Run.with_phase`): it begins at the run's checkpoint, and is recorded.

    Raises:
        RunError: another process trains it.
        CheckpointError: a file of the run is missing or damaged.
        DataError: its text is not there any more.
        ValueError: its text has changed, or a setting cannot be changed.
    """
    run = open_text_run(folder)
    task, source = run.task, run.task.text
    if changes:
        check_changes(changes, task.fixed, task.options)
    if _measure(source.source) != (source.sha256, source.characters):
        raise ValueError(
            f"the text {source.source} is not the one that {folder} was trained on (its SHA-256 differs): "
            "put the old text back, or start a new run. The text that Python carries differs between Python versions."
        )
    with run.locked():
        tokenizer = task.tokenizer(run.folder)
        if has_token_files(source):
            text = tokenize_to_disk(run, tokenizer)
        else:
            text = tokenize(source, tokenizer, task.context)
        return (run.with_phase(changes) if changes else run), text


def make_tokenizer(kind: str, text: TextSource, vocab_size: int) -> Tokenizer:
    """A tokenizer for a text: "char" (of all its characters), "bpe" or "wordpiece" (from the training part), or the path of a saved one.

    A corpus has its own, whatever is asked for.

    Raises:
        TokenizerError: the vocabulary is too small, or the file is no tokenizer.
    """
    if is_corpus(text.source):
        return load_tokenizer(open_corpus(text.source).tokenizer)
    if kind == "char":
        return CharTokenizer.train(iter_text(text.source))
    if kind == "bpe":
        return BPETokenizer.train(_part(text, validation=False), vocab_size=vocab_size)
    if kind == "wordpiece":
        return WordPieceTokenizer.train(_part(text, validation=False), vocab_size=vocab_size, min_count=MIN_COUNT)
    return load_tokenizer(kind)


def tokenize(text: TextSource, tokenizer: Tokenizer, block_size: int) -> TokenizedText:
    """The training and the validation part of a text, as ids in memory; those of a corpus are mapped.

    Raises:
        ValueError: a part is shorter than one context and the token after it.
    """
    train, validation = _ids_of(text, tokenizer)
    for name, part in (("training", train), ("validation", validation)):
        if len(part) <= block_size:
            raise ValueError(
                f"the {name} part of the text has {len(part)} tokens; a context of {block_size} needs at least "
                f"{block_size + 1}: use more text, or a smaller --block-size."
            )
    return TokenizedText(train, validation, _validation_characters(text))


def _ids_of(text: TextSource, tokenizer: Tokenizer) -> Iterator[Any]:
    if is_corpus(text.source):
        return map(open_corpus(text.source).tokens, ("train", "validation"))
    return (
        np.concatenate([tokenizer.encode_array(piece) for piece in _part(text, part)] or [np.zeros(0, np.uint16)])
        for part in (False, True)
    )


def has_token_files(text: TextSource) -> bool:
    """Whether a run keeps the text's tokens in files of its own: they may be larger than memory, and are nowhere else."""
    return text.characters > IN_MEMORY and not is_corpus(text.source)


TOKEN_FILES = {"train.tokens": False, "validation.tokens": True}


def write_tokens_of(text: TextSource, tokenizer: Tokenizer, path: Path) -> str:
    """Writes the token file of a text's training or validation part, as the file's name says; returns the SHA-256 of its ids."""
    pieces = map(tokenizer.encode_array, _part(text, TOKEN_FILES[path.name]))
    return write_tokens(path, pieces, tokenizer.vocab_size).sha256


def tokenize_to_disk(run: Run[Any], tokenizer: Tokenizer) -> TokenizedText:
    """The same for a text that may be larger than memory: token files in the run's folder, mapped into memory.

    Files that are there already are used, if they hold what the run began with; files that are gone are made anew.

    Raises:
        DataError: one is damaged.
        CheckpointError: one holds other tokens.
    """
    ids, task = [], run.task
    for name in TOKEN_FILES:
        path = run.folder / name
        if not os.path.lexists(path):
            write_tokens_of(task.text, tokenizer, path)
        ids.append(open_tokens(path, vocab_size=task.config.vocab_size, verify=True))
        if task.token_files and read_token_header(path).sha256 != task.token_files.get(name):
            raise CheckpointError(f"{path} holds other tokens than the run began with: delete it, and it is made anew.")
    return TokenizedText(ids[0], ids[1], _validation_characters(task.text))


def _settle(source: str, sha256: str | None) -> str:
    """The source in the form in which a later session finds it: a data set's name, or a whole path."""
    if source.startswith(("http://", "https://")):
        if sha256 is None:
            raise ValueError(f"{source}: give the SHA-256 that the file must have with --sha256.")
        return str(fetch_url(source, sha256))
    return source if source in TABLE or not Path(source).exists() else str(Path(source).resolve())


def _measure(source: str) -> tuple[str, int]:
    """SHA-256 of a text's UTF-8, and its length in characters; of a corpus, that of its tokens."""
    if is_corpus(source):
        corpus = open_corpus(source)
        return corpus.sha256, corpus.characters("train") + corpus.characters("validation")
    digest, characters = hashlib.sha256(), 0
    for piece in iter_text(source):
        digest.update(piece.encode("utf-8", "surrogatepass"))
        characters += len(piece)
    return digest.hexdigest(), characters


def _validation_characters(text: TextSource) -> int:
    if is_corpus(text.source):
        return open_corpus(text.source).characters("validation")
    return text.characters - int(TRAIN_SHARE * text.characters)


def _part(text: TextSource, validation: bool) -> Iterator[str]:
    """The pieces of a text's training part, or of its validation part."""
    cut, seen = int(TRAIN_SHARE * text.characters), 0
    for piece in iter_text(text.source):
        here = min(max(cut - seen, 0), len(piece))
        seen += len(piece)
        if part := piece[here:] if validation else piece[:here]:
            yield part


__all__ = [
    "IN_MEMORY",
    "RECIPES",
    "TASKS",
    "Recipe",
    "find_recipe",
    "make_tokenizer",
    "open_run",
    "open_text_run",
    "resume_run",
    "start_run",
    "tokenize",
    "tokenize_to_disk",
    "write_tokens_of",
]
