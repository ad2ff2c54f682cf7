"""ops.js against the engine: on every sample of the registry whose op has a twin, the values and all gradients, to 1e-9 in float64."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import minilm as ml
from minilm.ops import REGISTRY
from minilm.trace import twin

OPS = Path(twin.__file__).with_name("ops.js")
NEEDED = (
    "linear matmul add mul sub div pow sum mean reshape transpose basic_index advanced_index concat softmax log_softmax"
)
NEEDED += " cross_entropy layer_norm rms_norm gelu relu tanh sigmoid exp log sqrt embedding masked_fill where"
NEEDED += " scaled_dot_product_attention dropout"
ANSWER = """(jobs, Tape) => jobs.map(({op, inputs, params, grads}) => {
  const read = (x) => ({...x, data: Float64Array.from(x.data, Number)}),
    told = (x) => x && {shape: x.shape, data: Array.from(x.data, String)};
  const tape = new Tape(), given = inputs.map((x) => x === null || "number" in x ? x : tape.leaf(read(x)));
  const values = tape.call(op, given, params), back = tape.back(0, grads.map(read));
  return [values.map((v) => told(tape.values[v])), back.map((c) => c && told(c.grad))];
})"""
RUN = f"""const jobs = JSON.parse(require("fs").readFileSync(0, "utf-8"));
console.log(JSON.stringify(({ANSWER})(jobs, require(process.argv[1]).Tape)));"""


def cases():
    """(op, number of the sample, inputs, parameters after the checks), of all samples that a twin can run."""
    for name in sorted(twin.twins()):
        op = REGISTRY[name]
        for i, sample in enumerate(op.samples):
            inputs = sample.draw(np.random.default_rng(i), np.float64)
            given, params = op.bind(tuple(inputs), dict(sample.params))
            params = op.check(*given, **params) if op.check else params
            first = given[0] if hasattr(given[0], "shape") else np.asarray(given[0])
            ready = twin.parameters(name, first.shape, params)
            if ready is not None:
                yield name, i, inputs, sample.params, ready


CASES = list(cases())


def job(op, inputs, given, params):
    """What Node is asked, and what the engine says."""
    tensors = [ml.tensor(x, requires_grad=x.dtype.kind == "f") if isinstance(x, np.ndarray) else x for x in inputs]
    result = REGISTRY[op](*tensors, **given)
    values = list(result) if isinstance(result, tuple) else [result]
    rng = np.random.default_rng(7)
    grads = [np.asarray(rng.normal(size=y.shape)) for y in values]
    if any(y.requires_grad for y in values):
        sum(
            ((y * ml.tensor(g)).sum() for y, g in zip(values, grads, strict=True)),
            start=ml.tensor(0.0, dtype="float64"),
        ).backward()
    ask = [None if x is None else twin.array(x) if isinstance(x, np.ndarray) else {"number": x} for x in inputs]
    told = [x.grad.numpy() if isinstance(x, ml.Tensor) and x.grad is not None else None for x in tensors]
    return (
        {"op": op, "inputs": ask, "params": params, "grads": [twin.array(g) for g in grads]},
        [y.numpy() for y in values],
        told,
    )


JOBS = [job(op, inputs, given, params) for op, _, inputs, given, params in CASES]


@pytest.fixture(scope="module")
def answers():
    """What Node computes, case by case."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node (apt install nodejs)")
    asked = json.dumps([ask for ask, _, _ in JOBS])
    run = subprocess.run(
        [node, "-e", RUN, str(OPS)], input=asked, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout)


def same(found, expected):
    assert found["shape"] == list(expected.shape)
    data = np.array([float(x) for x in found["data"]]).reshape(expected.shape)
    np.testing.assert_allclose(data, expected, rtol=1e-9, atol=1e-12)


def compare(answer, k):
    """The values and gradients of case k against the engine's."""
    _, values, grads = JOBS[k]
    ours, back = answer
    for found, y in zip(ours, values, strict=True):
        same(found, y)
    for found, g in zip(back, grads, strict=True):
        if g is not None:
            assert found is not None
            same(found, g)


@pytest.mark.parametrize("k", range(len(CASES)), ids=[f"{op}-{i}" for op, i, *_ in CASES])
def test_values_and_gradients_are_the_engine_s(answers, k):
    compare(answers[k], k)


def test_the_ops_of_small_models_have_twins():
    assert twin.twins() >= set(NEEDED.split())
    assert twin.twins() <= set(REGISTRY)


def test_nearly_every_sample_is_run():
    """What is left out is drawn at random."""
    all_samples = sum(len(REGISTRY[name].samples) for name in twin.twins())
    assert all_samples - len(CASES) <= 6
