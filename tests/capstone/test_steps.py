import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import numpy as np
import pytest

from minilm.capstone import SIZES, Capstone, Size, raw, steps
from minilm.capstone.report import curve_of, results_table, results_text, write_report
from minilm.capstone.surprise import Measured
from minilm.capstone.training import fine_tune, open_or_begin, pretrain, tokens_of
from minilm.data.sets.python_text import documented, python_topics
from minilm.text import BPETokenizer
from minilm.training.checkpoint import RunError

TINY = Size(
    300,
    {"n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 16},
    {"steps": 30, "batch_size": 4, "warmup": 2, "eval_every": 10, "checkpoint_every": 10},
    {"steps": 10, "batch_size": 4, "warmup": 2, "eval_every": 5, "checkpoint_every": 5},
    orders=(2, 3),
)
SETTINGS = {"steps": 4, "batch_size": 2, "warmup": 1, "eval_every": 2, "checkpoint_every": 2}


def test_a_folder_with_other_settings_or_other_things_is_refused(tmp_path):
    Capstone(tmp_path / "a", "quick")
    Capstone(tmp_path / "a", "quick")
    with pytest.raises(RunError, match="other settings"):
        Capstone(tmp_path / "a", "full")
    assert Capstone.resume(tmp_path / "a").size is SIZES["quick"]
    assert Capstone.resume(tmp_path / "a" / "pretraining").folder == tmp_path / "a"
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="something already"):
        Capstone(tmp_path / "b", "quick")
    with pytest.raises(RunError, match="no capstone"):
        Capstone.resume(tmp_path / "b")
    assert os.listdir(tmp_path / "b") == ["mine.txt"]


def test_rows_tell_by_how_much_the_first_needs_less():
    one = Measured("one", np.array([2.0, 4.0]) * np.log(2), np.array([1, 2]))
    two = Measured("two", np.array([3.0, 6.0]) * np.log(2), np.array([1, 2]))
    first, second = steps.rows([one, two], None)
    assert first["more_interval"] is None
    assert second["more"] == pytest.approx(1)
    assert second["more_interval"] == pytest.approx([1, 1])
    assert "two  3.000  (3.000 to 3.000)  +1.000 to +1.000 more than the first" in results_text([first, second])
    assert "<td>two</td><td>3.000</td>" in results_table([first, second])


def test_a_curve_has_the_colors_of_the_page():
    drawn = curve_of([{"step": 10, "loss": 3.0}, {"step": 20, "loss": 2.0, "validation_loss": 2.5}])
    assert drawn.count("<polyline") == 2
    assert 'fill="currentColor"' in drawn
    assert "20 updates" in drawn


@pytest.fixture
def data():
    text = "the cat sat on the mat " * 40
    tokenizer = BPETokenizer.train(text, vocab_size=260)
    return tokenizer, tokens_of(tokenizer.encode_array(text), tokenizer.encode_array(text[:230]), 230)


@pytest.mark.slow
def test_fine_tuning_begins_with_the_weights_of_the_other_run(tmp_path, data):
    tokenizer, tokens = data
    shape = {"n_layer": 1, "n_head": 1, "n_embd": 8, "block_size": 8}
    (tmp_path / "capstone.json").write_text('{"size": "quick"}')
    first = open_or_begin(tmp_path / "a", shape, SETTINGS, tokenizer, tokens, "a")
    pretrain(first, tokens, device="cpu")
    settings = {**SETTINGS, "learning_rate": 1e-12, "min_learning_rate": 0.0}
    second = open_or_begin(tmp_path / "b", shape, settings, tokenizer, tokens, "b")
    fine_tune(second, tokens, first, device="cpu")
    for name, weights in first.load_weights().arrays.items():
        np.testing.assert_allclose(second.load_weights().arrays[name], weights, atol=1e-6)
    card = (tmp_path / "b" / "card.md").read_text("utf-8")
    assert "minilm capstone --out" in card
    assert "PSF" in card
    with pytest.raises(RunError, match="other settings"):
        open_or_begin(tmp_path / "b", shape, SETTINGS, tokenizer, tokens, "b")


PROGRAM = """
import sys
from pathlib import Path
import tests.capstone.test_steps as here
here.tiny(Path(sys.argv[1]))
"""


def tiny(folder):
    """A capstone on a part of the raw text."""
    some, topics = documented(Path(sysconfig.get_path("stdlib")) / "asyncio"), python_topics()
    SIZES["tiny"] = TINY
    raw.documented, raw.python_topics = lambda: some, lambda: dict(list(topics.items())[:20])
    return write_report(Capstone(folder, "tiny", device="cpu"))


def results(folder):
    names = [*sorted(folder.rglob("*.safetensors")), *sorted(folder.glob("*.json")), folder / "samples.md"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in names}


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_to_the_same_results(tmp_path, monkeypatch):
    monkeypatch.setattr(raw, "documented", None)  # to be put back, as `tiny` changes them
    monkeypatch.setattr(raw, "python_topics", None)
    monkeypatch.delitem(SIZES, "tiny", raising=False)
    start = time.monotonic()
    report = tiny(tmp_path / "whole")
    seconds = time.monotonic() - start
    page = report.read_text("utf-8")
    assert "<h2>Fine-tuning</h2>" in page
    assert page.count("<svg") == 1
    wanted = results(tmp_path / "whole")
    assert {"pretraining/model.safetensors", "answers.json", "capstone.json"} <= wanted.keys()
    assert json.loads(wanted["evaluation.json"])["found"][0]["bits"] > 0
    for moment in (0.5, 0.65, 0.8, 3.0):
        child = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path / "killed")])
        try:
            child.wait(moment * (seconds + 1))
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
    if child.returncode:  # the machine was busy: to its end
        subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path / "killed")], check=True)
    assert results(tmp_path / "killed") == wanted
