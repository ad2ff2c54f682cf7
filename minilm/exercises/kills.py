"""Write the test: what a student's test finds. It is given the right function and wrong versions of it, and marked by those it refuses.

The order of the subjects: the right function, the wrong versions as the task has them, and the right one twice more, since a test that
draws at random may pass once and not the next time.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from minilm.exercises import bugs, run
from minilm.exercises.code import first_definition, run_text
from minilm.exercises.perform import Ran, Trouble, call
from minilm.exercises.task import Task, Test, Wrong

AGAIN = 2
Ask = Callable[[str | None, list[str]], "list[Ran] | Trouble"]
CALLED = "minilm calls "
_TRACED = """
def _traced(_function):
    import numpy
    def short(x):
        text = repr(x)
        return text if len(text) <= 200 else type(x).__name__ + " of shape " + str(getattr(x, "shape", len(text)))
    def traced(*args, **kwargs):
        given = [short(x) for x in args] + [name + "=" + short(x) for name, x in kwargs.items()]
        print("\\n{called}" + _function.__name__ + "(" + ", ".join(" ".join(x.split()) for x in given) + ")")
        return _function(*args, **kwargs)
    return traced
{name} = _traced({name})
"""


@dataclass
class TestFound:
    """What one test function of the student's did.

    Attributes:
        name: its name.
        refused: what it raised for the right function; None where it passed it.
        unsteady: whether it passed the right function at one time and not at another.
        raised: for each wrong version what it raised; None where it found nothing wrong.
    """

    __test__ = False

    name: str
    refused: Trouble | None = None
    unsteady: bool = False
    raised: list[Trouble | None] = field(default_factory=list)


@dataclass
class Report:
    """What a student's tests found in all.

    Attributes:
        task: the exercise.
        tests: one per test function.
        trouble: why they could not be run at all.
        called: the last call of the right function before a test refused it.
    """

    task: Task
    tests: list[TestFound] = field(default_factory=list)
    trouble: Trouble | None = None
    called: str = ""

    @property
    def refusal(self) -> TestFound | None:
        """The first test that refuses the right function. The answer earns nothing then: such a test cries wolf."""
        return next((test for test in self.tests if test.refused), None)

    @property
    def kills(self) -> dict[str, bool]:
        """The name of each wrong version, and whether it was found."""
        there = self.tests if self.refusal is None else []
        return {name: any(test.raised[i] for test in there) for i, name in enumerate(names(self.task))}

    @property
    def found_by(self) -> dict[str, list[str]]:
        """The name of each test, and the names of the wrong versions that it finds; empty where it is one test, or one refuses."""
        if self.refusal or len(self.tests) < 2:
            return {}
        given = names(self.task)
        return {
            test.name: [name for name, raised in zip(given, test.raised, strict=True) if raised] for test in self.tests
        }

    @property
    def idle(self) -> list[str]:
        """The tests that find nothing."""
        return [test.name for test in self.tests if not test.refused and not any(test.raised)]

    def says(self) -> tuple[str, str, str, str]:
        """A word for statistics, what is wrong, what shows it, what to look at: of the first thing to mend; empty if there is none."""
        if refusing := self.refusal:
            return self._refused(refusing)
        alive = [i for i, killed in enumerate(self.kills.values()) if not killed]
        if not alive:
            return "", "", "", ""
        wrong = self.task.wrong[alive[0]]
        subject = first_definition(self.task.subject)
        what = (
            f"{len(alive)} wrong version{'s live' if len(alive) > 1 else ' lives'} on: your test passes {subject} and"
        )
        shows = f"version {alive[0] + 1} of {len(self.task.wrong)} alike"
        return names(self.task)[alive[0]], f"{what} {shows}.", "", _hint(wrong)

    def _refused(self, test: TestFound) -> tuple[str, str, str, str]:
        trouble = test.refused
        assert trouble is not None
        subject = first_definition(self.task.subject)
        if test.unsteady:
            what = f"{test.name} refuses the right {subject} at one time and passes it at another."
            look = "Draw random numbers from np.random.default_rng(0), and leave room for rounding."
        elif trouble.kind == "AssertionError":
            what = f"{test.name} refuses the right {subject}."
            look = "Compute by hand what the right function gives here, and leave room for rounding (np.allclose)."
        else:
            what = f"{test.name} fails on the right {subject}: {_kind(trouble)}."
            look = f"A test calls {subject}, compares, and returns if all is well."
        shows = [f"Line {trouble.line[0]}: {trouble.line[1]}."] if trouble.line else []
        said = trouble.message.rstrip(".").partition("\n")[0]
        shows += [f"{trouble.kind}: {said}." if trouble.kind[0].isupper() else f"{said}."] if said else []
        shows += [f"The last call before it: {self.called}."] if self.called else []
        return "unsteady test" if test.unsteady else "right function refused", what, " ".join(shows), look

    def lines(self, told: bool = False) -> list[str]:
        """A line for each wrong version that was found, with the tests that found it, and one for those that live on.

        Args:
            told: whether those that live on are named, too: after the solution was shown.
        """
        several = len(self.tests) > 1
        found = self.kills
        rows = []
        for i, (name, killed) in enumerate(found.items()):
            if not killed and not told:
                continue
            by = [test for test in self.tests if test.raised[i]] if killed else []
            how = ", ".join(_by(test, i, several) for test in by if _by(test, i, several))
            mark = "found" if killed else "alive"
            rows.append(f"{mark}  {title(self.task, name)}{f' ({how})' if how else ''}")
        alive = len(found) - sum(found.values())
        if alive and not told:
            rows.append(f"alive  {alive} of {len(found)}")
        rows += [f"{name} finds nothing" for name in self.idle if several]
        return rows

    def matrix(self, told: bool = False) -> list[list[str]]:
        """Which test found which bug: a row per test, after a row of heads; "x" where it found it."""
        heads = [title(self.task, name) if told or killed else "?" for name, killed in self.kills.items()]
        return [["", *heads], *([t.name, *("x" if raised else "" for raised in t.raised)] for t in self.tests)]


def names(task: Task) -> list[str]:
    """A name for each wrong version, all of them different: the bug's, with a number where it stands for two."""
    given: list[str] = []
    for i, wrong in enumerate(task.wrong):
        name = wrong.bug or f"version-{i + 1}"
        given.append(name if name not in given else f"{name}-{i + 1}")
    return given


def title(task: Task, name: str) -> str:
    """What a wrong version does, in one line."""
    wrong = task.wrong[names(task).index(name)]
    bug = bugs.find(wrong.bug)
    return wrong.why.rstrip(".") if wrong.why else bug.title if bug else name


def subjects(task: Task) -> list[str]:
    """Texts of what the test is given, each with the set-up."""
    right, *wrong = run.subjects_of(task)
    return [right, *wrong, *[right] * AGAIN]


def traced(task: Task) -> str:
    """The right function, which prints each call. It is given to a test that refuses it, to show the call that did not suit."""
    name = first_definition(task.subject)
    return task.setup + task.subject + _TRACED.replace("{called}", CALLED).replace("{name}", name)


def last_call(printed: str) -> str:
    """The last call that `traced` printed."""
    calls = [line for line in printed.splitlines() if line.startswith(CALLED)]
    return calls[-1].removeprefix(CALLED) if calls else ""


def tests_in(task: Task, text: str) -> dict[str, str]:
    """The test functions of an answer: name -> the text with which this one stands under the task's name.

    A test function is one whose name begins with "test" and that can be called with the subject alone. Where there is none, the text
    as it is, so that what runs it can say what is missing.
    """
    try:
        body = ast.parse(text).body
    except SyntaxError:
        return {task.name: text}
    there = [node for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test")]
    found = [node.name for node in there if _takes_one(node.args)]
    if not found or found == [task.name]:
        return {task.name: text}
    end = "" if text.endswith("\n") else "\n"
    return {name: f"{text}{end}{task.name} = {name}\n" for name in found}


def find(task: Task, text: str | None, ask: Ask) -> Report:
    """Runs each test function of an answer with all subjects, and reports.

    Args:
        text: the answer; None for a live object, which is one test function.
        ask: ``ask(text, subjects)`` runs the task's test as that text has it (None: the live object), in a process of its own, and
            gives one `Ran` per subject, or why it cannot be run.
    """
    there: Mapping[str, str | None] = {task.name: None} if text is None else tests_in(task, text)
    right, *rest = subjects(task)
    rans: dict[str, Sequence[Ran] | Trouble] = {}
    for name, part in there.items():
        first = rans[name] = ask(part, [right])
        if isinstance(first, Trouble):
            continue
        if not first[0].trouble:
            others = ask(part, rest)
            rans[name] = others if isinstance(others, Trouble) else [*first, *others]
    report = judge(task, rans)
    if report.refusal:
        again = ask(there[report.refusal.name], [traced(task)])
        report.called = "" if isinstance(again, Trouble) else last_call(again[0].printed)
    return report


def perform(task: Task, test: Any, texts: Sequence[str]) -> list[Ran]:
    """Calls a test with each subject, in this process."""
    asked = Test("the student's test")
    spaces = [run_text(text, f"<subject of {task.id}>") for text in texts]
    return [call(test, asked, (space[first_definition(task.subject)],)) for space in spaces]


def judge(task: Task, rans: Mapping[str, Sequence[Ran] | Trouble]) -> Report:
    """The report, from what each test function did with the subjects.

    Args:
        rans: name of the test function -> one `Ran` per subject, or why it could not be run. Where it refuses the right function, the
            first one is enough.
    """
    report = Report(task)
    for name, ran in rans.items():
        if isinstance(ran, Trouble):
            report.trouble = report.trouble or ran
            continue
        right = [ran[0].trouble, *(r.trouble for r in ran[1 + len(task.wrong) :])]
        raised = [_asked(r.trouble) for r in ran[1 : 1 + len(task.wrong)]] or [None] * len(task.wrong)
        refused = next((trouble for trouble in right if trouble), None)
        report.tests.append(TestFound(name, refused, refused is not None and None in right, raised))
    return report


def _asked(trouble: Trouble | None) -> Trouble | None:
    """None for a version that the test was not given any more, because the time was over: it found nothing there."""
    return None if trouble and trouble.message.startswith("not asked") else trouble


def _takes_one(args: ast.arguments) -> bool:
    plain = len(args.posonlyargs) + len(args.args)
    return (plain >= 1 or args.vararg is not None) and plain - len(args.defaults) <= 1 and None not in args.kw_defaults


def _by(test: TestFound, i: int, several: bool) -> str:
    """How a test found a version: its name where there are several, and what it raised, if that is no assertion."""
    trouble = test.raised[i]
    what = "" if trouble is None or trouble.kind == "AssertionError" else f"{_kind(trouble)}, not an assertion"
    return ": ".join(filter(None, [test.name if several else "", what]))


def _kind(trouble: Trouble) -> str:
    own = {
        "time": "it did not end in time",
        "recursion": "it called itself without end",
        "memory": "it ran out of memory",
    }
    return own.get(
        trouble.kind, f"it raised {trouble.kind}" if trouble.kind[:1].isupper() else f"it ended by {trouble.kind}"
    )


def _hint(wrong: Wrong) -> str:
    """How a living bug would show; what it is remains to be found."""
    bug = bugs.find(wrong.bug)
    if wrong.look:
        return wrong.look
    return f"How it shows: {bug.shows}" if bug else "Try other sizes, and inputs that are far from the ones you have."
