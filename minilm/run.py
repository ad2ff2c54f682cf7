"""The folder of one training run, and what it holds.

=====================  ============================================================================================
config.json            the model's shape, the training settings, and which text (with its SHA-256); written first
tokenizer.json         the tokenizer
model.safetensors      the weights with the best validation loss so far
checkpoint.safetensors everything needed to go on: weights, optimizer, counters, random state; replaced as a whole
metrics.jsonl          one JSON object a line: step, loss, learning rate, gradient norm, tokens/s; or a validation loss
loss.png               the loss curve
=====================  ============================================================================================
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, TypeVar

from minilm.checkpoint import CheckpointError, Pathish, expect_format, load_arrays, load_json, save_arrays, save_json
from minilm.files import atomic_write, remove_leftovers
from minilm.models.gpt import GPT, GPTConfig
from minilm.tensor import Tensor
from minilm.text import Tokenizer, load_tokenizer

FORMAT, VERSION = "minilm run", 1
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How a language model is trained.

    Attributes:
        steps: optimizer updates.
        batch_size, accumulate: sequences a forward pass, and forward passes an update.
        learning_rate, min_learning_rate, warmup: the rate rises linearly over `warmup` steps, then falls along half a cosine to
            the minimum at the last step.
        weight_decay: of the matrices (AdamW's decoupled decay).
        beta1, beta2: AdamW's averages.
        clip: largest norm of the whole gradient; 0: not clipped.
        eval_every, patience: steps between evaluations; after `patience` of them without a better validation loss the training
            ends (0: never).
        checkpoint_every: steps between checkpoints.
        seed: of the weights, the batches and dropout.
        processes: how many share each batch on the CPU (`minilm.parallel`). More of them give the same numbers up to rounding.

    Raises:
        ValueError: a setting is out of range.
    """

    steps: int = 2000
    batch_size: int = 12
    accumulate: int = 1
    learning_rate: float = 1e-3
    min_learning_rate: float = 1e-4
    warmup: int = 100
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.99
    clip: float = 1.0
    eval_every: int = 250
    patience: int = 0
    checkpoint_every: int = 250
    seed: int = 1337
    processes: int = 1

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "accumulate", "eval_every", "checkpoint_every", "processes"):
            _require(name, getattr(self, name) >= 1, "at least 1", getattr(self, name))
        for name in ("warmup", "patience", "seed", "min_learning_rate", "weight_decay", "clip"):
            _require(name, 0 <= getattr(self, name) < float("inf"), "0 or more", getattr(self, name))
        _require("learning_rate", 0 < self.learning_rate < float("inf"), "a positive number", self.learning_rate)
        for name in ("beta1", "beta2"):
            _require(name, 0 <= getattr(self, name) < 1, "at least 0 and less than 1", getattr(self, name))


def _require(name: str, ok: bool, expected: str, value: Any) -> None:
    if not ok:
        raise ValueError(f"{name} must be {expected}, got {value!r}.")


@dataclasses.dataclass(frozen=True)
class TextSource:
    """Which text a run was trained on: where it came from, its SHA-256 (of its UTF-8), and its length in characters."""

    source: str
    sha256: str
    characters: int


class Run:
    """A run's folder, opened: its settings are read and checked.

    Raises:
        CheckpointError: there is no run in the folder, or its config.json is damaged.
    """

    def __init__(self, folder: Pathish) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise CheckpointError(f"{self.folder} is not a folder: expected a run, as `minilm train` makes it.")
        path = self.folder / "config.json"
        config = load_json(path)
        if config.get("format") != FORMAT:
            raise CheckpointError(f"{path} does not belong to a minilm run: its 'format' is {config.get('format')!r}.")
        if config.get("version") != VERSION:
            raise CheckpointError(
                f"{path} has version {config.get('version')!r}, this minilm reads {VERSION}: use the minilm that wrote it."
            )
        self.model_config = from_json(GPTConfig, config.get("model"), f"{path}: model")
        self.train_config = from_json(TrainConfig, config.get("training"), f"{path}: training")
        self.text = from_json(TextSource, config.get("text"), f"{path}: text")

    @classmethod
    def create(
        cls, folder: Pathish, model: GPTConfig, training: TrainConfig, text: TextSource, tokenizer: Tokenizer
    ) -> Run:
        """Makes the folder of a new run.

        Raises:
            FileExistsError: the folder holds something already: nothing is overwritten.
        """
        folder = Path(folder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise FileExistsError(
                f"{folder} exists and is not empty: choose another --out, or go on with --resume {folder}."
            )
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer.save(folder / "tokenizer.json")
        settings = {
            "model": model.to_dict(),
            "training": dataclasses.asdict(training),
            "text": dataclasses.asdict(text),
        }
        save_json(folder / "config.json", {"format": FORMAT, "version": VERSION, **settings})
        return cls(folder)

    def tokenizer(self) -> Tokenizer:
        """The run's tokenizer.

        Raises:
            TokenizerError: its file is missing or damaged.
            CheckpointError: it has another vocabulary than the model.
        """
        tokenizer = load_tokenizer(self.folder / "tokenizer.json")
        if tokenizer.vocab_size != self.model_config.vocab_size:
            raise CheckpointError(
                f"{self.folder}: the tokenizer has {tokenizer.vocab_size} tokens, the model {self.model_config.vocab_size}: "
                "tokenizer.json or config.json is another run's."
            )
        return tokenizer

    def model(self, device: str = "auto") -> GPT:
        """The model with the run's best weights, ready to generate.

        Raises:
            CheckpointError: the weights are missing, damaged, or do not fit the config.
        """
        path = self.folder / "model.safetensors"
        arrays, about = load_arrays(path)
        expect_format(path, about, "minilm weights")
        self.check_shapes(path, {name: array.shape for name, array in arrays.items()})
        model = GPT(self.model_config)
        load_weights(model, arrays, path)
        return model.to(device).eval()

    def check_shapes(self, path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
        """Holds the weights' shapes against the config, before a model of the config's size is made."""
        config = self.model_config
        layers = {name.split(".")[1] for name in shapes if name.startswith("blocks.")}
        wanted, found = (config.vocab_size, config.n_embd), shapes.get("wte.weight")
        if found != wanted or len(layers) != config.n_layer:
            raise CheckpointError(
                f"{path} does not fit config.json: embedding {found} and {len(layers)} layers, expected {wanted} and {config.n_layer}."
            )

    def save_model(self, model: GPT) -> None:
        """Makes the model's weights the run's best."""
        save_arrays(
            self.folder / "model.safetensors", weights_of(model), {"format": "minilm weights", "version": VERSION}
        )

    # -- metrics ------------------------------------------------------------------------------------------------------

    def log(self, **values: Any) -> None:
        """Appends a line to metrics.jsonl."""
        with open(self.folder / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl; a last line that a kill cut short is left out."""
        path = self.folder / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
        found = []
        for number, line in enumerate(lines, 1):
            try:
                found += [json.loads(line)] if line else []
            except ValueError:
                if number < len(lines):
                    raise CheckpointError(f"{path}, line {number} is not JSON: mend or delete the line.") from None
        return found

    def rewind_metrics(self, step: int) -> None:
        """Drops what was logged after `step`: it will be computed again. Removes what a killed writer left, too."""
        remove_leftovers(self.folder)
        kept = [line for line in self.metrics() if line.get("step", 0) <= step]
        with atomic_write(self.folder / "metrics.jsonl") as file:
            file.write("".join(json.dumps(line) + "\n" for line in kept).encode("utf-8"))


def weights_of(model: GPT) -> dict[str, Any]:
    """A model's parameters and buffers as NumPy arrays; tied parameters once, under their first name."""
    return {name: value.numpy() if isinstance(value, Tensor) else value for name, value in model.state_dict().items()}


def load_weights(model: GPT, arrays: dict[str, Any], path: Path) -> None:
    """Fills a model from arrays.

    Raises:
        CheckpointError: keys are missing, unexpected, or of another shape; the model is unchanged.
    """
    try:
        model.load_state_dict(arrays)
    except (KeyError, ValueError, RuntimeError, TypeError) as error:
        raise CheckpointError(f"{path} does not fit the model: {error}") from None


def from_json(cls: type[T], values: Any, where: str) -> T:
    """A dataclass of plain fields from a JSON object, checked field by field.

    Raises:
        CheckpointError: a field is missing, unknown, of another type, or out of range.
    """
    fields = {field.name: field.type for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if not isinstance(values, dict):
        raise CheckpointError(f"{where} should be a JSON object, it is {type(values).__name__}.")
    if set(values) != set(fields):
        missing, unknown = sorted(set(fields) - set(values)), sorted(set(values) - set(fields))
        raise CheckpointError(f"{where}: missing fields {missing}, unknown fields {unknown}.")
    kinds: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}
    for name, value in values.items():
        wanted = str(fields[name])
        if not isinstance(value, kinds[wanted]) or (isinstance(value, bool) and wanted != "bool"):
            raise CheckpointError(f"{where}: {name} should be of type {wanted}, it is {value!r}.")
    try:
        return cls(**values)
    except ValueError as error:
        raise CheckpointError(f"{where}: {error}") from None
