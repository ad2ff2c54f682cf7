"""The command line, as a user types it."""

import re
import subprocess
import sys

import pytest

from minilm.cli import main
from tests.tiny import FLAGS, text_file

pytestmark = pytest.mark.host  # runs name their device


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    run = folder / "run"
    assert main(["train", "--data", str(text_file(folder)), "--out", str(run), "--quiet", *FLAGS]) == 0
    return run


def test_train_ends_with_what_a_user_wants_to_know(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--data", str(text_file(tmp_path)), "--quiet", *FLAGS]) == 0
    out = capsys.readouterr().out
    for pattern in (r"\d,\d{3} characters", r"validation loss \d\.\d{4} nats a token, \d\.\d{3} bits per character",
                    r"loss curve: runs/default-1/loss\.png", "A sample:", r"minilm generate runs/default-1 --prompt"):  # fmt: skip
        assert re.search(pattern, out), pattern
    assert (
        main(
            [
                "train",
                "--data",
                str(text_file(tmp_path)),
                "--quiet",
                *FLAGS,
                "--tokenizer",
                "bpe",
                "--vocab-size",
                "270",
            ]
        )
        == 0
    )
    assert (tmp_path / "runs" / "default-2" / "model.safetensors").exists()


def test_generate(trained, capsys):
    texts = []
    for _ in range(2):
        assert (
            main(["generate", str(trained), "--prompt", "1 plus", "--tokens", "20", "--seed", "1", "--device", "cpu"])
            == 0
        )
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert texts[0].startswith("1 plus")
    assert len(texts[0]) == len("1 plus") + 20 + 1


def test_generate_options(trained, capsys):
    arguments = ["--samples", "2", "--top-k", "3", "--top-p", "0.9", "--temperature", "0.5", "--repetition-penalty", "1.1",
                 "--tokens", "30", "--seed", "2", "--stop", "\n", "--stop", "p"]  # fmt: skip
    assert main(["generate", str(trained), *arguments]) == 0
    first, second = capsys.readouterr().out.split("-" * 20 + "\n")
    assert "p" not in first + second


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["generate", "{tmp}/none"], "is not a folder"), (["generate", "{run}", "--prompt", "€"], "€"),
     (["generate", "{run}", "--temperature", "-1"], "temperature"), (["generate", "{run}", "--samples", "0"], "--samples"),
     (["train", "--data", "{tmp}/none.txt"], "none.txt"), (["train", "--recipe", "x"], "there is no recipe 'x'"),
     (["train", "--resume", "{tmp}"], "config.json"), (["train", "--resume", "{run}", "--steps", "5"], "--steps"),
     (["train", "--resume", "{run}", "--out", "x"], "--out"), (["train", "--device", "tpu", "--data", "{text}", "--out", "{tmp}/o"], "tpu"),
     (["train", "--data", "{text}", "--out", "{run}"], "not empty"), (["train", "--data", "{text}", "--heads", "3"], "does not divide"),
     (["data", "show", "nonsense"], "nonsense"), (["data", "get", "nonsense"], "nonsense")],
)  # fmt: skip
def test_errors_are_one_line_and_exit_with_one(trained, tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    places = {"tmp": tmp_path, "run": trained, "text": text_file(tmp_path)}
    assert main([a.format(**places) for a in arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("minilm: ")
    assert message in error
    assert "Traceback" not in error


def test_resume_of_a_finished_run(trained, capsys):
    assert main(["train", "--resume", str(trained), "--quiet"]) == 0
    assert "finished after step 12" in capsys.readouterr().out


def test_data_list_and_show(capsys):
    assert main(["data", "list"]) == 0
    assert "python-docs" in capsys.readouterr().out
    assert main(["data", "show", "python-docs"]) == 0
    assert "Python Software Foundation" in capsys.readouterr().out


def test_doctor(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for word in ("Python", "numpy", "CuPy"):
        assert word in out


@pytest.mark.parametrize("command", [[], ["train"], ["generate"], ["data"], ["doctor"]])
def test_help(command, capsys):
    with pytest.raises(SystemExit) as info:
        main([*command, "--help"])
    assert info.value.code == 0
    assert "usage: minilm" in capsys.readouterr().out


def test_importing_does_no_work():
    """`import minilm` loads neither plots, progress bars, CuPy nor the data readers' network code."""
    code = "import sys, minilm; print([m for m in ('matplotlib', 'tqdm', 'cupy', 'safetensors', 'urllib.request') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
