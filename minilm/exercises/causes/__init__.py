"""Why an answer is wrong: three sources of causes, each with its evidence, and the choice among them."""

from minilm.exercises.causes.diagnose import diagnose

__all__ = ["diagnose"]
