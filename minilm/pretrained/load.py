"""Published models in files: a name of the table, a folder in Hugging Face's form, or a GGUF file.

A folder has

- `config.json`: the model's family and shape;
- `model.safetensors`, or several files and `model.safetensors.index.json`, which says in which of them an array lies;
- `tokenizer.json`, and beside it `tokenizer_config.json`.

Nothing in them runs, and nothing in them is believed: each value and each shape is checked before memory is asked for, and what is
wrong raises a FormatError that names the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from minilm.data.errors import DataError
from minilm.files import atomic_write, open_regular, read_regular, shown
from minilm.formats import FormatError, safetensors
from minilm.models.bert import Bert
from minilm.models.gpt import GPT
from minilm.nn import Module
from minilm.pretrained import bert, gpt2, table
from minilm.strict_json import JSONFault, object_from, short
from minilm.text import Tokenizer
from minilm.types import Arrays, Pathish

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
TOKENIZER, TOKENIZER_CONFIG = "tokenizer.json", "tokenizer_config.json"
MAX_JSON_BYTES = 1 << 24
FAMILIES: dict[str, ModuleType] = {"bert": bert, "gpt2": gpt2}
"""The families by the name that config.json has for them: each a file of this room that knows their names and values."""
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
        storage: how the weights are kept in memory: "float32".

    Raises:
        FormatError: a file is missing, damaged or of a family that is not known here; the message names it.
        DataError: there is no model of that name, or its files cannot be had.
    """
    if isinstance(name_or_path, str) and name_or_path.lower() in table.TABLE:
        name = name_or_path.lower()
        path = table.get(name)
        return _open(path, storage, f"{name} ({shown(path)})")
    name = shown(name_or_path)
    path = Path(os.path.expanduser(name_or_path))
    if not os.path.lexists(path):
        raise _nothing_there(name)
    return _open(path, storage, name)


def save(model: Module, tokenizer: Tokenizer | None, folder: Pathish, dtype: str = "F32") -> None:
    """Writes a model and its tokenizer as a folder that Hugging Face's `AutoModel` and `AutoTokenizer` read, and `load`.

    config.json is written last: a folder that has one is whole.

    Args:
        folder: must not exist, or be empty.
        dtype: of the weights in the file: "F32", "F16" or "BF16".

    Raises:
        FileExistsError: the folder holds something: nothing is overwritten.
        FormatError: the model cannot be written in any of the published forms, or a number does not fit the type.
        OSError: the folder cannot be written.
    """
    config, arrays = _in_published_form(model)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{shown(folder)} is not empty: give a new folder, nothing is overwritten.")
    safetensors.write(folder / WEIGHTS, arrays, dtype, {"format": "pt"})
    names = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
    _write_json(folder / CONFIG, {**config, "dtype": names[dtype]})


def _open(path: Path, storage: str, source: str) -> Pretrained:
    if storage != "float32":
        raise FormatError(f"storage = {storage!r}: there is float32.")
    if path.is_dir():
        return _open_folder(path, source)
    with open_regular(path, FormatError, "model") as file:
        head = file.read(4)
    hint = f" Give its folder, {shown(path.parent)}." if (path.parent / CONFIG).is_file() else ""
    raise FormatError(f"{shown(path)} is no GGUF file (it begins with {head!r}), and no folder with a {CONFIG}.{hint}")


def _open_folder(folder: Path, source: str) -> Pretrained:
    config = read_json(folder / CONFIG)
    family = family_of(config, folder / CONFIG)
    arrays = read_weights(folder)
    try:
        model = FAMILIES[family].from_huggingface(config, arrays)
    except (ValueError, TypeError) as error:
        raise FormatError(f"{shown(folder)}: {error}") from None
    return Pretrained(model.eval(), None, source)


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
    if not os.path.lexists(folder / INDEX):
        pickled = sorted(path.name for path in folder.glob("*.bin"))
        hint = f" {pickled[0]} is not read: opening it can run code. Save it as safetensors there." if pickled else ""
        raise FormatError(f"{shown(folder)} has no {WEIGHTS} and no {INDEX}.{hint}")
    places = read_json(folder / INDEX).get("weight_map")
    if not isinstance(places, dict) or not places or not all(map(_is_plain_name, places.values())):
        raise FormatError(
            f"{shown(folder / INDEX)}: weight_map should name a file of its folder for each array, it is {short(places)}."
        )
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


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object of a file of a model.

    Raises:
        FormatError: it is missing, cannot be read, larger than 16 MiB, or no JSON object.
    """
    content = read_regular(path, FormatError, max_bytes=MAX_JSON_BYTES, remedy="no model has one of that size.")
    try:
        return object_from(content)
    except JSONFault as fault:
        raise FormatError(f"{shown(path)} {fault}. Copy it again.") from None


def _is_plain_name(name: Any) -> bool:
    """Whether a name is one of a file in the folder itself: a path could lead anywhere."""
    return isinstance(name, str) and name.endswith(".safetensors") and not set(name) & set("/\\:\0")


def _in_published_form(model: Module) -> tuple[dict[str, Any], Arrays]:
    families: dict[type, ModuleType] = {GPT: gpt2, Bert: bert, **dict.fromkeys(bert.KINDS.values(), bert)}
    if type(model) not in families:
        known = ", ".join(cls.__name__ for cls in families)
        raise FormatError(f"there is no published form for a {type(model).__name__}; there is one for {known}.")
    try:
        config, arrays = families[type(model)].to_huggingface(model)
    except (ValueError, TypeError) as error:
        raise FormatError(str(error)) from None
    return config, arrays


def _write_json(path: Path, value: Any) -> None:
    with atomic_write(path) as file:
        file.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n")


def _nothing_there(name: str) -> DataError:
    try:
        table.find(name)
    except DataError as error:
        return DataError(f"there is no folder or file {name[:200]} (looked in {Path.cwd()}), and {error}")
    raise AssertionError("a name of the table is not looked for on the disk")


__all__ = ["FAMILIES", "Pretrained", "family_of", "load", "read_json", "read_weights", "save"]
