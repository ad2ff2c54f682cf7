"""Thousands of damaged files: see `tests/hostile.py`."""

import warnings

import pytest

from tests.hostile import Form, tried
from tests.hostile_files import FORMS, report

FEW, MANY = 6, 600
pytestmark = pytest.mark.host


@pytest.mark.parametrize("name", FORMS)
def test_a_damaged_file_is_refused_by_name_or_read(name, tmp_path):
    times = 5 * FEW if name in ("GGUF", "safetensors") else FEW
    counts = tried(FORMS[name](), range(times), tmp_path)
    assert [answer for answer in counts if answer.startswith("FAULT")] == []
    assert counts["refused"] > 0


@pytest.mark.slow
def test_thousands_of_damaged_files(capsys):
    lines = list(report(MANY))
    with capsys.disabled():
        print("", *lines, sep="\n")
    assert not any("FAULT" in line for line in lines)
    assert len(lines) == len(FORMS) + 2


def test_what_must_not_be_is_told(tmp_path):
    """Of a reader that raises something else, hangs on to memory, warns, or does not name the file."""

    def reader(path):
        content = path.read_bytes()
        if content == b"good":
            return 5
        if len(content) == 3:
            raise ValueError(f"no file: {path}")
        if len(content) > 4:
            raise ValueError("no file")
        if content[0] % 3 == 0:
            raise KeyError("x")
        if content[0] % 3 == 1:
            warnings.warn("hm", stacklevel=1)
        return bytearray(20 << 20)

    counts = tried(Form(b"good", reader, ValueError), range(100), tmp_path)
    told = {answer.split("(damage")[0].strip() for answer in counts}
    assert {"refused", "FAULT: KeyError: 'x'", "FAULT: the error does not name the file: no file"} <= told
    assert "FAULT: UserWarning: hm" in told
    assert any("bytes of memory" in answer for answer in told)
