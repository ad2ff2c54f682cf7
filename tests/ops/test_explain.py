"""Every record called with arguments that cannot be meant, made from its samples: an error names the op and says what is wrong.

It is never one of Python's or NumPy's own from inside (an attribute that a string lacks, an axis of an array that the caller has
not seen), and it comes as the kind that Python has for it: TypeError for what is no tensor, ValueError for what does not fit.
"""

import numpy as np
import pytest

import minilm as ml
from minilm.backend import DeviceError
from minilm.ops import REGISTRY

pytestmark = pytest.mark.host  # a GPU would be waited for in the checks of indices, which are therefore left out there
STRANGERS = ["a", {"a": 1}, {1, 2}, object(), 1j, [[1, 2], [3]], ["a"], lambda x: x, b"1", ...]
PARAMETERS = ["abc", 1.5, None, 99, -99, (0, 0), (5,), [], {}, object(), "axis", 10**30, [[1], [2, 3]]]
NAMES = list(REGISTRY)
KINDS = (TypeError, ValueError, OverflowError, IndexError, DeviceError)


def arguments(op):
    """A sample's inputs, and its parameters with the others at their defaults."""
    sample = next((s for s in op.samples if any(getattr(a, "shape", ()) for a in s.inputs)), op.samples[0])
    inputs = sample.draw(np.random.default_rng(0), np.float32)
    inputs = [ml.Tensor(x, x.dtype.kind == "f") if isinstance(x, np.ndarray) else x for x in inputs]
    return inputs, {**{name: op.params[name] for name in op.params if name not in op.required}, **sample.params}


def check(error, op, also=()):
    """An error that a user can read."""
    assert type(error) in KINDS, repr(error)
    text = str(error)
    assert text.startswith((op.speaks_as or op.name, *also)), text
    assert "object has no attribute" not in text
    assert "ufunc" not in text


@pytest.mark.parametrize("name", NAMES)
def test_an_input_that_is_no_tensor_is_named(name):
    op = REGISTRY[name]
    inputs, params = arguments(op)
    for i, x in enumerate(inputs):
        optional = not op.variadic and op.input_defaults[i] is None
        for stranger in [*STRANGERS, *([] if optional else [None])]:
            if not isinstance(x, ml.Tensor) or (name == "cast" and stranger is None):
                continue
            with pytest.raises((TypeError, ValueError, DeviceError)) as info:
                op(*inputs[:i], stranger, *inputs[i + 1 :], **params)
            check(info.value, op)


@pytest.mark.parametrize("name", NAMES)
def test_an_input_of_another_shape_gives_an_answer_or_a_clear_error(name):
    op = REGISTRY[name]
    inputs, params = arguments(op)
    for i, x in enumerate(inputs):
        for shape in [(), (7,), (0,), (1, 7), (5, 7), (2, 5, 7), (3, 2, 5, 7), (2, 3, 2, 5, 7)]:
            if isinstance(x, ml.Tensor):
                other = ml.Tensor(np.ones(shape, x.dtype))
                try:
                    op(*inputs[:i], other, *inputs[i + 1 :], **params)
                except Exception as error:
                    check(error, op)


@pytest.mark.parametrize("name", NAMES)
def test_an_input_of_another_dtype_gives_an_answer_or_a_clear_error(name):
    op = REGISTRY[name]
    inputs, params = arguments(op)
    for i, x in enumerate(inputs):
        for dtype in ("bool", "uint8", "int64", "float16", "float64"):
            if isinstance(x, ml.Tensor):
                try:
                    op(*inputs[:i], ml.Tensor(x.detach().to(dtype)), *inputs[i + 1 :], **params)
                except Exception as error:
                    check(error, op)


@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_of_another_kind_gives_an_answer_or_a_clear_error(name):
    op = REGISTRY[name]
    inputs, params = arguments(op)
    for param in op.params:
        for value in PARAMETERS:
            try:
                op(*inputs, **{**params, param: value})
            except Exception as error:
                check(error, op, also=("unknown device",) if name == "move" else ())
