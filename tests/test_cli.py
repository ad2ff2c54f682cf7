"""The command line, as a user types it."""

import contextlib
import dataclasses
import errno
import io
import os
import re
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import minilm as ml
from minilm import terminal
from minilm.backend import DeviceError
from minilm.cli import in_options, main, option_names
from minilm.data import TABLE, DataError
from minilm.models import GPTConfig, generate
from minilm.parallel import WorkerError
from minilm.pretrained.table import TABLE as MODELS
from minilm.text import TokenizerError, WordPieceTokenizer
from minilm.training.checkpoint import CheckpointError
from minilm.training.language_model import LanguageModel
from minilm.training.run import Run, TrainConfig
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
                    r"loss curve: runs/default-1/loss\.png", r"model card: runs/default-1/card\.md",
                    "A sample:", r"minilm generate runs/default-1 --prompt"):  # fmt: skip
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
     (["train", "--resume", "{run}", "--out", "x"], "--out"),
     (["train", "--device", "tpu", "--data", "{text}", "--out", "{tmp}/o"],
      "--device: unknown device 'tpu'"),
     (["train", "--data", "{text}", "--out", "{run}"], "not empty"),
     (["train", "--data", "{text}", "--heads", "3"], "--heads 3 does not divide --width 128 (the default)"),
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
     (["trian"], "there is no COMMAND 'trian': train, generate, chat, evaluate, task, sweep, corpus, capstone, data, models, book, "
      "exercises, check, hint, progress, bugs, classroom, doctor. Did you mean train?"),
     (["data", "lst"], "Did you mean list?"), (["train", "--heeds", "2"], "there is no option --heeds. Did you mean --heads?"),
     (["train", "--lr=1"], "there is no option --lr."), (["doctor", "--verbose"], "there is no option --verbose."),
     (["train", "--heads", "0"], "--heads: expected an integer of at least 1, got 0"),
     (["train", "--width", "x"], "--width: expected an integer of at least 1, got 'x'"),
     (["train", "--processes", "1000000"], "--processes: expected an integer of at most 256"),
     (["train", "--threads-per-batch", "all"], "--threads-per-batch: expected auto or an integer of at least 1, got 'all'"),
     (["train", "--threads-per-batch", "0"], "--threads-per-batch: expected an integer of at least 1, got 0"),
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
    [(["--vocab-size", "300"], "--vocab-size is for a new bpe or wordpiece tokenizer (as with --tokenizer bpe), and the "
      "tokenizer is char."),
     (["--min-learning-rate", "1"], "--min-learning-rate 1.0 is above --learning-rate 0.002 (the default)"),
     (["--learning-rate", "1e-5"], "--min-learning-rate 0.0002 (the default) is above --learning-rate 1e-05"),
     (["--processes", "13"], "--processes 13 is more than --batch-size 12 (the default)"),
     (["--threads-per-batch", "13"], "--threads-per-batch 13 is more than --batch-size 12 (the default)"),
     (["--threads-per-batch", "auto", "--processes", "2"], "--threads-per-batch auto and --processes 2 exclude each other"),
     (["--sha256", "0" * 64], "--sha256 is the checksum of a file that is fetched"),
     (["--data", "https://127.0.0.1:1/x"], "--sha256"),
     (["--width", "2000000"], "192,000,148,000,000 weights takes at least 3,072,"),
     (["--batch-size", "10000000000"], "--batch-size 10000000000, and there are"),
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


def test_settings_are_looked_at_before_the_text(capsys):
    assert main(["train", "--data", "not-there.txt", "--vocab-size", "300"]) == 1
    assert "--vocab-size is for a new bpe or wordpiece tokenizer" in capsys.readouterr().err


def test_every_setting_has_its_option_and_errors_are_told_in_options():
    names = option_names()
    settings = {f.name for cls in (GPTConfig, TrainConfig) for f in dataclasses.fields(cls)}
    assert set(names) - settings == {"data", "sha256", "tokenizer"}
    assert settings - set(names) == {
        "bias",
        "tie_weights",
        "position",
        "norm",
        "activation",
        "beta1",
        "beta2",
    }  # they have no option
    for setting in settings & set(names):
        kind = GPTConfig if setting in {f.name for f in dataclasses.fields(GPTConfig)} else TrainConfig
        with pytest.raises(ValueError, match=setting) as info:
            kind(**{**({"vocab_size": 5} if kind is GPTConfig else {}), setting: -1})
        told = in_options(str(info.value))
        assert names[setting] + " must be" in told
        assert not re.search(r"n_head|n_embd|n_layer|_size|_rate|GPTConfig", told.replace(names[setting], ""))
    with pytest.raises(ValueError, match="n_head") as info:
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


@pytest.mark.parametrize("arguments", [["--data", "{text}"], ["--resume", "{run}"]])
def test_errors_of_settings_reach_the_user_in_options(trained, tmp_path, monkeypatch, capsys, arguments):
    def fails(*_):
        raise ValueError("GPTConfig: n_embd must be a positive integer, got -1.")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("minilm.training.recipes.start_run", fails)
    monkeypatch.setattr("minilm.training.recipes.resume_run", fails)
    assert main(["train", *(a.format(run=trained, text=text_file(tmp_path)) for a in arguments)]) == 1
    assert "--width must be a positive integer, got -1." in capsys.readouterr().err


@pytest.mark.parametrize("command", [[], ["data"], ["models"]])
def test_without_a_command_there_is_help(command, capsys):
    assert main(command) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: minilm")
    if not command:
        assert "minilm train  " in out


# -- text that the output cannot show -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strange(tmp_path_factory):
    """A run on text with Chinese, and with control characters that would turn a terminal red and rename its window."""
    folder = tmp_path_factory.mktemp("strange")
    (folder / "text.txt").write_text("\x1b[31m猫\x9b2J\x07é\t.\r\n" * 300, encoding="utf-8")
    arguments = ["train", "--data", str(folder / "text.txt"), "--out", str(folder / "run"), "--quiet", *FLAGS]
    assert main([*arguments, "--steps", "60", "--learning-rate", "1e-2"]) == 0
    return folder / "run"


def written(monkeypatch, encoding, arguments):
    """The bytes that a command writes to an output of that encoding, and what it says on standard error."""
    raw, err = io.BytesIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    monkeypatch.setattr(sys, "stderr", err)
    assert main(arguments) == 0
    assert sys.stdout.errors == "strict"  # as it was
    return raw.getvalue(), err.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252", "cp437", "utf-16", "gb18030"])
def test_what_the_output_cannot_show_is_replaced_and_told(strange, monkeypatch, encoding):
    arguments = ["generate", str(strange), "--prompt", "猫é", "--tokens", "60", "--seed", "1", "--device", "cpu"]
    whole, _ = written(monkeypatch, "utf-8", arguments)
    out, err = written(monkeypatch, encoding, arguments)
    expected = "".join(c if _fits(c, encoding) else "?" for c in whole.decode("utf-8"))
    assert out.decode(encoding) == expected
    lost = "?" in expected
    assert ("lacks some characters" in err and encoding in err) == lost
    assert lost == (encoding in ("ascii", "cp1252", "cp437"))


def _fits(character, encoding):
    try:
        return bool(character.encode(encoding))
    except UnicodeEncodeError:
        return False


def test_control_characters_are_shown_not_sent(strange, monkeypatch):
    arguments = ["generate", str(strange), "--tokens", "200", "--seed", "1", "--device", "cpu"]
    shown, _ = written(monkeypatch, "utf-8", arguments)
    raw, _ = written(monkeypatch, "utf-8", [*arguments, "--raw"])
    shown, raw = shown.decode("utf-8"), raw.decode("utf-8")
    assert "\\x1b[31m" in shown
    assert "\x1b[31m" in raw
    assert not set(shown) & {chr(code) for code in [*range(9), *range(11, 32), *range(127, 160)]}
    assert shown == re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda c: f"\\x{ord(c[0]):02x}", raw)
    assert "\t" in shown


def test_control_characters_in_names_and_samples_are_shown_not_sent(strange, tmp_path, capsys):
    text = tmp_path / "\x1b[31m.txt"
    text.write_text("\x1b[31m red \x07" * 200)
    assert main(["train", "--data", str(text), "--out", str(tmp_path / "\x1b[2J"), "--quiet", *FLAGS]) == 0
    assert main(["generate", str(tmp_path / "\x1b[3J")]) == 1
    said = "".join(capsys.readouterr())
    assert "\\x1b[31m.txt" in said
    assert "\\x1b[3J" in said
    assert "\x1b" not in said
    assert "\x07" not in said


# -- prompt and continuation ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "text"), [("the cat", "the cat mat\n"), ("the cat sa", "the cat saim\n"), ("\n", "the mat\n")]
)
def test_words_and_their_pieces(trained, monkeypatch, capsys, prompt, text):
    """A model that always says "mat" after "cat", and "##im" after "sa"."""
    tokenizer = WordPieceTokenizer(["[UNK]", "the", "cat", "mat", "sa", "##im"], special_tokens=["[UNK]"])
    follows = {"[UNK]": "the", "the": "mat", "cat": "mat", "sa": "##im"}

    class Model:
        training, config = False, GPTConfig(6, 16, 1, 2, 16)

        def train(self, mode=True):
            pass

        def next_logits(self, contexts, cache):
            logits = np.zeros((len(contexts), 6), np.float32)
            for row, last in zip(logits, np.asarray(contexts)[:, -1], strict=True):
                row[tokenizer.token_to_id(follows[tokenizer.id_to_token(int(last))])] = 9.0
            return ml.Tensor(logits), cache

        def generate(self, prompts, most, **options):
            return generate(self, prompts, most, **options)

    monkeypatch.setattr(LanguageModel, "tokenizer", lambda self, folder: tokenizer)
    monkeypatch.setattr(Run, "model", lambda self, device: Model())
    tokens = "2" if prompt == "\n" else "1"
    assert (
        main(
            ["generate", str(trained), "--prompt", prompt, "--tokens", tokens, "--temperature", "0", "--device", "cpu"]
        )
        == 0
    )
    assert capsys.readouterr().out == text


def test_a_stop_may_begin_in_the_prompt_and_samples_are_the_same_alone_and_together(trained, capsys):
    basis = ["generate", str(trained), "--prompt", "1 plu", "--tokens", "40", "--seed", "3", "--device", "cpu"]
    assert main([*basis, "--samples", "3"]) == 0
    texts = capsys.readouterr().out.split("-" * 20 + "\n")
    assert len(texts) == 3
    assert main(basis) == 0
    assert capsys.readouterr().out == texts[0]
    stop = texts[0][3:8]  # two characters of the prompt, three of what follows
    assert main([*basis, "--stop", stop]) == 0
    assert capsys.readouterr().out == "1 plu\n"


@pytest.mark.slow
def test_a_text_without_end_comes_while_it_is_written(trained):
    """`--tokens 100000000000`: no memory for what is not there yet, and the beginning can be read at once."""
    command = [sys.executable, "-m", "minilm", "generate", str(trained), "--tokens", "100000000000", "--device", "cpu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert len(process.stdout.read(2000)) == 2000
        process.stdout.close()  # as `| head -c 2000`
        assert process.wait(60) == 1
        assert process.stderr.read() == b""


def test_as_many_samples_as_fit(trained, capsys):
    assert main(["generate", str(trained), "--samples", "100000000000"]) == 1
    assert re.search(
        r"--samples 100000000000: .* GB of memory, and there are \d+: write fewer", capsys.readouterr().err
    )


# -- what the system refuses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("error", "message"), [
    (OSError(errno.ENOSPC, "No space left on device", "runs/a/model"), "runs/a/model: No space left on device (free some space)."),
    (OSError(errno.EROFS, "Read-only file system", "a"), "a: Read-only file system (choose a place that can be written to)."),
    (PermissionError(errno.EACCES, "Permission denied", b"a"), "a: Permission denied (check its permissions, or choose another place)."),
    (OSError(errno.EIO, "Input/output error"), "Input/output error."), (FileExistsError("a is there."), "a is there."),
    (MemoryError("Unable to allocate 9 TiB"), "there is not enough memory (Unable to allocate 9 TiB): choose a smaller model"),
    (MemoryError(), "there is not enough memory"), (UnicodeEncodeError("ascii", "aé", 1, 2, "no"), "'é' cannot be written as ascii: no."),
    (UnicodeDecodeError("utf-8", b"a\xff", 1, 2, "no"), "can't decode"), (WorkerError("a worker died."), "a worker died."),
    (DeviceError("no GPU."), "no GPU."), (DataError("no data."), "no data."), (CheckpointError("no run."), "no run."),
    (TokenizerError("no token."), "no token."), (FloatingPointError("the loss became nan."), "the loss became nan.")])  # fmt: skip
def test_no_error_is_a_traceback(error, message, monkeypatch, capsys):
    def fails(*_):
        raise error

    monkeypatch.setattr("minilm.data.describe", fails)
    assert main(["data", "show", "x"]) == 1
    assert capsys.readouterr().err.startswith(f"minilm: {message}" if "decode" not in message else "minilm: ")


def test_ctrl_c(monkeypatch, capsys):
    def stops(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("minilm.data.describe", stops)
    assert main(["data", "show", "x"]) == 130
    assert capsys.readouterr().err == "\nminilm: stopped.\n"


def test_no_home(monkeypatch, capsys):
    for name in ("MINILM_CACHE", "XDG_CACHE_HOME", "HOME", "LOCALAPPDATA", "USERPROFILE"):
        monkeypatch.delenv(name, raising=False)

    def fails():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", fails)
    assert main(["data", "list"]) == 1
    assert "set the environment variable MINILM_CACHE" in capsys.readouterr().err


SHELL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
COMMANDS = [
    "--help",
    "--version",
    "",
    "train --help",
    "data list",
    "data show python-docs",
    "doctor",
    "generate {run} --tokens 5",
]


def in_shell(line, places, cwd, **environment):
    """A command line in a shell, as a user types it."""
    line = line.replace("minilm ", f"{shlex.quote(sys.executable)} -m minilm ").format(**places)
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONUNBUFFERED", "COLUMNS")}
    kept |= {"PYTHONPATH": str(Path(__file__).parent.parent), **environment}
    return subprocess.run(
        ["sh", "-c", line], cwd=cwd, env=kept, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.slow
@SHELL
@pytest.mark.parametrize(("shape", "status", "message"), [
    ("minilm {} > /dev/full", 1, "minilm: the output cannot be written: No space left on device.\n"),
    ("minilm {} >&-", 0, ""), ("minilm {} <&-", 0, ""), ("minilm {} 2>&-", 0, ""), ("minilm {} <&- >&- 2>&-", 0, ""),
    ("minilm {} | true; true", 0, "")])  # fmt: skip
@pytest.mark.parametrize("command", [COMMANDS[0], *(pytest.param(c, marks=pytest.mark.slow) for c in COMMANDS[1:])])
def test_streams(trained, tmp_path, command, shape, status, message):
    line, environments = shape.replace("{}", command), [{}, {"PYTHONUNBUFFERED": "1"}]
    with ThreadPoolExecutor() as pool:  # each process takes a third of a second to start
        both = list(pool.map(lambda chosen: in_shell(line, {"run": trained}, tmp_path, **chosen), environments))
    for environment, done in zip(environments, both, strict=True):
        assert (done.returncode, done.stderr) == (status, message), environment


@SHELL
@pytest.mark.slow
def test_an_output_that_fills_up_after_a_while(trained, tmp_path):
    done = in_shell("minilm generate {run} --tokens 100000000000 > /dev/full", {"run": trained}, tmp_path)
    assert (done.returncode, done.stderr) == (1, "minilm: the output cannot be written: No space left on device.\n")
    done = in_shell("minilm train --data {text} --out {out} " + shlex.join(FLAGS) + " --quiet > /dev/full",
                    {"text": trained.parent / "text.txt", "out": tmp_path / "run"}, tmp_path)  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "minilm: the output cannot be written: No space left on device.\n")


@SHELL
@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["doctor", "data list", "train --data a.txt", "train --data {text} --out b", "generate run"]
)
def test_a_current_folder_that_is_gone(trained, tmp_path, command):
    gone = tmp_path / "gone"
    gone.mkdir()
    line = f"cd {shlex.quote(str(gone))} && rmdir {shlex.quote(str(gone))} && minilm {command}"
    done = in_shell(line, {"text": trained.parent / "text.txt"}, tmp_path)
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if command in ("doctor", "data list") else 1)
    assert done.returncode == 0 or done.stderr.startswith("minilm: ")


@SHELL
@pytest.mark.slow
@pytest.mark.parametrize("environment", [
    {"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "cp1252"},
    {"PYTHONIOENCODING": "ascii"}, {"COLUMNS": "20"}, {"COLUMNS": "1"}, {"COLUMNS": "0"}, {"COLUMNS": "x"}, {"COLUMNS": "9" * 30},
    {"HOME": ""}, {"HOME": "/nonexistent"}, {"MINILM_CACHE": "~nobody-of-that-name"}, {"PYTHONWARNINGS": "error"}])  # fmt: skip
@pytest.mark.parametrize("command", ["train --help", "data list", "generate {run} --tokens 20 --prompt 1"])
def test_environments(trained, tmp_path, environment, command):
    done = in_shell(f"minilm {command}", {"run": trained}, tmp_path, **environment)
    assert "Traceback" not in done.stderr
    assert done.returncode == (1 if "MINILM_CACHE" in environment and command == "data list" else 0)


# -- lines that fit --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("columns", [80, 60])
@pytest.mark.parametrize("command", [
    "", "--help", "train --help", "generate --help", "data", "data --help", "data list", "data list --help", "data show --help",
    "data get --help", "models", "models --help", "models list", "models show --help", "models get --help", "book --help", "doctor",
    "doctor --help", "exercises", "exercises --help", "check --help",
    "hint --help", "progress --help", "chat --help", "train", "resume", *(f"data show {name}" for name in TABLE),
    *(f"models show {name}" for name in MODELS)])  # fmt: skip
def test_no_line_is_wider_than_the_terminal(trained, tmp_path, capsys, monkeypatch, command, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("MINILM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    words = command.split()
    if command == "train":
        words = ["train", "--data", str(text_file(tmp_path)), "--quiet", *FLAGS]
    if command == "resume":
        words = ["train", "--resume", str(trained), "--quiet"]
    with contextlib.suppress(SystemExit):
        assert main(words) == 0
    lines = capsys.readouterr().out.partition("A sample:")[0].splitlines()
    assert len(lines) >= 3
    for line in lines:
        assert len(line) <= columns or len(line.split()) == 1 or len(line.split()[-1]) > columns // 2, (
            line
        )  # a path, a checksum


def test_the_list_of_data_sets_for_a_script_has_a_line_for_each(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert main(["data", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", *TABLE]


@pytest.mark.parametrize(("width", "expected"), [
    (None, "loss 1.523, best 1.612, 10.8k tokens/s"), (80, "loss 1.523, best 1.612, 10.8k tokens/s"), (60, "loss 1.523, 10.8k tokens/s"),
    (40, "loss 1.523")])  # fmt: skip
def test_the_progress_bar_keeps_its_room(width, expected):
    assert terminal.progress(1.5234, 1.6118, 10_812.0, width) == expected
    assert terminal.progress(1.0, 1.0, 912.3, None).endswith("912 tokens/s")
    assert terminal.progress(1.0, float("inf"), 9_999.9, None) == "loss 1.000, best inf, 10.0k tokens/s"
    bar = "100%|| 1600/1600, 00:00 left, "
    assert width in (None, 40) or width - len(bar) - len(expected) >= 4


@pytest.mark.parametrize(
    "command", [[], ["train"], ["generate"], ["chat"], ["data"], ["doctor"], ["exercises"], ["check"]]
)
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
