"""Losses and their gradients: squared error, cross-entropy, divergence."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter4.draws import given, value


def distributions(width: int) -> Any:
    """Draws logits and weights that do not sum to 1."""
    return lambda rng: (rng.standard_normal(width), rng.uniform(0.0, 2.0, width))


def labelled(rows: int, classes: int, *after: Any, ignored: int = 0, mark: int = -1) -> Any:
    """Draws logits and a target per row; the first `ignored` targets are the mark."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        targets = rng.integers(0, classes, rows)
        targets[:ignored] = mark
        return (rng.standard_normal((rows, classes)), targets, *after)

    return inputs


def classes(logits: list[list[float]], targets: list[int], *after: Any) -> Any:
    """These logits and targets."""
    return lambda rng: (np.array(logits), np.array(targets), *after)


def yes_or_no(size: int, dtype: str = "float64") -> Any:
    """Draws logits and targets of 0 and 1."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        return (2 * rng.standard_normal(size)).astype(dtype), rng.integers(0, 2, size).astype(dtype)

    return inputs


ANOTHER_LOSS = Task(
    id="4.2",
    title="Another loss",
    kind="number",
    minutes=20,
    difficulty=2,
    practises="the chain rule through a sigmoid",
    statement=r"""
Replace the cross-entropy of the 2-2-2 network by the mean squared error $J = \frac1K \sum_j (\hat y_j - y_j)^2$. Compute
$\delta^{[2]}$ by hand, for $z^{[2]} = (-0.0486728367, -0.0232914279)$ and $y = (0.1, 0.9)$. `answer` is the list of its two numbers, to
six digits.

Which factor appears that cross-entropy had canceled, and what does it do when an output is very wrong?
""",
    stub="answer = [None, None]  # delta_1, delta_2 of layer 2\n",
    solution="""
z = np.array([-0.04867283671263742, -0.02329142792400979])
y = np.array([0.1, 0.9])
y_hat = 1 / (1 + np.exp(-z))
answer = 2 / 2 * (y_hat - y) * y_hat * (1 - y_hat)
""",
    hint=r"$\partial J/\partial \hat y_j = \frac2K (\hat y_j - y_j)$. Then (3.2).",
    derivation=r"""
$\delta_j = \frac2K (\hat y_j - y_j)\, \hat y_j (1 - \hat y_j)$. With our numbers
$\delta_1 = 0.3878341925 \cdot 0.4878341925 \cdot 0.5121658075 = 0.0969011454$ and
$\delta_2 = -0.4058225938 \cdot 0.4941774062 \cdot 0.5058225938 = -0.1014418904$. The factor $\hat y (1 - \hat y)$ stays. For an
output near 1 whose target is 0 it is nearly 0: the worst errors are corrected most slowly.
""",
    tests=(value("both numbers", points=2, rtol=1e-5),),
    wrong=(
        Wrong(
            "local-derivative-only",
            " * y_hat * (1 - y_hat)",
            "",
            "This is the gradient at the output. The way through the sigmoid, its derivative, is missing.",
            r"$\delta$ stands before the activation, $\partial J/\partial z$.",
        ),
        Wrong(
            "mean-for-sum",
            "2 / 2 *",
            "1 / 2 *",
            "The factor 2 of the square's derivative is missing.",
            "The derivative of u² is 2u.",
        ),
        Wrong(
            "sum-for-mean",
            "2 / 2 *",
            "2 *",
            "The loss is the mean over the two outputs; this is the gradient of the sum.",
        ),
        Wrong("sign-of-the-gradient", "(y_hat - y)", "(y - y_hat)"),
        Wrong(
            "derivative-at-z-not-a",
            "y_hat * (1 - y_hat)",
            "z * (1 - z)",
            "The sigmoid's derivative is σ(z)(1 - σ(z)); here z itself stands in it.",
        ),
    ),
    after="Compute both losses' gradients at z = 10 for the target 0: one is 0.99995, the other below 0.0001.",
)

ONE_CHOICE = Task(
    id="4.3",
    title="One choice instead of two questions",
    kind="number",
    minutes=10,
    difficulty=1,
    practises="softmax and cross-entropy by hand",
    statement=r"""
Let the 2-2-2 network end in a softmax over its two outputs, with cross-entropy against $y = (0.1, 0.9)$. Compute $p$, the loss and
$\delta^{[2]}$, from the $z^{[2]} = (-0.0486728367, -0.0232914279)$ of the text. `answer` is a list of five numbers, to six digits:
$p_1$, $p_2$, the loss, $\delta_1$, $\delta_2$.
""",
    stub="answer = [None, None, None, None, None]  # p_1, p_2, loss, delta_1, delta_2\n",
    solution="""
z = np.array([-0.04867283671263742, -0.02329142792400979])
y = np.array([0.1, 0.9])
p = np.exp(z) / np.exp(z).sum()
loss = -(y * np.log(p)).sum()
answer = [*p, loss, *(p - y)]
""",
    hint="(4.10) and (4.9).",
    derivation=r"""
$z_1 - z_2 = -0.0486728367 + 0.0232914279 = -0.0253814088$, so $p_1 = \sigma(-0.0253814088) = 0.4936549884$ and
$p_2 = 0.5063450116$. The loss is $-0.1 \ln p_1 - 0.9 \ln p_2 = 0.6830751419$, and
$\delta = p - y = [0.3936549884, -0.3936549884]$: two numbers, one degree of freedom.
""",
    tests=(value("five numbers", points=2, rtol=1e-5),),
    wrong=(
        Wrong(
            "",
            "np.exp(z) / np.exp(z).sum()",
            "1 / (1 + np.exp(-z))",
            "Each probability is a sigmoid of its own: two questions. They do not sum to 1.",
            "Divide the exponentials by their sum.",
        ),
        Wrong("cross-entropy-sign", "-(y *", "(y *"),
        Wrong("cross-entropy-log-base-two", "np.log(p)", "np.log2(p)"),
        Wrong("sign-of-the-gradient", "(p - y)", "(y - p)"),
        Wrong(
            "mean-for-sum",
            "np.log(p)).sum()",
            "np.log(p)).mean()",
            "The loss of one sample is the sum over its classes; this is half of it.",
        ),
    ),
    after="With three classes, how many degrees of freedom has delta?",
)

DIVERGENCE = Task(
    id="4.4",
    title="The divergence is never negative",
    kind="proof",
    minutes=20,
    difficulty=2,
    practises="an inequality from one tangent",
    statement=r"""
Show that $\operatorname{KL}(y \,\|\, p) = \sum_i y_i \ln (y_i / p_i) \ge 0$ for distributions $y$ and $p$, with equality only for
$p = y$. Is it symmetric?
""",
    solution="""
def kl(a, b):
    return float((a * np.log(a / b)).sum())


rng = np.random.default_rng(0)
one = np.ones(5)
pairs = [(rng.dirichlet(one), rng.dirichlet(one)) for _ in range(1000)]
assert min(kl(a, b) for a, b in pairs) > 0
assert all(abs(kl(a, a)) < 1e-15 for a, _ in pairs)
half, skewed = np.array([0.5, 0.5]), np.array([0.9, 0.1])
assert round(kl(half, skewed), 4) == 0.5108
assert round(kl(skewed, half), 4) == 0.3681
""",
    hint=r"$\ln u \le u - 1$, with equality only at $u = 1$. Use it on $u = p_i / y_i$.",
    derivation=r"""
$-\operatorname{KL} = \sum_i y_i \ln (p_i / y_i) \le \sum_i y_i (p_i / y_i - 1) = \sum_i p_i - \sum_i y_i = 0$, the sums over all $i$ with
$y_i > 0$ (the others add nothing to KL, and leave $\sum_i p_i \le 1$). Equality needs $p_i = y_i$ for every $i$ with $y_i > 0$, and these
already sum to 1. It is not symmetric: for $y = (0.5, 0.5)$ and $p = (0.9, 0.1)$ the two directions give 0.5108 and 0.3681.
""",
    rubric=(
        ("an inequality for the logarithm is used in the right direction, and proven or named (tangent, or Jensen)", 1),
        ("the sum of the right-hand sides is carried out and gives 0", 1),
        ("equality: from equality in each term to p = y; terms with y_i = 0 are mentioned", 1),
        ("not symmetric: one pair with both numbers", 1),
    ),
    after="When is KL infinite? What does that ask of a model's probabilities?",
)

ANY_WEIGHTS = Task(
    id="4.5",
    title="Targets that do not sum to one",
    kind="code",
    minutes=10,
    difficulty=2,
    practises="the gradient of log-sum-exp, counted",
    statement=r"""
(4.9) assumed $\sum_i y_i = 1$. What is $\partial \ell/\partial x_i$ for $\ell = -\sum_i y_i \ln p_i$ with any weights $y_i$? Write
`gradient(x, y)` for a vector of logits `x` and weights `y`.

For $x = (0, 0)$ and $y = (3, 1)$ it is $(-1, 1)$.

When does a constant shift of the logits still do nothing?
""",
    name="gradient",
    stub='''
def gradient(x, y):
    """The gradient of -sum(y * log(softmax(x))) with respect to x.

    x, y: (C,). Returns (C,).
    """
    raise NotImplementedError
''',
    solution="""
def gradient(x, y):
    e = np.exp(x - x.max())
    p = e / e.sum()
    return p * y.sum() - y
""",
    hint=r"$\ln p_i = x_i - \operatorname{lse}(x)$. Count how often $\operatorname{lse}$ occurs.",
    derivation=r"""
$\ell = \operatorname{lse}(x) \sum_k y_k - \sum_i y_i x_i$, so $\partial \ell/\partial x_i = p_i \sum_k y_k - y_i$. Its sum over
$i$ is $\sum_k y_k - \sum_i y_i = 0$: the shift still does nothing, always, because $p$ does not change.
""",
    tests=(
        Test("two equal logits", given([0.0, 0.0], [3.0, 1.0])),
        Test("four classes", distributions(4), points=2, labels={"the number of classes": 4}),
        Test("weights of both signs", given([1.0, 0.0, -1.0], [0.5, -2.0, 1.0]), hidden=True),
        Test("large logits", given([1000.0, 0.0, 999.0], [0.5, 2.0, 1.0]), hidden=True),
    ),
    wrong=(
        Wrong(
            "",
            "p * y.sum() - y",
            "p - y",
            "This is the gradient for weights that sum to 1: log-sum-exp was counted once.",
            "Every term holds a log-sum-exp, with its own weight.",
        ),
        Wrong("sign-of-the-gradient", "p * y.sum() - y", "y - p * y.sum()"),
        Wrong(
            "",
            "p * y.sum() - y",
            "p - y / y.sum()",
            "The weights were divided by their sum: the gradient of another loss, smaller by that factor.",
            "Multiply by the sum of the weights, and divide by nothing.",
        ),
        Wrong("softmax-not-stable", "x - x.max()", "x"),
    ),
    after="The loss of a vocabulary where classes are weighted by how rare they are is of this form: which y has it?",
)

CROSS_ENTROPY = Task(
    id="4.14",
    title="Cross-entropy and its gradient in one",
    kind="code",
    minutes=40,
    difficulty=3,
    practises="a loss over a batch, with targets ignored",
    statement=r"""
Write `cross_entropy(x, t, ignored)` for logits `(N, C)` and targets `(N,)`. It returns the mean of $-\ln p_{n, t_n}$ over the rows whose
target is not `ignored`, and the gradient of that mean with respect to the logits, in one pass: the exponentials are computed once. Rows
that are ignored have gradient 0, and if all are ignored the loss is 0. Loss and gradient hold for logits of any size.

For the one row $(0, 0)$ and target 0: loss $\ln 2$, gradient $(-0.5, 0.5)$.
""",
    name="cross_entropy",
    stub='''
def cross_entropy(x, t, ignored):
    """The mean cross-entropy of the rows that count, and its gradient.

    x: (N, C), logits; t: (N,), integers in 0 ... C-1 or equal to ignored;
    ignored: a number below 0.
    Returns the loss, a number, and the gradient (N, C).
    """
    raise NotImplementedError
''',
    solution="""
def cross_entropy(x, t, ignored):
    counts = t != ignored
    n = max(counts.sum(), 1)
    rows = np.flatnonzero(counts)
    z = x - x.max(axis=1, keepdims=True)
    e = np.exp(z)
    total = e.sum(axis=1, keepdims=True)
    losses = np.log(total[:, 0])[rows] - z[rows, t[rows]]
    g = e / total
    g[rows, t[rows]] -= 1
    g[~counts] = 0
    return float(losses.sum() / n), g / n
""",
    hint=r"The loss is $\operatorname{lse}(x) - x_t$, and the shift by the maximum falls out of it. What is divided by the number of rows?",
    derivation=r"""
By (4.8) with a one-hot target $\ell_n = \operatorname{lse}(x_n) - x_{n, t_n}$; with $z = x - M$ both parts lose the same $M$, so
$\ell_n = \ln \sum_j e^{z_{nj}} - z_{n, t_n}$, and no probability's logarithm is ever taken. The gradient of one row is $p_n - y_n$,
(4.9): 1 is subtracted in the target's place. The mean over the $m$ rows that count divides loss and gradient by $m$, and a row that
does not occur in the loss has gradient 0. A target of $-1$ is a valid index in NumPy (the last class): it must not be used as one.
""",
    tests=(
        Test("one row, two classes", classes([[0.0, 0.0]], [0], -1)),
        Test("a batch", labelled(4, 3, -1), points=2, labels={"the batch": 4, "the number of classes": 3}),
        Test(
            "a batch with ignored targets",
            labelled(5, 3, -1, ignored=2),
            points=2,
            labels={"the batch": 5, "rows that count": 3, "the number of classes": 3},
        ),
        Test("large logits", classes([[1000.0, 0.0, -1000.0], [0.0, 200.0, 100.0]], [2, 0], -100), hidden=True),
        Test("everything ignored", classes([[1.0, 2.0], [0.5, 0.0]], [-1, -1], -1), hidden=True),
        Test(
            "one row counts of three", labelled(3, 4, -100, ignored=2, mark=-100), hidden=True, labels={"the batch": 3}
        ),
    ),
    wrong=(
        Wrong("ignored-targets-counted", "max(counts.sum(), 1)", "len(t)"),
        Wrong("gradient-not-divided-by-batch", "g / n", "g"),
        Wrong(
            "ignored-targets-counted",
            "    g[~counts] = 0\n",
            "",
            "The gradient of ignored rows is their probabilities; these rows do not occur in the loss.",
            "Set the rows that do not count to 0.",
        ),
        Wrong("softmax-not-stable", "x - x.max(axis=1, keepdims=True)", "x.copy()"),
        Wrong("target-not-subtracted", "    g[rows, t[rows]] -= 1\n", ""),
        Wrong(
            "cross-entropy-sign",
            "np.log(total[:, 0])[rows] - z[rows, t[rows]]",
            "z[rows, t[rows]] - np.log(total[:, 0])[rows]",
        ),
        Wrong(
            "log-of-softmax-not-stable",
            "np.log(total[:, 0])[rows] - z[rows, t[rows]]",
            "-np.log((e / total)[rows, t[rows]])",
        ),
        Wrong(
            "sum-for-mean",
            "losses.sum() / n",
            "losses.sum()",
            "The loss is the sum over the rows; asked is the mean.",
        ),
        Wrong(
            "gradient-divided-by-all",
            "g / n\n",
            "g / len(t)\n",
            why="The loss was divided by the rows that count, its gradient by all rows. It must be the same number.",
            look="The two divisions.",
        ),
        Wrong(
            "epsilon-in-the-log",
            "np.log(total[:, 0])[rows] - z[rows, t[rows]]",
            "-np.log((e / total)[rows, t[rows]] + 1e-9)",
        ),
        Wrong(
            "clip-in-the-log",
            "np.log(total[:, 0])[rows] - z[rows, t[rows]]",
            "-np.log(np.clip((e / total)[rows, t[rows]], 1e-12, 1))",
        ),
    ),
    after="Compare with `ml.nn.functional.cross_entropy` and its argument `ignore_index`.",
)

BINARY = Task(
    id="4.15",
    title="Yes or no, from logits",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="digits kept where a loss is tiny",
    statement=r"""
Write `binary_cross_entropy(x, y)` for logits `x` and targets `y` between 0 and 1, both `(N,)`: the mean of
$-y \ln \sigma(x) - (1 - y) \ln (1 - \sigma(x))$ over the $N$ elements, and its gradient with respect to $x$. No logit may make it overflow,
and a tiny loss keeps its digits: for $x = 40$, $y = 1$ it is $4.248 \cdot 10^{-18}$ and not 0.

For $x = (0)$, $y = (1)$: loss $\ln 2$, gradient $(-0.5)$.
""",
    name="binary_cross_entropy",
    stub='''
def binary_cross_entropy(x, y):
    """The mean loss of N yes-or-no questions, and its gradient.

    x, y: (N,). Returns the loss, a number, and the gradient (N,).
    The gradient has the dtype of x.
    """
    raise NotImplementedError
''',
    solution="""
def binary_cross_entropy(x, y):
    small = np.exp(-np.abs(x))
    losses = np.maximum(x, 0) - x * y + np.log1p(small)
    sigma = np.where(x > 0, 1 / (1 + small), small / (1 + small))
    return float(losses.mean()), (sigma - y) / len(x)
""",
    hint="Put the two logarithms together on paper. Make the exponent negative for either sign of x. How is ln(1 + u) computed for tiny u?",
    derivation=r"""
$\ln \sigma(x) = -\ln(1 + e^{-x})$ and $\ln (1 - \sigma(x)) = -x - \ln(1 + e^{-x})$, so the loss is $(1 - y)\, x + \ln(1 + e^{-x})$. For
negative $x$ pull $e^{-x}$ out of the logarithm: $\ln(1 + e^{-x}) = -x + \ln(1 + e^{x})$. Both signs in one:
$\ell = \max(x, 0) - x y + \ln(1 + e^{-\lvert x \rvert})$. The exponent is never positive. $1 + e^{-40}$ rounds to 1, and its logarithm to
0; `log1p` computes $\ln(1 + u)$ without forming $1 + u$. The gradient is $\sigma(x) - y$, divided by $N$ for the mean.
""",
    tests=(
        Test("one question", given([0.0], [1.0])),
        Test("five questions", yes_or_no(5), points=2, labels={"the batch": 5}),
        Test("targets between 0 and 1", given([0.5, -2.0, 3.0], [0.25, 0.5, 1.0])),
        Test("logits of 1000 and -1000", given([1000.0, -1000.0, 1000.0, -1000.0], [1.0, 1.0, 0.0, 0.0]), hidden=True),
        Test(
            "a tiny loss",
            given([40.0], [1.0]),
            hidden=True,
            use=lambda answer, x, y: answer(x, y)[0],
            call="binary_cross_entropy(x, y)[0]",
            rtol=1e-6,
            atol=1e-30,
        ),
        Test("float32", yes_or_no(4, "float32"), hidden=True, rtol=1e-4, atol=1e-6),
    ),
    wrong=(
        Wrong(
            "sigmoid-overflows",
            "small = np.exp(-np.abs(x))",
            "small = np.exp(-x)",
            "The exponent lacks the absolute value: for negative logits the formula is another one, and for large ones it overflows.",
        ),
        Wrong(
            "log-of-softmax-not-stable",
            "np.maximum(x, 0) - x * y + np.log1p(small)",
            "-y * np.log(1 / (1 + np.exp(-x))) - (1 - y) * np.log(1 - 1 / (1 + np.exp(-x)))",
            "The logarithm of a probability that has been rounded: to 0 or 1 for large logits, and then it is infinite or 0.",
            "Put the logarithm and the sigmoid together on paper before you compute.",
        ),
        Wrong(
            "cancellation",
            "np.log1p(small)",
            "np.log(1 + small)",
            "1 + exp(-40) rounds to 1: the digits of the small number are gone before the logarithm is taken.",
            "NumPy has a function for the logarithm of 1 plus something small.",
        ),
        Wrong("gradient-not-divided-by-batch", "(sigma - y) / len(x)", "sigma - y"),
        Wrong("sum-for-mean", "losses.mean()", "losses.sum()"),
        Wrong("sign-of-the-gradient", "(sigma - y)", "(y - sigma)"),
        Wrong(
            "clip-in-the-log",
            "losses = np.maximum(x, 0) - x * y + np.log1p(small)\n    sigma = np.where(x > 0, 1 / (1 + small), small / (1 + small))",
            (
                "sigma = np.where(x > 0, 1 / (1 + small), small / (1 + small))\n"
                "    q = np.clip(sigma, 1e-12, 1 - 1e-12)\n    losses = -y * np.log(q) - (1 - y) * np.log(1 - q)"
            ),
        ),
        Wrong(
            "epsilon-in-the-log",
            "losses = np.maximum(x, 0) - x * y + np.log1p(small)\n    sigma = np.where(x > 0, 1 / (1 + small), small / (1 + small))",
            (
                "sigma = np.where(x > 0, 1 / (1 + small), small / (1 + small))\n"
                "    losses = -y * np.log(sigma + 1e-8) - (1 - y) * np.log(1 - sigma + 1e-8)"
            ),
        ),
    ),
    after="How large may x be in float32 before the loss of a right answer is 0 in spite of log1p?",
)

SMOOTHING = Task(
    id="4.16",
    title="Label smoothing, and what is left of the loss",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="entropy, divergence, soft targets",
    statement=r"""
With label smoothing the target of a row is $1 - \alpha$ for its class plus $\alpha / C$ for every class, its own among them. Write
`smoothed_divergence(x, t, alpha)` for logits `(N, C)` and classes `(N,)`: the mean of $\operatorname{KL}(y_n \,\|\, p_n)$ over the rows,
(4.12), and its gradient with respect to the logits. $\alpha = 0$ is allowed, with $0 \ln 0 = 0$.

For the one row $(0, 0)$, class 0 and $\alpha = 0.2$: $y = (0.9, 0.1)$, the divergence is 0.3681, the gradient $(-0.4, 0.4)$.
""",
    name="smoothed_divergence",
    stub='''
def smoothed_divergence(x, t, alpha):
    """The mean divergence of the model from smoothed targets, and its gradient.

    x: (N, C), logits; t: (N,), classes; alpha: from 0 to below 1.
    Returns a number and (N, C).
    """
    raise NotImplementedError
''',
    solution="""
def smoothed_divergence(x, t, alpha):
    N, C = x.shape
    y = np.full((N, C), alpha / C)
    y[np.arange(N), t] += 1 - alpha
    z = x - x.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    log_y = np.log(np.where(y > 0, y, 1.0))
    return (y * (log_y - log_p)).sum() / N, (np.exp(log_p) - y) / N
""",
    hint="Which part of (4.12) depends on the logits? For the logarithm of a target that is 0, any finite number will do: why?",
    derivation=r"""
$\operatorname{KL}(y\,\|\,p) = \sum_i y_i \ln y_i - \sum_i y_i \ln p_i$. The first sum does not depend on the logits, so the gradient is the
cross-entropy's, $p - y$ by (4.9), since $\sum_i y_i = (1 - \alpha) + C \cdot \alpha / C = 1$. The mean divides by $N$. Where $y_i = 0$ the
term is 0, so the logarithm is taken of 1 there. Unlike the cross-entropy of smoothed targets, whose least value is their entropy, the
divergence is 0 for a model that gives exactly $y$.
""",
    tests=(
        Test("one row, two classes", classes([[0.0, 0.0]], [0], 0.2)),
        Test("a batch", labelled(4, 3, 0.1), points=2, labels={"the batch": 4, "the number of classes": 3}),
        Test("no smoothing", labelled(3, 5, 0.0), hidden=True, labels={"the batch": 3, "the number of classes": 5}),
        Test("large logits", classes([[800.0, 0.0, -800.0]], [1], 0.3), hidden=True),
        Test(
            "a model that gives the targets",
            lambda rng: (np.log(np.array([[0.9, 0.05, 0.05], [0.05, 0.05, 0.9]])), np.array([0, 2]), 0.15),
            hidden=True,
        ),
    ),
    wrong=(
        Wrong(
            "",
            "y * (log_y - log_p)",
            "-y * log_p",
            "This is the cross-entropy. The divergence is what remains of it without the entropy of the targets.",
            "(4.12): which of its parts is asked for?",
        ),
        Wrong(
            "",
            "np.full((N, C), alpha / C)",
            "np.full((N, C), alpha / (C - 1))",
            "The smoothing was shared among the other classes alone; then the targets do not sum to 1 with $1 - \\alpha$ on top.",
            "Every class gets $\\alpha / C$, the row's own as well.",
        ),
        Wrong(
            "",
            "(y * (log_y - log_p)).sum()",
            "(np.exp(log_p) * (log_p - log_y)).sum()",
            "The two distributions are exchanged: this is KL(p ‖ y), and it is not symmetric.",
            "The weights in front of the logarithm are the targets'.",
        ),
        Wrong("log-of-zero", "np.log(np.where(y > 0, y, 1.0))", "np.log(y)"),
        Wrong("gradient-not-divided-by-batch", "(np.exp(log_p) - y) / N", "np.exp(log_p) - y"),
        Wrong(
            "target-not-subtracted",
            "y[np.arange(N), t] += 1 - alpha",
            "y[np.arange(N), t] = 1 - alpha",
            "The class's own share of the smoothing is overwritten: the targets of a row sum to less than 1.",
            "Add to what is there.",
        ),
        Wrong(
            "",
            "(y * (log_y - log_p)).sum() / N",
            "(y * (log_y - log_p)).mean()",
            why="The mean was taken over all N times C numbers. It is one over the rows; over the classes it is a sum.",
            look="What is divided by N, and what by N C.",
        ),
    ),
    after="What are the logits of a model whose divergence is 0? Why do they stay finite, where one-hot targets drive them to infinity?",
)

TASKS: tuple[Task, ...] = (ANOTHER_LOSS, ONE_CHOICE, DIVERGENCE, ANY_WEIGHTS, CROSS_ENTROPY, BINARY, SMOOTHING)
