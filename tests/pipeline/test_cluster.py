"""Dask's workers make the same corpus as one process, also when one of them is lost on the way."""

import os
import signal

import pytest

from minilm.data.errors import DataError
from minilm.pipeline import Settings, build
from minilm.pipeline.cluster import Dask
from tests.pipeline.collections import SETTINGS, everything_in

distributed = pytest.importorskip("distributed", reason="Dask is not installed (extra cluster)")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    """Two workers, each a process of its own; one that is lost is started anew by Dask."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0) as cluster:
        yield cluster


def test_two_workers_make_the_same_corpus(inputs, expected, cluster, tmp_path):
    out = build(inputs, tmp_path / "out", SETTINGS, size=4_000, executor=Dask(cluster.scheduler_address))
    assert everything_in(out.folder) == everything_in(expected.folder)


def test_a_worker_that_is_lost_in_the_middle_changes_nothing(inputs, expected, cluster, tmp_path):
    killed = []

    def kill(stage, done, parts):
        if stage.name in ("read", "scatter") and done == 1:
            pid = next(iter(cluster.workers.values())).pid
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    out = build(inputs, tmp_path / "out", SETTINGS, size=4_000, executor=Dask(cluster.scheduler_address), progress=kill)
    assert len(killed) == 2
    assert everything_in(out.folder) == everything_in(expected.folder)


def test_what_fails_on_a_worker_comes_here(inputs, cluster, tmp_path):
    with pytest.raises(DataError, match="no document is left for training"):
        build(inputs, tmp_path / "out", Settings(least=10**6), executor=Dask(cluster.scheduler_address))


@pytest.mark.parametrize("scheduler", ["tcp://127.0.0.1:9", "no-such-file.json"])
def test_nobody_who_answers_is_told(scheduler):
    with pytest.raises(DataError, match="does not answer, or has no worker"):
        Dask(scheduler, seconds=1)
