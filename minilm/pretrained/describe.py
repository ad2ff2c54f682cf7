"""What the files of a published model say of themselves, read from their headers alone: no weight is read."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from minilm.files import open_regular, shown
from minilm.formats import FormatError, safetensors
from minilm.formats.gguf import GGUF
from minilm.pretrained.load import CONFIG, TOKENIZER, WEIGHTS, family_of, files_of_index, read_json
from minilm.strict_json import short

NOT_SAID = "Who trained it, on what, and under which licence it stands, its files do not say."


def describe_files(path: Path) -> str:
    """A folder in Hugging Face's form or a GGUF file, in some lines.

    Raises:
        FormatError: it is neither, or a file is damaged.
    """
    if path.is_dir():
        return _told(path, _of_folder(path), [NOT_SAID])
    with open_regular(path, FormatError, "model") as file:
        head = file.read(4)
    if head != b"GGUF":
        raise FormatError(f"{shown(path)} is no GGUF file (it begins with {head!r}), and no folder of a model.")
    return _told(path, _of_gguf(path), ["What the file says of itself is its maker's word."])


def _of_folder(folder: Path) -> dict[str, str]:
    config = read_json(folder / CONFIG)
    family = family_of(config, folder / CONFIG)
    names = [WEIGHTS] if os.path.lexists(folder / WEIGHTS) else sorted(set(files_of_index(folder).values()))
    headers = [safetensors.header(folder / name) for name in names]
    arrays = [array for header in headers for array in header.arrays.values()]
    return {
        "family": family,
        "classes": short(config.get("architectures")),
        "shape": _settings(config),
        **_sizes((array.shape, array.dtype) for array in arrays),
        "files": ", ".join(f"{name} ({(folder / name).stat().st_size:,} bytes)" for name in names),
        "tokenizer": TOKENIZER if os.path.lexists(folder / TOKENIZER) else "none",
    }


def _of_gguf(path: Path) -> dict[str, str]:
    with GGUF(path) as file:
        meta = file.metadata
        family = meta.get("general.architecture")
        said = {name.removeprefix("general."): short(meta[name]) for name in meta
                if name.startswith("general.") and isinstance(meta[name], str)}  # fmt: skip
        own = {name.removeprefix(f"{family}."): value for name, value in meta.items() if name.startswith(f"{family}.")}
        return {
            "family": short(family),
            "says": ", ".join(f"{name} {value}" for name, value in said.items()),
            "shape": _settings(own),
            **_sizes((info.shape, info.kind) for info in file.tensors.values()),
            "size": f"{path.stat().st_size:,} bytes",
            "tokenizer": f"{len(meta.get('tokenizer.ggml.tokens', [])):,} tokens, {short(meta.get('tokenizer.ggml.model'))}",
            "template": "for conversations" if "tokenizer.chat_template" in meta else "none",
        }


def _settings(config: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in config.items() if type(value) in (int, float, bool))


def _sizes(arrays: Iterable[tuple[tuple[int, ...], str]]) -> dict[str, str]:
    """How many numbers there are, and of which types."""
    counts: Counter[str] = Counter()
    numbers = 0
    for shape, kind in arrays:
        counts[kind] += 1
        numbers += 0 if (kind[:1] in "IU" and kind[1:].isdecimal()) or kind == "BOOL" else math.prod(shape)
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    return {"weights": f"{numbers:,}", "arrays": kinds}


def _told(path: Path, facts: Mapping[str, str], notes: Iterable[str]) -> str:
    return "\n".join([shown(path), "", *(f"{label:<10} {text}" for label, text in facts.items()), "", *notes])


__all__ = ["describe_files"]
