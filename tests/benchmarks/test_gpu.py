"""The GPU benchmark without a GPU: its refusals, its check of the losses, its order of measuring, and a dry run on the CPU."""

import json
import subprocess
import sys

import numpy as np
import pytest

import minilm as ml
from minilm.backend.detect import gpu_problem
from tests.benchmarks import gpu
from tests.benchmarks.gpu import Options, Unusable

pytestmark = pytest.mark.host
SMALL = ["--device", "cpu", "--layers", "1", "--heads", "2", "--width", "8", "--length", "6", "--batch", "3", "--warmup", "1",
         "--rounds", "2", "--steps", "2"]  # fmt: skip


class Side:
    """A side that takes no time: `losses` are what it computes."""

    cuda = False

    def __init__(self, name, losses, log=None):
        self.name, self.losses, self.log = name, list(losses), log

    def evaluate(self):
        return self.losses.pop(0)

    def step(self, i):
        if self.log is not None:
            self.log.append(self.name)
        return np.float64(self.losses.pop(0) if self.losses else 0.0)

    def forget_peak(self):
        pass


@pytest.mark.skipif(gpu_problem() is None, reason="there is a GPU")
def test_without_a_gpu_it_says_so():
    done = subprocess.run([sys.executable, "-m", "tests.benchmarks.gpu"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("tests.benchmarks.gpu: this benchmark needs a GPU, but ")
    assert "Traceback" not in done.stderr


def test_another_device_is_refused(capsys):
    assert gpu.main(["--device", "tpu"]) == 2
    assert "device 'tpu'" in capsys.readouterr().err


def test_losses_must_be_equal_before_anything_is_timed():
    good = [4.0, 4.0, 3.9, 3.8]
    assert gpu.check_losses([Side("A", good), Side("B", good)], 0.0, 1e-4) == [good, good]
    for bad in ([4.0, 4.0, 3.9, 3.81], [4.0, 4.0, float("nan"), 3.8]):
        with pytest.raises(Unusable, match=r"loss [23] is .* in A and .* in B.*Nothing was timed"):
            gpu.check_losses([Side("A", good), Side("B", bad)], 0.0, 1e-4)


def test_with_dropout_only_the_losses_without_it_are_compared():
    assert gpu.check_losses([Side("A", [4.0, 1.0]), Side("B", [4.0, 2.0])], 0.2, 1e-4) == [[4.0], [4.0]]


def test_the_sides_take_turns_and_each_first_step_is_thrown_away():
    log = []
    pair = [Side("A", [], log), Side("B", [], log)]
    times = gpu.measure(pair, Options(warmup=1, rounds=3, steps=2))
    assert "".join(log) == "AB" + "AAABBB" + "BBBAAA" + "AAABBB"
    assert [len(each) for each in times] == [6, 6]


def test_summary():
    found = gpu.summary([3.0, 1.0, 2.0, 4.0, 100.0])
    assert (found["median_ms"], found["min_ms"], found["max_ms"]) == (3.0, 1.0, 100.0)
    assert found["quartile_1_ms"] < 3.0 < found["quartile_3_ms"]
    assert gpu.summary([2.0])["median_ms"] == 2.0


def test_dry_run(tmp_path, capsys):
    pytest.importorskip("torch")
    path = tmp_path / "record.json"
    assert gpu.main([*SMALL, "--record", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "say nothing about a GPU" in shown
    record = json.loads(path.read_text())
    assert [result["dropout"] for result in record["results"]] == [0.0, 0.2]
    assert record["options"]["layers"] == 1
    assert {"python", "numpy", "torch", "minilm"} <= set(record["machine"])
    for result in record["results"]:
        assert result["ratio"] == result["minilm"]["median_ms"] / result["PyTorch"]["median_ms"]
        np.testing.assert_allclose(result["minilm"]["losses"], result["PyTorch"]["losses"], atol=1e-4)
    assert len(record["results"][0]["minilm"]["losses"]) == 1 + gpu.CHECKED_STEPS


def test_a_step_that_does_something_else_is_noticed(monkeypatch, capsys):
    pytest.importorskip("torch")
    monkeypatch.setattr(gpu, "clip_grad_norm_", lambda parameters, limit: None)
    monkeypatch.setattr(gpu.AdamW, "step", lambda self: None)
    assert gpu.main([*SMALL, "--dropout", "0"]) == 2
    assert "do not compute the same" in capsys.readouterr().err


def test_tf32_is_on_for_both_sides_and_put_back():
    torch = pytest.importorskip("torch")
    with gpu.tf32(True):
        assert ml.backend.tf32_allowed()
        assert torch.backends.cuda.matmul.allow_tf32
    assert not ml.backend.tf32_allowed()
    assert not torch.backends.cuda.matmul.allow_tf32


def test_both_models_drop_what_they_should():
    """With dropout 0.5 in training, PyTorch's model gives other losses each time; in evaluation the one that minilm gives."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    pair = gpu.sides(Options(device="cpu", layers=1, heads=2, width=8, length=6, batch=3), 0.5)
    assert pair[0].evaluate() == pytest.approx(pair[1].evaluate(), abs=1e-5)
    for side in pair:
        x, y = side.batches[0]
        assert len({round(side.model.loss(x, y).item(), 6) for _ in range(4)}) == 4


def test_cupy_has_what_the_measuring_asks_for():
    cupy = pytest.importorskip("cupy")
    for name in ("Event", "get_elapsed_time", "runtime"):
        assert hasattr(cupy.cuda, name)
    for name in ("record", "synchronize"):
        assert hasattr(cupy.cuda.Event, name)
    for name in ("free_all_blocks", "total_bytes"):
        assert hasattr(cupy.get_default_memory_pool(), name)
    for name in ("getDeviceProperties", "driverGetVersion", "runtimeGetVersion"):
        assert hasattr(cupy.cuda.runtime, name)
