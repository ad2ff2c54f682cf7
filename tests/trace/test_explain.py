"""The parts of a gradient: by hand, in sum, through seeds, sharing and residual connections."""

import numpy as np
import pytest

import minilm as ml
from tests.trace.test_recorder import two_two_two

pytestmark = pytest.mark.usefixtures("float64")


def residual(depth):
    """x <- x + tanh(w x), `depth` times: 2^depth paths."""
    w, x = ml.tensor(0.3, requires_grad=True), ml.tensor(0.5, requires_grad=True)
    with ml.trace() as steps:
        h = x
        for _ in range(depth):
            h = h + (w * h).tanh()
        h.backward()
    return steps, w, x


class TestElements:
    def test_the_two_paths_of_one_weight_by_hand(self):
        steps, t = two_two_two()
        explained = steps.explain(t["W1"], (0, 1))
        z1 = np.array([[0.1, 0.2], [0.3, 0.4]]) @ [1.0, 2.0] + [0.1, 0.2]
        a1 = 1 / (1 + np.exp(-z1))
        W2 = np.array([[0.5, -0.6], [-0.7, 0.8]])
        p = 1 / (1 + np.exp(-(W2 @ a1 + [0.1, -0.2])))
        parts = (p - [0.1, 0.9]) / 2 * W2[:, 0] * a1[0] * (1 - a1[0]) * 2.0
        assert sorted(path.part for path in explained.paths) == pytest.approx(sorted(parts), rel=1e-12)
        assert explained.total == pytest.approx(t["W1"].grad.numpy()[0, 1], rel=1e-12)
        assert all(path.complete for path in explained.paths)

    def test_each_part_is_the_product_of_its_factors(self):
        steps, t = two_two_two()
        for path in steps.explain(t["b1"], 1).paths:
            assert np.prod(path.factors) * path.arrived == pytest.approx(path.part, rel=1e-12)
            assert len(path.factors) == len(path.stops) - 1

    def test_a_negative_index_counts_from_the_end(self):
        steps, t = two_two_two()
        assert steps.explain(t["W1"], (-1, -1)).element == (1, 1)

    @pytest.mark.parametrize("element", [(2, 0), 0, (0, 0, 0), (0, -3)])
    def test_no_such_element(self, element):
        steps, t = two_two_two()
        with pytest.raises(IndexError, match=r"W1 has shape \(2, 2\), so it has no element"):
            steps.explain(t["W1"], element)

    def test_too_many_links_to_follow_one_by_one(self):
        w = ml.tensor(np.ones((30, 30)), requires_grad=True)
        with ml.trace() as steps:
            (w @ w).sum().backward()
        with pytest.raises(ValueError, match="Leave out the element"):
            steps.explain(w, (0, 0))


class TestTensors:
    def test_a_chain_has_one_path_and_it_is_the_gradient(self):
        steps, t = two_two_two()
        explained = steps.explain(t["W1"])
        assert len(explained.paths) == 1
        np.testing.assert_allclose(explained.paths[0].part, t["W1"].grad.numpy(), rtol=1e-12)

    @pytest.mark.parametrize("depth", [1, 2, 4])
    def test_all_paths_of_a_residual_network(self, depth):
        steps, _, x = residual(depth)
        explained = steps.explain(x)
        assert len(explained.paths) == 2**depth
        assert explained.total == pytest.approx(x.grad.item(), rel=1e-12)

    def test_where_there_is_no_room_for_all_paths_the_parts_still_add_up(self):
        steps, w, x = residual(12)
        for tensor in (w, x):
            explained = steps.explain(tensor, paths=20)
            assert len(explained.paths) <= 20
            assert not all(path.complete for path in explained.paths)
            assert explained.total == pytest.approx(tensor.grad.item(), rel=1e-12)
        assert "stands for all that go on from there" in str(explained)

    def test_one_path_at_most_is_the_gradient_itself(self):
        steps, _, x = residual(3)
        (path,) = steps.explain(x, paths=1).paths
        assert path.part == pytest.approx(x.grad.item())

    def test_the_paths_of_a_transformers_weight(self):
        model = ml.models.GPT(ml.models.GPTConfig(vocab_size=7, block_size=4, n_layer=2, n_head=2, n_embd=8))
        with ml.trace() as steps:
            logits = model(ml.tensor([[1, 2, 3]]))
            ml.nn.functional.cross_entropy(logits.reshape(3, 7), ml.tensor([2, 3, 4])).backward()
        explained = steps.explain(model.wte.weight, paths=40)
        np.testing.assert_allclose(explained.total, model.wte.weight.grad.numpy(), rtol=1e-9, atol=1e-12)

    def test_several_outputs(self):
        x = ml.tensor(np.arange(4.0), requires_grad=True)
        with ml.trace() as steps:
            first, second = x.split(2, axis=0)
            (first * second).sum().backward()
        for explained in (steps.explain(x), steps.explain(x, 1)):
            np.testing.assert_allclose(explained.total, np.array([2.0, 3.0, 0.0, 1.0])[explained.element or ...])

    def test_a_gradient_put_in_on_the_way_is_a_path_of_its_own(self):
        x = ml.tensor(2.0, requires_grad=True)
        with ml.trace() as steps:
            y = x * x
            z = y * 3.0
            y.backward(retain_graph=True)
            z.backward()
        assert sorted(path.part.item() for path in steps.explain(x).paths) == [2.0, 2.0, 6.0, 6.0]
        assert steps.explain(x, ()).total == x.grad.item() == 16.0

    def test_a_broadcast_input(self):
        b = ml.tensor([1.0, 2.0], requires_grad=True)
        with ml.trace() as steps:
            (ml.tensor([[1.0, 2.0], [3.0, 4.0]]) * b).sum().backward()
        np.testing.assert_array_equal(steps.explain(b).total, [4.0, 6.0])
        assert sorted(path.part for path in steps.explain(b, 1).paths) == [2.0, 4.0]


class TestErrors:
    def test_no_gradient_arrived(self):
        x = ml.tensor(1.0, requires_grad=True)
        with ml.trace() as steps:
            x * 2.0
        with pytest.raises(ValueError, match=r"no gradient arrived at x\. Call backward\(\) inside the trace"):
            steps.explain(x)

    def test_no_room(self):
        steps, _, x = residual(1)
        with pytest.raises(ValueError, match="paths must be at least 1, got 0"):
            steps.explain(x, paths=0)


def test_as_text():
    steps, t = two_two_two()
    text = str(steps.explain(t["W1"], (0, 1)))
    assert text.startswith("∂L/∂W1[0, 1] = 0.1094, the sum over 2 paths")
    assert "W1[0, 1] → (W1 @ x)[0] → z1[0] → a1[0] → (W2 @ a1)[1] → z2[1] → p[1] → loss" in text
    assert "= 0.06499" in text
