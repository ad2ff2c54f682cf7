"""Every optimizer with every combination of options that takes a path of its own, for the tests that hold for all."""

import itertools

import numpy as np
import pytest

import minilm as ml
from minilm import optim


def combinations(**options):
    """All ways to choose one value of each option."""
    return [dict(zip(options, values, strict=True)) for values in itertools.product(*options.values())]


CHOICES = [
    *((optim.SGD, o) for o in combinations(lr=[0.05], momentum=[0.0, 0.9], dampening=[0.0, 0.3], weight_decay=[0.0, 0.1])),
    *((optim.SGD, o) for o in combinations(lr=[0.05], momentum=[0.9], nesterov=[True], weight_decay=[0.0, 0.1])),
    *(
        (optim.Adagrad, o)
        for o in combinations(
            lr=[0.1], lr_decay=[0.0, 0.05], weight_decay=[0.0, 0.1], initial_accumulator_value=[0.0, 0.2], eps=[1e-10, 1e-2]
        )
    ),
    *(
        (optim.RMSprop, o)
        for o in combinations(
            lr=[0.02], alpha=[0.9], eps=[1e-8, 1e-2], weight_decay=[0.0, 0.1], momentum=[0.0, 0.8], centered=[False, True]
        )
    ),
    *(
        (cls, o)
        for cls in (optim.Adam, optim.AdamW)
        for o in combinations(lr=[0.03], betas=[(0.9, 0.99), (0.0, 0.9)], eps=[1e-8, 1e-2], weight_decay=[0.0, 0.1], amsgrad=[False, True])
    ),
]  # fmt: skip


def label(cls, options):
    return cls.__name__ + "".join(f"-{name}={value}" for name, value in options.items() if value and name != "lr")


VARIANTS = [pytest.param(cls, options, id=label(cls, options)) for cls, options in CHOICES]
ONE_EACH = [
    pytest.param(optim.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True, "l1": 0.01}, id="SGD"),
    pytest.param(optim.Adagrad, {"lr": 0.1, "lr_decay": 0.01, "weight_decay": 0.1}, id="Adagrad"),
    pytest.param(optim.RMSprop, {"lr": 0.02, "momentum": 0.8, "centered": True, "l1": 0.01}, id="RMSprop"),
    pytest.param(optim.Adam, {"lr": 0.03, "amsgrad": True, "weight_decay": 0.1}, id="Adam"),
    pytest.param(optim.AdamW, {"lr": 0.03, "betas": (0.9, 0.95), "weight_decay": 0.1}, id="AdamW"),
]

SHAPES = [(3, 4), (5,), ()]


def make_params(device, dtype=np.float32, seed=0, shapes=SHAPES):
    rng = np.random.default_rng(seed)
    return [
        ml.Tensor(rng.standard_normal(s).astype(dtype), True, device=device, name=f"p{i}") for i, s in enumerate(shapes)
    ]


def set_grads(params, rng):
    """Gradients that do not depend on the parameters, so that an error in one step does not hide in the next."""
    for p in params:
        p.grad = ml.Tensor(np.asarray(rng.standard_normal(p.shape)).astype(p.dtype), device=p.device)


def run(optimizer, params, rng, steps):
    for _ in range(steps):
        set_grads(params, rng)
        optimizer.step()


def numbers(params):
    return [p.numpy().copy() for p in params]
