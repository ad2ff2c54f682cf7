"""The command line for teachers: ``minilm classroom release``, ``grade``, ``regrade``, ``report``, ``comment``, ``export``."""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from minilm import options as kinds
from minilm.terminal import say


def add_parser(commands: Any) -> None:
    """Adds ``classroom`` and its commands."""
    p = commands.add_parser("classroom", help="hand out exercises, grade what comes back, and report")
    kinds.help_alone(p)
    classroom = p.add_subparsers(title="commands", metavar="COMMAND")
    _release_parser(classroom)
    _grade_parsers(classroom)
    _report_parsers(classroom)


def chapters(text: str) -> list[int]:
    """Chapters such as 1-5 or 1,3,4."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,3})(?:-([0-9]{1,3}))?", part.strip())
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise argparse.ArgumentTypeError(f"expected chapters such as 1-5 or 1,3,4, got {kinds.quoted(text)}")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return sorted(set(found))


def ids(text: str) -> list[str]:
    """Ids of tasks, such as 4.1,4.9."""
    found = [part.strip() for part in text.split(",")]
    if any(not re.fullmatch(r"[0-9]+\.[0-9]+", part) for part in found):
        raise argparse.ArgumentTypeError(f"expected ids of tasks such as 4.1,4.9, got {kinds.quoted(text)}")
    return found


def comment(text: str) -> str:
    """A text of at most 10,000 characters: it stands in a cell of a table."""
    if len(text) > 10_000:
        raise argparse.ArgumentTypeError(f"expected at most 10,000 characters, got {len(text):,}")
    return str(kinds.any_text(text))


def _release_parser(classroom: Any) -> None:
    p = classroom.add_parser(
        "release",
        help="write what students get, and apart from it solutions and rubrics",
        description="Write notebooks without solutions for students, and a folder for the teacher. Before anything is written, "
        "every stub is seen to fail and every solution to pass.",
    )
    p.set_defaults(command=run_release)
    p.add_argument("out", type=kinds.path, metavar="OUT", help="the release's folder, new or empty")
    p.add_argument(
        "--chapters", type=chapters, default=[], metavar="LIST", help="all tasks of these chapters, as 1-5 or 1,3"
    )
    p.add_argument("--tasks", type=ids, default=[], metavar="LIST", help="these tasks (too), as 4.1,4.9")
    p.add_argument("--course", type=kinds.any_text, metavar="NAME", help="the course's name; seeds depend on it")
    p.add_argument(
        "--students",
        type=kinds.path,
        metavar="CSV",
        help="the roster (columns id, name, email, ...): other numbers for each",
    )
    p.add_argument("--same-numbers", action="store_true", help="with --students: all get the same numbers")
    p.add_argument(
        "--own", type=kinds.path, metavar="FOLDER", help="Python files that define TASKS: your own, or mended ones"
    )
    p.add_argument("--nbgrader", action="store_true", help="write a course folder for nbgrader instead (extra: teach)")
    _jobs(p)


def _jobs(p: Any) -> None:
    p.add_argument("--jobs", type=kinds.integer(1, 256), metavar="N", help="processes (default: one per core)")


def _grade_parsers(classroom: Any) -> None:
    above = kinds.number("a number above 0", lambda x: x > 0)
    again = "An interrupted run goes on with the same command."
    for name, text, run in (
        ("grade", "grade all submissions", run_grade),
        ("regrade", "grade again what a mended test can have changed, and list who has other points", run_regrade),
    ):
        p = classroom.add_parser(
            name,
            help=text,
            description=f"{text.capitalize()}. {again}",
        )
        p.set_defaults(command=run)
        p.add_argument(
            "submissions", type=kinds.path, metavar="SUBMISSIONS",
            help="a folder with a folder or file per student, or an archive of Canvas, Moodle or Gradescope",
        )  # fmt: skip
        p.add_argument(
            "--out",
            type=kinds.path,
            metavar="CSV",
            help="the table; full results go into a folder beside it",
        )
        p.add_argument(
            "--release", type=kinds.path, metavar="FOLDER", help="the released course (default: found near SUBMISSIONS)"
        )
        p.add_argument(
            "--own", type=kinds.path, metavar="FOLDER", help="mended or own tasks, which come before those released"
        )
        p.add_argument(
            "--late",
            type=kinds.path,
            metavar="FILE",
            help="Python: def late(points, hours_late, student): return points",
        )
        p.add_argument("--due", type=kinds.some_text, metavar="TIME", help="when it was due, as 2026-12-01T23:59")
        p.add_argument(
            "--times", type=kinds.path, metavar="CSV", help="columns student and submitted: when each handed in"
        )
        p.add_argument("--manual", type=kinds.path, metavar="CSV", help="points for proofs and open questions")
        p.add_argument(
            "--time", type=above, default=10.0, metavar="S", help="seconds of computing per task (default 10)"
        )
        p.add_argument(
            "--memory", type=kinds.integer(64), default=1024, metavar="MIB", help="memory per task (default 1024)"
        )
        _jobs(p)
        if name == "regrade":
            p.add_argument("--since", type=kinds.path, metavar="OLD", help="the table of the earlier run")
            p.add_argument("--all", action="store_true", help="grade everything again")


def _report_parsers(classroom: Any) -> None:
    p = classroom.add_parser("report", help="pages of results: one for the class, one per student")
    p.set_defaults(command=run_report)
    p.add_argument("grades", type=kinds.path, metavar="GRADES", help="the table that `grade` wrote")
    p.add_argument("--out", type=kinds.path, metavar="FOLDER", help="a new folder for the pages")
    p = classroom.add_parser("comment", help="write a comment once, for all who made the same mistake")
    p.set_defaults(command=run_comment)
    p.add_argument("grades", type=kinds.path, metavar="GRADES", help="the table that `grade` wrote")
    p.add_argument("--text", type=comment, metavar="TEXT", help="the comment; it takes the place of an earlier one")
    p.add_argument("--cause", type=kinds.any_text, metavar="NAME", help="as in the report: sum-for-mean")
    p.add_argument("--task", type=kinds.any_text, metavar="ID", help="only in this task")
    p = classroom.add_parser("export", help="files for Canvas, Moodle or Gradescope")
    p.set_defaults(command=run_export)
    p.add_argument("grades", type=kinds.path, metavar="GRADES", help="the table that `grade` wrote")
    p.add_argument("--to", type=kinds.name_of("system", ("canvas", "moodle", "gradescope")), metavar="SYSTEM",
                   help="canvas, moodle or gradescope")  # fmt: skip
    p.add_argument("--out", type=kinds.path, metavar="PATH", help="a new file; for Gradescope a new folder")
    p.add_argument("--assignment", type=kinds.any_text, metavar="NAME", help="its name there (default: the course's)")
    p.add_argument("--release", type=kinds.path, metavar="FOLDER", help="the released course, for its roster")


def _needed(options: argparse.Namespace, *names: str) -> None:
    """Refuses a command line without these options: later than argparse would, so that a misspelt one is named first.

    Raises:
        UsageError: one is missing.
    """
    for name in names:
        if getattr(options, name) in (None, "") and (name != "text" or options.text is None):
            raise kinds.UsageError(f"--{name} is needed.\n`minilm classroom --help` lists the commands.")


def run_release(options: argparse.Namespace) -> int:
    """``minilm classroom release``"""
    from minilm import __version__
    from minilm.exercises.classroom import course, release, teach
    from minilm.exercises.classroom.workers import cores

    _needed(options, "course")
    if not options.chapters and not options.tasks and not options.own:
        raise ValueError("nothing to hand out: say which with --chapters, --tasks or --own.")
    own = options.own.absolute() if options.own else None
    if own:
        with kinds.named("--own"):
            course.own_tasks(own)
    with kinds.named("--chapters"):
        course.choose(options.chapters, [], own)
    with kinds.named("--tasks"):
        chosen = course.choose(options.chapters, options.tasks, own)
    students: tuple[course.Student, ...] = ()
    if options.students:
        with kinds.named("--students"):
            students = course.read_roster(options.students)
    individual = bool(students) and not options.same_numbers and not options.nbgrader
    made = course.Course(options.course, chosen, students, individual, own, release.today())
    write = teach.release if options.nbgrader else release.release
    write(options.out, made, __version__, options.jobs or cores(), say)
    say(f"{len(chosen)} tasks, {made.points} points: {options.out}")
    if options.nbgrader:
        say(f"Go on in that folder with:\n  nbgrader generate_assignment {teach.ASSIGNMENT}")
    else:
        whose = f", a folder for each of {len(students)} students" if individual else ""
        say(f"Give students {options.out / 'students'}{whose}. Keep {options.out / 'teacher'} to yourself.")
    return 0


def run_grade(options: argparse.Namespace) -> int:
    """``minilm classroom grade``"""
    return _mark(options, known={})[0]


def run_regrade(options: argparse.Namespace) -> int:
    """``minilm classroom regrade``"""
    from minilm.exercises.classroom import comments, marking, regrade
    from minilm.exercises.classroom.tables import write_table

    _needed(options, "out", "since")
    with kinds.named("--since"):
        old = marking.read_results(options.since)
        if lost := regrade.forgotten(old, bool(options.late), bool(options.manual)):
            raise ValueError(lost)
    status, course, marked = _mark(options, known={} if options.all else regrade.known(old))
    if status:
        return status
    comments.carry(options.since, options.out)
    parts = regrade.changed_parts(old, course)
    for id, differ in parts.items():
        say(f"changed since: {id}: {', '.join(differ)}")
    found = regrade.changes(old, marked, parts)
    listed = options.out.with_name(f"{options.out.stem}.changes.csv")
    write_table(listed, regrade.rows(found))
    for c in found:
        say(f"{c.student}  {c.task}  {c.before} -> {c.after}  ({c.shown_tests or 'no single test'}; {c.why})")
    people = len({c.student for c in found})
    say(f"{people} of {len(marked)} students have other points: {listed}" if found else "Nobody's points changed.")
    return 0


def _mark(options: argparse.Namespace, known: dict[str, Any]) -> tuple[int, Any, Sequence[Any]]:
    """Grades, writes, and says what a teacher must look at."""
    import dataclasses

    from minilm import __version__
    from minilm.exercises.classroom import course as courses
    from minilm.exercises.classroom import marking, submissions
    from minilm.exercises.classroom.journal import Journal
    from minilm.exercises.classroom.workers import cores

    _needed(options, "out")
    out: Path = options.out
    with kinds.named("--out"):
        if out.suffix != ".csv":
            raise ValueError(f"expected a file that ends in .csv, got {out}.")
        if out.exists():
            raise ValueError(
                f"{out} is there already, and nothing is written over: choose another --out, or remove it."
            )
    place = options.submissions
    with kinds.named("--release" if options.release else "SUBMISSIONS"):
        near = [options.release] if options.release else [place, place.absolute().parent, Path()]
        course = courses.load(courses.find_course(near))
    if options.own:
        with kinds.named("--own"):
            courses.own_tasks(options.own.absolute())
        course = dataclasses.replace(course, own=options.own.absolute())
    with kinds.named("--due"):
        due = submissions.read_time(options.due) if options.due else None
    with kinds.named("--late"):
        rule = marking.late_rule(options.late) if options.late else None
        if rule is not None and due is None:
            raise ValueError("how late somebody was counts from --due: give that, too.")
    with kinds.named("--times"):
        times = submissions.read_times(options.times, course) if options.times else {}
    with kinds.named("--manual"):
        manual = marking.read_manual(options.manual, course) if options.manual else {}
    with kinds.named("SUBMISSIONS"):
        found, problems = submissions.read(place, course)
    if not any(one.files for one in found):
        raise ValueError(
            f"{place} holds no notebook (.ipynb) and no Python file that could be assigned. {' '.join(problems[:3])}"
        )
    with kinds.named("--out"):
        out.parent.mkdir(parents=True, exist_ok=True)
        out.with_name(f"{out.stem}.journal.jsonl").touch()
    limits = marking.Limits(options.time, options.memory)
    with Journal(out.with_name(f"{out.stem}.journal.jsonl")) as journal:
        if journal.known:
            say(
                f"Going on: {len(journal.known)} answers are graded already{'; a half line was dropped' if journal.dropped else ''}."
            )
        for key, record in known.items():
            journal.known.setdefault(key, record)
        try:
            marked = marking.mark(course, found, journal, limits, options.jobs or cores(), _progress(), manual)
        except KeyboardInterrupt:
            say(
                f"\nInterrupted; {len(journal.known)} answers are graded, and nothing is lost. The same command goes on."
            )
            return 130, course, []
        marking.apply_late(marked, found, due, times, rule)
        marking.write(out, course, marked, problems, __version__)
        journal.close(remove=True)
    for problem in problems:
        say(f"not assigned: {problem}")
    missing = sum(not one.files for one in found)
    read = sum(record["status"] == "to read" for one in marked for record in one.records.values())
    say(f"{len(marked)} students, {missing} of whom handed in nothing: {out}")
    if read:
        say(
            f"{read} answer{'s wait' if read > 1 else ' waits'} for a teacher: fill in teacher/points.csv, and grade with --manual."
        )
    say(f"Look at them with:\n  minilm classroom report {out} --out report")
    return 0, course, marked


def _progress() -> Callable[[int, int], None]:
    """One line that changes in a terminal; elsewhere a line per tenth."""
    shown = -1

    def progress(done: int, all: int) -> None:
        nonlocal shown
        terminal = sys.stderr.isatty()
        part = done if terminal else done * 10 // max(all, 1)
        if part != shown:
            shown = part
            end = "\n" if not terminal or done == all else ""
            sys.stderr.write(f"{chr(13) if terminal else ''}{done} of {all} answers graded{end}")
            sys.stderr.flush()

    return progress


def run_report(options: argparse.Namespace) -> int:
    """``minilm classroom report``"""
    from minilm.exercises.classroom import comments, marking, report

    _needed(options, "out")
    with kinds.named("GRADES"):
        results = marking.read_results(options.grades)
    with kinds.named("--out"):
        report.write(options.out, results, comments.read(options.grades))
    say(
        f"The class: {options.out / 'index.html'}; a page for each of {len(results.students)} students in {options.out / 'students'}"
    )
    return 0


def run_comment(options: argparse.Namespace) -> int:
    """``minilm classroom comment``"""
    from minilm.exercises.classroom import comments, marking

    _needed(options, "cause", "text")
    with kinds.named("GRADES"):
        results = marking.read_results(options.grades)
    with kinds.named("--task" if options.task else "--cause"):
        reached = comments.add(options.grades, results, options.cause, options.text, options.task or "")
    say(
        f"The comment on {options.cause} reaches {reached} student{'s' * (reached != 1)}. `minilm classroom report` shows it."
    )
    return 0


def run_export(options: argparse.Namespace) -> int:
    """``minilm classroom export``"""
    from minilm.exercises.classroom import comments, exports, marking
    from minilm.exercises.classroom import course as courses

    _needed(options, "to", "out")
    grades: Path = options.grades
    with kinds.named("GRADES"):
        results = marking.read_results(grades)
    roster: tuple[courses.Student, ...] = ()
    near = [options.release] if options.release else [grades.absolute().parent, Path()]
    with contextlib.nullcontext() if options.release else contextlib.suppress(ValueError), kinds.named("--release"):
        roster = courses.load(courses.find_course(near)).students
    name = options.assignment or results.run["course"]
    with kinds.named("--out"):
        exports.write(options.to, options.out, results, roster, name, comments.read(grades))
    say(f"{options.to}: {options.out}")
    return 0
