"""What the grader says in a page's Python is what it says here: of solutions, known wrong answers, and answers that do harm.

Under Node, whose Python in WebAssembly is a browser's; `tests.wasm.verdicts` says what is compared.
"""

import pytest

from tests.wasm import verdicts
from tests.wasm.__main__ import missing

pytestmark = pytest.mark.browser


def test_the_grader_says_the_same_in_a_page():
    if reason := missing():
        pytest.skip(reason)
    assert verdicts.compare() == []
