"""The model on its way to another process."""

import pytest

from minilm.parallel import DataParallel
from tests.parallel.nets import Net

pytestmark = pytest.mark.host  # processes are for the CPU


def test_a_model_that_others_cannot_import_is_named():
    class Local(Net):
        pass

    with pytest.raises(TypeError, match="cannot be sent to another process"):
        DataParallel(Local(), 2)
    Local.__module__ = "__main__"
    with pytest.raises(TypeError, match="cannot import Local from a notebook or script"):
        DataParallel(Local(), 2)
