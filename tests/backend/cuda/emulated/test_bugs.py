"""Classic bugs of kernels, put into the text of ``kernels.cu``: each must make a test of `test_row_kernels` fail.

A missing barrier is found where a thread reads before another has written; one that writes before another has read is not always:
threads take turns here, in two orders.
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from minilm.backend.cuda.row_kernels import SOURCE
from tests.backend.cuda.emulated import devices
from tests.backend.cuda.emulated import test_row_kernels as suite
from tests.backend.cuda.emulated.emulator import Kernel, RawModule

pytestmark = [pytest.mark.host, pytest.mark.slow, *suite.pytestmark[1:]]


class Bug(NamedTuple):
    """A fragment of the text, what stands there instead (in each place), and the test that must fail."""

    name: str
    old: str
    new: str
    test: Callable[[], None]


def softmax():
    suite.test_softmax((2, 1025), "f")
    suite.test_softmax((4, 33), "f")


def not_finite():
    suite.test_softmax_of_what_is_not_finite(33, "f")


def norms():
    suite.test_layer_norm_and_rms_norm((3, 1100), True, "f")
    suite.test_layer_norm_and_rms_norm((300, 40), True, "f")


def sums():
    suite.test_sum_leading((700, 100), "f")


def masks():
    for mask in ("bool for keys", "added per head", "added, a view"):
        suite.test_masked_softmax(mask, True, "f")


def cross_entropy():
    suite.test_cross_entropy((9, 33), True, 0.3, "f")


def embedding():
    suite.test_embedding_grad(700, 5, 257, "f")
    suite.test_embedding_grad(300, 2000, 33, "f")


def dropout():
    suite.test_the_dropout_mask_has_the_bits_of_the_reference(0.5, "f")


def gelu():
    suite.test_gelu("none", "f")
    suite.test_gelu("tanh", "f")


def adamw():
    suite.test_adamw(True, 0.1, "f")


def large():
    with pytest.MonkeyPatch.context() as patch:
        suite.test_more_than_2_to_the_31_elements(patch)


REUSED = "    __syncthreads();  // until all have read what the last sum left here\n"
PUBLISHED = "    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;\n    __syncthreads();\n"
STORED = "    parts[threadIdx.y][threadIdx.x] = value;\n    __syncthreads();\n"

BUGS = [
    Bug("shared memory written before all have read it", REUSED, "", norms),
    Bug("shared memory read before all have written it", PUBLISHED, PUBLISHED.replace("    __syncthreads();\n", ""), norms),
    Bug("a barrier that one thread of each warp reaches", PUBLISHED, PUBLISHED.replace("value;\n    __", "value, __"), norms),
    Bug("a shuffle for half of the lanes", "ALL = 0xffffffffu", "ALL = 0xffffu", softmax),
    Bug("a reduction that begins at distance 8", "int distance = 16", "int distance = 8", softmax),
    Bug("one warp's part for all", "if (threadIdx.x % 32 == 0) parts", "if (threadIdx.x == 0) parts", norms),
    Bug("columns a warp apart in a team of more", "c < n; c += blockDim.x", "c < n; c += 32", softmax),
    Bug("rows a block apart in a block of several teams", "row += (int64)gridDim.x * blockDim.y", "row += gridDim.x",
        lambda: suite.test_a_grid_that_is_too_small()),
    Bug("elements counted in 32 bits", "typedef long long int64", "typedef int int64", large),
    Bug("the sum so far not brought to the new maximum", "a.sum * exp(a.top - top) + exp(x", "a.sum + exp(x", softmax),
    Bug("an infinite maximum", "t = {LOWEST, 0}", "t = {10 * LOWEST, 0}", not_finite),
    Bug("a comparison that loses NaN", "t.sum < 1 ? 1 : t.sum", "t.sum > 1 ? t.sum : 1", not_finite),
    Bug("a query that does not see itself", "query + 1 + keys - queries", "query + keys - queries", masks),
    Bug("a causal mask from the first key on", "query + 1 + keys - queries", "query + 1", masks),
    Bug("a mask read as if it were whole", "offset + c * key_stride", "offset + c", masks),
    Bug("the heads' axis taken for the batch's", "row / queries % heads", "row / queries / heads", masks),
    Bug("dropout numbered within the row", "(unsigned)(row * keys + c)", "(unsigned)c", masks),
    Bug("the halves of the key exchanged", "round ? high : low", "round ? low : high", dropout),
    Bug("variance over n - 1", "1 / sqrt(team_sum(squares) / n + eps)", "1 / sqrt(team_sum(squares) / (n - 1) + eps)", norms),
    Bug("LayerNorm's gradient without the mean's part", "(d - shift - ", "(d - ", norms),
    Bug("the means along a row not divided", "along = team_sum(along) / n", "along = team_sum(along)", norms),
    Bug("each thread of a column adds all rows", "/ gridDim.y + threadIdx.y;", "/ gridDim.y;", sums),
    Bug("sums over the depth of a block without a barrier", STORED, STORED.replace("    __syncthreads();\n", ""), sums),
    Bug("columns beyond the last are written", "if (c < n && threadIdx.y == 0) sums", "if (threadIdx.y == 0) sums", sums),
    Bug("a row that does not count has a gradient", "    if (target == ignored) return 0;\n", "", cross_entropy),
    Bug("smoothing takes nothing from the target", "classes) * (1 - smoothing);", "classes);", cross_entropy),
    Bug("a place on the list taken twice", "(1u << lane) - 1)", "(1u << lane) - 1) / 2", embedding),
    Bug("a sum that is left in its register", "                    table[held * width + c] = sum;\n", "", embedding),
    Bug("infinity times a density of 0", "x < -40 ? real(-40) : x > 40 ? real(40) : x", "x", gelu),
    Bug("AMSGrad divides by the last moment", "            second = v_max[i];\n", "", adamw),
    Bug("epsilon under the root", "sqrt(second) + shift", "sqrt(second + shift)", adamw),
]  # fmt: skip


def fails(test, monkeypatch):
    """Whether a test fails in one of the orders of threads."""
    for backward in (False, True):
        monkeypatch.setattr(Kernel, "backward", backward)
        try:
            test()
        except (AssertionError, RuntimeError):
            return True
    return False


@pytest.mark.parametrize("bug", [pytest.param(bug, id=bug.name) for bug in BUGS])
def test_a_bug_is_found(bug, monkeypatch):
    text = SOURCE.read_text(encoding="utf-8")
    assert bug.old in text
    module = RawModule(text.replace(bug.old, bug.new), ("-DREAL=float",))  # a bug that does not compile is none
    device = devices.EmulatedDevice()
    device._modules["float"] = module
    monkeypatch.setattr(devices, "device", lambda: device)
    assert fails(bug.test, monkeypatch), "the bug survived"


def test_without_a_bug_none_is_found(monkeypatch):
    for test in dict.fromkeys(bug.test for bug in BUGS):
        assert not fails(test, monkeypatch), test
