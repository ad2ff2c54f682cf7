"""Models: one file, one model."""

from minilm.models.generation import Sampler, generate
from minilm.models.gpt import GPT, GPTConfig, KVCache
from minilm.models.mlp import MLP

__all__ = ["GPT", "MLP", "GPTConfig", "KVCache", "Sampler", "generate"]
