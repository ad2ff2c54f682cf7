"""GPT against the same model in PyTorch: losses and every gradient over twenty steps, from the same weights and batches."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (pip install 'minilm[oracle]')")

import minilm as ml
from minilm.data import random_blocks
from minilm.models import GPT, GPTConfig
from minilm.optim import AdamW, clip_grad_norm_
from tests.oracle.torch_gpt import TorchGPT, copy_weights

RECIPE = {"vocab_size": 65, "block_size": 64, "n_layer": 4, "n_head": 4, "n_embd": 128}


def batches(steps, batch=12, block=64, vocab=65):
    """Text-like ids: a first-order chain, so that there is something to learn."""
    rng = np.random.default_rng(1)
    table = rng.integers(0, vocab, (vocab, 3))
    for _ in range(steps):
        ids = np.zeros((batch, block + 1), np.int64)
        ids[:, 0] = rng.integers(0, vocab, batch)
        for t in range(block):
            ids[:, t + 1] = table[ids[:, t], rng.integers(0, 3, batch)]
        yield ids[:, :-1], ids[:, 1:]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("tie", [True, False])
def test_losses_and_gradients_over_twenty_steps(bias, tie):
    """Losses of two trainings side by side; gradients at the same weights, those of ours.

    A key's bias has the gradient 0 but for rounding, and AdamW makes a whole step of it: in these the two trainings drift apart.
    """
    config = GPTConfig(**RECIPE, bias=bias, tie_weights=tie)
    ml.random.manual_seed(1337)
    model, oracle, here = GPT(config), TorchGPT(config), TorchGPT(config)
    copy_weights(model, oracle)
    options = {"lr": 1e-3, "betas": (0.9, 0.99)}
    optimizer = AdamW(model.decay_groups(0.1), **options)
    named = dict(oracle.named_parameters())
    groups = [{"params": [p for p in named.values() if p.ndim >= 2], "weight_decay": 0.1},
              {"params": [p for p in named.values() if p.ndim < 2], "weight_decay": 0.0}]  # fmt: skip
    reference = torch.optim.AdamW(groups, **options)
    for step, (x, y) in enumerate(batches(20)):
        loss, expected = model.loss(x, y), oracle.loss(torch.from_numpy(x), torch.from_numpy(y))
        assert abs(loss.item() - expected.item()) < 1e-5, f"step {step}"
        optimizer.zero_grad()
        reference.zero_grad()
        loss.backward()
        expected.backward()
        copy_weights(model, here)
        here.zero_grad()
        here.loss(torch.from_numpy(x), torch.from_numpy(y)).backward()
        there = dict(here.named_parameters())
        for name, p in model.named_parameters():
            want = there[name].grad.numpy()
            assert np.linalg.norm(p.grad.numpy() - want) <= 1e-5 * np.linalg.norm(want), f"step {step}: {name}"
        norm, want = clip_grad_norm_(model.parameters(), 1.0), torch.nn.utils.clip_grad_norm_(oracle.parameters(), 1.0)
        assert float(norm) == pytest.approx(want.item(), rel=1e-4)
        optimizer.step()
        reference.step()


@pytest.mark.slow
def test_a_hundred_and_fifty_steps_of_the_recipe_end_at_the_same_loss(tmp_path):
    """The whole recipe, its text, schedule and evaluation: the two trainings do not drift apart."""
    from minilm.training.loop import Training, schedule_of
    from minilm.training.recipes import find_recipe, start_run

    run, text = start_run(tmp_path / "run", find_recipe("nanogpt-cpu"), {"steps": 150})
    training, config = Training(run, text, "cpu"), run.train_config
    oracle = TorchGPT(run.task.config)
    copy_weights(training.model, oracle)
    named = dict(oracle.named_parameters())
    groups = [{"params": [p for p in named.values() if p.ndim >= 2], "weight_decay": config.weight_decay},
              {"params": [p for p in named.values() if p.ndim < 2], "weight_decay": 0.0}]  # fmt: skip
    reference = torch.optim.AdamW(groups, betas=(config.beta1, config.beta2))
    for step in range(config.steps):
        for group in reference.param_groups:
            group["lr"] = schedule_of(training.optimizer, config).lrs_at(step)[0]
        x, y = random_blocks(text.train, 64, config.batch_size, np.random.default_rng([config.seed, step, 0]))
        reference.zero_grad()
        oracle.loss(torch.from_numpy(x.astype(np.int64)), torch.from_numpy(y.astype(np.int64))).backward()
        torch.nn.utils.clip_grad_norm_(oracle.parameters(), config.clip)
        reference.step()
        training.update()
    ours = training.evaluate()
    with ml.no_grad():
        for name, p in training.model.named_parameters():
            p.copy_(named[name].detach().numpy())
    theirs = training.evaluate()
    print(f"validation loss after 150 steps: minilm {ours:.6f}, PyTorch {theirs:.6f}")
    assert ours < 2.8
    assert abs(ours - theirs) < 1e-4
