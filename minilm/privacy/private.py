r"""A step of differentially private SGD: each example's gradient is clipped, noise is added to their sum.

.. math:: \tilde g = \frac1L \left( \sum_{i \in \text{batch}} g_i \min\!\left(1, \frac{C}{\lVert g_i \rVert}\right)
    + \mathcal N(0, \sigma^2 C^2 I) \right)

Abadi, Chu, Goodfellow, McMahan, Mironov, Talwar & Zhang 2016, *Deep Learning with Differential Privacy*, algorithm 1
(arXiv:1607.00133). No example moves the sum by more than C, and the noise hides so much. What the optimizer makes of it afterwards,
momentum or Adam, tells nothing more. How much all steps tell together says `minilm.privacy.accountant`; that holds for batches into which
each example comes by a coin of its own (`poisson_batches`).

The noise is drawn from NumPy's generator, whose numbers could be foreseen by someone who knows the seed, and in floating point, whose
gaps tell a little (Mironov 2012, *On Significance of the Least Significant Bits for Differential Privacy*): here one learns
how it works; for real people's data, a library that is kept for that does the drawing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minilm.backend import to_device
from minilm.nn import Module
from minilm.privacy.accountant import expect_number
from minilm.privacy.per_example import Losses, Pass
from minilm.tensor import Tensor
from minilm.types import Array, HostArray


def poisson_batches(n: int, rate: float, steps: int, rng: np.random.Generator) -> Iterator[HostArray]:
    """The examples of each step's batch: each of the n is in it with the probability `rate`, whatever the others do.

    So batches differ in size, and may be empty. Passes over shuffled data are not that: the accountant's numbers do not hold for them.

    Raises:
        ValueError: `rate` is not in (0, 1], or a count is no positive integer.
    """
    expect_number("rate", rate, above=0.0, most=1.0)
    for name, value in (("n", n), ("steps", steps)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a positive integer, got {value!r}.")
    for _ in range(steps):
        yield np.flatnonzero(rng.random(n) < rate)


def private_gradients(
    model: Module, losses: Losses, *batch: Any, clip: float, noise: float, expected: float, rng: np.random.Generator
) -> Array | None:
    r"""Puts the private gradient of a batch into the ``grad`` of each learned parameter; an optimizer's step follows.

    The norms come from the layers' inputs and outputs, and the sum of clipped gradients from a second backward pass, with the loss of
    example i weighted by :math:`\min(1, C / \lVert g_i \rVert)`: no example's gradient is ever stored (Lee & Kifer 2021, *Scaling up
    Differentially Private Deep Learning with Fast Per-Example Gradient Clipping*, arXiv:2009.03106).

    Args:
        model, losses, batch: as in `minilm.privacy.per_example.gradients_by_example`. A batch may be empty: then noise alone comes.
        clip: C, the largest norm of an example's gradient.
        noise: sigma, the noise's standard deviation in units of C.
        expected: the mean size of a batch, rate times n, by which the sum is divided. The real size would tell who is in it.
        rng: draws the noise.

    Returns:
        the norms of the examples' gradients before clipping, (B,); None of an empty batch. They are not private: look, do not publish.

    Raises:
        ValueError: an option is out of its range (and what `gradients_by_example` raises, with its TypeError).
    """
    expect_number("clip", clip, above=0.0)
    expect_number("noise", noise)
    expect_number("expected", expected, above=0.0)
    norms, sums = None, {}
    if not batch or len(batch[0]):
        once = Pass.over(model, losses, *batch)
        norms = once.norms(retain=True)
        sums = once.weighted(weights(norms, clip).astype(once.losses.dtype))
    for name, p in model.named_parameters():
        if p.requires_grad:
            drawn = to_device((noise * clip * rng.standard_normal(p.shape)).astype(p.dtype), p.device)
            total = sums[name] + drawn if name in sums else drawn
            p.grad = Tensor(total / p.dtype.type(expected), device=p.device)
    return norms


def weights(norms: Array, clip: float) -> Array:
    """What each example's gradient is multiplied with, so that its norm is at most `clip`."""
    return clip / norms.clip(clip, None)


__all__ = ["poisson_batches", "private_gradients", "weights"]
