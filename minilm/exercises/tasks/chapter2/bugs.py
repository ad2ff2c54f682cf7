"""Bugs to find, and tests to write, in what chapter 2 has built."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong


def gradients_at(n: int, steps: int, size: float = 1.0) -> Any:
    return lambda rng: (rng.standard_normal(n), size * rng.standard_normal((steps, n)), 0.01)


ADAM_TOO_FAST = Task(
    id="2.24",
    title="An Adam that leaps",
    kind="find the bug",
    minutes=20,
    difficulty=2,
    practises="the first steps of Adam",
    statement=r"""
`adam` applies Adam to a list of gradients. In the long run it does what it should. But the first step is 31.6 times as long as the
learning rate, whatever the gradient; the next ones are too long as well, and only after thousands of steps does one see no difference
any more.

Find the bug and mend it.
""",
    solution='''
def adam(p, gradients, lr):
    """The place after each step of Adam (2.19), with 0.9, 0.999 and 1e-8: an array
    (steps, n).

    p: (n,), where it begins. gradients: (steps, n).
    """
    m, v, path = np.zeros_like(p), np.zeros_like(p), []
    for t, g in enumerate(gradients, start=1):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        m_hat = m / (1 - 0.9**t)
        v_hat = v / (1 - 0.999**t)
        p = p - lr * m_hat / (np.sqrt(v_hat) + 1e-8)
        path.append(p)
    return np.array(path)
''',
    name="adam",
    hint="31.6 is the root of 1000. Which of the two means begins at a thousandth of its size?",
    derivation=r"""
$v_1 = 0.001\, g_1^2$, so without its correction $\sqrt{v_1} = 0.0316\, |g_1|$, while $\hat m_1 = g_1$ is corrected: the quotient is
31.6. With
neither corrected it would be 3.16 (exercise 2.9). The factor that is missing in step $t$ is $\sqrt{1 - 0.999^t}$.
""",
    tests=(
        Test("one step", gradients_at(1, 1)),
        Test("four steps", gradients_at(3, 4), points=2),
        Test("large gradients", gradients_at(2, 6, 1e4), hidden=True),
    ),
    wrong=(
        Wrong(
            "adam-without-correction",
            "v / (1 - 0.999**t)",
            "v",
            why="The mean of the squares is not corrected: in the first step it is a thousandth of the square.",
        ),
        Wrong(
            "",
            "        m_hat = m / (1 - 0.9**t)\n        v_hat = v / (1 - 0.999**t)\n",
            "        m_hat, v_hat = m, v\n",
            why="Now neither mean is corrected: the first step is 3.16 times the rate.",
            look="Both lines of (2.19).",
        ),
        Wrong(
            "",
            "v / (1 - 0.999**t)",
            "v / (1 - 0.9**t)",
            why="The mean of the squares was corrected with the other beta.",
            look="Which beta made v.",
        ),
        Wrong(
            "",
            "start=1",
            "start=2",
            why="The number of the first step is 1; here it begins with 2.",
            look="1 minus beta to the power t in the first step.",
        ),
    ),
    after="How does RMSprop get along without a correction?",
)


def epochs_of(N: int, n: int, batch: int, epochs: int) -> Any:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        X = rng.standard_normal((N, n))
        return X, X @ rng.standard_normal(n), batch, epochs, 0.05, 0.9

    return inputs


VELOCITY = Task(
    id="2.25",
    title="Momentum that forgets",
    kind="find the bug",
    minutes=10,
    difficulty=1,
    practises="what lives through all epochs",
    statement=r"""
`fit` trains a linear model with momentum, batch by batch. In the first epoch all is as it should be. From the second on it is slower
than it ought to be; and where a batch is the whole training set it is no faster than plain gradient descent, whatever the momentum.

Find the bug and mend it.
""",
    solution='''
def fit(X, y, batch, epochs, lr, mu):
    """Fits y = X w by gradient descent with momentum (2.12) on the mean squared
    error. w, (n,).

    X: (N, n). y: (N,). The batches are taken in the order of the rows.
    """
    w = np.zeros(X.shape[1])
    velocity = np.zeros_like(w)
    for _ in range(epochs):
        for first in range(0, len(X), batch):
            rows, targets = X[first : first + batch], y[first : first + batch]
            gradient = 2 * rows.T @ (rows @ w - targets) / len(rows)
            velocity = mu * velocity + gradient
            w = w - lr * velocity
    return w
''',
    name="fit",
    hint="Print the velocity's norm in each step. Where does it fall?",
    derivation=r"""
The memory $u$ of (2.12) belongs to the training, as $w$ does, and must not begin anew while $w$ goes on. If it is set to zero at the
beginning of each epoch, the first step of each is a plain one. With one batch per epoch all steps are.
""",
    tests=(
        Test("one epoch", epochs_of(6, 2, 2, 1)),
        Test("two epochs", epochs_of(6, 2, 2, 2), points=2),
        Test("the whole set in one batch", epochs_of(5, 3, 5, 8)),
        Test("a smaller last batch", epochs_of(7, 2, 3, 4), hidden=True),
    ),
    wrong=(
        Wrong(
            "velocity-reset",
            "    velocity = np.zeros_like(w)\n    for _ in range(epochs):\n",
            "    for _ in range(epochs):\n        velocity = np.zeros_like(w)\n",
        ),
        Wrong(
            "momentum-without-memory",
            "velocity = mu * velocity + gradient",
            "velocity = gradient",
            why="Now no step remembers anything: plain gradient descent.",
        ),
        Wrong(
            "momentum-dampened",
            "velocity = mu * velocity + gradient",
            "velocity = mu * velocity + (1 - mu) * gradient",
            why="The gradient was multiplied by 1 - mu. In (2.12) it counts fully.",
            look="The first step.",
        ),
    ),
    after="And if the rows are shuffled anew in each epoch: what else must live through all of them? (The generator.)",
)


def two_layers(N: int, n: int, h: int, p: float, training: bool) -> Any:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        shapes = ((N, n), (h, n), (h,), (2, h), (2,))
        arrays = (rng.uniform(0.1, 1, s) for s in shapes)  # positive, so that the ReLU leaves all of them
        return (*arrays, p, training, np.random.default_rng(rng.integers(2**32)))

    return inputs


DROPOUT_TOO_WEAK = Task(
    id="2.26",
    title="A network that is louder in evaluation",
    kind="find the bug",
    minutes=10,
    difficulty=1,
    practises="dropout in training and in evaluation",
    statement=r"""
`forward` is a network with dropout after its hidden layer. It trains well. But in evaluation the hidden layer's part of the logits is
twice as large as in training on average, with $p = 0.5$, and four times with $p = 0.75$; the model is too sure of itself, and its
validation loss is bad, though its accuracy is good.

Evaluation is right as it stands. Find the bug and mend it.
""",
    solution='''
def forward(X, W1, b1, W2, b2, p, training, rng):
    """The logits of a network n-h-2 with ReLU and dropout: (N, 2).

    X: (N, n). W1: (h, n). W2: (2, h). p: the share that is dropped in training.
    """
    hidden = np.maximum(X @ W1.T + b1, 0)
    if training:
        kept = rng.random(hidden.shape) >= p
        hidden = hidden * kept / (1 - p)
    return hidden @ W2.T + b2
''',
    name="forward",
    hint="What is the mean of an element after dropout, in training?",
    derivation=r"""
An element survives with probability $1 - p$, so its mean is $(1 - p)\, x$. The next layer adds up many of them; in evaluation, where all
survive, its sums are $\frac{1}{1 - p}$ times as large. Division by $1 - p$ in training makes the means equal, and evaluation costs
nothing.
The order of the logits often stays, so the accuracy hardly shows it; the loss does.
""",
    tests=(
        Test("one row in training", two_layers(1, 2, 10, 0.5, True)),
        Test("a batch in training", two_layers(3, 2, 6, 0.75, True), points=2),
        Test("in evaluation", two_layers(3, 2, 4, 0.5, False)),
        Test("p = 0.1", two_layers(5, 3, 8, 0.1, True), hidden=True),
    ),
    wrong=(
        Wrong("dropout-not-rescaled", "hidden * kept / (1 - p)", "hidden * kept"),
        Wrong("dropout-rescaled-by-p", "hidden * kept / (1 - p)", "hidden * kept / p"),
        Wrong(
            "",
            "        hidden = hidden * kept / (1 - p)\n",
            "        hidden = hidden * kept\n    else:\n        hidden = hidden * (1 - p)\n",
            why="Evaluation was scaled down instead. The means are equal then too, but evaluation was right as it stood: dropout is to be "
            "paid for in training.",
            look="The statement's last sentence.",
        ),
        Wrong(
            "",
            "hidden * kept / (1 - p)",
            "hidden * kept * (1 - p)",
            why="The survivors were made smaller; they must stand for those that fell.",
            look="The mean of an element: multiply by its probability to survive.",
        ),
    ),
    after="Average the logits of 1,000 forward passes in training, and compare with evaluation. Why are they equal only "
    "for the last layer?",
)


def two_sets(train: int, test: int, n: int, shift: float) -> Any:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        return rng.normal(2, 3, (train, n)), rng.normal(2 + shift, 3, (test, n))

    return inputs


ALL_ALIKE = Task(
    id="2.27",
    title="One image at a time",
    kind="find the bug",
    minutes=10,
    difficulty=1,
    practises="statistics learned in training",
    statement=r"""
`standardize` prepares training set and test set. On a test set of hundreds of rows the model's accuracy is as expected. In use, where the
rows come one at a time, it gives the same answer to everybody; and when all test rows are darker than the training rows, it does not
notice.

Find the bug and mend it.
""",
    solution='''
def standardize(train, test):
    """Both sets with each column moved and scaled as makes the training set's mean
    0 and its standard deviation 1.

    train: (N, n). test: (M, n). A column of the training set that does not vary is
    divided by 1.
    """
    mean, std = train.mean(axis=0), train.std(axis=0)
    std = np.where(std > 0, std, 1)
    train = (train - mean) / std
    test = (test - mean) / std
    return train, test
''',
    name="standardize",
    hint="What is a single row minus its own mean over the rows?",
    derivation=r"""
A row $x$ of the test set must become $(x - \mu) / s$ with the training set's $\mu$ and $s$, since the model was trained on numbers
that were
made so. With the test set's own mean, a set of one row becomes $0$, whatever it was; a set that is shifted as a whole is shifted back,
and the
shift, which the model should see, is gone.
""",
    tests=(
        Test("one row", two_sets(4, 1, 2, 0.0)),
        Test("three rows", two_sets(5, 3, 2, 0.0), points=2),
        Test("a test set that is shifted", two_sets(6, 4, 3, -20.0)),
        Test(
            "a column that does not vary",
            lambda rng: (np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([[2.0, 6.0], [4.0, 5.0], [0.0, 5.0]])),
            hidden=True,
        ),
    ),
    wrong=(
        Wrong(
            "statistics-from-test-data",
            "    test = (test - mean) / std\n",
            "    test = (test - test.mean(axis=0)) / std\n",
            why="The test rows were moved by their own mean, so a row alone becomes 0.",
        ),
        Wrong(
            "statistics-from-test-data",
            "train.mean(axis=0), train.std(axis=0)",
            "np.vstack([train, test]).mean(axis=0), np.vstack([train, test]).std(axis=0)",
            why="The statistics were taken over both sets, so the test set has an influence on training.",
        ),
        Wrong(
            "",
            "    train = (train - mean) / std\n    test = (test - mean) / std\n",
            "    train = (train - mean) / std\n    test = (test - train.mean(axis=0)) / train.std(axis=0).clip(1)\n",
            why="The statistics were taken after the training set had been standardized: a mean of 0 and a deviation of 1 do "
            "nothing to the test set.",
            look="What `train` holds in the last line but one.",
        ),
    ),
    after="Which layer of a network keeps running statistics for just this reason?",
)

TEST_OF_CLIPPING = Task(
    id="2.28",
    title="A test for gradient clipping",
    kind="write the test",
    minutes=20,
    difficulty=2,
    practises="tests of in-place functions",
    statement=r"""
`clip_grad_norm(gradients, max_norm)` scales a list of arrays in place, so that their common norm is at most `max_norm`, and returns the
norm that they had (exercise 2.19).

Write `test_clip_grad_norm(clip_grad_norm)`. It gets such a function, and raises AssertionError if it is wrong; a right one passes. Eight
wrong ones wait. Small gradients, large gradients, more than one array, arrays of different norms: what must hold after each call?
""",
    stub='''
def test_clip_grad_norm(clip_grad_norm):
    """Raises AssertionError if `clip_grad_norm` is wrong.

    It is called as clip_grad_norm(gradients, max_norm) with a list of arrays, which
    it changes in place; it returns a float.
    """
    gradients = [np.array([3.0]), np.array([4.0])]
    assert False, "ask for something that a right function does"
''',
    subject='''
def clip_grad_norm(gradients, max_norm):
    """Scales the gradients, in place, so that their common norm is at most
    max_norm. The norm before, a float.
    """
    squares = [float((g * g).sum()) for g in gradients]
    norm = sum(squares) ** 0.5
    factor = max_norm / max(norm, max_norm)
    for g in gradients:
        g *= factor
    return norm
''',
    solution="""
def test_clip_grad_norm(clip_grad_norm):
    gradients = [np.array([3.0]), np.array([[-4.0, 0.0]])]
    norm = clip_grad_norm(gradients, 1.0)
    assert np.isclose(norm, 5)
    assert np.allclose(gradients[0], [0.6])
    assert np.allclose(gradients[1], [[-0.8, 0.0]])

    small = [np.array([0.3, 0.0]), np.array([-0.4])]
    assert np.isclose(clip_grad_norm(small, 2.0), 0.5)
    assert np.allclose(small[0], [0.3, 0.0])
    assert np.allclose(small[1], [-0.4])
""",
    name="test_clip_grad_norm",
    hint="Keep the arrays in a list of your own and look at them after the call. Choose gradients whose norm you know by heart.",
    derivation=r"""
The norm of $3$ and $-4$ in two arrays is 5: neither 7, their sum, nor 4, the largest, nor 25. After clipping to 1 they are $0.6$ and
$-0.8$;
clipped one by one they would both have size 1. Gradients below the limit stay exactly as they are, which finds what scales up. And
since the *arrays* are compared after the call, a function that makes new ones is found as well.
""",
    tests=(),
    wrong=(
        Wrong(
            "clip-per-tensor-not-global",
            "        g *= factor\n",
            "        g *= max_norm / max(float((g * g).sum()) ** 0.5, max_norm)\n",
        ),
        Wrong("clip-scales-up", "max_norm / max(norm, max_norm)", "max_norm / norm if norm else 1.0"),
        Wrong("parameters-rebound-not-updated", "g *= factor", "g = g * factor"),
        Wrong(
            "",
            "return norm",
            "return norm * factor",
            why="The norm after clipping is returned.",
            look="The returned number, where something was clipped.",
        ),
        Wrong(
            "norms-summed",
            "sum(squares) ** 0.5",
            "sum(s**0.5 for s in squares)",
            why="The norms of the arrays are added.",
            look="Two arrays: 3 and 4 give 5.",
        ),
        Wrong(
            "",
            "sum(squares) ** 0.5",
            "max(squares) ** 0.5",
            why="The largest of the norms is taken for the common one.",
            look="Two arrays: 3 and 4 give 5.",
        ),
        Wrong(
            "root-forgotten",
            "sum(squares) ** 0.5",
            "sum(squares)",
            why="The root is missing.",
            look="The norm of 3 and 4.",
        ),
        Wrong("mean-for-sum", "float((g * g).sum())", "float((g * g).mean())"),
    ),
    after="Write one more assertion that no example gives you: the direction stays, whatever the gradients.",
)

TEST_OF_DROPOUT = Task(
    id="2.29",
    title="A test for dropout",
    kind="write the test",
    minutes=20,
    difficulty=2,
    practises="tests of what is random",
    statement=r"""
`dropout(x, p, training, rng)` sets elements of `x` to 0 with probability $p$ and divides the others by $1 - p$; in evaluation it returns
`x`'s values. An element is kept where `rng.random(x.shape)` is at least $p$.

Write `test_dropout(dropout)`. It gets such a function, and raises AssertionError if it is wrong; a right one passes, with every seed.
Seven wrong ones wait. A test of something random holds the generator in its hand: what must two generators of the same seed give, and two
of different seeds?
""",
    stub='''
def test_dropout(dropout):
    """Raises AssertionError if `dropout` is wrong.

    It is called as dropout(x, p, training, rng), with an array and a NumPy
    Generator, and returns an array.
    """
    rng = np.random.default_rng(0)
    assert False, "ask for something that a right function does"
''',
    subject='''
def dropout(x, p, training, rng):
    """Inverted dropout: x with a share of about p set to 0, the rest divided by 1 -
    p; in evaluation a copy of x.
    """
    if not training:
        return x.copy()
    kept = rng.random(x.shape) >= p
    return x * kept / (1 - p)
''',
    solution="""
def test_dropout(dropout):
    x = np.arange(1.0, 201.0).reshape(20, 10)
    before = x.copy()
    for seed in (0, 1):
        expected = x * (np.random.default_rng(seed).random(x.shape) >= 0.2) / 0.8
        y = dropout(x, 0.2, True, np.random.default_rng(seed))
        assert np.allclose(y, expected)
        y = dropout(x, 0.2, False, np.random.default_rng(seed))
        assert np.array_equal(y, x)
        assert np.array_equal(x, before)
""",
    name="test_dropout",
    hint="The rule says which numbers are drawn and which elements are kept. So the expected result can be computed, "
    "for a seed of your choice.",
    derivation=r"""
With the order of draws stated, the result is determined by the seed, and one comparison finds nearly all: a wrong factor, the wrong share
(take a $p$ that is not one half), one mask for all rows. A function with a generator of its own gives the right result for at most one
seed,
so two seeds are asked. Evaluation, and whether `x` has changed, are questions of their own. Without the stated order one would count: the
share of zeros near $p$, and the mean near that of $x$.
""",
    tests=(),
    wrong=(
        Wrong("dropout-not-rescaled", "x * kept / (1 - p)", "x * kept"),
        Wrong("dropout-rescaled-by-p", "x * kept / (1 - p)", "x * kept / p"),
        Wrong("dropout-in-evaluation", "    if not training:\n        return x.copy()\n", ""),
        Wrong(
            "random-not-from-the-generator", "rng.random(x.shape) >= p", "np.random.default_rng(0).random(x.shape) >= p"
        ),
        Wrong(
            "dropout-keeps-the-share-p",
            ">= p",
            ">= 1 - p",
            why="p is taken for the share that is kept.",
            look="The share of zeros, for a p that is not one half.",
        ),
        Wrong(
            "",
            "rng.random(x.shape)",
            "rng.random(x.shape[-1])",
            why="One mask is drawn for all rows.",
            look="Whether two rows lose the same columns.",
        ),
        Wrong("input-changed-in-place", "return x * kept / (1 - p)", "x *= kept / (1 - p)\n    return x"),
    ),
    after="Write the test that does not know the order of draws: bounds that a right function misses once in a million runs.",
)

TASKS: tuple[Task, ...] = (
    ADAM_TOO_FAST,
    VELOCITY,
    DROPOUT_TOO_WEAK,
    ALL_ALIKE,
    TEST_OF_CLIPPING,
    TEST_OF_DROPOUT,
)
