r"""Recurrent layers, with PyTorch's equations, names and weight layout.

All three work alike: what the input contributes to every step is one product for the whole sequence; then each step adds what
the state contributes, and makes the new state. Weights of layer k are ``weight_ih_lk (gates * hidden, input)``,
``weight_hh_lk (gates * hidden, hidden)``, ``bias_ih_lk`` and ``bias_hh_lk``, with the gates one below the other; those of the backward
direction end in ``_reverse``. All start uniform in :math:`\pm 1/\sqrt{hidden}`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minilm.backend import to_device
from minilm.creation import zeros
from minilm.nn import functional as F
from minilm.nn import init
from minilm.nn.checks import expect_axes, expect_probability, expect_sizes
from minilm.nn.module import Module, Parameter
from minilm.ops.arguments import shape_of
from minilm.ops.arithmetic import where
from minilm.ops.shape import concat, split, squeeze, stack, unsqueeze
from minilm.tensor import Tensor

State = tuple[Any, ...]  # (h,), or (h, c): (batch, hidden) each
Weights = list[tuple[Any, Any]]  # by which a state acts on the next one: matrices, each with its bias (or None)


class _Recurrent(Module):
    """What RNN, LSTM and GRU share; a subclass says how many gates it has, and what a step does.

    Args:
        input_size, hidden_size: widths of the input and of the state.
        num_layers: layers, each reading the outputs of the one below.
        bias: False leaves both biases out.
        batch_first: sequences are ``(batch, length, width)`` instead of ``(length, batch, width)``.
        dropout: probability of dropping the outputs between layers, while learning.
        bidirectional: a second set of weights reads each sequence from its end; outputs are joined to width 2 hidden.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is not positive, or `dropout` is no probability.
    """

    gates = 1
    parts = 1  # arrays in a state

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        expect_sizes(type(self).__name__, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        expect_probability(type(self).__name__, dropout)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout, self.bidirectional = bias, batch_first, dropout, bidirectional
        self._directions = ("", "_reverse") if bidirectional else ("",)
        for layer in range(num_layers):
            width = input_size if layer == 0 else hidden_size * len(self._directions)
            for direction in self._directions:
                self._add_weights(f"l{layer}{direction}", width)

    def _add_weights(self, suffix: str, width: int) -> None:
        rows, bound = self.gates * self.hidden_size, 1.0 / math.sqrt(self.hidden_size)
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, width), "weight_hh": (rows, self.hidden_size)}
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        for name, shape in shapes.items():
            setattr(self, f"{name}_{suffix}", init.uniform_(Parameter(zeros(*shape)), -bound, bound))

    def step(self, x: Any, weights: Weights, state: State) -> State:
        """The new state, from what the input contributes to the gates (x, ``(batch, gates * hidden)``) and from the old state."""
        raise NotImplementedError

    def state_weights(self, weight: Any, bias: Any) -> Weights:
        """What `step` multiplies the state with: ``weight_hh`` and ``bias_hh``, in one product or in several."""
        return [(weight, bias)]

    def forward(self, x: Any, state: Any = None, lengths: Any = None) -> tuple[Any, Any]:
        """Runs over whole sequences.

        Args:
            x: ``(length, batch, input_size)``, or ``(batch, length, input_size)`` with batch_first; or one sequence
                ``(length, input_size)``: then state and results have no batch axis either.
            state: where to start, ``(num_layers * directions, batch, hidden_size)``, for an LSTM two of these; default: zeros.
            lengths: how long each sequence of the batch is, where they differ. Beyond its end a sequence's outputs are zero
                and its state stays, in both directions.

        Returns:
            The top layer's outputs ``(length, batch, directions * hidden_size)`` (batch first where x is), and the last state
            of each layer and direction, shaped as `state`.

        Raises:
            ValueError: x, state or lengths have the wrong shape.
        """
        batched = ("batch", "length", self.input_size) if self.batch_first else ("length", "batch", self.input_size)
        expect_axes(self, x, batched, ("length", self.input_size))
        if len(shape_of(x)) == 2:
            return self._one(x, state, lengths)
        if self.batch_first:
            x = x.swapaxes(0, 1)
        if 0 in x.shape:
            raise ValueError(f"{self!r} needs at least one step and one sequence, got an input of shape {shape_of(x)}.")
        states = self._start(state, x)
        inside = None if lengths is None else self._inside(lengths, x)
        for layer in range(self.num_layers):
            if layer:
                x = F.dropout(x, self.dropout, self.training)
            runs = []
            for i, direction in enumerate(self._directions, layer * len(self._directions)):
                outputs, states[i] = self._run(x, states[i], f"l{layer}{direction}", inside)
                runs.append(outputs)
            x = concat(*runs, axis=-1)
        last = tuple(stack(*parts) for parts in zip(*states, strict=True))
        return (x.swapaxes(0, 1) if self.batch_first else x), (last if self.parts > 1 else last[0])

    def _one(self, x: Any, state: Any, lengths: Any) -> tuple[Any, Any]:
        """One sequence without a batch axis: a batch of one."""
        if lengths is not None:
            raise ValueError(f"{self!r}: lengths are for a batch of sequences, got one of shape {shape_of(x)}: cut it.")
        axis = 0 if self.batch_first else 1
        if state is not None:
            given = (state,) if self.parts == 1 else tuple(state)
            self._expect_state(given, (self.num_layers * len(self._directions), self.hidden_size))
            given = tuple(unsqueeze(part, 1) for part in given)
            state = given if self.parts > 1 else given[0]
        y, last = self.forward(unsqueeze(x, axis), state)
        return squeeze(y, axis), tuple(squeeze(part, 1) for part in last) if self.parts > 1 else squeeze(last, 1)

    def _run(self, x: Any, state: State, suffix: str, inside: list[Any] | None) -> tuple[Any, State]:
        """One layer in one direction: its outputs ``(length, batch, hidden)``, and its last state."""
        names = ("weight_ih", "bias_ih", "weight_hh", "bias_hh")
        w_ih, b_ih, w_hh, b_hh = (getattr(self, f"{n}_{suffix}") if n[0] == "w" or self.bias else None for n in names)
        weights = self.state_weights(w_hh, b_hh)
        steps = list(enumerate(unstack(F.linear(x, w_ih, b_ih))))
        outputs: list[Any] = [None] * len(steps)
        for t, from_input in reversed(steps) if suffix.endswith("_reverse") else steps:
            new = self.step(from_input, weights, state)
            outputs[t] = new[0]
            if inside is not None:
                outputs[t] = where(inside[t], new[0], 0.0)
                new = tuple(where(inside[t], after, before) for after, before in zip(new, state, strict=True))
            state = new
        return stack(*outputs), state

    def _start(self, state: Any, x: Any) -> list[State]:
        """The state in which each layer and direction begins."""
        count, batch = self.num_layers * len(self._directions), x.shape[1]
        if state is None:
            nothing = Tensor(x.device.xp.zeros((batch, self.hidden_size), x.dtype))
            return [(nothing,) * self.parts] * count
        given = (state,) if self.parts == 1 else tuple(state)
        self._expect_state(given, (count, batch, self.hidden_size))
        return list(zip(*map(unstack, given), strict=True))

    def _expect_state(self, given: State, expected: tuple[int, ...]) -> None:
        if len(given) != self.parts or any(shape_of(part) != expected for part in given):
            what = f"(h, c), each {expected}" if self.parts == 2 else str(expected)
            raise ValueError(
                f"{self!r} expected a state of shape {what}, got {', '.join(str(shape_of(p)) for p in given)}."
            )

    def _inside(self, lengths: Any, x: Any) -> list[Any]:
        """For each step, which sequences have not ended before it: ``(batch, 1)``."""
        steps, batch = x.shape[:2]
        count = np.asarray(lengths.numpy() if isinstance(lengths, Tensor) else lengths)
        if count.shape != (batch,) or count.dtype.kind not in "iu" or count.min() < 0 or count.max() > steps:
            raise ValueError(
                f"{self!r}: lengths must be {batch} integers from 0 to {steps}, one for each sequence; got {count.tolist()}."
            )
        inside = np.arange(steps)[:, None, None] < count[:, None]
        return unstack(Tensor(to_device(inside, x.device)))

    def extra_repr(self) -> str:
        options = ["bias=False"] if not self.bias else []
        options += [f"{name}=True" for name in ("batch_first", "bidirectional") if getattr(self, name)]
        options += [f"dropout={self.dropout}"] if self.dropout else []
        return ", ".join([f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}", *options])


class RNN(_Recurrent):
    r"""The simple recurrent layer (Elman, Finding structure in time, 1990).

    .. math:: h_t = \tanh(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})

    Args:
        nonlinearity: ``"tanh"`` or ``"relu"``.
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional: see `_Recurrent`.

    Raises:
        ValueError: the nonlinearity is unknown, or what `_Recurrent` refuses.
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh", **options: Any
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNN: nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}.")
        super().__init__(input_size, hidden_size, num_layers, **options)
        self.nonlinearity = nonlinearity

    def step(self, x: Any, weights: Weights, state: State) -> State:
        a = x + F.linear(state[0], *weights[0])
        return (F.tanh(a) if self.nonlinearity == "tanh" else F.relu(a),)


class LSTM(_Recurrent):
    r"""Long short-term memory; its state is (h, c).

    .. math::
        i_t &= \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi}) \\
        f_t &= \sigma(W_{if} x_t + b_{if} + W_{hf} h_{t-1} + b_{hf}) \\
        g_t &= \tanh(W_{ig} x_t + b_{ig} + W_{hg} h_{t-1} + b_{hg}) \\
        o_t &= \sigma(W_{io} x_t + b_{io} + W_{ho} h_{t-1} + b_{ho}) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh(c_t)

    The weights hold the gates in this order: i, f, g, o. Hochreiter and Schmidhuber, Long short-term memory, 1997; with the
    forget gate of Gers, Schmidhuber and Cummins, Learning to forget, 2000.

    Args: see `_Recurrent`.
    """

    gates = 4
    parts = 2

    def step(self, x: Any, weights: Weights, state: State) -> State:
        i, f, g, o = split(x + F.linear(state[0], *weights[0]), 4, axis=-1)
        c = F.sigmoid(f) * state[1] + F.sigmoid(i) * F.tanh(g)
        return F.sigmoid(o) * F.tanh(c), c


class GRU(_Recurrent):
    r"""The gated recurrent unit.

    .. math::
        r_t &= \sigma(W_{ir} x_t + b_{ir} + W_{hr} h_{t-1} + b_{hr}) \\
        z_t &= \sigma(W_{iz} x_t + b_{iz} + W_{hz} h_{t-1} + b_{hz}) \\
        n_t &= \tanh(W_{in} x_t + b_{in} + r_t \odot (W_{hn} h_{t-1} + b_{hn})) \\
        h_t &= (1 - z_t) \odot n_t + z_t \odot h_{t-1}

    The weights hold the gates in this order: r, z, n. The reset gate acts after the product with the state, as in PyTorch and
    cuDNN; with ``reset_after=False`` before it, as in Cho et al., Learning phrase representations using RNN encoder-decoder, 2014:

    .. math:: n_t = \tanh(W_{in} x_t + b_{in} + W_{hn} (r_t \odot h_{t-1}) + b_{hn})

    (Whose z is 1 - z here, as in PyTorch.)

    Args:
        reset_after: False applies the reset gate before the product.
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional: see `_Recurrent`.
    """

    gates = 3

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, *, reset_after: bool = True, **options: Any
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, **options)
        self.reset_after = reset_after

    def state_weights(self, weight: Any, bias: Any) -> Weights:
        if self.reset_after:
            return [(weight, bias)]
        end = 2 * self.hidden_size  # of the rows of the gates r and z
        return [
            (weight[:end], None if bias is None else bias[:end]),
            (weight[end:], None if bias is None else bias[end:]),
        ]

    def step(self, x: Any, weights: Weights, state: State) -> State:
        (h,), (xr, xz, xn) = state, split(x, 3, axis=-1)
        hr, hz, *hn = split(F.linear(h, *weights[0]), 3 if self.reset_after else 2, axis=-1)
        r, z = F.sigmoid(xr + hr), F.sigmoid(xz + hz)
        n = F.tanh(xn + (r * hn[0] if self.reset_after else F.linear(r * h, *weights[1])))
        return ((1.0 - z) * n + z * h,)

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.reset_after else ", reset_after=False")


def unstack(x: Any) -> list[Any]:
    """The parts of x along its first axis, which disappears."""
    return [part.squeeze(0) for part in split(x, x.shape[0], axis=0)]


__all__ = ["GRU", "LSTM", "RNN", "unstack"]
