r"""Which dtype an op computes in: the one rule of promotion, and what each dtype is good for here.

**The rule.** Among the inputs that are numbers, floats win over integers, and integers over booleans, as in PyTorch:

- the widest float type among them is the type of the result, and every other input is cast to it before the forward rule
  runs, integers and booleans too: float32 with int64 is float32, float16 with int64 is float16, float32 with float64 is
  float64. (NumPy alone would make float64 of float32 with int64.)
- integers alone follow NumPy's widths (int8 with int32 is int32; booleans count as the smallest), and sums, products and
  cumulative sums of them are int64. A function that has no integer results (``exp``, ``mean``, ``/``) is computed in the
  default float type; softmax, the norms and the losses refuse integers, as in PyTorch.
- Python's numbers, and NumPy's scalars, are weak: they take the type of the tensors beside them. Integers with a Python float
  become the default float type.
- Indices, class labels and masks are no numbers: they stay as they are. An op's samples say which inputs these are.

A cast is an op of its own, recorded like any other. So the gradient comes back to each input in that input's type, and
second derivatives need nothing further.

**What each dtype is good for.**

=========  =======================  ========================================================================================
dtype      digits; largest          use
=========  =======================  ========================================================================================
float64    16; 1e308                checks of gradients, references. Half as fast as float32, twice the memory.
float32    7; 3e38                  the default: everything. Long sums are made in pairs, in parts or in float64, so that a sum
                                    of a million numbers has the digits of a sum of ten.
float16    3; 65,504                storing and handing on numbers in half the memory. Sums, products, norms, softmax, losses,
                                    attention and pooling (`Op.wide`) compute in float32, forward and backward, and round once, at
                                    the end; other functions round to three digits each. A result above 65,504 is infinite,
                                    and a gradient below 6e-8 is 0: scale the loss, or train in float32.
int64      exact; 9e18              ids, class labels, counts; sums of smaller integers.
int8...32  exact; they wrap around  storing ids and pixels. Arithmetic stays in the type, and wraps as in NumPy and PyTorch.
uint64     exact; 1.8e19            the same. Beside signed integers it becomes the default float type, for want of a wider one.
bool       False, True              masks. Beside a float it is 0.0 and 1.0.
=========  =======================  ========================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

FLOAT16, FLOAT32, FLOAT64 = (np.dtype(name) for name in ("float16", "float32", "float64"))
BOOL, INT64 = np.dtype(np.bool_), np.dtype(np.int64)
_NARROW = np.dtype(np.intp) != INT64  # a web page: NumPy makes of a boolean and a Python integer one of 32 bits
_NUMBERS = (bool, int, float, np.generic)
_default = FLOAT32


def set_default_dtype(dtype: Any) -> None:
    """The float type of Tensors that are made from Python numbers, and of what is computed from integers: float32 at first.

    Raises:
        TypeError: `dtype` is no float type.
    """
    global _default
    new = np.dtype(dtype)
    if new.kind != "f":
        raise TypeError(f"the default dtype must be a float type, got {new}.")
    _default = new


def get_default_dtype() -> np.dtype[Any]:
    """The float type of Tensors that are made from Python numbers, and of what is computed from integers."""
    return _default


def number_dtype(dtype: Any) -> np.dtype[Any]:
    """A dtype that tensors can have.

    Raises:
        TypeError: it is none, or not one of floats, integers or booleans.
    """
    try:
        found = INT64 if dtype is int else np.dtype(dtype)
    except (TypeError, ValueError):
        raise TypeError(f"{dtype!r} is no dtype; expected one such as 'float32', 'int64' or 'bool'.") from None
    if found.kind not in "fiub":
        raise TypeError(f"a tensor holds floats, integers or booleans; got dtype {found}.")
    return found


def dtype_of_numbers(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What a tensor of Python's numbers has, if NumPy makes them `dtype`: the default float type, int64 (for which a page has 32 bits)."""
    if dtype.kind == "f":
        return _default
    return INT64 if dtype == np.intp else dtype


class Plan(NamedTuple):
    """What is cast before and after an op runs: for each input the dtype that it is cast to (None: it stays); then the results'."""

    casts: tuple[np.dtype[Any] | None, ...]
    narrow: np.dtype[Any] | None = None

    def run(self, function: Callable[..., Any], inputs: Sequence[Any]) -> Any:
        """``function(*inputs)`` with these casts. Inputs are arrays or Tensors, whose casts are recorded."""
        y = function(*(x if to is None else x.astype(to) for x, to in zip(inputs, self.casts, strict=True)))
        if self.narrow is None:
            return y
        return tuple(part.astype(self.narrow) for part in y) if isinstance(y, tuple) else y.astype(self.narrow)


def make_plan(op: Any, inputs: Sequence[Any]) -> Plan | None:
    """The casts that the rule of promotion asks for; None for none.

    Raises:
        TypeError: the op refuses integers, and was given nothing else.
    """
    arrays = {i: x.dtype for i, x in enumerate(inputs) if hasattr(x, "dtype") and op.is_number(i, x.dtype)}
    floats = {i: dtype for i, dtype in arrays.items() if dtype.kind == "f"}
    narrow = None
    if floats:
        deciding = [dtype for i, dtype in floats.items() if op.input_name(i) not in op.follows]
        common, to = (np.result_type(*some) for some in (deciding or floats.values(), floats.values()))
    else:
        if arrays and op.integers == "refused":
            i, dtype = next(iter(arrays.items()))
            raise TypeError(
                f"{op.name}: its {op.input_name(i)} holds {dtype}, but {op.name} computes with floats: convert it, "
                "for example with .to('float32')."
            )
        if op.integers == "no booleans" and arrays and all(getattr(x, "dtype", type(x)) in (bool,) for x in inputs):
            raise TypeError(
                f"{op.name}: booleans have no minus: use ~mask for not, mask != other for 'either, but not both', or "
                ".to('int64') to compute with 0 and 1."
            )
        if _NARROW and set(arrays.values()) == {BOOL} and any(type(x) is int for x in inputs):
            return Plan(tuple(INT64 if i in arrays else None for i in range(len(inputs))))
        weak = any(isinstance(x, float) for i, x in enumerate(inputs) if not op.discrete(i))
        if not arrays or not (op.integers == "floats" or weak or _only_a_float_holds(arrays.values())):
            return None
        common = to = _default
    if op.wide and to == FLOAT16:
        to = FLOAT32
    if op.narrows and to != common:
        narrow = common
    casts = tuple(None if arrays.get(i, to) == to else to for i in range(len(inputs)))
    return None if narrow is None and not any(casts) else Plan(casts, narrow)


def joint_dtype(dtypes: Sequence[Any]) -> Any:
    """The dtype of numbers that are put together in one array, by the same rule."""
    floats = [dtype for dtype in dtypes if dtype.kind == "f"]
    return _default if not floats and _only_a_float_holds(dtypes) else np.result_type(*(floats or dtypes))


def _only_a_float_holds(integers: Any) -> bool:
    """Whether NumPy knows no integer type for all of these: uint64 beside a signed one."""
    return np.result_type(*integers).kind == "f"


def weak_scalars(op: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """NumPy's scalars beside arrays as Python's: they would turn float32 into float64."""
    for x in inputs:
        if isinstance(x, np.generic):
            break
    else:
        return inputs
    if all(isinstance(x, _NUMBERS) for x in inputs):
        return inputs
    return tuple([x.item() if isinstance(x, np.generic) and not op.discrete(i) else x for i, x in enumerate(inputs)])


def settle(y: Any, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
    """A result in the default float type where NumPy made floats from integers; a parameter `dtype` asks for another."""
    if y.dtype is _default or y.dtype.kind != "f" or "dtype" in params:
        return y
    given = [x.dtype for x in inputs if hasattr(x, "dtype") and x.dtype.kind == "f"]
    return y if y.dtype in given else y.astype(_default)
