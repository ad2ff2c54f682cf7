"""Losses as modules: called with predictions, then targets. Formulas, shapes and errors are those of `minilm.ops.loss`."""

from __future__ import annotations

from minilm.nn import functional as F
from minilm.nn.module import Module
from minilm.tensor import Tensor
from minilm.types import Array


class _Loss(Module):
    """What all losses share.

    Args:
        reduction: ``"mean"`` or ``"sum"`` of all losses, or ``"none"`` for each by itself.

    Raises:
        ValueError: the reduction is unknown.
    """

    reductions: tuple[str, ...] = ("mean", "sum", "none")

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        if reduction not in self.reductions:
            expected = ", ".join(map(repr, self.reductions))
            raise ValueError(f"{type(self).__name__}: reduction must be one of {expected}; got {reduction!r}.")
        self.reduction = reduction

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"


class CrossEntropyLoss(_Loss):
    """Minus the log-probability of the right class, from logits; see `minilm.ops.loss.cross_entropy`.

    Args:
        weight: the importance of each class, ``(C,)``.
        ignore_index: targets that count nothing.
        label_smoothing: the share of each target that is spread over all classes.
    """

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | Array | None = None,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, logits: Tensor, target: Tensor | Array) -> Tensor:
        return F.cross_entropy(
            logits,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            reduction=self.reduction,
        )


class NLLLoss(_Loss):
    """Minus the log-probability of the right class, from log-probabilities; see `minilm.ops.loss.nll`.

    Args:
        weight: the importance of each class, ``(C,)``.
        ignore_index: targets that count nothing.
    """

    weight: Tensor | None

    def __init__(self, weight: Tensor | Array | None = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, log_probabilities: Tensor, target: Tensor | Array) -> Tensor:
        return F.nll_loss(
            log_probabilities, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction
        )


class BCELoss(_Loss):
    """Minus the log-probability of a yes-or-no target, from the probability of yes."""

    def forward(self, probabilities: Tensor, target: Tensor | Array) -> Tensor:
        return F.binary_cross_entropy(probabilities, target, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """`BCELoss` of the sigmoid of the logits, without overflow.

    Args:
        pos_weight: what the loss of the yes part is multiplied by, one number per class.
    """

    pos_weight: Tensor | None

    def __init__(self, pos_weight: Tensor | Array | None = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, logits: Tensor, target: Tensor | Array) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, target, self.pos_weight, reduction=self.reduction)


class MSELoss(_Loss):
    """The squared difference."""

    def forward(self, prediction: Tensor, target: Tensor | Array) -> Tensor:
        return F.mse_loss(prediction, target, reduction=self.reduction)


class L1Loss(_Loss):
    """The absolute difference."""

    def forward(self, prediction: Tensor, target: Tensor | Array) -> Tensor:
        return F.l1_loss(prediction, target, reduction=self.reduction)


class HuberLoss(_Loss):
    """Squared where the difference is at most delta, linear beyond.

    Raises:
        ValueError: delta is not positive.
    """

    def __init__(self, delta: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        if not delta > 0:
            raise ValueError(f"HuberLoss: delta must be positive, got {delta}.")
        self.delta = delta

    def forward(self, prediction: Tensor, target: Tensor | Array) -> Tensor:
        return F.huber_loss(prediction, target, delta=self.delta, reduction=self.reduction)


class KLDivLoss(_Loss):
    """The divergence of the target distribution from the predicted one, given as log-probabilities.

    Args:
        log_target: targets are log-probabilities too.
        reduction: also ``"batchmean"``: the sum divided by the batch, which is the divergence as it is defined.
    """

    reductions = ("mean", "sum", "none", "batchmean")

    def __init__(self, log_target: bool = False, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def forward(self, log_probabilities: Tensor, target: Tensor | Array) -> Tensor:
        return F.kl_div(log_probabilities, target, log_target=self.log_target, reduction=self.reduction)


__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
]
