"""Optimizers, gradient clipping and learning-rate schedules.

A training step is ``optimizer.zero_grad()``, ``loss.backward()``, perhaps `clip_grad_norm_`, ``optimizer.step()`` and
``schedule.step()``.
"""

from minilm.optim.adagrad import Adagrad
from minilm.optim.adam import Adam, AdamW
from minilm.optim.clip import clip_grad_norm_, clip_grad_value_
from minilm.optim.groups import decay_groups
from minilm.optim.optimizer import Optimizer
from minilm.optim.rmsprop import RMSprop
from minilm.optim.schedules import (
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
    WarmupCosineLR,
)
from minilm.optim.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "CosineAnnealingLR", "ExponentialLR", "LRScheduler", "LinearLR", "MultiStepLR",
           "OneCycleLR", "Optimizer", "RMSprop", "ReduceLROnPlateau", "SequentialLR", "StepLR", "WarmupCosineLR",
           "clip_grad_norm_", "clip_grad_value_", "decay_groups"]  # fmt: skip
