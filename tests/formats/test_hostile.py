"""Thousands of damaged files: see `tests/formats/hostile.py`."""

import pytest

from tests.formats.hostile import FORMS, report, tried

FEW, MANY = 150, 5000


@pytest.mark.parametrize("name", FORMS)
def test_a_damaged_file_is_refused_by_name_or_read(name, tmp_path):
    counts = tried(FORMS[name](), range(FEW), tmp_path)
    assert [answer for answer in counts if answer.startswith("FAULT")] == []
    assert counts["refused"] > FEW // 5
    assert counts["the same"] + counts["another value"] > 0


@pytest.mark.slow
def test_thousands_of_damaged_files(capsys):
    table = report(MANY)
    with capsys.disabled():
        print(f"\n{table}")
    assert "FAULT" not in table
