"""Measuring side by side: what is compared, whose turn it is, and what is made of the times."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import harness, machine, peers, worker
from tests.benchmarks.harness import Plan, Unusable, Worker
from tests.benchmarks.workloads import WORKLOADS, Step

pytestmark = pytest.mark.host
GPT = WORKLOADS["gpt"]


class Told:
    """A worker that answers what it was told to, and keeps a log of who was asked."""

    def __init__(self, name, medians, log):
        self.name, self.medians, self.log = name, list(medians), log

    def ask(self, **request):
        self.log.append((self.name, request["do"]))
        return {"median": self.medians.pop(0), "steps": 1}


class Clock:
    """A clock that its owner moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_equal_losses_pass():
    losses = [4.2, 4.1, 0.0, 0.0, 0.0, 3.9]
    harness.compare(GPT, {"minilm": losses, "torch": [x * (1 + 5e-5) for x in losses]})


@pytest.mark.parametrize(("step", "bad"), [(0, 4.3), (1, 4.3), (5, 4.3), (5, float("nan"))])
def test_a_loss_that_differs_stops_and_both_numbers_are_named(step, bad):
    losses = [4.25] * 6
    theirs = [*losses[:step], bad, *losses[step + 1 :]]
    with pytest.raises(
        Unusable, match=rf"gpt: the value after {step} updates is 4\.25 in minilm and {bad} in PyTorch eager"
    ):
        harness.compare(GPT, {"minilm": losses, "torch": theirs})


def test_tokens_must_be_the_same_and_as_many():
    ours = [[1, 2, 3]] * 6
    workload = WORKLOADS["generate"]
    harness.compare(workload, {"minilm": ours, "torch": ours})
    with pytest.raises(Unusable, match=r"\(element 2\) is 3 in minilm and 4 in PyTorch eager"):
        harness.compare(workload, {"minilm": ours, "torch": [[1, 2, 4]] * 6})
    with pytest.raises(Unusable, match="3 numbers, PyTorch eager 2"):
        harness.compare(workload, {"minilm": ours, "torch": [[1, 2]] * 6})


def test_the_sides_take_turns():
    log = []
    workers = {"minilm": Told("A", [1.0, 2.0], log), "torch": Told("B", [3.0, 4.0], log), "jax": Told("C", [5, 6], log)}
    times = harness.take_turns(workers, Plan(rounds=2), pause=0.0)
    assert "".join(name for name, _ in log) == "ABCABC"
    assert times == {"minilm": [1.0, 2.0], "torch": [3.0, 4.0], "jax": [5, 6]}


def test_ratios_are_taken_within_a_round():
    """The machine was four times as slow in the second and third round: the ratio is the same all along."""
    found = harness.summaries({"minilm": [1.0, 4.0, 4.0], "torch": [2.0, 8.0, 16.0]})
    assert found["torch"]["ratio"] == 0.5
    assert found["torch"]["ratio_quartiles"] == [0.375, 0.5]
    assert (found["minilm"]["median"], found["minilm"]["quartiles"]) == (4.0, [2.5, 4.0])
    assert "ratio" not in found["minilm"]


def test_a_turn_throws_its_first_step_away_and_does_not_time_what_is_prepared():
    clock, durations = Clock(), iter([0.5, 1.0, 2.0, 6.0, 50.0])

    def run():
        clock.now += next(durations)

    def prepare():
        clock.now += 1000.0

    assert worker.turn(Step(run, prepare), seconds=0.0, least=3, clock=clock) == {"median": 2.0, "steps": 3}


def test_a_turn_lasts_as_long_as_asked():
    clock = Clock()

    def run():
        clock.now += 1.0

    assert worker.turn(Step(run), seconds=5.5, least=1, clock=clock) == {"median": 1.0, "steps": 6}


@pytest.mark.slow
def test_memory_counts_what_steps_take_and_not_what_was_there():
    before = np.ones(20_000_000)
    np.ones(20_000_000).sum()  # a higher peak, but an earlier one
    _ = [np.ones(400_000) for _ in range(50)]  # what malloc keeps of these, the steps would live on
    del _
    kept = []
    try:
        found = worker.peak(Step(lambda: kept.append(sum(x[0] for x in [np.ones(500_000) for _ in range(10)]))), 2)[
            "bytes"
        ]
    except OSError:
        pytest.skip("this system does not tell the highest resident size")
    assert before[0] == 1
    assert 0.9 * 40e6 < found < 1.5 * 40e6


def test_workloads_by_name_and_options():
    assert worker.parse("gpt") == GPT
    assert worker.parse("gpt:batch=2,length=32").options == {**GPT.options, "batch": 2, "length": 32}
    with pytest.raises(ValueError, match="no workload 'gtp'; there are gpt, "):
        worker.parse("gtp")
    with pytest.raises(ValueError, match="gpt has no option depth; it has n_layer, "):
        worker.parse("gpt:depth=2")


def test_a_worker_counts_its_threads_and_what_it_computes():
    changes = {"n_layer": 1, "n_embd": 8, "n_head": 2, "length": 4, "batch": 2}
    with Worker("minilm", harness.spelled(GPT, changes), 1) as found:
        assert len(found.ask(do="check", steps=2)["values"]) == 2
        assert found.ask(do="turn", seconds=0.0, least=2)["steps"] == 2
    assert found.process.returncode == 0
    assert {harness.environment(3)[name] for name in harness.THREAD_VARIABLES} == {"3"}


def test_a_worker_that_fails_says_how():
    with pytest.raises(Unusable, match=r"minilm failed in gpt:n_head=3: ValueError: .*n_head=3 does not divide"):
        Worker("minilm", "gpt:n_head=3", 1).__enter__()


def test_a_peer_that_is_missing_is_not_installed(monkeypatch):
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None)
    assert peers.missing("torch") == "not installed"
    assert peers.skipped("jax", GPT) == "not installed"


def test_a_peer_that_sits_out_says_why(monkeypatch):
    monkeypatch.setattr(peers, "missing", lambda name: None)
    for name in peers.COMPILED:
        assert "the peak" in peers.skipped(name, WORKLOADS["memory-small"])
        assert "eager loop" in peers.skipped(name, WORKLOADS["generate"])
        assert "overhead per op" in peers.skipped(name, WORKLOADS["ops-backward"])
        assert peers.skipped(name, GPT) is None
    assert all(peers.skipped("torch", workload) is None for workload in WORKLOADS.values())


def test_a_peer_for_one_workload_is_not_named_with_others(monkeypatch):
    monkeypatch.setattr(peers, "missing", lambda name: "not installed" if name == "jax" else None)
    assert peers.parted(["torch", "jax", "processes"], GPT) == (["torch", "processes"], {"jax": "not installed"})
    assert peers.parted(["torch", "jax", "processes"], WORKLOADS["cnn"]) == (["torch"], {"jax": "not installed"})


def test_other_programs_load_is_theirs_alone(monkeypatch, tmp_path):
    """Eight seconds, in which all programs used 9 seconds of processor time, and this one and its children 6."""
    monkeypatch.setattr(machine, "cpu_seconds", lambda: (8.0, 109.0, 56.0))
    assert machine.other_load((0.0, 100.0, 50.0)) == pytest.approx(3 / 8)
    assert machine.other_load((0.0, 105.0, 50.0)) == 0.0
    assert machine.other_load(None) is None


def test_own_work_is_no_other_load():
    before = machine.cpu_seconds()
    if before is None:
        pytest.skip("this system does not tell")
    sum(range(3_000_000))
    after = machine.cpu_seconds()
    assert 0 < after[2] - before[2] < 60
    assert all(new >= old for new, old in zip(after, before, strict=True))


def test_compiling_needs_a_compiler(monkeypatch):
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(peers.shutil, "which", lambda name: None)
    assert peers.missing("compile") == "no C++ compiler"
    assert peers.missing("torch") is None


@pytest.mark.slow
def test_entry_with_a_missing_peer(monkeypatch):
    """The whole way of one workload, at a small size: two processes' worth of protocol, and the reason in the record."""
    monkeypatch.setattr(peers, "missing", lambda name: "not installed" if name == "jax" else None)
    monkeypatch.setattr(machine, "other_load", lambda before: 0.25)
    changes = {"n_layer": 1, "n_embd": 8, "n_head": 2, "length": 4, "batch": 2}
    found = harness.timed(GPT, ["jax"], Plan(rounds=2, seconds=0.0, least=1, threads=1), changes)
    assert found["skipped"] == {"jax": "not installed"}
    assert found["other_load"] == 0.25
    assert len(found["peers"]["minilm"]["values"]) == 2
    assert len(found["peers"]["minilm"]["losses"]) == len(harness.CHECKED)
    assert found["options"]["n_embd"] == 8


@pytest.mark.slow
def test_import_is_timed_in_a_new_process(monkeypatch):
    asked = []
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    run = harness.subprocess.run
    monkeypatch.setattr(
        harness.subprocess, "run", lambda *words, env, **k: asked.append(env) or run(*words, env=env, **k)
    )
    whole, own = harness.imports([], Plan(rounds=1, threads=1))
    assert not any("PYTHONDONTWRITEBYTECODE" in env for env in asked)
    assert 0 < own["peers"]["minilm"]["median"] < whole["peers"]["minilm"]["median"] < 30


# -- beside a load ------------------------------------------------------------------------------------------------------

LOADED = {load: replace(WORKLOADS["ops-forward"], measure="beside", load=load) for load in ("busy", "second")}


class Played:
    """In place of `Worker`: answers without a process, and logs who was opened, asked and closed."""

    log: list = []
    seconds = {1: 2.0, 2: 3.0}  # a step with so many threads

    def __init__(self, peer, workload, threads, variables=None):
        self.peer, self.threads, self.variables = peer, threads, variables
        self.about = {"note": f"{peer} noted"}
        self.log.append(("open", peer, threads))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.log.append(("close", self.peer, self.threads))

    working = Worker.working

    def ask(self, do, **request):
        self.log.append((do, self.peer, self.threads))
        return {"check": {"values": [1.5] * 6}, "first": {"seconds": 7.0}}.get(
            do, {"median": self.seconds[self.threads]}
        )


@pytest.fixture
def played(monkeypatch):
    monkeypatch.setattr(harness, "Worker", Played)
    monkeypatch.setattr(harness, "PAUSE", 0.0)
    monkeypatch.setattr(peers, "missing", lambda name: None)
    monkeypatch.setattr(Played, "log", [])
    return Played.log


@pytest.mark.parametrize("load", ["busy", "second"])
def test_a_load_works_during_the_turn_beside_it_alone(played, load):
    found = harness.beside(LOADED[load], ["torch"], Plan(rounds=4, threads=2))
    other = ("busy", 1) if load == "busy" else (None, 2)
    once = []
    for name in ("minilm", "torch"):
        who = (other[0] or name, other[1])
        once += [("turn", name, 1), ("go on", *who), ("turn", name, 2), ("rest", *who)]
    assert [entry for entry in played if entry[0] in ("turn", "go on", "rest")] == once * 2  # half of the rounds
    assert [entry[0] for entry in played].count("close") == (5 if load == "busy" else 6)
    assert found["load"] == load
    assert found["peers"]["torch"]["ratio"] == 1.0
    assert found["peers"]["minilm"]["own"]["values"] == [2.0, 2.0]
    assert found["peers"]["minilm"]["own"]["ratio"] == 1.5
    assert found["peers"]["torch"]["note"] == "torch noted"


def test_both_kinds_of_workers_are_compared_before_turns(played, monkeypatch):
    asked = Played.ask
    monkeypatch.setattr(Played, "ask", lambda self, do, **request: {"values": [2.5] * 6}
                        if do == "check" and (self.peer, self.threads) == ("torch", 2) else asked(self, do, **request))  # fmt: skip
    with pytest.raises(Unusable, match="1.5 in minilm and 2.5 in PyTorch eager"):
        harness.beside(LOADED["busy"], ["torch"], Plan(threads=2))
    assert "turn" not in [entry[0] for entry in played]


def test_a_failing_turn_ends_every_process(played, monkeypatch):
    """It asks nothing more of the load, which may be dead: it closes it."""
    asked = Played.ask

    def interrupted(self, do, **request):
        if do == "turn" and self.threads == 2:
            raise KeyboardInterrupt
        return asked(self, do, **request)

    monkeypatch.setattr(Played, "ask", interrupted)
    with pytest.raises(KeyboardInterrupt):
        harness.beside(LOADED["busy"], ["torch"], Plan(threads=2))
    counts = [entry[0] for entry in played]
    assert counts.count("open") == counts.count("close") == 5
    assert "rest" not in counts


def test_the_load_ends_where_the_benchmark_is_interrupted(monkeypatch):
    """With real processes: interrupted while the load computes. All are of one kind here, which starts fast."""
    opened = []

    class Kept(Worker):
        def __init__(self, peer, *arguments):
            super().__init__("busy", *arguments)

        def __enter__(self):
            opened.append(self.process)
            return super().__enter__()

        def ask(self, **request):
            if request["do"] == "turn" and len(opened) == 3 and self.process is opened[1]:
                assert opened[2].poll() is None
                raise KeyboardInterrupt
            return super().ask(**request)

    monkeypatch.setattr(harness, "Worker", Kept)
    with pytest.raises(KeyboardInterrupt):
        harness.beside(LOADED["busy"], [], Plan(rounds=2, seconds=0.0, least=1, threads=2))
    assert [process.returncode for process in opened] == [0, 0, 0]


def test_a_worker_goes_on_until_it_is_asked_and_ends_with_its_requests():
    """As it does where the benchmark was killed: the system closes the pipe."""
    with Worker("busy", "ops-forward", 1) as load:
        with load.working():
            assert load.process.poll() is None
        assert load.ask(do="turn", seconds=0.0, least=1)["steps"] == 1
        load.ask(do="go on")
        load.process.stdin.close()
        assert load.process.wait(10) == 0


def test_steps_are_made_until_a_line_comes():
    import threading

    asked, steps = threading.Event(), []

    class Requests:
        def readline(self):
            asked.wait(10)
            return "the next"

    def run():
        steps.append(1)
        if len(steps) == 4:
            asked.set()

    begun = []
    line, count = worker.go_on(Step(run), Requests(), lambda: begun.append(len(steps)))
    assert begun == [1]
    assert line == "the next"
    assert count == len(steps) - 1 >= 3


def test_a_workload_may_have_its_own_number_of_threads(played):
    harness.timed(WORKLOADS["gpt-one"], ["torch"], Plan(rounds=1, threads=2))
    assert [entry for entry in played if entry[0] == "open"] == [("open", "minilm", 1), ("open", "torch", 1)]


def test_a_first_step_finds_nothing_compiled_or_everything(played, monkeypatch):
    seen = {}

    class Looked(Played):
        def __enter__(self):
            folder = Path(self.variables["NUMBA_CACHE_DIR"])
            seen.setdefault(self.peer, []).append((folder, list(folder.iterdir())))
            (folder / "compiled").touch()
            return self

    monkeypatch.setattr(harness, "Worker", Looked)
    found = harness.first_step(WORKLOADS["first-step"], ["numpy", "torch"], Plan(processes=2))
    assert {name: len(values) for name, values in seen.items()} == {"minilm": 3, "cold": 2, "numpy": 3, "torch": 3}
    assert len({folder for folder, _ in seen["minilm"]}) == 1
    assert all(files for _, files in seen["minilm"][1:])
    assert len({folder for folder, _ in seen["cold"]}) == 2
    assert not any(files for _, files in seen["cold"])
    assert not any(folder.exists() for values in seen.values() for folder, _ in values)
    assert [len(side["values"]) for side in found["peers"].values()] == [2, 2, 2, 2]


def test_minilm_without_fast_has_its_own_ratios():
    found = harness.summaries({"minilm": [1.0, 2.0, 2.0], "numpy": [3.0, 6.0, 4.0], "torch": [2.0, 4.0, 8.0]})
    assert found["torch"]["ratio"] == 0.5
    assert found["torch"]["without"] == {"ratio": 1.5, "ratio_quartiles": [1.0, 1.5]}
    assert "without" not in found["numpy"]
    assert "without" not in found["minilm"]
    assert found["numpy"]["ratio"] == pytest.approx(1 / 3)
    assert "without" not in harness.summaries({"minilm": [1.0], "torch": [2.0]})["torch"]


def test_numbers_of_an_embedding_are_compared_by_the_largest():
    workload = WORKLOADS["minilm-l6"]
    ours = [[[1.0, 1e-6], [0.5, 0.5]]] * 6
    harness.compare(workload, {"minilm": ours, "torch": [[[1.0, 5e-5], [0.5, 0.5]]] * 6})
    with pytest.raises(Unusable, match=r"\(element 1\) is 1e-06 .* 0.0001 times the largest"):
        harness.compare(workload, {"minilm": ours, "torch": [[[1.0, 5e-4], [0.5, 0.5]]] * 6})


def test_variables_of_a_worker():
    with Worker("busy", "ops-forward", 1, {"NUMBA_CACHE_DIR": "there"}) as found:
        environment = Path(f"/proc/{found.process.pid}/environ")
        if not environment.exists():
            pytest.skip("this system does not tell")
        assert b"NUMBA_CACHE_DIR=there" in environment.read_bytes().split(b"\0")


def test_half_of_the_rounds_is_one_at_least():
    assert [Plan(rounds=rounds).half for rounds in (1, 2, 3, 10)] == [1, 1, 1, 5]
