"""Answers that do harm: each is told, and the process that asked goes on."""

import contextlib
import dataclasses
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from minilm.exercises import run as running
from minilm.exercises import tasks
from minilm.exercises.child import Limits
from minilm.exercises.perform import Trouble
from minilm.exercises.run import Answer, kills, run, subjects_of
from minilm.exercises.task import Task, Test, Wrong
from minilm.exercises.values import Other

pytestmark = pytest.mark.host
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
BEYOND = Path(
    "/tmp", f"minilm-not-here-{os.getpid()}"
)  # no other run of these tests meets what a broken fence let through
QUICK = Limits(seconds=0.2, total=2.0, waiting=20.0)  # waiting: the machine may be busy with other tests


@pytest.fixture(autouse=True)
def beyond():
    yield
    BEYOND.unlink(missing_ok=True)


def double(f, x):
    return f(x)


TASK = Task(
    id="4.98", title="Twice", kind="code", minutes=10, difficulty=1, practises="", statement="", name="f",
    solution="def f(x):\n    return 2 * x\n",
    tests=(Test("three", lambda rng: (rng.standard_normal(3),)), Test("five", lambda rng: (rng.standard_normal(5),), use=double)),
)  # fmt: skip
RANDOM = Task(
    id="4.97", title="Draw", kind="code", minutes=10, difficulty=1, practises="", statement="", name="f",
    solution="def f(rng, g):\n    return rng.random()\n", tests=(Test("one", lambda rng: (rng, abs)),),
)  # fmt: skip


def outcome(text, task=TASK, way="fork", limits=QUICK):
    """The first call's Ran, or the Trouble that kept it from beginning."""
    rans = run(task, Answer(text), None, limits, way=way)
    return rans if isinstance(rans, Trouble) else rans[0]


def body(*lines):
    return "import os, sys, time, signal, threading\nimport numpy as np\ndef f(x):\n" + "".join(
        f"    {line}\n" for line in lines
    )


@pytest.mark.parametrize("way", ["fork", pytest.param("fresh", marks=pytest.mark.slow)])
def test_three_ways_give_the_same(way):
    task = tasks.find("4.9")
    for answer in (task.solution, task.stub, "x = 1", "layer_norm_backward = 3", "def ("):
        rans = run(task, Answer(answer), 3, QUICK, way=way)
        here = run(task, Answer(answer), 3, QUICK, way="here")
        assert type(rans) is type(here)
        if isinstance(rans, Trouble):
            assert rans == here
            continue
        assert [r.trouble for r in rans] == [r.trouble for r in here]
        for a, b in zip(rans, here, strict=True):
            for x, y in zip(a.value or (), b.value or (), strict=True):
                np.testing.assert_allclose(x, y)
                assert x.dtype == y.dtype


# name -> (lines of the function, the kind of its trouble, its line). A kind may be one of several, as systems differ.
HARM = {
    "a loop": (["while True:", "    x = x"], "time", {"while True:", "x = x"}),
    "a loop that catches": (["while True:", "    try:", "        x = x", "    except BaseException:", "        pass"], "time", None),
    "waiting": (["time.sleep(100)"], "time", {"time.sleep(100)"}),
    "waiting for a lock": (["l = threading.Lock(); l.acquire()", "l.acquire()"], "time", {"l.acquire()"}),
    "a long call in C": (["return pow(7, 10**8)"], "time", {"return pow(7, 10**8)"}),
    "signals ignored": (["for s in range(1, 32):", "    try:", "        signal.signal(s, signal.SIG_IGN)", "    except OSError:",
                         "        pass", "while True: pass"], "time", None),
    "timers taken out": (["signal.setitimer(signal.ITIMER_PROF, 0)", "import faulthandler; faulthandler.cancel_dump_traceback_later()",
                          "while True: pass"], "time", None),
    "the clock replaced": (["time.time = time.perf_counter = time.monotonic = time.process_time = lambda: 0", "while True: pass"],
                           "time", {"while True: pass"}),
    "tracing": (["sys.settrace(lambda *a: None); sys.setprofile(lambda *a: None)", "while True: pass"], "time", {"while True: pass"}),
    "a thread and a loop": (["threading.Thread(target=time.sleep, args=(100,)).start()", "while True: pass"], "time",
                            {"while True: pass"}),
    "recursion": (["return f(x)"], "recursion", {"return f(x)"}),
    "exit": (["exit()"], "exit", {"exit()"}),
    "sys.exit": (["sys.exit(3)"], "exit", {"sys.exit(3)"}),
    "SystemExit": (["raise SystemExit"], "exit", {"raise SystemExit"}),
    "os._exit": (["os._exit(0)"], "exit", None),
    "KeyboardInterrupt": (["raise KeyboardInterrupt"], "KeyboardInterrupt", {"raise KeyboardInterrupt"}),
    "interrupts itself": (["os.kill(os.getpid(), signal.SIGINT)", "time.sleep(100)"], "KeyboardInterrupt", None),
    "kills itself": (["os.kill(os.getpid(), signal.SIGSEGV)"], "killed", {"os.kill(os.getpid(), signal.SIGSEGV)"}),
    "aborts": (["os.abort()"], "killed", {"os.abort()"}),
    "a wild pointer": (["import ctypes; ctypes.string_at(0)"], "killed", {"import ctypes; ctypes.string_at(0)"}),
    "signals its parent": (["os.kill(os.getppid(), 0)"], "PermissionError", {"os.kill(os.getppid(), 0)"}),
    "input": (["return input('x? ')"], "input", {"return input('x? ')"}),
    "standard input": (["return sys.stdin.readline()"], "input", {"return sys.stdin.readline()"}),
    "printing for ever": (["while True: print('a' * 100000)"], "output", {"while True: print('a' * 100000)"}),
    "removes a file": ([f"os.remove('{BEYOND}')"], "PermissionError", {f"os.remove('{BEYOND}')"}),
    "writes elsewhere": ([f"open('{BEYOND}', 'w')"], "PermissionError", None),
    "a socket": (["import socket; socket.create_connection(('localhost', 1))"], "PermissionError", None),
    "reads the solutions": (["import minilm.exercises.tasks as t; return open(os.path.dirname(t.__file__) + '/chapter4/norms.py').read()"],
                            "PermissionError", None),
    "a repr that loops": (["class A:", "    def __repr__(self):", "        while True: pass", "return A()"], "time", {"while True: pass"}),
    "closes descriptors": (["os.closerange(0, 100)", "return x"], ("stream", "OSError", "exit"), None),
    "writes among the notes": (["for i in range(3, 60):", "    try: os.write(i, b'[\"end\"]\\n{\\xff')", "    except OSError: pass",
                                "return x"], "stream", None),
    "a forged result": (["for i in range(3, 60):", "    try: os.write(i, b'[\"ran\", 0, {}]\\n')", "    except OSError: pass"],
                        "stream", None),
}  # fmt: skip


SLOW = [name for name, (_, kind, _) in HARM.items() if kind == "time" and name not in ("a loop", "a loop that catches")]


@needs_fork
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in HARM])
def test_harm_is_told_with_its_line(name):
    lines, kind, line = HARM[name]
    start = time.monotonic()
    ran = outcome(body(*lines))
    trouble = ran if isinstance(ran, Trouble) else ran.trouble
    assert trouble is not None, ran
    assert trouble.kind in ((kind,) if isinstance(kind, str) else kind), trouble
    if line is not None:
        assert trouble.line is not None, trouble
        assert trouble.line[1] in line, trouble
        assert trouble.where in ("f", "__repr__")
    assert time.monotonic() - start < 30
    assert not BEYOND.exists()


@needs_fork
@pytest.mark.parametrize(
    "name",
    ["a loop", "os._exit", "input", "recursion", "signals ignored", "writes among the notes", "closes descriptors"],
)
@pytest.mark.slow
def test_harm_in_a_fresh_process(name):
    lines, kind, _ = HARM[name]
    text = (
        body(*lines)
        .replace("def f(x):", "def layer_norm_backward(x, *_):")
        .replace("return f(x)", "return layer_norm_backward(x)")
    )
    ran = outcome(text, tasks.find("4.9"), "fresh")
    assert ran.trouble.kind in ((kind,) if isinstance(kind, str) else kind)


@needs_fork
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds to the limit of address space")
@pytest.mark.parametrize(
    "line", ["return np.ones(1 << 40)", "return [0] * (1 << 40)", "y = []\n    while True: y.append(bytes(1 << 26))"]
)
def test_memory(line):
    ran = outcome(
        body(line), limits=Limits(seconds=5.0, total=5.0, waiting=20.0)
    )  # a busy machine hands out memory slowly
    assert ran.trouble.kind == "memory"
    assert ran.trouble.line[1] in line


@needs_fork
@pytest.mark.slow
def test_a_recursion_without_python_s_limit():
    text = body("sys.setrecursionlimit(10**9)", "return f(x)")
    assert outcome(text).trouble.kind in ("killed", "memory", "recursion", "time")
    text = body("sys.setrecursionlimit(10**9)", "y = []", "for i in range(10**6): y = [y]", "return repr(y)")
    assert outcome(text).trouble.kind in ("killed", "memory", "recursion", "time")


@pytest.mark.slow
def test_the_tests_after_one_that_did_not_end_are_not_asked():
    first, second = run(
        TASK, Answer(body("while len(x) == 3: pass", "return x")), None, Limits(seconds=0.2, total=2.0, waiting=50.0)
    )
    assert first.trouble.message == "no result after 0.2 s"
    assert first.trouble.kind == second.trouble.kind == "time"
    assert "not asked" in second.trouble.message
    first, second = run(TASK, Answer(body("while len(x) == 5: pass", "return x")), None, QUICK)
    assert first.trouble is None
    assert (second.trouble.kind, second.trouble.line[0]) == ("time", 4)


def test_a_second_call_that_does_not_end():
    text = "seen = []\ndef f(x):\n    seen.append(1)\n    while len(seen) > 2: pass\n    return 2 * x\n"
    first, second = run(TASK, Answer(text), None, QUICK, way="fork")
    assert first.trouble is second.trouble is None
    assert first.again_trouble.kind == "time"
    assert second.again is None


def test_what_the_text_does_outside_of_its_function():
    for text, kind, line in (
        ("while True: pass\n", "time", (1, "while True: pass")),
        ("x = 1\nexit()\n", "exit", (2, "exit()")),
        ("import os\nos._exit(1)\n", "exit", None),
        ("def f(x)\n", "SyntaxError", (1, "def f(x)")),
        ("1 / 0\n", "ZeroDivisionError", (1, "1 / 0")),
        ("input()\n", "input", (1, "input()")),
    ):
        trouble = outcome(text)
        assert isinstance(trouble, Trouble)
        assert (trouble.kind, trouble.line) == (kind, line)


@needs_fork
def test_what_is_no_harm_is_noted():
    ran = outcome(body(
        "print('ä', end='')", "sys.stdout.buffer.write(b'\\xff\\n')", "os.write(1, b'lost')",
        "with open('a.txt', 'w') as a: a.write('b')", "np.mean = abs", "import warnings; warnings.warn('so so')",
        "if os.fork() == 0: time.sleep(100)", "threading.Thread(target=time.sleep, args=(9,)).start()", "x[0] = 1", "return x[1:]",
    ))  # fmt: skip
    assert ran.trouble is None
    assert ran.printed == "ä\\xff\n"
    assert ran.changed == [0]
    assert ran.shares == [0]
    assert ran.warned == [
        "UserWarning: so so, in line 9: import warnings; warnings.warn('so so')",
        "ThreadLeft: 1 thread still runs after the call", "FileWritten: a.txt", "NumPyChanged: np.mean was replaced",
        "ProcessLeft: a process that the answer started still runs",
    ]  # fmt: skip
    assert np.mean is not abs


@needs_fork
def test_a_process_that_was_left_is_ended(tmp_path):
    reader, writer = os.pipe()
    text = body("p = os.fork()", "if p == 0:", "    import ctypes", "    time.sleep(100)", "print(p)", "return 2 * x")
    ran = outcome(text)
    os.close(reader)
    os.close(writer)
    pid = int(ran.printed)
    for _ in range(100):
        if not Path(f"/proc/{pid}/cmdline").exists() or Path(f"/proc/{pid}/cmdline").read_bytes() == b"":
            break
        time.sleep(0.01)
    else:
        pytest.fail("it still runs")


@pytest.mark.parametrize(("line", "kind"), [
    ("iter(int, 1)", "callable_iterator"), ("(i for i in iter(int, 1))", "generator"), ("f", "function"),
    ("open('a', 'w')", "TextIOWrapper"),
])  # fmt: skip
def test_results_that_cannot_travel_are_named(line, kind):
    ran = outcome(body(f"return {line}"))
    assert isinstance(ran.value, Other)
    assert ran.value.type == kind


def test_a_result_that_refuses_to_be_looked_at():
    names = "__eq__ = __len__ = __array__ = __bool__ = __repr__ = __hash__"
    ran = outcome(f"class A:\n    def no(self, *_): raise ValueError\n    {names} = no\ndef f(x): return [A(), x]\n")
    assert ran.trouble is None
    assert ran.value[0] == Other("A", "<A, whose repr raises ValueError>")


def test_an_exception_that_refuses_to_be_shown():
    ran = outcome("class A(Exception):\n    def __str__(self): raise ValueError\ndef f(x): raise A\n")
    assert (ran.trouble.kind, ran.trouble.message) == ("A", "")


def test_random_numbers_are_noted():
    ran = outcome("def f(rng, g): return g(-rng.random())\n", RANDOM)
    assert (ran.drawn, ran.global_random, ran.trouble) == ([0], False, None)
    ran = outcome("import numpy as np, random\ndef f(rng, g): return np.random.rand()\n", RANDOM)
    assert (ran.drawn, ran.global_random) == ([], True)
    ran = outcome("import random\ndef f(rng, g): return random.random()\n", RANDOM)
    assert (ran.drawn, ran.global_random) == ([], True)


def test_the_second_call():
    first, second = run(TASK, Answer("n = 0\ndef f(x):\n    global n\n    n += 1\n    return n\n"), way="fork")
    assert (first.value, second.value, first.again, second.again) == (1, 2, 3, 4)


# --- live objects ------------------------------------------------------------------------------------------------------------------

FACTOR = np.array(2.0)


def helper(x):
    return FACTOR * x


def twice(x):
    return helper(x)


class Twice:
    def __init__(self, x):
        self.value = helper(x)


@needs_fork
def test_a_live_function_runs_as_it_is():
    secret = []

    def f(x):
        secret.append(1)
        os.environ["MINILM_SEEN"] = "1"
        return 2 * x

    before = os.getcwd()
    rans = run(TASK, Answer(value=f), way="fork")
    assert [r.trouble for r in rans] == [None, None]
    assert rans[1].value.shape == (5,)
    assert not secret
    assert "MINILM_SEEN" not in os.environ
    assert os.getcwd() == before


@needs_fork
def test_a_live_function_s_line_is_found():
    def f(x):
        while True:
            x = x + 1

    ran = run(TASK, Answer(value=f), None, QUICK, way="fork")[0]
    assert ran.trouble.kind == "time"
    assert ran.trouble.line[1] in ("while True:", "x = x + 1")

    def g(x):
        return x[7]

    ran = run(TASK, Answer(value=g), None, QUICK, way="fork")[0]
    assert (ran.trouble.kind, ran.trouble.line[1], ran.trouble.where) == ("IndexError", "return x[7]", "g")


@needs_fork
def test_a_notebook_s_own_input_is_not_asked(monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt="": "from the kernel")
    ran = run(TASK, Answer(value=lambda x: input("x? ")), None, QUICK, way="fork")[0]
    assert ran.trouble.kind == "input"


def test_a_live_function_from_its_source():
    rans = run(TASK, Answer(value=twice), way="fork")
    fresh = running._Run(TASK, Answer(value=twice), None, QUICK, "tests", [0.0, 0.0])
    text = running.source.of(twice, "f")
    again = run(TASK, Answer(text), way="fork")
    assert fresh._way() in ("fork", "fresh")
    for a, b in zip(rans, again, strict=True):
        np.testing.assert_array_equal(a.value, b.value)


def test_here_an_answer_may_take_twenty_times_as_long_as_the_solution(monkeypatch):
    def f(x):
        end = time.perf_counter() + 0.1
        while time.perf_counter() < end:
            pass
        return double(lambda x: 2 * x, x)

    limits = Limits(seconds=0.01, waiting=1.0)
    for took, kind in ((0.0, "time"), (0.1, None)):
        slow = [dataclasses.replace(ran, seconds=took) for ran in running.expected(TASK)]
        monkeypatch.setattr(running, "expected", lambda task, seed, slow=slow: slow)
        first = run(TASK, Answer(value=f), None, limits, way="here")[0]
        assert (first.trouble and first.trouble.kind) == kind
        monkeypatch.undo()


def test_here_a_loop_ends():
    def f(x):
        while True:
            with contextlib.suppress(Exception):
                x = x + 1

    start = time.monotonic()
    rans = run(TASK, Answer(value=f), None, Limits(seconds=0.1, waiting=2.0), way="here")
    assert [r.trouble.kind for r in rans] == ["time", "time"]
    assert time.monotonic() - start < 5
    assert sys.gettrace() is None or "coverage" in sys.modules


def test_what_is_no_function():
    assert run(TASK, Answer(value=3)).kind == "no function"


def test_a_notebook_that_replaced_a_function_of_numpy(monkeypatch):
    monkeypatch.setattr(np, "mean", lambda x: 0)
    trouble = run(TASK, Answer(value=twice))
    assert trouble.kind == "numpy"
    assert "np.mean" in trouble.message


@needs_fork
def test_threads_of_the_parent_are_no_matter(recwarn):
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        a = np.ones((300, 300), np.float32)
        ran = run(TASK, Answer(value=lambda x: (a @ a)[0, 0] * x), way="fork")[0]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert ran.trouble is None
    assert not recwarn.list


@needs_fork
def test_no_process_and_no_descriptor_is_left():
    before = sorted(os.listdir("/dev/fd"))
    for text in (body("while True: pass"), body("return 2 * x"), "1/0", body("os.closerange(0, 99)")):
        outcome(text)
    assert sorted(os.listdir("/dev/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@needs_fork
def test_ctrl_c_ends_the_answer_and_reaches_the_caller():
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run(TASK, Answer(body("while True: pass")), None, Limits(seconds=20, total=20))
    timer.join()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


# --- write the test ----------------------------------------------------------------------------------------------------------------

WRITE = Task(
    id="4.96", title="Test it", kind="write the test", minutes=10, difficulty=1, practises="", statement="", name="test",
    solution="", subject="def g(n):\n    i = 0\n    while i < n:\n        i += 1\n    return i\n",
    wrong=(Wrong("", "return i", "return i + 1"), Wrong("", "i += 1", "i += 0"), Wrong("", "i = 0", "i = 1")),
)  # fmt: skip


@pytest.mark.parametrize("way", ["fork", "here"])
def test_a_student_s_test_meets_each_subject(way):
    if way == "here":
        text = "def test(g):\n    assert g(3) == 3\n    assert g(0) == 0\n"
        rans = kills(WRITE, Answer(text), [*subjects_of(WRITE)[:2], subjects_of(WRITE)[3]], None, QUICK, way="here")
        assert [r.trouble and r.trouble.kind for r in rans] == [None, "AssertionError", "AssertionError"]
        return
    text = "def test(g):\n    assert g(3) == 3\n"
    rans = kills(WRITE, Answer(text), subjects_of(WRITE), None, QUICK, way=way)
    assert [r.trouble and r.trouble.kind for r in rans] == [None, "AssertionError", "time", None]
    assert rans[1].trouble.line == (2, "assert g(3) == 3")


def test_a_student_s_test_cannot_read_its_subject():
    text = "import inspect\ndef test(g):\n    inspect.getsource(g)\n"
    rans = kills(WRITE, Answer(text), subjects_of(WRITE), None, QUICK, way="fork")
    assert {r.trouble.kind for r in rans} == {"OSError"}


def test_a_part_of_the_tests_in_a_fresh_process():
    whole = tasks.find("4.9")
    task = dataclasses.replace(whole, tests=tuple(test for test in whole.tests if not test.hidden))
    assert running._is_entered(task)
    assert not running._is_entered(TASK)
    rans = run(task, Answer(whole.solution), None, QUICK, way="fresh")
    assert [r.trouble for r in rans] == [None] * len(task.tests)


def test_what_is_expected_is_kept_and_made_anew_for_another_task():
    assert running.expected(TASK) is running.expected(dataclasses.replace(TASK))
    other = dataclasses.replace(TASK, solution="def f(x):\n    return 3 * x\n")
    assert not np.array_equal(running.expected(other)[0].value, running.expected(TASK)[0].value)


# --- here, as in a page ------------------------------------------------------------------------------------------------------------


def test_here_nobody_types():
    before = input, sys.stdin
    for line in ("return input('how many? ')", "return sys.stdin.read()"):
        assert outcome(body(line), way="here").trouble.kind == "input"
    assert (input, sys.stdin) == before


def test_here_a_recursion_ends_before_the_stack_of_a_page():
    """Also one that goes through C; and the line that is told is the call, not the line that begins with def."""
    limit = sys.getrecursionlimit()
    for line in ("return f(x)", "return np.vectorize(lambda y: f(y), otypes=[float])(x)", "return list(map(f, [x]))"):
        trouble = outcome(body("deep.append(1)", line) + "deep = []\n", way="here").trouble
        assert (trouble.kind, trouble.message) == ("recursion", "maximum recursion depth exceeded")
        assert trouble.line[1] in (line, "deep.append(1)")
    assert sys.getrecursionlimit() == limit
    assert outcome(body("return f(x[:-1]) + x[0] if len(x) > 1 else 2 * x"), way="here").trouble is None
    assert running.DEEPEST < 250


@pytest.mark.parametrize("way", ["here", "fork"])
def test_an_array_too_large_for_addresses_is_memory(way):
    trouble = outcome(body("return np.ones((2**30,) * 3)"), way=way).trouble
    assert trouble.kind == "memory"
