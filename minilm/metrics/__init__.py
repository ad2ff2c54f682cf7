"""What is measured of a model's answers: numbers and strings go in, numbers come out. Nothing here knows of tensors or models."""

from minilm.metrics.interval import Interval, difference_interval, ratio_interval
from minilm.metrics.language_model import bits_per_byte, bits_per_character, loss_per_token, perplexity, text_size
from minilm.metrics.score import Score

__all__ = [
    "Interval",
    "Score",
    "bits_per_byte",
    "bits_per_character",
    "difference_interval",
    "loss_per_token",
    "perplexity",
    "ratio_interval",
    "text_size",
]
