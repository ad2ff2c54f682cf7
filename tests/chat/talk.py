"""Small models to talk with: random weights, a byte-pair tokenizer with ChatML's marks."""

import functools

import numpy as np

import minilm as ml
from minilm.chat import ChatML, Conversation
from minilm.models import GPT, GPTConfig
from minilm.models.cache import CacheSize
from minilm.models.llama import Llama, LlamaConfig
from minilm.text import BPETokenizer, CharTokenizer

TEXT = (
    "user\nWhat is the capital of France?\nassistant\nThe capital of France is Paris, and that of Spain is Madrid.\n"
    * 3
)
MARKS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")


@functools.cache
def tokenizer():
    return BPETokenizer.train(TEXT, vocab_size=320, special_tokens=MARKS)


@functools.cache
def characters():
    return CharTokenizer.train(TEXT + "".join(map(chr, range(32, 127))))


@functools.cache
def gpt(vocab_size, block_size=256):
    config = GPTConfig(vocab_size, block_size=block_size, n_layer=2, n_head=2, n_embd=32, tie_weights=False)
    return lively(GPT(config, rng=np.random.default_rng(1)))


@functools.cache
def llama(vocab_size, context=256):
    config = LlamaConfig(
        vocab_size, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=context,
    )  # fmt: skip
    return lively(Llama(config, rng=np.random.default_rng(2)))


def lively(model):
    """With weights so large that what is said depends on all that was said before."""
    with ml.no_grad():
        for p in model.parameters():
            p.data *= 8.0 if p.ndim > 1 else 1.0
    return model


def conversation(block_size=256, kind=gpt, **options):
    """With a model that says nothing of sense."""
    options = {"max_tokens": 12, "seed": 0, **options}
    return Conversation(kind(tokenizer().vocab_size, block_size), ChatML(tokenizer(), "Be brief."), **options)


class Scripted:
    """A model that says what a test wants: the ids of `answers`, one after another; it notes what it was asked."""

    def __init__(self, answers, vocab_size, block_size=256):
        self.config, self.cache_size = GPTConfig(vocab_size), CacheSize(0, 0, block_size, 0)
        self.script, self.contexts, self.training = [id for answer in answers for id in answer], [], True

    def train(self, mode=True):
        self.training = mode

    def next_logits(self, contexts, cache):
        self.contexts.append(contexts[0].tolist())
        logits = np.zeros((1, self.config.vocab_size), np.float32)
        logits[0, self.script.pop(0) if self.script else 0] = 100.0
        return Logits(logits), None


class Logits:
    def __init__(self, array):
        self.array = array

    def numpy(self):
        return self.array
