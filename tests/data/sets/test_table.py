import re

import pytest

import minilm.data
from minilm.data.errors import DataError
from minilm.data.sets.table import TABLE, describe, find


@pytest.mark.parametrize("entry", TABLE.values(), ids=list(TABLE))
def test_every_entry_is_complete(entry):
    for text in (entry.title, entry.rows, entry.licence, entry.citation, entry.description, entry.source):
        assert text.strip() == text != ""
    assert hasattr(minilm.data, re.match(r"\w+", entry.reader).group())
    assert bool(entry.packages) != bool(entry.generated)
    for package in entry.packages:
        assert package.version in package.archive
        assert package.archive_size > 0
        assert package.wanted.startswith("the archive of the data sets " if entry.part else "the data set ")
        assert entry.name in package.wanted
        for sha256 in [package.archive_sha256, *(file.sha256 for file in package.files)]:
            assert re.fullmatch("[0-9a-f]{64}", sha256)
        assert all(file.size > 0 for file in package.files)
        assert set(entry.part) < {file.name for file in package.files} or not entry.part
    assert all(re.fullmatch(r"[\w.-]+(/[\w.-]+)*", name) for name in entry.filenames)
    assert len(set(entry.filenames)) == len(entry.filenames)


def test_the_archive_is_the_file_where_it_has_its_name():
    files = [(package, file) for entry in TABLE.values() for package in entry.packages for file in package.files]
    for package, file in files:
        if file.name == package.archive:
            assert (file.sha256, file.size) == (package.archive_sha256, package.archive_size)


def test_packages_in_one_place_are_one():
    packages = [package for entry in TABLE.values() for package in entry.packages]
    assert len({package.place for package in packages}) == len(set(packages))


@pytest.mark.parametrize("name", TABLE)
def test_describe_says_all_that_a_user_needs(name):
    entry, text = TABLE[name], describe(name)
    told = re.sub(r"\s+", " ", text)
    for part in (
        entry.title,
        entry.description,
        entry.licence,
        entry.citation,
        entry.source,
        entry.reader,
        *entry.filenames,
    ):
        assert part in told
    for package in entry.packages:
        assert package.archive in told
        assert package.package in told
        assert all((file.sha256 in told) == (file.name in entry.filenames) for file in package.files)
    assert all(len(line) <= 100 or " " not in line[11:] for line in text.split("\n"))


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(DataError, match="Did you mean mnist-5k"):
        find("mnist5k")
    with pytest.raises(DataError, match=r"Did you mean shop-reviews\?"):
        find("Reviews")
    with pytest.raises(DataError, match="There are: python-docs, "):
        find("qqq")
