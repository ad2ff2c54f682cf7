"""Ranks of MPI: sums, votes and shares on three of them, what is said when one fails, and what is refused."""

import json
import re
import subprocess
import sys
import time
import types

import numpy as np
import pytest

from minilm.parallel import RankError, WorkerError, nccl, ranks
from minilm.parallel.launcher import COUNTS, NUMBERS, launched_count, launched_number
from minilm.parallel.members import shares, spans
from tests.parallel import mpi
from tests.parallel.nets import batch, children_path
from tests.parallel.on_ranks import CHECKS

pytestmark = pytest.mark.host  # members are told apart on the CPU
COUNT = 3


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What each rank said of each check: nothing, where it holds; and what came on standard error."""
    folder = tmp_path_factory.mktemp("ranks")
    _, _, errors = mpi.run(COUNT, "-m", "tests.parallel.on_ranks", folder)
    files = {int(file.name): file.read_text(encoding="utf-8").splitlines() for file in folder.glob("[0-9]")}
    found = {(number, name): text for number, lines in files.items() for name, text in map(json.loads, lines)}
    return found, errors


@pytest.mark.slow
@pytest.mark.parametrize("name", [check.__name__ for check in CHECKS])
def test_on_three_ranks(told, name):
    for number in range(COUNT):
        found = told[0].get((number, name), f"rank {number} did not come to it\n{told[1]}")
        assert found == "", found


FAILS = """
import sys, time
import numpy as np
from minilm.parallel import DataParallel, world
from tests.parallel.nets import batch, net
x, y = batch(6)
if sys.argv[1] == "an error":
    x[5] = 1e7
parallel = DataParallel(net())
parallel.backward(*batch(6))
if sys.argv[1] == "no answer" and world().number == 2:
    time.sleep(60)
parallel.backward(x, y)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "message"),
    [
        (
            "an error",
            r"RankError: rank 2 \(process \d+ on .*\) failed:\n(.*\n)*OverflowError: too large for this model",
        ),
        (
            "no answer",
            r"RankError: rank 2 \(process \d+ on .*\) did not answer for 1 seconds: it is stopped, gone or still",
        ),
    ],
)
def test_a_rank_that_fails_is_named_and_nothing_hangs(what, message):
    began = time.monotonic()
    status, _, errors = mpi.run(COUNT, "-c", FAILS, what, MINILM_TIMEOUT="1")
    assert status != 0
    assert re.search(message, errors), errors
    assert time.monotonic() - began < 20


# -- without MPI ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 2, 3, 7])
def test_shares_are_the_rows_once_each(rows):
    x, y = batch(rows)
    found = shares([x, y], 3)
    assert len(found) == 3
    working = [share for share in found if share.weight]
    np.testing.assert_array_equal(np.concatenate([share.rows[0] for share in working]), x)
    assert [share.first for share in working] == [sum(s.size for s in working[:k]) for k in range(len(working))]
    assert sum(share.weight for share in found) == pytest.approx(1.0)
    assert all(share.weight == pytest.approx(share.size / rows) for share in working)
    for idle in found[len(working) :]:
        np.testing.assert_array_equal(idle.rows[1], y[:1])


@pytest.mark.parametrize(("size", "count"), [(0, 3), (2, 3), (10, 3), (9, 3), (5, 1)])
def test_spans_cover_everything_once(size, count):
    found = [i for part in spans(size, count) for i in range(size)[part]]
    assert found == list(range(size))


@pytest.fixture
def no_launcher(monkeypatch):
    for name in (*COUNTS, *NUMBERS):
        monkeypatch.delenv(name, raising=False)
    ranks.world.cache_clear()
    yield monkeypatch
    ranks.world.cache_clear()


@pytest.mark.parametrize(("count", "number"), list(zip(COUNTS, NUMBERS, strict=True)))
def test_a_launcher_is_known_by_its_variables(no_launcher, count, number):
    assert (launched_count(), launched_number(), ranks.world()) == (1, 0, None)
    no_launcher.setenv(number, "1")
    assert launched_number() == 0  # of one process, whatever else is set
    no_launcher.setenv(count, "4")
    assert (launched_count(), launched_number()) == (4, 1)
    no_launcher.setenv(count, "1")
    assert ranks.world() is None


def test_without_mpi4py_it_is_said_what_to_install(no_launcher):
    no_launcher.setenv("PMI_SIZE", "2")
    no_launcher.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(
        RankError, match=r"started 2 processes, but mpi4py or MPI is missing .*pip install -e \"\.\[cluster\]\""
    ):
        ranks.world()


@pytest.mark.parametrize("wrong", ["0", "-1", "soon", "nan"])
def test_the_timeout_is_a_positive_number(monkeypatch, wrong):
    monkeypatch.setenv("MINILM_TIMEOUT", wrong)
    with pytest.raises(WorkerError, match="MINILM_TIMEOUT must be a positive number of seconds"):
        ranks._timeout()


class _Array(np.ndarray):
    """A host array with CuPy's pointer."""

    @property
    def data(self):
        return types.SimpleNamespace(ptr=self.ctypes.data)


def test_nccl_is_given_pointers_size_type_and_stream(monkeypatch):
    """Against a stand-in with the signatures of CuPy's binding; not run on a GPU."""
    calls = []

    class Communicator:
        def __init__(self, ndev, commId, rank):
            calls.append((ndev, commId, rank))

        def allReduce(self, sendbuf, recvbuf, count, datatype, op, stream):
            calls.append((sendbuf, recvbuf, count, datatype, op, stream))

    binding = types.SimpleNamespace(NcclCommunicator=Communicator, get_unique_id=lambda: ("id",), available=True,
                                    NCCL_FLOAT32=7, NCCL_SUM=0)  # fmt: skip
    cupy, cuda = types.ModuleType("cupy"), types.ModuleType("cupy.cuda")
    cupy.cuda, cuda.nccl, cupy.empty_like = cuda, binding, np.empty_like
    cuda.get_current_stream = lambda: types.SimpleNamespace(ptr=99)
    cuda.Device = lambda: types.SimpleNamespace(pci_bus_id="0000:01:00.0")
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setitem(sys.modules, "cupy.cuda", cuda)
    assert nccl.gpu_of_this_process() == "0000:01:00.0"
    gpus = nccl.join(2, 0, lambda identity: identity)
    own = np.zeros(5, np.float32).view(_Array)
    total = gpus.sum(own)
    assert calls == [(2, ("id",), 0), (own.ctypes.data, total.ctypes.data, 5, 7, 0, 99)]
    binding.available = False
    assert nccl.gpu_of_this_process() is None


@pytest.mark.slow
def test_mpi_is_not_needed_to_know_that_there_is_no_launcher():
    """MPI is imported where a launcher is, and nowhere else: it would start a daemon."""
    code = "import sys, minilm.parallel as p; assert p.world() is None; assert 'mpi4py' not in sys.modules"
    env = {k: v for k, v in children_path().items() if k not in COUNTS}
    assert subprocess.run([sys.executable, "-c", code], env=env, check=False).returncode == 0
