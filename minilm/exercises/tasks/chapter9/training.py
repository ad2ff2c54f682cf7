"""Training: what a schedule spends, and a choice that looked at the test."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs


def _plan(rng: Generator) -> dict[str, Any]:
    warmup = int(rng.integers(2, 9)) * 10
    return {
        "warmup": warmup,
        "total": warmup + 100 * int(rng.integers(2, 9)),
        "percent": int(rng.integers(1, 5)) * 5,
    }


SPENT = Task(
    id="9.1",
    title="What a schedule spends",
    kind="number",
    minutes=20,
    difficulty=1,
    practises="a schedule with warm-up and cosine, a fair comparison",
    statement=r"""
Somebody compares two schedules at the same highest rate: a constant one, and one that grows in a straight line from 0 over the
first {warmup} of {total} steps, then falls along half a cosine to {percent} % of the highest rate at the last step.
"Cosine is better." But is it, or is a smaller rate better?

As a fraction of the highest rate, what is the *mean* rate of the second schedule over the run? Take the time as continuous, and give the
value by a formula. The numbers are in `warmup`, `total`, `percent`. Set `answer` to the fraction.
""",
    stub="""
answer = None
""",
    solution="""
least = percent / 100
answer = (warmup / 2 + (total - warmup) * (1 + least) / 2) / total
""",
    hint="Two areas under a curve. The first one is a triangle. In the second one half a cosine lies above its middle as long as below it.",
    derivation=r"""
The warm-up of $w$ steps is a triangle with the area $w / 2$. After it the rate is
$f + \frac12 (1 - f)(1 + \cos \pi s)$ with $s$ from 0 to 1, and $\int_0^1 \cos \pi s\, ds = 0$: the mean is
$f + \frac12 (1 - f) = \frac12 (1 + f)$. Together, over $n$ steps,

$$ \frac{1}{n} \left( \frac{w}{2} + (n - w)\, \frac{1 + f}{2} \right) $$

So the second schedule goes with about half of the constant one's mean rate. Whoever compares the two at the same highest rate
compares two rates, too. Each needs its own.
""",
    tests=(Test("the mean rate", use=lambda answer: answer, call="answer", rtol=1e-3, points=2),),
    wrong=(
        Wrong("", "(1 + least) / 2) / total", "least) / total",
              why="The lowest rate was taken for the whole fall; the cosine comes down to it only at the end.",
              look="The rate in the middle of the fall."),
        Wrong("", "warmup / 2 + ", "warmup + ",
              why="The warm-up was counted with the highest rate: it is a triangle, not a rectangle.",
              look="The rate in the middle of the warm-up."),
        Wrong("", "(warmup / 2 + (total - warmup) * (1 + least) / 2) / total", "(1 + least) / 2",
              why="The warm-up is missing. Over its steps the mean is a half.", look="The first steps."),
        Wrong("", "(total - warmup) * (1 + least) / 2", "(total - warmup) * (1 - least) / 2",
              why="This is the area between the curve and its lowest rate; what lies below that rate was left out.",
              look="With a lowest rate of 100 % the fall is none, and its mean is 1."),
        Wrong("", "(total - warmup) * (1 + least) / 2", "total * (1 + least) / 2",
              why="The fall lasts only for the steps after the warm-up.", look="How many steps the two parts have together."),
        Wrong("", "percent / 100", "percent",
              why="Percent were taken for a fraction.", look="Can the mean be above the highest rate?"),
        Wrong("", "(1 + least) / 2) / total", "2 / np.pi) / total",
              why="Two over pi is the mean of a cosine's quarter. Half a cosine comes down to minus one, so its mean is 0.",
              look="The cosine from 0 to pi, above and below zero."),
    ),
    data=_plan,
    after="Compare the two at the same mean rate: which number of the page changes?",
)  # fmt: skip


def _parts(n: int, d: int, noise: float) -> Inputs:
    """Features and targets of three parts, and strengths to choose from."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        w = rng.standard_normal(d)
        found = []
        for size in (n, 6, 7):
            x = rng.standard_normal((size, d))
            found.append((x, x @ w + noise * rng.standard_normal(size)))
        return (*found, [0.01, 0.1, 1.0, 10.0, 100.0])

    return inputs


def _by_hand(rng: Generator) -> tuple[Any, ...]:
    """One feature: the validation part wants a weak penalty, the test a strong one."""
    one = np.array([[1.0], [2.0]])
    return (one, np.array([2.0, 4.0])), (one, np.array([2.0, 4.0])), (one, np.array([0.1, 0.2])), [0.0, 50.0]


PROTOCOL = Task(
    id="9.2",
    title="A test error that new data do not confirm",
    kind="find the bug",
    minutes=10,
    difficulty=1,
    practises="training, validation and test parts",
    statement=r"""
`report(train, validation, test, strengths)` fits a ridge regression for each strength of its penalty, chooses one, and returns it with
the error to be published. Each part is `(x, y)`; `fit(x, y, strength)` gives the weights and `error(w, x, y)` their mean squared
error, both right. On fresh data the error is every time higher than was reported. Find the bug, and mend it.
""",
    solution="""
def report(train, validation, test, strengths):
    weights = {s: fit(*train, s) for s in strengths}
    best = min(strengths, key=lambda s: error(weights[s], *validation))
    return best, error(weights[best], *test)
""",
    name="report",
    setup='''import numpy as np


def fit(x, y, strength):
    """The weights (d,): least squared error plus strength times their squares."""
    return np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ y)


def error(w, x, y):
    """The mean squared error, a float."""
    return float(np.mean((x @ w - y) ** 2))
''',
    hint="Which of the three parts has a say in what is chosen? Which one should?",
    derivation=r"""
Let $E_s$ be the test error of the model with strength $s$. On fresh data the expected error of a model that was fixed beforehand is
$\operatorname{E} E_s$. The one that was chosen by the test has $\min_s E_s$, and
$\operatorname{E} \min_s E_s \le \min_s \operatorname{E} E_s$:
the minimum of noisy numbers is too low, the more so the more there are and the smaller the test is. Chosen by the validation part,
the strength does not depend on the noise of the test, and its error there is an honest estimate. The validation error of the
chosen one is too low for the same reason.
""",
    tests=(
        Test("by hand", _by_hand, points=2),
        Test("few examples", _parts(8, 5, 1.0)),
        Test("more features than examples", _parts(6, 9, 1.0)),
        Test("much noise", _parts(12, 6, 4.0), hidden=True),
        Test("little noise", _parts(30, 4, 0.1), hidden=True),
    ),
    wrong=(
        Wrong("best-on-test-data", "*validation))", "*test))"),
        Wrong("validation-on-training-data", "*validation))", "*train))",
              why="The strength was chosen by the training error, which is lowest without any penalty.",
              look="Which part the weights were not fitted to, and which is not the test."),
        Wrong("", "return best, error(weights[best], *test)", "return best, error(weights[best], *validation)",
              why="The error of the validation part was reported, by which the strength was chosen: the least of several is too low.",
              look="Which part had no say in anything."),
        Wrong("", "return best, error(weights[best], *test)",
              "return best, min(error(w, *test) for w in weights.values())",
              why="The strength is chosen by the validation part, but the error is the test's least one, of another model.",
              look="Whose error is reported."),
        Wrong("", "return best, error(weights[best], *test)",
              "both = [np.concatenate(pair) for pair in zip(train, test)]\n"
              "    return best, error(fit(*both, best), *test)",
              why="The chosen strength was fitted once more to examples of the test, which is then no test.",
              look="What fit is given."),
        Wrong("", "min(strengths", "max(strengths",
              why="The strength with the largest validation error was chosen.", look="min or max."),
    ),
    after="Draw new parts a thousand times: by how much is the reported error too low, with 5 strengths and with 50?",
)  # fmt: skip

TASKS = (SPENT, PROTOCOL)
