"""Anomaly detection: which op made the first number that is not finite, from what, and on which line."""

import numpy as np
import pytest

import minilm as ml
from minilm.anomaly import AnomalyError
from minilm.graph import modes
from minilm.ops import REGISTRY


class TestAnomaly:
    def test_names_op_input_and_line(self):
        x = ml.tensor([1.0, -1.0], requires_grad=True).named("x")
        with np.errstate(all="ignore"), ml.detect_anomaly(), pytest.raises(AnomalyError) as info:
            x.log()
        text = str(info.value)
        assert "log made a NaN" in text
        assert r"\ln x" in text
        assert "test_anomaly.py" in text
        assert "x in [-1, 1]" in text

    def test_in_the_backward_pass(self):
        x = ml.tensor([0.0], requires_grad=True)
        with np.errstate(all="ignore"), ml.detect_anomaly():
            y = x.sqrt().sum()
            with pytest.raises(
                AnomalyError, match=r"sqrt made a NaN or an infinity in the backward pass.*test_anomaly"
            ):
                y.backward()

    def test_says_when_the_input_was_bad_already(self):
        with ml.detect_anomaly(), pytest.raises(AnomalyError, match="its a .* was not finite already"):
            ml.tensor([np.nan]) * 2.0

    def test_an_infinity_that_was_asked_for_is_none(self):
        x = ml.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        with ml.detect_anomaly():
            x.masked_fill(ml.tensor([[True, False], [False, True]]), -np.inf).softmax().sum().backward()
            q = ml.tensor(np.ones((2, 2)), requires_grad=True)
            y = REGISTRY["scaled_dot_product_attention"](q, q, q, causal=True)
            ml.grad(y.sum(), q, create_graph=True)

    def test_ends_with_its_block_also_after_an_error(self):
        with ml.detect_anomaly(), ml.detect_anomaly():
            assert modes.observers
        with pytest.raises(KeyError), ml.detect_anomaly():
            raise KeyError
        assert not modes.observers

    def test_is_off_by_default(self):
        with np.errstate(all="ignore"):
            assert np.isnan(ml.tensor([-1.0]).log().item())

    def test_a_later_block_still_knows_the_line(self):
        x = ml.tensor([0.0], requires_grad=True)
        with ml.detect_anomaly():
            y = x.sqrt()
        with ml.detect_anomaly(), pytest.raises(AnomalyError, match=r"Called at .*test_anomaly\.py:\d+"):
            y.backward()

    def test_of_a_graph_that_was_recorded_without_it(self):
        y = ml.tensor([0.0], requires_grad=True).sqrt()
        with ml.detect_anomaly(), pytest.raises(AnomalyError, match="Called at an unknown place"):
            y.backward()
