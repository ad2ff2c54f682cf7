"""Published models in files: a name of the table, a folder in Hugging Face's form, or a GGUF file.

A folder has

- `config.json`: the model's family and shape;
- `model.safetensors`, or several files and `model.safetensors.index.json`, which says in which of them an array lies;
- `tokenizer.json`, and beside it `tokenizer_config.json`: which tokens end or pad a text, and the form of a conversation.

A GGUF file has all of that in one.

Nothing in them runs, and nothing in them is believed: each value and each shape is checked before memory is asked for, and what is
wrong raises a FormatError that names the file.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from minilm.data.errors import DataError
from minilm.files import atomic_write, open_regular, read_regular, remove_leftovers, shown
from minilm.formats import FormatError, safetensors
from minilm.formats.gguf import GGUF
from minilm.models.gpt import GPT
from minilm.models.llama import Llama
from minilm.models.seq2seq import Seq2Seq
from minilm.models.storage import compress
from minilm.nn import Module
from minilm.pretrained import bert, gpt2, llama, t5, table
from minilm.pretrained.llama import STORAGES
from minilm.strict_json import JSONFault, object_from, short
from minilm.text import Tokenizer
from minilm.text.huggingface import read_tokenizer_json, tokenizer_from_gguf, write_tokenizer_json
from minilm.text.published_bpe import PublishedBPETokenizer
from minilm.text.wordpiece import WordPieceTokenizer
from minilm.types import Arrays, Pathish

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
TOKENIZER, TOKENIZER_CONFIG, TEMPLATE = "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"
MAX_JSON_BYTES = 1 << 24
FAMILIES: dict[str, ModuleType] = {"bert": bert, "gpt2": gpt2, "llama": llama, "t5": t5}
"""The families by the name that config.json has for them: each a file of this room that knows their names and values."""
MODELS: dict[type, ModuleType] = {GPT: gpt2, Llama: llama, Seq2Seq: t5, **dict.fromkeys(bert.KINDS.values(), bert)}
"""The models that can be written, and the family of each."""
MARKS = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
"""BERT's special tokens, by their names in tokenizer_config.json."""
RUN = "minilm run"
"""What config.json of a run of ours has under "format"."""


@dataclass(frozen=True)
class Pretrained:
    """A published model, opened.

    Attributes:
        model: in evaluation mode.
        tokenizer: the one that it was trained with; None where the folder has no tokenizer.json.
        source: what was opened: the name of the table, and the path.
        chat_template: the program, in the template language Jinja, that writes a conversation as the model knows it; None: there
            is none. It is data here: nobody runs it.
    """

    model: Any
    tokenizer: Tokenizer | None
    source: str
    chat_template: str | None = None


def load(name_or_path: Pathish, storage: str = "float32") -> Pretrained:
    """Opens a published model.

    Args:
        name_or_path: a name of the table (`minilm models list`), which is fetched if it is not here; a folder; or a GGUF file. A folder
            or file of a model's name is reached by "./name".
        storage: how the weights are kept in memory: "float32"; or "float16", "bfloat16", "int8" (`minilm.models.storage`), and of a GGUF
            file "blocks", as they stand in it. What is kept in another form than "float32" cannot learn.

    Raises:
        FormatError: a file is missing, damaged or of a family that is not known here; the message names it.
        TokenizerError: so is the tokenizer.
        ValueError: there is no such storage.
        DataError: there is no model of that name, or its files cannot be had.
    """
    if storage not in STORAGES:
        raise ValueError(f"there is no storage {storage!r}; there are {', '.join(STORAGES)}.")
    if isinstance(name_or_path, str) and name_or_path.lower() in table.TABLE:
        name = name_or_path.lower()
        path = table.get(name)
        return _open(path, storage, f"{name} ({shown(path)})")
    name = shown(name_or_path)
    path = Path(os.path.expanduser(name_or_path))
    if not os.path.lexists(path):
        raise nothing_there(name)
    return _open(path, storage, name)


def save(
    model: Module, tokenizer: Tokenizer | None, folder: Pathish, dtype: str = "F32", chat_template: str | None = None
) -> None:
    """Writes a model and its tokenizer as a folder that Hugging Face's `AutoModel` and `AutoTokenizer` read, and `load`.

    config.json is written last: a folder that has one is whole.

    Args:
        folder: must not exist, or be empty.
        dtype: of the weights in the file: "F32", "F16" or "BF16".
        chat_template: as in `Pretrained`.

    Raises:
        FileExistsError: the folder holds something: nothing is overwritten.
        FormatError: the model cannot be written in any of the published forms, or a number does not fit the type.
        TokenizerError: nor the tokenizer.
        OSError: the folder cannot be written. After this and every other error nothing is left in it.
    """
    names = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
    if dtype not in names:
        raise FormatError(f"weights are written as {', '.join(names)}, not as {short(dtype)}.")
    config, arrays = _in_published_form(model)
    if tokenizer is not None:
        _check_vocabulary(tokenizer, config["vocab_size"], "the model")
    with _new_folder(Path(folder)) as place:
        if tokenizer is not None:
            write_tokenizer_json(tokenizer, place / TOKENIZER)
            longest = config.get("max_position_embeddings", config.get("n_positions"))
            _write_json(place / TOKENIZER_CONFIG, _about_tokenizer(tokenizer, longest, chat_template))
            roles = tokenizer.roles if isinstance(tokenizer, PublishedBPETokenizer) else {}
            for role in ("bos", "eos", "pad"):
                if role in roles and config.get(f"{role}_token_id") is None:
                    config[f"{role}_token_id"] = roles[role]
        safetensors.write(place / WEIGHTS, arrays, dtype, {"format": "pt"})
        _write_json(place / CONFIG, {**config, "dtype": names[dtype]})


def is_run(path: Pathish) -> bool:
    """Whether there is the folder of a run that was trained here, as `minilm train` makes it.

    Raises:
        FormatError: it has a config.json that cannot be read.
    """
    config = Path(os.path.expanduser(path)) / CONFIG
    return os.path.isfile(config) and read_json(config).get("format") == RUN


def _open(path: Path, storage: str, source: str) -> Pretrained:
    if path.is_dir():
        return _open_folder(path, storage, source)
    with open_regular(path, FormatError, "model") as file:
        head = file.read(4)
    if head == b"GGUF":
        return _open_gguf(path, storage, source)
    hint = f" Give its folder, {shown(path.parent)}." if (path.parent / CONFIG).is_file() else ""
    raise FormatError(f"{shown(path)} is no GGUF file (it begins with {head!r}), and no folder with a {CONFIG}.{hint}")


def _open_gguf(path: Path, storage: str, source: str) -> Pretrained:
    with GGUF(path) as file, _named(path):
        model = llama.from_gguf(file, storage)
        tokenizer = tokenizer_from_gguf(file.metadata)
        _check_vocabulary(tokenizer, model.config.vocab_size, "its embedding")
        template = file.metadata.get("tokenizer.chat_template")
        return Pretrained(model, tokenizer, source, template if isinstance(template, str) else None)


def _open_folder(folder: Path, storage: str, source: str) -> Pretrained:
    config = read_json(folder / CONFIG)
    family = FAMILIES[family_of(config, folder / CONFIG)]
    if storage == "blocks":
        raise FormatError(
            f"{shown(folder)} has no blocks: only a GGUF file has; give the storage float32, float16 or int8."
        )
    arrays = read_weights(folder)
    with _named(folder):
        model = family.from_huggingface(config, arrays).eval()
        if storage != "float32":
            compress(model, storage)
    tokenizer, template = _tokenizer_of(folder)
    if tokenizer is not None:
        with _named(folder):
            _check_vocabulary(tokenizer, model.config.vocab_size, CONFIG)
    return Pretrained(model, tokenizer, source, template)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Within it, what is wrong with a model is told with its path."""
    try:
        yield
    except (ValueError, TypeError) as error:
        told = str(error)
        raise FormatError(told if shown(path) in told else f"{shown(path)}: {told}") from None


def _check_vocabulary(tokenizer: Tokenizer, tokens: int, what: str) -> None:
    """A model may have more tokens than its tokenizer: their number is often rounded up."""
    if tokenizer.vocab_size > tokens:
        raise FormatError(
            f"the tokenizer has {tokenizer.vocab_size:,} tokens, {what} {tokens:,}: they are of two models."
        )


def _tokenizer_of(folder: Path) -> tuple[Tokenizer | None, str | None]:
    """The tokenizer in a folder, and the chat template beside it."""
    if not os.path.lexists(folder / TOKENIZER):
        return None, None
    tokenizer = read_tokenizer_json(folder / TOKENIZER)
    about = read_json(folder / TOKENIZER_CONFIG) if os.path.lexists(folder / TOKENIZER_CONFIG) else {}
    template = about.get("chat_template")
    if os.path.lexists(folder / TEMPLATE):
        content = read_regular(
            folder / TEMPLATE, FormatError, max_bytes=MAX_JSON_BYTES, remedy="no template is so large."
        )
        template = content.decode("utf-8", "replace")
    if isinstance(tokenizer, PublishedBPETokenizer):
        for role in ("bos", "eos", "unk", "pad"):
            token = about.get(f"{role}_token")
            name = token.get("content") if isinstance(token, dict) else token
            if getattr(tokenizer, f"{role}_id") is None and name in tokenizer.special_tokens:
                setattr(tokenizer, f"{role}_id", tokenizer.special_tokens[name])
    return tokenizer, template if isinstance(template, str) else None


def _about_tokenizer(tokenizer: Tokenizer, longest: int | None, chat_template: str | None) -> dict[str, Any]:
    """What tokenizer_config.json has beside tokenizer.json: the roles of tokens."""
    about: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast"}
    if longest is not None:
        about["model_max_length"] = longest
    if isinstance(tokenizer, WordPieceTokenizer):
        about |= {role: name for role, name in MARKS.items() if name in tokenizer.special_tokens}
    if isinstance(tokenizer, PublishedBPETokenizer):
        about |= {f"{role}_token": tokenizer.tokens[id] for role, id in tokenizer.roles.items()}
    return about if chat_template is None else {**about, "chat_template": chat_template}


@contextlib.contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Within it, a folder that was empty is filled; an error leaves nothing of it."""
    made = not os.path.lexists(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{shown(folder)} is not empty: give a new folder, nothing is overwritten.")
    try:
        yield folder
    except BaseException:
        with contextlib.suppress(OSError):
            remove_leftovers(folder)
            for name in (CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG):
                (folder / name).unlink(missing_ok=True)
            if made:
                folder.rmdir()
        raise


def family_of(config: Mapping[str, Any], path: Path) -> str:
    """The family of the model that a config.json describes: its "model_type", or what the first of its "architectures" begins with.

    Raises:
        FormatError: it is the config.json of a run of ours, or of a family that is not known here.
    """
    if config.get("format") == RUN:
        raise FormatError(
            f"{shown(path.parent)} is the folder of a run that was trained here, no published model: `minilm generate` and "
            "minilm.training.recipes.open_run read it."
        )
    said, classes = config.get("model_type"), config.get("architectures")
    first = classes[0] if isinstance(classes, list) and classes else None
    if said is None and isinstance(first, str):
        said = next((family for family in FAMILIES if first.lower().startswith(family)), first)
    if not isinstance(said, str):
        raise FormatError(f"{shown(path)} names no model_type and no architectures: it is no config.json of a model.")
    if said not in FAMILIES:
        raise FormatError(
            f"{shown(path)} is of a model of type {short(said)}; known here are {', '.join(sorted(FAMILIES))}."
        )
    return said


def read_weights(folder: Path) -> Arrays:
    """The arrays of a folder, from one file or from several with an index; BF16 comes as float32.

    Raises:
        FormatError: a file is missing or damaged, the index names a file outside the folder, or an array lies elsewhere than it says.
    """
    if os.path.lexists(folder / WEIGHTS):
        return safetensors.read(folder / WEIGHTS)
    places = files_of_index(folder)
    arrays: Arrays = {}
    for file in sorted(set(places.values())):
        found = safetensors.read(folder / file)
        wanted = {name for name, place in places.items() if place == file}
        if wrong := sorted(wanted ^ set(found)):
            where = "lacks" if wrong[0] in wanted else "has"
            raise FormatError(
                f"{shown(folder / file)} {where} the array {short(wrong[0])}, and {INDEX} says otherwise: they are not of "
                "one model."
            )
        arrays.update(found)
    return arrays


def files_of_index(folder: Path) -> dict[str, str]:
    """In which file of the folder each array lies, by the folder's index.

    Raises:
        FormatError: there is no index, or it names a file outside the folder.
    """
    if not os.path.lexists(folder / INDEX):
        pickled = sorted(path.name for path in folder.glob("*.bin"))
        hint = f" {pickled[0]} is not read: opening it can run code. Save it as safetensors there." if pickled else ""
        raise FormatError(f"{shown(folder)} has no {WEIGHTS} and no {INDEX}.{hint}")
    places = read_json(folder / INDEX).get("weight_map")
    if not isinstance(places, dict) or not places or not all(map(_is_plain_name, places.values())):
        raise FormatError(
            f"{shown(folder / INDEX)}: weight_map should name a file of its folder for each array, it is {short(places)}."
        )
    return places


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object of a file of a model.

    Raises:
        FormatError: it is missing, cannot be read, larger than 16 MiB, or no JSON object.
    """
    content = read_regular(path, FormatError, max_bytes=MAX_JSON_BYTES, remedy="no model has one of that size.")
    try:
        return object_from(content, max_digits=40)  # for "any length" transformers writes 1e30, digit by digit
    except JSONFault as fault:
        raise FormatError(f"{shown(path)} {fault}. Copy it again.") from None


def _is_plain_name(name: Any) -> bool:
    """Whether a name is one of a file in the folder itself: a path could lead anywhere."""
    return isinstance(name, str) and name.endswith(".safetensors") and not set(name) & set("/\\:\0")


def _in_published_form(model: Module) -> tuple[dict[str, Any], Arrays]:
    if type(model) not in MODELS:
        known = ", ".join(cls.__name__ for cls in MODELS)
        raise FormatError(f"there is no published form for a {type(model).__name__}; there is one for {known}.")
    try:
        config, arrays = MODELS[type(model)].to_huggingface(model)
    except (ValueError, TypeError) as error:
        raise FormatError(str(error)) from None
    return config, arrays


def _write_json(path: Path, value: Any) -> None:
    with atomic_write(path) as file:
        file.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n")


def nothing_there(name: str) -> DataError:
    """The error for a model that is no name of the table, and no folder or file."""
    try:
        table.find(name)
    except DataError as error:
        return DataError(f"there is no folder or file {shown(name)[:200]} (looked in {Path.cwd()}), and {error}")
    return DataError(f"there is no folder or file {shown(name)[:200]} (looked in {Path.cwd()})")


__all__ = [
    "CONFIG",
    "FAMILIES",
    "RUN",
    "Pretrained",
    "family_of",
    "is_run",
    "load",
    "read_json",
    "read_weights",
    "save",
]
