"""What is asked of Dask, whether it is installed or not."""

import importlib
import threading

import pytest

from minilm.data.errors import DataError
from minilm.pipeline import cluster


class Future:
    def __init__(self, error):
        self.error = error

    def result(self):
        if self.error:
            raise self.error


class Client:
    """Of `distributed`, what is used: keeps what it is asked."""

    fails: dict = {}

    def __init__(self, timeout, **where):
        if where.get("address", "").endswith(":9"):
            raise OSError("timed out")
        self.where, self.asked, self.cancelled, self.closed = where, [], [], False

    def wait_for_workers(self, count, timeout):
        if self.where.get("scheduler_file") == "empty.json":
            raise TimeoutError("no worker")

    def map(self, function, *columns, pure):
        assert function is cluster.run_part
        assert pure is False
        self.asked += zip(*columns, strict=True)
        return [Future(self.fails.get(part)) for _, _, part in zip(*columns, strict=True)]

    def cancel(self, futures):
        self.cancelled += futures

    def close(self):
        self.closed = True


@pytest.fixture(autouse=True)
def distributed(monkeypatch):
    module = type(
        "distributed", (), {"Client": Client, "as_completed": staticmethod(lambda futures: reversed(futures))}
    )
    real = importlib.import_module
    monkeypatch.setattr(
        cluster.importlib, "import_module", lambda name: module if name == "distributed" else real(name)
    )
    monkeypatch.setattr(Client, "fails", {})


def test_without_dask_it_is_said_how_it_is_installed(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(cluster.importlib, "import_module", missing)
    with pytest.raises(DataError, match=r'--scheduler needs Dask: pip install "minilm\[cluster\]"'):
        cluster.Dask("tcp://host:8786")


def test_an_address_or_a_scheduler_file(tmp_path):
    assert cluster.Dask("tcp://host:8786")._client.where == {"address": "tcp://host:8786"}
    file = tmp_path / "scheduler.json"
    threading.Timer(0.05, file.touch).start()  # it is waited for
    assert cluster.Dask(str(file))._client.where == {"scheduler_file": str(file)}


@pytest.mark.parametrize("scheduler", ["tcp://host:9", "empty.json", "none.json"])
def test_nobody_there(scheduler, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.json").touch()
    message = f"--scheduler: {scheduler} does not answer, or has no worker .*: see `dask worker`"
    with pytest.raises(DataError, match=message):
        cluster.Dask(scheduler, seconds=0.1)


def test_parts_are_named_by_three_words_and_given_back_as_they_end(tmp_path, monkeypatch):
    (tmp_path / "corpus").mkdir()
    monkeypatch.chdir(tmp_path)
    dask = cluster.Dask("tcp://host:8786")
    assert list(dask(cluster.Path("corpus"), "read", [4, 7])) == [7, 4]
    assert dask._client.asked == [(str(tmp_path / "corpus"), "read", 4), (str(tmp_path / "corpus"), "read", 7)]
    dask.close()
    assert dask._client.closed


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [(DataError("no room"), DataError, "^no room$"), (OSError(28, "No space"), OSError, "No space"),
     (KeyError("x"), DataError, "part 4 of the stage read failed on the cluster: 'x'")],
)  # fmt: skip
def test_what_fails_is_told_and_the_rest_is_cancelled(tmp_path, monkeypatch, error, kind, message):
    monkeypatch.setattr(Client, "fails", {4: error})
    dask = cluster.Dask("tcp://host:8786")
    with pytest.raises(kind, match=message):
        list(dask(tmp_path, "read", [4, 7]))
    assert len(dask._client.cancelled) == 2
