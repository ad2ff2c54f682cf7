"""A live function as text, for systems on which a process cannot be forked."""

import functools
import math
import sys
import types

import numpy as np
import pytest

import minilm as ml
from minilm.exercises import source
from minilm.exercises.source import NoSource
from minilm.ops.activation import sigmoid

SCALE = np.array([1.0, np.nan], np.float32)
BIAS = ml.tensor([1.0, 2.0])
LIMIT, NAME, PAIRS = 3, "x'\n", {"a": (1, [2.5])}


def even(n):
    return n == 0 or odd(n - 1)


def odd(n):
    return n != 0 and even(n - 1)


class Base:
    factor = LIMIT


class Layer(Base):
    def __init__(self, x):
        self.x = x

    def __call__(self):
        return (
            SCALE[0] * self.x + len(NAME) + PAIRS["a"][1][0] + float(BIAS.numpy()[1]) + math.sqrt(4) + self.factor,
            even(4),
        )


def uses_a_library(x):
    return float(sigmoid(ml.tensor(x)).numpy()), functools.reduce(lambda a, b: a + b, [1, 2])


def again(value, name):
    space = {}
    exec(source.of(value, name), space)
    return space[name]


def test_a_function_comes_with_what_it_uses():
    assert again(odd, "odd")(5)
    assert again(Layer, "Layer")(2.0)() == Layer(2.0)()
    assert again(Layer, "Mine")(2.0)() == Layer(2.0)()
    assert again(uses_a_library, "f")(0.0) == (0.5, 3)


def test_a_closure_s_values_become_names():
    power = 3

    def cube(x):
        return x**power

    assert again(cube, "f")(2) == 8


def test_numbers_come_as_they_are():
    for value in (3, 0.1, (1, "a"), SCALE, np.float32(0.1), np.arange(6).reshape(2, 3)):
        back = again(value, "answer")
        assert type(back) is type(value)
        np.testing.assert_array_equal(back, value)
    assert again(BIAS, "answer").numpy().tolist() == [1, 2]


def test_what_has_no_text_is_named():
    for value, name in (
        (lambda x: x, "<lambda>"),
        (object(), "answer"),
        (types.FunctionType(odd.__code__.replace(co_filename="?"), {}, "lost"), "lost"),
    ):
        with pytest.raises(NoSource, match=name):
            source.of(value, "answer")


def test_a_definition_is_found_in_the_notebook_s_cells(monkeypatch):
    cell = "x = 1\ndef lost(x):\n    return x + 1\n"
    monkeypatch.setattr(sys.modules["__main__"], "In", ["", "def lost(x): return 0", cell, "%magic"], raising=False)
    code = compile(cell, "<a cell that nobody keeps>", "exec")
    space = {"__name__": "__main__"}
    exec(code, space)
    assert again(space["lost"], "f")(1) == 2
