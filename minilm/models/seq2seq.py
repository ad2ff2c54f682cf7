r"""Seq2Seq: an encoder-decoder Transformer, which reads one text and writes another.

The two halves are those of Vaswani et al. 2017, *Attention Is All You Need*; the details are T5's (Raffel et al. 2020, *Exploring the
Limits of Transfer Learning with a Unified Text-to-Text Transformer*, section 2.1): RMSNorm before each sublayer, no biases, attention
without the division by :math:`\sqrt d`, and instead of position embeddings a learned number for each distance between two tokens.

.. math::
    \text{encoder:} \quad u &= h + \operatorname{Attention}(N(h)), & h' &= u + \operatorname{FFN}(N(u)) \\
    \text{decoder:} \quad u &= g + \operatorname{Attention}_{\le t}(N(g)), & v &= u + \operatorname{Attention}(N(u), h^L), \quad
        g' = v + \operatorname{FFN}(N(v)) \\
    p(y_t \mid y_{<t}, x) &= \operatorname{softmax}(E\, N(g^L_t) / \sqrt d)

From the bottom up: the shape, distances, attention, feed-forward, a block of each half, the two halves, the model, and what it keeps
while it writes. The head that copies is in `minilm.models.pointer`; what is written is searched for in `minilm.models.beam`, or drawn
in `minilm.models.generation`.
In the shape comments B is the batch, S the length of the source and T that of the target in tokens, C the width, H the number of heads,
D the width of one, V the size of the vocabulary.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from minilm import nn
from minilm.models.beam import Hypothesis, Rules, beam_search, predicting
from minilm.models.cache import LayerCache
from minilm.models.generation import generate, id_sequences
from minilm.models.ids import as_ids
from minilm.models.pointer import CopyHead, Copying, Neighbors, SelectiveRead
from minilm.nn import functional as F
from minilm.ops.arithmetic import where
from minilm.ops.index import gather
from minilm.ops.normalize import log_softmax
from minilm.ops.shape import concat
from minilm.optim import decay_groups
from minilm.tensor import Tensor
from minilm.types import HostArray, Ids

HIDDEN = -1e30  # the score of what may not be attended to: its weight is 0, and a row of nothing else is finite


@dataclass(frozen=True)
class Seq2SeqConfig:
    """The shape of a Seq2Seq, in the words of T5's config.json.

    Attributes:
        vocab_size: number of different tokens.
        d_model: width C.
        d_kv: width D of one head; H D need not be C.
        d_ff: width inside the feed-forward network.
        num_layers, num_decoder_layers: blocks of the encoder, and of the decoder (default: as many).
        num_heads: H.
        relative_attention_num_buckets: how many classes of distances there are, at least 4.
        relative_attention_max_distance: all distances from here on are one class.
        dropout_rate: probability with which embeddings, attention weights and sublayer outputs are dropped in training.
        layer_norm_epsilon: added to the mean square in each RMSNorm.
        feed_forward_proj: "relu" (T5) or "gated-gelu" (T5 1.1; Shazeer 2020).
        tie_word_embeddings: one matrix for the token embedding and the output layer (T5; T5 1.1 has two).
        scale_decoder_outputs: whether the decoder's output is divided by the square root of C; default: where the matrix is tied.
        pad_token_id: fills up sources and targets, and counts nothing.
        eos_token_id: ends a text.
        decoder_start_token_id: what the decoder reads first.
        copy_head: whether the model may copy tokens of the source (`minilm.models.pointer`).
        selective_read: whether the decoder is told where in the source the token stands that it has written, and the copy head prefers what
            stands behind it; only with the copy head.
        unk_token_id: what an id beyond the vocabulary is read as; only with the copy head.

    Raises:
        ValueError: a number is out of range, or a name is unknown.
    """

    vocab_size: int
    d_model: int = 512
    d_kv: int = 64
    d_ff: int = 2048
    num_layers: int = 6
    num_decoder_layers: int | None = None
    num_heads: int = 8
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    dropout_rate: float = 0.1
    layer_norm_epsilon: float = 1e-6
    feed_forward_proj: str = "relu"
    tie_word_embeddings: bool = True
    scale_decoder_outputs: bool | None = None
    pad_token_id: int = 0
    eos_token_id: int = 1
    decoder_start_token_id: int = 0
    copy_head: bool = False
    unk_token_id: int = 2
    selective_read: bool = False

    def __post_init__(self) -> None:
        if self.num_decoder_layers is None:
            object.__setattr__(self, "num_decoder_layers", self.num_layers)
        if self.scale_decoder_outputs is None:
            object.__setattr__(self, "scale_decoder_outputs", self.tie_word_embeddings)
        for name in (
            "vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_decoder_layers", "num_heads",
            "relative_attention_num_buckets", "relative_attention_max_distance",
        ):  # fmt: skip
            self._expect_integer(name, 1, None)
        for name in ("pad_token_id", "eos_token_id", "decoder_start_token_id") + ("unk_token_id",) * self.copy_head:
            self._expect_integer(name, 0, self.vocab_size)
        if self.relative_attention_num_buckets < 4:
            raise ValueError(
                f"Seq2SeqConfig: relative_attention_num_buckets must be at least 4, got {self.relative_attention_num_buckets}: the "
                "encoder gives half of them to each direction, and half of those to single distances."
            )
        if self.relative_attention_max_distance <= self.relative_attention_num_buckets // 2:
            raise ValueError(
                f"Seq2SeqConfig: relative_attention_max_distance must be more than half of the "
                f"{self.relative_attention_num_buckets} buckets, got {self.relative_attention_max_distance}."
            )
        if not isinstance(self.dropout_rate, int | float) or not 0 <= self.dropout_rate < 1:
            raise ValueError(
                f"Seq2SeqConfig: dropout_rate must be at least 0 and less than 1, got {self.dropout_rate!r}."
            )
        if not isinstance(self.layer_norm_epsilon, int | float) or not 0 < self.layer_norm_epsilon < math.inf:
            raise ValueError(f"Seq2SeqConfig: layer_norm_epsilon must be positive, got {self.layer_norm_epsilon!r}.")
        if self.feed_forward_proj not in ("relu", "gated-gelu"):
            raise ValueError(
                f"Seq2SeqConfig: feed_forward_proj must be 'relu' or 'gated-gelu', got {self.feed_forward_proj!r}."
            )
        for name in ("tie_word_embeddings", "scale_decoder_outputs", "copy_head", "selective_read"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"Seq2SeqConfig: {name} must be True or False, got {getattr(self, name)!r}.")

        if self.selective_read and not self.copy_head:
            raise ValueError("Seq2SeqConfig: selective_read is for models that copy; give copy_head=True, too.")

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, as a run's config.json holds them."""
        return asdict(self)

    def _expect_integer(self, name: str, least: int, beyond: int | None) -> None:
        value = getattr(self, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least or (beyond and value >= beyond):
            wanted = f"an id of the vocabulary, 0 to {beyond - 1}" if beyond else "a positive integer"
            raise ValueError(f"Seq2SeqConfig: {name} must be {wanted}, got {value!r}.")


def relative_buckets(distances: HostArray, bidirectional: bool, num_buckets: int, max_distance: int) -> HostArray:
    r"""The class of each distance (position of the key minus that of the query), as Raffel et al. 2020, section 2.1, sort them.

    The first half of n classes holds one distance d each, 0 to m - 1 with m = n / 2. The others grow geometrically: d is in class

    .. math:: m + \left\lfloor (n - m)\, \frac{\ln(d / m)}{\ln(d_{max} / m)} \right\rfloor, \quad \text{at most } n - 1

    A decoder looks back only: its distances are those to earlier keys, and later ones count as 0. An encoder gives half of all classes
    to earlier keys, and the other half to later ones.

    The formula is evaluated where a class begins, once and in integers (`first_distances`): no logarithm decides by its last digit.
    """
    n = num_buckets // 2 if bidirectional else num_buckets
    away = np.abs(distances) if bidirectional else np.maximum(-distances, 0)
    buckets = np.searchsorted(first_distances(n, max_distance), away, side="right") - 1
    return buckets + n * (distances > 0) if bidirectional else buckets


@lru_cache
def first_distances(n: int, max_distance: int) -> list[int]:
    r"""The smallest distance of each of n classes: 0 to m, then the least d with :math:`d^{n - m} \ge m^{n - b}\, d_{max}^{b - m}`."""
    m = n // 2
    logarithmic = (
        bisect_left(range(max_distance), m ** (n - b) * max_distance ** (b - m), key=lambda d: d ** (n - m))
        for b in range(m + 1, n)
    )
    return [*range(m + 1), *logarithmic]


class RelativePositions(nn.Module):
    """A learned number for each head and class of distances, which is added to the scores of attention."""

    def __init__(self, config: Seq2SeqConfig, bidirectional: bool) -> None:
        super().__init__()
        self.bidirectional = bidirectional
        self.num_buckets, self.max_distance = (
            config.relative_attention_num_buckets,
            config.relative_attention_max_distance,
        )
        self.embedding = nn.Embedding(config.relative_attention_num_buckets, config.num_heads)

    def forward(self, queries: int, keys: int) -> Tensor:
        """For `queries` tokens, the last of `keys`: (1, H, queries, keys)."""
        distances = np.arange(keys) - np.arange(keys - queries, keys)[:, None]
        buckets = relative_buckets(distances, self.bidirectional, self.num_buckets, self.max_distance)
        weight = self.embedding.weight
        return self.embedding(Tensor(buckets, device=weight.device)).transpose((2, 0, 1)).reshape(1, -1, queries, keys)


class Attention(nn.Module):
    """Attention without biases, whose scores are not scaled: the weights start smaller instead (Raffel et al. 2020, code)."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        inner = config.num_heads * config.d_kv
        self.num_heads, self.dropout = config.num_heads, config.dropout_rate
        self.q, self.k, self.v = (nn.Linear(config.d_model, inner, bias=False) for _ in range(3))
        self.o = nn.Linear(inner, config.d_model, bias=False)

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of what is attended to: (B, S, C) -> twice (B, H, S, D)."""
        return self._heads(self.k(x)), self._heads(self.v(x))

    def forward(self, x: Tensor, keys_values: tuple[Tensor, Tensor], mask: Tensor, causal: bool = False) -> Tensor:
        """(B, T, C) -> (B, T, C). The mask is added to the scores (B, H, T, S), or says who may attend to whom."""
        B, T, _ = x.shape
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(
            self._heads(self.q(x)), *keys_values, mask, causal=causal, dropout_p=dropout, scale=1.0
        )
        return self.o(y.swapaxes(1, 2).reshape(B, T, -1))

    def weights(self, x: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """What each of (B, T, C) attends to, where there are keys (B, H, S, D): (B, H, T, S), whose rows add up to 1.

        It is what `forward` weighs the values with. A row whose mask hides everything is 0.
        """
        scores = where(mask, self._heads(self.q(x)) @ keys.swapaxes(-1, -2), HIDDEN)
        return where(mask, F.softmax(scores, axis=-1), 0.0)

    def _heads(self, x: Tensor) -> Tensor:
        B, T, width = x.shape
        return x.reshape(B, T, self.num_heads, width // self.num_heads).swapaxes(1, 2)


class GatedGELU(nn.Module):
    r""":math:`y = W_o (\operatorname{GELU}(W_0 x) \odot W_1 x)` (Shazeer 2020, *GLU Variants Improve Transformer*, section 2).

    The GELU is the tanh approximation, as in T5's code.
    """

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.up = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.dropout = nn.Dropout(config.dropout_rate)
        self.down = nn.Linear(config.d_ff, config.d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.dropout(F.gelu(self.gate(x), approximate="tanh") * self.up(x)))


class EncoderBlock(nn.Module):
    """Attention of the source to itself, then the feed-forward network, each on a normalized input and added to the stream."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        self.ln_1, self.attn = _norm(config), Attention(config)
        self.ln_2, self.mlp = _norm(config), _feed_forward(config)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        h = self.ln_1(x)
        x = x + self.dropout(self.attn(h, self.attn.keys_values(h), mask))
        return x + self.dropout(self.mlp(self.ln_2(x)))


class DecoderBlock(nn.Module):
    """Attention of the target to what is written so far, then to the source, then the feed-forward network."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        self.ln_1, self.attn = _norm(config), Attention(config)
        self.ln_2, self.cross = _norm(config), Attention(config)
        self.ln_3, self.mlp = _norm(config), _feed_forward(config)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(
        self,
        x: Tensor,
        bias: Tensor,
        source: tuple[Tensor, Tensor],
        mask: Tensor,
        cache: LayerCache | None = None,
        seen: list[Tensor] | None = None,
    ) -> Tensor:
        """(B, T, C) -> (B, T, C).

        Args:
            bias: of the positions, (1, H, T, tokens so far).
            source: the keys and values of the encoder's output, which stay the same for every token.
            mask: True where a source has a token, (B, 1, 1, S).
            cache: the keys and values of the tokens before.
            seen: takes the weights with which the source is attended to, (B, H, T, S).
        """
        h = self.ln_1(x)
        keys_values = self.attn.keys_values(h)
        if cache is not None:
            keys_values = cache.extend(*keys_values)
        x = x + self.dropout(self.attn(h, keys_values, bias, causal=True))
        h = self.ln_2(x)
        if seen is not None:
            seen.append(self.cross.weights(h, source[0], mask))
        x = x + self.dropout(self.cross(h, source, mask))
        return x + self.dropout(self.mlp(self.ln_3(x)))


class Encoder(nn.Module):
    """The half that reads: every token sees every other."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        self.positions = RelativePositions(config, bidirectional=True)
        self.blocks = nn.ModuleList([EncoderBlock(config) for _ in range(config.num_layers)])
        self.ln_f, self.dropout = _norm(config), nn.Dropout(config.dropout_rate)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Embeddings (B, S, C), and where there are tokens (B, S), to (B, S, C)."""
        B, S, _ = x.shape
        bias = where(mask.reshape(B, 1, 1, S), self.positions(S, S), -math.inf)  # (B, H, S, S)
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x, bias)
        return self.dropout(self.ln_f(x))


class Decoder(nn.Module):
    """The half that writes: a token sees those before it, and the source."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        self.positions = RelativePositions(config, bidirectional=False)
        self.blocks = nn.ModuleList([DecoderBlock(config) for _ in range(config.num_decoder_layers or 0)])
        self.ln_f, self.dropout = _norm(config), nn.Dropout(config.dropout_rate)

    def forward(
        self, x: Tensor, source: Encoded, cache: DecoderCache | None = None, seen: list[Tensor] | None = None
    ) -> Tensor:
        """Embeddings (B, T, C) of tokens that follow those in the cache, to (B, T, C); `seen` takes what each block attends to."""
        T, before = x.shape[1], cache.length if cache else 0
        bias, mask = self.positions(T, before + T), source.mask.reshape(len(source.mask), 1, 1, -1)
        x = self.dropout(x)
        for i, block in enumerate(self.blocks):
            memory = cache.memory[i] if cache else block.cross.keys_values(source.states)
            x = block(x, bias, memory, mask, cache.layers[i] if cache else None, seen)
        return self.dropout(self.ln_f(x))


class Encoded(NamedTuple):
    """What the decoder knows of a batch of sources.

    Attributes:
        states: what the encoder made of them, (B, S, C).
        mask: True where there is a token, False for padding, (B, S).
        ids: the tokens, ids beyond the vocabulary among them, (B, S).
    """

    states: Tensor
    mask: Tensor
    ids: Tensor

    def rows(self, rows: HostArray) -> Encoded:
        """Row i is what row rows[i] was."""
        return Encoded(*(x[rows] for x in self))


class Look(NamedTuple):
    """Where a model looks in the source when it says each token of a target.

    Attributes:
        cross: the weights of each block's heads, (blocks, B, H, T, S).
        copy: those of the copy head, (B, T, S); None without it.
        generate: how far it takes the vocabulary's word and does not copy, p_gen, (B, T); None without it.
    """

    cross: HostArray
    copy: HostArray | None
    generate: HostArray | None


class Seq2Seq(nn.Module):
    """An encoder-decoder with T5's initialization: each matrix normal with the deviation that keeps a stream of unit variance.

    (An output matrix of its own starts with deviation :math:`1 / \\sqrt C`, as T5's code has it: with 1 the model would begin certain.)

    Args:
        config: the shape.
        rng: draws the weights; default: the global host generator (`minilm.manual_seed`).
    """

    def __init__(self, config: Seq2SeqConfig, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.shared = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.shared.weight
        self.copy = CopyHead(config.d_model, config.selective_read) if config.copy_head else None
        self.read = SelectiveRead(config.d_model) if config.selective_read else None
        _initialize(self, rng)

    def forward(self, source: Ids, inputs: Ids, mask: Ids | None = None) -> Tensor:
        """The logits of the token after each of `inputs`: (B, S) and (B, T) to (B, T, V).

        With the copy head they are log-probabilities, those of the sources' unknown words behind those of the vocabulary.

        Args:
            source: ids, padded with pad_token_id on either side.
            inputs: what the decoder reads: the start token, then the target (`shift_right`), padded at the end.
            mask: True where the source has a token, (B, S); default: where it is not pad_token_id.

        Raises:
            ValueError: the ids have not two axes, the batches differ, or the mask does not fit.
            TypeError: an id is no integer.
            IndexError: an id is not in the vocabulary, or beyond what a source can hold of unknown words.
        """
        return self.decode(inputs, self.encode(source, mask))

    def encode(self, source: Ids, mask: Ids | None = None) -> Encoded:
        """What the encoder makes of sources (B, S). Errors are those of `forward`."""
        ids = self._ids("source", source)
        if mask is None:
            mask = ids != self.config.pad_token_id
        elif not isinstance(mask, Tensor):
            mask = Tensor(np.asarray(mask), device=ids.device)
        if mask.dtype != bool or mask.shape != ids.shape:
            raise ValueError(
                f"Seq2Seq: the mask must be boolean of shape {ids.shape}, True where the source has a token; got {mask.dtype} {mask.shape}."
            )
        return Encoded(self.encoder(self._embed(ids), mask), mask, ids)

    def decode(self, inputs: Ids, source: Encoded, cache: DecoderCache | None = None) -> Tensor:
        """The logits after each of `inputs`, as `forward` returns them; with a cache, inputs follow the tokens already in it."""
        log_vocab, copying = self._decode(self._ids("inputs", inputs, source), source, cache)
        if copying is None:
            return log_vocab
        return copying.of_all(self._size(source), log_vocab)

    def loss(self, source: Ids, targets: Ids, mask: Ids | None = None, label_smoothing: float = 0.0) -> Tensor:
        """The mean cross-entropy of the targets, in nats, each predicted from the source and the targets before it.

        Args:
            source, mask: as for `forward`.
            targets: (B, T), each with its end token, padded at the end with pad_token_id, which counts nothing. With the copy head, ids
                of the source's unknown words are targets too.
            label_smoothing: the share of each target that is spread evenly over the vocabulary (Szegedy et al. 2016, section 7).

        Raises:
            ValueError: as `forward`; label_smoothing is not in [0, 1]; or a target is an unknown word that its source lacks.
            TypeError, IndexError: as `forward`.
        """
        encoded = self.encode(source, mask)
        wanted = self._ids("targets", targets, encoded)
        logits, copying = self._decode(self.shift_right(wanted), encoded, None)
        if copying is None:
            rows = logits.reshape(-1, logits.shape[-1]), wanted.reshape(-1)
            return F.cross_entropy(*rows, ignore_index=self.config.pad_token_id, label_smoothing=label_smoothing)
        if not 0.0 <= label_smoothing <= 1.0:
            raise ValueError(f"Seq2Seq: label_smoothing is a share, from 0 to 1, got {label_smoothing}.")
        self._expect_copies(wanted, encoded)
        losses = -copying.of(wanted, logits)
        if label_smoothing:
            every = copying.of_all(self._size(encoded), logits)[..., : self.config.vocab_size]
            losses = losses * (1.0 - label_smoothing) - every.mean(axis=-1) * label_smoothing
        counts = wanted != self.config.pad_token_id
        total, number = where(counts, losses, 0.0).sum(), int(counts.data.sum())
        return total / number if number else total * 0.0 + math.nan  # the mean of nothing, as of `cross_entropy`

    def log_probabilities(self, targets: Ids, source: Encoded) -> HostArray:
        """log p(y | x) of whole targets, in nats: (B, T), as `loss` takes them, to (B,), the sum over the tokens of each.

        In evaluation mode, and without a graph. Errors are those of `loss`.
        """
        with predicting(self):
            wanted = self._ids("targets", targets, source)
            logits, copying = self._decode(self.shift_right(wanted), source, None)
            if copying is None:
                log_p = gather(log_softmax(logits, axis=-1), wanted[..., None], axis=-1)[..., 0]
            else:
                self._expect_copies(wanted, source)
                log_p = copying.of(wanted, logits)
            return where(wanted != self.config.pad_token_id, log_p, 0.0).sum(axis=1).numpy()

    def look(self, source: Ids, targets: Ids, mask: Ids | None = None) -> Look:
        """Where the model looks in the source for each token of a target; padded places of the source get 0.

        In evaluation mode, and without a graph. Arguments and errors are those of `loss`.
        """
        seen: list[Tensor] = []
        with predicting(self):
            encoded = self.encode(source, mask)
            inputs = self.shift_right(self._ids("targets", targets, encoded))
            x, neighbors = self._inputs(inputs, encoded)
            states = self.decoder(x, encoded, seen=seen)
            cross = np.stack([weights.numpy() for weights in seen])
            if self.copy is None:
                return Look(cross, None, None)
            copying = self.copy(states, x, *encoded, neighbors and neighbors.behind)
            there = np.where(encoded.mask.numpy()[:, None], np.exp(copying.attention.numpy()), 0.0)
            return Look(cross, there, np.exp(copying.generate.numpy()[..., 0]))

    def shift_right(self, targets: Ids) -> Tensor:
        """What the decoder reads to predict `targets` (B, T): the start token, then all targets but the last."""
        ids = targets if isinstance(targets, Tensor) else Tensor(np.asarray(targets), device=self.shared.weight.device)
        start = Tensor(ids.device.xp.full((len(ids), 1), self.config.decoder_start_token_id, ids.dtype))
        return concat(start, ids[:, :-1], axis=1)

    def decay_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """Optimizer groups: matrices and embeddings decay, norms do not."""
        return decay_groups(self.parameters(), weight_decay)

    def generate(
        self, sources: Sequence[Ids], max_new_tokens: int, *, width: int | None = None, **options: Any
    ) -> list[list[int]]:
        """What the model writes for each source: ids, the end token included where it comes.

        Args:
            sources: a sequence of ids for each; the short ones are padded.
            max_new_tokens: how many to write at most.
            width: of a beam: the best hypothesis of `search`, whose options follow. None: token by token, with the options of
                `minilm.models.generation.generate`; the likeliest each time, unless a temperature is given.

        Raises:
            TypeError, ValueError, IndexError: as `search` and `minilm.models.generation.generate`.
        """
        if width is not None:
            return [best[0].tokens for best in self.search(sources, max_new_tokens, width=width, **options)]
        given = Conditioned(self, self._padded(sources))
        with predicting(self):
            given.begin(np.arange(len(given.starts)))
            options = {"temperature": 0.0, "stop": [[self.config.eos_token_id]], **options}
            return generate(given, given.starts, max_new_tokens, **options)

    def search(
        self,
        sources: Sequence[Ids],
        max_new_tokens: int,
        *,
        width: int = 4,
        n_best: int = 1,
        early_stopping: bool = False,
        use_cache: bool = True,
        **rules: Any,
    ) -> list[list[Hypothesis]]:
        """The best hypotheses for each source, with their scores: see `minilm.models.beam.beam_search`.

        Args:
            rules: the fields of `minilm.models.beam.Rules`; the end is eos_token_id unless another is given.

        Raises:
            TypeError, ValueError, IndexError: as `beam_search`; an id of a source is not in the vocabulary.
        """
        given = Conditioned(self, self._padded(sources), use_cache)
        return beam_search(
            given,
            given.starts,
            Rules(max_new_tokens, **{"end": self.config.eos_token_id, **rules}),
            width=width,
            n_best=n_best,
            early_stopping=early_stopping,
        )

    def _decode(self, ids: Tensor, source: Encoded, cache: DecoderCache | None) -> tuple[Tensor, Copying | None]:
        """The logits of the vocabulary (with the copy head: their logarithms after softmax), and what the copy head says."""
        x, neighbors = self._inputs(ids, source)  # (B, T, C)
        states = self.decoder(x, source, cache)
        logits = self.lm_head(states * self.config.d_model**-0.5 if self.config.scale_decoder_outputs else states)
        if self.copy is None:
            return logits, None
        return log_softmax(logits, axis=-1), self.copy(states, x, *source, neighbors and neighbors.behind)

    def _inputs(self, ids: Tensor, source: Encoded) -> tuple[Tensor, Neighbors | None]:
        """What the decoder reads, (B, T) -> (B, T, C), and where it stands in the source."""
        x = self._embed(ids)
        if self.read is None:
            return x, None
        neighbors = Neighbors.of(ids, *source)
        return x + self.read(neighbors, source.states), neighbors

    def _embed(self, ids: Tensor) -> Tensor:
        if self.copy is not None:
            ids = where(ids < self.config.vocab_size, ids, self.config.unk_token_id)
        return self.shared(ids)

    def _size(self, source: Encoded) -> int:
        """How many tokens there are to choose from: the vocabulary, and the unknown words of that source which has most."""
        return max(self.config.vocab_size, int(source.ids.data.max()) + 1)

    def _ids(self, name: str, ids: Ids, source: Encoded | None = None) -> Tensor:
        """Checked, as a Tensor on the model's device."""
        out = as_ids(ids, self.shared.weight, f"Seq2Seq: {name}")
        batch = "batch" if source is None else len(source.ids)
        if out.ndim != 2 or 0 in out.shape or len(out) != (len(out) if source is None else batch):
            raise ValueError(f"Seq2Seq: expected {name} of shape ({batch}, 1 or more tokens), got {out.shape}.")
        beyond, least, most = self.config.vocab_size, int(out.data.min()), int(out.data.max())
        if self.copy is not None:  # a source cannot have more unknown words than words
            beyond += out.shape[1] if source is None else source.ids.shape[1]
        if least < 0 or most >= beyond:
            what = "the vocabulary and as many unknown words as there are tokens" if self.copy else "the vocabulary"
            raise IndexError(f"Seq2Seq: {name} must be in 0 to {beyond - 1}, {what}; got {least} to {most}.")
        return out

    def _expect_copies(self, targets: Tensor, source: Encoded) -> None:
        there = ((targets[:, :, None] == source.ids[:, None, :]) & source.mask[:, None, :]).numpy().any(axis=-1)
        lost = np.argwhere((targets.numpy() >= self.config.vocab_size) & ~there)
        if len(lost):
            row, place = lost[0].tolist()
            raise ValueError(
                f"Seq2Seq: target {int(targets.numpy()[row, place])} at {row}, {place} is neither in the vocabulary nor in its source, so "
                f"it can never be written; use unk_token_id, which is {self.config.unk_token_id}."
            )

    def _padded(self, sources: Sequence[Ids]) -> HostArray:
        rows = id_sequences("sources", sources, None)
        if not rows:
            raise ValueError("Seq2Seq needs at least one source.")
        out = np.full((len(rows), max(1, *map(len, rows))), self.config.pad_token_id, np.int64)
        for row, ids in zip(out, rows, strict=True):
            row[: len(ids)] = ids
        return out


class DecoderCache:
    """What is kept while a target is written: keys and values of its tokens, which grow, and of the source, computed once.

    Args:
        model: whose keys and values are kept.
        source: what is answered, a row for each hypothesis.
    """

    def __init__(self, model: Seq2Seq, source: Encoded) -> None:
        config, batch = model.config, len(source.ids)
        shape = (batch, config.num_heads, sys.maxsize, config.d_kv)
        self.layers = [LayerCache(shape, model.shared.weight) for _ in model.decoder.blocks]
        self.memory = [block.cross.keys_values(source.states) for block in model.decoder.blocks]

    @property
    def length(self) -> int:
        """The number of tokens seen."""
        return self.layers[0].length

    def reorder(self, rows: HostArray) -> None:
        """Row i becomes what row rows[i] was."""
        for layer in self.layers:
            layer.reorder(rows)

    def reorder_memory(self, rows: HostArray) -> None:
        """The same for the sources: only where hypotheses came or went, since those of one source share it."""
        self.memory = [(keys[rows], values[rows]) for keys, values in self.memory]


class Conditioned:
    """The decoder with its sources given: a `minilm.models.beam.Scorer`, and a language model for `minilm.models.generation`.

    Args:
        model: the whole.
        sources: ids (B, S), padded.
        use_cache: keep keys and values, so that a new token costs one position instead of all.

    Attributes:
        starts: what each text begins with.
    """

    def __init__(self, model: Seq2Seq, sources: HostArray, use_cache: bool = True) -> None:
        self.model, self.sources, self.use_cache = model, sources, use_cache
        self.cache: DecoderCache | None = None
        self.starts = [[model.config.decoder_start_token_id]] * len(sources)

    @property
    def training(self) -> bool:
        return self.model.training

    def train(self, mode: bool = True) -> Any:
        return self.model.train(mode)

    def begin(self, sources: HostArray) -> None:
        self.source_of_row = np.asarray(sources)
        self.source, self.cache = self.model.encode(self.sources[sources]), None

    def keep(self, rows: HostArray) -> None:
        before, self.source_of_row = self.source_of_row, self.source_of_row[rows]
        moved = not np.array_equal(before, self.source_of_row)
        if moved:
            self.source = self.source.rows(rows)
        if self.cache is not None:
            self.cache.reorder(rows)
            if moved:
                self.cache.reorder_memory(rows)

    def logits(self, contexts: HostArray) -> HostArray:
        out, cache = self.next_logits(contexts, self.cache)
        self.cache = cache if self.use_cache else None
        return out.numpy()

    def next_logits(self, contexts: HostArray, cache: DecoderCache | None) -> tuple[Tensor, DecoderCache]:
        """The logits after `contexts`, computing only what the cache does not hold, and the cache."""
        cache = cache or DecoderCache(self.model, self.source)
        return self.model.decode(contexts[:, cache.length :], self.source, cache)[:, -1], cache


def _norm(config: Seq2SeqConfig) -> nn.RMSNorm:
    return nn.RMSNorm(config.d_model, config.layer_norm_epsilon)


def _feed_forward(config: Seq2SeqConfig) -> nn.Module:
    if config.feed_forward_proj == "relu":
        return nn.FeedForward(config.d_model, config.d_ff, "relu", config.dropout_rate, bias=False)
    return GatedGELU(config)


def _initialize(model: Seq2Seq, rng: np.random.Generator | None) -> None:
    """T5's deviations; see `Seq2Seq`. A query's is smaller by the square root of D, which the scores are not divided by."""
    config = model.config
    width, inner = config.d_model**-0.5, (config.num_heads * config.d_kv) ** -0.5
    deviations = {"shared": 1.0, "q": width * config.d_kv**-0.5, "o": inner, "down": config.d_ff**-0.5}
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding) and module.weight is not None:
            if module is model.lm_head and config.tie_word_embeddings:
                continue
            nn.init.normal_(module.weight, 0.0, deviations.get(name.rpartition(".")[2], width), rng)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.constant_(module.bias, 0.0)


__all__ = [
    "Attention",
    "Decoder",
    "DecoderBlock",
    "DecoderCache",
    "Encoded",
    "Encoder",
    "EncoderBlock",
    "GatedGELU",
    "Look",
    "RelativePositions",
    "Seq2Seq",
    "Seq2SeqConfig",
    "relative_buckets",
]
