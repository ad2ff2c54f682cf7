"""What is measured, and on which data."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong


def in_batches(answer: Any, batches: Any) -> Any:
    return answer(iter(batches))


def batches(*sizes: int, classes: int = 3) -> Any:
    """Logits and labels of batches of these sizes."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        out = [(rng.standard_normal((n, classes)), rng.integers(classes, size=n)) for n in sizes]
        for logits, labels in out[:-1]:
            logits[np.arange(len(labels)), labels] += 2  # the last batch, the smallest, goes worst
        return (out,)

    return inputs


ACCURACY = Task(
    id="2.20",
    title="Accuracy over batches",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="means over batches of unequal size",
    statement=r"""
Write `accuracy(batches)`: the share of rows, over all batches, whose largest logit stands at the label. `batches` is an iterable of pairs
of logits (N, classes) and labels (N,), to be gone through once; the batches need not be equally large. Where two logits are equally
large, the first counts. Without any row it is a ValueError.

Three rows right of four, and none of one: $3/5$.
""",
    stub='''
def accuracy(batches):
    """The share of rows that are right: a float.

    batches: an iterable of (logits, labels), of shapes (N, classes) and (N,), that
    can be read once.

    Raises:
        ValueError: there is no row.
    """
    raise NotImplementedError
''',
    solution="""
def accuracy(batches):
    right, rows = 0, 0
    for logits, labels in batches:
        right += int((logits.argmax(axis=1) == labels).sum())
        rows += len(labels)
    if rows == 0:
        raise ValueError("there is no row to be right or wrong on.")
    return right / rows
""",
    name="accuracy",
    hint="Count, and divide once, at the end.",
    derivation=r"""
The mean over all rows is $\frac{\sum_k r_k}{\sum_k n_k}$, with $r_k$ right of $n_k$ in batch $k$. The mean of the batches' means,
$\frac1K \sum_k \frac{r_k}{n_k}$, is the same only if all $n_k$ are equal: a last batch of one row would count as much as one of a hundred.
No softmax is needed, for it keeps the order.
""",
    tests=(
        Test("one batch", batches(4), use=in_batches, call="accuracy(iter(batches))"),
        Test(
            "three rows right of four, none of one",
            lambda rng: ([(np.eye(3)[[0, 1, 2, 2]], np.array([0, 1, 2, 0])), (np.eye(3)[[1]], np.array([2]))],),
            use=in_batches,
            call="accuracy(iter(batches))",
            points=2,
        ),
        Test("batches of 6, 6 and 2", batches(6, 6, 2), use=in_batches, call="accuracy(iter(batches))", hidden=True),
        Test(
            "equal logits",
            lambda rng: ([(np.zeros((3, 4)), np.array([0, 0, 3]))],),
            use=in_batches,
            call="accuracy(iter(batches))",
            hidden=True,
        ),
    ),
    wrong=(
        Wrong("accuracy-counts-batches", "        rows += len(labels)", "        rows += 1"),
        Wrong(
            "mean-of-means",
            "        right += int((logits.argmax(axis=1) == labels).sum())\n        rows += len(labels)",
            "        right += float((logits.argmax(axis=1) == labels).mean())\n        rows += 1",
        ),
        Wrong(
            "wrong-axis",
            "logits.argmax(axis=1) == labels).sum()",
            "logits.argmax(axis=0)[labels] == labels).sum()",
            why="The largest logit was looked for along the rows of the batch, not along the classes.",
        ),
        Wrong("loop-returns-early", "    if rows == 0:", "        break\n    if rows == 0:"),
        Wrong(
            "",
            "(logits.argmax(axis=1) == labels)",
            "(logits[np.arange(len(labels)), labels] == logits.max(axis=1))",
            why="Where several logits are the largest, each of them counts as right; a model that gives all the same is always right.",
            look="A row of equal logits.",
        ),
        Wrong(
            "wrong-axis",
            "logits.argmax(axis=1)",
            "logits.argmax()",
            why="`argmax` without an axis gives one place in the whole batch, not one class per row.",
            look="The shape of what argmax returns.",
        ),
    ),
    after="A model that gives all rows the most frequent class: what is its accuracy on the digits? That is the number to beat.",
)


def table(N: int, n: int, test: int, constant: bool = False) -> Any:
    """Rows whose label is their first number rounded, so that a pair can be told."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        X = rng.normal(np.arange(n) * 3.0, np.arange(1, n + 1), (N, n))
        if constant:
            X[:, 1] = 7.0
        return X, np.round(X[:, 0] * 10).astype(int), test, np.random.default_rng(rng.integers(2**32))

    return inputs


SPLIT = Task(
    id="2.21",
    title="Split, then standardize",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="a split that does not leak",
    statement=r"""
Write `prepare(X, y, n_test, rng)`. Draw one `rng.permutation` of the rows' numbers; the first `n_test` in that order are the test set, the
others the training set, both in that order. Then standardize: subtract each column's mean and divide by its standard deviation, such that
nothing of the test set has any influence on what the model is trained on. A column that does not vary is divided by 1. Return
`X_train, y_train, X_test, y_test`; `X` stays as it is.
""",
    stub='''
def prepare(X, y, n_test, rng):
    """A split in two, standardized: X_train, y_train, X_test, y_test.

    X: (N, n). y: (N,). n_test: rows of the test set. rng: a NumPy Generator;
    rng.permutation is called once.
    """
    raise NotImplementedError
''',
    solution="""
def prepare(X, y, n_test, rng):
    order = rng.permutation(len(X))
    test, train = order[:n_test], order[n_test:]
    seen = X[train]
    mean, std = seen.mean(axis=0), seen.std(axis=0)
    std[std == 0] = 1
    return (X[train] - mean) / std, y[train], (X[test] - mean) / std, y[test]
""",
    name="prepare",
    hint="Which rows may the mean be taken over? And with which mean is a test row moved?",
    derivation=r"""
The mean and the standard deviation are parameters of the model like the weights: they are learned, from the training set, and then
applied to all rows that come, one at a time if need be. Taken over all rows they carry a little of the test set into training; taken over
the test set on its own they move it otherwise than the rows that the model knows.
""",
    tests=(
        Test("four rows, one for the test", table(4, 1, 1)),
        Test(
            "twelve rows",
            table(12, 3, 4),
            points=2,
            labels={"the rows": 12, "the training rows": 8, "the test rows": 4},
        ),
        Test("a column that does not vary", table(9, 3, 3, constant=True)),
        Test("a test set of one row", table(7, 2, 1), hidden=True),
        Test("half and half", table(30, 4, 15), hidden=True),
    ),
    wrong=(
        Wrong("statistics-from-test-data", "seen = X[train]", "seen = X"),
        Wrong(
            "statistics-from-test-data",
            "    return (X[train] - mean) / std, y[train], (X[test] - mean) / std, y[test]\n",
            "    X_train = (X[train] - mean) / std\n    mean, std = X[test].mean(axis=0), X[test].std(axis=0)\n"
            "    std[std == 0] = 1\n    return X_train, y[train], (X[test] - mean) / std, y[test]\n",
            why="The test rows were standardized by their own mean and deviation, not by those that the model was trained with.",
        ),
        Wrong("shuffle-breaks-pairs", "/ std, y[train], (X", "/ std, y[n_test:], (X"),
        Wrong("split-leaks", "test, train = order[:n_test], order[n_test:]", "test, train = order[:n_test], order"),
        Wrong(
            "wrong-axis",
            "seen.mean(axis=0), seen.std(axis=0)",
            "seen.mean(axis=0), np.full(X.shape[1], seen.std())",
            why="One standard deviation was taken for the whole table. Each column has its own.",
        ),
        Wrong(
            "",
            "    std[std == 0] = 1\n",
            "    std += 1e-2\n",
            why="A small number was added to each deviation, which changes all columns a little.",
            look="The columns that do vary.",
        ),
        Wrong(
            "input-changed-in-place", "    seen = X[train]\n", "    X -= X[train].mean(axis=0)\n    seen = X[train]\n"
        ),
        Wrong(
            "",
            "test, train = order[:n_test], order[n_test:]",
            "test, train = order[-n_test:], order[:-n_test]",
            why="The test set was taken from the end of the order. Asked for are the first `n_test` of it.",
            look="Which end of the order is the test set.",
        ),
        Wrong(
            "n-minus-one-for-n",
            "seen.std(axis=0)",
            "seen.std(axis=0, ddof=1)",
        ),
        Wrong(
            "",
            "(X[test] - mean) / std",
            "X[test]",
            why="The test set was not standardized. The model sees it as it saw the training set: moved and scaled by the same numbers.",
            look="What is done with the rows of the test set.",
        ),
    ),
    after="Leak on purpose: standardize 20 rows with and without the test set. How much better does a model look?",
)

TASKS: tuple[Task, ...] = (ACCURACY, SPLIT)
