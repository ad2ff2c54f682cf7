"""Operations and bytes against counts by hand, and an entry for every op."""

import numpy as np
import pytest

import minilm as ml
from minilm.models import GPT, GPTConfig
from minilm.nn import functional as F
from minilm.ops import REGISTRY, Op
from minilm.profile.cost import COSTS, TRANSCENDENTAL

T = TRANSCENDENTAL
FLOAT = 4  # bytes


def tensor(*shape, grad=True):
    return ml.Tensor(np.random.default_rng(0).uniform(0.1, 0.9, shape).astype(np.float32), requires_grad=grad)


def ids(*shape, high):
    return ml.Tensor(np.random.default_rng(0).integers(high, size=shape))


def measured(function, *inputs):
    """The rows of a function and of its gradient, by (op, pass)."""
    with ml.profile() as p:
        y = function(*inputs)
        for out in y if isinstance(y, tuple) else (y,):
            if out.requires_grad:
                out.backward(ml.Tensor(np.ones(out.shape, np.float32)))
    return {(row.op, row.stage): row for row in p.ops}


class TestTable:
    def test_every_op_has_an_entry(self):
        """A new op needs its line in `COSTS`; one that is only composed of others is counted as those."""
        own_rule = {name for name, op in REGISTRY.items() if type(op).forward is not Op.forward}
        assert own_rule - set(COSTS) == set()
        assert set(COSTS) - own_rule == set()

    @pytest.mark.parametrize(
        ("op", "sample"),
        [pytest.param(o, s, id=f"{n}-{i}") for n, o in REGISTRY.items() for i, s in enumerate(o.samples)],
    )
    def test_every_sample_can_be_counted(self, op, sample):
        """Forward, backward, and with a graph of the gradient."""
        drawn = sample.draw(np.random.default_rng(0), np.float32)
        inputs = [ml.Tensor(x, requires_grad=x.dtype.kind == "f") if isinstance(x, np.ndarray) else x for x in drawn]
        leaves = [x for x in inputs if isinstance(x, ml.Tensor) and x.requires_grad]
        with ml.profile() as p:
            y = op(*inputs, **sample.params)
            roots = [out for out in (y if isinstance(y, tuple) else (y,)) if out.requires_grad]
            ones = [ml.Tensor(np.ones(out.shape, np.float32), device=out.device) for out in roots]
            if roots:
                ml.grad(roots, leaves, ones, create_graph=True, allow_unused=True)
                ml.grad(roots, leaves, ones, allow_unused=True)
        assert p.uncounted == []
        assert all(row.flops >= 0 and row.bytes >= 0 and row.made >= 0 for row in p.ops)
        assert all(type(row.flops) is int for row in p.ops)

    def test_an_op_that_nobody_stated_is_named(self):
        class Double(Op):
            name = "double"

            def forward(self, dev, x):
                return x * 2.0

            def grad_x(self, g, _y, _x):
                return g * 2.0

        with ml.profile() as p:
            Double()(tensor(3)).sum()
        assert p.uncounted == ["double"]
        assert "Operations are not stated, and count 0, for: double." in str(p)


n, k, m, B = 3, 5, 7, 2
BY_HAND = {
    # name: function, inputs, operations forward, backward
    "add": (lambda a, b: a + b, [(n, m), (n, m)], n * m, 0),
    "add, broadcast": (lambda a, b: a + b, [(n, m), (m,)], n * m, n * m - m),
    "mul": (lambda a, b: a * b, [(n, m), (n, m)], n * m, 2 * n * m),
    "mul, by a number": (lambda a: a * 3.0, [(n, m)], n * m, n * m),
    "div": (lambda a, b: a / b, [(n, m), (n, m)], n * m, n * m + 3 * n * m),
    "exp": (lambda a: a.exp(), [(n, m)], T * n * m, n * m),
    "tanh": (lambda a: a.tanh(), [(n, m)], T * n * m, 3 * n * m),
    "sum": (lambda a: a.sum(), [(n, m)], n * m - 1, 0),
    "sum, rows": (lambda a: a.sum(1), [(n, m)], n * (m - 1), 0),
    "mean": (lambda a: a.mean(), [(n, m)], n * m, 1),
    "reshape": (lambda a: a.reshape(m, n), [(n, m)], 0, 0),
    "expand": (lambda a: a.expand(n, m), [(1, m)], 0, n * m - m),
    "matmul": (lambda a, b: a @ b, [(n, k), (k, m)], 2 * n * k * m, 4 * n * k * m),
    "matmul, row": (lambda a, b: a @ b, [(k,), (k, m)], 2 * k * m, 4 * k * m),
    "matmul, column": (lambda a, b: a @ b, [(n, k), (k,)], 2 * n * k, 4 * n * k),
    "matmul, dot": (lambda a, b: a @ b, [(k,), (k,)], 2 * k, 4 * k),
    "matmul, batch": (lambda a, b: a @ b, [(B, n, k), (B, k, m)], 2 * B * n * k * m, 4 * B * n * k * m),
    "matmul, one right": (lambda a, b: a @ b, [(B, n, k), (k, m)], 2 * B * n * k * m, 4 * B * n * k * m),
    "matmul, one left": (
        lambda a, b: a @ b, [(n, k), (B, k, m)], 2 * B * n * k * m, 4 * B * n * k * m + (B - 1) * n * k,
    ),
    "einsum, product": (lambda a, b: ml.einsum("ij,jk->ik", a, b), [(n, k), (k, m)], 2 * n * k * m, 4 * n * k * m),
    "einsum, outer": (lambda a, b: ml.einsum("i,j->ij", a, b), [(n,), (m,)], n * m, 4 * n * m),
    "einsum, chain": (
        lambda a, b, c: ml.einsum("ij,jk,k->i", a, b, c), [(n, k), (k, m), (m,)], 2 * k * m + 2 * n * k,
        (n * m + 2 * n * k * m) + (2 * n * k + k * m) + (2 * n * k + 2 * k * m),  # each time the cheapest pair first
    ),
    "linear": (F.linear, [(n, k), (m, k), (m,)], 2 * n * k * m + n * m, 4 * n * k * m + (n - 1) * m),
    "conv2d": (
        F.conv2d, [(B, 3, 6, 6), (4, 3, 3, 3), (4,)], B * 4 * 16 * (2 * 27 + 1), B * 4 * 16 * 4 * 27 + (B * 16 - 1) * 4,
    ),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2), [(B, 3, 4, 4)], B * 3 * 4 * 3, B * 3 * 4),
    "gelu": (F.gelu, [(n, m)], (T + 4) * n * m, (T + 7) * n * m),
    "gelu, tanh": (lambda x: F.gelu(x, "tanh"), [(n, m)], (T + 8) * n * m, 10 * n * m),
    "softmax": (lambda x: x.softmax(-1), [(n, m)], (T + 4) * n * m, 4 * n * m),
    "layer_norm": (F.layer_norm, [(n, m), (m,), (m,)], 7 * n * m, 13 * n * m),
    "attention": (
        F.scaled_dot_product_attention, [(B, n, k), (B, m, k), (B, m, 2)],
        B * n * m * (2 * k + T + 4 + 2 * 2), B * n * m * (4 * k + 4 + 4 * 2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_operations_by_hand(name):
    function, shapes, forward, backward = BY_HAND[name]
    rows = measured(function, *(tensor(*shape) for shape in shapes))
    assert sum(row.flops for (_, stage), row in rows.items() if stage == "forward") == forward
    assert sum(row.flops for (_, stage), row in rows.items() if stage == "backward") == backward


class TestNeeds:
    def test_a_product_with_a_constant_has_one_gradient(self):
        assert (
            measured(lambda a, b: a @ b, tensor(n, k, grad=False), tensor(k, m))["matmul", "backward"].flops
            == 2 * n * k * m
        )
        assert measured(F.linear, tensor(n, k, grad=False), tensor(m, k))["linear", "backward"].flops == 2 * n * k * m

    def test_without_gradients_nothing_runs_backward(self):
        with ml.no_grad():
            assert set(measured(lambda a, b: a @ b, tensor(n, k), tensor(k, m))) == {("matmul", "forward")}


class TestBytes:
    def test_each_array_once(self):
        rows = measured(lambda a, b: a @ b, tensor(n, k), tensor(k, m))
        assert rows["matmul", "forward"].bytes == FLOAT * (n * k + k * m + n * m)
        assert rows["matmul", "backward"].bytes == FLOAT * (n * m + 2 * (n * k + k * m))

    def test_views_move_nothing(self):
        rows = measured(lambda a: a.swapaxes(0, 1).expand(2, 4, 3)[1], tensor(3, 4))
        assert [rows[op, "forward"].bytes for op in ("swapaxes", "expand", "basic_index")] == [0, 0, 0]
        assert rows["swapaxes", "backward"].bytes == 0
        assert rows["expand", "backward"].bytes == FLOAT * (24 + 12)  # the copies' gradients are added up

    def test_a_reshape_that_has_to_copy_moves(self):
        rows = measured(lambda a: a.swapaxes(0, 1).reshape(12), tensor(3, 4))
        assert rows["reshape", "forward"].bytes == FLOAT * 24

    def test_a_gradient_that_is_passed_on_moves_nothing(self):
        assert measured(lambda a, b: a + b, tensor(3, 4), tensor(3, 4))["add", "backward"].bytes == 0
        assert measured(lambda a, b: a + b, tensor(3, 4), tensor(4))["add", "backward"].bytes == FLOAT * (12 + 4)

    def test_what_the_rule_does_not_read_is_not_counted(self):
        assert measured(lambda a: a.exp(), tensor(9))["exp", "backward"].bytes == FLOAT * 27  # gradient, output, result
        assert measured(lambda a: a * 2.0, tensor(9))["mul", "backward"].bytes == FLOAT * 18

    def test_an_embedding_reads_its_rows_only(self):
        rows = measured(lambda w, i: F.embedding(i, w), tensor(1000, 8), ids(5, high=1000))
        assert rows["embedding", "forward"].bytes == 5 * 8 + FLOAT * 2 * 5 * 8  # int64 ids, rows read, rows written
        assert rows["embedding", "backward"].bytes >= FLOAT * 1000 * 8

    def test_what_is_kept_is_written_once_and_read_once(self):
        rows = measured(lambda x: REGISTRY["dropout"](x, p=0.5, key=1), tensor(10, 10))
        assert rows["dropout", "forward"].bytes == FLOAT * 300  # input, output, mask
        assert rows["dropout", "backward"].bytes == FLOAT * 300


class TestFusedAgainstComposed:
    """The fused ops' formulas beside the sums over the ops that specify them: they add, multiply and take exponentials alike."""

    CASES = {
        "softmax": (lambda x: x.softmax(-1), [(32, 64)]),
        "log_softmax": (lambda x: x.log_softmax(-1), [(32, 64)]),
        "layer_norm": (F.layer_norm, [(32, 64), (64,), (64,)]),
        "rms_norm": (F.rms_norm, [(32, 64), (64,)]),
        "batch_norm": (REGISTRY["batch_norm"], [(32, 64), (64,), (64,)]),
        "gelu": (F.gelu, [(32, 64)]),
        "linear": (F.linear, [(32, 64), (16, 64), (16,)]),
        "attention": (F.scaled_dot_product_attention, [(2, 32, 16), (2, 32, 16), (2, 32, 16)]),
        "conv2d": (F.conv2d, [(2, 3, 8, 8), (8, 3, 3, 3), (8,)]),
        "avg_pool2d": (lambda x: F.avg_pool2d(x, 2), [(2, 3, 8, 8)]),
        "cross_entropy": (lambda x: F.cross_entropy(x, ids(32, high=64)), [(32, 64)]),
    }

    @pytest.mark.parametrize("name", CASES)
    def test_of_one_size(self, name):
        function, shapes = self.CASES[name]
        totals = {}
        for fused in (True, False):
            with ml.use_fused(fused):
                rows = measured(function, *(tensor(*shape) for shape in shapes))
            totals[fused] = sum(row.flops for row in rows.values())
        assert (
            0.6 < totals[True] / totals[False] < 1.7
        )  # log_softmax takes its exponentials again, to keep one array less


class TestGPT:
    @pytest.fixture
    def model(self):
        return GPT(GPTConfig(vocab_size=65, block_size=16, n_layer=2, n_head=2, n_embd=32, bias=False, dropout=0.0))

    def step(self, model, fused=True):
        tokens = np.random.default_rng(0).integers(65, size=(3, 17))
        with ml.use_fused(fused), ml.profile() as p:
            model.loss(tokens[:, :-1], tokens[:, 1:]).backward()
        return p

    @pytest.mark.parametrize("fused", [True, False])
    def test_six_operations_for_each_weight_and_token(self, model, fused):
        """2ND forward and 4ND backward (Kaplan et al. 2020, section 2.1), and 12 L T C for each token for attention."""
        p = self.step(model, fused)
        weights = sum(w.size for name, w in model.named_parameters() if w.ndim == 2 and "wpe" not in name)
        products, attention = 6 * weights * 48, 12 * 2 * 16 * 32 * 48
        assert p.all_ops.flops > products + attention
        found = sum(row.flops for row in p.ops if row.op in ("matmul", "linear"))
        if fused:
            assert found == products
            assert p.all_ops.flops == pytest.approx(
                products + attention, rel=0.12
            )  # softmax, norms and GELU of a narrow model
        else:
            assert found == products + attention
