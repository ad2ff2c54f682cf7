"""Each hot function in NumPy and as a loop that Numba compiles: microseconds on one thread, and the digits of both.

The arrays have the sizes of the benchmarks' GPT (12 windows of 64 tokens, 128 wide, 4 heads, 65 characters) and of their CNN (64 images of
28 x 28). A time is the least of 60, the two sides taking turns. An error is the largest difference from the formula in float64
(`minilm.backend.reference`), in units of float32's last place at the largest number of the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import minilm as ml
from minilm.backend import cpu
from minilm.backend.device import Device
from minilm.ops import REGISTRY

TIMES = 60
Call = Callable[[], Any]
F32, F64 = np.dtype("f"), np.dtype("d")


def measure() -> list[dict[str, Any]]:
    ml.set_num_threads(1)
    exact = functions(Device("plain", np, np.ndarray), F64)
    with ml.use_compiled(False):
        plain = functions(cpu, F32)
    with ml.use_compiled(True):
        compiled = functions(cpu, F32)
    return [row(name, plain[name], compiled[name], exact[name]) for name in exact]


def row(name: str, plain: Call, compiled: Call, exact: Call) -> dict[str, Any]:
    right = arrays(exact())
    with ml.use_compiled(False):
        plain_error = error(arrays(plain()), right)
    with ml.use_compiled(True):
        compiled_error = error(arrays(compiled()), right)
    slow, fast = least(plain, compiled)
    return {
        "function": name,
        "NumPy, µs": round(1e6 * slow),
        "compiled, µs": round(1e6 * fast),
        "times faster": f"{slow / fast:.1f}",
        "NumPy's error": f"{plain_error:.1f}",
        "the loop's error": f"{compiled_error:.1f}",
    }


def least(plain: Call, compiled: Call) -> tuple[float, float]:
    """Seconds of this thread, the least of `TIMES`, taken in turns."""
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(TIMES):
        for on, call in ((False, plain), (True, compiled)):
            with ml.use_compiled(on):
                start = time.thread_time()
                call()
                seconds[on].append(time.thread_time() - start)
    return min(seconds[False]), min(seconds[True])


def error(found: Sequence[Any], right: Sequence[Any]) -> float:
    """The largest of all results: in units of the last place that float32 has at the result's largest number."""
    return max(
        float(np.abs(a.astype("d") - b).max() / np.spacing(np.float32(np.abs(b).max())))
        for a, b in zip(found, right, strict=True)
    )


def arrays(found: Any) -> list[Any]:
    """The arrays of a result, in copies: AdamW writes over its own."""
    if isinstance(found, tuple | list):
        return [a for each in found for a in arrays(each)]
    return [] if found is None else [found.copy()]


def functions(device: Any, dtype: np.dtype[Any]) -> dict[str, Call]:
    """What is measured, on a device: the numbers are the same in each dtype."""
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> Any:
        return rng.normal(size=shape).astype(F32).astype(dtype)

    return {
        **of_activations(device, draw),
        **of_norms(device, draw),
        **of_attention(device, draw),
        **of_loss(device, draw, rng),
        **of_step(device, draw, dtype),
        **of_images(device, draw),
    }


def of_activations(device: Any, draw: Any) -> dict[str, Call]:
    x, g, image = draw(768, 512), draw(768, 512), draw(64, 16, 28, 28)
    y, z, positive = device.gelu(x, "none"), device.gelu(x, "tanh"), np.maximum(image, 0)
    return {
        "GELU": lambda: device.gelu(x, "none"),
        "GELU's gradient": lambda: device.gelu_backward(g, x, y, "none"),
        "GELU by tanh": lambda: device.gelu(x, "tanh"),
        "GELU's gradient by tanh": lambda: device.gelu_backward(g, x, z, "tanh"),
        "ReLU": lambda: device.relu(image),
        "ReLU's gradient": lambda: device.relu_backward(image, positive),
    }


def of_norms(device: Any, draw: Any) -> dict[str, Call]:
    x, g, weight, bias = draw(768, 128), draw(768, 128), draw(128), draw(128)
    _, saved = device.layer_norm(x, weight, bias, 1e-5)
    _, root = device.rms_norm(x, weight, 1e-5)
    return {
        "layer norm": lambda: device.layer_norm(x, weight, bias, 1e-5)[0],
        "layer norm's gradients": lambda: device.layer_norm_backward(g, x, weight, saved),
        "RMS norm": lambda: device.rms_norm(x, weight, 1e-5)[0],
        "RMS norm's gradients": lambda: device.rms_norm_backward(g, x, weight, root),
    }


def of_attention(device: Any, draw: Any) -> dict[str, Call]:
    joined = draw(12, 64, 384)
    q, k, v = (each.reshape(12, 64, 4, 32).swapaxes(1, 2) for each in np.split(joined, 3, axis=-1))
    scores, back = draw(12, 4, 64, 64), draw(12, 4, 64, 64)
    scale, g = 32**-0.5, draw(12, 64, 4, 32).swapaxes(1, 2)
    y, saved = device.attention(q, k, v, None, True, 0.0, 0, scale)
    p = device.softmax(scores, 3)
    return {
        "softmax": lambda: device.softmax(scores, 3),
        "softmax's gradient": lambda: device.softmax_backward(back, p, 3),
        "causal attention": lambda: device.attention(q, k, v, None, True, 0.0, 0, scale)[0],
        "causal attention's gradients": lambda: device.attention_backward(g, q, k, v, y, scale, saved, True, False)[:3],
    }


def of_loss(device: Any, draw: Any, rng: Any) -> dict[str, Call]:
    x, target, g = draw(768, 65), rng.integers(0, 65, 768), draw(768)
    _, _, saved = device.cross_entropy(x, target, None, -100, 0.0)
    return {
        "cross-entropy": lambda: device.cross_entropy(x, target, None, -100, 0.0)[0],
        "cross-entropy's gradient": lambda: device.cross_entropy_backward(g, x, target, None, -100, 0.0, saved),
    }


def of_step(device: Any, draw: Any, dtype: np.dtype[Any]) -> dict[str, Call]:
    p, g, m, v = draw(65_536), draw(65_536), draw(65_536), draw(65_536) ** 2
    settings = {"step": 3, "lr": 1e-3, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.1}

    def adamw() -> Any:
        device.adamw(p, g, m, v, None, **settings)
        return p, m, v

    return {
        "dropout's mask": lambda: device.dropout_mask((768, 128), 0.1, 3, dtype),
        "AdamW, 65,536 weights": adamw,
    }


def of_images(device: Any, draw: Any) -> dict[str, Call]:
    pool, convolution = REGISTRY["max_pool2d"], REGISTRY["conv2d"]
    pair = {
        "kernel_size": (2, 2),
        "stride": (2, 2),
        "padding": ((0, 0), (0, 0)),
        "dilation": (1, 1),
        "ceil_mode": False,
    }
    padded = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    image, small, filters, bias = draw(64, 16, 28, 28), draw(64, 16, 14, 14), draw(32, 16, 3, 3), draw(32)
    y, place = pool.forward(device, image, **pair)
    g, z = draw(*y.shape), convolution.forward(device, small, filters, bias, **padded)
    back = draw(*z.shape)
    needs = (True, True, True)
    return {
        "max pooling": lambda: pool.forward(device, image, **pair)[0],
        "max pooling's gradient": lambda: pool.grad_x(g, y, image, aux=place, **pair),
        "convolution": lambda: convolution.forward(device, small, filters, bias, **padded),
        "convolution's gradients": lambda: convolution.backward(back, z, small, filters, bias, needs=needs, **padded),
    }
