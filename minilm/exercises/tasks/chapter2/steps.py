"""A training step: one batch by heart, its memory, how many there are."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong


def batch(N: int, n: int, classes: int) -> Any:
    """A batch whose labels are drawn without a look at its rows: there is nothing in it but to learn it by heart."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        return rng.standard_normal((N, n)), rng.integers(classes, size=N), classes, 0.05

    return inputs


def exclusive_or(rng: Generator) -> tuple[Any, ...]:
    return np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0]), 2, 0.05


def contradiction(rng: Generator) -> tuple[Any, ...]:
    """The same row twice, with two labels: no loss below ln 2 can be reached."""
    return np.repeat(rng.standard_normal((1, 3)), 2, axis=0), np.array([0, 1]), 2, 0.05


class Watched:
    """Counts the calls of `backward` while it is entered, and looks whether each found its parameters' gradients empty."""

    def __enter__(self) -> Watched:
        from minilm.tensor import Tensor

        self.steps, self.empty, self.backward = 0, True, Tensor.backward

        def backward(loss: Any, *args: Any, **named: Any) -> None:
            self.steps += 1
            if self.steps > 60:  # told at once: thousands of steps would end as an answer that takes too long
                raise ValueError("this is step 61; after 60 steps the answer gives up, with a RuntimeError.")
            self.empty &= all(p.grad is None or not p.grad.numpy().any() for p in leaves(loss))
            self.backward(loss, *args, **named)

        Tensor.backward = backward  # type: ignore[assignment, method-assign]
        return self

    def __exit__(self, *_: Any) -> None:
        from minilm.tensor import Tensor

        Tensor.backward = self.backward  # type: ignore[method-assign]


def leaves(loss: Any) -> list[Any]:
    """The tensors without a history that a loss was computed from, and that get a gradient."""
    found, seen, todo = [], set(), [loss._node]
    while todo:
        node = todo.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if hasattr(node, "parents"):
            todo += [parent[0] for parent in node.parents if parent is not None]
        else:
            found.append(node)
    return found


def learned(answer: Any, X: Any, y: Any, classes: int, limit: float) -> Any:
    """Whether the model's own loss is under the limit, how many rows it gets right, and how it came there."""
    from minilm.tensor import Tensor

    with Watched() as watched:
        model = answer(X, y, classes, limit)
    logits = model(Tensor(X)).detach().numpy().astype(float)
    logits -= logits.max(axis=1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return {
        "under the limit": bool(-log_p[np.arange(len(y)), y].mean() < limit),
        "right": int((logits.argmax(axis=1) == y).sum()),
        "each backward() began with empty gradients": watched.empty,
    }


def given_up(answer: Any, X: Any, y: Any, classes: int, limit: float) -> Any:
    """Whether it gives up where nothing can be learned, and when."""
    with Watched() as watched:
        try:
            answer(X, y, classes, limit)
            ended = "a network was returned"
        except NotImplementedError:  # a RuntimeError too, and what the stub raises
            raise
        except RuntimeError:
            ended = "RuntimeError"
    return {"ended with": ended, "after steps": watched.steps > 0}


UNTIL_LEARNED = """    for _ in range(60):
        loss = F.cross_entropy(model(inputs), y)
        if loss.item() < limit:
            return model
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    raise RuntimeError(f"the loss is still {loss.item():.3f} after 60 steps.")
"""

OVERFIT = Task(
    id="2.22",
    title="Overfit one batch",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="the whole training loop, with the engine",
    statement=r"""
Before a model learns much it must learn little: one batch, by heart. Write `overfit(X, y, classes, limit)` with the engine: a network
with one hidden layer and a nonlinearity, trained on all of `X` until its cross-entropy on it is below `limit`; return the network. It
is called as `model(ml.tensor(X))` and gives logits (N, classes).

Give up after 60 steps with a RuntimeError: if one batch cannot be learned, something is wrong. (Adam with a rate of 0.1 needs 10 to 30.)
The tests count calls of `backward()`, and look whether each of them begins with empty gradients.
""",
    stub='''
def overfit(X, y, classes, limit):
    """A network whose mean cross-entropy on the batch is below `limit`: an
    ml.nn.Module that gives logits (N, classes).

    X: (N, n), floats. y: (N,), integers below `classes`.

    Raises:
        RuntimeError: 60 steps were not enough.
    """
    raise NotImplementedError
''',
    setup="import numpy as np\n\nimport minilm as ml\nimport minilm.nn.functional as F\n\nml.manual_seed(0)\n",
    solution="""
def overfit(X, y, classes, limit):
    first, last = ml.nn.Linear(X.shape[1], 16), ml.nn.Linear(16, classes)
    model = ml.nn.Sequential(first, ml.nn.Tanh(), last)
    optimizer = ml.optim.Adam(model.parameters(), lr=0.1)
    inputs = ml.tensor(X)
    for _ in range(60):
        loss = F.cross_entropy(model(inputs), y)
        if loss.item() < limit:
            return model
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    raise RuntimeError(f"the loss is still {loss.item():.3f} after 60 steps.")
""",
    name="overfit",
    hint="The five lines of training, and one more: look at the loss before the step, and return when it is small enough.",
    derivation=r"""
A hidden layer of width $h \ge N$ can give $N$ different rows any labels: the $N$ rows of hidden activations are in general linearly
independent, so output weights exist that hit any logits. What the loss cannot do is get stuck far from 0 for long. If yours does, the
fault is in the loop, and not in the data: labels in another order than the rows, a softmax too many, gradients that are never emptied, a
parameter that the optimizer does not know.
""",
    tests=(
        Test("two rows", batch(2, 3, 2), use=learned, call="overfit(X, y, 2, 0.05) on its own batch"),
        Test("exclusive or", exclusive_or, use=learned, call="overfit(X, y, 2, 0.05) on its own batch", points=2),
        Test(
            "a batch that cannot be learned",
            contradiction,
            use=given_up,
            call="overfit(X, y, 2, 0.05), one row with two labels",
        ),
        Test(
            "eight rows, three classes",
            batch(8, 5, 3),
            use=learned,
            call="overfit(X, y, 3, 0.05) on its own batch",
            points=2,
        ),
        Test("ten classes", batch(6, 6, 10), use=learned, call="overfit(X, y, 10, 0.05) on its own batch", hidden=True),
    ),
    wrong=(
        Wrong(
            "softmax-of-softmax",
            "F.cross_entropy(model(inputs), y)",
            "F.cross_entropy(model(inputs).softmax(axis=-1), y)",
        ),
        Wrong(
            "",
            "ml.nn.Tanh(), ",
            "",
            why="Two linear layers in a row are one linear layer; no line parts exclusive or.",
            look="What stands between the two layers.",
        ),
        Wrong(
            "loop-returns-early",
            "        if loss.item() < limit:\n            return model\n",
            "        if loss.item() < 1:\n            return model\n",
            why="The loop ends too early: the loss was compared with a number of its own, not with `limit`.",
        ),
        Wrong(
            "update-before-backward",
            "        optimizer.zero_grad()\n        loss.backward()\n",
            "        loss.backward()\n        optimizer.zero_grad()\n",
            why="The gradient is emptied after `backward()`, so `step()` has none, and nothing is learned.",
        ),
        Wrong("shuffle-breaks-pairs", "F.cross_entropy(model(inputs), y)", "F.cross_entropy(model(inputs), y[::-1])"),
        Wrong(
            "gradient-not-zeroed",
            "        optimizer.zero_grad()\n        loss.backward()\n",
            "        loss.backward()\n",
        ),
        Wrong(
            "",
            'raise RuntimeError(f"the loss is still {loss.item():.3f} after 60 steps.")',
            "return model",
            why="A batch that cannot be learned gives a network all the same, and nobody is told. It is to be a RuntimeError.",
            look="What happens after the last step.",
        ),
        Wrong(
            "argument-ignored",
            UNTIL_LEARNED,
            "    for _ in range(2000):\n        loss = F.cross_entropy(model(inputs), y)\n"
            "        optimizer.zero_grad()\n        loss.backward()\n        optimizer.step()\n    return model\n",
            why="It trains for 2,000 steps, whatever the loss. It is to stop at the limit, and to give up after 60.",
            look="Where the loss is compared with `limit`.",
        ),
    ),
    after="Overfit 32 digits. How many steps, how many neurons are enough?",
)

MEMORY = Task(
    id="2.23",
    title="The memory of a training step",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="parameters, gradients, optimizer state, activations",
    statement=r"""
A network of fully connected layers with these `sizes`, biases and ReLUs between them is trained by AdamW. Write
`training_bytes(sizes, batch, width)`, where `width` is the number of bytes of a number (4 for float32): a dict of the bytes for
`"weights"` (with the biases), `"gradients"`, `"moments"` (all that AdamW keeps per parameter, as wide as the parameters), and
`"activations"`: what must be kept for the backward pass, the input batch, each hidden layer's output *after* its ReLU, and the softmax's
probabilities.

For sizes 3, 4, 2, a batch of 5 and width 4: 104, 104, 208 and 180.
""",
    stub='''
def training_bytes(sizes, batch, width):
    """Bytes of one training step: a dict with "weights", "gradients", "moments" and
    "activations", all ints.

    sizes: of the layers, input first. batch: rows. width: bytes per number.
    """
    raise NotImplementedError
''',
    solution="""
def training_bytes(sizes, batch, width):
    parameters = sum(n * m + m for n, m in zip(sizes[:-1], sizes[1:]))
    return {
        "weights": width * parameters,
        "gradients": width * parameters,
        "moments": 2 * width * parameters,
        "activations": width * batch * sum(sizes),
    }
""",
    name="training_bytes",
    hint="Which of the four grow with the batch? What does AdamW remember of each parameter?",
    derivation=r"""
A parameter costs four numbers: itself, its gradient, and the two moments of (2.19): 16 bytes in float32, whatever the batch. The backward
pass of $Z = X W^\top + b$ needs $X$ for $\bar W$, that of ReLU needs to know where its output is positive, and softmax with
cross-entropy needs the probabilities. So each layer's output is kept once, for two purposes: batch times the sum of the sizes. With large
batches, and with Transformers' attention, this part is the largest.
""",
    tests=(
        Test("one layer, one row", lambda rng: ([2, 1], 1, 4)),
        Test(
            "the example", lambda rng: ([3, 4, 2], 5, 4), points=2, labels={"the batch": 5, "the bytes per number": 4}
        ),
        Test(
            "two bytes",
            lambda rng: ([8, 16, 16, 4], 32, 2),
            hidden=True,
            labels={"the batch": 32, "the bytes per number": 2},
        ),
        Test(
            "digits",
            lambda rng: ([64, 256, 10], 100, 4),
            hidden=True,
            labels={"the batch": 100, "the bytes per number": 4},
        ),
    ),
    wrong=(
        Wrong("bytes-per-parameter-forgotten", '"weights": width * parameters', '"weights": parameters'),
        Wrong(
            "optimizer-state-forgotten",
            "2 * width * parameters",
            "width * parameters",
            why="One number per parameter was counted for AdamW. It keeps two: the mean of the gradients and the mean of their squares.",
        ),
        Wrong(
            "",
            "width * batch * sum(sizes)",
            "width * sum(sizes)",
            why="The activations of one row were counted. All rows of the batch are kept.",
            look="The shape of a layer's output.",
        ),
        Wrong(
            "activations-forgotten",
            "batch * sum(sizes)",
            "batch * sum(sizes[1:])",
            why="The input batch was not counted. The first layer's backward pass needs it.",
        ),
        Wrong(
            "bias-not-counted",
            "n * m + m for",
            "n * m for",
            why="The biases were not counted; they have gradients and moments too.",
            look="The number of parameters: 26 for 3, 4, 2.",
        ),
        Wrong(
            "",
            "batch * sum(sizes)",
            "batch * (sum(sizes) + sum(sizes[1:-1]))",
            why="The hidden layers were counted before and after their ReLU. The output alone is kept: where it is 0, the slope is.",
            look="What the statement says is kept of a hidden layer.",
        ),
    ),
    after="From which batch on are the activations of 784-128-64-10 larger than all the rest?",
)


def a_run(rng: Generator) -> dict[str, Any]:
    batch = int(rng.choice([32, 64, 96]))
    return {
        "rows": batch * int(rng.integers(11, 40))
        + int(rng.integers(batch // 2, batch)),  # a rest of half a batch or more
        "batch": batch,
        "epochs": int(rng.integers(3, 13)),
        "factor": int(rng.choice([4, 9, 16, 25])),
    }


STEPS = Task(
    id="2.30",
    title="Epochs, batches, steps",
    kind="number",
    minutes=10,
    difficulty=1,
    practises="epochs and steps, noise of batches",
    statement=r"""
A training set of {rows} rows is gone through {epochs} times, in batches of {batch}.

How many steps are that if the last, smaller batch of each epoch is used too? How many if it is dropped? And if the batch is made
{factor} times as large: by what factor does the standard deviation of a batch's mean gradient *fall* (rows drawn independently)?

Set `answer = (steps, dropping, less_noise)`. The numbers are in `rows`, `epochs`, `batch`, `factor`.
""",
    stub="""
steps = None
dropping = None  # steps, without the smaller batches
less_noise = None
answer = (steps, dropping, less_noise)
""",
    solution="""
steps = epochs * -(-rows // batch)
dropping = epochs * (rows // batch)
less_noise = factor**0.5
answer = (steps, dropping, less_noise)
""",
    hint="How many batches has one epoch? The mean of $m$ independent numbers has one $m$-th of their variance.",
    derivation=r"""
An epoch has $\lceil \text{rows} / \text{batch} \rceil$ batches, or, without the rest, $\lfloor \text{rows} / \text{batch} \rfloor$; the
batches do not reach over the end of an epoch, so the rounding comes before the multiplication. The variance of a mean over $m$
independent rows is $\sigma^2 / m$, its standard deviation $\sigma / \sqrt m$: a batch $k$ times as large is $\sqrt k$ times less noisy,
and costs $k$ times as much.
""",
    tests=(
        Test("steps", use=lambda answer: answer[0], call="steps"),
        Test("steps without the smaller batches", use=lambda answer: answer[1], call="dropping"),
        Test("the noise", use=lambda answer: answer[2], call="less_noise", rtol=1e-3),
    ),
    wrong=(
        Wrong("epochs-for-steps", "epochs * -(-rows // batch)", "epochs"),
        Wrong("batch-last-dropped", "epochs * -(-rows // batch)", "epochs * (rows // batch)"),
        Wrong(
            "",
            "epochs * (rows // batch)",
            "epochs * rows // batch",
            why="The rows of all epochs were put in one line and cut into batches. Each epoch drops its own rest.",
            look="What happens at the end of an epoch: round first, multiply then.",
        ),
        Wrong(
            "",
            "factor**0.5",
            "factor",
            why="The variance falls by this factor; the standard deviation by its root.",
            look="The standard deviation of a mean of m numbers.",
        ),
        Wrong(
            "ratio-inverted",
            "factor**0.5",
            "1 / factor**0.5",
            why="This is what is left of the noise. By what factor it falls is 1 over that, a number above 1.",
            look="Old over new, not new over old.",
        ),
    ),
    data=a_run,
    after="If the noise is what limits the rate, how might the rate grow with the batch?",
)

TASKS: tuple[Task, ...] = (OVERFIT, MEMORY, STEPS)
