r"""Counting characters: an n-gram with backing off, the honest rival of a small language model.

What comes next is looked up among what followed the last n - 1 characters h in the training text. What was seen too rarely is made up for
by the shorter context h', without its first character, down to the uniform distribution. In Kneser and Ney's way (1995, interpolated as
by Chen and Goodman 1999, 2.7) every count c gives away a discount D, and a shorter context does not ask how often a character came, but
after how many different characters the context with it stood:

.. math::
    p_n(w \mid h) = \frac{\max(c(hw) - D_n, 0)}{c(h)} + \frac{D_n\, N(h)}{c(h)}\, p_{n-1}(w \mid h'), \qquad
    D_n = \frac{n_1}{n_1 + 2 n_2}

with N(h) the number of different characters after h, and :math:`n_1, n_2` how many n-grams were counted once and twice. What was counted
once should lose another share than what was counted often: *modified* Kneser-Ney (Chen and Goodman 1999) has three
discounts, for counts of 1, of 2, and of 3 or more, and :math:`N_1(h), N_2(h), N_{3+}(h)` say how many characters after h have such counts:

.. math::
    p_n(w \mid h) = \frac{c(hw) - D(c(hw)) + \bigl(D_1 N_1(h) + D_2 N_2(h) + D_{3+} N_{3+}(h)\bigr)\, p_{n-1}(w \mid h')}{c(h)}, \qquad
    D_j = j - (j + 1)\, \frac{n_1}{n_1 + 2 n_2}\, \frac{n_{j+1}}{n_j}, \quad D(0) = 0

In Witten and Bell's way (1991) the shorter context has as many votes as there are different characters after h:

.. math:: p_n(w \mid h) = \frac{c(hw) + N(h)\, p_{n-1}(w \mid h')}{c(h) + N(h)}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minilm.applications.application import Baseline, Split, System
from minilm.applications.surprise import surprise
from minilm.types import HostArray

KINDS = ("Kneser-Ney", "Witten-Bell", "modified Kneser-Ney")
FALLBACK = (0.0, 0.5, 1.0, 1.5)
"""Discounts of counts 0 to 3, where too few n-grams say which; those of KenLM's ``--discount_fallback``."""
ORDERS = (3, 5, 7, 10, 15, 20)  # that are tried; the last one takes 2 GB of memory for a text of 400,000 characters
Followers = dict[str, int]


class NGram:
    """Counts of a text.

    Args:
        text: to learn from.
        order: n; an n-gram looks at n - 1 characters.
        kind: one of `KINDS`.

    Attributes:
        tables: for each length of a context, from 0, the contexts with what followed how often.
        discounts: for each length of a context, what counts of 0, 1, 2, and 3 or more give away to the shorter context.
        characters: the different ones of the text, in order of code points.

    Raises:
        ValueError: the order is below 1, the kind is unknown, or the text is empty.
    """

    def __init__(self, text: str, order: int, kind: str = KINDS[0]) -> None:
        if order < 1 or kind not in KINDS or not text:
            raise ValueError(
                f"an n-gram has an order of at least 1, one of the kinds {', '.join(KINDS)} and a text to count; got {order}, "
                f"{kind!r} and {len(text)} characters."
            )
        self.order, self.kind, self.characters = order, kind, sorted(set(text))
        self.uniform = 1 / (len(self.characters) + 1)  # one more, for all that never came
        if kind != "Witten-Bell":
            self.tables = [_counted(text, order - 1)]
            while len(self.tables) < order:
                self.tables.insert(0, _stood_after(self.tables[0]))
        else:
            self.tables = [_counted(text, n) for n in range(order)]
        self.totals = [{h: sum(after.values()) for h, after in table.items()} for table in self.tables]
        discounts = three_discounts if kind == KINDS[2] else one_discount
        self.discounts = [discounts(*_counts_of_counts(table)) for table in self.tables]
        self.given = [
            {h: sum(discount[min(c, 3)] for c in after.values()) for h, after in table.items()}
            if kind == KINDS[2]
            else {}
            for table, discount in zip(self.tables, self.discounts, strict=True)
        ]  # with one discount it is that times the number of followers, for which no memory is needed

    def probability(self, character: str, context: str) -> float:
        """Of the next character after a context; characters further back than n - 1 are not looked at."""
        p = self.uniform
        for n, (table, totals) in enumerate(zip(self.tables, self.totals, strict=True)):
            h = context[len(context) - n :] if n <= len(context) else None
            if h is None or h not in table:  # then no longer one is there either
                break
            after, total = table[h], totals[h]
            count = after.get(character, 0)
            if self.kind == "Witten-Bell":
                p = (count + len(after) * p) / (total + len(after))
            else:
                given = self.given[n][h] if self.given[n] else self.discounts[n][1] * len(after)
                p = (count - self.discounts[n][min(count, 3)] + given * p) / total
        return p

    def nats(self, text: str) -> HostArray:
        """The surprise of each character of a text, each after those before it, (n,)."""
        reach = self.order - 1
        return (
            -np.log([self.probability(c, text[max(0, i - reach) : i]) for i, c in enumerate(text)])
            if text
            else np.zeros(0)
        )

    def write(self, context: str, count: int, rng: np.random.Generator, temperature: float = 1.0) -> str:
        """So many characters that follow a context, drawn one after the other; temperature 0: each time the likeliest."""
        for _ in range(count):
            p = np.array([self.probability(c, context) for c in self.characters])
            if temperature > 0:
                p = p ** (1 / temperature)
                context += self.characters[rng.choice(len(p), p=p / p.sum())]
            else:
                context += self.characters[int(p.argmax())]
        return context[len(context) - count :] if count else ""


def _counted(text: str, n: int) -> dict[str, Followers]:
    """What followed each context of n characters, and how often."""
    table: dict[str, Followers] = {}
    for i in range(n, len(text)):
        after = table.setdefault(text[i - n : i], {})
        after[text[i]] = after.get(text[i], 0) + 1
    return table


def _stood_after(longer: dict[str, Followers]) -> dict[str, Followers]:
    """For contexts that are shorter by their first character: how many different characters stood there before each follower."""
    table: dict[str, Followers] = {}
    for h, followers in longer.items():
        after = table.setdefault(h[1:], {})
        for character in followers:
            after[character] = after.get(character, 0) + 1
    return table


def _counts_of_counts(table: dict[str, Followers]) -> tuple[int, int, int, int]:
    """How many n-grams were counted once, twice, three and four times."""
    counts = np.fromiter((c for after in table.values() for c in after.values()), np.int64)
    once, twice, thrice, four_times = (int((counts == j).sum()) for j in (1, 2, 3, 4))
    return once, twice, thrice, four_times


def one_discount(n1: int, n2: int, n3: int = 0, n4: int = 0) -> tuple[float, float, float, float]:
    """What counts of 0, 1, 2, and 3 or more give away: D = n1 / (n1 + 2 n2) of all that came (Ney, Essen and Kneser 1994).

    Half a count where nothing was counted once, so that something is always left for what never came.
    """
    D = n1 / (n1 + 2 * n2) if n1 else 0.5
    return 0.0, D, D, D


def three_discounts(n1: int, n2: int, n3: int, n4: int) -> tuple[float, float, float, float]:
    """What counts of 0, 1, 2, and 3 or more give away in modified Kneser-Ney (Chen and Goodman 1999).

    The estimate needs n-grams that were counted once, twice and three times, and no count can give away less than nothing or more than
    itself; where one of the three fails, all are those of `FALLBACK`.
    """
    if not (n1 and n2 and n3):
        return FALLBACK
    Y = n1 / (n1 + 2 * n2)
    D1, D2, D3 = (j - (j + 1) * Y * more / n for j, n, more in ((1, n1, n2), (2, n2, n3), (3, n3, n4)))
    return (0.0, D1, D2, D3) if 0 <= D2 <= 2 and 0 <= D3 <= 3 else FALLBACK


def learned(split: Split[Any], order: int | None = None, kind: str = KINDS[0], orders: Sequence[int] = ORDERS) -> NGram:
    """The n-gram of the training and the validation part.

    Args:
        order: None: that of `orders` which the validation part likes best, with counts of the training part.
    """
    train, validation = ("\n\n".join(passage.text for passage in part) for part in (split.train, split.validation))
    best = order or min(orders, key=lambda n: NGram(train, n, kind).nats(validation).sum())
    return NGram(f"{train}\n\n{validation}", best, kind)


def counting(order: int | None, kind: str, orders: Sequence[int] = ORDERS) -> Baseline:
    """The n-gram that is `learned` as a simple method."""

    def method(split: Split[Any]) -> System:
        model = learned(split, order, kind, orders)
        return lambda questions: [surprise(question.text, model.nats(question.text)) for question in questions]

    return method


BASELINES: dict[str, Baseline] = {
    "5-gram, Kneser-Ney": counting(5, "Kneser-Ney"),
    "5-gram, Witten-Bell": counting(5, "Witten-Bell"),
    "5-gram, modified Kneser-Ney": counting(5, "modified Kneser-Ney"),
    "n-gram, Kneser-Ney, n chosen": counting(None, "Kneser-Ney"),
}

__all__ = ["BASELINES", "FALLBACK", "KINDS", "NGram", "counting", "learned", "one_discount", "three_discounts"]
