"""A cache of its own for every test, so that no test reads or writes the user's."""

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("MINILM_CACHE", str(folder))
    return folder
