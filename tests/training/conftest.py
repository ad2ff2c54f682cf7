"""Runs that tests share: they copy them before they change anything."""

import shutil
from pathlib import Path

import pytest

from minilm.training.loop import train
from tests.tiny import TEXT, tiny_run
from tests.training.runs import stopped_run


@pytest.fixture
def no_picture():
    """Drawing takes longer than a tiny run; the runs that are shared by tests have real pictures.

    It stays where a test takes back what its own `monkeypatch` did.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minilm.training.loop.plot_losses", lambda run: (run.folder / "loss.png").write_bytes(b"\x89PNG"))
        yield


@pytest.fixture(scope="session")
def stopped(tmp_path_factory):
    return stopped_run(tmp_path_factory.mktemp("stopped"), "run", TEXT)


@pytest.fixture(scope="session")
def other(tmp_path_factory):
    """Another run of equal size: other characters, other weights."""
    other_text = TEXT.translate(str.maketrans("plus", "qmvt"))
    return stopped_run(tmp_path_factory.mktemp("other"), "other", other_text, seed=1)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    run, text = tiny_run(tmp_path_factory.mktemp("finished"))
    return run.folder, train(run, text, device="cpu", progress=False)


@pytest.fixture
def copy(tmp_path):
    def copied(folder, name="copy"):
        return Path(shutil.copytree(folder, tmp_path / name))

    return copied
