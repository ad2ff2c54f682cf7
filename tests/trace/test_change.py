"""How a page recomputes: which traces it can, what stands in them for it, and the numbers that it writes, against Python's."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import minilm as ml
from minilm.nn import functional as F
from minilm.trace import twin
from minilm.trace.expression import number
from minilm.trace.html import page, scripts, shortened, without_marks
from minilm.trace.panel import in_box
from minilm.trace.picture import tile
from minilm.trace.text import spread
from tests.trace.test_html import attention, gpt, network

SHOWN = Path(twin.__file__).with_name("shown.js")
READ = """
const {number, inBox, spread, tile} = require(process.argv[1]), {numbers, arrays} = JSON.parse(require("fs").readFileSync(0, "utf-8"));
const array = (x) => ({shape: x.shape, data: Float64Array.from(x.data, Number)});
console.log(JSON.stringify({
  numbers: numbers.map((x) => [number(Number(x)), number(Number(x), 3)]),
  arrays: arrays.map((x) => [inBox(array(x), "∂ "), x.data.length ? spread(array(x)) : "", tile(array(x), x.f === 1)]),
}));
"""


def numbers():
    """Some thousand numbers: of every size, ties between two shorter ones, and those next to a tie or a power of ten."""
    rng = np.random.default_rng(0)
    found = [
        *(rng.normal(size=3000) * 10.0 ** rng.integers(-12, 12, 3000)),
        *rng.integers(-100_000, 100_000, 500) / 8.0,
    ]
    found += [k / 2**n for k in range(-50, 50) for n in range(16)]
    found += [10.0**n for n in range(-12, 16)] + [
        999.95,
        9999.5,
        99995.0,
        0.00099995,
        0.000099995,
        1e-4,
        1e-5,
        123450.0,
        -0.0,
        1.5e300,
        5e-324,
    ]
    found += [np.nextafter(x, s) for x in found[:500] for s in (-np.inf, np.inf)] + [np.inf, -np.inf, np.nan]
    return [float(x) for x in found]


def arrays():
    """Arrays of many shapes for boxes, ranges and pictures."""
    rng = np.random.default_rng(1)
    shapes = [(), (1,), (2,), (2, 1), (3,), (3, 4), (2, 3, 4), (13, 25), (40, 5), (7, 60), (1, 30)]
    found = [rng.normal(size=shape) for shape in shapes for _ in range(3)]
    found += [
        np.zeros((3, 5)),
        np.ones((2, 9)),
        np.array([1.0, np.nan, -np.inf, 2.0]),
        np.full((2, 2), np.nan),
        np.array([[1.0, -1.0], [0.5, -0.5]]),
    ]
    return [*found, np.array([[0, 3, 7], [1, 1, 2]]), np.zeros((2, 3), int), np.full((1, 4), 9)]


@pytest.fixture(scope="module")
def read():
    """What Node writes for `numbers` and `arrays`."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node (apt install nodejs)")
    asked = {
        "numbers": [str(x) for x in numbers()],
        "arrays": [{**twin.array(x), "f": int(x.dtype.kind == "f")} for x in arrays()],
    }
    asked = json.dumps(asked).replace('"nan"', '"NaN"').replace('"inf"', '"Infinity"').replace('"-inf"', '"-Infinity"')
    run = subprocess.run(
        [node, "-e", READ, str(SHOWN)], input=asked, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout)


def signed(text):
    """A number with a real minus sign in front."""
    return "−" + text[1:] if text[0] == "-" else text


def test_numbers_are_written_as_python_does(read):
    for x, (four, three) in zip(numbers(), read["numbers"], strict=True):
        assert four == signed(number(x)), x
        assert three == signed(f"{x:.3g}"), x


def test_boxes_ranges_and_pictures_are_those_of_python(read):
    for x, (box, told, pixels) in zip(arrays(), read["arrays"], strict=True):
        if x.dtype.kind == "f":
            assert box == in_box(x, "∂ ")
            assert told == " ".join(signed(word) for word in spread(x).split(" "))
        assert pixels["pixels"] == tile(x).ravel().tolist(), x


# -- which traces -----------------------------------------------------------------------------------------------------


def test_small_traces_can_be_changed():
    for steps in (network()[0], attention()):
        record = twin.record(steps)
        assert record
        assert [call[0] for call in record["c"]] == [call.op.name for call in steps.calls]
        assert "function changing(" in page(steps)


def traced(compute, *leaves):
    with ml.trace() as steps:
        compute(*leaves).backward()
    return steps


def leaf(*shape):
    return ml.tensor(np.random.default_rng(0).normal(size=shape), requires_grad=True)


def hooked(x):
    y = x * 2.0
    y.register_hook(lambda g: g * 3.0)
    return y.sum()


@pytest.mark.host  # NumPy's numbers in the middle of a computation
def test_others_say_nothing():
    cases = {
        "too large": gpt(),
        "drawn at random": traced(lambda x: F.dropout(x, 0.5).sum(), leaf(3)),
        "no twin": traced(ml.linalg.det, leaf(2, 2)),
        "a mask that chooses": traced(lambda x: x[x > 0].sum(), leaf(4)),
        "numbers from nowhere": traced(lambda x: (x * (np.exp(x.numpy()) + 1.0)).sum(), leaf(3)),
        "two types": traced(
            lambda x, y: (x.astype("float64") * y).sum(), ml.tensor([1.0], requires_grad=True), leaf(1)
        ),
        "a hook": traced(hooked, leaf(3)),
    }
    for why, steps in cases.items():
        assert twin.record(steps) is None, why
    assert "function changing(" not in page(steps)


def test_only_the_twins_that_it_needs_are_in_a_page():
    html = page(network()[0])
    assert "OPS.matmul=" in html
    assert "OPS.softmax=" not in html
    assert "OPS.sum=" not in html
    assert set(twin.pieces()) >= {"Tape", "OPS", "product", "OPS.matmul"}
    assert "logSoftmaxOf" in twin.script(["cross_entropy"])


def test_no_script_is_left_longer_than_it_must_be():
    for ops in (None, {"add"}):
        text = scripts(ops)
        assert "/*" not in text
        assert text.count("\n") < 10
    assert (
        shortened('const a = "x = y"; /* why */\nif (a)\n  b = 1;\nelse\n  c = 2;\n')
        == 'const a="x = y";if(a)b=1;else c=2;'
    )


def test_the_shortened_scripts_are_javascript(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node (apt install nodejs)")
    (tmp_path / "page.js").write_text(scripts(twin.twins()), "utf-8")
    done = subprocess.run([node, "--check", str(tmp_path / "page.js")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_marks_are_read_in_order():
    html = '<p><b data-n="v1">2</b><b>@</b><table class="x k" data-n="g3"><i class="p12" data-n="t0"></i><i class="kp"></i>'
    bare, marks = without_marks(html)
    assert marks == ["v1", "", "g3", "t0"]
    assert "data-n" not in bare


def test_numbers_of_a_record_read_back_as_they_were():
    for dtype in ("float32", "float64"):
        x = np.random.default_rng(0).normal(size=100).astype(dtype) * np.float32(1e3)
        x[:4] = [np.inf, -np.inf, 0.0, 5.0]
        told = json.loads(json.dumps(twin.array(x)))["data"]
        back = np.array([float(str(each).replace("Infinity", "inf")) for each in told], dtype)
        np.testing.assert_array_equal(back, x)
