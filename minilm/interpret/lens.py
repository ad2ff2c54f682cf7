r"""What each layer holds: the residual stream between the layers, and what the model's own last step reads in it (the logit lens).

.. math:: p^\ell(x_{t+1} \mid x_{\le t}) = \operatorname{softmax}\bigl(E\, \operatorname{Norm}(h^\ell_t)\bigr), \qquad
    \ell = 0 \ldots L

For :math:`\ell = L` it is the model's prediction; before that the lens supposes that a layer writes as the last one reads, which nothing
in training asks for. nostalgebraist (2020), *interpreting GPT: the logit lens*, LessWrong. Where it says little a learned reader may
still say much: Belrose et al. (2023), *Eliciting Latent Predictions from Transformers with the Tuned Lens*, arXiv:2303.08112.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minilm.backend import to_device, to_host
from minilm.graph import no_grad
from minilm.interpret.watch import outputs_of
from minilm.models.attention_only import AttentionOnly
from minilm.models.gpt import GPT
from minilm.models.ids import as_ids
from minilm.models.llama import Llama
from minilm.nn import Module
from minilm.nn import functional as F
from minilm.tensor import Tensor
from minilm.types import HostArray, Ids

LAYERS: dict[type[Module], tuple[str, Callable[[Any, Tensor], Tensor]]] = {
    GPT: ("blocks", lambda model, h: model.lm_head(model.ln_f(h))),
    Llama: ("layers", lambda model, h: model.lm_head(model.norm(h))),
    AttentionOnly: ("layers", lambda model, h: model.lm_head(h)),
}
"""The language models whose layers are known: the list of these, and what the model does behind the last one."""


def hidden_states(model: Module, ids: Ids) -> list[HostArray]:
    """The residual stream before the first layer and after each: layers + 1 arrays (B, T, C).

    Raises:
        ValueError: the model is none of `LAYERS`; or as the model says of the ids.
    """
    layers = list(getattr(model, _known(model)[0]))
    first: list[Tensor] = []
    remove = layers[0].register_forward_pre_hook(lambda module, args: first.append(args[0]))
    try:
        with no_grad(), outputs_of(layers) as found:
            model(ids)
    finally:
        remove()
    return [to_host(h.data) for h in (*first, *found)]


def read_out(model: Module, state: HostArray) -> HostArray:
    """The logits that the model's last step reads in a state: (..., C) -> (..., vocab_size). Errors as for `hidden_states`."""
    behind, p = _known(model)[1], next(model.parameters())
    with no_grad():
        return to_host(behind(model, Tensor(to_device(np.asarray(state), p.device))).data)


def lens_losses(model: Module, ids: Ids, states: Sequence[HostArray] | None = None) -> HostArray:
    """The surprise at each next token, in nats, that the lens reads before the first layer and after each: (layers + 1, B, T - 1).

    The last is the model's own. One layer's logits are in memory at a time.

    Args:
        ids: (B, T).
        states: each (B, T, C), of which it is read instead; default: all `hidden_states`.

    Raises:
        ValueError: there is no next token; or as `hidden_states`.
    """
    ids = to_host(as_ids(ids, next(model.parameters())).data)
    if ids.ndim != 2 or ids.shape[1] < 2:
        raise ValueError(f"lens_losses: expected ids of shape (batch, 2 or more tokens), got {ids.shape}.")
    states = hidden_states(model, ids) if states is None else states
    return np.stack([_nats(read_out(model, h[:, :-1]), ids[:, 1:]) for h in states])


def _nats(logits: HostArray, ids: HostArray) -> HostArray:
    with no_grad():
        flat = F.cross_entropy(Tensor(logits.reshape(-1, logits.shape[-1])), Tensor(ids.reshape(-1)), reduction="none")
    return to_host(flat.data).reshape(ids.shape)


def _known(model: Module) -> tuple[str, Callable[[Any, Tensor], Tensor]]:
    if type(model) not in LAYERS:
        raise ValueError(
            f"the layers of a {type(model).__name__} are not known here; those of {', '.join(m.__name__ for m in LAYERS)} are."
        )
    return LAYERS[type(model)]


__all__ = ["hidden_states", "lens_losses", "read_out"]
