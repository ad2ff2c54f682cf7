r"""BERT: an encoder-only Transformer, in which every token sees all others, to the left and to the right.

Devlin, Chang, Lee and Toutanova, *BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding*, 2018. With token
ids x, segments s (0 for the first text, 1 for the second) and positions t,

.. math::
    h^0_t &= \operatorname{LN}(E_{x_t} + S_{s_t} + P_t) \\
    u^\ell &= \operatorname{LN}(h^{\ell-1} + \operatorname{Attention}(h^{\ell-1})), \qquad
    h^\ell = \operatorname{LN}(u^\ell + W_2\, f(W_1 u^\ell))

which is the encoder of Vaswani et al. (2017): the norm after each residual sum, where GPT-2 has it before. What is predicted from
:math:`h = h^L` is the business of a head: what stood at a masked place, the class of a text, of each token, or of a pair of texts, or
where an answer begins and ends. The mean of h over a text's tokens stands for the text (Reimers and Gurevych, *Sentence-BERT*, 2019).

From the bottom up: the shape, a layer, the model, its heads, what they are given, and the best span. What pretraining hides is in
`minilm.models.masking`, the names that published weights have in `minilm.pretrained.bert`. In the shape comments B is the batch, T the
length in tokens, C the width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from minilm import nn
from minilm.backend import to_host
from minilm.creation import zeros
from minilm.graph import no_grad
from minilm.models.ids import as_ids
from minilm.nn import functional as F
from minilm.nn.transformer import ACTIVATIONS as FUNCTIONS
from minilm.ops.arithmetic import maximum, where
from minilm.tensor import Tensor
from minilm.text import Tokenizer
from minilm.text.bert_input import CLS, PAD, SEP, Batch, framed, pad_batch
from minilm.types import HostArray, Ids

NO_TARGET = -100  # the target of a token that is not to be predicted
ACTIVATIONS = ("gelu", "relu", "silu", "gelu_new")
TINY = 1e-24  # the least square of a length that is divided by


@dataclass(frozen=True)
class BertConfig:
    """The shape of a BERT, under the names of Hugging Face's config.json.

    Attributes:
        vocab_size: number of different tokens.
        hidden_size, num_hidden_layers, num_attention_heads: the width C, the number of layers, and of heads in each, which must divide
            the width.
        intermediate_size: the width inside the feed-forward sublayer.
        hidden_act: its activation: "gelu", "relu", "silu" or "gelu_new" (GELU's approximation by tanh).
        hidden_dropout_prob: probability of dropping a number of the embeddings, of a sublayer's output, or before a classifier.
        attention_probs_dropout_prob: probability of dropping an attention weight.
        max_position_embeddings: the longest text, in tokens.
        type_vocab_size: number of different segments.
        layer_norm_eps: added to the variance in each LayerNorm.
        pad_token_id: the token that fills rows up. Its embedding starts at zero, and looking it up gives it no gradient.
        initializer_range: standard deviation of the matrices at the start.

    Raises:
        ValueError: a number is out of range, the heads do not divide the width, or the activation is unknown.
    """

    vocab_size: int
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 0
    initializer_range: float = 0.02

    def __post_init__(self) -> None:
        for name in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
                     "max_position_embeddings", "type_vocab_size"):  # fmt: skip
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"BertConfig: {name} must be a positive integer, got {value!r}.")
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"BertConfig: num_attention_heads={self.num_attention_heads} does not divide hidden_size={self.hidden_size}."
            )
        if self.hidden_act not in ACTIVATIONS:
            raise ValueError(
                f"BertConfig: hidden_act must be one of {', '.join(ACTIVATIONS)}; got {self.hidden_act!r}."
            )
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
            value = getattr(self, name)
            if not _is_number(value) or not 0 <= value < 1:
                raise ValueError(f"BertConfig: {name} must be at least 0 and less than 1, got {value!r}.")
        for name in ("layer_norm_eps", "initializer_range"):
            value = getattr(self, name)
            if not _is_number(value) or not 0 < value < float("inf"):
                raise ValueError(f"BertConfig: {name} must be a positive number, got {value!r}.")
        pad = self.pad_token_id
        if not isinstance(pad, int) or isinstance(pad, bool) or not 0 <= pad < self.vocab_size:
            raise ValueError(f"BertConfig: pad_token_id must be one of the {self.vocab_size} tokens, got {pad!r}.")

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, as config.json holds them."""
        return asdict(self)


class BertLayer(nn.TransformerEncoderLayer):
    """Attention among all tokens, then the feed-forward network; post-norm. Nothing is dropped inside the feed-forward network."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__(
            config.hidden_size,
            config.num_attention_heads,
            config.intermediate_size,
            config.hidden_dropout_prob,
            config.hidden_act,
            config.layer_norm_eps,
        )
        self.self_attn.dropout = config.attention_probs_dropout_prob
        self.feed_forward.dropout = nn.Dropout(0.0)


class Bert(nn.Module):
    """The encoder: from token ids to a vector for each token, and from those to one for the text.

    Args:
        config: the shape.
        pooler: whether there are weights for `pool`; classifiers of whole texts need them.
        rng: draws the weights; default: the global host generator (`minilm.manual_seed`).
    """

    def __init__(self, config: BertConfig, pooler: bool = True, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.words = nn.Embedding(config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id)
        self.segments = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.positions = nn.LearnedPositions(config.max_position_embeddings, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.layers = nn.ModuleList([BertLayer(config) for _ in range(config.num_hidden_layers)])
        self.pooler = nn.Linear(config.hidden_size, config.hidden_size) if pooler else None
        _start(self, config, rng)

    def forward(self, ids: Ids, mask: Ids | None = None, segments: Ids | None = None) -> Tensor:
        """The last layer's vectors: (B, T) -> (B, T, hidden_size).

        Args:
            ids: tokens.
            mask: (B, T), 1 or True where a token is, 0 or False where padding is, to which no token attends; default: no padding.
                What is returned at padding has no meaning.
            segments: (B, T), which of the texts each token belongs to; default: 0 everywhere.

        Raises:
            ValueError: the ids have not two axes or are too many, mask or segments have another shape, or the mask holds other numbers.
            TypeError: an id or a segment is no integer, or the mask is neither boolean nor of integers.
            IndexError: an id is not in the vocabulary, or a segment not in 0 ... type_vocab_size - 1.
        """
        ids = as_ids(ids, self.words.weight, "ids")
        most = self.config.max_position_embeddings
        if ids.ndim != 2 or not 1 <= ids.shape[1] <= most:
            raise ValueError(
                f"Bert: expected ids of shape (batch, 1 to {most} tokens), got {ids.shape}; max_position_embeddings is {most}."
            )
        segments = Tensor(np.zeros(ids.shape, np.int64), device=ids.device) if segments is None else segments
        segments = _same_shape("segments", as_ids(segments, ids, "segments"), ids)
        padding = None if mask is None else ~_is_token(mask, ids)
        x = self.positions(self.words(ids) + self.segments(segments))  # (B, T, C)
        x = self.dropout(self.norm(x))
        for layer in self.layers:
            x = layer(x, key_padding_mask=padding)
        return x

    def pool(self, hidden: Tensor) -> Tensor:
        r"""One vector for the text, from that of its first token: :math:`\tanh(W h_0 + b)`, (B, T, C) -> (B, C).

        Raises:
            ValueError: the model has no pooler.
        """
        if self.pooler is None:
            raise ValueError("this Bert was made without a pooler: make it with Bert(config, pooler=True).")
        return F.tanh(self.pooler(hidden[:, 0]))

    def embed(self, ids: Ids, mask: Ids | None = None, segments: Ids | None = None) -> Tensor:
        r"""One vector of length 1 for each text, so that the product of two is the cosine of their angle: (B, T) -> (B, C).

        .. math:: e = \frac{m}{\lVert m \rVert}, \qquad m = \frac{1}{|\{t : \text{mask}_t\}|} \sum_{t :\, \text{mask}_t} h_t

        Arguments as for `forward`. Reimers and Gurevych 2019, section 3, with mean pooling.

        Raises:
            ValueError: a row is padding only, of which there is no mean; or as `forward`.
        """
        hidden = self(ids, mask, segments)
        if mask is None:
            mean = hidden.mean(axis=1)
        else:
            keep = _is_token(mask, hidden)
            lengths = keep.sum(axis=1, keepdims=True)
            empty = np.flatnonzero(to_host(lengths.data) == 0)
            if empty.size:
                raise ValueError(
                    f"Bert.embed: row {empty[0]} is padding only; give it a token, such as [CLS], or leave it out."
                )
            total = where(keep.reshape(*keep.shape, 1), hidden, 0.0).sum(axis=1)
            mean = total / lengths.astype(hidden.dtype)
        return mean / maximum((mean * mean).sum(axis=-1, keepdims=True), TINY).sqrt()


# -- heads ------------------------------------------------------------------------------------------------------------


class BertForMaskedLM(nn.Module):
    r"""Says which token stood at each place (Devlin et al. 2018, 3.1, task 1).

    .. math:: p(x_t) = \operatorname{softmax}(E \operatorname{LN}(f(W h_t + b)) + c)

    The output matrix E is the token embedding (Press and Wolf 2017), c a bias of its own.

    Args:
        config, rng: as for `Bert`.
    """

    def __init__(self, config: BertConfig, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.bert = Bert(config, pooler=False, rng=rng)
        self.transform = nn.Linear(config.hidden_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.bias = nn.Parameter(zeros(config.vocab_size))
        _start(self.transform, config, rng)

    def forward(self, ids: Ids, mask: Ids | None = None, segments: Ids | None = None) -> Tensor:
        """The logits of the token at each place: (B, T) -> (B, T, vocab_size). Arguments and errors as for `Bert`."""
        return self.logits(self.bert(ids, mask, segments))

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., C) -> (..., vocab_size)"""
        h = self.norm(FUNCTIONS[self.config.hidden_act](self.transform(hidden)))
        return F.linear(h, self.bert.words.weight, self.bias)

    def loss(self, ids: Ids, targets: Ids, mask: Ids | None = None, segments: Ids | None = None) -> Tensor:
        """The mean cross-entropy, in nats, over the places that have a target.

        Only their logits are computed: the vocabulary is wide, and most places have none. `loss_naive` computes all.

        Args:
            ids: (B, T), masked (`minilm.models.masking.mask_tokens`).
            targets: (B, T), the tokens that stood there; `NO_TARGET` where nothing is asked. NaN where nothing is asked at all.

        Raises:
            As `forward`; ValueError: the targets have another shape; IndexError: a target is not in the vocabulary.
        """
        return F.cross_entropy(*self.asked(ids, targets, mask, segments))

    def asked(
        self, ids: Ids, targets: Ids, mask: Ids | None = None, segments: Ids | None = None
    ) -> tuple[Tensor, Tensor]:
        """The logits (N, vocab_size) of the N places that have a target, and the targets (N,); arguments as for `loss`."""
        hidden = self.bert(ids, mask, segments)
        targets = _same_shape("targets", as_ids(targets, hidden, "targets"), hidden[..., 0]).reshape(-1)
        places = Tensor(targets.device.xp.flatnonzero(targets.data != NO_TARGET))
        return self.logits(hidden.reshape(-1, hidden.shape[-1])[places]), targets[places]

    def loss_naive(self, ids: Ids, targets: Ids, mask: Ids | None = None, segments: Ids | None = None) -> Tensor:
        """The specification of `loss`: all logits, of which those without a target are left out."""
        return _loss_of_tokens(self(ids, mask, segments), targets)


class BertForSequenceClassification(nn.Module):
    """The class of a text, or of a pair of texts in one input, from the pooled vector (Devlin et al. 2018, 4.1).

    Args:
        config, rng: as for `Bert`.
        num_labels: the number of classes.
    """

    def __init__(self, config: BertConfig, num_labels: int = 2, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        self.config, self.num_labels = config, num_labels
        self.bert = Bert(config, rng=rng)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, num_labels)
        _start(self.classifier, config, rng)

    def forward(self, ids: Ids, mask: Ids | None = None, segments: Ids | None = None) -> Tensor:
        """The logits of the classes: (B, T) -> (B, num_labels). Arguments and errors as for `Bert`."""
        return self.classifier(self.dropout(self.bert.pool(self.bert(ids, mask, segments))))

    def loss(self, ids: Ids, targets: Ids, mask: Ids | None = None, segments: Ids | None = None) -> Tensor:
        """The mean cross-entropy of the classes `targets`, (B,) integers, in nats."""
        logits = self(ids, mask, segments)
        return F.cross_entropy(logits, as_ids(targets, logits, "targets"))


class BertForTokenClassification(nn.Module):
    """The class of each token, as for named entities (Devlin et al. 2018, 5.3).

    Args:
        config, rng: as for `Bert`.
        num_labels: the number of classes.
    """

    def __init__(self, config: BertConfig, num_labels: int = 2, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        self.config, self.num_labels = config, num_labels
        self.bert = Bert(config, pooler=False, rng=rng)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, num_labels)
        _start(self.classifier, config, rng)

    def forward(self, ids: Ids, mask: Ids | None = None, segments: Ids | None = None) -> Tensor:
        """The logits of each token's classes: (B, T) -> (B, T, num_labels). Arguments and errors as for `Bert`."""
        return self.classifier(self.dropout(self.bert(ids, mask, segments)))

    def loss(self, ids: Ids, targets: Ids, mask: Ids | None = None, segments: Ids | None = None) -> Tensor:
        """The mean cross-entropy over the tokens that have a target, (B, T) of classes or `NO_TARGET`: give padding none."""
        return _loss_of_tokens(self(ids, mask, segments), targets)


class BertForQuestionAnswering(nn.Module):
    r"""Where in a text the answer begins and ends (Devlin et al. 2018, 4.2).

    .. math:: p(\text{begins at } t) = \operatorname{softmax}_t(w_s \cdot h_t + b_s), \qquad
        p(\text{ends at } t) = \operatorname{softmax}_t(w_e \cdot h_t + b_e)

    Args:
        config, rng: as for `Bert`.
    """

    def __init__(self, config: BertConfig, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.bert = Bert(config, pooler=False, rng=rng)
        self.outputs = nn.Linear(config.hidden_size, 2)
        _start(self.outputs, config, rng)

    def forward(self, ids: Ids, mask: Ids | None = None, segments: Ids | None = None) -> Tensor:
        """The logits of the first and of the last token: (B, T) -> (B, T, 2), which are minus infinity at padding.

        (In transformers padding has logits like any token, and takes its share of the softmax.) Arguments and errors as for `Bert`.
        """
        logits = self.outputs(self.bert(ids, mask, segments))
        if mask is None:
            return logits
        keep = _is_token(mask, logits)
        return where(keep.reshape(*keep.shape, 1), logits, float("-inf"))

    def loss(self, ids: Ids, spans: Ids, mask: Ids | None = None, segments: Ids | None = None) -> Tensor:
        """The mean of the two cross-entropies, in nats.

        Args:
            spans: (B, 2), the positions of the first and the last token of each answer. One at padding costs infinity.

        Raises:
            As `forward`; ValueError: the spans have another shape; IndexError: a position is beyond the text.
        """
        logits = self(ids, mask, segments)
        spans = as_ids(spans, logits, "spans")
        if spans.shape != (len(logits), 2):
            raise ValueError(f"expected spans of shape {(len(logits), 2)}, first and last position, got {spans.shape}.")
        return F.cross_entropy(logits, spans)  # (B, T, 2): the classes are the positions


class BertForNextSentencePrediction(nn.Module):
    """Whether the second text followed the first: class 0 if it did, 1 if it is from elsewhere (Devlin et al. 2018, 3.1, task 2).

    Args:
        config, rng: as for `Bert`.
    """

    def __init__(self, config: BertConfig, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.bert = Bert(config, rng=rng)
        self.classifier = nn.Linear(config.hidden_size, 2)
        _start(self.classifier, config, rng)

    def forward(self, ids: Ids, mask: Ids | None = None, segments: Ids | None = None) -> Tensor:
        """The logits of both classes: (B, T) -> (B, 2). Arguments and errors as for `Bert`; `inputs` makes them of pairs."""
        return self.classifier(self.bert.pool(self.bert(ids, mask, segments)))

    def loss(self, ids: Ids, targets: Ids, mask: Ids | None = None, segments: Ids | None = None) -> Tensor:
        """The mean cross-entropy of the classes `targets`, (B,) of 0 and 1, in nats."""
        logits = self(ids, mask, segments)
        return F.cross_entropy(logits, as_ids(targets, logits, "targets"))


class BertBiEncoder(nn.Module):
    """How alike two texts are: each is read by itself, so that a text's vector can be kept (Reimers and Gurevych 2019, section 3).

    Args:
        config, rng: as for `Bert`.
        scale: what cosines are multiplied by in `loss`.
    """

    def __init__(self, config: BertConfig, scale: float = 20.0, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        self.config, self.scale = config, scale
        self.bert = Bert(config, pooler=False, rng=rng)

    def forward(self, ids: Ids, other_ids: Ids, mask: Ids | None = None, other_mask: Ids | None = None) -> Tensor:
        """The cosines of the texts with the others, row by row: (B, T) and (B, S) -> (B,). Arguments and errors as for `Bert.embed`."""
        return (self.bert.embed(ids, mask) * self.bert.embed(other_ids, other_mask)).sum(axis=-1)

    def loss(self, ids: Ids, other_ids: Ids, mask: Ids | None = None, other_mask: Ids | None = None) -> Tensor:
        r"""Each text should be more like its own partner than like those of the others in the batch.

        .. math:: L = -\frac1B \sum_i \ln \operatorname{softmax}_j(\text{scale} \cdot e_i \cdot e'_j)_i

        Henderson et al., *Efficient natural language response suggestion for Smart Reply*, 2017, section 4.4.
        """
        scores = self.bert.embed(ids, mask) @ self.bert.embed(other_ids, other_mask).T * self.scale
        return F.cross_entropy(scores, Tensor(np.arange(len(scores)), device=scores.device))


# -- what they are given, and the best span ---------------------------------------------------------------------------


def inputs(
    tokenizer: Tokenizer, texts: Sequence[str], pairs: Sequence[str] | None = None, max_length: int = 512
) -> Batch:
    """Texts as a Bert takes them, each array (B, T): ``model(*inputs(tokenizer, texts))``.

    A row is [CLS] text [SEP], or [CLS] text [SEP] pair [SEP], then padding (`minilm.text.bert_input`).

    Args:
        pairs: the second text of each row, whose tokens are segment 1.
        max_length: longer rows lose tokens from the end of the longer text.

    Raises:
        ValueError: `pairs` is not as long as `texts`, `max_length` has no room for the marks, or the tokenizer lacks one of them.
    """
    lacking = [name for name in (CLS, SEP, PAD) if name not in tokenizer.special_tokens]
    if lacking:
        raise ValueError(f"the tokenizer has no {' and no '.join(lacking)}, which a Bert's texts are framed by.")
    if isinstance(texts, str) or (pairs is not None and len(pairs) != len(texts)):
        raise ValueError("texts is a sequence of texts, and pairs one of as many; for one text, give [text].")
    room = max_length - (2 if pairs is None else 3)
    if room < 0:
        raise ValueError(f"max_length {max_length} has no room for [CLS] and [SEP]: give at least {max_length - room}.")
    rows = []
    for i, text in enumerate(texts):
        first, second = tokenizer.encode(text), [] if pairs is None else tokenizer.encode(pairs[i])
        a, b = _shares(len(first), len(second), room)
        rows.append(framed(tokenizer, [first[:a], second[:b]][: 1 if pairs is None else 2]))
    if not rows:
        return Batch(*(np.zeros((0, 1), dtype) for dtype in (np.int64, bool, np.int64)))
    return pad_batch(rows, tokenizer)


def _shares(first: int, second: int, room: int) -> tuple[int, int]:
    """How much stays of two lengths where the longer one, of equal ones the second, is shortened until both fit.

    So does the program published with BERT; of two equal texts `minilm.text.bert_input` cuts the first, as `tokenizers` does.
    """
    if first + second <= room:
        return first, second
    half = room // 2
    if first <= half:
        return first, room - first
    if second <= half:
        return room - second, second
    return room - half, half


def best_spans(start: Any, end: Any, max_length: int, allowed: Any = None) -> tuple[HostArray, HostArray]:
    r"""The likeliest answer in each text: the positions (i, j) with the highest :math:`s_i + e_j` where :math:`i \le j < i + n`.

    Args:
        start, end: (B, T), the logits s and e of the first and the last token.
        max_length: n, the most tokens that an answer may have.
        allowed: (B, T), True where an answer may begin and end, as in the second text only; default: everywhere.

    Returns:
        the spans (B, 2), both positions included; of equal ones that which begins first, then the shortest. And their scores (B,).

    Raises:
        ValueError: the shapes differ, `max_length` is below 1, or a text has no span that is allowed.
    """
    start, end = (to_host(x.data if isinstance(x, Tensor) else np.asarray(x)) for x in (start, end))
    allowed = np.ones(start.shape, bool) if allowed is None else np.asarray(allowed, bool)
    if start.ndim != 2 or not start.shape == end.shape == allowed.shape:
        raise ValueError(
            f"best_spans: start, end and allowed must have one shape (batch, length), got {start.shape}, {end.shape}, {allowed.shape}."
        )
    if max_length < 1:
        raise ValueError(f"best_spans: max_length must be at least 1, got {max_length}.")
    length = start.shape[1]
    after = np.arange(length) - np.arange(length)[:, None]  # j - i
    fits = (after >= 0) & (after < max_length)
    spans, scores = np.zeros((len(start), 2), np.int64), np.zeros(len(start), start.dtype)
    for row in range(len(start)):
        sums = np.where(fits & allowed[row] & allowed[row][:, None], start[row][:, None] + end[row], -np.inf)  # (T, T)
        best = int(sums.argmax()) if sums.size else 0
        if not sums.size or not sums.flat[best] > -np.inf:
            raise ValueError(f"best_spans: text {row} has no span that is allowed, or its logits are not finite.")
        spans[row], scores[row] = divmod(best, length), sums.flat[best]
    return spans, scores


# -- what all of them use ---------------------------------------------------------------------------------------------


def _start(module: nn.Module, config: BertConfig, rng: np.random.Generator | None) -> None:
    """BERT's start: matrices normal with deviation `initializer_range`, biases zero; the embedding of padding zero."""
    for name, p in module.named_parameters():
        if p.ndim >= 2:
            nn.init.normal_(p, 0.0, config.initializer_range, rng)
        elif name.endswith("bias"):
            nn.init.constant_(p, 0.0)
    if isinstance(module, Bert):
        with no_grad():
            module.words.weight[config.pad_token_id] = 0.0


def _loss_of_tokens(logits: Tensor, targets: Ids) -> Tensor:
    """The mean cross-entropy of logits (B, T, N) over the tokens whose target, (B, T), is another than `NO_TARGET`."""
    targets = _same_shape("targets", as_ids(targets, logits, "targets"), logits[..., 0])
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), ignore_index=NO_TARGET)


def _is_token(mask: Ids, like: Tensor) -> Tensor:
    """The mask as truth values, (B, T) as the first axes of `like`."""
    out = mask if isinstance(mask, Tensor) else Tensor(np.asarray(mask), device=like.device)
    if out.dtype.kind not in "biu":
        raise TypeError(
            f"mask must be boolean or of integers, 1 where a token is and 0 where padding is, got {out.dtype}."
        )
    if out.shape != like.shape[:2]:
        raise ValueError(f"mask has shape {out.shape}, expected {like.shape[:2]}, that of the ids.")
    if not isinstance(mask, Tensor) and out.dtype.kind != "b" and not np.isin(np.asarray(mask), (0, 1)).all():
        raise ValueError("mask must be 1 where a token is and 0 where padding is; it holds other numbers.")
    return out if out.dtype.kind == "b" else out != 0


def _same_shape(name: str, values: Tensor, like: Tensor) -> Tensor:
    if values.shape != like.shape:
        raise ValueError(f"{name} have shape {values.shape}, expected {like.shape}, that of the ids.")
    return values


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


__all__ = ["NO_TARGET", "Bert", "BertBiEncoder", "BertConfig", "BertForMaskedLM", "BertForNextSentencePrediction",
           "BertForQuestionAnswering", "BertForSequenceClassification", "BertForTokenClassification", "BertLayer",
           "best_spans", "inputs"]  # fmt: skip
