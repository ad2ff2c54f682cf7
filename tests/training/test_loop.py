"""The training loop: what it logs, where it stops, and that going on is exact to the bit."""

import json
import math
import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from minilm.data import random_blocks
from minilm.training.checkpoint import CheckpointError, load_arrays
from minilm.training.loop import Training, train
from minilm.training.recipes import open_run, resume_run
from minilm.training.run import weights_of
from minilm.training.settings import TrainConfig
from minilm.training.stops import stop_requests
from tests.tiny import rate_at, resealed, tiny_run

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("no_picture")]  # runs name their device


def weights(run, name="checkpoint"):
    return load_arrays(run.folder / f"{name}.safetensors")[0]


def assert_equal_weights(a, b):
    for name in ("checkpoint", "model"):
        x, y = weights(a, name), weights(b, name)
        assert x.keys() == y.keys()
        for key in x:
            np.testing.assert_array_equal(x[key], y[key], err_msg=f"{name}: {key}")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    run, text = tiny_run(tmp_path_factory.mktemp("finished"))
    return run, text, train(run, text, device="cpu", progress=False)


def test_outcome_and_files(finished):
    run, text, outcome = finished
    assert outcome.reason == "finished"
    assert outcome.step == 12
    assert 0 < outcome.validation_loss < math.log(20)
    assert outcome.measures["bits_per_character"] == pytest.approx(outcome.validation_loss / math.log(2), rel=1e-3)
    assert sorted(os.listdir(run.folder)) == [
        "card.md", "checkpoint.safetensors", "config.json", "loss.png", "metrics.jsonl", "model.safetensors", "tokenizer.json"]  # fmt: skip
    assert (run.folder / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_metrics(finished):
    run, _, outcome = finished
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "validation_loss" in line] == [0, 4, 8, 12]
    logged = [line for line in lines if "loss" in line]
    assert [line["step"] for line in logged] == [10, 12]
    assert set(logged[0]) == {"step", "loss", "learning_rate", "gradient_norm", "tokens_per_second"}
    assert lines[-1]["final_validation_loss"] == outcome.validation_loss


def test_best_weights_are_kept(finished):
    run, text, outcome = finished
    training = Training(run, text, "cpu")
    training.model = run.model("cpu")
    assert training.evaluate() == outcome.validation_loss


def test_same_seed_same_weights_other_seed_others(finished, tmp_path):
    run, _, _ = finished
    again, text = tiny_run(tmp_path)
    train(again, text, device="cpu", progress=False)
    assert_equal_weights(run, again)
    other, text = tiny_run(tmp_path, "other", seed=1)
    train(other, text, device="cpu", progress=False)
    mine, others = weights(run, "model"), weights(other, "model")
    assert any((mine[key] != others[key]).any() for key in mine)


@pytest.mark.parametrize("step", [0, 1, 3, 5, 8, 11])
def test_resumed_after_a_stop_at_any_step_is_exact(finished, tmp_path, monkeypatch, step):
    run, text = tiny_run(tmp_path)
    update, calls = Training.update, []

    def dies(self):
        if len(calls) == step:
            raise KeyboardInterrupt
        calls.append(1)
        return update(self)

    monkeypatch.setattr(Training, "update", dies)
    with pytest.raises(KeyboardInterrupt):
        train(run, text, device="cpu", progress=False)
    monkeypatch.undo()
    outcome = train(*resume_run(run.folder), device="cpu", progress=False)
    assert outcome.validation_loss == finished[2].validation_loss
    assert_equal_weights(finished[0], run)
    strip = [{k: v for k, v in line.items() if k != "tokens_per_second"} for line in run.metrics()]
    assert strip == [{k: v for k, v in line.items() if k != "tokens_per_second"} for line in finished[0].metrics()]


def test_ctrl_c_saves_and_says_so(finished, tmp_path, monkeypatch, capsys):
    run, text = tiny_run(tmp_path)
    update = Training.update

    def interrupted(self):
        if self.step == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return update(self)

    monkeypatch.setattr(Training, "update", interrupted)
    outcome = train(run, text, device="cpu", progress=False)
    monkeypatch.undo()
    assert (outcome.reason, outcome.step) == ("interrupted", 7)
    assert "once more to stop at once" in capsys.readouterr().err
    assert load_arrays(run.folder / "checkpoint.safetensors")[1]["step"] == 7
    train(*resume_run(run.folder), device="cpu", progress=False)
    assert_equal_weights(finished[0], run)


def test_second_ctrl_c_ends_at_once():
    with pytest.raises(KeyboardInterrupt), stop_requests() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop()
        os.kill(os.getpid(), signal.SIGINT)


def test_a_finished_run_stays_finished(finished):
    run, text, outcome = finished
    before = weights(run)
    again = train(run, text, device="cpu", progress=False)
    assert (again.reason, again.step, again.validation_loss) == ("finished", 12, outcome.validation_loss)
    for key, array in weights(run).items():
        np.testing.assert_array_equal(array, before[key])


def test_a_text_larger_than_memory_trains_from_the_disk_to_the_same_weights(finished, tmp_path, monkeypatch):
    monkeypatch.setattr("minilm.training.recipes.IN_MEMORY", 1000)
    run, text = tiny_run(tmp_path)
    assert isinstance(text.train, np.memmap)
    np.testing.assert_array_equal(text.validation, finished[1].validation)
    training = Training(run, text, "cpu")
    for _ in range(6):
        training.update()
    training.save()
    outcome = train(*resume_run(run.folder), device="cpu", progress=False)
    assert outcome.measures == finished[2].measures
    assert (run.folder / "train.tokens").exists()


def test_early_stopping(tmp_path, monkeypatch):
    run, text = tiny_run(tmp_path, steps=40, eval_every=2, patience=2)
    losses = iter([3.0, 2.0, 2.5, 1.5, 1.6, 1.7, 1.0])
    monkeypatch.setattr(Training, "evaluate", lambda self, most=None: next(losses))
    outcome = train(run, text, device="cpu", progress=False)
    assert (outcome.reason, outcome.step) == ("early stop", 10)


def test_accumulation_is_a_larger_batch():
    """The gradient of two half batches, each halved, is that of the whole batch."""
    from minilm.models import GPT, GPTConfig

    model = GPT(GPTConfig(vocab_size=9, block_size=4, n_layer=1, n_head=1, n_embd=8)).to("float64")
    ids = np.random.default_rng(0).integers(0, 9, (6, 5))
    model.loss(ids[:, :-1], ids[:, 1:]).backward()
    whole = [p.grad.numpy().copy() for p in model.parameters()]
    model.zero_grad()
    for half in (ids[:3], ids[3:]):
        (model.loss(half[:, :-1], half[:, 1:]) * 0.5).backward()
    for p, g in zip(model.parameters(), whole, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), g, atol=1e-12)


def test_an_accumulated_update_is_the_mean_over_its_batches(tmp_path, monkeypatch):
    run, text = tiny_run(tmp_path, accumulate=3, dropout=0.0, clip=0.0)
    training, twin, batches = Training(run, text, "cpu"), Training(run, text, "cpu"), []

    def noted(*arguments):
        batches.append(random_blocks(*arguments))
        return batches[-1]

    monkeypatch.setattr("minilm.training.language_model.random_blocks", noted)
    loss, norm = training.update()
    starts = [tuple(map(bytes, x)) for x, _ in batches]
    assert len(set(starts)) == 3
    x, y = (np.concatenate(part) for part in zip(*batches, strict=True))
    whole = twin.model.loss(x, y)
    whole.backward()
    assert loss.item() == pytest.approx(whole.item(), rel=1e-5)
    for p, q in zip(training.model.parameters(), twin.model.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), atol=1e-6)
    assert norm.item() == pytest.approx(
        math.sqrt(sum((q.grad.numpy() ** 2).sum() for q in twin.model.parameters())), rel=1e-4
    )


def at_each_step(training, look):
    """What `look` gives just before each update of the weights from now on."""
    seen, step = [], training.optimizer.step

    def noted():
        seen.append(look())
        return step()

    training.optimizer.step = noted
    return seen


def test_updates_use_the_rate_of_their_step(tmp_path):
    training = Training(*tiny_run(tmp_path), "cpu")
    rates = at_each_step(training, lambda: {group["lr"] for group in training.optimizer.param_groups})
    for _ in range(4):
        training.update()
    assert rates == [{rate_at(step, training.config)} for step in range(4)]


def test_gradients_are_clipped_before_the_update(tmp_path):
    training = Training(*tiny_run(tmp_path, clip=0.01), "cpu")
    norms = at_each_step(
        training, lambda: math.sqrt(sum((p.grad.numpy() ** 2).sum() for p in training.model.parameters()))
    )
    _, before = training.update()
    assert before.item() > 0.1
    assert norms == [pytest.approx(0.01, rel=1e-3)]


def test_worse_weights_do_not_replace_the_best(tmp_path, monkeypatch):
    run, text = tiny_run(tmp_path)
    losses, evaluated = iter([3.0, 1.0, 2.0, 1.5, 1.0]), []

    def evaluate(self, most=None):
        evaluated.append(weights_of(self.model))
        return next(losses)

    monkeypatch.setattr(Training, "evaluate", evaluate)
    monkeypatch.setattr(Training, "evaluate_parts", lambda self: (evaluate(self), None))
    train(run, text, device="cpu", progress=False)
    _, best, *_, last = evaluated
    for name, array in weights(run, "model").items():
        np.testing.assert_array_equal(array, best[name])
        np.testing.assert_array_equal(last[name], best[name])


def test_accumulating_run_learns(tmp_path):
    run, text = tiny_run(tmp_path, accumulate=3, dropout=0.0)
    training = Training(run, text, "cpu")
    before = training.evaluate()
    for _ in range(12):
        training.update()
    assert training.evaluate() < before


def test_evaluation_covers_the_text_once(tmp_path):
    run, text = tiny_run(tmp_path)
    training = Training(run, text, "cpu")
    block, ids = 16, text.validation.astype(int)
    losses = []
    loss = training.evaluate()
    assert training.model.training
    training.model.eval()
    for i in range(0, len(ids) - block, block):
        losses.append(training.model.loss(ids[None, i : i + block], ids[None, i + 1 : i + block + 1]).item())
    assert loss == pytest.approx(np.mean(losses), rel=1e-6)


def test_evaluation_in_several_batches_is_the_mean_over_all_of_them(tmp_path):
    run, text = tiny_run(tmp_path)
    training = Training(run, text, "cpu")
    once = np.resize(text.validation, 4096)  # as many tokens as one batch of an evaluation has
    one, three = (replace(text, validation=np.append(np.tile(once, n), once[0])) for n in (1, 3))
    losses = [training.task.evaluate(training.model.eval(), data, None) for data in (one, three)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_learning_rate():
    config = TrainConfig(steps=100, warmup=10, learning_rate=1.0, min_learning_rate=0.1)
    rates = [rate_at(step, config) for step in range(101)]
    assert rates[0] == pytest.approx(1 / 11)
    assert rates[10] == 1.0
    assert rates[55] == pytest.approx(0.55)
    assert rates[100] == pytest.approx(0.1)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_divergence_is_named(tmp_path):
    run, text = tiny_run(tmp_path, learning_rate=1e8, clip=0.0, warmup=0, steps=30, dropout=0.0)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="--learning-rate"):
        train(run, text, device="cpu", progress=False)


class TestBadRuns:
    def damaged(self, tmp_path, **changes):
        run, _ = tiny_run(tmp_path)
        path = run.folder / "config.json"
        config = json.loads(path.read_text())
        for key, value in changes.items():
            part, _, name = key.partition("__")
            if name:
                config[part][name] = value
            else:
                config[part] = value
        path.write_text(json.dumps(config))
        return run.folder

    @pytest.mark.parametrize(
        ("changes", "message"),
        [({"format": "x"}, "does not belong"), ({"version": 99}, "version 99"), ({"model": 3}, "should be a JSON object"),
         ({"model__n_layer": "2"}, "n_layer should be of type int"), ({"model__n_layer": True}, "n_layer"),
         ({"model__n_head": 5}, "does not divide"), ({"model__extra": 1}, "unknown fields"), ({"training__steps": 0}, "steps must be"),
         ({"training__learning_rate": -1.0}, "learning_rate"), ({"text__sha256": 5}, "sha256")],
    )  # fmt: skip
    def test_config(self, tmp_path, changes, message):
        with pytest.raises(CheckpointError, match=message):
            open_run(self.damaged(tmp_path, **changes))

    def test_a_config_of_a_huge_model_does_not_allocate_it(self, tmp_path, finished):
        run, text = tiny_run(tmp_path)
        train(run, text, device="cpu", progress=False)
        config = json.loads((run.folder / "config.json").read_text())
        config["model"].update(n_layer=10**6, n_embd=2**14)
        (run.folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(CheckpointError, match="was edited or damaged"):
            open_run(run.folder)
        (run.folder / "config.json").write_text(json.dumps(resealed(config)))
        with pytest.raises(CheckpointError, match=r"does not fit config\.json"):
            open_run(run.folder).model("cpu")
        with pytest.raises(CheckpointError, match=r"does not fit config\.json"):
            train(*resume_run(run.folder), device="cpu", progress=False)

    def test_text_that_changed(self, tmp_path):
        run, _ = tiny_run(tmp_path)
        path = tmp_path / "text.txt"
        path.write_text(path.read_text() + "more")
        with pytest.raises(ValueError, match="SHA-256 differs"):
            resume_run(run.folder)

    def test_folder_that_is_taken(self, tmp_path):
        run, _ = tiny_run(tmp_path)
        before = (run.folder / "config.json").read_bytes()
        with pytest.raises(FileExistsError, match="--resume"):
            tiny_run(tmp_path)
        assert (run.folder / "config.json").read_bytes() == before

    def test_damaged_checkpoint_is_not_overwritten(self, tmp_path):
        run, text = tiny_run(tmp_path)
        Training(run, text, "cpu").save()
        path = run.folder / "checkpoint.safetensors"
        damaged = path.read_bytes()[:-7]
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="not a whole safetensors"):
            train(run, text, device="cpu", progress=False)
        assert path.read_bytes() == damaged

    def test_checkpoint_of_another_shape(self, tmp_path):
        run, text = tiny_run(tmp_path)
        other, _ = tiny_run(tmp_path, "other", n_embd=8)
        Training(run, text, "cpu").save()
        (other.folder / "checkpoint.safetensors").write_bytes((run.folder / "checkpoint.safetensors").read_bytes())
        with pytest.raises(CheckpointError, match="does not fit"):
            train(other, text, device="cpu", progress=False)

    def test_weights_in_place_of_a_checkpoint(self, tmp_path):
        run, text = tiny_run(tmp_path)
        training = Training(run, text, "cpu")
        run.save_model(training.model, 0, 1.0)
        (run.folder / "model.safetensors").rename(run.folder / "checkpoint.safetensors")
        with pytest.raises(CheckpointError, match="'minilm checkpoint'"):
            train(run, text, device="cpu", progress=False)

    def test_tokenizer_of_another_run(self, tmp_path):
        from minilm.text import CharTokenizer

        run, _ = tiny_run(tmp_path)
        CharTokenizer.train("ab").save(run.folder / "tokenizer.json")
        with pytest.raises(CheckpointError, match="the tokenizer has 2 tokens"):
            run.task.tokenizer(run.folder)

    @pytest.mark.parametrize(
        ("options", "message"),
        [({"block_size": 10**5}, "tokens; a context of 100000"), ({"steps": 0}, "steps"), ({"nonsense": 1}, "nonsense"),
         ({"tokenizer": "bpe", "vocab_size": 10}, "vocab"), ({"clip": -1.0}, "clip"), ({"learning_rate": math.nan}, "learning_rate")],
    )  # fmt: skip
    def test_options(self, tmp_path, options, message):
        with pytest.raises((ValueError, TypeError), match=message):
            tiny_run(tmp_path, **options)
        assert not (tmp_path / "run").exists()

    def test_metrics_cut_short_by_a_kill(self, tmp_path):
        run, _ = tiny_run(tmp_path)
        (run.folder / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
        assert run.metrics() == [{"step": 1, "loss": 2.0}]
        run.rewind_metrics(5)
        assert (run.folder / "metrics.jsonl").read_text() == '{"step": 1, "loss": 2.0}\n'
        (run.folder / "metrics.jsonl").write_text('{"st\n{"step": 2}\n')
        assert run.metrics() == [{"step": 2}]


def test_two_processes_train_to_the_same_losses(tmp_path):
    found = []
    for processes in (1, 2):
        run, text = tiny_run(tmp_path, str(processes), processes=processes, dropout=0.0)
        train(run, text, device="cpu", progress=False)
        found.append([line["loss"] for line in run.metrics() if "loss" in line])
    np.testing.assert_allclose(*found, rtol=1e-5)


@pytest.mark.slow
def test_going_on_with_two_processes_is_exact(tmp_path):
    undisturbed, text = tiny_run(tmp_path, "undisturbed", processes=2)
    train(undisturbed, text, device="cpu", progress=False)
    run, text = tiny_run(tmp_path, "resumed", processes=2)
    training = Training(run, text, "cpu")
    with training.parallel:
        for _ in range(3):
            training.update()
    training.save()
    train(run, text, device="cpu", progress=False)
    x, y = weights(undisturbed), weights(run)
    for key in x:
        np.testing.assert_array_equal(x[key], y[key], err_msg=key)
