r"""What flows through a network while it learns: numbers of each layer, at one step in so many.

For a layer with the weights :math:`w`, all of its own parameters as one vector, gradient :math:`g` and update
:math:`\Delta w = w_{t+1} - w_t`:

.. math:: \lVert g \rVert, \qquad \lVert w \rVert, \qquad r = \frac{\lVert \Delta w \rVert}{\lVert w \rVert}

and of what the layer gives for the batch the mean, the standard deviation, and the share of *dead* units: those whose activation
function has no slope, or nearly none, for every example of the batch. A ratio r of about 1e-3 is usual (Karpathy, *CS231n: Convolutional
Neural Networks for Visual Recognition*, notes on neural networks 3); means and deviations, layer by layer, are how Glorot and Bengio
(2010, "Understanding the difficulty of training deep feedforward neural networks", figures 2 to 4 and 6) saw units saturate.

Reading changes no number of a training: the weights, the gradients and the random state stay as they are, to the bit. A step that is read
costs one more forward pass, without a graph, and a copy of the weights. What the rows say is put in words by
`minilm.training.flow_words`, and drawn by `minilm.training.flow_picture`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from minilm import random
from minilm.backend import device_of
from minilm.graph import no_grad, observe
from minilm.nn.module import Module, Parameter
from minilm.ops.op import Op
from minilm.tensor import Tensor
from minilm.training.flow_rows import Row
from minilm.training.flow_words import told
from minilm.training.modes import modes_kept
from minilm.types import Array

NEAR_ZERO, SATURATED = 1e-2, 0.99
DEAD: dict[str, Callable[[Array], Array]] = {
    "relu": lambda y: y == 0,
    "gelu": lambda y: abs(y) < NEAR_ZERO,
    "silu": lambda y: abs(y) < NEAR_ZERO,
    "tanh": lambda y: abs(y) > SATURATED,
    "sigmoid": lambda y: abs(2 * y - 1) > SATURATED,
}
"""Where an activation function has no slope, or nearly none, seen from its output, by the op's name."""


class Flow:
    """Reads a model's layers around its updates.

    ::

        flow = Flow(model)
        for step in range(1, 201):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            with flow.update(step, x):
                optimizer.step()
        print(flow)                       # what the last step that was read says, in words
        draw_flow(flow.rows)              # minilm.training.flow_picture

    Args:
        model: its layers are the modules that own parameters; a parameter that two share belongs to the first.
        call: what is run on the batch to see the activations; default: the model.
        every: steps between two that are read.

    Attributes:
        rows: what was read so far, by step, and by layer in the order of definition.

    Raises:
        ValueError: `every` is less than 1, or the model has no parameters.
    """

    def __init__(self, model: Module, call: Callable[..., Any] | None = None, every: int = 10) -> None:
        if every < 1:
            raise ValueError(f"Flow: every must be at least 1, got {every!r}.")
        self.model, self.call, self.every = model, call or model, every
        self.rows: list[Row] = []
        self._layers = layers_of(model)
        if not self._layers:
            raise ValueError(f"Flow: {type(model).__name__} has no parameters, so it has no layers to read.")

    @contextlib.contextmanager
    def update(self, step: int, *batch: Any) -> Iterator[list[Row]]:
        """Around the optimizer's step: reads gradients and activations before it, and what it changed after it.

        Args:
            step: the update's number; nothing is done unless `every` divides it.
            batch: what `call` takes; without it the activations are not read.

        Returns:
            The step's rows, a list that is filled when the block ends; empty where nothing is read.
        """
        found: list[Row] = []
        if step % self.every:
            yield found
            return
        looks = look(self.model, self.call, batch) if batch else {}
        before = {name: [p.data.copy() for p in own] for name, own in self._layers.items()}
        gradients = {name: norm([p.grad.data for p in own if p.grad is not None]) for name, own in self._layers.items()}
        yield found
        for name, own in self._layers.items():
            changes = [p.data - old for p, old in zip(own, before[name], strict=True)]
            weights = norm(before[name])
            ratio = norm(changes) / weights if weights else None
            found.append(Row(step, name, gradients[name], weights, ratio, *looks.pop(name, ())))
        found += [Row(step, name, None, None, None, *seen) for name, seen in looks.items()]
        self.rows += found

    def __str__(self) -> str:
        return told(self.rows)


def layers_of(model: Module) -> dict[str, list[Parameter]]:
    """The model's layers, and the parameters of each. One that owns only what an earlier one has is none."""
    layers: dict[str, list[Parameter]] = {}
    for name, p in model.named_parameters():
        layers.setdefault(name.rpartition(".")[0], []).append(p)
    return layers


def norm(arrays: Sequence[Array]) -> float:
    """The Euclidean norm of arrays as one vector; float16 is squared in float32."""
    squares = 0.0
    for a in arrays:
        wide = a.astype("float32") if a.dtype.itemsize < 4 else a
        squares += float((wide * wide).sum())
    return squares**0.5


class Seen(NamedTuple):
    """What a layer gave for a batch; see `Row`."""

    mean: float
    std: float
    dead: float | None = None
    activation: str | None = None


def look(model: Module, call: Callable[..., Any], batch: Sequence[Any]) -> dict[str, Seen]:
    """What each layer gives for a batch, in evaluation mode, without a graph. The model and the random state stay as they are."""
    eyes, state = _Eyes(model), random.get_state()
    try:
        with modes_kept(model), no_grad(), observe(eyes):
            model.eval()
            call(*batch)
    finally:
        eyes.close()
        random.set_state(state)
    return eyes.seen


class _Eyes:
    """Hooks for what the layers give, and an observer for the activation functions behind them."""

    def __init__(self, model: Module) -> None:
        self.seen: dict[str, Seen] = {}
        self._last: str | None = None  # the layer that was begun or ended last: an activation function is taken for its
        self._names = {id(m): name for name, m in model.named_modules() if _owns(m)}
        self._removers = [m.register_forward_hook(self._gave) for m in model.modules() if id(m) in self._names]

    def close(self) -> None:
        for remove in self._removers:
            remove()

    def enter(self, module: Module) -> None:
        self._last = self._names.get(id(module), self._last)

    leave = enter

    def _gave(self, module: Module, _args: Any, output: Any) -> None:
        first = output[0] if isinstance(output, tuple | list) and output else output
        if not isinstance(first, Tensor) or first.dtype.kind != "f" or not first.size:
            return
        name, y = self._names[id(module)], first.data
        wide = y.astype("float32") if y.dtype.itemsize < 4 else y
        within = self.seen.get(name)  # an activation function that is a part of the layer has been seen already
        self.seen[name] = Seen(float(wide.mean()), float(wide.std()), *(within[2:] if within else ()))

    def forward(self, op: Op, _inputs: Any, _params: Any, outputs: Sequence[Tensor]) -> None:
        layer = self._last
        if layer is None or op.name not in DEAD or not outputs[0].size:
            return
        before = self.seen.get(layer) or Seen(float("nan"), float("nan"))
        if before.dead is None:  # of several, as of a gated unit, the first
            self.seen[layer] = Seen(before.mean, before.std, dead_share(op.name, outputs[0].data), op.name)


def _owns(module: Module) -> bool:
    """Whether the module itself has a parameter, not only those below it."""
    return any(isinstance(value, Parameter) for value in vars(module).values())


def dead_share(activation: str, y: Array) -> float:
    """The share of units for which `DEAD` holds at every example and place.

    Args:
        activation: the op's name.
        y: its output: the units on the last axis; of images (N, C, H, W) on the second.
    """
    units = device_of(y).xp.moveaxis(y, 1 if y.ndim == 4 else -1, -1) if y.ndim else y.reshape(1)
    return float(DEAD[activation](units).reshape(-1, units.shape[-1]).all(axis=0).mean())


__all__ = ["DEAD", "Flow", "Seen", "dead_share", "layers_of", "look", "norm"]
