"""Small files of one's own in the place of published ones."""

import hashlib
from dataclasses import replace

import pytest

from minilm.data.package import PackageFile
from minilm.data.sets.table import TABLE


@pytest.fixture
def put(monkeypatch, cache):
    """Puts small files in the place of a data set's, given in their order."""

    def put(name, *contents):
        entry, contents, packages = TABLE[name], list(contents), []
        for package in entry.packages:
            files = []
            for file in package.files:
                content = contents.pop(0) if file.name in entry.filenames else b""
                files.append(PackageFile(file.name, hashlib.sha256(content).hexdigest(), len(content)))
                path = cache / package.place / file.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            packages.append(replace(package, files=tuple(files)))
        assert contents == []
        monkeypatch.setitem(TABLE, name, replace(entry, packages=tuple(packages)))

    return put


@pytest.fixture(scope="session")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("published")


@pytest.fixture
def published(cache, kept, monkeypatch):
    """One cache for the tests of published data, so that an archive is fetched once for all of them."""
    monkeypatch.setenv("MINILM_CACHE", str(kept))
