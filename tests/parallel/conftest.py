"""A pair of processes for the tests that leave it in order."""

import pytest

from minilm.parallel import DataParallel
from tests.parallel.nets import net


@pytest.fixture(scope="module")
def two():
    """One pair of processes for the tests that leave it in order."""
    with DataParallel(net(), 2) as parallel:
        yield parallel


@pytest.fixture(autouse=True)
def fresh(request):
    if "two" in request.fixturenames:
        for p in request.getfixturevalue("two").model.parameters():
            p.grad = None
