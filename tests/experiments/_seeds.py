"""A mean over seeds, with its interval."""

from collections.abc import Sequence

import numpy as np

T = {3: 4.303, 4: 3.182, 5: 2.776}
"""Student's t that 95 % lie within, by the number of seeds."""


def over_seeds(values: Sequence[float]) -> list[float]:
    """[mean, low, high]: 95 % by Student's t, each seed with a split of its own."""
    mean, half = np.mean(values), T[len(values)] * np.std(values, ddof=1) / len(values) ** 0.5
    return [float(mean), float(mean - half), float(mean + half)]
