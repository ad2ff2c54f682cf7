r"""A GPT and its autograd in plain Python: no NumPy, no engine, one number at a time; to be read from top to bottom.

Everything that a language model needs is here: numbers that know how they were made (`Value`), the model (`MicroGPT`), the update of its
weights (`Adam`), and the drawing of new words (`sample`). What the rest of minilm adds is speed: arrays in place of numbers, one
derivative per operation on arrays in place of one per number. `minilm.models.micro_tensor` is this model made of the engine's layers;
its loss, its gradients and its updates are the same.

.. math::
    h^0_t &= E_{x_t} + P_t \\
    u^\ell_t &= h^{\ell-1}_t + W_O \operatorname{Attention}(\operatorname{norm}(h^{\ell-1}))_t, \qquad
    h^\ell_t = u^\ell_t + W_2 \operatorname{relu}(W_1 \operatorname{norm}(u^\ell_t)) \\
    p(x_{t+1} \mid x_{\le t}) &= \operatorname{softmax}(U \operatorname{norm}(h^L_t))

It is the GPT of `minilm.models.gpt` with three things left out: the norm has no weights (Zhang and Sennrich 2019), the MLP has a ReLU in
place of GELU, and nothing has a bias. The idea of a whole GPT in about 200 lines without a library is Andrej Karpathy's (*microgpt*,
karpathy.github.io/2026/02/12/microgpt, 2026), that of an autograd for single numbers his, too (*micrograd*, 2020); the code is our own.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

# 1. Numbers that know how they were made


class Value:
    """A number, the numbers that it was made from, and its slope for each of them.

    Attributes:
        data: the number.
        grad: the derivative of what `backward` was called on; those of several calls add up in numbers that nothing was made into.
        parents, slopes: what it was made from, and its derivative for each; empty for a weight.
    """

    __slots__ = ("data", "grad", "parents", "slopes")

    def __init__(self, data: float, parents: tuple[Value, ...] = (), slopes: tuple[float, ...] = ()) -> None:
        self.data, self.grad, self.parents, self.slopes = float(data), 0.0, parents, slopes

    def __add__(self, other: Value | float) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other: Value | float) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, exponent: float) -> Value:
        if self.data < 0 or (self.data == 0 and exponent < 1):
            raise ValueError(f"{self.data} to the power of {exponent} has no slope: the base must be above 0.")
        return Value(self.data**exponent, (self,), (exponent * self.data ** (exponent - 1),))

    def exp(self) -> Value:
        """e to the power of the number: its own slope."""
        if self.data > 709:
            raise ValueError(f"exp({self.data:g}) is too large for a float; softmax takes the largest logit off first.")
        y = math.exp(self.data)
        return Value(y, (self,), (y,))

    def log(self) -> Value:
        """The natural logarithm, with the slope 1 / x."""
        if self.data <= 0:
            raise ValueError(f"log({self.data:g}) does not exist: a probability that is asked for must be above 0.")
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def relu(self) -> Value:
        """The number, or 0 if it is below; the slope is 1 or 0."""
        return Value(max(self.data, 0.0), (self,), (float(self.data > 0),))

    def history(self) -> list[Value]:
        """All numbers that this one was made from, and itself: each after those that it was made from.

        A list of what is still to do takes the place of a function that calls itself: a text makes longer chains than Python nests calls.
        """
        order: list[Value] = []
        seen: set[Value] = set()
        to_do = [(self, False)]
        while to_do:
            value, parents_done = to_do.pop()
            if parents_done:
                order.append(value)
            elif value not in seen:
                seen.add(value)
                to_do.append((value, True))
                to_do.extend((parent, False) for parent in value.parents)
        return order

    def backward(self) -> None:
        """The derivative of this number for all that it was made from, by the chain rule: slope times slope, summed over all paths.

        A number passes its own on only when it has got a part from each number that was made of it, so the last one comes first.
        """
        order = self.history()
        for value in order:
            if value.parents:
                value.grad = 0.0
        self.grad = 1.0
        for value in reversed(order):
            for parent, slope in zip(value.parents, value.slopes, strict=True):
                parent.grad += slope * value.grad


# 2. What is computed with vectors, which are lists of numbers

Vector: TypeAlias = list[Value]
Matrix: TypeAlias = list[Vector]


def dot(a: Sequence[Value], b: Sequence[Value]) -> Value:
    """The sum of products. One number in place of 2 n - 1, with the same slopes: b for a, and a for b."""
    if len(a) != len(b):
        raise ValueError(f"a dot product needs two vectors of one length, got {len(a)} and {len(b)}.")
    x, y = tuple(v.data for v in a), tuple(v.data for v in b)
    return Value(sum(map(float.__mul__, x, y)), (*a, *b), y + x)


def total(values: Sequence[Value]) -> Value:
    """The sum."""
    return Value(sum(v.data for v in values), tuple(values), (1.0,) * len(values))


def linear(W: Matrix, x: Vector) -> Vector:
    """W x: each row of the matrix times the vector."""
    return [dot(row, x) for row in W]


def softmax(logits: Vector) -> Vector:
    """Probabilities. The largest logit is taken off all, which changes nothing but keeps exp from overflowing."""
    largest = max(v.data for v in logits)
    powers = [(v + -largest).exp() for v in logits]
    share = total(powers) ** -1
    return [power * share for power in powers]


def rmsnorm(x: Vector, eps: float = 1e-5) -> Vector:
    """x divided by its root mean square; eps keeps a vector of zeros from dividing by 0."""
    scale = (dot(x, x) * (1 / len(x)) + eps) ** -0.5
    return [v * scale for v in x]


def add(x: Vector, y: Vector) -> Vector:
    """x + y, number by number."""
    return [a + b for a, b in zip(x, y, strict=True)]


# 3. The model

Cache: TypeAlias = list[tuple[Matrix, Matrix]]
"""For each layer the keys and the values of the tokens that were read."""


class MicroGPT:
    """A GPT that reads one token at a time and keeps the keys and values of those before it.

    Args:
        vocab_size: number of different tokens.
        block_size: the longest text, in tokens.
        n_layer, n_head, n_embd: number of blocks, heads in each, and width; heads must divide the width.
        rng: draws the weights.
        deviation: the standard deviation of the weights.

    Attributes:
        weights: matrices by name, each a list of rows; (out, in), as in `minilm.nn.Linear`.

    Raises:
        ValueError: a size is below 1, or the heads do not divide the width.
    """

    def __init__(
        self, vocab_size: int, block_size: int = 16, n_layer: int = 1, n_head: int = 4, n_embd: int = 16, *,
        rng: random.Random, deviation: float = 0.08,
    ) -> None:  # fmt: skip
        if min(vocab_size, block_size, n_layer, n_head, n_embd) < 1 or n_embd % n_head:
            raise ValueError(
                f"a GPT's sizes are at least 1, and its heads divide its width; got a vocabulary of {vocab_size}, a block of "
                f"{block_size}, {n_layer} layers, and {n_head} heads on a width of {n_embd}."
            )
        self.vocab_size, self.block_size, self.n_layer = vocab_size, block_size, n_layer
        self.n_head, self.n_embd = n_head, n_embd
        C, shapes = n_embd, {"wte": (vocab_size, n_embd), "wpe": (block_size, n_embd)}
        for i in range(n_layer):
            shapes |= {f"blocks.{i}.{name}": (C, C) for name in ("query", "key", "value", "out")}
            shapes |= {f"blocks.{i}.up": (4 * C, C), f"blocks.{i}.down": (C, 4 * C)}
        shapes["head"] = vocab_size, C
        self.weights: dict[str, Matrix] = {
            name: [[Value(rng.gauss(0, deviation)) for _ in range(columns)] for _ in range(rows)]
            for name, (rows, columns) in shapes.items()
        }

    def parameters(self) -> Vector:
        """All weights, one after the other."""
        return [w for matrix in self.weights.values() for row in matrix for w in row]

    def new_cache(self) -> Cache:
        """That of a text of which nothing has been read."""
        return [([], []) for _ in range(self.n_layer)]

    def forward(self, token: int, cache: Cache) -> Vector:
        """The logits of the token after this one, which follows those in the cache and is put there.

        Nothing hides later tokens from earlier ones, as the mask of `minilm.models.gpt` must: they have not been read yet.

        Raises:
            ValueError: the token is not in the vocabulary, or the block is full.
        """
        self._expect(token)
        position = len(cache[0][0])
        if position == self.block_size:
            raise ValueError(f"the model has positions for {position} tokens only: begin a new text with new_cache().")
        x = add(self.weights["wte"][token], self.weights["wpe"][position])
        for i, (keys, values) in enumerate(cache):
            query, key, value, out, up, down = (
                self.weights[f"blocks.{i}.{name}"] for name in ("query", "key", "value", "out", "up", "down")
            )
            y = rmsnorm(x)
            keys.append(linear(key, y))
            values.append(linear(value, y))
            x = add(x, linear(out, attention(linear(query, y), keys, values, self.n_head)))
            x = add(x, linear(down, [v.relu() for v in linear(up, rmsnorm(x))]))
        return linear(self.weights["head"], rmsnorm(x))

    def loss(self, tokens: Sequence[int]) -> Value:
        """The mean surprise, -ln p, of each token but the first, after those before it: one text, one new cache.

        Raises:
            ValueError: there are not two tokens, or more than fit.
        """
        if not 2 <= len(tokens) <= self.block_size + 1:
            raise ValueError(f"a text to learn has 2 to {self.block_size + 1} tokens, got {len(tokens)}.")
        self._expect(tokens[-1])
        cache = self.new_cache()
        surprises = [softmax(self.forward(a, cache))[b].log() * -1 for a, b in pairwise(tokens)]
        return total(surprises) * (1 / len(surprises))

    def _expect(self, token: int) -> None:
        if not 0 <= token < self.vocab_size:
            raise ValueError(
                f"token {token} is not in the vocabulary, which has the numbers 0 to {self.vocab_size - 1}."
            )


def attention(query: Vector, keys: Matrix, values: Matrix, n_head: int) -> Vector:
    """What the query finds: for each head, values weighed by how well their keys fit it.

    A head has its own part of each vector, D numbers; q · k is divided by the root of D, or softmax would be nearly 0 and 1 in wide heads.
    """
    D = len(query) // n_head
    found: Vector = []
    for start in range(0, len(query), D):
        part = slice(start, start + D)
        weights = softmax([dot(query[part], key[part]) * D**-0.5 for key in keys])
        found += [dot(weights, [value[j] for value in values]) for j in range(start, start + D)]
    return found


# 4. Learning


class Adam:
    r"""Each weight goes against its mean gradient, divided by the root of its mean square (Kingma and Ba 2015; `minilm.optim.Adam`).

    Both means begin at 0 and are too small at first; division by :math:`1 - \beta^t` makes up for it.

    Raises:
        ValueError: a beta is not in [0, 1).
    """

    def __init__(
        self, parameters: Iterable[Value], lr: float = 0.01, betas: tuple[float, float] = (0.9, 0.99), eps: float = 1e-8
    ) -> None:
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"Adam's betas are at least 0 and below 1, got {betas}.")
        self.parameters, self.lr, self.betas, self.eps, self.t = list(parameters), lr, betas, eps, 0
        self.means, self.squares = [0.0] * len(self.parameters), [0.0] * len(self.parameters)

    def step(self) -> None:
        """Change all weights by their gradients, and set these to 0 for the next text."""
        self.t += 1
        b1, b2 = self.betas
        for i, p in enumerate(self.parameters):
            self.means[i] = b1 * self.means[i] + (1 - b1) * p.grad
            self.squares[i] = b2 * self.squares[i] + (1 - b2) * p.grad**2
            mean, square = self.means[i] / (1 - b1**self.t), self.squares[i] / (1 - b2**self.t)
            p.data -= self.lr * mean / (math.sqrt(square) + self.eps)
            p.grad = 0.0


def train(
    model: MicroGPT, texts: Sequence[Sequence[int]], steps: int, rng: random.Random, lr: float = 0.01
) -> Iterator[float]:
    """Update by update, the loss on one text that is drawn before; the learning rate falls to 0 in a straight line.

    Raises:
        ValueError: there is no text.
    """
    if not texts:
        raise ValueError("there is nothing to learn from: no text was given.")
    optimizer = Adam(model.parameters())
    for step in range(steps):
        loss = model.loss(rng.choice(texts))
        loss.backward()
        optimizer.lr = lr * (1 - step / steps)
        optimizer.step()
        yield loss.data


# 5. Words


def words_of(text: str, longest: int = 15) -> list[str]:
    """The different words of a text, of 2 letters from a to z or more, in alphabetical order: what the model may learn to invent."""
    return sorted({word for word in re.findall(r"[a-z]+", text.lower()) if 2 <= len(word) <= longest})


class Letters:
    """Numbers for letters, from 0 on; one more, `edge`, is where words begin and end."""

    def __init__(self, words: Iterable[str]) -> None:
        self.letters = sorted(set("".join(words)))
        self.edge = len(self.letters)
        self.vocab_size = self.edge + 1

    def encode(self, word: str) -> list[int]:
        """The word's letters as numbers, between two edges."""
        unknown = sorted(set(word) - set(self.letters))
        if unknown:
            raise ValueError(f"{''.join(unknown)!r} is not among the letters {''.join(self.letters)!r}.")
        return [self.edge, *map(self.letters.index, word), self.edge]

    def decode(self, tokens: Iterable[int]) -> str:
        """The letters, without edges."""
        return "".join(self.letters[token] for token in tokens if token != self.edge)


def sample(model: MicroGPT, edge: int, rng: random.Random, temperature: float = 1.0) -> list[int]:
    """A new word, token by token, each drawn by its probability, until an edge is drawn or the block is full.

    Each token costs one `forward`: the keys and values of those before it are in the cache.

    Raises:
        ValueError: the temperature is not above 0.
    """
    if temperature <= 0:
        raise ValueError(f"the temperature must be above 0, got {temperature}; near 0 the likeliest token is drawn.")
    cache, token, word = model.new_cache(), edge, []
    for _ in range(model.block_size):
        p = softmax([logit * (1 / temperature) for logit in model.forward(token, cache)])
        token = rng.choices(range(len(p)), [v.data for v in p])[0]
        if token == edge:
            break
        word.append(token)
    return word


__all__ = ["Adam", "Letters", "MicroGPT", "Value", "attention", "sample", "softmax", "train", "words_of"]
