"""Memory that all processes see: its room is there before it is used, or an error says what to do."""

import errno
import os
import signal
from pathlib import Path

import pytest

from minilm.parallel import DataParallel, shared
from tests.parallel.nets import batch, net

pytestmark = pytest.mark.host  # processes are for the CPU


@pytest.mark.parametrize("full", [1, 2], ids=["no room in memory", "no room at all"])
def test_room_for_the_shared_array_is_reserved_before_it_is_used(full, tmp_path, monkeypatch):
    folders = [tmp_path / "memory", tmp_path / "disk"]
    for folder in folders:
        folder.mkdir()
    monkeypatch.setattr(shared, "SHARED_FOLDERS", tuple(map(str, folders)))
    fill = shared._fill

    def fill_or_fail(file, size):
        if Path(file.name).parent in folders[:full]:
            raise OSError(errno.ENOSPC, "No space left on device")
        fill(file, size)

    monkeypatch.setattr(shared, "_fill", fill_or_fail)
    if full == 1:
        with DataParallel(net(), 2) as parallel:
            assert parallel.backward(*batch(4)).item() > 0
    else:
        with pytest.raises(
            OSError, match=r"need 0 MB, and neither /dev/shm nor .* has room .*use fewer processes, or set TMPDIR"
        ):
            DataParallel(net(), 2)
    assert [list(folder.iterdir()) for folder in folders] == [[], []]


@pytest.mark.parametrize("reserve", ["posix_fallocate", "zeros"])
def test_reserving_fails_where_the_limit_is_and_not_later(reserve, tmp_path, monkeypatch):
    resource = pytest.importorskip("resource", reason="Windows has no limits for a process")
    if reserve == "zeros":
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    monkeypatch.setattr(shared, "SHARED_FOLDERS", (str(tmp_path),))
    name = shared._reserved(3 << 20)
    assert os.stat(name).st_blocks * 512 >= 3 << 20
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(OSError, match="use fewer processes"):
            shared._reserved(3 << 20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in tmp_path.iterdir()] == [Path(name).name]
