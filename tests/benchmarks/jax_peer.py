"""JAX's side of the benchmarks: one jitted function a training step, with AdamW and SGD by hand and the state donated.

Models are functions of a dictionary of weights, which have minilm's names.
"""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.benchmarks import workloads
from tests.benchmarks.workloads import Arrays, Step, Workload

NAME = "JAX jit"


def set_threads(count: int) -> None:
    """Nothing: XLA takes the number of its threads from NPROC, which the worker's parent sets, when it starts."""


def build(workload: Workload, arrays: Arrays) -> Step:
    """The workload's step, from its initial weights; its first call compiles."""
    options = workload.options
    loss, names, update = BUILDERS[workload.kind]
    state = _initial(workloads.weights(arrays))
    batches = itertools.cycle([tuple(jnp.asarray(arrays[name][i]) for name in names) for i in range(workloads.BATCHES)])

    def whole(state: Any, *batch: Any) -> tuple[Any, Any]:
        value, gradients = jax.value_and_grad(lambda weights: loss(options, weights, *batch))(state["weights"])
        return update(state, gradients), value

    compiled = jax.jit(whole, donate_argnums=0)

    def step() -> float:
        nonlocal state
        state, value = compiled(state, *next(batches))
        jax.block_until_ready(state)
        return float(value)

    return Step(step)


def _initial(weights: Arrays) -> Any:
    """Weights, and zeros for the optimizers' moments. Each leaf is an array of its own, as donation demands."""
    zeros = {name: np.zeros_like(value) for name, value in weights.items()}
    return jax.tree.map(jnp.array, {"weights": weights, "m": zeros, "v": zeros, "t": np.zeros((), np.float32)})


# -- optimizers ---------------------------------------------------------------------------------------------------------


def adamw(state: Any, gradients: Any) -> Any:
    """Clipping by the common norm, then AdamW."""
    lr, (beta1, beta2), eps = (workloads.ADAMW[name] for name in ("lr", "betas", "eps"))
    norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in gradients.values()))
    scale = jnp.minimum(1.0, workloads.CLIP / (norm + 1e-6))
    t = state["t"] + 1
    new: Any = {"weights": {}, "m": {}, "v": {}, "t": t}
    for name, w in state["weights"].items():
        g = gradients[name] * scale
        m = beta1 * state["m"][name] + (1 - beta1) * g
        v = beta2 * state["v"][name] + (1 - beta2) * g * g
        decay = workloads.WEIGHT_DECAY if w.ndim >= 2 else 0.0
        direction = (m / (1 - beta1**t)) / (jnp.sqrt(v / (1 - beta2**t)) + eps)
        new["weights"][name], new["m"][name], new["v"][name] = w * (1 - lr * decay) - lr * direction, m, v
    return new


def sgd(state: Any, gradients: Any) -> Any:
    """Gradient descent with momentum."""
    m = {name: workloads.SGD["momentum"] * state["m"][name] + g for name, g in gradients.items()}
    new = {name: w - workloads.SGD["lr"] * m[name] for name, w in state["weights"].items()}
    return {**state, "weights": new, "m": m}


# -- models -------------------------------------------------------------------------------------------------------------


def _cross_entropy(logits: Any, targets: Any) -> Any:
    picked = jnp.take_along_axis(logits, targets[..., None], -1)[..., 0]
    return jnp.mean(jax.nn.logsumexp(logits, -1) - picked)


def _layer_norm(x: Any, weight: Any, bias: Any = 0.0) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    return centred * lax.rsqrt((centred * centred).mean(-1, keepdims=True) + 1e-5) * weight + bias


def _attention(q: Any, k: Any, v: Any, n_head: int, allowed: Any) -> Any:
    """(B, T, C) to the same; `allowed` broadcasts to (B, heads, T, T)."""
    B, T, C = q.shape
    q, k, v = (x.reshape(B, T, n_head, -1).swapaxes(1, 2) for x in (q, k, v))
    scores = q @ k.swapaxes(2, 3) * (C // n_head) ** -0.5
    y = jax.nn.softmax(jnp.where(allowed, scores, -jnp.inf)) @ v
    return y.swapaxes(1, 2).reshape(B, T, C)


def _gpt(options: dict[str, Any], w: Any, ids: Any, targets: Any) -> Any:
    T = ids.shape[1]
    causal = jnp.tril(jnp.ones((T, T), bool))
    x = w["wte.weight"][ids] + w["wpe.weight"][:T]
    for i in range(options["n_layer"]):
        at = f"blocks.{i}."
        qkv = _layer_norm(x, w[at + "ln_1.weight"]) @ w[at + "attn.c_attn.weight"].T
        y = _attention(*jnp.split(qkv, 3, -1), options["n_head"], causal)
        x = x + y @ w[at + "attn.c_proj.weight"].T
        hidden = jax.nn.gelu(_layer_norm(x, w[at + "ln_2.weight"]) @ w[at + "mlp.c_fc.weight"].T, approximate=False)
        x = x + hidden @ w[at + "mlp.c_proj.weight"].T
    return _cross_entropy(_layer_norm(x, w["ln_f.weight"]) @ w["wte.weight"].T, targets)


def _linear(w: Any, name: str, x: Any) -> Any:
    return x @ w[name + ".weight"].T + w[name + ".bias"]


def _mlp(options: dict[str, Any], w: Any, x: Any, targets: Any) -> Any:
    last = len(options["widths"]) - 2
    for i in range(last):
        x = jax.nn.relu(_linear(w, f"layers.{i}", x))
    return _cross_entropy(_linear(w, f"layers.{last}", x), targets)


def _convolved(w: Any, name: str, x: Any) -> Any:
    """Convolution with padding 1, ReLU, and the maximum of each 2 x 2."""
    y = lax.conv_general_dilated(x, w[name + ".weight"], (1, 1), ((1, 1), (1, 1)))
    y = jax.nn.relu(y + w[name + ".bias"][:, None, None])
    return lax.reduce_window(y, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def _cnn(options: dict[str, Any], w: Any, x: Any, targets: Any) -> Any:
    x = _convolved(w, "3", _convolved(w, "0", x))
    return _cross_entropy(_linear(w, "7", x.reshape(x.shape[0], -1)), targets)


def _encoder(options: dict[str, Any], w: Any, x: Any, y: Any, padding: Any) -> Any:
    for i in range(options["n_layer"]):
        at = f"{i}.self_attn."
        q, k, v = (_linear(w, f"{at}{name}", x) for name in ("q_proj", "k_proj", "v_proj"))
        attended = _linear(w, at + "out_proj", _attention(q, k, v, options["n_head"], ~padding[:, None, None, :]))
        x = _layer_norm(x + attended, w[f"{i}.norm1.weight"], w[f"{i}.norm1.bias"])
        fed = _linear(w, f"{i}.feed_forward.down", jax.nn.relu(_linear(w, f"{i}.feed_forward.up", x)))
        x = _layer_norm(x + fed, w[f"{i}.norm2.weight"], w[f"{i}.norm2.bias"])
    keep = (~padding)[..., None].astype(x.dtype)
    return (((x - y) * keep) ** 2).sum() / (keep.sum() * y.shape[-1])


BUILDERS = {
    "gpt": (_gpt, ("ids", "targets"), adamw),
    "mlp": (_mlp, ("x", "targets"), sgd),
    "cnn": (_cnn, ("x", "targets"), sgd),
    "encoder": (_encoder, ("x", "y", "padding"), sgd),
}
