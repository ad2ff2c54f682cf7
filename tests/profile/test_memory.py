"""The memory of arrays that are alive: exact on a graph small enough to count by hand."""

import numpy as np
import pytest

import minilm as ml
from minilm.profile.memory import LiveArrays, owner_of
from tests.backend import pretend

pytestmark = pytest.mark.host
ARRAY = 4000  # bytes of 1,000 numbers in float32


def ones(grad=False):
    return ml.Tensor(np.ones(1000, np.float32), requires_grad=grad)


def rows(profile):
    return {(row.op, row.stage): row for row in profile.ops}


class TestLiveArrays:
    def test_an_array_counts_once_until_it_is_gone(self):
        memory, a, b = LiveArrays(), np.ones(1000, np.float32), np.ones(1000, np.float32)
        assert memory.made([a, a]) == ARRAY
        assert memory.made([a, b]) == ARRAY
        del a
        assert memory.live == ARRAY
        del b
        assert memory.live == 0

    def test_a_view_is_its_owner(self):
        memory, a = LiveArrays(), np.ones((10, 100), np.float32)
        view = np.lib.stride_tricks.as_strided(a[2:], (3,), (4,))
        assert memory.made([view, a.T, a.reshape(-1)[5:]]) == ARRAY
        assert owner_of(view) is a
        del a
        assert memory.live == ARRAY  # the view keeps it
        del view
        assert memory.live == 0

    def test_a_mapped_file_counts_nothing(self, tmp_path):
        np.ones(1000).tofile(tmp_path / "numbers")
        mapped = np.memmap(tmp_path / "numbers", np.float64, "r")
        assert LiveArrays().made([mapped, mapped[3:]]) == 0

    def test_after_the_end_nothing_is_followed(self):
        memory, a = LiveArrays(), np.ones(3)
        memory.follow([a])
        memory.finish()
        del a
        assert memory.live == 24


class TestHighWater:
    def test_of_a_chain(self):
        """exp keeps its output for the backward rule; what tanh makes of it is kept, too; nothing needs the product."""
        x = ones(grad=True)
        with ml.profile("cpu") as p:
            loss = ((x * 2.0).exp().tanh()).sum()
            loss.backward()
        found = rows(p)
        assert found["mul", "forward"].made == ARRAY
        assert found["mul", "forward"].alive == 2 * ARRAY  # x and the product
        assert found["exp", "forward"].alive == 3 * ARRAY  # x, product, exp
        assert found["tanh", "forward"].alive == 3 * ARRAY  # x, exp, tanh: the product is gone
        assert found["sum", "forward"].alive == 3 * ARRAY + 4
        # x, exp, tanh, the loss, its seed, and the gradient that tanh's rule makes
        assert found["tanh", "backward"].alive == 4 * ARRAY + 8
        assert p.peak.op == "tanh"
        assert p.peak.stage == "backward"
        assert p.peak.bytes == 4 * ARRAY + 8

    def test_memory_rises_and_falls(self):
        x = ones(grad=True)
        with ml.profile("cpu") as p, p.section("a stretch is no rule"):
            x.sin().sin().sum().backward()
        a, b = 3 * ARRAY + 4, ARRAY + 8  # x, sin and its sine, the sum; the seed, and what a rule makes
        assert p.alive[:3] == [2 * ARRAY, 3 * ARRAY, a]
        assert max(p.alive) == p.peak.bytes
        assert len(p.alive) == p.all_ops.calls == 6
        assert p.alive[-1] < a + b

    def test_without_a_graph_less_is_kept(self):
        x = ones(grad=True)
        with ml.no_grad(), ml.profile("cpu") as p:
            y = x
            for _ in range(5):
                y = y.sin()
        assert p.peak.bytes == 3 * ARRAY
        with ml.profile("cpu") as p:
            y = x
            for _ in range(5):
                y = y.sin()
        assert p.peak.bytes == 6 * ARRAY  # sin's rule needs its input

    def test_gradients_of_leaves_are_seen(self):
        x = ones(grad=True)
        with ml.profile("cpu") as p:
            x.exp().backward(ones())
            x.exp()
        assert rows(p)["exp", "forward"].alive == 3 * ARRAY  # x, x.grad, and the new result

    def test_parameters_of_a_module_count_from_its_first_call(self):
        layer = ml.nn.Linear(10, 100, bias=False)
        with ml.profile("cpu") as p, ml.no_grad():
            layer(ml.Tensor(np.ones((1, 10), np.float32)))
        assert p.peak.bytes == ARRAY + 40 + 400
        assert p.peak.module == "Linear"

    def test_views_make_nothing(self):
        with ml.profile("cpu") as p:
            ones().reshape(10, 100).swapaxes(0, 1)
        assert [row.made for row in p.ops] == [0, 0]

    def test_a_profile_keeps_no_array_alive(self):
        memory = LiveArrays()
        with ml.profile("cpu") as p:
            y = ones(grad=True).exp()
            memory.follow([y.data])
            y.sum().backward()
            del y
            assert memory.live == 0
        assert p.peak.bytes > 0


def test_on_the_stand_in():
    x = ml.Tensor(np.ones(1000, np.float32), device=pretend.device())
    with ml.profile("cpu") as p, pretend.count() as counts:
        x.reshape(10, 100).exp()
    assert rows(p)["exp", "forward"].made == ARRAY
    assert counts.syncs == counts.uploads == 0
