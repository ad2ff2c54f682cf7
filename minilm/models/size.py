"""How large a GPT or a BERT is, from its shape alone: before anything is made of it."""

from __future__ import annotations

from minilm.models.bert import BertConfig
from minilm.models.gpt import GPTConfig

FLOAT = 4  # bytes of a float32


def parameter_count(config: GPTConfig) -> int:
    r"""The number of weights: with V tokens, width C, L blocks and a context of T,

    .. math:: VC + TC + L\,(12\,C^2 + 2C) + C

    without biases; tied weights counted once, positions only where they are learned.
    """
    C = config.n_embd
    norm = C * (2 if config.bias and config.norm == "layer" else 1)
    biases = (3 + 1 + 4 + 1) * C if config.bias else 0
    embeddings = config.vocab_size * (1 if config.tie_weights else 2) + config.block_size * (
        config.position == "learned"
    )
    return C * embeddings + config.n_layer * (12 * C * C + biases + 2 * norm) + norm


def training_bytes(config: GPTConfig, batch_size: int) -> int:
    """The least memory that a training step can do with, in bytes.

    Weights, their gradients and AdamW's two averages; and of each token of the batch, what the rules need of each block on
    the way back: the inputs of its four products, 1 + 1 + 1 + 4 times the width, with the queries, keys and values, and the logits.
    """
    tokens = batch_size * config.block_size
    activations = tokens * (config.n_layer * 10 * config.n_embd + config.vocab_size)
    return FLOAT * (4 * parameter_count(config) + activations)


def writing_bytes(config: GPTConfig, texts: int, tokens: int) -> int:
    """The least memory for writing `texts` of `tokens` tokens at once, in bytes: the weights, and each text's keys, values and logits."""
    kept = 2 * config.n_layer * config.n_embd * min(tokens, config.block_size)
    return FLOAT * (parameter_count(config) + texts * (kept + config.vocab_size))


def bert_parameter_count(config: BertConfig) -> int:
    r"""The number of weights of a masked language model: with V tokens, S segments, T positions, width C, inside I, and L layers,

    .. math:: (V + S + T + 2)\,C + L\,(4\,C^2 + 2\,CI + 9\,C + I) + C^2 + 3\,C + V
    """
    C, I = config.hidden_size, config.intermediate_size
    rows = config.vocab_size + config.type_vocab_size + config.max_position_embeddings + 2
    layer = 4 * C * C + 2 * C * I + 9 * C + I
    return rows * C + config.num_hidden_layers * layer + C * C + 3 * C + config.vocab_size


def bert_training_bytes(config: BertConfig, batch_size: int) -> int:
    """The least memory that a step of a masked language model can do with, in bytes: as `training_bytes`, logits for 15 % of the tokens."""
    tokens = batch_size * config.max_position_embeddings
    inside = config.num_hidden_layers * (6 * config.hidden_size + config.intermediate_size)
    return FLOAT * (4 * bert_parameter_count(config) + tokens * inside + tokens * config.vocab_size * 15 // 100)
