import re

import pytest

import minilm.data
from minilm.data.errors import DataError
from minilm.data.sets.table import TABLE, describe, find


@pytest.mark.parametrize("entry", TABLE.values(), ids=list(TABLE))
def test_every_entry_is_complete(entry):
    for text in (entry.title, entry.rows, entry.licence, entry.citation, entry.description, entry.package):
        assert text.strip() == text != ""
    assert hasattr(minilm.data, re.match(r"\w+", entry.reader).group())
    if entry.client == "python":
        assert entry.sha256 == entry.member == entry.archive == ""
    else:
        assert re.fullmatch("[0-9a-f]{64}", entry.sha256)
        assert re.fullmatch("[0-9a-f]{64}", entry.archive_sha256)
        assert entry.version in entry.archive
        assert entry.size > 0
        assert entry.archive_size > 0
    assert not re.search(r"[/\\]", entry.filename)


def test_the_archive_is_the_file_where_no_member_is_named():
    for entry in TABLE.values():
        if entry.client != "python" and not entry.member:
            assert (entry.sha256, entry.size) == (entry.archive_sha256, entry.archive_size)
            assert entry.filename == entry.archive


@pytest.mark.parametrize("name", TABLE)
def test_describe_says_all_that_a_user_needs(name):
    entry, text = TABLE[name], describe(name)
    for part in (entry.title, entry.licence, entry.citation, entry.sha256, entry.package, entry.reader):
        assert part in text


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(DataError, match="Did you mean mnist-5k"):
        find("mnist5k")
    with pytest.raises(DataError, match="There are: python-docs, "):
        find("qqq")
