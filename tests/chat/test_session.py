"""A conversation as it is typed: pipes, a terminal, commands, Ctrl-C, and input that nobody expects."""

import io
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time

import pytest

from minilm.chat import session
from minilm.chat.conversation import Answer
from minilm.chat.memory import Memory, process_memory
from minilm.chat.session import COMMANDS, Session, status
from tests.chat.talk import conversation
from tests.chat.test_conversation import GREEDY, QUESTIONS, said, scripted

pytestmark = pytest.mark.host


@pytest.fixture(autouse=True)
def _ctrl_c():
    """Python's own handler of Ctrl-C, also where the tests run in the background of a shell, which has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pipe(talk, content, monkeypatch, errors="strict"):
    """The exit status of a session whose input is these bytes."""
    stream = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", errors=errors)
    monkeypatch.setattr(sys, "stdin", stream)
    return Session(talk, in_terminal=False).run()


def dialog(talk, *turns, **options):
    """A session in a terminal, of these turns."""
    there = Session(talk, in_terminal=True, **options)
    goes_on = [there.turn(turn) for turn in turns]
    return there, goes_on


def test_ten_turns_through_a_pipe_print_the_answers_alone(monkeypatch, capsys):
    assert pipe(conversation(block_size=512), "".join(f"{q}\n" for q in QUESTIONS).encode(), monkeypatch) == 0
    out, err = capsys.readouterr()
    twin = conversation(block_size=512)
    assert out == "".join(f"{session.terminal.visible(said(twin, q))}\n" for q in QUESTIONS)
    assert err == ""


def test_a_pipe_without_a_last_line_end_with_crlf_and_with_empty_lines(monkeypatch, capsys):
    talk = scripted("One.", "Two.")
    assert pipe(talk, b"\n  \r\n1\r\n\n2", monkeypatch) == 0
    assert capsys.readouterr().out == "One.\nTwo.\n"
    assert [e.question for e in talk.exchanges] == ["1", "2"]
    assert pipe(scripted(), b"", monkeypatch) == 0


def test_bytes_that_are_no_text_become_the_mark_of_the_unknown(monkeypatch, capsys):
    for errors in ("strict", "surrogateescape"):
        talk = scripted("One.")
        assert pipe(talk, b"caf\xe9 \xf0\x9f\x98\x80 \xe6\x97\xa5\n", monkeypatch, errors) == 0
        assert talk.exchanges[0].question == "caf\ufffd 😀 日"
    assert session.text_of("a\udce9\ud800b\ud83d\ude00") == "a\ufffd\ufffdb😀"


def test_a_turn_that_does_not_fit_is_refused_and_the_next_one_answered(monkeypatch, capsys):
    talk = scripted("One.", "Two.")
    assert pipe(talk, b"1\n" + b"0123456789" * 10_000 + b"\n2\n", monkeypatch) == 1
    out, err = capsys.readouterr()
    assert out == "One.\nTwo.\n"
    assert err.startswith("minilm: this turn with the system prompt is ")
    assert [e.question for e in talk.exchanges] == ["1", "2"]


def test_commands_work_in_a_pipe_and_print_nothing(monkeypatch, capsys, tmp_path):
    talk = scripted("One.", "Two.", "Three.")
    file = tmp_path / "chat.json"
    lines = f"/help\n1\n/system Be long.\n/system\n/reset\n2\n/retry\n/save {file}\n/quit\n3\n"
    assert pipe(talk, lines.encode(), monkeypatch) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("One.\nTwo.\nThree.\n", "")
    assert [m["content"] for m in json.loads(file.read_text())["messages"]] == ["Be long.", "2", "Three."]


def test_a_line_after_each_answer_tells_what_it_took(capsys):
    dialog(scripted("One."), "1")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "One."
    assert lines[1].startswith("[5 tokens, ")
    assert "tokens/s, the first after 0.0" in lines[1]
    assert sys.platform != "linux" or " MB of memory, " in lines[1]


@pytest.mark.parametrize(("answer", "expected"), [
    (Answer("", 0, "stopped"), "0 tokens; M; stopped"),
    (Answer("a", 1, "length", 0.5), "1 token, the first after 0.50 s; M; ended by --max-tokens"),
    (Answer("a b", 3, "context", 0.126, 0.5), "3 tokens, 4.0 tokens/s, the first after 0.13 s; M; ended: the context is full")],
)  # fmt: skip
def test_status(answer, expected, monkeypatch):
    monkeypatch.setattr(session, "process_memory", lambda: Memory(612_400_000, 1_640_000_000))
    assert status(answer) == expected.replace("M", "612 MB of memory, 1,640 MB at most")
    monkeypatch.setattr(session, "process_memory", lambda: Memory(None, None))
    assert status(answer) == expected.replace("M; ", "").replace("; M", "")


def test_memory_of_this_process():
    memory = process_memory()
    if sys.platform != "linux":
        pytest.skip("what /proc says is compared on Linux")
    assert 1e7 < memory.resident <= memory.peak
    kept = b"x" * 50_000_000
    assert process_memory().resident > memory.resident + 0.9 * len(kept)


def test_what_leaves_the_context_is_said(capsys, monkeypatch):
    talk = conversation(sampler=GREEDY, block_size=128)
    dialog(talk, *(f"Question {number}?" for number in range(8)))
    out = capsys.readouterr().out
    assert "[the context was full: the oldest " in out
    assert "; the system prompt stays.]" in out
    talk = conversation(sampler=GREEDY, block_size=128)
    pipe(talk, "".join(f"Question {number}?\n" for number in range(8)).encode(), monkeypatch)
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 8 or "\\x" in out or "\n" in "".join(e.answer for e in talk.exchanges)
    assert "minilm: the context was full: the oldest " in err


def test_control_characters_of_an_answer_do_not_act(capsys):
    dialog(scripted("\x1b[31mred\x07"), "1")
    assert capsys.readouterr().out.startswith("\\x1b[31mred\\x07\n")


def test_commands_in_a_terminal(capsys, tmp_path):
    talk = scripted("One.", "Two.")
    file = tmp_path / "chat.json"
    _, goes_on = dialog(
        talk, "/help", "1", "/retry", "/system", f"/save {file}", "/reset", "/quit", about={"model": "toy"}
    )
    out = capsys.readouterr().out
    assert goes_on == [True] * 6 + [False]
    for words in (*COMMANDS, "Two.", "System prompt: Be brief.", f"Written: {file}", "The conversation begins anew."):
        assert words in out
    content = json.loads(file.read_text(encoding="utf-8"))
    assert content["model"] == "toy"
    assert content["seed"] == 0
    assert content["temperature"] == 0.0
    roles = [("system", "Be brief."), ("user", "1"), ("assistant", "Two.")]
    assert content["messages"] == [{"role": role, "content": text} for role, text in roles]
    assert talk.exchanges == []


@pytest.mark.parametrize(("line", "message"), [
    ("/rety", "there is no command /rety; /help lists all. Did you mean /retry?"), ("/reset now", "/reset stands alone, got 'now'"),
    ("/retry", "there is no question yet"), ("/save notes.txt", "a file that ends in .json, got 'notes.txt'"), ("/save", "got ''"),
    ("/save {tmp}/none/a.json", "a.json"), ("/save {tmp}/folder.json", "folder.json"), ("/save a\0b.json", "a\\x00b.json"),
    ("/system " + "x y " * 500, "the system prompt is ")])  # fmt: skip
def test_commands_that_cannot_be_done(line, message, capsys, tmp_path):
    (tmp_path / "folder.json").mkdir()
    there, goes_on = dialog(scripted("One."), line.format(tmp=tmp_path), "1")
    out, err = capsys.readouterr()
    assert goes_on == [True, True]
    assert there.failed == 1
    assert message in err
    assert len(err.splitlines()) == 1
    assert out.startswith("One.\n")


@pytest.mark.parametrize("text", ["/etc/passwd holds what?", " /help", "/", "//", "/2", "a /reset"])
def test_a_text_with_a_slash_is_no_command(text):
    talk = scripted("One.")
    dialog(talk, text)
    assert talk.exchanges[0].question == text


def test_ctrl_c_ends_the_answer_and_the_second_one_the_program(capsys):
    talk = conversation(sampler=GREEDY, max_tokens=60)
    whole = said(conversation(sampler=GREEDY, max_tokens=60), "Hello.")
    there, presses = Session(talk, in_terminal=True), iter([3])
    write, pieces = there.write, []

    def pressing(text):
        pieces.append(text)
        write(text)
        if len(pieces) == next(presses, None) or len(pieces) == 3:
            signal.raise_signal(signal.SIGINT)

    there.write = pressing
    try:
        assert there.turn("Hello.")
    except KeyboardInterrupt:
        pytest.fail("the first Ctrl-C ended the program")
    assert talk.last.reason == "stopped"
    assert whole.startswith(talk.exchanges[0].answer)
    assert len(talk.exchanges[0].answer) < len(whole)
    assert "; stopped]" in capsys.readouterr().out

    def twice(text):
        there.write = write
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    there.write = twice
    with pytest.raises(KeyboardInterrupt):
        there.turn("And?")
    assert len(talk.exchanges) == 1
    with pytest.raises(KeyboardInterrupt):  # the usual handler is back
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_in_a_pipe_ends_the_program(monkeypatch):
    there = Session(conversation(), in_terminal=False)
    there.write = lambda text: signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        there.turn("Hello.")


def test_an_output_that_cannot_be_written_ends_it(monkeypatch):
    there = Session(scripted("One."), in_terminal=True)

    def fails(text):
        raise session.terminal.OutputError(28, "No space left on device")

    there.write = fails
    with pytest.raises(session.terminal.OutputError):
        there.turn("1")


# -- a terminal ------------------------------------------------------------------------------------------------------------

PROGRAM = """
import os, sys
os.open(os.ttyname(0), os.O_RDWR)  # the first terminal that a process without one opens is the one whose Ctrl-C it gets
from minilm.chat.session import Session
from tests.chat.test_conversation import scripted
talk = scripted(*sys.argv[1:])
try:
    Session(talk).run()
finally:
    print("QUESTIONS", [e.question for e in talk.exchanges])
"""
PASTED = "def f(x):\n    return x\n\n\twhat is it?\n"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
@pytest.mark.parametrize(("parts", "expected"), [
    (["1\n", "\n", "2\n", "\x04"], ["1", "2"]), ([PASTED, "/quit\n"], [PASTED[:-1]]),
    (["1\n", "\x03"], ["1"]), (["y" * 100_000 + "\n", "é😀\n", "\x04"], ["é😀"])],
    ids=["two turns", "many lines pasted", "Ctrl-C at the prompt", "a long line, and Unicode"])  # fmt: skip
def test_a_terminal(parts, expected):
    import pty

    fd, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "One.", "Two."], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        env={**os.environ, "INPUTRC": os.devnull, "TERM": "dumb", "PYTHONUTF8": "1"},
    ):  # fmt: skip
        os.close(theirs)
        seen = until(fd, "> ")
        for part in parts:
            threading.Thread(target=os.write, args=(fd, part.encode())).start()  # the terminal takes some at a time
            seen += until(fd, "> ")
        os.close(fd)
    assert f"QUESTIONS {expected!r}" in seen
    assert "Traceback" not in seen or "KeyboardInterrupt" in seen


def until(fd, mark, seconds=20.0):
    """What comes from a terminal until it ends with the mark, or the program ends."""
    got, end = b"", time.monotonic() + seconds
    while time.monotonic() < end and not got.endswith(mark.encode()):
        if select.select([fd], [], [], 0.1)[0]:
            try:
                got += os.read(fd, 65536)
            except OSError:  # the program has ended
                break
    return got.decode(errors="replace")
