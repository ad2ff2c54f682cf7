"""A BERT pretrained on a text: resumed to the bit, measured on places that never change, asked what is hidden, and told apart."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from minilm.cli import main
from minilm.models.bert import NO_TARGET, BertConfig, BertForMaskedLM
from minilm.models.size import bert_parameter_count
from minilm.text import BPETokenizer, TokenizerError, WordPieceTokenizer
from minilm.training.checkpoint import CheckpointError, load_arrays
from minilm.training.loop import Training, train
from minilm.training.masked_language_model import EVALUATION, MARKS, MaskedLanguageModel, fill
from minilm.training.recipes import Recipe, find_recipe, open_run, resume_run, start_run
from tests.training.runs import assert_same_weights, dying_at

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("no_picture")]

TEXT = "\n".join(f"the value of {name} is {number} and the type of {name} is {kind} ."
                 for name in ("x", "y", "size", "width") for number in ("one", "two", "three")
                 for kind in ("int", "float", "str", "list")) * 6  # fmt: skip
OPTIONS = {"n_layer": 1, "n_head": 2, "n_embd": 8, "block_size": 14, "steps": 20, "batch_size": 4, "learning_rate": 1e-2, "warmup": 2,
           "eval_every": 5, "checkpoint_every": 4, "vocab_size": 120, "dropout": 0.1}  # fmt: skip


def begin(folder, name="run", **options):
    source = folder / "text.txt"
    source.write_text(TEXT, encoding="utf-8")
    recipe = replace(find_recipe("masked"), data=str(source))
    return start_run(folder / name, recipe, {**OPTIONS, **options})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that nothing interrupted, its data, and how it ended."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minilm.training.loop.plot_losses", lambda run: None)
        run, data = begin(tmp_path_factory.mktemp("masked"))
        return run, data, train(run, data, device="cpu", progress=False)


def logged(run):
    return [{k: v for k, v in line.items() if k != "tokens_per_second"} for line in run.metrics()]


def test_a_run_has_what_a_run_has(finished):
    run, data, outcome = finished
    assert (outcome.reason, outcome.step) == ("finished", 20)
    losses = [line["validation_loss"] for line in run.metrics() if "validation_loss" in line]
    assert losses[-1] < 0.9 * losses[0]
    assert outcome.measures.keys() == {"accuracy"}
    assert 0.1 < outcome.measures["accuracy"] <= 1.0
    model, task = run.model("cpu"), run.task
    assert type(model) is BertForMaskedLM
    assert sum(p.size for p in model.parameters()) == bert_parameter_count(task.config)
    assert task.evaluate(model, data, None) == outcome.validation_loss
    assert json.loads((run.folder / "config.json").read_text())["task"] == "masked language model"


@pytest.mark.parametrize("step", [7, *(pytest.param(step, marks=pytest.mark.slow) for step in (0, 13))])
def test_resumed_after_a_stop_is_exact(finished, tmp_path, step):
    undisturbed, _, outcome = finished
    run, data = begin(tmp_path)
    with dying_at(step):
        train(run, data, device="cpu", progress=False)
    again, data = resume_run(run.folder)
    assert type(again.task) is MaskedLanguageModel
    resumed = train(again, data, device="cpu", progress=False)
    assert (resumed.validation_loss, resumed.measures) == (outcome.validation_loss, outcome.measures)
    assert_same_weights(run.folder, undisturbed.folder)
    assert logged(again) == logged(undisturbed)


PROGRAM = """
import os, signal, sys
from pathlib import Path
from minilm.training.loop import Training, train
from tests.training.test_masked_language_model import begin
update = Training.update
def dies(self):
    if self.step == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    return update(self)
Training.update = dies
train(*begin(Path(sys.argv[1])), device="cpu", progress=False)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX's")
def test_resumed_after_kill_9_is_exact(finished, tmp_path):
    undisturbed, _, _ = finished
    root = Path(__file__).parents[2]
    child = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=root, capture_output=True, check=False,
                           env={**os.environ, "PYTHONPATH": str(root)})  # fmt: skip
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    assert load_arrays(tmp_path / "run" / "checkpoint.safetensors")[1]["step"] == 8
    train(*resume_run(tmp_path / "run"), device="cpu", progress=False)
    assert_same_weights(tmp_path / "run", undisturbed.folder)


def test_a_text_larger_than_memory_gives_the_same(finished, tmp_path, monkeypatch):
    undisturbed, _, outcome = finished
    monkeypatch.setattr("minilm.training.recipes.IN_MEMORY", 100)
    run, data = begin(tmp_path)
    assert (run.folder / "train.tokens").is_file()
    assert train(run, data, device="cpu", progress=False).validation_loss == outcome.validation_loss
    for name, array in load_arrays(run.folder / "model.safetensors")[0].items():
        np.testing.assert_array_equal(array, load_arrays(undisturbed.folder / "model.safetensors")[0][name])


def test_two_processes_train_to_the_same_losses(tmp_path):
    found = []
    for processes in (1, 2):
        training = Training(*begin(tmp_path, str(processes), processes=processes, dropout=0.0), "cpu")
        with training.parallel:
            found.append([training.update()[0].item() for _ in range(3)])
    np.testing.assert_allclose(*found, rtol=1e-5)


# -- what is hidden ---------------------------------------------------------------------------------------------------


def test_a_batch_is_framed_passages_with_fifteen_percent_hidden(finished):
    run, data, _ = finished
    task, marks = run.task, run.task.marks
    ids, targets = task.batch(data, 50, np.random.default_rng(0))
    assert ids.shape == targets.shape == (50, 14)
    assert (ids[:, 0] == marks["[CLS]"]).all()
    assert (ids[:, -1] == marks["[SEP]"]).all()
    asked = targets != NO_TARGET
    assert (asked.sum(axis=1) == 2).all()  # 15 % of 12
    assert not asked[:, [0, -1]].any()
    assert 0.6 < (ids[asked] == marks["[MASK]"]).mean() < 0.95
    text = "".join(map(chr, data.train))
    for row in np.where(asked, targets, ids)[:, 1:-1]:
        assert "".join(map(chr, row)) in text


def test_every_pass_hides_others_but_the_generator_decides(finished):
    run, data, _ = finished
    batches = [run.task.batch(data, 8, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(batches[0], batches[1])
    assert (batches[0][0] != batches[2][0]).any()


def test_what_is_hidden_in_the_evaluation_never_changes(finished):
    run, data, _ = finished
    task = run.task
    whole = [np.concatenate(parts) for parts in zip(*task.questions(data, None), strict=True)]
    np.random.default_rng(EVALUATION).random(10)
    for a, b in zip(whole, map(np.concatenate, zip(*task.questions(data, None), strict=True)), strict=True):
        np.testing.assert_array_equal(a, b)
    few = [np.concatenate(parts) for parts in zip(*task.questions(data, 60), strict=True)]
    assert len(few[0]) == 5
    places = np.linspace(0, len(whole[0]) - 1, 5).astype(int)
    for a, b in zip(few, whole, strict=True):
        np.testing.assert_array_equal(a, b[places])
    assert len(whole[0]) == len(data.validation) // 12
    model = run.model("cpu")
    assert np.isfinite(task.evaluate(model, data, 1))


def test_the_parts_of_the_loss_are_those_of_the_passages(finished):
    run, data, outcome = finished
    loss, parts = run.task.evaluate_parts(run.model("cpu"), data)
    assert loss == outcome.validation_loss
    assert len(parts) == len(data.validation) // 12
    assert parts.mean() == pytest.approx(loss, rel=1e-5)  # as much is hidden of each


# -- what it is for ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_says_what_stands_at_a_mask(tmp_path):
    settings = {"n_layer": 2, "n_embd": 32, "batch_size": 16, "dropout": 0.0, "steps": 400, "warmup": 50, "eval_every": 400,
                "checkpoint_every": 400, "learning_rate": 3e-3, "min_learning_rate": 3e-4}  # fmt: skip
    run, data = begin(tmp_path, **settings)
    outcome = train(run, data, device="cpu", progress=False)
    assert outcome.measures["accuracy"] > 0.4  # the likeliest word is right in 0.15
    for given in (run, run.folder, str(run.folder)):
        answers = fill(given, "the value [MASK] size is one and [MASK] type", count=3)
        assert [len(tokens) for tokens in answers] == [3, 3]
    assert answers[0][0][0] == "of"
    assert all(0 < p <= 1 and token not in MARKS for tokens in answers for token, p in tokens)
    assert sum(p for _, p in fill(run, "the [MASK]", count=10**6)[0]) == pytest.approx(1.0)


def test_what_cannot_be_filled_is_named(finished):
    run, _, _ = finished
    assert len(fill(run, "the [MASK] of [MASK]")) == 2
    with pytest.raises(ValueError, match=r"has no \[MASK\]"):
        fill(run, "the value")
    with pytest.raises(ValueError, match="the model's context is 12"):
        fill(run, "[MASK] " * 13)


def test_what_is_told_of_it(finished):
    run, data, outcome = finished
    task = run.task
    assert task.shape == "BERT: 1 layers, 2 heads, 8 wide, context 14"
    assert task.result(2.0, {"accuracy": 0.25}) == "validation loss 2.0000 nats a masked token, 25.0% of them right"
    sample = task.sample(run.model("cpu"), task.tokenizer(run.folder), data, 0)
    assert sample.startswith("Each hidden token as [what stood there: the guess].\n\n")
    assert sample.count(": ") >= 8
    card = (run.folder / "card.md").read_text(encoding="utf-8")
    for said in ("BERT, 1 layers", "It does not write", "wordpiece", "masked_language_model.fill", f"{outcome.validation_loss:.4f}",
                 "--recipe masked"):  # fmt: skip
        assert said in card


def test_generate_refuses_it_and_says_what_to_do(finished, capsys):
    run, _, _ = finished
    assert main(["generate", str(run.folder)]) == 1
    told = capsys.readouterr().err
    for said in ("run of a masked language model", "does not write on", "import fill", "--recipe bpe"):
        assert said in told
    with pytest.raises(CheckpointError, match="masked language model"):
        open_run(run.folder)


def test_from_the_command_line(tmp_path, capsys):
    source = tmp_path / "text.txt"
    source.write_text(TEXT, encoding="utf-8")
    options = [f"--{name}={OPTIONS[setting]}" for name, setting in (
        ("layers", "n_layer"), ("heads", "n_head"), ("width", "n_embd"), ("block-size", "block_size"), ("vocab-size", "vocab_size"),
        ("batch-size", "batch_size"), ("dropout", "dropout"))]  # fmt: skip
    folder = tmp_path / "run"
    command = ["train", "--recipe", "masked", "--data", str(source), "--out", str(folder), "--quiet", "--device", "cpu"]
    assert main([*command, *options, "--steps=6"]) == 0
    told = capsys.readouterr().out
    for said in (
        "BERT: 1 layers, 2 heads, 8 wide, context 14",
        "nats a masked token",
        "Each hidden token as",
        "import fill",
    ):
        assert said in told
    assert main(["train", "--resume", str(folder), "--steps=8", "--quiet", "--device", "cpu"]) == 0
    assert "phase 2, begun after step 6" in capsys.readouterr().out
    for options, message in (
        (["--tokenizer", "bpe"], r"lacks [PAD], [UNK], [CLS], [SEP], [MASK]: take --tokenizer wordpiece"),
        (["--block-size", "2"], "must be at least 3"),
        (["--width", "9", "--heads", "2"], "does not divide --width 9"),
    ):
        command[command.index("--out") + 1] = str(tmp_path / "other")
        assert main([*command, *options]) == 1
        assert message in capsys.readouterr().err
        assert not (tmp_path / "other").exists()


# -- what a run keeps of it -------------------------------------------------------------------------------------------


def test_a_config_that_was_changed_is_refused(finished, tmp_path):
    run, _, _ = finished
    config = json.loads((run.folder / "config.json").read_text())
    assert set(config["marks"]) == set(MARKS)
    marks = config["marks"]
    for changes, message in (
        ({"marks": {**marks, "[MASK]": 10**6}}, "marks should be the ids"),
        ({"marks": {"[MASK]": 4}}, "marks should be the ids"),
        ({"marks": 3}, "marks should be the ids"),
        ({"marks": {**marks, "[MASK]": 1}}, "edited or damaged"),
        ({"extra": 1}, "unknown fields"),
        ({"model": {**config["model"], "hidden_size": "8"}}, "hidden_size should be of type int"),
        ({"tokenizer_sha256": 3}, "tokenizer_sha256 should be of type str"),
    ):
        (tmp_path / "config.json").write_text(json.dumps({**config, **changes}))
        with pytest.raises(CheckpointError, match=message):
            resume_run(tmp_path)


def test_weights_of_another_shape_are_refused(finished):
    task = finished[0].task
    shapes = {name: p.shape for name, p in task.make_model().named_parameters()}
    assert task.misfit(shapes) is None
    assert f"expected ({task.config.vocab_size}, 8) and 1" in task.misfit({**shapes, "bert.words.weight": (3, 8)})
    assert "2 layers" in task.misfit({**shapes, "bert.layers.1.norm1.weight": (8,)})


def test_a_tokenizer_without_bert_s_tokens_is_named():
    marks = ["[UNK]", "[PAD]"]
    for tokenizer in (
        BPETokenizer.train("a b", vocab_size=257),
        WordPieceTokenizer([*marks, "a"], special_tokens=marks),
    ):
        with pytest.raises(TokenizerError, match=r"\[MASK\].*take --tokenizer wordpiece"):
            MaskedLanguageModel.make(BertConfig(5), None, tokenizer)


def test_a_recipe_is_a_recipe():
    recipe = find_recipe("masked")
    assert isinstance(recipe, Recipe)
    config = MaskedLanguageModel.make_config(recipe.vocab_size, recipe.model)
    assert MaskedLanguageModel.settings_of(config) == {"vocab_size": recipe.vocab_size, **recipe.model}
    weights, memory = MaskedLanguageModel.sizes(config, 16)
    assert weights == 1_082_624
    assert 4 * 4 * weights < memory < 10**9
