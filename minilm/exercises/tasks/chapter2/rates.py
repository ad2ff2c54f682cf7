"""What theory says of steps: how long they may be, and how two kinds of momentum differ."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong


def matrix(rng: Generator) -> dict[str, Any]:
    side = int(rng.integers(1, 3))
    top, bottom = (int(k) for k in rng.permutation(np.arange(side + 1, side + 6))[:2])
    return {"top": top, "side": side, "bottom": bottom}


EXPLOSION = Task(
    id="2.5",
    title="Predict the explosion",
    kind="number",
    minutes=20,
    difficulty=2,
    practises="eigenvalues and learning rates",
    statement=r"""
For $L(p) = \frac12 p^\top A p$ with
$A = \bigl(\begin{smallmatrix} {top} & {side} \\ {side} & {bottom} \end{smallmatrix}\bigr)$: what is the largest learning
rate, below which gradient descent converges, and which rate is the best? Test both predictions: 400 steps with 0.98 and with 1.02
times the limit.

Set `answer = (limit, best)`. The numbers are in `top`, `side`, `bottom`.
""",
    stub="""
A = np.array([[top, side], [side, bottom]], dtype=float)
limit = None
best = None
answer = (limit, best)
""",
    solution="""
A = np.array([[top, side], [side, bottom]], dtype=float)
smallest, largest = np.linalg.eigvalsh(A)
limit = 2 / largest
best = 2 / (smallest + largest)
answer = (float(limit), float(best))
""",
    hint="Eigenvalues of a symmetric 2 by 2 matrix: half the trace, plus and minus a root.",
    derivation=r"""
By (2.10) a component along an eigenvector is multiplied by $1 - \eta\lambda$ in each step, so it shrinks exactly for
$0 < \eta\lambda < 2$: the limit is $2/\lambda_{\max}$. The best rate makes the two extreme factors equal in size,
$1 - \eta\lambda_{\min} = \eta\lambda_{\max} - 1$, so it is $2 / (\lambda_{\min} + \lambda_{\max})$: for two by two, 2 over the trace.

For the book's matrix with $3, 1, 2$ the trace is 5, the determinant 5: $\lambda = (5 \pm \sqrt 5)/2$, that is 3.618 and 1.382. The limit
is $0.5528$; the best rate is $0.4$, with $\kappa = 2.618$ and $\rho = 0.4472 = 1/\sqrt 5$.
""",
    tests=(
        Test("the limit", use=lambda answer: answer[0], call="limit", rtol=1e-3, points=2),
        Test("the best rate", use=lambda answer: answer[1], call="best", rtol=1e-3),
    ),
    wrong=(
        Wrong(
            "",
            "2 / largest",
            "1 / largest",
            why="At this rate the steepest direction is solved in one step. It may be twice as large: "
            "then the step lands as far on the other side.",
            look="For which factors 1 - eta lambda a component shrinks.",
        ),
        Wrong(
            "",
            "2 / largest",
            "2 / smallest",
            why="This is the limit of the flat direction. The steep one explodes long before.",
            look="Which eigenvalue is the first to give a factor below -1.",
        ),
        Wrong(
            "",
            "2 / (smallest + largest)",
            "1 / largest",
            why="This rate is the best for the steepest direction alone; the flat one is "
            "slow. Slightly more helps the flat one more than it harms the steep one.",
            look="The larger of the two factors in size.",
        ),
        Wrong(
            "",
            "np.linalg.eigvalsh(A)",
            "np.sort(np.diag(A))",
            why="The diagonal was taken for the eigenvalues. That is so only where the matrix has nothing beside it.",
            look="An eigenvector: is (1, 0) one?",
        ),
        Wrong(
            "",
            "2 / (smallest + largest)",
            "1 / (smallest + largest)",
            why="This is half of the best rate. At the best rate both ends shrink alike: 1 - eta a = -(1 - eta b).",
            look="The factor at the smallest and at the largest eigenvalue.",
        ),
    ),
    data=matrix,
    after="How many steps does the best rate need for a thousandth of the distance?",
)

TWO_MOMENTA = Task(
    id="2.6",
    title="Two momenta that part",
    kind="proof",
    minutes=20,
    difficulty=3,
    practises="two forms of momentum",
    statement=r"""
Show that (2.12) and (2.13) agree for a constant learning rate. Then let the rate change, $\eta_t$: what does the engine's form (2.12)
become when written like Polyak's? At which step do the two first differ if the rate is cut at step 3?
""",
    setup="import numpy as np\n\nimport minilm as ml\n",
    solution="""
rates, mu = [0.1, 0.1, 0.01, 0.01], 0.9
gradients = np.array([[1.0, -2.0], [0.5, 1.0], [-1.0, 1.0], [2.0, 0.3]])

q = ml.tensor(np.zeros(2), requires_grad=True)
optimizer = ml.optim.SGD([q], lr=0.1, momentum=mu)
engine = [q.detach().numpy().copy()]
for rate, g in zip(rates, gradients):
    optimizer.param_groups[0]["lr"] = rate
    q.grad = ml.tensor(g)
    optimizer.step()
    engine.append(q.detach().numpy().copy())


def heavy_ball(rescale):
    path = [np.zeros(2), np.zeros(2)]  # p at -1 and at 0
    for t, (rate, g) in enumerate(zip(rates, gradients)):
        factor = rate / rates[t - 1] if rescale and t else 1.0
        path.append(path[-1] - rate * g + mu * factor * (path[-1] - path[-2]))
    return path[1:]


assert np.allclose(engine, heavy_ball(rescale=True), rtol=0, atol=1e-14)
same = [np.allclose(a, b) for a, b in zip(engine, heavy_ball(rescale=False))]
answer = same.index(False)
assert answer == 3
""",
    hint=r"Write $u_{t-1}$ as $(p_{t-2} - p_{t-1})/\eta_{t-1}$.",
    derivation=r"""
$p_t = p_{t-1} - \eta_t u_t = p_{t-1} - \eta_t g_t - \eta_t \mu\, u_{t-1}$, and $u_{t-1} = (p_{t-2} - p_{t-1})/\eta_{t-1}$ gives
$p_t = p_{t-1} - \eta_t g_t + \mu\,\frac{\eta_t}{\eta_{t-1}}\,(p_{t-1} - p_{t-2})$. For a constant rate the quotient is 1, and this is
(2.13). If the rate is cut to a tenth, the engine's step is cut to a tenth at once; Polyak's ball rolls on with its old momentum. They
first differ in the step with the new rate, the third.
""",
    rubric=(
        ("b of the step before is written by the last two places.", 1),
        ("For a constant rate (2.12) becomes (2.13), the first step included.", 1),
        ("For a changing rate the memory is multiplied by the quotient of the rates.", 2),
        ("They differ first at the step with the new rate, the third.", 1),
    ),
    after="Which of the two would you rather have under a schedule that cuts the rate to a tenth?",
)

HOW_FAR = Task(
    id="2.7",
    title="How far momentum may go",
    kind="proof",
    minutes=20,
    difficulty=3,
    practises="roots of the momentum recurrence",
    statement=r"""
For $0 \le \mu < 1$, show that gradient descent with momentum converges on a quadratic exactly for $\eta < 2(1 + \mu)/\lambda_{\max}$:
almost twice the limit without it.
""",
    solution="""
def end(lr, mu):
    lam = np.array([1.0, 10.0])
    p, b = np.ones(2), np.zeros(2)
    for _ in range(600):
        b = mu * b + lam * p
        p = p - lr * b
    return np.abs(p).max()


answer = {mu: 2 * (1 + mu) / 10 for mu in (0.0, 0.5, 0.9)}
for mu, limit in answer.items():
    assert end(0.97 * limit, mu) < 1e-6
    assert end(1.03 * limit, mu) > 1e3
""",
    hint=r"The roots of $r^2 - (1 + \mu - \eta\lambda)\, r + \mu = 0$ have the product $\mu$. At the limit one of them is $-1$.",
    derivation=r"""
Complex roots have size $\sqrt\mu < 1$. Real roots have the product $\mu < 1$, so at most one is outside $(-1, 1)$; with
$f(r) = r^2 - (1 + \mu - \eta\lambda)\,r + \mu$ both are inside exactly if $f(1) > 0$ and $f(-1) > 0$.
$f(1) = \eta\lambda > 0$ always; $f(-1) = 2 + 2\mu - \eta\lambda > 0$ means $\eta\lambda < 2(1 + \mu)$.
""",
    rubric=(
        ("One eigenvector at a time: the recurrence, and its characteristic equation.", 2),
        ("Complex roots have size below 1, always.", 1),
        ("Real roots: their product is below 1, so the values at 1 and -1 decide.", 1),
        ("The value at -1 gives the limit; the largest eigenvalue is the first to reach it.", 1),
    ),
    after="Do the same for Nesterov's (2.16). Is its limit larger or smaller?",
)


def betas(rng: Generator) -> dict[str, Any]:
    return {
        "first": float(rng.choice([0.8, 0.85, 0.9])),
        "second": float(rng.choice([0.95, 0.98, 0.99, 0.995, 0.999])),
    }


UNCORRECTED = Task(
    id="2.9",
    title="Adam without its correction",
    kind="number",
    minutes=20,
    difficulty=2,
    practises="the first steps of Adam",
    statement=r"""
Leave the divisions by $1 - \beta^t$ out of (2.19), with $\beta_1 = {first}$ and $\beta_2 = {second}$. How long is the first step then, in
units of $\eta$? ($\epsilon$ is too small to matter.) And after how many steps $t$ does the correction of $v$ first change a step by less
than 1 %, that is, $1/\sqrt{1 - \beta_2^t} < 1.01$?

Set `answer = (length, steps)`; `steps` is a whole number. The numbers are in `first` and `second`.
""",
    stub="""
length = None  # of the first step, in units of the learning rate
steps = None  # the smallest t
answer = (length, steps)
""",
    solution="""
length = (1 - first) / (1 - second) ** 0.5
steps = 1
while (1 - second**steps) ** -0.5 >= 1.01:
    steps += 1
answer = (length, steps)
""",
    hint=r"$m_1 = (1 - \beta_1)\, g_1$ and $v_1 = (1 - \beta_2)\, g_1^2$.",
    derivation=r"""
$|p_1 - p_0| = \eta\,(1 - \beta_1)/\sqrt{1 - \beta_2}$: with 0.9 and 0.999 that is $\eta \cdot 0.1/\sqrt{0.001} = 3.16\,\eta$, and later
steps are larger still, since $m$ grows faster than $\sqrt v$: training would begin with its longest steps, where the gradients are least
reliable. The step's factor $1/\sqrt{1 - \beta_2^t}$ is below 1.01 when $\beta_2^t < 1 - 1.01^{-2} = 0.0197$, so for
$t > \log 0.0197 / \log \beta_2$, which is 3924.8 for 0.999: there the correction matters for the first 4,000 steps.
""",
    tests=(
        Test("the first step's length", use=lambda answer: answer[0], call="length", rtol=1e-3),
        Test("how many steps", use=lambda answer: answer[1], call="steps", points=2),
    ),
    wrong=(
        Wrong(
            "",
            "(1 - second) ** 0.5",
            "(1 - second)",
            why="v holds squares; the step is divided by its root.",
            look="The root in (2.19).",
        ),
        Wrong(
            "",
            "(1 - first) / (1 - second) ** 0.5",
            "1 / (1 - second) ** 0.5",
            why="Only v was left without its correction; m too begins at a fraction of the gradient.",
            look="The first m.",
        ),
        Wrong(
            "",
            "(1 - second**steps) ** -0.5 >= 1.01",
            "(1 - second**steps) ** -1 >= 1.01",
            why="The correction of v itself was asked to "
            "be below 1 %. A step is divided by the root of v, so its change is half as large.",
            look="What 1.01 is compared with.",
        ),
        Wrong(
            "",
            "(1 - second**steps) ** -0.5",
            "(1 - first**steps) ** -0.5",
            why="The steps were counted for the first moment, which is quicker.",
            look="Which beta belongs to v.",
        ),
    ),
    data=betas,
    after="RMSprop (2.18) never corrects. How long is its first step with 0.99?",
)

TASKS: tuple[Task, ...] = (EXPLOSION, TWO_MOMENTA, HOW_FAR, UNCORRECTED)
