"""Scale: small runs over parameters and characters read, the power law that predicts larger ones, the batch that replaces steps."""

from minilm.metrics.interval import percentiles
from minilm.scaling.batch import CriticalBatch, fit_critical_batch, noise_scale
from minilm.scaling.law import Law, fit_law, resampled
from minilm.scaling.runs import Characters, characters, in_a_row, measured, parameters, reading

__all__ = [
    "Characters", "CriticalBatch", "Law", "characters", "fit_critical_batch", "fit_law", "in_a_row", "measured", "noise_scale",
    "parameters", "percentiles", "reading", "resampled",
]  # fmt: skip
