"""Models: one file, one model."""

from minilm.models.cache import KVCache
from minilm.models.generation import Sampler, generate
from minilm.models.gpt import GPT, GPTConfig
from minilm.models.llama import Llama, LlamaConfig
from minilm.models.mlp import MLP

__all__ = ["GPT", "MLP", "GPTConfig", "KVCache", "Llama", "LlamaConfig", "Sampler", "generate"]
