"""What several files of tests of the step-through need."""

import pytest

import minilm as ml


@pytest.fixture
def float64():
    """Numbers as the book prints them."""
    before = ml.get_default_dtype()
    ml.set_default_dtype("float64")
    yield
    ml.set_default_dtype(before)
