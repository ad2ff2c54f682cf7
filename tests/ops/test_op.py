"""A call's arguments become inputs and parameters."""

import numpy as np
import pytest

from minilm.ops import REGISTRY
from minilm.ops.op import Op

X, Y = np.ones((2, 3)), np.zeros(3)


class Sorted(Op):
    name = "sorted"

    def forward(self, dev, x, y, z=None, *, a, b=2):
        return x


class Listed(Op):
    name = "listed"

    def forward(self, dev, *xs, a=1):
        return xs[0]


@pytest.mark.parametrize(
    ("args", "kwargs", "inputs", "params"),
    [
        ((X, Y, None), {"a": 1}, (X, Y, None), {"a": 1, "b": 2}),
        ((X, Y), {"a": 1}, (X, Y, None), {"a": 1, "b": 2}),
        ((X,), {"y": Y, "b": 5, "a": 1}, (X, Y, None), {"a": 1, "b": 5}),
        ((X, Y, X, 7), {}, (X, Y, X), {"a": 7, "b": 2}),
        ((X, Y, X, 7, 8), {}, (X, Y, X), {"a": 7, "b": 8}),
        ((X, Y, X, 7), {"b": 8}, (X, Y, X), {"a": 7, "b": 8}),
    ],
)
def test_arguments_are_sorted_as_python_does(args, kwargs, inputs, params):
    found, named = Sorted().bind(args, kwargs)
    assert [id(x) for x in found] == [id(x) for x in inputs]
    assert list(named.items()) == list(params.items())


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((X,), {"a": 1}, r"missing its input 'y'"),
        ((X, Y, X), {}, r"missing 'a': it takes \(x, y, z, a, b\)"),
        ((X, Y, X), {"b": 1}, r"missing 'a'"),
        ((X, Y, X, 1, 2, 3), {}, r"takes \(x, y, z, a, b\), got 6 arguments"),
        ((X, Y, X), {"a": 1, "dim": 0}, r"has no argument 'dim'"),
        ((X, Y, X, 1), {"a": 1}, r"got twice 'a'"),
        ((X, Y, X), {"a": 1, "x": X}, r"got twice 'x'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(args, kwargs, message):
    with pytest.raises(TypeError, match=message):
        Sorted().bind(args, kwargs)


def test_any_number_of_inputs():
    assert Listed().bind((X, Y, X), {}) == ((X, Y, X), {"a": 1})
    assert Listed().bind((X,), {"a": 3}) == ((X,), {"a": 3})
    with pytest.raises(TypeError, match="has no argument 'b'"):
        Listed().bind((X,), {"b": 3})


def test_a_call_changes_neither_the_defaults_nor_what_it_was_given():
    op, given = Sorted(), {"a": 1}
    _, params = op.bind((X, Y, X), given)
    params["b"] = 100
    assert given == {"a": 1}
    assert op.bind((X, Y, X), given)[1]["b"] == 2


def test_an_op_without_parameters_takes_none():
    with pytest.raises(TypeError, match="has no argument 'out'"):
        REGISTRY["mul"](X, Y, out=X)
    with pytest.raises(TypeError, match=r"takes \(a, b\), got 3 arguments"):
        REGISTRY["mul"](X, Y, X)
