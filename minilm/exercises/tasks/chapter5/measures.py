"""Numbers that say how good, how large and how smooth: accuracy, learning curves, bits per character, parameters, memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, fixed, the_value

COUNT = Task(
    id="5.8",
    title="Counting a GPT",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="the parts of a Transformer",
    statement=r"""
Find the number of parameters of `ml.models.GPT` without biases and with the tied output layer, from the vocabulary $V$, the context $T$,
the width $C$ and the number of blocks $L$. Write it as `count(V, T, C, L)`; positions are learned, and a layer norm has a scale only. Where
do most of them stand in the small model of this chapter, and where in a large one?
""",
    stub='''
def count(V, T, C, L):
    """The number of parameters of a GPT without biases, with tied weights.

    V: vocabulary; T: context; C: width; L: blocks. Returns an int.
    """
    raise NotImplementedError
''',
    solution="""
def count(V, T, C, L):
    attention = 3 * C * C + C * C
    mlp = C * 4 * C + 4 * C * C
    norms = 2 * C
    return V * C + T * C + L * (attention + mlp + norms) + C
""",
    name="count",
    hint="""
A block has a matrix for queries, keys and values together, the matrix after the heads, two matrices of the MLP, and two layer norms with
a scale each. The number of heads does not matter.
""",
    derivation=r"""
A block: $3 C^2 + C^2 + 4 C^2 + 4 C^2 + 2 C$, which is $12 C^2 + 2 C$.
Outside: embeddings $V C$, positions $T C$, the last layer norm $C$. Together
$(V + T + 1)\, C + L\, (12 C^2 + 2 C)$. For $V = 103$, $T = 64$, $C = 64$, $L = 2$: 109,312, nine tenths of them in the blocks. With larger
$C$ and $L$ the blocks' share, which grows like $L C^2$, tends to all.
""",
    tests=(
        Test("everything 1", fixed(1, 1, 1, 1)),
        Test("the model of this chapter", fixed(103, 64, 64, 2)),
        Test("another one", fixed(50, 16, 32, 3)),
        Test("no block", fixed(20, 8, 4, 0), hidden=True),
        Test("as large as GPT-2", fixed(50257, 1024, 768, 12), hidden=True),
    ),
    wrong=(
        Wrong(
            "position-table-forgotten",
            " + T * C",
            "",
            why="The positions are missing: learned ones are a table of T rows.",
            look="What besides the tokens is embedded?",
        ),
        Wrong(
            "tied-weights-counted-twice",
            "V * C +",
            "2 * V * C +",
            why="The output layer was counted a second time; tied, it is the embedding itself.",
            look="How many different matrices are there?",
        ),
        Wrong(
            "",
            "3 * C * C + C * C",
            "3 * C * C",
            why="The matrix after the heads is missing.",
            look="What mixes the heads' outputs?",
        ),
        Wrong(
            "",
            "norms = 2 * C",
            "norms = 4 * C",
            why="A norm's shift was counted; without biases it has a scale only.",
            look="`bias=False`.",
        ),
        Wrong(
            "",
            " + C\n",
            "\n",
            why="The last layer norm is missing.",
            look="What stands between the last block and the output layer?",
        ),
        Wrong(
            "",
            "mlp = C * 4 * C + 4 * C * C",
            "mlp = C * C + C * C",
            why="The MLP's inner width is 4 C: one matrix from C to 4 C, and one back.",
            look="The two matrices of the MLP.",
        ),
    ),
    after="Where does `num_parameters` of `ml.models.GPT` differ if `tie_weights=False`?",
)


def shape_of_a_cache(rng: Generator) -> dict[str, Any]:
    """The shape of a model with fewer heads for keys and values than for queries, and of a batch."""
    kv = int(rng.choice([2, 4, 8]))
    return {
        "layers": int(rng.integers(20, 61)),
        "heads": kv * int(rng.choice([3, 5, 7])),
        "kv": kv,
        "width": int(rng.choice([64, 80, 96, 128])),
        "positions": 1000 * int(rng.integers(2, 33)),
        "batch": int(rng.integers(3, 20)),
    }


CACHE_BYTES = Task(
    id="5.35",
    title="How large is the cache?",
    kind="number",
    minutes=10,
    difficulty=1,
    practises="what is kept, and in how many bytes",
    statement=r"""
A language model of {layers} blocks has {heads} heads for queries; several of them share keys and values, so that each block has only
{kv} heads for these, of width {width}. The numbers are kept as float32.

How many bytes does its KV cache take for {batch} texts of {positions} positions each? Set `answer`; the numbers are in `layers`,
`heads`, `kv`, `width`, `batch` and `positions`.
""",
    stub="""
answer = None  # bytes
""",
    solution="""
numbers = 2 * layers * kv * width * positions * batch
answer = 4 * numbers
""",
    hint="How many numbers does one head keep for one position of one text? Then multiply by everything there is several of.",
    derivation=r"""
A head keeps a key and a value, $2 d$ numbers for each position. With $L$ blocks, $H_{kv}$ heads for keys and values, $T$ positions and $B$
texts that is $2 L H_{kv}\, d\, T B$ numbers of 4 bytes. Queries are not kept: each is used once. The cache grows with $T$ and $B$, and the
weights do not, so that for long texts the cache is what fills the memory; sharing keys and values among $H / H_{kv}$ heads makes it
that much smaller.
""",
    tests=(Test("the value", use=the_value, call="answer", rtol=1e-9, atol=0.5),),
    wrong=(
        Wrong(
            "",
            "2 * layers",
            "layers",
            why="Only the keys or only the values were counted.",
            look="What does attention need of an earlier position?",
        ),
        Wrong("bytes-per-parameter-forgotten", "answer = 4 * numbers", "answer = numbers"),
        Wrong("bits-for-bytes", "answer = 4 * numbers", "answer = 32 * numbers"),
        Wrong(
            "",
            "layers * kv",
            "layers * heads",
            why="The heads of the queries were counted; keys and values are shared.",
            look="How many different keys does a position have in a block?",
        ),
        Wrong(
            "",
            " * batch",
            "",
            why="This is the cache of one text.",
            look="Does each text of a batch need keys of its own?",
        ),
        Wrong(
            "",
            "2 * layers * kv",
            "2 * kv",
            why="This is the cache of one block.",
            look="Do the blocks share their keys?",
        ),
    ),
    setup="",
    data=shape_of_a_cache,
    after="Beyond which number of positions is the cache larger than the weights of a model of 7 billion parameters?",
)


def shape_of_a_gpt(rng: Generator) -> dict[str, Any]:
    """The shape of a small GPT."""
    return {
        "V": int(rng.integers(5000, 60000)),
        "T": 128 * int(rng.integers(2, 17)),
        "C": 64 * int(rng.integers(4, 17)),
        "L": int(rng.integers(4, 25)),
    }


GPT_WITH_BIASES = Task(
    id="5.36",
    title="A GPT with everything",
    kind="number",
    minutes=20,
    difficulty=2,
    practises="the parts of a Transformer, biases included",
    statement=r"""
GPT-2 has what the model of 5.8 leaves out: every linear layer of a block has a bias, and every layer norm a shift besides its scale. The
output layer is the embedding, without a bias. Positions are learned.

How many parameters are there for a vocabulary of {V}, a context of {T}, a width of {C} and {L} blocks? Set `answer`; the
numbers are in `V`, `T`, `C` and `L`.
""",
    stub="""
answer = None  # parameters
""",
    solution="""
attention = C * 3 * C + 3 * C + C * C + C
mlp = C * 4 * C + 4 * C + 4 * C * C + C
norm = 2 * C
answer = V * C + T * C + L * (attention + mlp + 2 * norm) + norm
""",
    hint="Begin with 5.8. A bias is as long as the output of its layer is wide.",
    derivation=r"""
To the $12 C^2 + 2 C$ of a block come the biases $3 C$ (queries, keys, values), $C$ (after the heads), $4 C$ and $C$ (the MLP), and two
shifts: $12 C^2 + 13 C$. Outside, the last norm has $2 C$. Together $(V + T + 2)\, C + L\, (12 C^2 + 13 C)$. With $V = 50{,}257$,
$T = 1024$, $C = 768$, $L = 12$ that is 124,439,808, which is GPT-2's smallest.
""",
    tests=(Test("the value", use=the_value, call="answer", rtol=0.0, atol=0.5),),
    wrong=(
        Wrong(
            "",
            " + 4 * C + 4 * C * C",
            " + C + 4 * C * C",
            why="The bias of the first layer of the MLP is as long as its output, 4 C.",
            look="The MLP's biases.",
        ),
        Wrong(
            "",
            "attention = C * 3 * C + 3 * C +",
            "attention = C * 3 * C + C +",
            why="Queries, keys and values have a bias each.",
            look="The bias of the attention's first layer.",
        ),
        Wrong(
            "",
            "norm = 2 * C\n",
            "norm = C\n",
            why="Each norm's shift is missing.",
            look="A layer norm with scale and shift.",
        ),
        Wrong(
            "tied-weights-counted-twice",
            "V * C +",
            "2 * V * C +",
            why="The tied output layer was counted a second time.",
            look="How many different matrices are there?",
        ),
        Wrong(
            "",
            " + norm\n",
            "\n",
            why="The last layer norm is missing.",
            look="What stands between the last block and the output layer?",
        ),
        Wrong(
            "position-table-forgotten",
            " + T * C",
            "",
            why="The learned positions are missing.",
            look="What besides the tokens is embedded?",
        ),
    ),
    setup="",
    data=shape_of_a_gpt,
    after="Which part of them are in the embedding? For which vocabulary is it half?",
)


def guesses(N: int, K: int) -> Inputs:
    """Draws logits and true classes."""
    return lambda rng: (rng.standard_normal((N, K)), rng.integers(K, size=N))


CONFUSION = Task(
    id="5.27",
    title="Who is taken for whom",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="counting with repeated indices",
    statement=r"""
Write `confusion(logits, y)`: the matrix `M` `(K, K)` of integers, where `M[i, j]` counts the examples of the true class $i$ whose largest
logit is $j$, and the accuracy, the share of all examples that are right.

For the true classes 0, 0, 1 and the guesses 0, 1, 1 it is `[[1, 1], [0, 1]]` and 2/3.
""",
    stub='''
def confusion(logits, y):
    """The confusion matrix and the accuracy.

    logits: (N, K); y: (N,) true classes. Returns M (K, K) of integers, and a float.
    """
    raise NotImplementedError
''',
    solution="""
def confusion(logits, y):
    K = logits.shape[1]
    guess = logits.argmax(axis=1)
    M = np.zeros((K, K), int)
    np.add.at(M, (y, guess), 1)
    return M, float(np.trace(M) / len(y))
""",
    name="confusion",
    hint="`M[y, guess] += 1` looks right. How often does it add where a pair occurs twice?",
    derivation=r"""
With arrays as indices, `M[y, guess] += 1` reads all elements, adds 1, and writes them back: a pair that occurs three times is written three
times with the same value. `np.add.at` adds for each occurrence (`np.bincount(y * K + guess, minlength=K * K)` counts, too). The right ones
stand on the diagonal. The mean of the rows' shares is another number: each class counts the same there, however rare.
""",
    tests=(
        Test("the example", fixed(np.array([[2.0, 1.0], [0.0, 3.0], [-1.0, 0.5]]), np.array([0, 0, 1]))),
        Test("a batch", guesses(30, 4), points=2, labels={"the batch": 30, "the classes": 4}),
        Test(
            "a class that does not occur",
            lambda rng: (rng.standard_normal((9, 5)), np.array([0, 1, 1, 3, 0, 3, 3, 1, 3])),
            hidden=True,
        ),
        Test("one example", guesses(1, 3), hidden=True),
    ),
    wrong=(
        Wrong(
            "fancy-index-adds-once",
            "np.add.at(M, (y, guess), 1)",
            "M[y, guess] += 1\n    return M, float((guess == y).mean())",
        ),
        Wrong(
            "transposed-result",
            "(y, guess)",
            "(guess, y)",
            why="Rows are the guesses and columns the true classes: the other way round.",
        ),
        Wrong(
            "mean-of-means",
            "np.trace(M) / len(y)",
            "np.mean(np.diag(M) / np.maximum(M.sum(axis=1), 1))",
            why="This is the mean over the classes of the share that is right in each: a rare class counts as much as a frequent one.",
        ),
        Wrong(
            "",
            "np.trace(M) / len(y)",
            "100 * np.trace(M) / len(y)",
            why="The accuracy is in percent; asked for is a share.",
            look="Is 1 the best value?",
        ),
        Wrong("wrong-axis", "logits.argmax(axis=1)", "logits.argmax(axis=0)[np.arange(len(y)) % K] % K"),
    ),
    after="Which two digits does the network of this chapter confuse most often? Look at ten of them.",
)

SMOOTH = Task(
    id="5.28",
    title="A smooth learning curve",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="exponential averages, the correction of the start",
    statement=r"""
The losses of single batches jump. Write `smooth(losses, beta)`: with $m_0 = 0$ and $m_t = \beta\, m_{t-1} + (1 - \beta)\, \ell_t$, it
returns the corrected averages $m_t / (1 - \beta^t)$ for $t = 1, \dots, n$, as an array `(n,)`.

A curve that is constant must stay as it is, from the first point on.
""",
    stub='''
def smooth(losses, beta):
    """The exponential moving average of a curve, with its start corrected.

    losses: (n,); 0 <= beta < 1. Returns (n,).
    """
    raise NotImplementedError
''',
    solution="""
def smooth(losses, beta):
    m, curve = 0.0, []
    for t, loss in enumerate(losses, start=1):
        m = beta * m + (1 - beta) * loss
        curve.append(m / (1 - beta**t))
    return np.array(curve)
""",
    name="smooth",
    hint="Take beta = 0.9 and losses of 1. What are m after one step and after two, and what must they be divided by?",
    derivation=r"""
$m_t = (1 - \beta) \sum_{s=1}^{t} \beta^{t-s} \ell_s$, and the weights sum to $1 - \beta^t$, since it is a geometric series. Divided by
that, they sum to 1, and $m_t / (1 - \beta^t)$ is a weighted mean of the losses so far. It is what Adam does with its moments (2.19). The
$m$ that is carried on must stay uncorrected.
""",
    tests=(
        Test("one loss", fixed(np.array([4.0]), 0.9)),
        Test("a constant curve", fixed(np.full(5, 3.0), 0.8)),
        Test("a curve", lambda rng: (np.exp(-np.arange(12) / 5) + 0.1 * rng.random(12), 0.7), points=2),
        Test("no memory", lambda rng: (rng.random(4), 0.0), hidden=True),
        Test("a long memory", lambda rng: (rng.random(300), 0.99), hidden=True),
    ),
    wrong=(
        Wrong("adam-without-correction", "m / (1 - beta**t)", "m"),
        Wrong("adam-correction-off-by-one", "beta**t)", "beta ** (t + 1))"),
        Wrong(
            "average-weights-swapped",
            "beta * m + (1 - beta) * loss",
            "(1 - beta) * m + beta * loss",
            why="The two weights are exchanged: beta belongs to the past.",
            look="Should a larger beta make the curve smoother or rougher?",
        ),
        Wrong(
            "corrected-mean-kept",
            "curve.append(m / (1 - beta**t))",
            "m = m / (1 - beta**t)\n        curve.append(m)",
            why="The corrected value was carried on to the next step, and is corrected again there.",
            look="Keep m as it is; correct only what is shown.",
        ),
        Wrong(
            "",
            "m / (1 - beta**t))\n    return np.array(curve)",
            "m / (1 - beta**t))\n    return np.array(curve[-1])",
            why="Only the last value was returned.",
            look="The shape of the result.",
        ),
        Wrong(
            "",
            "m = beta * m + (1 - beta) * loss\n        curve.append(m / (1 - beta**t))",
            "m = loss if t == 1 else beta * m + (1 - beta) * loss\n        curve.append(m)",
            why="The average begins at the first loss, which then weighs far too much. It begins at 0, and 1 - beta^t corrects for that.",
            look="The weight of the first loss in the second point.",
        ),
        Wrong(
            "adam-correction-off-by-one",
            "start=1",
            "start=0",
            why="t begins at 0, so the first point is divided by 1 - beta^0 = 0. The first loss is number 1.",
            look="The number of the first loss.",
        ),
    ),
    after="The curve lags behind a falling loss: by about how many steps, for beta = 0.99?",
)


def tokens_with_losses(n: int, letters: str = "abcde ") -> Inputs:
    """Draws n tokens of one to four characters, and a loss for each."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        tokens = ["".join(rng.choice(list(letters), size=rng.integers(1, 5))) for _ in range(n)]
        return rng.exponential(2.0, size=n), tokens

    return inputs


BITS_PER_CHARACTER = Task(
    id="5.29",
    title="Two tokenizers, one scale",
    kind="code",
    minutes=10,
    difficulty=2,
    practises="nats and bits, tokens and characters",
    statement=r"""
A loss per token cannot be compared between tokenizers: longer tokens are harder to guess, and fewer. Write
`bits_per_character(losses, tokens)`: `losses` are the losses in nats of all predicted tokens of a text, `tokens` their texts. The result is
the cost of the whole text in bits, divided by its number of characters.

A model that spends $\ln 2$ on each of the tokens "ab" and "c" needs 2 bits for 3 characters.
""",
    stub='''
def bits_per_character(losses, tokens):
    """Bits per character of a text that was predicted token by token.

    losses: (n,), in nats; tokens: list of n str. Returns a float.
    """
    raise NotImplementedError
''',
    solution="""
def bits_per_character(losses, tokens):
    bits = np.sum(losses) / np.log(2)
    characters = sum(len(token) for token in tokens)
    return float(bits / characters)
""",
    name="bits_per_character",
    hint="Two sums, and one division at the end. What would the mean over tokens of (loss / length) give a long token?",
    derivation=r"""
The probability of the text is the product of its tokens' (1.5), so its cost is the sum of their losses, $\sum_i \ell_i$ nats or
$\sum_i \ell_i / \ln 2$ bits, whatever the tokens are. The number of characters belongs to the text, and not to the tokenizer. Both sums
are over the text, so the quotient can be compared. The mean of the quotients $\ell_i / n_i$ gives each token the same weight.
""",
    tests=(
        Test("the example", fixed(np.log([2.0, 2.0]), ["ab", "c"])),
        Test("tokens of one character", fixed(np.log([4.0, 2.0, 8.0]), ["a", "b", "a"])),
        Test("tokens of different lengths", tokens_with_losses(12), points=2, labels={"the tokens": 12}),
        Test("characters of more than one byte", tokens_with_losses(9, "aé漢 "), hidden=True, labels={"the tokens": 9}),
        Test("a long text", tokens_with_losses(400), hidden=True, labels={"the tokens": 400}),
    ),
    wrong=(
        Wrong(
            "nats-for-bits",
            "np.sum(losses) / np.log(2)",
            "np.sum(losses)",
            why="These are nats per character; a nat is 1.4427 bits.",
            look="The unit of the losses, and of the result.",
        ),
        Wrong(
            "",
            "np.sum(losses) / np.log(2)",
            "np.sum(losses) * np.log(2)",
            why="Nats become bits by a division by ln 2, not a product.",
            look="ln 2 nats are how many bits?",
        ),
        Wrong(
            "",
            "bits / characters",
            "bits / len(tokens)",
            why="This is bits per token.",
            look="What is the text's length, independent of the tokenizer?",
        ),
        Wrong(
            "mean-of-means",
            "bits / characters",
            "np.mean([loss / len(token) for loss, token in zip(losses, tokens)]) / np.log(2)",
        ),
        Wrong(
            "characters-for-bytes",
            "len(token) for",
            'len(token.encode("utf-8")) for',
            why="Bytes were counted. That is a fair scale, too, bits per byte; asked for are characters.",
            look="A character that is not ASCII has two to four bytes.",
        ),
        Wrong(
            "mean-for-sum",
            "np.sum(losses) / np.log(2)",
            "np.mean(losses) / np.log(2)",
            why="The mean loss of a token was divided by all characters. The cost of the whole text is the sum.",
            look="Cost of the text over length of the text.",
        ),
    ),
    after="Train a GPT of this chapter on characters and one on BPE tokens, and compare them on this scale.",
)

TASKS = (COUNT, CONFUSION, SMOOTH, BITS_PER_CHARACTER, CACHE_BYTES, GPT_WITH_BIASES)
