"""Memory: that of a training step, a checkpoint by hand, and a sum in two bytes."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, fixed


def _model(rng: Generator) -> dict[str, Any]:
    width = 64 * int(rng.integers(4, 13))
    return {
        "N": 1_000_000 * int(rng.integers(5, 100)), "L": int(rng.integers(4, 25)), "B": int(rng.integers(4, 33)),
        "T": 64 * int(rng.integers(2, 9)), "C": width, "H": width // 64,
    }  # fmt: skip


STEP = Task(
    id="7.1",
    title="How much memory does it take?",
    kind="number",
    minutes=10,
    difficulty=1,
    practises="bytes per weight, activations, what a checkpoint keeps",
    statement=r"""
A GPT has {N} weights in {L} blocks, {C} wide, with {H} heads. It learns with AdamW, in float32, from {B} rows of {T} tokens. How many
bytes does a step need by (7.1.1)? Apart from that:

- `weights`: for weights, gradients and the two moments;
- `kept`: for the activations, where all are kept;
- `again`: for the activations, where each block is a checkpoint. At the worst moment the inputs of all blocks are there, and the
  activations of one block besides.

Set `answer = (weights, kept, again)`. The numbers are in `N`, `L`, `C`, `H`, `B` and `T`.
""",
    stub="""
weights = None  # bytes
kept = None
again = None
answer = (weights, kept, again)
""",
    solution="""
token = 16 * C + H * T + 4  # numbers that a block keeps for a token
weights = 16 * N
kept = 4 * L * B * T * token
again = 4 * B * T * (L * C + token)
answer = (weights, kept, again)
""",
    hint="Four numbers per weight, four bytes per number. With checkpoints a block keeps C numbers per token, but for the one that is just "
    "computed again.",
    derivation=r"""
A weight has a gradient and two moments: $4 \cdot 4$ bytes. A block keeps $16C + HT + 4$ numbers per token, and there are $BT$ tokens.

With a checkpoint around each block, what stays of a block is its input: $C$ numbers per token. While one block is computed again, its
$16C + HT + 4$ are there, too. (7.1.2) has the same: $k = n = L$ segments, $b = 4BTC$ and $a = 4BT(16C + HT + 4)$. The input of the
block that
is computed again is counted twice, which is little.
""",
    tests=(
        Test("weights and what belongs to them", use=lambda answer: answer[0], call="weights", rtol=1e-6),
        Test("activations, all kept", use=lambda answer: answer[1], call="kept", rtol=1e-3, points=2),
        Test("activations, with checkpoints", use=lambda answer: answer[2], call="again", rtol=1e-3, points=2),
    ),
    wrong=(
        Wrong("optimizer-state-forgotten", "weights = 16 * N", "weights = 8 * N"),
        Wrong("gradients-forgotten", "weights = 16 * N", "weights = 12 * N"),
        Wrong("bytes-per-parameter-forgotten", "weights = 16 * N", "weights = 4 * N",
              why="These are the bytes of the weights alone. Each has a gradient and two moments besides.",
              look="How many numbers AdamW keeps per weight."),
        Wrong("", "kept = 4 * L * B * T * token", "kept = L * B * T * token",
              why="These are numbers. Each takes four bytes.", look="The unit of the answer."),
        Wrong("", "kept = 4 * L * B * T * token", "kept = 4 * B * T * token",
              why="These are the activations of one block. All of the blocks keep theirs.", look="The factor L in (7.1.1)."),
        Wrong("", "16 * C + H * T + 4", "16 * C + T + 4",
              why="Attention keeps T weights per token for each head, and only one head was counted.", look="The table above (7.1.1)."),
        Wrong("", "(L * C + token)", "L * C",
              why="These are the inputs of the blocks. The block that is just computed again has all its activations, too.",
              look="The second term of (7.1.2)."),
        Wrong("", "(L * C + token)", "(C + token)",
              why="The input of one block was counted. A checkpoint keeps that of every block until the walk back has come there.",
              look="The first term of (7.1.2)."),
    ),
    data=_model,
    after="Which of the three is the largest for your numbers? How many rows fit into 8 GB, with checkpoints and without?",
)  # fmt: skip


class Chain:
    """Layers that count how often they run, and how many of their results are alive.

    Layer i computes sin(x) + w_i x, and its backward rule is of the input.
    """

    def __init__(self, weights: Any) -> None:
        self.calls = self.alive = self.most = 0
        self.layers = [self._layer(float(w)) for w in weights]

    def _layer(self, w: float) -> tuple[Any, Any]:
        def f(x: Any) -> Any:
            y = (
                np.sin(np.roll(x, 1, axis=-1)) + w * x
            )  # no product of numbers by place, whose rules could come in any order
            self.calls += 1
            self.alive += 1
            self.most = max(self.most, self.alive)
            weakref.finalize(y, self._gone)
            return y

        return f, lambda x, g: np.cos(x) * np.roll(g, -1, axis=-1) + w * g

    def _gone(self) -> None:
        self.alive -= 1


def run_chain(answer: Any, weights: Any, x: Any, g: Any, size: int) -> tuple[Any, str, str]:
    """The gradient; how often layers ran, and how many results were alive at once, against what is needed."""
    n = len(weights)
    chain, segments = Chain(weights), -(-n // size)
    found = answer(chain.layers, x, g, size)
    often = f"{chain.calls} runs of a layer" if chain.calls > 2 * n else "each layer at most twice"
    many = segments + size + 2
    return found, often, f"{chain.most} results at once" if chain.most > many else f"at most {many} results at once"


def _chain(n: int, size: int, shape: tuple[int, ...] = (3,)) -> Inputs:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        return rng.uniform(-1, 1, n), rng.standard_normal(shape), rng.standard_normal(shape), size

    return inputs


def _on_chain(name: str, inputs: Inputs, **more: Any) -> Test:
    return Test(name, inputs, use=run_chain, call="gradient(layers, x, g, size), with what it took", **more)


CHECKPOINT = Task(
    id="7.2",
    title="A checkpoint by hand",
    kind="code",
    minutes=40,
    difficulty=2,
    practises="what the backward pass reads, computing again instead of keeping",
    statement=r"""
`layers` is a list of pairs `(f, back)`: a layer computes `y = f(x)`, and `back(x, g)` gives the gradient at its input, from that input and
the gradient $g$ at its output. `gradient(layers, x, g, size)` gives the gradient at the chain's input `x`, where `g` is the one at the
chain's output.

Keep only the input of every `size` layers, and compute what is between again, one segment at a time. The tests count: no layer may run
more than twice, and of the results of layers at most about `len(layers) / size + size` may be alive at once. The last segment may be
shorter. Without a layer the gradient is `g`.
""",
    stub='''
def gradient(layers, x, g, size):
    """The gradient at x: an array of x's shape.

    layers: a list of pairs (f, back). g: the gradient at the last one's output.
    size: how many layers a segment has.
    """
    raise NotImplementedError
''',
    solution="""
def gradient(layers, x, g, size):
    starts = []
    for i, (f, _) in enumerate(layers):
        if i % size == 0:
            starts.append(x)
        x = f(x)
    for s in reversed(range(len(starts))):
        segment = layers[s * size : (s + 1) * size]
        xs = [starts[s]]
        for f, _ in segment[:-1]:
            xs.append(f(xs[-1]))
        for (_, back), h in zip(segment[::-1], xs[::-1]):
            g = back(h, g)
    return g
""",
    name="gradient",
    hint="Two loops over segments. Forward: run all layers, keep x wherever a segment begins. Backward, from the last segment to "
    "the first: "
    "run its layers again from the kept input, this time keeping every input; then go back.",
    derivation=r"""
The gradient at the input of layer $i$ is $g_i = \mathrm{back}_i(x_i, g_{i+1})$: the walk back needs $x_i$, in falling order of $i$. A
segment's
inputs all follow from its first one, which was kept. So within a segment $x_i$ is computed forward, and used backward.

Alive at once are $\lceil n / s \rceil$ kept inputs and the $s$ of one segment; $s = \sqrt n$ makes the sum smallest. Each layer runs
once in
the first loop and at most once in the second: the last layer of a segment need not run again, since nobody asks for its output.
""",
    tests=(
        _on_chain("two layers, one segment", _chain(2, 2)),
        _on_chain("four layers in twos", _chain(4, 2)),
        _on_chain("no layer", lambda rng: (np.zeros(0), np.array([1.0]), np.array([2.0]), 3)),
        _on_chain("sixteen in fours", _chain(16, 4, (2, 3)), points=2),
        _on_chain("a shorter last segment", _chain(11, 4), hidden=True, points=2),
        _on_chain("segments of one layer", _chain(12, 1), hidden=True),
        _on_chain("a segment longer than the chain", _chain(3, 5), hidden=True),
        _on_chain("a hundred in tens", _chain(100, 10), hidden=True),
    ),
    wrong=(
        Wrong("", "    starts = []\n",
              "    kept = [x]\n    for f, _ in layers:\n        kept.append(f(kept[-1]))\n"
              "    for (_, back), h in zip(layers[::-1], kept[-2::-1]):\n        g = back(h, g)\n    return g\n    starts = []\n",
              why="The gradient is right, but every result was kept: this is the backward pass without a checkpoint.",
              look="What is in your lists when the first loop has ended."),
        Wrong("", "xs = [starts[s]]", "xs = [starts[0]]",
              why="Each segment was computed again from the input of the chain. It begins with its own kept input.",
              look="Two segments: what enters the second one?"),
        Wrong("", "zip(segment[::-1], xs[::-1])", "zip(segment, xs)",
              why="Within a segment the rules ran forward. The gradient comes from the segment's end.",
              look="Which layer of a segment knows the gradient at its output first?"),
        Wrong("", "reversed(range(len(starts)))", "range(len(starts))",
              why="The segments were gone through from the first to the last. The gradient is known at the end of the last one only.",
              look="Which segment knows the gradient at its output first?"),
        Wrong("", "        for (_, back), h in zip(segment[::-1], xs[::-1]):\n            g = back(h, g)\n",
              "        for (f, back), h in zip(segment[::-1], xs[::-1]):\n            g = back(f(h), g)\n",
              why="The rules were given the outputs of their layers. `back(x, g)` reads the layer's input.",
              look="At which number the derivative is taken."),
        Wrong("", "reversed(range(len(starts)))", "reversed(range(len(layers) // size))",
              why="The layers beyond the last whole segment were left out of the walk back.",
              look="11 layers in fours: how many segments are there?"),
        Wrong("", "if i % size == 0:", "if (i + 1) % size == 0:",
              why="What was kept is the input of each segment's last layer. A segment is computed again from its first one.",
              look="size = 1 and size = 2, on paper: when is x kept?"),
        Wrong("", "        xs = [starts[s]]\n        for f, _ in segment[:-1]:\n            xs.append(f(xs[-1]))\n"
              "        for (_, back), h in zip(segment[::-1], xs[::-1]):\n            g = back(h, g)\n",
              "        for k in reversed(range(len(segment))):\n            h = starts[s]\n            for f, _ in segment[:k]:\n"
              "                h = f(h)\n            g = segment[k][1](h, g)\n",
              why="The gradient is right, but each layer's input was computed anew from the segment's start: the first layers run once for "
              "each layer behind them.",
              look="How often the first layer of a segment runs. Keep the inputs of one segment while you go back through it."),
        Wrong("", "            g = back(h, g)", "            back(h, g)",
              why="What a rule returned was not used. It is the gradient at the layer's input, with which the walk goes on.",
              look="Whether g ever changes."),
    ),
    after="Nest it: let a segment of 16 layers be computed again in segments of 4. How does the memory grow with n then, and how "
    "often does a "
    "layer run?",
)  # fmt: skip


def _tenths(n: int) -> Inputs:
    return fixed(np.full(n, 0.1, np.float16))


def _halves(n: int, low: float, high: float) -> Inputs:
    return lambda rng: (rng.uniform(low, high, n).astype(np.float16),)


KAHAN = Task(
    id="7.3",
    title="A sum in two bytes",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="rounding, float16, compensated summation",
    statement=r"""
10,000 times 0.1 is 1,000. Added up one after the other in float16, it is 256: from there on each addition is rounded away. Kahan (1965)
keeps what is rounded away, and gives it to the next summand. With $s$ the sum and $c$ what was lost, for each $x$:

$$
y = x - c, \qquad t = s + y, \qquad c = (t - s) - y, \qquad s = t
$$

Each of these is rounded to float16. Write `total(x)` for a float16 array `x`, (n,). All numbers in it are float16: no float32, no
`np.sum`. The sum of nothing is 0.
""",
    stub='''
def total(x):
    """The sum of x, (n,), float16, in float16: a NumPy float16."""
    raise NotImplementedError
''',
    solution="""
def total(x):
    s = c = np.float16(0)
    for value in x:
        y = value - c
        t = s + y
        c = (t - s) - y
        s = t
    return s
""",
    name="total",
    hint="Four lines in a loop, in the order of the formula. s begins as `np.float16(0)`: what is computed of two float16 is float16.",
    derivation=r"""
$t = s + y$ is rounded, so $t = s + y + e$ with an error $e$ of at most half the spacing at $t$. Then $t - s = y + e$ is exact, because
$t$ and $s$
are near each other, and $c = (t - s) - y = e$: what was added too much. The next summand is less by $c$, which mends it.

The error of the plain sum grows with $n$; of this one it does not, to first order (Higham 2002, *Accuracy and Stability of Numerical
Algorithms*, 4.3). A compiler that "simplifies" $(t - s) - y$ to 0 undoes it. A GPU adds float16 products in float32 instead, which has
13 bits to spare.
""",
    tests=(
        Test("three numbers", fixed(np.array([1, 2, 3.5], np.float16))),
        Test("nothing", fixed(np.zeros(0, np.float16))),
        Test("1,000 times 0.1", _tenths(1000), rtol=2e-3),
        Test("10,000 times 0.1", _tenths(10_000), rtol=2e-3, points=2),
        Test("a large number and many small ones", fixed(np.array([2048.0] + 400 * [0.5], np.float16)), rtol=2e-3, hidden=True),
        Test("numbers of any size", _halves(2000, 0.0, 2.0), rtol=2e-3, hidden=True),
        Test("both signs", _halves(300, -4.0, 8.0), rtol=4e-3, hidden=True),
    ),
    wrong=(
        Wrong("", "y = value - c", "y = value",
              why="What was lost is computed and never used: this is the plain sum, which stands still at 256.",
              look="Where c enters the next round."),
        Wrong("", "y = value - c", "y = value + c",
              why="c is what was added too much. It is to be taken from the next summand, and it was added once more.",
              look="The sign of c in the first formula."),
        Wrong("", "c = (t - s) - y", "c = t - (s + y)",
              why="s + y is rounded to the very t from which it is subtracted, so c is always 0. The order of the brackets is the method.",
              look="Print c in each round."),
        Wrong("", "c = (t - s) - y", "c = (t - s) - value",
              why="What was lost is measured against x. The summand of this round is y, in which the last loss is already mended.",
              look="What t is the sum of."),
        Wrong("float64-from-float32", "s = c = np.float16(0)", "s = c = np.float64(0)",
              why="The sum is float64: it began as one, and all that followed was promoted. Float16 was asked.",
              look="The dtype of what you return."),
        Wrong("", "        c = (t - s) - y\n        s = t\n", "        s = t\n        c = (t - s) - y\n",
              why="s had got its new value before the loss was computed from its old one: t - s was 0.",
              look="The order of the last two lines."),
        Wrong("", "    return s\n", "    return c\n",
              why="What was returned is the last loss, not the sum.", look="What s and c are."),
    ),
    after="Add pairwise instead: halves of the array, each by itself. How far does float16 come with that?",
)  # fmt: skip

TASKS = (STEP, CHECKPOINT, KAHAN)
