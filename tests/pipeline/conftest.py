"""One input and the corpora that are made of it, for all tests of the pipeline: they only look at them."""

import pytest

from minilm.pipeline import Collection, build
from minilm.pipeline.work import Work
from tests.pipeline.collections import SETTINGS, write_collections


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    places = write_collections(tmp_path_factory.mktemp("input"))
    return [Collection(name, str(path), f"licence of {name}") for name, path in places.items()]


@pytest.fixture(scope="session")
def expected(inputs, tmp_path_factory):
    """The corpus, made by one process in parts that are as large as they are usually."""
    return build(inputs, tmp_path_factory.mktemp("expected"), SETTINGS)


@pytest.fixture(scope="session")
def made(inputs, tmp_path_factory):
    """The same in many parts, with what the stages handed on."""
    return build(inputs, tmp_path_factory.mktemp("made"), SETTINGS, size=3_000, keep=True)


@pytest.fixture
def work(made):
    return Work(made.folder)
