"""A run small enough for tests: seconds of training on text that is made here."""

import hashlib

import minilm as ml
from minilm.training.checkpoint import canonical
from minilm.training.loop import schedule_of
from minilm.training.recipes import Recipe, start_run

TEXT = "".join(f"{n} plus {m} is {n + m}.\n" for n in range(30) for m in range(10))
OPTIONS = {"n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 16, "batch_size": 4, "steps": 12, "eval_every": 4,
           "checkpoint_every": 3, "warmup": 2, "dropout": 0.1}  # fmt: skip
FLAGS = ["--layers", "1", "--heads", "2", "--width", "16", "--block-size", "16", "--batch-size", "4", "--steps", "12",
         "--eval-every", "4", "--checkpoint-every", "3", "--warmup", "2", "--dropout", "0.1", "--device", "cpu"]  # fmt: skip


def text_file(folder):
    path = folder / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def tiny_run(folder, name="run", **options):
    """A new run and its text."""
    recipe = Recipe("tiny", data=str(text_file(folder)), tokenizer="char")
    return start_run(folder / name, recipe, {**OPTIONS, **options})


def rate_at(step, config, began=0):
    """The learning rate of a run's step, from 0; `began` is where the phase began that the schedule is of."""
    optimizer = ml.optim.AdamW([ml.ones(1, requires_grad=True)], lr=config.learning_rate)
    (rate,) = schedule_of(optimizer, config, began).lrs_at(step - began)
    return rate


def resealed(config):
    """A config.json that was edited, with the fingerprint that its settings have now."""
    text = config["text"]
    parts = [config["model"], config["training"], text["sha256"], text["characters"], config["tokenizer_sha256"],
             config["token_files"], config["phases"]]  # fmt: skip
    return {**config, "fingerprint": hashlib.sha256(canonical(parts)).hexdigest()}
