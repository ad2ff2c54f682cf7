"""Sizes: a model's parameters, a model for a budget, and how alike two texts are."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong

GPT2 = Task(
    id="1.6",
    title="Counting GPT-2's parameters",
    kind="code",
    minutes=20,
    difficulty=1,
    practises="shapes of a Transformer's parameters",
    statement=r"""
A GPT-2 of width $d$ has a table of embeddings for its tokens and one for its positions. Each layer has two layer norms (a scale and a
shift each), attention with one linear layer from $d$ to $3d$ and one back from $d$ to $d$, and a small network from $d$ to $4d$ and back;
all have biases. A last layer norm follows; the output reuses the tokens' table.

Write `parameters(layers, d, vocabulary, positions)`, their number. The smallest GPT-2 has 12 layers of width 768, a vocabulary of 50,257
and 1,024 positions: is it the paper's 117 million?
""",
    stub='''
def parameters(layers, d, vocabulary, positions):
    """How many parameters a GPT-2 has: an int."""
    raise NotImplementedError
''',
    solution="""
def parameters(layers, d, vocabulary, positions):
    attention = linear(d, 3 * d) + linear(d, d)
    network = linear(d, 4 * d) + linear(4 * d, d)
    norms = 2 * 2 * d
    tables = (vocabulary + positions) * d
    return tables + layers * (attention + network + norms) + 2 * d


def linear(m, n):
    return m * n + n
""",
    name="parameters",
    hint="A linear layer from $m$ to $n$ has a matrix and a bias. With $d = 768$ a layer has $12 d^2 + 13 d$.",
    derivation=r"""
Attention: $3 d^2 + 3 d + d^2 + d$. Network: $4 d^2 + 4 d + 4 d^2 + d$. Norms: $4 d$. Together $12 d^2 + 13 d$. Then 12 layers,
$(50257 + 1024)\, d$ for the tables and $2 d$ for the last norm: $124{,}439{,}808$. It is the 124M of the released code, not the 117M of
the paper.
""",
    tests=(
        Test("one layer of width 1", lambda rng: (1, 1, 5, 3)),
        Test("no layer", lambda rng: (0, 4, 10, 6)),
        Test("two layers", lambda rng: (2, 8, 30, 16), points=2),
        Test("GPT-2", lambda rng: (12, 768, 50257, 1024), hidden=True),
        Test("GPT-2 XL", lambda rng: (48, 1600, 50257, 1024), hidden=True),
    ),
    wrong=(
        Wrong(
            "bias-not-counted",
            "return m * n + n",
            "return m * n",
            why="The linear layers were counted without their biases.",
            look="How many numbers a linear layer from m to n adds after its product.",
        ),
        Wrong(
            "",
            " + 2 * d\n",
            "\n",
            why="The last layer norm, after all layers, is missing: 2 d parameters.",
            look="What stands between the last layer and the output.",
        ),
        Wrong(
            "tied-weights-counted-twice",
            "(vocabulary + positions) * d",
            "(2 * vocabulary + positions) * d",
            why="The tokens' table was counted twice. The output reuses it.",
            look="The last sentence on the output.",
        ),
        Wrong(
            "",
            "linear(d, 3 * d) + linear(d, d)",
            "linear(d, 3 * d)",
            why="Attention's second linear layer, from d back to d, is missing.",
            look="What happens to the heads' results.",
        ),
        Wrong(
            "",
            "norms = 2 * 2 * d",
            "norms = 2 * d",
            why="A layer norm has a scale and a shift, and there are two in each layer: 4 d.",
            look="The layer norms.",
        ),
        Wrong(
            "",
            "(vocabulary + positions) * d",
            "vocabulary * d",
            why="The table of positions is missing: one row of width d for each.",
            look="The tables before the first layer.",
        ),
    ),
    after="What share of the parameters stands in the tables, for the smallest and for the largest GPT-2?",
)


def budget(rng: Generator) -> dict[str, Any]:
    return {"size": 5 * int(rng.integers(20, 120)), "corpus": 10 * int(rng.integers(20, 60))}


TOO_LARGE = Task(
    id="1.7",
    title="Which models were too large?",
    kind="number",
    minutes=10,
    difficulty=2,
    practises="compute, parameters, the rule of 20",
    statement=r"""
A model with {size} billion parameters was trained on {corpus} billion tokens. Its computation is about
$6 \times \text{parameters} \times \text{tokens}$. What size, and how many tokens, would the rule of 20 tokens per parameter have chosen
for the same computation?

Set `answer = (best_size, best_tokens)`, both in billions. The numbers are in `size` and `corpus`.

Then go through the chapter's table `history`: which Transformers have fewer than 20 tokens per parameter?
""",
    stub="""
best_size = None  # billions of parameters
best_tokens = None  # billions of tokens
answer = (best_size, best_tokens)
""",
    solution="""
computation = 6 * size * corpus
best_size = (computation / (6 * 20)) ** 0.5
best_tokens = 20 * best_size
answer = (best_size, best_tokens)
""",
    hint="Set $6 n \\cdot 20 n$ equal to the computation and solve for $n$.",
    derivation=r"""
$C = 6 \cdot n \cdot 20 n$, so $n = \sqrt{C / 120}$. For GPT-3, with 175 billion parameters and 300 billion tokens,
$C = 6 \cdot 175 \cdot 10^9 \cdot 300 \cdot 10^9 = 3.15 \cdot 10^{23}$ operations, and $n \approx 51 \cdot 10^9$, with about a trillion
tokens: a third of the size, 3.4 times the text.

Below 20 tokens per parameter are GPT-3, Gopher, MT-NLG, PaLM and BLOOM among others; Chinchilla, T5, Llama and TinyLlama are not.
""",
    tests=(
        Test("parameters", use=lambda answer: answer[0], call="best_size", rtol=5e-3, points=2),
        Test("tokens", use=lambda answer: answer[1], call="best_tokens", rtol=5e-3),
    ),
    wrong=(
        Wrong(
            "",
            "(computation / (6 * 20)) ** 0.5",
            "corpus / 20",
            why="This size suits the tokens that there were. The same computation was to be spent, and a smaller model leaves some for "
            "more tokens.",
            look="What is kept: the product of size and tokens.",
        ),
        Wrong(
            "",
            "(computation / (6 * 20)) ** 0.5",
            "(computation / 20) ** 0.5",
            why="The 6 stands on both sides of the equation, here only on one: the size is too large by the root of 6, 2.449.",
            look="6 n times 20 n.",
        ),
        Wrong(
            "",
            "20 * best_size",
            "computation / (6 * size)",
            why="These are the tokens of the model as it was, not those of the smaller one.",
            look="How many tokens the rule gives the size that you found.",
        ),
    ),
    data=budget,
    after="Today's small models get hundreds of tokens per parameter. What do their makers save, if not computation in training?",
)


def half_a_copy(size: int, shared: int, hashes: int) -> Any:
    """Two sets of `size` that share so many, and random hashes of all their elements."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        start = size - shared
        return list(range(size)), list(range(start, start + size)), rng.random((hashes, start + size))

    return inputs


MINHASH = Task(
    id="1.8",
    title="Half a copy",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="Jaccard similarity, MinHash",
    statement=r"""
Write `similarity(a, b, hashes)` for two lists of ids without repetition: their Jaccard similarity (1.10), and MinHash's estimate of it.
Row $k$ of `hashes` is a random function, `hashes[k, i]` the hash of id $i$. A set's MinHash is the smallest hash of its elements; the
estimate is the share of rows in which both sets have the same one.

Two documents with 1,000 different 13-grams each share 500. What is their similarity? How many must they share to be duplicates at 0.8?
""",
    stub='''
def similarity(a, b, hashes):
    """The Jaccard similarity of two sets and MinHash's estimate of it: two floats.

    a, b: lists of ids, not empty, each id once. hashes: (K, U), the hashes of the
    ids 0 to U - 1 by K functions.
    """
    raise NotImplementedError
''',
    solution="""
def similarity(a, b, hashes):
    shared = len(set(a) & set(b))
    jaccard = shared / (len(a) + len(b) - shared)
    smallest_a = hashes[:, a].min(axis=1)
    smallest_b = hashes[:, b].min(axis=1)
    return jaccard, float((smallest_a == smallest_b).mean())
""",
    name="similarity",
    hint="Of the union's elements, each is equally likely to have the smallest hash.",
    derivation=r"""
$500 / 1500 = 1/3$; and $s / (2000 - s) \ge 0.8$ gives $s \ge 1600 / 1.8$, so 889. The smallest hash over $A \cup B$ belongs to a random
one of its elements. The two minima agree exactly when it lies in $A \cap B$, which has the probability $J(A, B)$. The share of
agreements among $k$ hashes has the standard deviation $\sqrt{J (1 - J) / k}$.
""",
    tests=(
        Test("one id in common", lambda rng: ([0, 1], [1, 2], np.array([[0.5, 0.1, 0.9], [0.2, 0.3, 0.4]]))),
        Test("half a copy", half_a_copy(10, 5, 40), points=2),
        Test("nothing in common", half_a_copy(6, 0, 12)),
        Test("the same set in another order", lambda rng: ([4, 0, 2], [0, 2, 4], rng.random((7, 5))), hidden=True),
        Test(
            "sets of different sizes", lambda rng: ([0, 1, 2, 3, 4, 5, 6, 7], [7, 8], rng.random((60, 9))), hidden=True
        ),
    ),
    wrong=(
        Wrong(
            "",
            "(len(a) + len(b) - shared)",
            "(len(a) + len(b))",
            why="The shared ids were counted twice in the union.",
            look="How many different ids the two sets have together.",
        ),
        Wrong(
            "",
            "(len(a) + len(b) - shared)",
            "min(len(a), len(b))",
            why="This is the share of the smaller set. Jaccard divides by the union.",
            look="The denominator of (1.10).",
        ),
        Wrong(
            "",
            "(smallest_a == smallest_b)",
            "(hashes[:, a].argmin(axis=1) == hashes[:, b].argmin(axis=1))",
            why="Places in the two lists were compared. The same id stands at different places in them.",
            look="What `argmin` counts: columns of what is left after the choice of ids.",
        ),
        Wrong(
            "wrong-axis",
            "hashes[:, a].min(axis=1)\n    smallest_b = hashes[:, b].min(axis=1)",
            "hashes[:, a].min(axis=0)\n    smallest_b = hashes[:, b].min(axis=0)",
        ),
        Wrong(
            "mean-for-sum",
            "(smallest_a == smallest_b).mean()",
            "np.isin(hashes[:, a], hashes[:, b]).mean()",
            why="All hashes were compared, not only the smallest of each set. MinHash keeps one number per function and set.",
            look="How many numbers are kept of a document.",
        ),
    ),
    after="How many hash functions do you need to tell 0.8 from 0.7? Use the standard deviation.",
)

TASKS: tuple[Task, ...] = (GPT2, TOO_LARGE, MINHASH)
