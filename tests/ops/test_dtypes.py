"""Dtypes and precision: promotion of mixed inputs, integers alone, and long sums, for every record of the registry.

A gradient check in float64 sees none of this: there all inputs are floats of one type, and sums are short.
"""

import numpy as np
import pytest

import minilm as ml
from minilm.backend import to_device
from minilm.ops import REGISTRY
from minilm.ops.sample import DISCRETE, Arg

pytestmark = pytest.mark.host  # it places its tensors itself
INTEGERS = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
LOSSES_OF_PAIRS = {"mse", "l1", "huber", "binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div"}
LONG_SUMS = {"sum", "prod", "cumsum", "accumulate", "embedding_grad"}  # of integers they are int64


def number_places(op, sample):
    """The places of a sample's inputs that are arrays of numbers: neither indices, labels and masks, nor Python's scalars."""
    arrays = [i for i, a in enumerate(sample.inputs) if isinstance(a, Arg) and a.kind not in DISCRETE]
    return [i for i in arrays if op.variadic or not op.discrete(i)]


def integers_like(arg, dtype, rng):
    """Integers where a sample has floats: as large as these, positive where these are; matrices that must not be singular are the unit."""
    if arg.kind in ("invertible", "positive"):
        return np.broadcast_to(np.eye(arg.shape[-1]), arg.shape).astype(dtype)
    x = np.ceil(np.abs(arg.draw(rng))) if arg.low >= 0 or np.dtype(dtype).kind in "ub" else np.round(arg.draw(rng))
    return np.asarray(x).astype(dtype)


def draw(op, sample, replaced, dtype, floats="float32", seed=0):
    """A sample's arrays, those at the places `replaced` with integers of a dtype."""
    rng = np.random.default_rng(seed)
    inputs = sample.draw(rng, np.dtype(floats))
    for i in replaced:
        inputs[i] = integers_like(sample.inputs[i], dtype, rng)
    return inputs


def tensors(inputs, device):
    return [ml.Tensor(to_device(x, device), x.dtype.kind == "f") if isinstance(x, np.ndarray) else x for x in inputs]


def outputs(result):
    return list(result) if isinstance(result, tuple | list) else [result]


def derivatives(op, inputs, params):
    """The outputs, and the gradients of a scalar made from them: of first order, the same as a graph, and of second order."""
    ys = outputs(op(*inputs, **params))
    leaves = [x for x in inputs if isinstance(x, ml.Tensor) and x.requires_grad]
    loss = sum((y * ml.Tensor(to_device(weights(y.shape, y.dtype), y.device))).sum() for y in ys if y.dtype.kind == "f")
    plain = ml.grad(loss, leaves, retain_graph=True, allow_unused=True)
    first = ml.grad(loss, leaves, create_graph=True, allow_unused=True)
    again = sum((g * g).sum() for g in first)
    second = ml.grad(again, leaves, allow_unused=True) if again.requires_grad else ()
    return [*ys, *plain, *first, *second]


def weights(shape, dtype):
    return np.asarray(np.random.default_rng(3).uniform(0.5, 1.5, shape)).astype(dtype)


# -- the rule, by example ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [[1, 2], [True, False], np.array([1, 2], "uint8"), np.array([1, 2], "int32")])
def test_a_product_with_integers_or_a_mask_has_gradients(other, tensor):
    x, m = tensor([1.0, 2.0], requires_grad=True), tensor(other)
    (x * m).sum().backward()
    assert x.grad.dtype == "float32"
    assert x.grad.tolist() == m.numpy().astype(float).tolist()


def test_a_masked_mean_has_gradients(tensor):
    x, m = tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True), tensor([[True, False], [True, True]])
    y = (x * m).sum() / m.sum()
    y.backward()
    assert y.dtype == x.grad.dtype == "float32"
    np.testing.assert_allclose(x.grad.numpy(), m.numpy() / 3.0, rtol=1e-6)


def test_a_function_of_integers_is_computed_in_the_default_float(tensor):
    y = tensor(np.array([12], "uint8")).exp()
    assert y.dtype == "float32"
    np.testing.assert_allclose(y.numpy(), np.exp(np.float32([12.0])), rtol=1e-6)
    ml.set_default_dtype("float64")
    try:
        assert tensor([12]).exp().dtype == (tensor([1, 2]) / 2).dtype == (tensor([True]) * 0.5).dtype == "float64"
    finally:
        ml.set_default_dtype("float32")


@pytest.mark.parametrize(
    ("a", "b", "result"),
    [
        ("bool", "uint8", "uint8"), ("uint8", "int8", "int16"), ("int32", "int64", "int64"), ("uint64", "int64", "float32"),
        ("float16", "int64", "float16"), ("float32", "bool", "float32"), ("float16", "float32", "float32"),
        ("float32", "float64", "float64"), ("int8", 2, "int8"), ("int8", 2.5, "float32"), ("float16", 2.5, "float16"),
        ("bool", 1, "int64"), ("float32", np.float64(2.0), "float32"), ("float16", np.int64(2), "float16"),
    ],
)  # fmt: skip
def test_promotion(a, b, result, tensor):
    x, y = (tensor(np.ones(2, kind)) if isinstance(kind, str) else kind for kind in (a, b))
    for z in (x + y, y * x, REGISTRY["maximum"](x, y), REGISTRY["where"](tensor([True, False]), x, y)):
        assert z.dtype == result
    arrays = [x.data, y.data if isinstance(y, ml.Tensor) else y]
    assert REGISTRY["add"](*arrays).dtype == result


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int32"])
@pytest.mark.parametrize("name", ["sum", "prod", "cumsum"])
def test_sums_and_products_of_small_integers_do_not_wrap_around(name, dtype, tensor):
    y = REGISTRY[name](tensor(np.full(300, 1 if name == "prod" else True, dtype)), axis=0)
    assert y.dtype == "int64"
    assert y.numpy().max() == (1 if name == "prod" else 300)


def test_indices_labels_and_masks_stay_as_they_are():
    """What the samples draw as integers or masks, and nothing else, is not cast."""
    found = {op.name: [n for i, n in enumerate(op.input_names) if op.discrete(i)] for op in REGISTRY.values()}
    known = {name: found[name] for name in CHOOSING}
    assert known == CHOOSING
    for name, names in found.items():
        for i, input_name in enumerate(REGISTRY[name].input_names):
            drawn = {a.kind for s in REGISTRY[name].samples for a in s.inputs[i : i + 1] if isinstance(a, Arg)}
            assert (input_name in names) == (bool(drawn & DISCRETE) and input_name not in REGISTRY[name].numbers)


CHOOSING = {
    "where": ["condition"], "scaled_dot_product_attention": ["mask"], "gather": ["index"], "masked_fill": ["mask"],
    "embedding": ["ids"], "embedding_grad": ["ids"], "cross_entropy": ["target", "weight"], "nll": ["target", "weight"],
}  # fmt: skip


def test_a_learned_mask_of_another_float_type(tensor):
    q, k, v = (tensor(between(2, 3).astype("float32"), requires_grad=True) for _ in range(3))
    mask = tensor(between(2, 2), requires_grad=True)
    y = REGISTRY["scaled_dot_product_attention"](q, k, v, mask)
    y.sum().backward()
    assert y.dtype == "float64"
    assert mask.grad.dtype == "float64"
    assert q.grad.dtype == "float32"


def test_a_promoted_input_may_change_afterwards(tensor):
    """What is saved for the gradient is the cast copy."""
    x, m = tensor([1.0, 2.0], requires_grad=True), tensor([1, 2])
    y = (x * m).sum()
    m.fill_(7)
    y.backward()
    assert x.grad.tolist() == [1.0, 2.0]


# -- one integer or boolean input beside float32 ---------------------------------------------------------------------------

MIXED = {
    name: op
    for name, op in REGISTRY.items()
    if not op.answers and any(len(number_places(op, s)) > 1 for s in op.samples)
}


def mixed_cases(op):
    for sample in op.samples:
        places = number_places(op, sample)
        yield from ((sample, place) for place in places if len(places) > 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", MIXED)
def test_an_integer_input_beside_floats_is_the_float_that_it_stands_for(name, device):
    op = REGISTRY[name]
    for sample, place in mixed_cases(op):
        for dtype in ["bool", "uint8", "int32", "int64"]:
            inputs = draw(op, sample, [place], dtype)
            cast = [x.astype("float32") if i == place else x for i, x in enumerate(inputs)]
            mixed, even = tensors(inputs, device), tensors(cast, device)
            even[place].requires_grad_(False)
            with np.errstate(all="ignore"):
                found, expected = derivatives(op, mixed, sample.params), derivatives(op, even, sample.params)
                bare = outputs(op(*[x.data if isinstance(x, ml.Tensor) else x for x in mixed], **sample.params))
            for a, b in zip(found, expected, strict=True):
                assert a.dtype == b.dtype == "float32", (sample, place, dtype)
                np.testing.assert_array_equal(a.numpy(), b.numpy(), f"{sample}, input {place} {dtype}")
            for a, b in zip(bare, expected, strict=False):
                assert a.dtype == "float32", (sample, place, dtype)
                np.testing.assert_array_equal(ml.Tensor(a).numpy(), b.numpy(), f"{sample}, input {place} {dtype}")


@pytest.mark.parametrize("name", MIXED)
def test_the_widest_float_wins_and_each_gradient_has_the_type_of_its_input(name, device):
    op = REGISTRY[name]
    for sample, place in mixed_cases(op):
        if name in LOSSES_OF_PAIRS and place < 2:
            continue  # predictions and targets of two float types are refused
        for narrow, wide in (("float32", "float64"), ("float16", "float32")):
            check_widest(op, sample, place, narrow, wide, device)


def check_widest(op, sample, place, narrow, wide, device):
    inputs = draw(op, sample, [], None, wide)
    inputs[place] = inputs[place].astype(narrow)
    mixed = tensors(inputs, device)
    even = tensors([x.astype(wide) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x for x in inputs], device)
    others = [op.input_name(i) for i in number_places(op, sample) if i != place]
    result = narrow if all(other in op.follows for other in others) else wide
    ys = outputs(op(*mixed, **sample.params))
    for y, z in zip(ys, outputs(op(*even, **sample.params)), strict=True):
        assert y.dtype == result, (sample, place)
        np.testing.assert_allclose(y.numpy(), z.numpy(), rtol=2 * np.finfo(y.dtype).eps)
    sum(y.sum() for y in ys).backward()
    for x in mixed:
        if isinstance(x, ml.Tensor) and x.grad is not None:
            assert x.grad.dtype == x.dtype, (sample, place)


# -- integers alone --------------------------------------------------------------------------------------------------------

ALONE = {name: op for name, op in REGISTRY.items() if any(number_places(op, s) for s in op.samples)}


@pytest.mark.parametrize("name", ALONE)
def test_integers_alone_stay_or_become_the_default_float_or_are_refused(name, device):
    for sample in ALONE[name].samples:
        for dtype in INTEGERS if number_places(ALONE[name], sample) else ():
            check_alone(ALONE[name], sample, dtype, device)


def check_alone(op, sample, dtype, device):
    places = number_places(op, sample)
    inputs = draw(op, sample, places, dtype)
    says = rf"{op.name}: .* {dtype}" if op.integers == "refused" else None
    if op.integers == "no booleans" and dtype == "bool" and all(isinstance(x, np.ndarray) for x in inputs):
        says = f"{op.name}: booleans have no minus"
    if says is not None:
        for arguments in (tensors(inputs, device), [x if x is None else to_device(x, device) for x in inputs]):
            with pytest.raises(TypeError, match=says):
                op(*arguments, **sample.params)
        return
    kind = "float32" if op.integers == "floats" else "float64"
    as_floats = [x.astype(kind) if i in places else x for i, x in enumerate(inputs)]
    with np.errstate(all="ignore"):
        found = outputs(op(*tensors(inputs, device), **sample.params))
        bare = outputs(
            op(*[x.data if isinstance(x, ml.Tensor) else x for x in tensors(inputs, device)], **sample.params)
        )
        expected = outputs(op(*tensors(as_floats, device), **sample.params))
    for a, b, z in zip(found, bare, expected, strict=True):
        assert a.dtype == b.dtype, (sample, dtype)
        np.testing.assert_array_equal(a.numpy(), ml.Tensor(b).numpy(), f"{sample} {dtype}")
        if a.dtype.kind == "f":
            assert a.dtype == sample.params.get("dtype", "float32"), (sample, dtype)
            np.testing.assert_allclose(a.numpy(), z.numpy(), rtol=1e-6, err_msg=f"{sample} {dtype}")
        else:
            assert op.integers not in ("floats", "refused"), (sample, dtype)
            np.testing.assert_array_equal(a.numpy(), z.numpy().astype("int64").astype(a.dtype), f"{sample} {dtype}")
            if op.name in LONG_SUMS and not sample.params.get("distinct"):
                assert a.dtype == ("uint64" if dtype == "uint64" else "int64"), (sample, dtype)


# -- long sums -------------------------------------------------------------------------------------------------------------


def rows(n):
    """Two sizes whose product is n or a little less, the first the larger."""
    return n // 64, 64


def between(*shape):
    """Numbers all of one sign: what is lost from a sum of them is not made good by chance."""
    return np.random.default_rng(0).uniform(0.5, 1.5, shape)


def logits(*shape):
    return np.random.default_rng(1).standard_normal(shape)


def ids(*shape, high):
    return np.random.default_rng(2).integers(0, high, shape)


# For each op that sums: inputs with n elements, and parameters. Sums over all axes, over the first axis (rows are added to rows),
# and over the last.
LONG = {
    "sum": lambda n: [([between(n)], {}), ([between(*rows(n))], {"axis": 0}), ([between(*rows(n)[::-1])], {"axis": 1}),
                      ([between(*rows(n))[:, ::2]], {}), ([between(*rows(n)).T], {"axis": 1})],
    "mean": lambda n: [([between(n)], {}), ([between(*rows(n))], {"axis": 0}), ([between(*rows(n)[::-1])], {"axis": -1})],
    "var": lambda n: [([between(n)], {}), ([between(*rows(n))], {"axis": 0})],
    "std": lambda n: [([between(n)], {}), ([between(*rows(n))], {"axis": 0})],
    "max": lambda n: [([np.ones(n)], {}), ([np.ones(rows(n))], {"axis": 0})],
    "min": lambda n: [([np.ones(n)], {}), ([np.ones(rows(n))], {"axis": 0})],
    "cumsum": lambda n: [([np.full(n, 0.1)], {"axis": 0}), ([between(*rows(n))], {"axis": 0})],
    "prod": lambda n: [([between(*rows(n)[::-1]) ** 1e-4], {"axis": 1})],
    "logsumexp": lambda n: [([logits(n)], {}), ([logits(*rows(n))], {"axis": 0}), ([np.zeros(n)], {})],
    "einsum": lambda n: [([between(*rows(n))], {"subscripts": "ij->j"}), ([between(2, n), between(2, n)], {"subscripts": "ij,ij->i"}),
                         ([between(*rows(n)), between(*rows(n))], {"subscripts": "ij,ij->j"})],
    "softmax": lambda n: [([logits(1, n)], {"axis": 1}), ([logits(*rows(n))], {"axis": 0}), ([np.zeros((1, n))], {"axis": 1})],
    "log_softmax": lambda n: [([logits(1, n)], {"axis": 1}), ([logits(*rows(n))], {"axis": 0}), ([np.zeros((1, n))], {"axis": 1})],
    "layer_norm": lambda n: [([between(*rows(n)), between(64), between(64)], {}), ([np.arange(n).reshape(1, n) % 1000.0], {})],
    "rms_norm": lambda n: [([between(*rows(n)), between(64)], {}), ([np.arange(n).reshape(1, n) % 1000.0], {})],
    "batch_statistics": lambda n: [([between(*rows(n))], {}), ([between(n // 64, 4, 16)], {})],
    "batch_norm": lambda n: [([between(*rows(n)), between(64), between(64)], {}), ([between(n // 64, 4, 16)], {})],
    "scaled_dot_product_attention": lambda n: [([logits(1, 4), logits(n // 4, 4), logits(n // 4, 4)], {}),
                                               ([logits(n // 4, 4), logits(1, 4), between(1, 4)], {})],
    "gelu": lambda n: [([logits(n)], {}), ([logits(n)], {"approximate": "tanh"})],
    "accumulate": lambda n: [([between(n)], {"shape": (3,), "index": (ids(n, high=3),)})],
    "embedding_grad": lambda n: [([between(n // 4, 4), ids(n // 4, high=3)], {"rows": 3})],
    "conv2d": lambda n: [([between(n // 256, 1, 16, 16), between(2, 1, 3, 3), between(2)], {})],
    "max_pool2d": lambda n: [([logits(n // 256, 1, 16, 16)], {"kernel_size": 3, "stride": 1})],
    "avg_pool2d": lambda n: [([between(n // 256, 1, 16, 16)], {"kernel_size": 8}),
                             ([between(1, 1, 64, n // 64)], {"kernel_size": (64, 20)})],
    "max_pool1d": lambda n: [([logits(n // 256, 1, 256)], {"kernel_size": 3, "stride": 1})],
    "avg_pool1d": lambda n: [([between(n // 256, 1, 256)], {"kernel_size": 16}), ([between(1, 1, n)], {"kernel_size": n // 2})],
    "conv_transpose2d": lambda n: [([between(n // 256, 1, 16, 16), between(1, 2, 3, 3), between(2)], {})],
    "conv_transpose1d": lambda n: [([between(n // 256, 1, 256), between(1, 2, 3), between(2)], {"stride": 2})],
    "resize": lambda n: [([logits(1, 1, n)], {"size": (n // 3,), "mode": "linear"}),
                         ([logits(1, 1, 8, n // 8)], {"size": (5, 9), "mode": "bilinear"})],
    "p_norm": lambda n: [([between(n)], {}), ([between(*rows(n))], {"axis": 0}), ([between(n)], {"p": 3})],
    "cross_entropy": lambda n: [([logits(*rows(n)), ids(rows(n)[0], high=64)], {}),
                                ([logits(1, n), ids(1, high=9)], {"label_smoothing": 0.1}),
                                ([logits(*rows(n)), between(*rows(n)) / 64], {"reduction": "sum"})],
    "nll": lambda n: [([-between(*rows(n)), ids(rows(n)[0], high=64)], {}), ([-between(n, 1), ids(n, high=1)], {})],
    "mse": lambda n: [([between(n), logits(n)], {}), ([np.full(n, 2.0), np.zeros(n)], {})],
    "l1": lambda n: [([between(n), logits(n)], {})],
    "huber": lambda n: [([between(n), logits(n)], {})],
    "binary_cross_entropy": lambda n: [([between(n) / 2, between(n) / 2], {})],
    "binary_cross_entropy_with_logits": lambda n: [([logits(n), between(n) / 2, between(1)], {})],
    "kl_div": lambda n: [([-between(n), between(n)], {}), ([-between(*rows(n)), between(*rows(n))], {"reduction": "batchmean"})],
}  # fmt: skip


def test_every_op_that_sums_has_a_long_case():
    """But for matrices, which are not long, what is composed of such ops, and a product of matrices, which BLAS sums in its own way."""
    square = {"inv", "solve", "det", "logdet", "cholesky", "logmatmulexp"}
    assert set(LONG) == {name for name, op in REGISTRY.items() if op.wide} - square


def check_long(op, inputs, params, dtype, rounding, device):
    """Values and gradients in `dtype`, against those in float64 of the same numbers, to so many roundings of `dtype`."""
    inputs = [np.asarray(x).astype(dtype) if x.dtype.kind == "f" else x for x in inputs]
    wide = [x.astype("float64") if x.dtype.kind == "f" else x for x in inputs]
    narrow, exact = tensors(inputs, device), tensors(wide, device)
    found, expected = outputs(op(*narrow, **params)), outputs(op(*exact, **params))
    tolerance, least = rounding * np.finfo(dtype).eps, float(np.finfo(dtype).smallest_subnormal)
    for y, z in zip(found, expected, strict=True):
        assert y.dtype == (dtype if op.narrows else np.float32)
        if np.abs(z.numpy()).max() < np.finfo(dtype).max:
            close(y.numpy(), z.numpy(), tolerance, least)
    for ys in found, expected:
        parts = [
            y.double() * ml.Tensor(to_device(np.asarray(weights(y.shape, "float64") / y.size), device)) for y in ys
        ]
        (sum(part.sum() for part in parts) * GRADIENT).backward()
    for x, z in zip(narrow, exact, strict=True):
        if x.grad is not None:
            assert x.grad.dtype == dtype
            close(x.grad.numpy(), z.grad.numpy(), tolerance, least)


PRODUCTS = {"einsum", "conv2d", "scaled_dot_product_attention"}  # summed by BLAS, in its own order
DIFFERENCES = {"batch_norm", "cross_entropy"}  # their gradients are differences of what is far larger
GRADIENT = 1024.0  # what a loss is multiplied by, so that float16 holds its gradients


def close(found, expected, tolerance, least):
    largest = float(np.abs(expected).max()) if expected.size else 0.0
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * min(largest, 1.0) + least)


@pytest.mark.parametrize("name", LONG)
def test_70_000_numbers_in_float16(name, device):
    for inputs, params in LONG[name](70_000):
        with np.errstate(over="ignore"):
            check_long(REGISTRY[name], inputs, params, np.float16, 2, device)


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_a_million_numbers_in_float32(name, device):
    for inputs, params in LONG[name](1_000_000):
        check_long(REGISTRY[name], inputs, params, np.float32, 512 if name in PRODUCTS | DIFFERENCES else 32, device)


def test_the_largest_of_70_000_ties_in_float16(tensor):
    x = tensor(np.ones(70_000, np.float16), requires_grad=True)
    x.max().backward()
    np.testing.assert_allclose(x.grad.numpy().astype(float).sum(), 1.0, rtol=5e-3)  # 1 / 70,000 has 8 bits in float16


def test_a_float16_mean_and_layer_norm_are_finite(tensor):
    assert tensor(np.ones(70_000, np.float16)).mean().item() == 1.0
    y = REGISTRY["layer_norm"](tensor(np.arange(1000).astype(np.float16)))
    assert y.dtype == np.float16
    np.testing.assert_allclose(y.numpy()[[0, -1]], [-1.7303, 1.7303], rtol=1e-3)


def test_a_float16_batch_norm_layer(device):
    layer = ml.nn.BatchNorm1d(1).to(device)
    for p in layer.parameters():
        p.data = p.data.astype(np.float16)
    x = ml.Tensor(to_device(np.arange(1000).astype(np.float16)[:, None], device), requires_grad=True)
    y = layer(x)
    assert y.dtype == np.float16
    y.sum().backward()
    assert x.grad.dtype == layer.weight.grad.dtype == np.float16
    np.testing.assert_allclose(layer.running_var.numpy(), [0.9 + 0.1 * 83416.667], rtol=1e-6)


def test_a_cumulative_sum_of_a_million_in_float32(tensor):
    x = tensor(np.full(10**6, 0.1, np.float32), requires_grad=True)
    y = x.cumsum(0)
    np.testing.assert_allclose(y.numpy()[-1], 100_000.0, rtol=1e-6)
    (y * 0.1).sum().backward()
    np.testing.assert_allclose(x.grad.numpy()[0], 100_000.0, rtol=1e-6)


@pytest.mark.parametrize("shape", [(10**6,), (250_000, 4), (250_000, 3)])
def test_a_gradient_of_what_was_broadcast_a_million_times(shape, tensor):
    bias = tensor(np.zeros(shape[1:], np.float32), requires_grad=True)
    x = np.full(shape, 0.1, np.float32)
    (tensor(x) * (tensor(x) * 0 + bias)).sum().backward()
    np.testing.assert_allclose(bias.grad.numpy(), np.full(shape[1:], shape[0] * float(np.float32(0.1))), rtol=1e-6)


@pytest.mark.parametrize(
    ("rows", "dtype"), [(2048, "float32"), (2049, "float32"), (250_000, "float32"), (70_000, "float16")]
)
def test_a_gradient_of_a_bias_of_many_rows(rows, dtype, tensor):
    bias = tensor(np.zeros(3, dtype), requires_grad=True)
    y = REGISTRY["linear"](tensor(np.ones((rows, 2), dtype)), tensor(np.ones((3, 2), dtype)), bias)
    y.backward(tensor(np.full((rows, 3), 0.1, dtype)))
    exact = np.full(3, rows * float(np.dtype(dtype).type(0.1)))
    np.testing.assert_allclose(bias.grad.numpy(), exact, rtol=max(2e-5, np.finfo(dtype).eps / 2))
