"""metrics.jsonl: lines whole or not at all; what cannot be read is kept aside."""

import errno
import io
import math

import pytest

from minilm.training.recipes import open_run
from tests.training.runs import go_on

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("no_picture")]  # runs name their device


BAD_LINES = [b"\xff\xfe", b"[1]", b'{"step": "a"}', b'{"step": 1, "loss": "x"}', b'{"step": -1}', b'{"loss": 1.0}', b'{"step": 1, "lo',
             b"[" * 100_000, b'{"step": true}', b"null"]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_LINES, ids=lambda bad: bad[:20].decode("latin-1"))
def test_lines_that_cannot_be_read_are_kept_aside(stopped, copy, capsys, bad):
    folder = copy(stopped)
    path = folder / "metrics.jsonl"
    good = path.read_bytes()
    path.write_bytes(good + bad + b"\n" + good[:0] + bad)
    assert open_run(folder).metrics() == open_run(stopped).metrics()
    go_on(folder)
    assert (folder / "metrics.damaged").read_bytes() == bad + b"\n" + bad + b"\n"
    assert path.read_bytes().startswith(good)
    assert f"2 lines of {path} could not be read; moved to {folder / 'metrics.damaged'}" in capsys.readouterr().err
    assert [line["step"] for line in open_run(folder).metrics() if "validation_loss" in line] == [0, 4, 8, 12]


def test_numbers_that_are_not_finite_are_logged_as_null(stopped, copy):
    run = open_run(copy(stopped))
    run.log(step=7, gradient_norm=math.inf, loss=1.0)
    assert run.metrics()[-1] == {"step": 7, "gradient_norm": None, "loss": 1.0}
    assert "Infinity" not in (run.folder / "metrics.jsonl").read_text()


def test_a_line_that_the_disk_cut_is_taken_back(tmp_path, monkeypatch):
    from minilm.training import journal

    path = tmp_path / "metrics.jsonl"
    journal.append_line(path, {"step": 1})

    class Full(io.FileIO):
        def write(self, content):
            super().write(content[:5])
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal, "open", lambda path, mode, buffering: Full(path, mode), raising=False)
    with pytest.raises(OSError, match="No space left.*metrics.jsonl"):
        journal.append_line(path, {"step": 2})
    assert path.read_bytes() == b'{"step": 1}\n'
