"""The sizes that are computed from a shape are those of the model that is made of it."""

import itertools

import numpy as np
import pytest

import minilm as ml
from minilm.models import GPT, GPTConfig
from minilm.models.size import parameter_count, training_bytes, writing_bytes


@pytest.mark.parametrize(("bias", "tie", "position", "norm"), list(itertools.product(
    (False, True), (False, True), ("learned", "sinusoidal", "rotary"), ("layer", "rms"))))  # fmt: skip
def test_parameter_count(bias, tie, position, norm):
    config = GPTConfig(7, 5, 2, 3, 12, bias=bias, tie_weights=tie, position=position, norm=norm)
    assert parameter_count(config) == sum(p.size for p in GPT(config).parameters())


def test_a_training_step_needs_at_least_that_much():
    config = GPTConfig(50, 32, 2, 2, 32, bias=False)
    model = GPT(config)
    ids = np.ones((8, 32), np.int64)
    with ml.profile() as profile:
        model.loss(ids, ids).backward()
    activations = training_bytes(config, 8) - 16 * parameter_count(config)
    assert activations <= profile.peak.bytes


def test_a_large_one_is_counted_without_being_made():
    config = GPTConfig(1, 64, 1, 2, 2_000_000)
    assert training_bytes(config, 1) > 16 * 12 * 2_000_000**2
    assert writing_bytes(config, 10**6, 10**9) > 10**6 * 2 * 64 * 2_000_000 * 4
