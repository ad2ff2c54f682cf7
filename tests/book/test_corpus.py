"""The page on a corpus of one's own: its commands, options, rules and files are there, and its numbers are those of its commands."""

import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from minilm.cli import main, parser
from minilm.data import docstrings
from minilm.data.corpus.bands import probability
from minilm.data.corpus.decontaminate import MOST_RUNS, MOST_SHARE
from minilm.data.corpus.minhash import BINS
from minilm.pipeline import RULE_NAMES, Collection, Settings, build

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "chapters" / "en" / "corpus.md").read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())
COMMANDS = [
    shlex.split(line)[1:]
    for block in re.findall(r"^```bash\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.startswith("minilm ")
]
TABLE = [line.split("|")[1] for line in TEXT.splitlines() if line.startswith("| `")]


def number(pattern):
    (found,) = re.findall(pattern, WORDS)
    return float(found.replace(",", ""))


def options_of_corpus():
    (commands,) = parser()._subparsers._group_actions
    return set(commands.choices["corpus"]._option_string_actions)


def test_its_commands_parse():
    assert [words[0] for words in COMMANDS] == ["corpus", "corpus", "corpus", "train", "evaluate"]
    for words in COMMANDS:
        options = parser().parse_args(words)
        assert set(getattr(options, "without", ())) <= set(RULE_NAMES)


def test_the_options_that_it_names_are_there():
    named = set(re.findall(r"`(--[a-z-]+)", TEXT))
    assert len(named) > 15
    assert named <= options_of_corpus()


def test_the_defaults_that_it_tells():
    assert number(r"fewer than (\d+) characters besides") == Settings().least
    assert number(r"MinHash makes (\d+) numbers") == BINS
    assert (1 / 10, number(r"or more than (\d+) of them")) == (MOST_SHARE, MOST_RUNS)
    told = [number(rf"{place} (\d+) %") for place in (r"at 0\.7", r"at 0\.8 about", r"at 0\.9")]
    assert told == np.round(100 * probability([0.7, 0.8, 0.9], *Settings().bands)).tolist()


def test_the_files_that_it_names_are_all_that_is_written(tmp_path):
    (tmp_path / "raw.jsonl").write_text("".join(json.dumps({"text": f"{n} is a number"}) + "\n" for n in range(40)))
    settings = Settings(least=0, without=RULE_NAMES, held_out=0.2, most_share=1, vocab_size=257, threshold=0.99)
    build([Collection("raw", str(tmp_path / "raw.jsonl"))], tmp_path / "out", settings)
    there = {path.name + "/" * path.is_dir() for path in (tmp_path / "out").iterdir()}
    assert set(re.findall(r"`([^`]+)`", " ".join(TABLE))) == there
    assert {path.name for path in (tmp_path / "out" / "train").iterdir()} == {"00000.jsonl.gz", "00000.tokens"}


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the docstrings are those of Python 3.11")
def test_its_numbers_are_those_of_its_commands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("docstrings.jsonl").write_text("".join(json.dumps({"text": str(text)}) + "\n" for text in docstrings()))
    assert main([*COMMANDS[0], "--quiet"]) == 0
    assert main(["corpus", "python=docstrings.jsonl", "--least", "50", "--out", "lower", "--quiet"]) == 0
    card, lower = (Path(name, "card.md").read_text(encoding="utf-8") for name in ("corpus", "lower"))
    read, left, train, validation = re.findall(
        r"([\d,]+) documents are read and ([\d,]+) are left, ([\d,]+) for training and ([\d,]+) for", WORDS
    )[0]
    assert f"| what is left | {left} |" in card
    assert f"| train | {train} |" in card
    assert f"| validation | {validation} |" in card
    removed, _, short = re.findall(r"take ([\d,]+) of ([\d,]+) documents, and ([\d,]+) of them", WORDS)[0]
    assert re.search(rf"quality \| {removed} \| .*", card)
    assert re.search(rf"^\| short .*\| {short} \|$", card, re.MULTILINE)
    removed, stay = re.findall(r"they take ([\d,]+), and ([\d,]+) documents stay", WORDS)[0]
    assert re.search(rf"quality \| {removed} \| .*", lower)
    assert f"{stay} documents with" in lower
    assert f"from {read} documents" in lower
    assert Path("corpus/removed.jsonl").read_text().splitlines()[0] in TEXT
