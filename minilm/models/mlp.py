r"""The book's classifier: linear layers with an activation between them.

.. math:: a^{[l]} = \operatorname{activate}(W^{[l]} a^{[l-1]} + b^{[l]}), \qquad \text{logits} = W^{[L]} a^{[L-1]} + b^{[L]}

Without an activation, two linear layers are one linear layer, :math:`W^{[2]} W^{[1]}`: chapter 5 shows it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from minilm import nn
from minilm.nn import functional as F
from minilm.tensor import Tensor

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "sigmoid": F.sigmoid,
    "tanh": F.tanh,
    "gelu": F.gelu,
    "none": lambda x: x,
}


class MLP(nn.Module):
    """A multilayer perceptron.

    Args:
        widths: sizes from the input to the output, e.g. ``(784, 128, 10)``.
        activation: after every layer but the last: "relu", "sigmoid", "tanh", "gelu" or "none".

    Raises:
        ValueError: fewer than two widths, or an unknown activation.
    """

    def __init__(self, widths: Sequence[int], activation: str = "relu") -> None:
        super().__init__()
        if len(widths) < 2:
            raise ValueError(f"MLP needs at least an input and an output width, got {tuple(widths)}.")
        if activation not in ACTIVATIONS:
            raise ValueError(f"MLP: activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}.")
        self.activation = activation
        self.layers = nn.ModuleList([nn.Linear(m, n) for m, n in itertools.pairwise(widths)])

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, widths[-1]); an input with more axes, such as images (B, 1, 28, 28), is flattened to (B, widths[0])."""
        x = x.reshape(x.shape[0], -1)
        *hidden, last = self.layers
        for layer in hidden:
            x = ACTIVATIONS[self.activation](layer(x))
        return last(x)
