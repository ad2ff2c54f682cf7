"""Surprise: bits, cross-entropy, perplexity, and what a text's length has to do with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong

POEM = """import codecs
import contextlib
import io
import math
import re
from itertools import pairwise

import numpy as np

with contextlib.redirect_stdout(io.StringIO()):  # importing it prints the poem
    import this

poem = codecs.decode(this.s, "rot13")
lines = [re.findall(r"[a-z']+", line.lower()) for line in poem.splitlines() if line]
words = ["<end>"] + [word for line in lines for word in [*line, "<end>"]]
vocabulary = sorted(set(words))
number = {word: i for i, word in enumerate(vocabulary)}  # word -> id
ids = np.array([number[word] for word in words])
V = len(vocabulary)
N = np.zeros((V, V))  # N[i, j]: how often j follows i
np.add.at(N, (ids[:-1], ids[1:]), 1)
"""

LINES = (
    "now is better than never",
    "explicit is better than implicit",
    "simple is better than complex",
    "flat is better than nested",
    "readability counts",
    "errors should never pass silently",
    "unless explicitly silenced",
)


def line_of_the_poem(rng: Generator) -> dict[str, Any]:
    return {"line": LINES[rng.integers(len(LINES))]}


SURPRISE_OF_A_LINE = Task(
    id="1.1",
    title="Surprise of a line",
    kind="number",
    minutes=20,
    difficulty=1,
    practises="surprise of a text in bits",
    statement=r"""
The set-up counts the poem: `N[i, j]` is how often token `j` follows token `i`, `number` maps a word to its id, and `<end>` stands
before the first line and after each.

How many bits does the line "{line}" cost, with its end, under the poem's bigram? How many would it cost with all `V` tokens equally
likely? Which word costs most?

Set `answer = (bits, even, word)`. The line is in the variable `line`; compute, do not type numbers.
""",
    stub="""
bits = None  # under the bigram
even = None  # with all tokens equally likely
word = None  # the most expensive one
answer = (bits, even, word)
""",
    setup=POEM,
    solution="""
A = N / N.sum(axis=1, keepdims=True)
tokens = ["<end>", *line.split(), "<end>"]
costs = [math.log2(1 / A[number[a], number[b]]) for a, b in pairwise(tokens)]
bits = sum(costs)
even = len(costs) * math.log2(V)
word = tokens[1 + int(np.argmax(costs))]
answer = (bits, even, word)
""",
    hint="Surprises add. Walk through the pairs of neighbors, from `<end>` to `<end>`, and take formula (1.4) of each.",
    derivation=r"""
By (1.2) the probability is a product over the pairs, so its surprise is the sum $\sum_t \log_2 1 / A_{w_{t-1} w_t}$. With all
tokens alike each of the predictions costs $\log_2 V$. There is one more prediction than the line has words: the end is predicted too.
For "now is better than never" that makes six.
""",
    tests=(
        Test("bits under the bigram", use=lambda answer: answer[0], call="bits", points=2),
        Test("bits with all tokens alike", use=lambda answer: answer[1], call="even"),
        Test("the most expensive word", use=lambda answer: answer[2], call="word"),
    ),
    wrong=(
        Wrong(
            "nats-for-bits",
            "[math.log2(1 / A[number[a], number[b]])",
            "[math.log(1 / A[number[a], number[b]])",
            why="The surprise came out in nats: ln 2 = 0.693 times as many as bits.",
            look="The base of the logarithm in (1.4).",
        ),
        Wrong(
            "",
            '["<end>", *line.split(), "<end>"]',
            '["<end>", *line.split()]',
            why="The end of the line was not counted: it is a token too, and it is predicted like the others.",
            look="How many predictions there are: one more than words.",
        ),
        Wrong(
            "wrong-axis",
            "N.sum(axis=1, keepdims=True)",
            "N.sum(axis=0, keepdims=True)",
            why="The counts were divided by how often the second token of a pair occurs. A row of the bigram belongs to the first.",
        ),
        Wrong(
            "",
            "N / N.sum(axis=1, keepdims=True)",
            "N / N.sum()",
            why="The counts were divided by the number of all pairs. That is the probability of the pair, not of its second token "
            "given the first.",
            look="Whether a row of A sums to one.",
        ),
        Wrong(
            "",
            "len(costs) * math.log2(V)",
            "(len(costs) - 1) * math.log2(V)",
            why="One token was not counted: the end of the line is predicted too.",
            look="How many predictions the line takes.",
        ),
        Wrong(
            "off-by-one-shift",
            "1 + int(np.argmax(costs))",
            "int(np.argmax(costs))",
            why="This is the token before the dearest one: `costs[0]` is the price of the second token.",
            look="Which token `costs[0]` belongs to.",
        ),
    ),
    data=line_of_the_poem,
    after="Find the line of the poem that costs most bits per word.",
)


def log_probabilities(tokens: int, characters: int, low: float = 0.05, high: float = 1.0) -> Any:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        return np.log(rng.uniform(low, high, tokens)), characters

    return inputs


MEASURES = Task(
    id="1.13",
    title="Perplexity and bits per character",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="three measures of one loss",
    statement=r"""
Write `measures(log_p, characters)`. A model read a text of `characters` characters, cut into tokens; `log_p` holds the natural
logarithm of the probability it gave to each. Return the loss (the cross-entropy per token, in nats), the perplexity, and the bits per
character.

Two tokens of probability $\frac14$ that stand for 8 characters give $1.386$, $4$ and $0.5$.

Why may the bits per character of two models with different tokens be compared, and their perplexities not?
""",
    stub='''
def measures(log_p, characters):
    """Loss in nats per token, perplexity, bits per character: three floats.

    log_p: (T,), the natural logarithms of the tokens' probabilities. characters:
    how many the tokens stand for.
    """
    raise NotImplementedError
''',
    solution="""
def measures(log_p, characters):
    loss = -float(np.mean(log_p))
    perplexity = float(np.exp(loss))
    bits = loss * len(log_p) / np.log(2)
    return loss, perplexity, float(bits / characters)
""",
    name="measures",
    hint="First the loss. The whole text costs the loss times its number of tokens; a nat is more than a bit.",
    derivation=r"""
By (1.5) the loss is $L = -\frac1T \sum_t \ln p_t$, and by (1.6) the perplexity is $e^L$. The text costs $T L$ nats, and since
$\log_2 x = \ln x / \ln 2$, that is $T L / \ln 2$ bits. Divided by the number of characters it no longer depends on how the text was
cut: both models are asked for the same whole. A perplexity is a mean over tokens, and a model with longer tokens has fewer, harder
ones.
""",
    tests=(
        Test("two tokens, 8 characters", lambda rng: (np.log(np.array([0.25, 0.25])), 8)),
        Test("one token", log_probabilities(1, 3)),
        Test("a text", log_probabilities(12, 50), points=2, labels={"the tokens": 12, "the characters": 50}),
        Test("a long text", log_probabilities(3000, 13_000, 0.001, 0.5), hidden=True, labels={"the tokens": 3000}),
    ),
    wrong=(
        Wrong("perplexity-without-exp", "float(np.exp(loss))", "loss"),
        Wrong(
            "",
            "float(np.exp(loss))",
            "float(2**loss)",
            why="The perplexity was taken as a power of 2, but the loss is in nats, so its base is e.",
            look="The base of the power: that of the logarithm.",
        ),
        Wrong(
            "nats-for-bits",
            "len(log_p) / np.log(2)",
            "len(log_p)",
            why="The cost per character is in nats: 1 bit is ln 2 = 0.693 nats.",
            look="The unit of the last number.",
        ),
        Wrong("sum-for-mean", "-float(np.mean(log_p))", "-float(np.sum(log_p))"),
        Wrong(
            "",
            "loss * len(log_p) / np.log(2)",
            "loss / np.log(2)",
            why="The loss of one token was divided by the characters of all.",
            look="What the whole text costs, before it is divided by its length.",
        ),
        Wrong(
            "",
            "float(np.exp(loss))",
            "float(np.prod(np.exp(log_p)) ** (-1 / len(log_p)))",
            why="The product of many probabilities is rounded to 0 before the root is taken. The mean of the logarithms is not.",
            look="The long text: 0.1 to the power 3000 is no number in float64.",
        ),
        Wrong(
            "ratio-inverted",
            "float(bits / characters)",
            "float(loss / np.log(2) * characters / len(log_p))",
            why="The bits per token were multiplied by the characters per token. A token's bits are shared among its characters: divide.",
            look="One token of 4 characters that costs 2 bits: half a bit each.",
        ),
    ),
    after="Measure English in bytes: what changes in bits per character where a letter takes two?",
)


def two_models(rng: Generator) -> dict[str, Any]:
    return {
        "perplexity": int(rng.integers(12, 41)),
        "length": int(rng.integers(38, 47)) / 10,
        "nats": int(rng.integers(70, 100)) / 100,
        "megabytes": int(rng.integers(2, 10)),
    }


WHICH_MODEL = Task(
    id="1.17",
    title="Which of two models is better?",
    kind="number",
    minutes=10,
    difficulty=2,
    practises="perplexity, bits, compression",
    statement=r"""
Model A has a perplexity of {perplexity} per token; its tokens are {length} characters long on average. Model B reads single characters
and has a loss of {nats} nats per character.

How many bits per character has each? And to how many megabytes does the better of the two, with an ideal code, compress a text of
{megabytes} MB with one byte per character?

Set `answer = (bits_a, bits_b, compressed)`. The numbers are in `perplexity`, `length`, `nats`, `megabytes`.
""",
    stub="""
bits_a = None  # bits per character
bits_b = None
compressed = None  # in megabytes
answer = (bits_a, bits_b, compressed)
""",
    solution="""
bits_a = np.log2(perplexity) / length
bits_b = nats / np.log(2)
best = min(bits_a, bits_b)
compressed = megabytes * best / 8
answer = (float(bits_a), float(bits_b), float(compressed))
""",
    hint="A perplexity is the exponential of a loss; which loss, in bits, belongs to a perplexity of 2?",
    derivation=r"""
A perplexity $\operatorname{PPL}$ means $\ln \operatorname{PPL}$ nats, or $\log_2 \operatorname{PPL}$ bits, per token (1.6); divided by
the characters of a token, bits per character. Model B's nats become bits by division by $\ln 2$. An ideal code spends as many bits as
the surprise says (1.4), against 8 bits for a byte, so the text shrinks to $\text{bits}/8$ of its size.
""",
    tests=(
        Test("bits per character of A", use=lambda answer: answer[0], call="bits_a", rtol=1e-3),
        Test("bits per character of B", use=lambda answer: answer[1], call="bits_b", rtol=1e-3),
        Test("the compressed size", use=lambda answer: answer[2], call="compressed", rtol=1e-3),
    ),
    wrong=(
        Wrong(
            "",
            "np.log2(perplexity) / length",
            "np.log2(perplexity)",
            why="These are bits per token. A token has several characters.",
            look="What the perplexity is per.",
        ),
        Wrong(
            "nats-for-bits",
            "np.log2(perplexity) / length",
            "np.log(perplexity) / length",
            why="This is in nats; bits were asked for.",
            look="The base of the logarithm.",
        ),
        Wrong(
            "",
            "nats / np.log(2)",
            "nats * np.log(2)",
            why="The nats were multiplied by ln 2. A bit is smaller than a nat, so there are more of them.",
            look="Whether 1 nat is more than 1 bit.",
        ),
        Wrong("bits-for-bytes", "best / 8", "best"),
        Wrong(
            "",
            "min(bits_a, bits_b)",
            "max(bits_a, bits_b)",
            why="The worse of the two was chosen: the better model needs fewer bits.",
            look="Which of the two is surprised less.",
        ),
        Wrong(
            "nats-for-bits",
            "nats / np.log(2)",
            "nats",
            why="These are nats per character. A nat is 1 / ln 2 = 1.44 bits.",
            look="The unit of B's loss.",
        ),
        Wrong(
            "ratio-inverted",
            "np.log2(perplexity) / length",
            "np.log2(perplexity) * length",
            why="The bits of a token were multiplied by its length. They are shared among its characters: divide.",
            look="Bits per token, or per character.",
        ),
    ),
    data=two_models,
    after="What would gzip make of such a text? Try it on a book, and say which model gzip is.",
)

TASKS: tuple[Task, ...] = (SURPRISE_OF_A_LINE, MEASURES, WHICH_MODEL)
