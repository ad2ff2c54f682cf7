from tests.mutants.record import Mutant

OPS, SHOWN, TWIN = "minilm/trace/ops.js", "minilm/trace/shown.js", "minilm/trace/twin.py"
SAMPLES, PAGES = (
    "tests/trace/test_ops_js.py::test_values_and_gradients_are_the_engine_s",
    "tests/trace/test_change.py::",
)
MUTANTS = [
    Mutant("in a page: tanh's derivative without its square", OPS,
           "OPS.tanh = elementwise(Math.tanh, (y) => 1 - y * y);", "OPS.tanh = elementwise(Math.tanh, (y) => 1 - y);",
           SAMPLES + "[tanh-0]"),
    Mutant("in a page: softmax's gradient by its diagonal alone", OPS,
           "map((h, p, s) => p * (h - s)", "map((h, p, s) => p * h * (1 - p)", SAMPLES + "[softmax-0]"),
    Mutant("in a page: LayerNorm's gradient without the variance's part", OPS,
           "s * (h - m - a * t)", "s * (h - m)", SAMPLES + "[layer_norm-0]"),
    Mutant("in a page: a broadcast is not summed", OPS,
           "where.forEach((k, i) => { total.data[k] += x.data[i]; });", "where.forEach((k, i) => { total.data[k] = x.data[i]; });",
           SAMPLES + "[add-1]"),
    Mutant("in a page: a causal mask one place too far", OPS,
           "queries + keys - queries ?", "queries + keys - queries + 1 ?", SAMPLES + "[scaled_dot_product_attention-1]"),
    Mutant("in a page: ties are rounded up", SHOWN,
           "exact[digits - 1] % 2 === 0", "exact[digits - 1] === 10", PAGES + "test_numbers_are_written_as_python_does"),
    Mutant("in a page: a hook's gradient is taken for a constant", TWIN,
           "if step.value.index in fed:", "if False:", PAGES + "test_others_say_nothing"),
]  # fmt: skip
