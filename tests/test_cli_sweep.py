"""Every option and argument of every command with every kind of wrong value: a sentence that names the option, never a traceback.

The options come from the parser, so a new one is swept by being added. Each gets all values of the table, whatever it expects.
"""

import argparse
import contextlib
import io
import os
import socket
import sys
import time
from pathlib import Path

import pytest

from minilm import cli, launch
from minilm.cli import main, parser
from minilm.models import Sampler
from minilm.parallel import DataParallel
from tests.applications.made_up import place
from tests.tiny import FLAGS, text_file

pytestmark = [
    pytest.mark.host,  # runs name their device
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # of a learning rate of 1e308
    pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning"),
]

NUMBERS = ["0", "-1", "2", "1000000000000000000", "1" + "0" * 400, "9" * 5000, "x", "", "1_000", "٣", "３", "nan", "inf", "-inf", "1.5",
           "1e308", "1e999", "1e-320", "-0.5", " 1", "0x10", "True", "None"]  # fmt: skip
PATHS = ["{tmp}/missing", "{tmp}/folder", "{tmp}/fifo", "{tmp}/socket", "/dev/zero", "/dev/full", "/dev/null", "{tmp}/unreadable.txt",
         "{tmp}/empty.txt", "{tmp}/binary.txt", "{tmp}/utf16.txt", "{tmp}/dangling", "{tmp}/loop", "{tmp}/text.txt/below",
         "n" * 300, "a/" * 3000, "a\0b", "\udcff\udcfe.txt", "{tmp}/undecodable-\udcff.txt", "~nobody-of-that-name/x",
         "https://[", "file:///x", "."]  # fmt: skip
TEXTS = [
    "😀",
    "\x1b[31m\r\x07",
    "a" * 10**6,
    "\ud800",
    "two\nlines",
    "%s %(prog)s {0}",
    "-",
    "--",
    "--steps",
    "--help-me",
    "$(x)",
    "'\"",
]
NEAR = ["trian", "chra", "cpuu", "defalt", "python-dosc"]
VALUES = [*NUMBERS, *PATHS, *TEXTS, *NEAR]
TINY = ["--data", "{text}", "--out", "{out}", "--quiet", *FLAGS, "--steps", "1"]
BASIS = {"train": ["train", *TINY], "generate": ["generate", "{run}", "--tokens", "2", "--device", "cpu"], "data show": ["data", "show"],
         "chat": ["chat", "{run}", "--max-tokens", "2"],
         "data get": ["data", "get"], "data list": ["data", "list"], "book": ["book"], "doctor": ["doctor"],
         "exercises": ["exercises"], "check": ["check", "4.9"], "hint": ["hint", "4.9"], "progress": ["progress"],
         "bugs": ["bugs"], "models list": ["models", "list"], "models show": ["models", "show"], "models get": ["models", "get"],
         "corpus": ["corpus", "{prose}", "--out", "{out}", "--quiet", "--processes", "1", "--vocab-size", "258"],
         "evaluate": ["evaluate", "{run}", "--data", "{text}", "--device", "cpu"],
         "sweep": ["sweep", "--out", "{out}", "--number", "x", "clip=1", "--", "train", *TINY[:2], *FLAGS, "--steps", "1"],
         "capstone": ["capstone", "--out", "{out}", "--quick", "--quiet", "--device", "cpu"]}  # fmt: skip
COLOR = ["task", "color"]
BASIS |= {"task color train": [*COLOR, "train", "--out", "{out}", "--quiet", "--steps", "1", "--device", "cpu"],
          "task color evaluate": [*COLOR, "evaluate", "--run", "{task}", "--device", "cpu"],
          "task color predict": [*COLOR, "predict", "--run", "{task}", "--device", "cpu"]}  # fmt: skip
GRADE = ["{sent}", "--out", "{out}.csv", "--release", "{course}", "--due", "2026-12-01"]
BASIS |= {"classroom release": ["classroom", "release", "{out}", "--tasks", "4.9", "--course", "c"],
          "classroom grade": ["classroom", "grade", *GRADE], "classroom regrade": ["classroom", "regrade", *GRADE, "--since", "{grades}"],
          "classroom report": ["classroom", "report", "{grades}", "--out", "{out}"],
          "classroom comment": ["classroom", "comment", "{grades}", "--text", "x", "--cause", "wrong signature"],
          "classroom export": ["classroom", "export", "{grades}", "--to", "canvas", "--out", "{out}"]}  # fmt: skip


PROSE = (
    "The lamp on the hill was lit by a woman who had never seen the sea. She knew it from letters that her brother sent, and "
    "from the smell of his coat when he came home. On clear nights the light went as far as the islands, and those who fished "
    "there steered by it, though none of them could have said who kept it burning."
)
SAID = {"input": ("of the input", "[NAME=]PATH")}  # what errors say in place of an argument's name in capitals
FIRST = {"task": "color"}  # what stands before a command that follows an argument


def leaves(p, name=""):
    """The commands of a parser, and what each takes: (name, [action, ...])."""
    inner = [action for action in p._actions if isinstance(action, argparse._SubParsersAction)]
    if inner and (
        before := [action.dest for action in p._actions if action.nargs is None and not action.option_strings]
    ):
        name += " ".join(["", *(FIRST[dest] for dest in before)])
    if not inner:
        yield name.strip(), [action for action in p._actions if action.nargs != 0]
    for action in inner:
        for word, child in action.choices.items():
            yield from leaves(child, f"{name} {word}")


PAIRS = [(name, action.option_strings[-1:] or action.dest) for name, actions in leaves(parser()) for action in actions]
CASES = [(name, "".join(option), isinstance(option, str)) for name, option in PAIRS]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A run, a text, and the files that nobody should give."""
    tmp = tmp_path_factory.mktemp("sweep")
    (tmp / "folder").mkdir()
    os.mkfifo(tmp / "fifo")
    with (
        contextlib.closing(socket.socket(socket.AF_UNIX)) as listener,
        contextlib.chdir(tmp) if sys.version_info >= (3, 11) else _inside(tmp),
    ):
        listener.bind("socket")
    (tmp / "unreadable.txt").write_text("text")
    (tmp / "unreadable.txt").chmod(0)
    (tmp / "empty.txt").touch()
    (tmp / "binary.txt").write_bytes(bytes(range(256)) * 8)
    (tmp / "utf16.txt").write_text("a text of its own\n" * 50, encoding="utf-16")
    (tmp / "dangling").symlink_to(tmp / "nowhere")
    (tmp / "loop").symlink_to(tmp / "loop")
    (tmp / "mine.tsv").write_text("the car blue\tblue\na door red\tred\n" * 20)
    task = tmp / "task"
    with pytest.MonkeyPatch.context() as patch:
        place(patch)
        assert main(["task", "color", "train", "--out", str(task), "--quiet", "--device", "cpu"]) == 0
    with contextlib.suppress(OSError):  # a file system that wants text
        (tmp / os.fsdecode(b"undecodable-\xff.txt")).write_text("a text of its own\n" * 50)
    prose = tmp / "prose.txt"
    prose.write_text(PROSE)
    run = tmp / "run"
    assert main(["train", "--data", str(text_file(tmp)), "--out", str(run), "--quiet", *FLAGS]) == 0
    course, sent, grades = tmp / "course", tmp / "sent", tmp / "grades.csv"
    assert main(["classroom", "release", str(course), "--tasks", "4.9", "--course", "c"]) == 0
    sent.mkdir()
    (sent / "ada.py").write_text("# task 4.9\ndef layer_norm_backward(x):\n    return x\n")
    assert main(["classroom", "grade", str(sent), "--release", str(course), "--out", str(grades)]) == 0
    return {
        "tmp": tmp,
        "run": run,
        "task": task,
        "text": tmp / "text.txt",
        "prose": prose,
        "course": course,
        "sent": sent,
        "grades": grades,
    }


@pytest.fixture(scope="module")
def one_parser():
    """Built once, with the task that `place` adds: it takes longer than most command lines of this file."""
    with pytest.MonkeyPatch.context() as patch:
        place(patch)
        return cli.parser()


@pytest.fixture(autouse=True)
def _placed(monkeypatch, one_parser):
    place(monkeypatch)
    monkeypatch.setattr(cli, "parser", lambda: one_parser)


@contextlib.contextmanager
def _inside(folder):
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@pytest.fixture
def bounded(monkeypatch, tmp_path):
    """What would go on for ever is stopped as by Ctrl-C; no notebook server starts."""
    computed = []

    def stopping(function, most):
        def counted(*arguments, **options):
            computed.append(function)
            if computed.count(function) > most:
                raise KeyboardInterrupt
            return function(*arguments, **options)

        return counted

    monkeypatch.setattr(DataParallel, "backward", stopping(DataParallel.backward, 2))
    monkeypatch.setattr(Sampler, "__call__", stopping(Sampler.__call__, 20))
    monkeypatch.setattr("minilm.training.loop.plot_losses", lambda run: None)
    monkeypatch.setattr(cli, "_sample", lambda *_: "")
    monkeypatch.setattr("minilm.capstone.steps.write_raw", stopping(print, 0))
    monkeypatch.setattr("minilm.sweep.processes.isolated.start", stopping(print, 0))
    monkeypatch.setattr(launch, "trust", lambda notebooks: None)
    monkeypatch.setattr(launch.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setitem(launch.open_book.__kwdefaults__, "run", lambda command, cwd: argparse.Namespace(returncode=0))
    monkeypatch.setenv("MINILM_HOME", str(tmp_path / "home"))
    for room in ("release", "marking"):
        monkeypatch.setattr(f"minilm.exercises.classroom.{room}.ask", stopping(print, 0))
    monkeypatch.chdir(tmp_path)
    return computed.clear


def run_main(arguments):
    """(status, what went to standard output, to standard error, seconds) of a command line."""
    out, err, start = io.StringIO(), io.StringIO(), time.perf_counter()
    before, sys.stdin = sys.stdin, io.StringIO("1 plus 2\n")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(arguments)
        except SystemExit as end:
            status = end.code
        finally:
            sys.stdin = before
    return status, out.getvalue(), err.getvalue(), time.perf_counter() - start


def check(option, positional, value, arguments):
    """What is wrong with how one command line ended; None if nothing."""
    try:
        status, _, err, seconds = run_main(arguments)
    except BaseException as error:  # what a user would see as a traceback
        return f"{type(error).__name__}: {str(error)[:300]}"
    lines = [line for line in err.splitlines() if line.strip()]
    if "Traceback" in err:
        return "a traceback"
    if seconds > 20:
        return f"{seconds:.0f} s"
    if status == 130:
        return None  # it had begun, and was stopped
    if status not in (0, 1, 2):
        return f"status {status!r}"
    if status == 0:
        return None
    if not 1 <= len(lines) <= 2 or not lines[0].startswith("minilm: ") or len(lines[0]) > 1200:
        return f"not a sentence or two: {err[:600]!r}"
    if positional:
        said = (*SAID.get(option, (option.upper(),)), value[:50], str(Path(value))[:50], repr(value)[1:-1][:50])
        named = any(word in err for word in said)
    else:
        named = option in lines[0] or "the training diverged" in lines[0]  # a number that is allowed, and too large
    return None if named else f"does not name {option}: {lines[0][:300]}"


EACH = pytest.mark.parametrize(
    ("command", "option", "positional"), CASES, ids=[f"{name} {option}" for name, option, _ in CASES]
)
SHARE = 32  # in a plain run each option gets one value of so many, and each value is given to one option of so many


def sweep(command, option, positional, places, values, bounded, tmp_path):
    wrong = []
    for number, template in enumerate(values):
        filled = {**places, "out": tmp_path / f"out-{number}"}
        value = template.format(**filled) if "{tmp}" in template else template
        basis = command.split() if option == "--resume" else [word.format(**filled) for word in BASIS[command]]
        if positional:
            own = {
                "run": "run",
                "model": "run",
                "submissions": "sent",
                "grades": "grades",
                "out": "out",
                "input": "prose",
            }.get(option)
            arguments = [*(word for word in basis if own is None or word != str(filled[own])), "--", value]
            if option == "table":
                arguments = [*basis[:5], value, *basis[6:]]
            if option == "exercise":
                arguments = [command, "--", value, *(["answer.py"] if command == "check" else [])]
        elif command == "sweep":  # its options stand before the command that it runs
            arguments = ["sweep", f"{option}={value}", *(basis[1:] if option != "--out" else basis[3:])]
        else:
            arguments = [*basis, f"{option}={value}"]
        bounded()
        if problem := check(option, positional, value, arguments):
            wrong.append(f"{value[:40]!r}: {problem}")
    assert not wrong, f"{len(wrong)} of {len(values)}:\n" + "\n".join(wrong)


@EACH
def test_a_share_of_the_values(command, option, positional, places, bounded, tmp_path):
    start = CASES.index((command, option, positional)) % SHARE
    sweep(command, option, positional, places, VALUES[start::SHARE], bounded, tmp_path)


@EACH
@pytest.mark.slow
def test_every_value(command, option, positional, places, bounded, tmp_path):
    sweep(command, option, positional, places, VALUES, bounded, tmp_path)


@pytest.mark.parametrize(
    ("command", "option"), [(name, option) for name, option, positional in CASES if not positional]
)
def test_a_value_that_is_missing(command, option):
    status, out, err, _ = run_main([*command.split(), option])
    assert (status, out) == (2, "")
    assert err.startswith(f"minilm: {option} needs a value")


@pytest.mark.parametrize(
    ("command", "option"), [(name, option) for name, option, positional in CASES if not positional]
)
def test_a_misspelt_option_is_guessed(command, option):
    status, out, err, _ = run_main([*command.split(), f"{option[:4]}q{option[4:]}", "1"])
    assert (status, out) == (2, "")
    assert f"Did you mean {option}?" in err


def test_the_table_reaches_every_kind_of_command():
    with_options = {name for name in BASIS if name not in ("data list", "models list", "doctor")}
    assert {name for name, _, _ in CASES} == with_options
    assert len(CASES) * len(VALUES) > 2000
