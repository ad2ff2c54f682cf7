"""What cannot hold in a page's Python: a plugin of pytest that skips these tests there, each with its reason."""

from __future__ import annotations

import re
from typing import Any

import pytest

INTEGERS = "the test's own integers, which NumPy makes there, have 32 bits"
CALLS = "the test itself hands int64 to np.repeat or np.bincount"
UNDEFINED = "a negative float as an unsigned integer: C does not say what that is"
CANNOT = {
    r"metrics/.*(of_a_draw|at_a_rate_against_all|does_not_depend_on_the_group)": CALLS,
    r"trace/test_html.py::test_other_dtypes_are_named": INTEGERS,
    r"trace/test_picture.py": "matplotlib is not loaded",
    r"trace/test_text.py::test_arrays\[array4-": INTEGERS,
    r"ops/test_attention.py::test_wrong_inputs_are_named.*got int64": INTEGERS,
    r"ops/test_conv.py::test_max_pool2d_refuses_integers": INTEGERS,
    r"ops/test_index.py::test_errors_name_the_index_and_the_shape\[index[45]-": INTEGERS,
    r"ops/test_index.py::test_masked_fill$": INTEGERS,
    r"ops/test_logic.py::test_over_axes\[count_nonzero\]": INTEGERS,
    r"ops/test_loss.py::test_wrong_inputs_are_named.*got int64": INTEGERS,
    r"ops/test_scatter.py::test_whole_slices": "the test itself calls np.take with int64",
    r"ops/test_dtypes.py::test_integers_alone_stay_or_become_the_default_float_or_are_refused\[pad\]": UNDEFINED,
}


def pytest_configure() -> None:
    """The engine is tested on NumPy as it is there: what a page's readers need is taken back."""
    import numpy as np

    import minilm
    from minilm import indices

    assert minilm.__version__
    for name, function in indices._replaced.items():
        setattr(np, name, function)


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Marks them."""
    for item in items:
        for pattern, reason in CANNOT.items():
            if re.search(pattern, item.nodeid):
                item.add_marker(pytest.mark.skip(reason=reason))
