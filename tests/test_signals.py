"""Signals wait while changes are made that belong together."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from minilm.signals import hold_signals, note_ctrl_c


@pytest.fixture(autouse=True)
def _ctrl_c():
    """Python's own handler of Ctrl-C, also where the tests run in the background of a shell, which has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def handled():
    """The signals that a handler of the test's own has got; afterwards all handlers are as before."""
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)]
    before, got = {s: signal.getsignal(s) for s in numbers}, []
    for s in numbers:
        signal.signal(s, lambda number, _frame: got.append(number))
    yield got
    for s, handler in before.items():
        signal.signal(s, handler)


def test_ctrl_c_comes_at_the_end():
    done = []
    with pytest.raises(KeyboardInterrupt):
        with hold_signals():
            signal.raise_signal(signal.SIGINT)
            done.append("after the signal")
        done.append("never")
    assert done == ["after the signal"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_every_handler_gets_its_signals_in_order(handled):
    with hold_signals():
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)
        assert handled == []
    assert handled == [signal.SIGTERM, signal.SIGINT, signal.SIGTERM]


def test_a_handler_that_raises_keeps_no_signal_from_the_others(handled):
    def fail(_number, _frame):
        raise ValueError("handler")

    signal.signal(signal.SIGTERM, fail)
    with pytest.raises(ValueError, match="handler"), hold_signals():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert handled == [signal.SIGINT]
    assert signal.getsignal(signal.SIGTERM) is fail


def test_an_error_inside_is_not_lost_and_handlers_are_restored(handled):
    mine = signal.getsignal(signal.SIGINT)
    with pytest.raises(MemoryError), hold_signals():
        signal.raise_signal(signal.SIGINT)
        raise MemoryError
    assert handled == [signal.SIGINT]
    assert signal.getsignal(signal.SIGINT) is mine


def test_held_within_held(handled):
    with hold_signals():
        with hold_signals():
            signal.raise_signal(signal.SIGINT)
        assert handled == []
    assert handled == [signal.SIGINT]


def test_a_handler_that_a_handler_sets_stays(handled):
    """The loop of training has one that gives its place back when it is called: the second Ctrl-C stops at once."""
    second = []

    def first(_number, _frame):
        signal.signal(signal.SIGINT, lambda number, _frame: second.append(number))

    signal.signal(signal.SIGINT, first)
    with hold_signals():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert second == [signal.SIGINT]
    assert signal.getsignal(signal.SIGINT) is not first


def test_ignored_signals_stay_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with hold_signals():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_holds_nothing_and_may_not(handled):
    seen = []

    def work():
        with hold_signals():
            seen.append(signal.getsignal(signal.SIGINT))

    mine = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [mine]


@pytest.mark.skipif(os.name == "nt", reason="a signal from another process is not that of raise_signal on Windows")
def test_ctrl_c_from_outside_between_any_two_lines(tmp_path):
    """A process whose two numbers change together, interrupted at once and again and again: they are never seen apart."""
    script = tmp_path / "work.py"
    script.write_text(
        "import signal, sys\n"
        "from minilm.signals import hold_signals, note_ctrl_c\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "a = b = stops = 0\n"
        "while stops < 20:\n"
        "    try:\n"
        "        print('working', flush=True)\n"
        "        while True:\n"
        "            with hold_signals():\n"
        "                a += 1\n"
        "                sum(range(200))\n"
        "                b += 1\n"
        "    except KeyboardInterrupt:\n"
        "        if a != b:\n"
        "            sys.exit(3)\n"
        "        stops += 1\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        while process.stdout.readline() == "working\n":
            time.sleep(0.002)
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_the_first_ctrl_c_is_noted_and_the_second_one_raises():
    with note_ctrl_c() as ctrl_c:
        assert not ctrl_c.pressed
        signal.raise_signal(signal.SIGINT)
        assert ctrl_c.pressed
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_where_ctrl_c_is_ignored_it_stays_so():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with note_ctrl_c() as ctrl_c:
        signal.raise_signal(signal.SIGINT)
        assert not ctrl_c.pressed
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_in_another_thread_nothing_is_noted():
    def other():
        with note_ctrl_c() as ctrl_c:
            pressed.append(ctrl_c.pressed)

    pressed = []
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert pressed == [False]
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
