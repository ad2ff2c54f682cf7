"""The suite finds classic bugs: each of `mutants/`, put into a copy of the sources, makes a test fail.

The table is checked in every run; the bugs themselves take minutes: ``pytest -m slow -s tests/test_mutants.py``.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from tests.mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parent.parent
PASSED, FAILED, NOT_IMPORTED = 0, 1, 70

# Runs pytest on the copy in the working directory, once the mutated module has been imported from there: a bug that cannot
# be imported would fail every test, and a copy that is not what is imported none.
PROGRAM = f"""
import importlib, pathlib, sys, traceback
try:
    module = importlib.import_module(sys.argv[1])
    assert pathlib.Path.cwd() in pathlib.Path(module.__file__).parents, module.__file__
except BaseException:
    traceback.print_exc()
    sys.exit({NOT_IMPORTED})
import pytest
sys.exit(pytest.main(sys.argv[2:]))
"""


def can_run(mutant):
    """Whether the package is installed that the bug's tests need."""
    return mutant.needs is None or importlib.util.find_spec(mutant.needs) is not None


def copy_sources(folder):
    """The package, its tests and their settings."""
    for name in ("minilm", "tests"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "pyproject.toml", folder)


@contextmanager
def put_in(mutant, folder):
    """Replaces the fragment in a copy of the sources, and puts it back."""
    path = folder / mutant.file
    source = path.read_text(encoding="utf-8")
    assert source.count(mutant.old) == 1, f"{mutant.file} does not hold this fragment once: {mutant.old}"
    compiled = Path(cache_from_source(str(path)))  # of the code without the bug, and then of that with it
    try:
        path.write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")
        compiled.unlink(missing_ok=True)
        yield
    finally:
        path.write_text(source, encoding="utf-8")
        compiled.unlink(missing_ok=True)


def run(tests, folder, module="minilm"):
    """The exit status of pytest on a copy of the sources, and what it printed."""
    out = ("PYTEST_", "PYTHONDONTWRITEBYTECODE")  # what is compiled serves the next bug, too
    environment = {name: value for name, value in os.environ.items() if not name.startswith(out)}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    options = ["-x", "-rfE", "--tb=no", "-p", "no:cacheprovider", "-m", "not book and not browser"]  # slow ones, too
    options.append(f"--basetemp={folder}-files")  # its own: in the shared one two runs clear away each other's folders
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, module, *options, *tests],
        cwd=folder, env=environment, timeout=600, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.returncode, done.stdout.decode(errors="replace")  # a bug may print any byte


def run_with(mutant, folder):
    """The same, with a bug in the copy."""
    with put_in(mutant, folder):
        return run(mutant.tests.split(), folder, module_of(mutant.file))


def module_of(file):
    """The module of a source; of a script that lies in a package, that package."""
    path = Path(file)
    return ".".join((path.with_suffix("") if path.suffix == ".py" else path.parent).parts)


def failed_test(output):
    """The node id of the test that failed; None where something else went wrong, such as a fixture."""
    found = re.search(r"^FAILED (\S+::.*?)(?: - |$)", output, re.MULTILINE)
    return found and found[1]


def test_every_fragment_occurs_once():
    counts = {m.name: (ROOT / m.file).read_text(encoding="utf-8").count(m.old) for m in MUTANTS}
    assert {name: count for name, count in counts.items() if count != 1} == {}


@pytest.mark.slow
def test_every_bug_is_code_and_changes_something(tmp_path):
    for m in MUTANTS:
        assert m.new != m.old, m.name
        text = (ROOT / m.file).read_text(encoding="utf-8").replace(m.old, m.new)
        if m.file.endswith(".py"):
            compile(text, f"{m.file}: {m.name}", "exec")
        elif node := shutil.which("node"):  # whose tests are skipped without it, too
            (tmp_path / "script.js").write_text(text, encoding="utf-8")
            subprocess.run([node, "--check", tmp_path / "script.js"], check=True)


def test_every_test_that_is_named_is_there():
    missing = [
        test
        for m in MUTANTS
        for test in m.tests.split()
        for file, *_, name in [test.partition("[")[0].split("::")]
        if not re.search(rf"\bdef {name}\(", (ROOT / file).read_text(encoding="utf-8"))
    ]
    assert missing == []


def test_there_are_many_bugs_under_different_names():
    assert len(MUTANTS) >= 100
    assert [name for name, count in Counter(m.name for m in MUTANTS).items() if count > 1] == []


@pytest.fixture(scope="module")
def table():
    """Which test found which bug; printed at the end (shown with -s)."""
    rows = []
    yield rows
    width = max((len(name) for name, _ in rows), default=0)
    print("\n", *(f"{name:{width}}  {test}" for name, test in rows), sep="\n")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the sources, which each bug leaves as it was."""
    folder = tmp_path_factory.mktemp("copy")
    copy_sources(folder)
    return folder


@pytest.mark.slow
def test_without_a_bug_the_same_tests_pass(copy):
    status, output = run(list(dict.fromkeys(test for m in MUTANTS if can_run(m) for test in m.tests.split())), copy)
    assert status == PASSED, output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("new", "expected"),
    [("return bool(modes.grad)", PASSED), ("return modes.grad +", NOT_IMPORTED)],
    ids=["no bug", "no Python"],
)
def test_what_is_no_bug_is_not_said_to_be_found(new, expected, copy):
    mutant = Mutant(
        "none", "minilm/graph.py", "return modes.grad", new, "tests/test_graph.py::TestModes::test_detach_cuts"
    )
    assert run_with(mutant, copy)[0] == expected


@pytest.mark.slow
@pytest.mark.parametrize("mutant", [pytest.param(m, id=m.name) for m in MUTANTS])
def test_the_suite_finds(mutant, copy, table):
    if not can_run(mutant):
        pytest.skip(f"{mutant.needs} is not installed")
    status, output = run_with(mutant, copy)
    assert status == FAILED, f"the bug survived (or broke the run: status {status})\n{output}"
    test = failed_test(output)
    assert test, output
    table.append((mutant.name, test))
