"""Learning from people's data without telling on them: gradients by example, noise, what it is worth, and an attack that checks it.

In the order of reading: `per_example` (each example's gradient), `private` (a step of DP-SGD), `accountant` (what so many steps
tell about one example at most), `membership` (what an attacker finds out in fact).
"""

from minilm.privacy.accountant import noise_for, privacy_of
from minilm.privacy.membership import Attack, exposure, likelihood_ratios, loss_attack
from minilm.privacy.per_example import gradient_norms, gradients_by_example, gradients_by_example_plain
from minilm.privacy.private import poisson_batches, private_gradients

__all__ = [
    "Attack",
    "exposure",
    "gradient_norms",
    "gradients_by_example",
    "gradients_by_example_plain",
    "likelihood_ratios",
    "loss_attack",
    "noise_for",
    "poisson_batches",
    "privacy_of",
    "private_gradients",
]
