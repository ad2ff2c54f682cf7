"""The methods, operators and functions that Tensor has because PyTorch and NumPy have them."""

import math

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.methods import Methods
from minilm.operators import Operators
from minilm.ops import REGISTRY
from minilm.ops.arguments import SPELLINGS, own_name

X = [[1.5, -2.0, 3.0], [0.5, 4.0, -1.0]]

# -- every record has a face ------------------------------------------------------------------------------------------

NOT_METHODS = {
    "concat": "of several tensors",
    "stack": "of several tensors",
    "einsum": "ml.einsum, which takes the subscripts first",
    "cast": "x.to, x.float",
    "move": "x.to, x.cuda",
    "getitem": "x[...]",
    "basic_index": "x[...]",
    "advanced_index": "x[...]",
    "place": "the gradient of basic_index",
    "accumulate": "the gradient of advanced_index",
    "embedding_grad": "the gradient of embedding",
    "trunc_divide": "x.div(y, rounding_mode='trunc')",
    "argcummax": "x.cummax(0).indices",
    "argcummin": "x.cummin(0).indices",
    "pad": "nn.functional.pad",
    "logmatmulexp": "a step of nn.LinearChainCRF",
}
LAYERS = (
    "attention",
    "conv",
    "transposed",
    "interpolate",
    "padding",
    "matrix",
    "embedding",
    "linalg",
    "loss",
    "normalize",
    "random",
    "recurrent",
)
"""Families whose records are layers, losses and linear algebra: functions in nn.functional and ml.linalg, as in PyTorch. (Products are
methods all the same.)"""


def family(op):
    return type(op).__module__.rpartition(".")[2]


@pytest.mark.parametrize("name", [n for n, op in REGISTRY.items() if n not in NOT_METHODS and family(op) not in LAYERS])
def test_a_record_is_a_method_and_a_function(name):
    """``x.NAME()``, and ``ml.NAME(x)`` or ``nn.functional.NAME(x)``."""
    assert callable(getattr(ml.Tensor, name))
    if name != "trace":  # ml.trace is the step-through
        assert callable(getattr(ml, name, None) or getattr(nn.functional, name))


def test_nothing_is_excused_that_is_there():
    assert [name for name in NOT_METHODS if name not in REGISTRY] == []


def test_public_names_exist_and_leave_pythons_alone():
    import builtins

    assert [name for name in ml.__all__ if not hasattr(ml, name)] == []
    assert [name for name in ml.__all__ if hasattr(builtins, name)] == []


def test_methods_say_what_they_are():
    """Each public name of Tensor's bases has a docstring: ``help(ml.Tensor)`` is a reference."""
    for base in (Methods, Operators):
        assert [name for name, value in vars(base).items() if not name.startswith("_") and not value.__doc__] == []


# -- dim and axis -----------------------------------------------------------------------------------------------------


def arguments_of(op, sample):
    drawn = sample.draw(np.random.default_rng(0))
    return [ml.Tensor(x) if isinstance(x, np.ndarray) else x for x in drawn]


SPELLED = [
    pytest.param(op, sample, own, other, id=f"{op.name}-{i}-{own}-{other}")
    for op in REGISTRY.values()
    for i, sample in enumerate(op.samples)
    for other, names in SPELLINGS.items()
    for own in names
    if own in sample.params and other not in op.params and own_name(op, other) == own
]


@pytest.mark.parametrize(("op", "sample", "own", "other"), SPELLED)
def test_another_librarys_name_of_a_parameter_is_the_same_parameter(op, sample, own, other):
    params = {other if name == own else name: value for name, value in sample.params.items()}
    inputs = arguments_of(op, sample)
    theirs, ours = op(*inputs, **params), op(*inputs, **sample.params)
    for a, b in zip(*(r if isinstance(r, tuple) else (r,) for r in (theirs, ours)), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_names_of_inputs():
    x = ml.tensor(X)
    assert ml.relu(input=x).tolist() == x.relu().tolist()
    assert ml.mul(input=x, other=2.0).tolist() == ml.mul(x, other=2.0).tolist() == (x * 2.0).tolist()
    assert x.pow(exponent=2).tolist() == x.square().tolist()


def test_a_parameter_given_by_both_names_is_refused():
    with pytest.raises(TypeError, match=r"sum\(\) got 'axis' twice, once as 'dim': it takes \(x, axis, keepdims\)"):
        ml.tensor(X).sum(axis=0, dim=0)
    with pytest.raises(TypeError, match="got twice 'axis'"):
        ml.tensor(X).sum(0, dim=0)
    with pytest.raises(TypeError, match="has no argument 'dimension'"):
        ml.tensor(X).sum(dimension=0)


@pytest.mark.parametrize("named", [{"dim": 1}, {"axis": 1}])
def test_spelled_functions_take_both(named):
    x = ml.tensor(X)
    assert [p.tolist() for p in x.chunk(3, **named)] == [[[1.5], [0.5]], [[-2.0], [4.0]], [[3.0], [-1.0]]]
    assert [p.tolist() for p in ml.unbind(x, **named)] == [[1.5, 0.5], [-2.0, 4.0], [3.0, -1.0]]
    assert x.diff(**named).tolist() == [[-3.5, 5.0], [3.5, -5.0]]
    assert ml.append(x, x[:, :1], **named).shape == (2, 4)
    assert ml.take(x, ml.tensor([0]), **named).shape == (2, 1)
    assert ml.repeat(x, 2, **named).shape == (2, 6)
    assert nn.Softmax(**named)(x).tolist() == x.softmax(1).tolist()
    assert ml.concat([x, x], **named).tolist() == ml.concat(x, x, axis=1).tolist() == ml.cat((x, x), 1).tolist()


# -- shapes and types -------------------------------------------------------------------------------------------------


def test_shapes():
    x = ml.tensor(X)
    assert x.view(-1).shape == x.flatten().shape == x.ravel().shape == (6,)
    assert x.view(3, 2).tolist() == x.view((3, 2)).tolist() == x.reshape(3, 2).tolist()
    assert (
        x[None].permute(2, 0, 1).shape
        == x[None].permute((2, 0, 1)).shape
        == x[None].permute(dims=(2, 0, 1)).shape
        == (3, 1, 2)
    )
    assert x.t().tolist() == x.T.tolist()
    assert (x.dim(), x.numel(), x.nelement()) == (2, 6, 6)
    assert ml.flatten(ml.zeros(2, 3, 4), 1).shape == (2, 12)
    assert ml.zeros(2, 6).unflatten(1, (2, -1)).shape == (2, 2, 3)
    assert ml.tensor(1.0).expand_as(x).shape == x.reshape_as(x.T).T.shape == (2, 3)
    assert x.broadcast_to(4, 2, 3).shape == ml.broadcast_to(x, (4, 2, 3)).shape == (4, 2, 3)
    assert x.contiguous() is x
    with pytest.raises(ValueError, match=r"t: expected a matrix, got shape \(1, 2, 3\)"):
        x[None].t()
    with pytest.raises(ValueError, match=r"unflatten: sizes \(2, 2\) do not fill axis 1 of \(2, 3\)"):
        x.unflatten(1, (2, 2))


def test_joining():
    v, w = ml.tensor([1, 2]), ml.tensor([3, 4])
    assert ml.hstack((v, w)).tolist() == ml.hstack(v, w).tolist() == ml.append(v, w).tolist() == [1, 2, 3, 4]
    assert ml.vstack([v, w]).tolist() == [[1, 2], [3, 4]]
    assert ml.column_stack([v, w]).tolist() == [[1, 3], [2, 4]]
    assert ml.dstack([v, w]).tolist() == [[[1, 3], [2, 4]]]
    assert ml.append(ml.vstack([v, w]), ml.tensor([[5, 6]]), axis=0).shape == (3, 2)
    assert ml.append(v[None], w[None]).shape == (4,)


@pytest.mark.parametrize(
    ("n", "sizes"), [(1, [5]), (2, [3, 2]), (3, [2, 2, 1]), (4, [2, 2, 1]), (5, [1] * 5), (9, [1] * 5)]
)
def test_chunks_are_pytorchs(n, sizes):
    assert [part.size for part in ml.arange(5).chunk(n)] == sizes


def test_types():
    x = ml.tensor(X)
    names = {"half": "float16", "float": "float32", "double": "float64", "long": "int64", "int": "int32", "short": "int16", "char": "int8",
             "byte": "uint8", "bool": "bool"}  # fmt: skip
    for method, dtype in names.items():
        assert getattr(x.abs(), method)().dtype == dtype
        assert x.abs().type(getattr(ml, dtype)).dtype == dtype
    assert x.float() is x
    assert x.long().type_as(x).dtype == np.float32
    assert (
        x.to(dtype="float64", device="cpu").dtype
        == x.to("cpu", "float64").dtype
        == x.to(x.double()).dtype
        == np.float64
    )
    assert x.is_floating_point()
    assert not x.long().is_floating_point()
    x.requires_grad_()
    x.double().sum().backward()
    assert x.grad.dtype == np.float32


def test_rounding_through_python():
    assert round(ml.tensor(2.5)).item() == 2.0
    assert math.floor(ml.tensor(2.5)).item() == 2.0


# -- in place ---------------------------------------------------------------------------------------------------------

IN_PLACE = [name for name in dir(ml.Tensor) if name.endswith("_") and not name.startswith("_")]


def test_in_place_is_the_other_form_written_over():
    arguments = {
        "pow_": (2,), "remainder_": (2.0,), "fmod_": (2.0,), "floor_divide_": (2.0,), "lerp_": (ml.ones(2, 3), 0.5),
        "cumsum_": (1,), "cumprod_": (0,),
        "clip_": (-1.0, 1.0), "clamp_": (-1.0, 1.0), "masked_fill_": (ml.tensor([True, False, True]), 9.0), "add_": (2.0,), "sub_": (2.0,),
        "mul_": (3.0,), "div_": (2.0,), "scatter_": (0, ml.tensor([[1, 0, 1]]), 7.0), "scatter_add_": (0, ml.tensor([[1, 0, 1]]), 7.0),
        "index_add_": (1, ml.tensor([0]), ml.ones(2, 1)), "index_copy_": (1, ml.tensor([0]), ml.ones(2, 1)),
        "index_fill_": (1, ml.tensor([0]), 5.0),
    }  # fmt: skip
    own = {"requires_grad_", "copy_", "fill_", "zero_", "uniform_", "normal_"}
    for name in set(IN_PLACE) - own:
        x = ml.tensor(X)
        expected = getattr(x.abs() if name in ("log_", "sqrt_", "rsqrt_") else x, name[:-1])(*arguments.get(name, ()))
        y = x.abs() if name in ("log_", "sqrt_", "rsqrt_") else x
        assert getattr(y, name)(*arguments.get(name, ())) is y
        np.testing.assert_array_equal(y.numpy(), expected.numpy(), err_msg=name)


def test_in_place_with_a_factor_and_a_rounding():
    x = ml.tensor([1.0, 5.0])
    x.add_(ml.ones(2), alpha=2.0).sub_(1.0, alpha=0.5).mul_(2.0).div_(3.0, rounding_mode="floor")
    assert x.tolist() == [1.0, 4.0]
    x %= 3.0
    assert x.tolist() == [1.0, 1.0]
    x += 4.0
    x //= 2.0
    x **= 3
    assert x.tolist() == [8.0, 8.0]


def test_in_place_is_refused_where_it_would_falsify_the_graph():
    x = ml.ones(2, requires_grad=True)
    for change in (lambda: x.exp_(), lambda: x.add_(1.0), lambda: x.clamp_(0.0, 1.0), lambda: x.normal_()):
        with pytest.raises(RuntimeError, match="in place on a tensor that requires a gradient"):
            change()
    w = ml.ones(2)
    y = (x * w).sum()
    w.exp_()
    with pytest.raises(RuntimeError, match="modified in place"):
        y.backward()
    with ml.no_grad():
        assert x.mul_(3.0).tolist() == [3.0, 3.0]


def test_in_place_keeps_type_and_shape():
    with pytest.raises(TypeError, match="exp_: the result is float32 and does not fit into int64"):
        ml.tensor([1, 2]).exp_()
    with pytest.raises(ValueError, match=r"pow_: the result has shape \(2, 2\) and does not fit into \(2,\)"):
        ml.ones(2).pow_(ml.ones(2, 2))


def test_random_numbers_in_place():
    ml.manual_seed(3)
    a, b = ml.zeros(1000).normal_(2.0, 0.5), ml.zeros(1000).uniform_(-1.0, 3.0)
    assert a.mean().item() == pytest.approx(2.0, abs=0.1)
    assert a.std().item() == pytest.approx(0.5, abs=0.1)
    assert -1.0 <= b.min().item() < -0.9 < 2.9 < b.max().item() <= 3.0
    ml.manual_seed(3)
    assert ml.zeros(1000).normal_(2.0, 0.5).tolist() == a.tolist()
