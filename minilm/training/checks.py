"""Ten things to try first, when a network does not learn, and before it is trained for long.

After Karpathy (2019), "A Recipe for Training Neural Networks". Each is a question to a `Trial`: a small experiment whose outcome is known
for a network that is right. They find bugs that raise no error. A network that passes may be wrong still; one that fails is, or is unusual
in a way that should be known. The model is left as it was.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from minilm import random
from minilm.backend import to_device, to_host
from minilm.gradcheck import GradcheckError, gradcheck
from minilm.graph import no_grad
from minilm.indices import positions
from minilm.nn.module import Module, Parameter
from minilm.tensor import Tensor
from minilm.training.flow import layers_of, norm
from minilm.training.trial import BATCH, Trial, range_test, rates_of, untouched
from minilm.types import HostArray

FEW = 8
NEAR_START, BY_HEART, VANISHED, SAME, CLEARLY = 0.25, 0.1, 1e-6, 1e-4, 0.95


class Found(NamedTuple):
    """What a check found.

    Attributes:
        name: of the check.
        passed: None where it was not asked.
        words: what was found, with its numbers; where it failed, what that may come from.
    """

    name: str
    passed: bool | None
    words: str


@dataclass(frozen=True)
class Report:
    """What all checks found, in their order."""

    found: tuple[Found, ...]

    @property
    def failed(self) -> list[str]:
        """The names of those that were not passed."""
        return [each.name for each in self.found if each.passed is False]

    def __str__(self) -> str:
        marks = {True: "✓", False: "✗", None: "–"}
        return "\n".join(f"{marks[each.passed]} {each.name}: {each.words}" for each in self.found)

    def __repr__(self) -> str:
        return str(self)


Answer = tuple[bool | None, str]


def loss_at_the_start(trial: Trial) -> Answer:
    """A network that knows nothing gives all classes the same probability: its loss is ln K."""
    classes = trial.classes or trial.outputs(trial.x[:1]).shape[-1]
    x, y = trial.x[:BATCH], trial.y[:BATCH]
    loss, expected = trial.measured(x, y), math.log(classes)
    words = f"{loss:.2f}, and ln {classes} = {expected:.2f}"
    if abs(loss - expected) <= NEAR_START * expected:
        return True, words
    rows = y.size
    if rows != classes and abs(loss - math.log(rows)) < 0.05 * math.log(rows):
        return False, f"{words}; it is ln {rows}, the number of answers: does the softmax run over the wrong axis?"
    if loss > expected:
        return False, f"{words}: it is sure before it has learned. Are the last layer's weights too large?"
    return False, f"{words}: it knows too much. Does it see the classes, or is the loss no mean?"


def one_batch_by_heart(trial: Trial) -> Answer:
    """A few examples can be learned by heart by every network that learns at all."""
    few = 2 if trial.causal else FEW
    x, y = trial.x[:few], trial.y[:few]
    with trial.begun() as optimizer:
        before = trial.measured(x, y)
        for _ in range(trial.steps):
            trial.update(trial.model, optimizer, x, y)
        after = trial.measured(x, y)
    words = f"{trial.steps} updates with {len(x)} examples: the loss goes from {before:.2f} to {after:.2g}"
    if after <= BY_HEART * before:
        return True, words
    return False, f"{words}. It cannot learn them by heart: look at the loss, the update, and the learning rate."


def gradients_reach_all(trial: Trial) -> Answer:
    """Each parameter gets a gradient that is finite, and not vanishingly small beside the others."""
    with untouched(trial.model, trial.seed):
        gradients = _gradients(trial)
        none = [name for name, g in gradients.items() if g is None or not g.any()]
        broken = [name for name, g in gradients.items() if g is not None and not np.isfinite(g).all()]
        norms = {
            layer: norm([p.grad.data for p in own if p.grad is not None])
            for layer, own in layers_of(trial.model).items()
        }
    if broken:
        return False, f"the gradient of {_listed(broken)} is not finite"
    if none:
        return False, f"none reaches {_listed(none)}. Is the graph cut, a unit dead, a module not called?"
    least, most = min(norms, key=lambda k: norms[k]), max(norms, key=lambda k: norms[k])
    if norms[least] < VANISHED * norms[most]:
        return (
            False,
            f"that of {least} has the norm {norms[least]:.1g}, that of {most} {norms[most]:.1g}: it vanishes on its way",
        )
    return True, f"all {len(gradients)} parameters; the norms by layer go from {norms[least]:.1g} to {norms[most]:.1g}"


def gradients_are_right(trial: Trial) -> Answer:
    """They equal central differences, in float64; and an update uses those of its batch, no others."""
    with untouched(trial.model, trial.seed):
        wrong = _wrong_gradient(trial)
    if wrong:
        return False, wrong
    ratio, cosine = _used_gradient(trial)
    if math.isnan(ratio):
        return True, "as central differences have them; the update keeps none, so what it used is not seen"
    if ratio > 1.5:
        return False, f"the second update uses {ratio:.2g} times the gradient of its batch: is zero_grad missing?"
    if cosine < 0.99:
        return False, f"the update follows another gradient than that of the loss (cosine {cosine:.2g})"
    return True, "as central differences have them; the update uses those of its batch"


def examples_apart(trial: Trial) -> Answer:
    """In evaluation the answer to an example depends on no other one of the batch."""
    x = trial.x[:FEW]
    if len(x) < 2:
        return None, "not asked: there is one example only"
    others = _influence(trial, x) if x.dtype.kind == "f" else _change(trial, x)
    if others > SAME:
        return (
            False,
            f"other examples change the answer to the first one (by {others:.1g}): does an op run over the batch's axis?",
        )
    return True, "no other example changes the answer to the first one"


def no_look_ahead(trial: Trial) -> Answer:
    """What comes later does not change an output that stands before."""
    if not trial.causal:
        return None, "not asked: the model may look at everything"
    half, x = trial.x.shape[1] // 2, trial.x[:FEW]
    other = x.copy()
    other[:, half:] = np.flip(np.roll(x, 1, axis=0), axis=1)[:, half:]
    before, after = trial.outputs(x)[:, :half], trial.outputs(other)[:, :half]
    if _difference(before, after) > SAME:
        return False, f"a change from position {half} on changes outputs before it: a mask is missing, or shifted"
    return True, f"a change from position {half} on changes no output before it"


def shuffled_labels(trial: Trial) -> Answer:
    """Learned from classes that were shuffled, it is no better than chance on held-out examples."""
    if trial.held_out is None:
        return None, "not asked: there are no held-out examples"
    x, y = trial.held_out
    shuffled = np.random.default_rng(trial.seed).permutation(trial.y.reshape(-1)).reshape(trial.y.shape)
    with trial.begun() as optimizer:
        trial.train(optimizer, shuffled)
        right = float((trial.outputs(x).argmax(axis=-1) == y).mean())
    chance = float(np.bincount(positions(y.reshape(-1))).max() / y.size)
    most = chance + 3 * math.sqrt(chance * (1 - chance) / y.size)
    words = f"{right:.0%} right on held-out examples; chance gives up to {most:.0%}".replace("%", " %")
    if right <= most:
        return True, words
    return False, f"{words}. It has the answers from elsewhere: does the update use the classes that it is given?"


def answers_depend_on_the_input(trial: Trial) -> Answer:
    """Other inputs give other outputs; the same input gives the same."""
    x = trial.x[:FEW]
    with untouched(trial.model, trial.seed):
        once, again = trial.outputs(x), trial.outputs(x)
    if _difference(once, again) > SAME:
        return False, "the same input gives another output the second time: is dropout on in evaluation?"
    if len(x) < 2:
        return None, "not asked: there is one example only"
    if (x == x[:1]).all():
        return False, "all inputs are the same: look at the data"
    spread = float(np.abs(once - once[:1]).max() / max(np.abs(once).max(), 1e-30))
    if not spread > SAME:
        return False, f"all inputs give the same output (within {spread:.1g}): the input is lost on its way"
    return True, "other inputs give other outputs, and the same input the same"


def learning_rate(trial: Trial) -> Answer:
    """The rate lies where the loss falls in a range test."""
    configured = rates_of(trial.optimizer(trial.model))
    if not configured:
        return None, "not asked: the optimizer has no rate to change"
    start, rate = trial.measured(trial.x[:BATCH], trial.y[:BATCH]), max(configured)
    rates, losses = range_test(trial)
    best = int(np.argmin(losses))
    fallen = losses < start - 0.1 * (start - losses[best])
    if not start > losses[best]:
        return False, f"the loss falls with no rate from {rates[0]:g} to {rates[-1]:g}"
    low, high = float(rates[np.argmax(fallen)]) / 100, float(rates[best])
    words = f"{rate:g}; as the rate grows, the loss falls up to {high:.1g}"
    if rate > high:
        return False, f"{words}: it is too high"
    if rate < low:
        return False, f"{words} and hardly below {100 * low:.1g}: it is too low"
    return True, words


def beats_the_simple_method(trial: Trial) -> Answer:
    """After a short training the held-out loss is below that of the simple method; where that knows the classes' shares only, clearly."""
    if trial.held_out is None:
        return None, "not asked: there are no held-out examples"
    with trial.begun() as optimizer:
        trial.train(optimizer, trial.y)
        loss = trial.measured(*trial.held_out)
    method = "that of the classes' shares" if trial.baseline is None else "that of the simple method"
    words = f"a held-out loss of {loss:.2f} after {trial.steps} updates, {method} is {trial.simple:.2f}"
    if loss < (CLEARLY * trial.simple if trial.baseline is None else trial.simple):
        return True, words
    return False, f"{words}. Do inputs and classes belong together?"


CHECKS: dict[str, Callable[[Trial], Answer]] = {
    check.__name__.replace("_", " "): check
    for check in (
        loss_at_the_start,
        answers_depend_on_the_input,
        examples_apart,
        no_look_ahead,
        gradients_reach_all,
        gradients_are_right,
        one_batch_by_heart,
        learning_rate,
        shuffled_labels,
        beats_the_simple_method,
    )
}
"""The ten, by name, from those that need one forward pass to those that need a short training."""


def ten_checks(model: Any, x: HostArray, y: HostArray, **options: Any) -> Report:
    """Runs all checks on a model; it is as before afterwards.

    ::

        print(ml.training.ten_checks(model, images, labels, held_out=(more, their_labels)))

    Args:
        model, x, y, options: as `minilm.training.trial.Trial` has them: held_out, loss, optimizer, update, classes, causal, baseline,
            steps, seed.

    Raises:
        ValueError, TypeError: what is given does not fit together.
    """
    trial = Trial(model, np.asarray(x), np.asarray(y), **options)
    return Report(tuple(Found(name, *check(trial)) for name, check in CHECKS.items()))


def _gradients(trial: Trial) -> dict[str, HostArray | None]:
    """Those of the loss of the first batch."""
    trial.model.zero_grad()
    trial.loss(trial.model(trial.x[:BATCH]), trial.y[:BATCH]).backward()
    named = trial.model.named_parameters()
    return {name: None if p.grad is None else to_host(p.grad.data).copy() for name, p in named if p.requires_grad}


def _wrong_gradient(trial: Trial) -> str:
    """What `gradcheck` says of the first parameter whose gradient is wrong, of a copy in float64; nothing where all are right.

    All together are moved first, along two random directions: that takes four forward passes, however many there are.
    """
    double = copy.deepcopy(trial.model).to("float64").eval()
    x, y = trial.x[:4], trial.y[:4]
    inputs = Tensor(x.astype(np.float64)) if x.dtype.kind == "f" else x
    named = [(name, p) for name, p in double.named_parameters() if p.requires_grad]

    def loss(*_: Any) -> Tensor:
        return trial.loss(double(inputs), y)

    if _agrees(double, loss, [p for _, p in named], trial.seed):
        return ""
    for name, p in named:
        try:
            gradcheck(loss, p, directions=2, rtol=1e-4, atol=1e-6)
        except GradcheckError as error:
            return f"{name}: {str(error).removesuffix(' Check all elements (directions=None) for the cause.')}"
    return ""


def _agrees(model: Module, loss: Callable[[], Tensor], parameters: list[Parameter], seed: int) -> bool:
    """Whether the derivative along two random directions of all parameters is the central difference."""
    rng, eps = np.random.default_rng(seed), 1e-6
    model.zero_grad()
    loss().backward()
    for _ in range(2):
        steps = [rng.standard_normal(p.shape) for p in parameters]
        pairs = zip(parameters, steps, strict=True)
        analytic = sum(float((to_host(p.grad.data) * d).sum()) for p, d in pairs if p.grad is not None)
        losses = []
        for move in (eps, -2 * eps, eps):  # there, to the other side, and back
            with no_grad():
                for p, d in zip(parameters, steps, strict=True):
                    p.add_(to_device(move * d, p.device))
                losses.append(loss().item())
        numeric = (losses[0] - losses[1]) / (2 * eps)
        if not abs(analytic - numeric) <= 1e-6 + 1e-4 * abs(numeric):
            return False
    return True


def _used_gradient(trial: Trial) -> tuple[float, float]:
    """How many times the gradient of its batch the second update uses, and the cosine of both; NaN where it keeps none."""
    x, y, model = trial.x[:BATCH], trial.y[:BATCH], trial.model
    with trial.begun() as optimizer:
        for group in getattr(optimizer, "param_groups", ()):
            group["lr"] = 0.0
        trial.update(model, optimizer, x, y)
        kept = [(p, None if p.grad is None else p.grad.clone()) for p in model.parameters()]
        random.manual_seed(trial.seed)
        own = [g for g in _gradients(trial).values() if g is not None]
        for p, grad in kept:
            p.grad = grad
        random.manual_seed(trial.seed)
        trial.update(model, optimizer, x, y)
        used = [to_host(p.grad.data) for p in model.parameters() if p.requires_grad and p.grad is not None]
    if len(used) != len(own):
        return math.nan, math.nan
    a, b = (np.concatenate([g.ravel() for g in gradients]).astype(np.float64) for gradients in (own, used))
    lengths = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if not all(lengths):
        return math.nan, math.nan
    return lengths[1] / lengths[0], float(a @ b) / (lengths[0] * lengths[1])


def _influence(trial: Trial, x: HostArray) -> float:
    """The largest derivative of the first answer by another example, as a share of the largest by the first one."""
    inputs = Tensor(x.copy(), requires_grad=True)
    with untouched(trial.model, trial.seed):
        trial.model.eval()
        first = trial.model(inputs)[0]
        first.backward(Tensor(np.random.default_rng(trial.seed).standard_normal(first.shape).astype(x.dtype)))
    if inputs.grad is None:
        return 0.0
    sizes = np.abs(inputs.grad.numpy())
    return float(sizes[1:].max() / max(sizes.max(), 1e-30))


def _change(trial: Trial, x: HostArray) -> float:
    """How much the first answer changes where the others are replaced, each by the mirror image of another."""
    other = x.copy()
    other[1:] = np.flip(np.roll(x, 1, axis=0))[1:]
    return _difference(trial.outputs(x)[0], trial.outputs(other)[0])


def _difference(a: HostArray, b: HostArray) -> float:
    """The largest difference, as a share of the largest magnitude."""
    return float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-30))


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


__all__ = ["CHECKS", "Found", "Report", "Trial", "ten_checks"]
