"""The command line, as a user types it."""

import dataclasses
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minilm.cli import in_options, main, option_names
from minilm.models import GPTConfig
from minilm.run import TrainConfig
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
    [(["generate", "{tmp}/none"], "is not a folder"), (["generate", "{run}", "--prompt", "€"], "--prompt: the character '€'"),
     (["train", "--data", "{tmp}/none.txt"], "none.txt"),
     (["train", "--resume", "{tmp}"], "config.json"), (["train", "--resume", "{run}", "--heads", "5"], "--heads"),
     (["train", "--resume", "{run}", "--out", "x"], "--out"), (["train", "--device", "tpu", "--data", "{text}", "--out", "{tmp}/o"], "--device: unknown device 'tpu'"),
     (["train", "--data", "{text}", "--out", "{run}"], "not empty"), (["train", "--data", "{text}", "--heads", "3"], "--heads 3 does not divide --width 128 (the default)"),
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["generate", "x", "--temperature", "-1"], "--temperature: expected 0 or a number above it, got '-1'"),
     (["generate", "x", "--samples", "0"], "--samples: expected an integer of at least 1, got 0"),
     (["generate"], "RUN"), (["generate", "x", "--seed"], "--seed needs a value; one that begins with '-' is joined to it: --seed=-x"),
     (["generate", "x", "--seed", "-1"], "--seed: expected an integer of at least 0, got -1"),
     (["generate", "x", "y"], "'y' is one argument too many"), (["generate", "x", "--stop", ""], "--stop: expected some text"),
     (["train", "--recipe", "x"], "--recipe: there is no recipe 'x'; there are default,"),
     (["train", "--recipe", "nanogpt-cqu"], "Did you mean nanogpt-cpu?"), (["train", "--tokenizer", "bpee"], "Did you mean bpe?"),
     (["trian"], "there is no COMMAND 'trian': train, generate, data, book, doctor. Did you mean train?"),
     (["data", "lst"], "Did you mean list?"), (["train", "--heeds", "2"], "there is no option --heeds. Did you mean --heads?"),
     (["train", "--lr=1"], "there is no option --lr."), (["doctor", "--verbose"], "there is no option --verbose."),
     (["train", "--heads", "0"], "--heads: expected an integer of at least 1, got 0"), (["train", "--width", "x"], "--width: expected an integer of at least 1, got 'x'"),
     (["train", "--processes", "1000000"], "--processes: expected an integer of at most 256"),
     (["train", "--sha256", "12"], "--sha256: expected a SHA-256, 64 hexadecimal digits, got '12'")],
)  # fmt: skip
def test_a_command_line_that_cannot_be_understood_ends_with_two(arguments, message, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("minilm: ")
    assert message in error.splitlines()[0]
    assert re.fullmatch(r"`minilm( \w+)? --help` lists what there is\.", error.splitlines()[1])
    assert len(error.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--vocab-size", "300"], "--vocab-size is for a new bpe tokenizer (--tokenizer bpe), and the tokenizer is char."),
     (["--min-learning-rate", "1"], "--min-learning-rate 1.0 is above --learning-rate 0.002 (the default)"),
     (["--learning-rate", "1e-5"], "--min-learning-rate 0.0002 (the default) is above --learning-rate 1e-05"),
     (["--processes", "13"], "--processes 13 is more than --batch-size 12 (the default)"),
     (["--sha256", "0" * 64], "--sha256 is the checksum of a file that is fetched"),
     (["--data", "https://127.0.0.1:1/x"], "--sha256"),
     (["--width", "2000000"], "192,000,148,000,000 weights takes at least 3,072,"), (["--batch-size", "10000000000"], "--batch-size 10000000000, and there are"),
     (["--layers", "1000000000000"], "GB of memory"), (["--tokenizer", "bpe", "--vocab-size", "10"], "--vocab-size"),
     (["--tokenizer", "bpe", "--vocab-size", "1000000000000"], "GB of memory")],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused_before_anything_is_made(
    arguments, message, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    start = time.perf_counter()
    assert main(["train", "--data", str(text_file(tmp_path)), "--out", "run", *arguments]) == 1
    assert message in capsys.readouterr().err
    assert time.perf_counter() - start < 5
    assert not Path("run").exists()


def test_every_setting_has_its_option_and_errors_are_told_in_options():
    names = option_names()
    settings = {f.name for cls in (GPTConfig, TrainConfig) for f in dataclasses.fields(cls)}
    assert set(names) - settings == {"data", "sha256", "tokenizer"}
    assert settings - set(names) == {"bias", "tie_weights", "position", "norm", "beta1", "beta2"}  # they have no option
    for setting in settings & set(names):
        kind = GPTConfig if setting in {f.name for f in dataclasses.fields(GPTConfig)} else TrainConfig
        with pytest.raises(ValueError) as info:
            kind(**{**({"vocab_size": 5} if kind is GPTConfig else {}), setting: -1})
        told = in_options(str(info.value))
        assert names[setting] + " must be" in told
        assert not re.search(r"n_head|n_embd|n_layer|_size|_rate|GPTConfig", told.replace(names[setting], ""))
    with pytest.raises(ValueError) as info:
        GPTConfig(5, n_head=5)
    assert in_options(str(info.value)) == "--heads 5 does not divide --width 768."


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
