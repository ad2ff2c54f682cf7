"""Optimizers: from a plain step to AdamW."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong


def step_of(shapes: tuple[tuple[int, ...], ...], lr: float, dtype: str = "float64") -> Any:
    """Parameters and gradients of these shapes, and a rate."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        ps, gs = ([rng.standard_normal(s).astype(dtype) for s in shapes] for _ in range(2))
        return ps, gs, lr

    return inputs


def in_place(answer: Any, parameters: Any, gradients: Any, lr: float) -> Any:
    """The same arrays, after the call."""
    arrays = list(parameters)
    answer(parameters, gradients, lr)
    return arrays, gradients


SGD_STEP = Task(
    id="2.10",
    title="A step of gradient descent",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="updating arrays in place",
    statement=r"""
Write `sgd_step(parameters, gradients, lr)`, one step of (2.9) for a list of arrays. The parameters are changed *in place*, since the
network holds the same arrays; the gradients stay as they are. Nothing is returned.

A parameter of 1, a gradient of 2 and a rate of 0.1 give 0.8.
""",
    stub='''
def sgd_step(parameters, gradients, lr):
    """One step of gradient descent. Changes each array of `parameters` in place.

    parameters, gradients: lists of arrays, the gradient of each parameter in its
    shape.
    """
    raise NotImplementedError
''',
    solution="""
def sgd_step(parameters, gradients, lr):
    for p, g in zip(parameters, gradients):
        p -= lr * g
""",
    name="sgd_step",
    hint="Which of `p = p - x`, `p -= x` and `p[...] = p - x` change the array, and which only the name?",
    derivation=r"""
The step is $p - \eta g$ for each array. `p = p - lr * g` computes it, but binds the name `p` of the loop to a new array; the old one,
which the list and the network hold, stays as it was. `p -= lr * g` and `p[...] = p - lr * g` write into the array itself.
""",
    tests=(
        Test(
            "one number",
            lambda rng: ([np.array([1.0])], [np.array([2.0])], 0.1),
            use=in_place,
            call="sgd_step(parameters, gradients, 0.1); then both lists",
            unchanged=False,
        ),
        Test(
            "a matrix and a bias",
            step_of(((3, 2), (3,)), 0.1),
            use=in_place,
            call="sgd_step(parameters, gradients, 0.1); then both lists",
            unchanged=False,
            points=2,
        ),
        Test(
            "float32",
            step_of(((2, 4), (2,)), 0.5, "float32"),
            use=in_place,
            call="sgd_step(parameters, gradients, 0.5); then both lists",
            unchanged=False,
            hidden=True,
        ),
    ),
    wrong=(
        Wrong("parameters-rebound-not-updated", "p -= lr * g", "p = p - lr * g"),
        Wrong("update-with-plus", "p -= lr * g", "p += lr * g"),
        Wrong(
            "input-changed-in-place",
            "        p -= lr * g\n",
            "        g *= lr\n        p -= g\n",
            why="The gradient was scaled in place. The parameters are right, but the next reader of the gradient finds another one.",
        ),
        Wrong(
            "parameters-rebound-not-updated",
            "    for p, g in zip(parameters, gradients):\n        p -= lr * g\n",
            "    for i, g in enumerate(gradients):\n        parameters[i] = parameters[i] - lr * g\n        gradients[i] = g\n",
            why="The list got new arrays. The network still holds the old ones, and they have not changed.",
        ),
        Wrong("argument-ignored", "lr * g", "g"),
    ),
    after="What does `W -= lr * g` do to an array that is a view of another? Try it on a slice.",
)


def walk(n: int, steps: int) -> Any:
    """A place, and a gradient for each step."""
    return lambda rng: (rng.standard_normal(n), rng.standard_normal((steps, n)))


def follow(answer: Any, p: Any, gradients: Any, lr: float = 0.1, mu: float = 0.9) -> Any:
    """Where the steps lead."""
    optimizer, path = answer(lr, mu), []
    for g in gradients:
        p = optimizer.step(p, g)
        path.append(np.array(p))
    return path


def cut(answer: Any, p: Any, gradients: Any) -> Any:
    """The rate is cut to a tenth after two steps."""
    optimizer, path = answer(0.1, 0.9), []
    for t, g in enumerate(gradients):
        optimizer.lr = 0.1 if t < 2 else 0.01
        p = optimizer.step(p, g)
        path.append(np.array(p))
    return path


def side_by_side(answer: Any, p: Any, gradients: Any) -> Any:
    """Two optimizers that know nothing of each other."""
    a, b = answer(0.1, 0.9), answer(0.1, 0.5)
    q = p
    for g in gradients:
        p, q = a.step(p, g), b.step(q, -g)
    return p, q


MOMENTUM = Task(
    id="2.11",
    title="Momentum",
    kind="code",
    minutes=20,
    difficulty=1,
    practises="state that lives between steps",
    statement=r"""
Write a class `Momentum(lr, mu)` whose method `step(p, g)` returns the parameters after one step of (2.12): $u_1 = g_1$,
$u_t = \mu u_{t-1} + g_t$, $p_t = p_{t-1} - \eta\, u_t$. Neither `p` nor `g` is changed. The rate is the attribute `lr`: a schedule may set
it between two steps.

With a rate of 0.1, $\mu = 0.9$ and a gradient that is always 1, a place of 0 moves to $-0.1$, $-0.29$, $-0.561$.
""",
    stub='''
class Momentum:
    """Gradient descent with momentum."""

    def __init__(self, lr, mu):
        raise NotImplementedError

    def step(self, p, g):
        """The parameters after one step, a new array. p, g: (n,)."""
        raise NotImplementedError
''',
    solution="""
class Momentum:
    def __init__(self, lr, mu):
        self.lr, self.mu = lr, mu
        self.b = 0.0

    def step(self, p, g):
        self.b = self.mu * self.b + g
        return p - self.lr * self.b
""",
    name="Momentum",
    hint="What must the object remember from one step to the next, and where in the class does it begin?",
    derivation=r"""
Unrolled, $u_t = \sum_{s \le t} \mu^{t-s} g_s$: old gradients fade by $\mu$ per step. For a constant gradient it grows to
$g / (1 - \mu)$, ten times $g$ for $\mu = 0.9$. The rate multiplies $u$ as a whole, when the step is made; kept within the memory
it would be the rate of the past, and a cut of the rate would take effect late (exercise 2.6).
""",
    tests=(
        Test("one step", walk(1, 1), use=follow, call="Momentum(0.1, 0.9), one step"),
        Test(
            "a gradient that is always 1",
            lambda rng: (np.zeros(1), np.ones((3, 1))),
            use=follow,
            call="Momentum(0.1, 0.9), three steps",
        ),
        Test("five steps in three directions", walk(3, 5), use=follow, call="Momentum(0.1, 0.9), five steps", points=2),
        Test(
            "the rate is cut between steps",
            walk(2, 4),
            use=cut,
            call="Momentum(0.1, 0.9), two steps, two more with lr = 0.01",
            hidden=True,
        ),
        Test(
            "two optimizers side by side",
            walk(2, 3),
            use=side_by_side,
            call="Momentum(0.1, 0.9) and Momentum(0.1, 0.5)",
            hidden=True,
        ),
    ),
    wrong=(
        Wrong("momentum-without-memory", "self.mu * self.b + g", "g"),
        Wrong(
            "learning-rate-inside-the-velocity",
            "self.mu * self.b + g\n        return p - self.lr * self.b",
            "self.mu * self.b + self.lr * g\n        return p - self.b",
        ),
        Wrong("nesterov-as-momentum", "return p - self.lr * self.b", "return p - self.lr * (g + self.mu * self.b)"),
        Wrong(
            "momentum-dampened",
            "self.mu * self.b + g",
            "self.mu * self.b + (1 - self.mu) * g",
            why="The gradient was multiplied by 1 - mu, as in Adam's mean. In (2.12) it counts fully.",
            look="The first step.",
        ),
        Wrong(
            "state-kept-between-calls",
            "        self.b = 0.0\n\n    def step(self, p, g):\n        self.b = self.mu * self.b + g",
            "\n    b = np.zeros(1)\n\n    def step(self, p, g):\n        Momentum.b = self.mu * self.b + g",
            why="The memory belongs to the class: all optimizers share it, and a new one begins with what the last one left.",
        ),
        Wrong(
            "",
            "self.mu * self.b + g",
            "self.mu * (self.b + g)",
            why="The new gradient was multiplied by mu too. Only the old sum is.",
            look="The brackets: the first step must be the rate times g.",
        ),
    ),
    after="Write Nesterov's (2.16): one line changes.",
)


def follow_adam(answer: Any, p: Any, gradients: Any, lr: float, betas: tuple[float, float], eps: float) -> Any:
    optimizer, path = answer(lr, betas, eps), []
    for g in gradients:
        p = optimizer.step(p, g)
        path.append(np.array(p))
    return path


def adam_walk(n: int, steps: int, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8) -> Any:
    return lambda rng: (rng.standard_normal(n), rng.standard_normal((steps, n)), 0.1, betas, eps)


ADAM = Task(
    id="2.12",
    title="Adam",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="two moving means and their correction",
    statement=r"""
Write a class `Adam(lr, betas, eps)` whose method `step(p, g)` returns the parameters after one step of (2.19). Neither `p` nor `g` is
changed.

Whatever the size of the first gradient, the first step is as long as the rate (2.20): from 0 with a rate of 0.1 and a gradient of 3 it
leads to $-0.1$.
""",
    stub='''
class Adam:
    """Adam, with the correction of both means."""

    def __init__(self, lr, betas, eps):
        raise NotImplementedError

    def step(self, p, g):
        """The parameters after one step, a new array. p, g: (n,)."""
        raise NotImplementedError
''',
    solution="""
class Adam:
    def __init__(self, lr, betas, eps):
        self.lr, self.betas, self.eps = lr, betas, eps
        self.m, self.v, self.t = 0.0, 0.0, 0

    def step(self, p, g):
        beta1, beta2 = self.betas
        self.t += 1
        self.m = beta1 * self.m + (1 - beta1) * g
        self.v = beta2 * self.v + (1 - beta2) * g**2
        m_hat = self.m / (1 - beta1**self.t)
        v_hat = self.v / (1 - beta2**self.t)
        return p - self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
""",
    name="Adam",
    hint="Three things live between steps: two means and a number. The corrected means are used and not kept.",
    derivation=r"""
From $m_0 = 0$, $m_t = (1 - \beta_1) \sum_{s \le t} \beta_1^{t-s} g_s$; the weights sum to $1 - \beta_1^t$ and not to 1, so the division by
it makes $\hat m_t$ a true weighted mean. The same holds for $v$. In the first step $\hat m_1 = g_1$ and $\hat v_1 = g_1^2$, so the step is
$\eta\, g_1 / (|g_1| + \epsilon)$.
""",
    tests=(
        Test(
            "one step",
            lambda rng: (np.zeros(1), np.array([[3.0]]), 0.1, (0.9, 0.999), 1e-8),
            use=follow_adam,
            call="Adam(0.1, (0.9, 0.999), 1e-8), one step",
        ),
        Test(
            "three steps", adam_walk(2, 3), use=follow_adam, call="Adam(0.1, (0.9, 0.999), 1e-8), three steps", points=2
        ),
        Test(
            "an eps that matters",
            adam_walk(3, 2, eps=0.1),
            use=follow_adam,
            call="Adam(0.1, (0.9, 0.999), 0.1), two steps",
        ),
        Test(
            "other betas",
            adam_walk(3, 6, (0.8, 0.95)),
            use=follow_adam,
            call="Adam(0.1, (0.8, 0.95), 1e-8), six steps",
            hidden=True,
        ),
        Test(
            "a gradient of zero",
            lambda rng: (np.ones(2), np.array([[0.0, 1.0], [0.0, 2.0]]), 0.1, (0.9, 0.999), 1e-8),
            use=follow_adam,
            call="Adam(0.1, (0.9, 0.999), 1e-8), two steps",
            hidden=True,
        ),
    ),
    wrong=(
        Wrong(
            "adam-without-correction",
            "        m_hat = self.m / (1 - beta1**self.t)\n        v_hat = self.v / (1 - beta2**self.t)\n",
            "        m_hat, v_hat = self.m, self.v\n",
        ),
        Wrong(
            "adam-correction-off-by-one", "self.m, self.v, self.t = 0.0, 0.0, 0", "self.m, self.v, self.t = 0.0, 0.0, 1"
        ),
        Wrong("adam-root-before-epsilon", "(np.sqrt(v_hat) + self.eps)", "np.sqrt(v_hat + self.eps)"),
        Wrong(
            "adam-moments-swapped", "m_hat / (np.sqrt(v_hat) + self.eps)", "v_hat / (np.sqrt(np.abs(m_hat)) + self.eps)"
        ),
        Wrong("adam-square-forgotten", "(1 - beta2) * g**2", "(1 - beta2) * np.abs(g)"),
        Wrong(
            "corrected-mean-kept",
            "        m_hat = self.m / (1 - beta1**self.t)\n",
            "        m_hat = self.m = self.m / (1 - beta1**self.t)\n",
            why="The corrected mean was kept in place of the mean itself, so it is corrected again and again.",
            look="What `self.m` holds after the step.",
        ),
        Wrong(
            "",
            "(1 - beta1**self.t)",
            "(1 - beta1)",
            why="The correction is that of the first step in every step: beta is not taken to the power t.",
            look="The second step.",
        ),
        Wrong(
            "adam-correction-off-by-one",
            (
                "        self.t += 1\n        self.m = beta1 * self.m + (1 - beta1) * g\n"
                "        self.v = beta2 * self.v + (1 - beta2) * g**2\n        m_hat = self.m / (1 - beta1**self.t)\n"
                "        v_hat = self.v / (1 - beta2**self.t)\n"
            ),
            (
                "        self.m = beta1 * self.m + (1 - beta1) * g\n"
                "        self.v = beta2 * self.v + (1 - beta2) * g**2\n        m_hat = self.m / (1 - beta1**self.t)\n"
                "        v_hat = self.v / (1 - beta2**self.t)\n        self.t += 1\n"
            ),
            why="At the first step t is still 0, so it is divided by 1 - beta**0 = 0. The first step is number 1.",
            look="Where t is counted up: before it is used.",
        ),
        Wrong(
            "",
            "beta1, beta2 = self.betas",
            "beta2, beta1 = self.betas",
            why="The two betas have changed places: the first is for the mean of gradients, the second for that of their squares.",
            look="The order in which `betas` is unpacked.",
        ),
    ),
    after="Follow Adam on a gradient that is 1 in one step and -1 in the next. How far does it get?",
)

DECAY = Task(
    id="2.13",
    title="Weight decay, inside Adam and beside it",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="AdamW against an L2 penalty",
    statement=r"""
Write `step(p, g, m, v, t, lr, decay, decoupled)`: step number $t$ (from 1) of Adam with $\beta_1 = 0.9$, $\beta_2 = 0.999$,
$\epsilon = 10^{-8}$, with weight decay $\lambda$. Decoupled, it is AdamW's (2.21); else $\lambda p$ is added to the gradient. Return the
new `p`, `m` and `v`; nothing is changed in place.

How much does a weight of 1 shrink by the decay in the first step with $g = 1000$, $\eta = 0.01$, $\lambda = 0.1$, in each of the two?
""",
    stub='''
def step(p, g, m, v, t, lr, decay, decoupled):
    """One step of AdamW (decoupled) or of Adam with an L2 penalty: the new p, m, v.

    p, g, m, v: (n,). t: 1, 2, ... decoupled: a bool.
    """
    raise NotImplementedError
''',
    solution="""
def step(p, g, m, v, t, lr, decay, decoupled):
    if decoupled:
        p = p - lr * decay * p
    else:
        g = g + decay * p
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
    return p - lr * m_hat / (np.sqrt(v_hat) + 1e-8), m, v
""",
    name="step",
    hint="In one case the decay goes through the two means, in the other it never meets them.",
    derivation=r"""
A penalty $\frac\lambda2 \sum p^2$ has the gradient $\lambda p$. In plain gradient descent both ways are the same:
$p - \eta (g + \lambda p) = (1 - \eta\lambda) p - \eta g$. In Adam the sum is divided by $\sqrt{\hat v}$. In the first step it becomes its
sign, so with $g = 1000$ the penalty changes next to nothing; AdamW shrinks the weight by $\eta\lambda = 0.001$, whatever its gradient.
""",
    tests=(
        Test(
            "AdamW's first step",
            lambda rng: (np.array([1.0]), np.array([1000.0]), np.zeros(1), np.zeros(1), 1, 0.01, 0.1, True),
        ),
        Test(
            "the penalty's first step",
            lambda rng: (np.array([1.0]), np.array([-0.05]), np.zeros(1), np.zeros(1), 1, 0.01, 0.1, False),
        ),
        Test("AdamW, step 3", lambda rng: (*rng.standard_normal((3, 4)), rng.random(4), 3, 0.1, 0.5, True), points=2),
        Test(
            "the penalty, step 3",
            lambda rng: (*rng.standard_normal((3, 4)), rng.random(4), 3, 0.1, 0.5, False),
            points=2,
        ),
        Test(
            "without decay", lambda rng: (*rng.standard_normal((3, 2)), rng.random(2), 5, 0.1, 0.0, True), hidden=True
        ),
    ),
    wrong=(
        Wrong(
            "decay-in-the-gradient",
            "    if decoupled:\n        p = p - lr * decay * p\n    else:\n        g = g + decay * p\n",
            "    g = g + decay * p\n",
        ),
        Wrong("decay-not-times-rate", "p - lr * decay * p", "p - decay * p"),
        Wrong(
            "update-with-plus",
            "p - lr * decay * p",
            "p + lr * decay * p",
            why="The decay has the wrong sign: weights grow.",
        ),
        Wrong("input-changed-in-place", "p = p - lr * decay * p", "p *= 1 - lr * decay"),
        Wrong(
            "factor-two-missing",
            "g + decay * p",
            "g + 2 * decay * p",
            why="The derivative of lambda p squared was taken. The penalty has a half in front, so that it is lambda p.",
        ),
        Wrong(
            "",
            "        p = p - lr * decay * p\n    else:",
            "        p = p - lr * decay * np.sign(p)\n    else:",
            why="Each weight was moved by the same amount toward 0. That is an L1 penalty; here a weight shrinks in proportion.",
            look="By how much a weight of 2 shrinks, and one of 1.",
        ),
        Wrong(
            "adam-correction-off-by-one",
            "m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)",
            "t -= 1\n    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)",
            why="The exponent is t - 1. At the first step, t = 1, that divides by 1 - 0.9**0 = 0.",
            look="t counts from 1 already.",
        ),
        Wrong(
            "adam-without-correction",
            "m / (1 - 0.9**t), v / (1 - 0.999**t)",
            "m, v",
        ),
    ),
    after="Which parameters of a Transformer would you not decay? (Biases and norms: see exercise 2.17.)",
)

TASKS: tuple[Task, ...] = (SGD_STEP, MOMENTUM, ADAM, DECAY)
