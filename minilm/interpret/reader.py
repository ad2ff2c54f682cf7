"""A small reader of sentences that is to be explained: words, one layer of attention, and a class.

It is a `BertForSequenceClassification` on words instead of pieces of words, so that each token of an explanation is a word. What
attention takes from the words reaches the class through the first token alone, by one row of the map: attention has its best case here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from minilm.backend import to_host
from minilm.graph import no_grad
from minilm.interpret.attention import attention_maps
from minilm.interpret.attribution import gradient_times_input, integrated_gradients, leave_one_out
from minilm.interpret.watch import with_output
from minilm.models.bert import BertConfig, BertForSequenceClassification
from minilm.optim import AdamW
from minilm.tensor import Tensor
from minilm.text.wordpiece import basic_tokenize
from minilm.types import HostArray

PAD, UNKNOWN, FIRST = 0, 1, 2
"""Ids of what is no word: padding, a word that is not known, and the token in front whose vector is read."""
LONGEST = 40  # words; the rest of a longer sentence is not read
AT_ONCE = 256  # rows of a forward pass


class WordReader:
    """A reader of two classes, 0 and 1.

    Args:
        texts: the words that stand in them at least `least` times become known.
        least: as above.
        width, heads: of the one layer.
        rng: draws the weights.

    Raises:
        ValueError: no word stands often enough.
    """

    def __init__(
        self, texts: Sequence[str], rng: np.random.Generator, *, least: int = 3, width: int = 32, heads: int = 1
    ) -> None:
        counts = Counter(word for text in texts for word in basic_tokenize(text))
        self.words = sorted(word for word, n in counts.items() if n >= least)
        if not self.words:
            raise ValueError(
                f"WordReader: no word stands {least} times in the {len(texts)} texts; give more, or a smaller least."
            )
        self.ids = {word: k for k, word in enumerate(self.words, FIRST + 1)}
        config = BertConfig(
            vocab_size=FIRST + 1 + len(self.words), hidden_size=width, num_hidden_layers=1, num_attention_heads=heads,
            intermediate_size=2 * width, max_position_embeddings=LONGEST + 1, hidden_dropout_prob=0.3, initializer_range=0.1,
        )  # fmt: skip
        self.model = BertForSequenceClassification(config, 2, rng).eval()

    def encode(self, texts: Sequence[str]) -> tuple[HostArray, HostArray]:
        """Ids and mask of texts, (B, T) each; the first token is `FIRST`, rows are filled up with `PAD`."""
        rows = [[FIRST, *(self.ids.get(word, UNKNOWN) for word in basic_tokenize(text)[:LONGEST])] for text in texts]
        ids = np.full((len(rows), max(map(len, rows))), PAD, np.int64)
        for filled, row in zip(ids, rows, strict=True):
            filled[: len(row)] = row
        return ids, ids != PAD

    def learn(
        self,
        texts: Sequence[str],
        labels: Sequence[int],
        rng: np.random.Generator,
        *,
        epochs: int = 4,
        lr: float = 2e-3,
    ) -> None:
        """Learns by AdamW, 64 texts per update, in an order that `rng` draws for each epoch.

        Dropout draws from the global generator: `minilm.manual_seed` before makes a run the same again.
        """
        optimizer = AdamW(self.model.parameters(), lr=lr, weight_decay=0.01)
        classes = np.asarray(labels)
        self.model.train()
        for _ in range(epochs):
            order = rng.permutation(len(texts))
            for start in range(0, len(order), 64):
                chosen = order[start : start + 64]
                ids, mask = self.encode([texts[i] for i in chosen])
                loss = self.model.loss(ids, classes[chosen], mask)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        self.model.eval()

    def log_odds(self, ids: HostArray, mask: HostArray) -> HostArray:
        """Logit of class 1 less that of class 0, for each row: (B, T) -> (B,)."""
        with no_grad():
            parts = [
                to_host(self._log_odds(ids[i : i + AT_ONCE], mask[i : i + AT_ONCE]).data)
                for i in range(0, len(ids), AT_ONCE)
            ]
        return np.concatenate(parts)

    def _log_odds(self, ids: HostArray, mask: HostArray) -> Tensor:
        logits = self.model(ids, mask)
        return logits[:, 1] - logits[:, 0]

    # -- explanations: a number for each word of one text, high where it speaks for the class that is predicted ---------

    def kept(self, text: str) -> Any:
        """F of `minilm.interpret.attribution`: from rows of kept words, (n, words), to the log odds of the predicted class."""
        ids, mask = self.encode([text])
        sign = 1.0 if self.log_odds(ids, mask)[0] > 0 else -1.0

        def f(keep: HostArray) -> HostArray:
            rows = np.concatenate([np.ones((len(keep), 1), bool), keep], axis=1)
            return sign * self.log_odds(np.repeat(ids, len(keep), axis=0), rows)

        return f

    def attention(self, text: str) -> HostArray:
        """The weights of the first token's row, without its own, as a mean over the heads: (words,)."""
        ids, mask = self.encode([text])
        (weights,) = attention_maps(lambda: self.model(ids, mask))
        return weights[0, :, 0, 1:].mean(axis=0)

    def gradient_times_input(self, text: str) -> HostArray:
        """`minilm.interpret.attribution.gradient_times_input` on the words' vectors, added up over each: (words,)."""
        return self._by_gradients(text, gradient_times_input)

    def integrated_gradients(self, text: str, steps: int = 32) -> HostArray:
        """The same along the straight line from vectors of 0: (words,)."""
        return self._by_gradients(text, integrated_gradients, steps=steps)

    def leave_one_out(self, text: str) -> HostArray:
        """`minilm.interpret.attribution.leave_one_out` of the words: (words,)."""
        return leave_one_out(self.kept(text), int(self.encode([text])[1].sum()) - 1)

    def _by_gradients(self, text: str, rule: Any, **options: Any) -> HostArray:
        ids, mask = self.encode([text])
        sign = 1.0 if self.log_odds(ids, mask)[0] > 0 else -1.0
        embed = self.model.bert.words
        vectors = to_host(embed.weight.data)[ids[0]]
        baseline = vectors.copy()
        baseline[1:] = 0  # the first token stays: it is no word

        def f(points: Tensor) -> Tensor:
            n = len(points)
            with with_output(embed, points):
                return self._log_odds(np.repeat(ids, n, axis=0), np.repeat(mask, n, axis=0)) * sign

        return rule(f, vectors, baseline, **options)[1:].sum(axis=-1)


__all__ = ["WordReader"]
