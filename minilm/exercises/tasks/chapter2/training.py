"""Training: when to stop, and how large the steps are."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Task, Test, Wrong


def fitted(answer: Any, losses: list[float], patience: int) -> Any:
    """What `fit` returns, and the parameters after it, where each step adds one to them and the losses are given."""
    parameters = {"W": np.zeros((2, 3)), "b": np.zeros(2)}
    arrays = dict(parameters)

    def step(parameters: Any) -> None:
        for p in parameters.values():
            p += 1

    def validate(parameters: Any) -> float:
        epoch = int(parameters["b"][0])
        return losses[epoch - 1] if epoch <= len(losses) else 10.0 + epoch

    return answer(parameters, step, validate, patience), arrays["W"], arrays["b"], parameters["b"]


FIT = Task(
    id="2.8",
    title="Early stopping",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="validation loss, copies of parameters",
    statement=r"""
Write `fit(parameters, step, validate, patience)`. Each epoch calls `step(parameters)`, which changes the arrays in place, then
`validate(parameters)`, which gives the validation loss. Keep a copy of the parameters whenever that loss is the lowest so far; stop when
it has not been lowered for `patience` epochs in a row; put the copy back *into the same arrays*. Return the lowest loss and the number
of epochs.

With losses 5, 3, 4, 4 and a patience of 2 that is 3 and 4 epochs.

Then train 64-256-10 on 60 digits with it.
""",
    stub='''
def fit(parameters, step, validate, patience):
    """Trains with early stopping; at the end the arrays hold the best parameters.
    The lowest loss, and the epochs that were run.

    parameters: a dict of arrays. step(parameters) trains one epoch.
    validate(parameters) is the validation loss, a float.
    """
    raise NotImplementedError
''',
    solution="""
def fit(parameters, step, validate, patience):
    best, waited, epochs = np.inf, 0, 0
    while waited < patience:
        step(parameters)
        epochs += 1
        waited += 1
        loss = validate(parameters)
        if loss < best:
            best, waited = loss, 0
            kept = {name: p.copy() for name, p in parameters.items()}
    for name, p in parameters.items():
        p[...] = kept[name]
    return best, epochs
""",
    name="fit",
    hint="An array that is kept without a copy changes with the model. And an array that is put into the dict is not put into the model.",
    derivation=r"""
There is nothing to derive, but something to observe: the validation set has now influenced the parameters, through the choice of the
epoch. Its loss at the chosen epoch is a minimum over many tries, so it is too good on average. The honest number is that of the test set.
""",
    tests=(
        Test(
            "the example",
            lambda rng: ([5.0, 3.0, 4.0, 4.0, 9.0, 9.0], 2),
            use=fitted,
            call="fit(...) with these losses; then the arrays",
        ),
        Test(
            "a patience of 1",
            lambda rng: ([3.0, 2.0, 2.5, 1.0, 9.0], 1),
            use=fitted,
            call="fit(...) with these losses; then the arrays",
        ),
        Test(
            "patience begins anew",
            lambda rng: ([5.0, 6.0, 4.0, 5.0, 5.0, 3.0, 9.0, 9.0, 9.0, 1.0], 3),
            use=fitted,
            call="fit(...) with these losses; then the arrays",
            points=2,
        ),
        Test(
            "the same loss again",
            lambda rng: ([2.0, 2.0, 2.0, 2.0, 2.0, 2.0], 3),
            use=fitted,
            call="fit(...) with these losses; then the arrays",
            hidden=True,
        ),
        Test(
            "many epochs",
            lambda rng: ((1 + rng.random(40)).tolist(), 5),
            use=fitted,
            call="fit(...) with these losses; then the arrays",
            hidden=True,
        ),
    ),
    wrong=(
        Wrong(
            "best-step-not-kept",
            "p.copy() for",
            "p for",
            why="The arrays hold the last epoch's parameters. Either the kept arrays are the model's own, and changed with it, "
            "or they were not put back.",
        ),
        Wrong(
            "parameters-rebound-not-updated", "        p[...] = kept[name]\n", "        parameters[name] = kept[name]\n"
        ),
        Wrong("patience-off-by-one", "while waited < patience", "while waited <= patience"),
        Wrong("patience-not-reset", "best, waited = loss, 0", "best = loss"),
        Wrong(
            "",
            "if loss < best:",
            "if loss <= best:",
            why="The same loss again was taken for a lower one. It was to be *lowered*.",
            look="What happens when the loss stays as it is.",
        ),
        Wrong(
            "best-step-not-kept",
            "            best, waited = loss, 0\n            kept",
            "            waited = 0\n        best = loss\n        if waited == 0:\n            kept",
            why="Each loss was compared with the one before, not with the lowest so far.",
        ),
        Wrong(
            "",
            "    return best, epochs",
            "    return best, epochs - waited",
            why="This is the number of the best epoch. Asked for is how many were run.",
            look="The second value that is returned.",
        ),
    ),
    after="Why is the loss at the chosen epoch no fair estimate? Compare it with the test loss for ten seeds.",
)


def rates_at(answer: Any, steps: Any, peak: float, warmup: int, total: int, floor: float) -> Any:
    return [answer(t, peak, warmup, total, floor) for t in steps]


def plan(steps: list[int], peak: float, warmup: int, total: int, floor: float) -> Any:
    return lambda rng: (steps, peak, warmup, total, floor)


EACH = "rate(t, peak, warmup, total, floor) for each t of the first list"

SCHEDULE = Task(
    id="2.14",
    title="Warm-up and half a cosine",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="a learning-rate schedule",
    statement=r"""
Write `rate(t, peak, warmup, total, floor)`, the learning rate of step $t = 0, 1, \dots$: it grows in a straight line, with
$\text{peak} \cdot \frac{t + 1}{\text{warmup} + 1}$ for $t < \text{warmup}$; is `peak` at $t = \text{warmup}$; falls along half a cosine to
`floor` at $t = \text{total}$; and stays there.

With a peak of 1, a warm-up of 3, 11 steps in total and a floor of 0.1: 0.25, 0.5, 0.75, 1 at the first four, 0.55 at 7, 0.1 from 11 on.
""",
    stub='''
def rate(t, peak, warmup, total, floor):
    """The learning rate of step t, a float. warmup < total."""
    raise NotImplementedError
''',
    setup="import math\n\nimport numpy as np\n",
    solution="""
def rate(t, peak, warmup, total, floor):
    if t < warmup:
        return peak * (t + 1) / (warmup + 1)
    share = min((t - warmup) / (total - warmup), 1)
    return floor + 0.5 * (peak - floor) * (1 + math.cos(math.pi * share))
""",
    name="rate",
    hint="Let a share go from 0 at the end of the warm-up to 1 at the end. What does one plus the cosine of pi times it do?",
    derivation=r"""
With $s = (t - w) / (n - w)$, clipped at 1, $\cos \pi s$ falls from 1 to $-1$, so $\frac12 (1 + \cos \pi s)$ falls from 1 to 0, flat at both
ends. Stretched to the range from floor to peak: $\eta = f + \frac12 (p - f)(1 + \cos \pi s)$. Without the clip the cosine would
rise again after $n$. The $+1$ in the warm-up keeps the first step from being a step of length 0.
""",
    tests=(
        Test("the warm-up", plan([0, 1, 2, 3], 1.0, 3, 11, 0.1), use=rates_at, call=EACH),
        Test("the half cosine", plan([3, 4, 7, 10, 11], 1.0, 3, 11, 0.1), use=rates_at, call=EACH, points=2),
        Test("after the end", plan([11, 12, 15, 40], 1.0, 3, 11, 0.1), use=rates_at, call=EACH),
        Test("without a warm-up", plan([0, 1, 5, 10], 0.003, 0, 10, 0.0), use=rates_at, call=EACH, hidden=True),
        Test(
            "a long run",
            plan([0, 99, 100, 101, 550, 1000, 2000], 6e-4, 100, 1000, 6e-5),
            use=rates_at,
            call=EACH,
            hidden=True,
        ),
    ),
    wrong=(
        Wrong("schedule-without-warmup", "    if t < warmup:\n        return peak * (t + 1) / (warmup + 1)\n", ""),
        Wrong("schedule-off-by-one", "peak * (t + 1) / (warmup + 1)", "peak * t / warmup"),
        Wrong("cosine-without-half", "0.5 * (peak - floor)", "(peak - floor)"),
        Wrong("cosine-below-minimum", "floor + 0.5 * (peak - floor)", "0.5 * peak"),
        Wrong(
            "",
            "min((t - warmup) / (total - warmup), 1)",
            "(t - warmup) / (total - warmup)",
            why="After the last step the cosine rises again, and the rate with it.",
            look="The rate at twice the total.",
        ),
        Wrong(
            "",
            "(t - warmup) / (total - warmup)",
            "t / total",
            why="The cosine begins at step 0, so at the end of the warm-up it has already fallen, and the rate jumps.",
            look="The rate in step `warmup`, which is the peak.",
        ),
        Wrong(
            "",
            "0.5 * (peak - floor) *",
            "0.5 * peak *",
            why="The floor was added to a cosine from peak to 0; the largest rate is peak and floor together.",
            look="The rate in step `warmup`.",
        ),
        Wrong(
            "",
            "math.cos(math.pi * share)",
            "math.cos(share)",
            why="Half a cosine goes from angle 0 to pi; here it goes to 1 only, and never comes down to the floor.",
            look="The angle at the last step.",
        ),
        Wrong(
            "",
            "(t - warmup) / (total - warmup)",
            "(t - warmup) / total",
            why="After the warm-up only `total - warmup` steps are left, so this share never gets to 1.",
            look="The share at t = total.",
        ),
    ),
    after="What would you do if training shall go on after the end? Look up schedules with a constant middle.",
)


def asked_each_epoch(answer: Any, losses: Any, patience: int, min_delta: float) -> Any:
    """What `update` says after each epoch, and which epoch was the best."""
    stopping = answer(patience, min_delta)
    return [bool(stopping.update(loss)) for loss in losses], stopping.best_epoch


def losses(values: Any, patience: int, min_delta: float = 0.0) -> Any:
    return lambda rng: (values, patience, min_delta)


UPDATES = "update(loss) for each loss; then best_epoch"

STOPPING = Task(
    id="2.18",
    title="Patience",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="early stopping with a smallest improvement",
    statement=r"""
Write a class `EarlyStopping(patience, min_delta)`. `update(loss)` is called after each epoch with the validation loss, and returns whether
to stop: True once `patience` epochs in a row brought no improvement. An improvement is a loss that is lower than the best one by *more
than* `min_delta`; only then does the best change. `best_epoch` is the number of the best epoch, from 0 (None before one improved).

A loss that is NaN is no improvement.
""",
    stub='''
class EarlyStopping:
    """Says when to stop."""

    def __init__(self, patience, min_delta):
        raise NotImplementedError

    def update(self, loss):
        """Whether to stop after an epoch with this loss: a bool."""
        raise NotImplementedError
''',
    solution="""
class EarlyStopping:
    def __init__(self, patience, min_delta):
        self.patience, self.min_delta = patience, min_delta
        self.best, self.best_epoch = np.inf, None
        self.epoch, self.waited = 0, 0

    def update(self, loss):
        self.waited += 1
        if loss < self.best - self.min_delta:
            self.best, self.best_epoch = loss, self.epoch
            self.waited = 0
        self.epoch += 1
        return self.waited >= self.patience
""",
    name="EarlyStopping",
    hint="Compare with the best loss, not with the last. Which of `loss < x` and `not loss >= x` is True for NaN?",
    derivation=r"""
Four numbers live between calls: the best loss, its epoch, the epochs so far, and those since. If the best followed every small gain, many
gains below `min_delta` could add up to a large one without ever counting; as it stays, they count as soon as their sum exceeds
`min_delta`. Every comparison with NaN is False, so `loss < best - min_delta` passes over it, and `not loss >= best - min_delta` would take
it for the best there can be.
""",
    tests=(
        Test("one epoch", losses([1.0], 1), use=asked_each_epoch, call=UPDATES),
        Test("a patience of 2", losses([3.0, 2.0, 2.5, 2.2, 1.0], 2), use=asked_each_epoch, call=UPDATES, points=2),
        Test(
            "patience begins anew", losses([3.0, 4.0, 4.0, 2.0, 4.0, 4.0, 4.0], 3), use=asked_each_epoch, call=UPDATES
        ),
        Test(
            "small gains",
            losses([1.0, 0.75, 0.5, 0.375, 0.125, 0.0625], 3, 0.25),
            use=asked_each_epoch,
            call=UPDATES,
            points=2,
        ),
        Test("NaN", losses(np.array([2.0, 1.0, np.nan, 1.5, 1.5]), 3), use=asked_each_epoch, call=UPDATES, hidden=True),
    ),
    wrong=(
        Wrong("patience-off-by-one", "self.waited >= self.patience", "self.waited > self.patience"),
        Wrong("patience-not-reset", "            self.waited = 0\n", ""),
        Wrong("argument-ignored", "self.best - self.min_delta", "self.best"),
        Wrong(
            "",
            "        self.epoch += 1\n",
            "        self.best = min(loss, self.best)\n        self.epoch += 1\n",
            why="The best loss followed every small gain, so many small gains in a row never count.",
            look="When the best changes: only with an improvement.",
        ),
        Wrong(
            "",
            "        self.epoch += 1\n",
            "        self.best = loss\n        self.epoch += 1\n",
            why="Each loss was compared with the one before, not with the best.",
            look="A loss that rises and then falls a little.",
        ),
        Wrong("nan-hidden", "if loss < self.best - self.min_delta", "if not loss >= self.best - self.min_delta"),
        Wrong(
            "",
            "self.epoch, self.waited = 0, 0",
            "self.epoch, self.waited = 1, 0",
            why="Epochs are counted from 1 here; `best_epoch` counts from 0.",
            look="The number of the first epoch.",
        ),
    ),
    after="Should training stop at once when the loss is NaN? What would you rather be told?",
)


def clipped(answer: Any, gradients: Any, max_norm: float) -> Any:
    """The norm, and the same arrays after the call."""
    arrays = list(gradients)
    return answer(gradients, max_norm), arrays


def gradients_of(
    shapes: tuple[tuple[int, ...], ...], max_norm: float, size: float = 1.0, dtype: str = "float64"
) -> Any:
    return lambda rng: ([(size * rng.standard_normal(s)).astype(dtype) for s in shapes], max_norm)


CLIP = Task(
    id="2.19",
    title="Clip gradients by their norm",
    kind="code",
    minutes=10,
    difficulty=2,
    practises="the norm of all gradients together",
    statement=r"""
Write `clip_grad_norm(gradients, max_norm)`. The norm is that of *all* gradients, taken as one long vector. If it is larger than
`max_norm`, all are multiplied, in place, by the one factor that makes it `max_norm`; else nothing changes. Return the norm before
clipping.

For the gradients $[3]$ and $[4]$ and a limit of 1 it returns 5, and leaves $[0.6]$ and $[0.8]$.
""",
    stub='''
def clip_grad_norm(gradients, max_norm):
    """Scales the gradients, in place, so that their common norm is at most
    max_norm. The norm before, a float.

    gradients: a list of arrays of any shapes. max_norm: positive.
    """
    raise NotImplementedError
''',
    solution="""
def clip_grad_norm(gradients, max_norm):
    norm = float(np.sqrt(sum(np.sum(g.astype(float) ** 2) for g in gradients)))
    if norm > max_norm:
        for g in gradients:
            g *= max_norm / norm
    return norm
""",
    name="clip_grad_norm",
    hint="Squares add up over all arrays; norms do not.",
    derivation=r"""
$\lVert g \rVert^2 = \sum_k \lVert g_k \rVert^2$ over the arrays. One factor for all, $\min(1, \text{max} / \lVert g \rVert)$, keeps the
direction of the step, only its length is bounded. Clipped array by array, a layer with large gradients would be held back and the others
not: another direction, which is not that of descent.
""",
    tests=(
        Test(
            "3 and 4",
            lambda rng: ([np.array([3.0]), np.array([4.0])], 1.0),
            use=clipped,
            call="clip_grad_norm(gradients, 1); then the gradients",
            unchanged=False,
        ),
        Test(
            "below the limit",
            lambda rng: ([np.array([0.3]), np.array([-0.4])], 1.0),
            use=clipped,
            call="clip_grad_norm(gradients, 1); then the gradients",
            unchanged=False,
        ),
        Test(
            "a matrix and a bias",
            gradients_of(((3, 4), (3,)), 0.5, 2.0),
            use=clipped,
            call="clip_grad_norm(gradients, 0.5); then the gradients",
            unchanged=False,
            points=2,
        ),
        Test(
            "all zero",
            lambda rng: ([np.zeros((2, 2)), np.zeros(3)], 1.0),
            use=clipped,
            call="clip_grad_norm(gradients, 1); then the gradients",
            unchanged=False,
            hidden=True,
        ),
        Test(
            "float32",
            gradients_of(((5, 2), (2, 2, 2)), 1.0, 10.0, "float32"),
            use=clipped,
            call="clip_grad_norm(gradients, 1); then the gradients",
            unchanged=False,
            hidden=True,
            rtol=1e-5,
        ),
    ),
    wrong=(
        Wrong(
            "clip-per-tensor-not-global",
            "            g *= max_norm / norm\n",
            "            g *= min(1, max_norm / float(np.linalg.norm(g)))\n",
        ),
        Wrong("clip-scales-up", "    if norm > max_norm:\n", "    if norm > 0:\n"),
        Wrong(
            "parameters-rebound-not-updated",
            "g *= max_norm / norm",
            "g = g * max_norm / norm",
            why="The scaled gradient is a new array under the name of the loop; the arrays in the list stay as they were.",
        ),
        Wrong(
            "",
            "    return norm",
            "    return min(norm, max_norm)",
            why="The norm after clipping was returned. The one before is what one wants to log: it shows how often is clipped.",
            look="The returned number, where something was clipped.",
        ),
        Wrong(
            "norms-summed",
            "float(np.sqrt(sum(np.sum(g.astype(float) ** 2) for g in gradients)))",
            "float(sum(np.sqrt(np.sum(g.astype(float) ** 2)) for g in gradients))",
            why="The norms of the arrays were added. Squares add up: for 3 and 4 the norm is 5 and not 7.",
            look="Where the root is taken.",
        ),
        Wrong(
            "root-forgotten",
            "float(np.sqrt(sum(np.sum(g.astype(float) ** 2) for g in gradients)))",
            "float(sum(np.sum(g.astype(float) ** 2) for g in gradients))",
            why="This is the square of the norm.",
            look="The root.",
        ),
        Wrong(
            "clip-by-value",
            "            g *= max_norm / norm\n",
            "            np.clip(g, -max_norm, max_norm, out=g)\n",
        ),
    ),
    after="Log the norm while you train: at which percentile would you set the limit?",
)

TASKS: tuple[Task, ...] = (FIT, SCHEDULE, STOPPING, CLIP)
