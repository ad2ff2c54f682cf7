"""The page on many machines: its commands exist, and its figures on paper follow from those that were measured."""

import re
import shlex
import sys
from inspect import signature
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from minilm.cli import parser
from minilm.data.corpus.shuffle import MOST_BITS
from minilm.pipeline import Settings, build
from minilm.pipeline.cluster import Dask
from minilm.pipeline.work import row_type

TEXT = (Path(__file__).parents[2] / "chapters" / "en" / "machines.md").read_text(encoding="utf-8")
BLOCKS, PROGRAMS = (
    re.findall(rf"^```{kind}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL) for kind in ("bash", "python")
)
WORDS = " ".join(TEXT.split())


def number(pattern):
    (found,) = re.findall(pattern, WORDS)
    return float(found.replace(",", ""))


def commands(name):
    """The commands of minilm in the page's blocks that begin with this word, parsed."""
    lines = [line for block in BLOCKS for line in block.splitlines() if f"minilm {name}" in line]
    found = [shlex.split(line, comments=True) for line in lines]
    return [parser().parse_args(words[words.index("minilm") + 1 :]) for words in found]


def test_its_commands_parse():
    assert len(commands("train")) == 4
    assert [options.scheduler for options in commands("corpus")] == [
        "tcp://first:8786", "scheduler.json", "scheduler.json", "tcp://first:8786", "$file",
    ]  # fmt: skip


def test_its_programs_name_what_there_is(monkeypatch):
    """Against stand-ins for the tools that start Dask; what they are called with is what `build` and `Dask` take."""
    called = []
    monkeypatch.setattr(
        "minilm.pipeline.build", lambda *of, **options: called.append(signature(build).bind(*of, **options))
    )
    monkeypatch.setattr("minilm.pipeline.cluster.Dask", signature(Dask).bind)
    for name in ("dask_jobqueue", "dask_kubernetes", "dask_kubernetes.operator"):
        monkeypatch.setitem(sys.modules, name, MagicMock())
    for program in PROGRAMS:
        exec(compile(program, "machines.md", "exec"), {"__name__": "__main__"})
    assert [call.arguments["folder"] for call in called] == ["corpus", "/shared/corpus"]
    assert all(call.arguments["executor"].arguments["seconds"] >= 600 for call in called)


def test_the_bound_follows_from_the_two_numbers_that_were_measured():
    compute, size = number(r"a step takes ([\d.]+) ms of computing"), number(r"\$S\$ is ([\d,]+) bytes")
    rows = [
        list(map(float, row))
        for row in re.findall(r"^\| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", TEXT, re.MULTILINE)
    ]
    assert len(rows) == 4
    for n, *told in rows:
        for (ms, speed_up), per_ms in zip((told[:2], told[2:]), (1.25e6, 1.25e5), strict=True):
            expected = compute / n + 2 * (n - 1) / n * size / per_ms
            assert ms == pytest.approx(expected, abs=0.051)
            assert speed_up == pytest.approx(compute / expected, abs=0.051)


def test_what_a_trillion_tokens_take_follows_from_the_rate():
    rate, parameters = number(r"measured ([\d,]+) tokens per second and core"), number(r"\(([\d,]+) parameters")
    assert rate == pytest.approx(768 / number(r"a step takes ([\d.]+) ms of computing") * 1e3, rel=1e-3)
    seconds, year = 1.2e12 / rate, 365.25 * 86400
    assert number(r"\$([\d.]+) \\cdot 10\^8\$ seconds on one core") == pytest.approx(seconds / 1e8, abs=0.006)
    assert number(r"on one core, or ([\d.]+) years") == pytest.approx(seconds / year, abs=0.06)
    operations = 6 * parameters * rate
    assert number(r"then ([\d.]+) billion operations") == pytest.approx(operations / 1e9, abs=0.06)
    assert number(r"operations: ([\d,]+) years") == pytest.approx(6e9 * 1.2e12 / operations / year, rel=0.01)


def test_the_stages_of_one_part_follow_from_what_was_measured():
    rows = re.findall(r"^\| .* \| (\d+) \| ([\d.]+) \| (\d+) GB, (\d+) minutes \|$", TEXT, re.MULTILINE)
    assert len(rows) == 3
    for each, microseconds, gigabytes, minutes in rows:
        assert gigabytes == each
        assert int(minutes) == round(float(microseconds) * 1e9 / 1e6 / 60)
    exact, band, groups = (float(row[1]) * 1e9 / 1e6 / 60 for row in rows)
    assert number(r"one machine: (\d+) minutes") == round(exact + Settings().bands[0] * band + groups)
    assert number(r"a table with (\d+) bytes per document") == row_type(Settings().bands[0]).itemsize
    assert number(r"each of (\d+) bands") == Settings().bands[0]
    assert number(r"up to ([\d,]+) buckets") == 2**MOST_BITS


def test_what_slimpajama_takes_follows_from_the_rate():
    hours = 4 * 1.2e12 / number(r"one core: ([\d,]+) characters per second") / 3600
    assert number(r"would take ([\d,]+) core hours") == pytest.approx(hours, abs=0.5)
    assert number(r"(\d+) days on one core, \d+ hours on 64") == pytest.approx(hours / 24, abs=0.5)
    assert number(r"days on one core, (\d+) hours on 64") == pytest.approx(hours / 64, abs=0.5)
    assert number(r"2.5 days on 64 cores, or ([\d,]+) core hours") == 2.5 * 24 * 64
    assert number(r"`--held-out ([\d.]+)`") == pytest.approx(1 / 627, rel=0.01)
