"""The table, the record and the command line, on given times."""

import json
import re
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as program
from tests.benchmarks import growth, harness, machine, peers, report
from tests.benchmarks.harness import Plan, Unusable
from tests.benchmarks.workloads import WORKLOADS

pytestmark = pytest.mark.host
TIMES = {"minilm": [0.010, 0.011, 0.012], "torch": [0.020, 0.022, 0.016], "jax": [0.015, 0.015, 0.015]}


README = Path(__file__).resolve().parent.parent.parent / "README.md"


def entry(name="gpt", times=TIMES, unit="s", fast=True, **skipped):
    return {**harness.result(WORKLOADS[name], unit, harness.summaries(times), skipped), "fast": fast}


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
    assert ours[1:] == ("minilm", "11 ms", "10.5 to 11.5 ms", *[""] * 6)
    assert torch[:2] == ("", "PyTorch eager")
    assert torch[4:] == ("0.50", "0.50 to 0.62", "0.90, met", "", "", "")
    assert jax[6] == "0.67, not met"  # 0.73
    assert compiled[:3] == ("", "torch.compile", "not installed")


def test_where_nothing_is_compiled_the_ratio_is_the_one_without():
    _, torch, _ = report.rows(entry(fast=False))
    assert torch[4:] == ("", "", "", "0.50", "0.50 to 0.62", "1.15, met")
    old = entry()
    del old["fast"]  # as in records of a time when nothing was compiled anywhere
    assert list(report.rows(old))[1] == torch


def test_both_sides_have_their_own_target():
    times = {"minilm": [0.9] * 3, "numpy": [1.2] * 3, "torch": [1.0] * 3}
    ours, numpy, torch = report.rows(entry(times=times))
    assert torch[4:] == ("0.90", "0.90 to 0.90", "0.90, met", "1.20", "1.20 to 1.20", "1.15, not met")
    assert numpy[1] == "minilm without fast"
    assert numpy[4:] == ("0.75", "0.75 to 0.75", "", "", "", "")


@pytest.mark.parametrize(("ours", "met"), [(0.85, "met"), (0.86, "not met")])
def test_a_target_is_met_up_to_its_number(ours, met):
    assert list(report.rows(entry("cnn", {"minilm": [ours], "torch": [1.0]})))[1][6] == f"0.85, {met}"


@pytest.mark.parametrize(("side", "said"), [
    ("minilm", ("disturbed", "met")), ("numpy", ("met", "disturbed")), ("torch", ("disturbed", "disturbed")),
])  # fmt: skip
def test_a_target_is_neither_met_nor_not_where_times_are_disturbed(side, said):
    times = {name: [1.0, 1.1, 1.2] for name in ("minilm", "numpy")} | {"torch": [2.0, 2.1, 2.2]}
    times[side] = [1.0, 1.6, 1.7]
    line = list(report.rows(entry(times=times)))[2]
    assert (line[6], line[9]) == (f"0.90, {said[0]}", f"1.15, {said[1]}")


def loaded(load="busy", fast=True):
    """minilm took 3 beside the load and 2 alone, without fast 2.6 and 2, PyTorch 4 to 30 and 1."""
    times = {"minilm": [3.0] * 3, "numpy": [2.6] * 3, "torch": [4.0, 10.0, 30.0]}
    own = {"minilm": [2.0] * 3, "numpy": [2.0, 2.6, 2.6], "torch": [1.0] * 3}
    if not fast:
        del times["numpy"], own["numpy"]
    found = {**entry(f"gpt-{load}", times, fast=fast), "load": load}
    for name, values in own.items():
        found["peers"][name]["own"] = harness.summary(values, times[name])
    return found


def test_beside_a_load_there_are_two_ratios_and_no_disturbance():
    lines = list(report.rows(loaded()))
    assert [line[1] for line in lines] == ["minilm", "minilm without fast", "PyTorch eager"] * 2
    assert (lines[2][6], lines[2][9]) == ("0.80, met", "0.80, met")
    ours, numpy, torch = lines[3:]
    assert ours[0].strip().startswith("alone on one thread")
    assert ours[4:] == ("1.50", "1.50 to 1.50", "1.20, not met", "", "", "")
    assert numpy[4:] == ("", "", "", "1.00", "1.00 to 1.15", "1.20, met")
    assert torch[4:7] == ("10.00", "7.00 to 20.00", "")
    ours, torch = list(report.rows(loaded(fast=False)))[2:]
    assert ours[4:] == ("", "", "", "1.50", "1.50 to 1.50", "1.20, not met")
    assert torch[4] == "10.00"


def test_every_target_is_of_a_workload_and_a_peer():
    assert {name for name, _ in report.TARGETS} <= set(WORKLOADS)
    assert {peer for _, peer in report.TARGETS} <= set(peers.PEERS)
    assert report.targets()["cnn"] == {"torch": {"fast": 0.85, "without": 1.25}}


def test_columns_without_a_word_are_left_out():
    text = report.table(record(entry(fast=False, times={"minilm": [1.0], "torch": [2.0]})))
    head = next(line for line in text.splitlines() if line.startswith("work"))
    assert head.split() == ["work", "side", "median", "quartiles", "without", "fast", "quartiles", "target"]


def test_whether_numba_was_there_is_said():
    assert "Numba 7.7" in report.versions({**record(), "versions": {"numba": "7.7"}})
    assert "Numba not installed" in report.table({**record(entry()), "versions": {"numba": "not installed"}})


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
    monkeypatch.setattr(peers, "has_fast", lambda: False)
    shown = []
    assert program.main(["--only", "b", "--rounds", "4", "--save", str(tmp_path / "kept")], show=shown.append) == 0
    (path,) = (tmp_path / "kept").iterdir()
    found = json.loads(path.read_text())
    assert [result["name"] for result in found["results"]] == ["mlp-64", "mlp-1024"]
    assert found["plan"]["rounds"] == 4
    assert found["versions"] == peers.versions(program.OTHERS)
    assert found["targets"] == report.targets()
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


@pytest.mark.parametrize(("part", "asked"), [
    ("a", ["timed gpt", "timed gpt-one", "beside gpt-busy", "beside gpt-second"]),
    ("g", ["memory memory-small", "memory memory-large"]),
    ("h", ["first_step first-step", "import", "import-own"]),
])  # fmt: skip
def test_each_workload_is_measured_in_its_way(part, asked, monkeypatch):
    done = []
    for name in ("timed", "beside", "memory", "first_step"):
        monkeypatch.setattr(
            harness, name, lambda workload, others, plan, name=name: done.append(f"{name} {workload.name}") or entry()
        )
    imported = [{**entry(), "name": "import"}, {**entry(), "name": "import-own"}]
    monkeypatch.setattr(harness, "imports", lambda others, plan: iter(imported))
    found = list(program.measured([part], [], Plan()))
    assert done + [result["name"] for result in found[len(done) :]] == asked


# -- README -------------------------------------------------------------------------------------------------------------


def test_readme_holds_what_its_records_give():
    text = README.read_text(encoding="utf-8")
    begin, end = report.MARKS[0].split("{}")[0], report.MARKS[1]
    (found,) = re.findall(
        rf"^{re.escape(begin)}(.*?) -->\n\n(.*?)\n\n{re.escape(end)}$", text, re.MULTILINE | re.DOTALL
    )
    names, tables = found
    assert tables == report.markdown([report.read(name) for name in names.split()])


def runs():
    """Three runs with fast; the CNN was not measured in one of them."""
    for i in range(3):
        sides = {"minilm": [0.8 + 0.05 * i], "numpy": [1.1], "torch": [1.0], "compile": [2.0]}
        gpt, cnn = entry(times=sides), entry("cnn", {"minilm": [0.5], "torch": [1.0]})
        yield {**record(gpt, *[cnn] * (i != 1)), "date": f"2026-01-0{i + 1}T10:00:00"}


def test_a_column_holds_least_and_greatest_of_the_runs():
    lines = report.markdown(list(runs())).splitlines()
    assert lines[0].startswith("Least and greatest of 3 runs' medians, 2026-01-01 to 2026-01-03, ")
    assert lines[2:4] == [
        "| work | PyTorch eager | the same without `fast` | torch.compile | targets |",
        "| --- | --- | --- | --- | --- |",
    ]
    about = WORKLOADS["gpt"].about
    assert lines[4] == f"| (a) {about} | 0.80 to 0.90 | 1.10 | 0.40 to 0.45 | 0.90 / 1.15 |"
    assert len(lines) == 5  # least and greatest of two runs are not those of three: the CNN is left out


def test_a_number_that_a_run_lacks_is_not_told_from_the_others():
    """Least and greatest of two runs are not those of three."""
    given = list(runs())
    del given[0]["results"][0]["peers"]["compile"]
    assert "torch.compile" not in report.markdown(given)


def test_tables_say_whether_other_programs_worked():
    quiet, busy = ({**entry(), "other_load": load} for load in (0.04, 0.62))
    assert "Other programs" not in report.markdown([record(quiet)])
    assert "Other programs kept up to 0.6 cores busy meanwhile." in report.markdown([record(quiet), record(busy)])


def test_where_nothing_is_compiled_there_is_one_column():
    text = report.markdown([record(entry(fast=False))])
    assert "| work | PyTorch eager | JAX jit |" in text
    assert "| 0.50 | 0.73 |" in text
    assert "The median of one run, " in text


def test_loads_have_a_table_of_their_own():
    lines = report.markdown([record(loaded()), record(loaded())]).splitlines()
    head = lines.index(
        "| (a) beside, in units of its own time on one thread | minilm | without `fast` | PyTorch eager | target |"
    )
    assert lines[head + 2] == "| one busy process | 1.50 | 1.00 | 10.00 | 1.20 |"
    text = report.markdown([record(loaded("second", fast=False))])
    assert "| a second training | 1.50 | 10.00 | 1.20 |" in text
    assert "| (a) beside, in units of its own time on one thread | without `fast` | PyTorch eager | target |" in text


def test_the_first_step_has_a_table_of_its_own():
    times = {"minilm": [0.4], "cold": [6.6], "numpy": [0.05], "torch": [0.1]}
    lines = report.markdown([record(entry("first-step", times))]).splitlines()
    assert lines[-3].split(" | ")[1:] == [
        "nothing compiled yet",
        "compiled before",
        "without `fast`",
        "PyTorch eager |",
    ]
    assert lines[-1] == "| (h) | 6.6 s | 400 ms | 50 ms | 100 ms |"
    assert len([line for line in lines if "(h)" in line]) == 1
    last = report.markdown([record(entry("first-step", {"minilm": [0.05], "torch": [0.1]}, fast=False))]).splitlines()
    assert last[-3].split(" | ")[1:] == ["without `fast`", "PyTorch eager |"]
    assert last[-1] == "| (h) | 50 ms | 100 ms |"


def test_words_of_products_and_of_a_batch_split():
    times = {**TIMES, "processes": [0.02, 0.0275, 0.016], "halves": [0.01, 0.011, 0.012]}
    found = entry(times=times)
    found["peers"]["products"] = harness.summary([0.005, 0.005, 0.005], TIMES["minilm"])
    text = report.markdown([record(found)])
    assert "Of the 11 ms of a step (a), its matrix products alone, by NumPy's OpenBLAS, would take 5 ms." in text
    assert "split over processes the step takes 1.00 of PyTorch's time." in text
    assert "split over threads the step takes 0.50 of PyTorch's time." in text
    found["products_operations"] = 10**9
    assert "(a) with the batch split over threads: 0.50 of PyTorch eager's time." in report.table(record(found))


def test_tables_are_put_between_the_marks(tmp_path):
    path, kept = tmp_path / "README.md", tmp_path / "2026-01-01.json"
    kept.write_text(json.dumps(record(entry())))
    path.write_text(f"before\n\n{report.MARKS[0].format('old')}\nold\n{report.MARKS[1]}\n\nafter\n")
    for _ in range(2):
        report.main(["--readme", str(path), str(kept)])
    text = path.read_text()
    assert text.startswith(f"before\n\n{report.MARKS[0].format('2026-01-01')}\n\nThe median of one run")
    assert text.endswith(f" |\n\n{report.MARKS[1]}\n\nafter\n")
    assert "old" not in text
    shown = []
    report.main(["--markdown", str(kept)], shown.append)
    assert shown[0] in text
    report.main([str(kept)], shown.append)
    assert shown[1] == report.table(json.loads(kept.read_text()))
    with pytest.raises(ValueError, match="once, found 0"):
        report.put_into("no marks", [], "")
