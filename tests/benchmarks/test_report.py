"""The table, the record and the command line, on given times."""

import json

import pytest

from tests.benchmarks import __main__ as program
from tests.benchmarks import growth, harness, machine, peers, report
from tests.benchmarks.harness import Plan, Unusable
from tests.benchmarks.workloads import WORKLOADS

pytestmark = pytest.mark.host
TIMES = {"minilm": [0.010, 0.011, 0.012], "torch": [0.020, 0.022, 0.016], "jax": [0.015, 0.015, 0.015]}


def entry(name="gpt", times=TIMES, unit="s", **skipped):
    return harness.result(WORKLOADS[name], unit, harness.summaries(times), skipped)


def record(*results):
    return {
        "date": machine.now(),
        "machine": machine.machine(),
        "versions": {"torch": "9.9"},
        "plan": {"threads": 2, "rounds": 3},
        "results": list(results),
    }


def test_rows():
    ours, torch, jax, compiled = report.rows(entry(compile="not installed"))
    assert ours[1:] == ("minilm", "11 ms", "10.5 to 11.5 ms", "", "", "")
    assert torch[:2] == ("", "PyTorch eager")
    assert torch[4:] == ("0.50", "0.50 to 0.62", "1.00, met")
    assert jax[6] == "0.67, not met"  # 0.73
    assert compiled[:3] == ("", "torch.compile", "not installed")


@pytest.mark.parametrize(("ours", "met"), [(1.3, "met"), (1.31, "not met")])
def test_a_target_is_met_up_to_its_number(ours, met):
    assert list(report.rows(entry("cnn", {"minilm": [ours], "torch": [1.0]})))[1][6] == f"1.30, {met}"


@pytest.mark.parametrize("disturbed", ["minilm", "torch"])
def test_a_target_is_neither_met_nor_not_where_times_are_disturbed(disturbed):
    times = {"minilm": [1.0, 1.1, 1.2], "torch": [2.0, 2.1, 2.2]}
    times[disturbed] = [1.0, 1.6, 1.7]
    assert list(report.rows(entry(times=times)))[1][6] == "1.00, disturbed"


def test_other_programs_are_named_where_they_worked():
    found = [{**entry(name), "other_load": load} for name, load in (("gpt", 0.04), ("cnn", 0.62), ("mlp-64", None))]
    text = report.table(record(*found))
    assert "Cores that other programs kept busy meanwhile: cnn 0.6." in text
    assert "meanwhile" not in report.table(record(found[0]))


def test_import_has_a_target_in_seconds():
    found = entry()
    found.update(name="import", part="h", peers=harness.summaries({"minilm": [0.25]}))
    assert next(report.rows(found))[6] == "0.20 s, not met"


@pytest.mark.parametrize(("values", "unit", "expected"), [
    ([2.5], "s", "2.5 s"), ([0.00251, 0.1], "s", "2.51 to 100 ms"), ([5e-6], "s", "5 us"), ([5e-8], "s", "0.05 us"),
    ([3 * 2**20], "B", "3 MiB"), ([1.5 * 2**30], "B", "1.5 GiB"), ([0.0], "s", "0 us"),
    ([0.9995], "s", "1000 ms"), ([1.0, 1200.0], "s", "1 to 1200 s"),
])  # fmt: skip
def test_numbers_have_units(values, unit, expected):
    assert report.shown(values, unit) == expected


def test_table():
    found = entry(compile="not installed")
    found["peers"]["products"] = harness.summary([0.005] * 3, TIMES["minilm"])
    found["products_operations"] = 10**9
    found["peers"]["torch"].update(note="optimizer: fused")
    text = report.table(record(found, entry("memory-small", {"minilm": [1e6], "torch": [2e6]}, "B", jax="because")))
    lines = text.splitlines()
    assert "PyTorch eager 9.9" in lines[0]
    places = {
        line.index(word) for line in lines for word in ("minilm  ", "PyTorch eager  ", "not installed") if word in line
    }
    assert len(places) == 2  # two columns: the sides, and their numbers
    assert "products alone: 5 ms, 200 GFLOP/s; the step of minilm takes 2.20 times as long." in text
    assert "PyTorch eager in (a), gpt: optimizer: fused" in text
    assert "the highest resident size" in text
    assert "because" in text


def test_no_word_of_memory_where_none_was_measured():
    assert "resident" not in report.table(record(entry()))


def test_the_machine_is_described_without_its_name():
    import platform

    found = machine.machine()
    assert found["cores"] >= 1
    assert found["processor"]
    name = platform.node()
    assert not name or name not in found.values()


def test_a_mismatch_ends_the_program(monkeypatch, capsys):
    def differ(*arguments):
        raise Unusable("gpt: the value after 1 updates is 4 in minilm and 5 in PyTorch eager")

    monkeypatch.setattr(harness, "timed", differ)
    assert program.main(["--only", "a"]) == 2
    out = capsys.readouterr()
    assert out.out == ""
    assert out.err.startswith("tests.benchmarks: gpt: the value after 1 updates is 4 in minilm and 5")


def test_a_record_is_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(harness, "timed", lambda workload, others, plan: entry(workload.name))
    shown = []
    assert program.main(["--only", "b", "--rounds", "4", "--save", str(tmp_path / "kept")], show=shown.append) == 0
    (path,) = (tmp_path / "kept").iterdir()
    found = json.loads(path.read_text())
    assert [result["name"] for result in found["results"]] == ["mlp-64", "mlp-1024"]
    assert found["plan"]["rounds"] == 4
    assert found["versions"] == peers.versions(program.OTHERS)
    assert found["command"] == "python -m tests.benchmarks --only b --rounds 4 --save kept"
    assert str(tmp_path) not in path.read_text()
    assert {"processor", "cores", "memory_bytes", "system", "python", "numpy", "minilm"} <= set(found["machine"])
    assert shown[-1] == f"kept as {path.name}"


def test_growth_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    one = entry(times={"minilm": [1.0, 1.1], "torch": [2.0, 2.1]})
    found = {
        option: [{**one, "options": {option: value}} for value in values] for option, (_, values) in growth.AXES.items()
    }
    growth.draw(found, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 10_000


def test_growth_varies_one_thing_at_a_time(monkeypatch):
    asked = []
    monkeypatch.setattr(harness, "timed", lambda workload, others, plan, changes: asked.append(changes))
    growth.measured(Plan(rounds=4), axes={"n_embd": ("width", (8, 16)), "length": ("tokens", (32,))})
    assert asked == [{"n_embd": 8}, {"n_embd": 16}, {"length": 32, "block_size": 32}]
