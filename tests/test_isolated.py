"""Another process that has minilm, and nothing of the current folder."""

import os
import signal
import sys

import pytest

from minilm import isolated


def test_modules_are_looked_for_where_they_are_here_but_not_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), "/somewhere", str(tmp_path / ".")])
    assert isolated.module_path() == ["/somewhere"]


def test_the_current_folder_comes_last_where_what_is_needed_lies_in_it(tmp_path, monkeypatch):
    (tmp_path / "own_net.py").write_text("x = 1")
    (tmp_path / "own_nets").mkdir()
    (tmp_path / "own_nets" / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    for name in ("own_net", "own_nets"):
        __import__(name)
        assert isolated.module_path([name])[-1] == os.path.realpath(tmp_path)
        assert isolated.module_path(["minilm.text", "json", "no_such_module"]).count(os.path.realpath(tmp_path)) == 0
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="this system has no masks of signals")
def test_ctrl_c_waits_while_a_process_begins(monkeypatch):
    """It comes to this process behind that, and never to the other one."""
    got, blocked = [], []

    def begin(*_, **__):
        signal.raise_signal(signal.SIGINT)
        blocked.append(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
        blocked.append(bool(got))

    monkeypatch.setattr(isolated.subprocess, "Popen", begin)
    before = signal.signal(signal.SIGINT, lambda *_: got.append("Ctrl-C"))
    try:
        isolated.start("minilm.pipeline.serve", [])
    finally:
        signal.signal(signal.SIGINT, before)
    assert blocked == [True, False]
    assert got == ["Ctrl-C"]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.slow
def test_a_process_runs_main_of_a_module_with_its_arguments(tmp_path, monkeypatch):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "says.py").write_text(
        "import os, sys\n"
        "def main():\n"
        "    import random, minilm\n"
        "    print(sys.stdin.read(), sys.argv[1:], random.__file__, minilm.__file__, os.environ['OPENBLAS_NUM_THREADS'])\n"
    )
    for name in ("random.py", "json.py"):
        (tmp_path / name).write_text("raise RuntimeError('mine')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = isolated.start("says", [str(folder)], ["one", "two words"])
    told = process.communicate(b"asked")[0].decode()
    assert process.returncode == 0
    assert told.startswith("asked ['one', 'two words']")
    assert str(tmp_path / "random.py") not in told
    assert os.path.dirname(isolated.__file__) in told
    assert told.endswith("1\n")


@pytest.mark.slow
def test_what_it_says_can_go_to_a_file_and_its_status_is_what_main_returns(tmp_path):
    (tmp_path / "fails.py").write_text(
        "import sys\ndef main():\n    print(repr(sys.stdin.read()))\n    print('why', file=sys.stderr)\n    return 3\n"
    )
    with open(tmp_path / "log.txt", "wb") as log:
        process = isolated.start("fails", [str(tmp_path)], output=log)
    assert process.wait() == 3
    assert sorted((tmp_path / "log.txt").read_text().split()) == ["''", "why"]
