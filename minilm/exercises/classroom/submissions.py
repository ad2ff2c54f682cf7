"""What students handed in, found in folders and archives of several layouts, and whose each file is.

Known layouts, each as a folder or as a zip archive:

- a folder or a file per student: ``ada/chapter-4.ipynb``, ``ada.ipynb``, ``ada/4.9.py``
- Canvas: ``lovelaceada_LATE_1815_4711_chapter-4.ipynb``: name, Canvas's numbers of the student and of the file, the file's own name
- Moodle: ``Ada Lovelace_1815_assignsubmission_file_/chapter-4.ipynb``
- Gradescope: ``submission_4711/chapter-4.ipynb`` with ``submission_metadata.yml``

A file that could be two students', and a student who is not in the roster, is reported and never guessed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import shutil
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath

from minilm.exercises.classroom.course import SAFE, Course, Student
from minilm.exercises.classroom.tables import read_table
from minilm.exercises.notebook import NotebookError, answers_in, read_text

MOST_FILES, MOST_BYTES = 50_000, 4 << 30  # of an archive, unpacked
IGNORED = ("__pycache__", "__MACOSX", "node_modules")
_CANVAS = re.compile(r"(?P<who>[^_]+)_(?P<late>LATE_)?(?P<user>\d+)_\d+_(?P<file>.+)", re.DOTALL)
_MOODLE = re.compile(r"(?P<who>.+)_(?P<user>\d+)_assignsubmission_[a-z]+_?(?P<file>.*)", re.DOTALL)
_GRADESCOPE = re.compile(r"submission_\d+")


@dataclass
class Submission:
    """What one student handed in.

    Attributes:
        student: whose it is.
        answers: the text of the answer to each task.
        sources: the file in which each answer was found.
        notes: what a teacher should know: files that could not be read, answers found twice.
        late: whether the system that was exported from calls it late.
        submitted: when, if it is known.
        moodle: Moodle's number of the participant, if it is known.
        files: how many files were looked at.
    """

    student: Student
    answers: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    late: bool = False
    submitted: datetime | None = None
    moodle: str = ""
    files: int = 0


@dataclass(frozen=True)
class _File:
    """A file, and what the layout says of it: under which names its student may be known."""

    path: Path
    shown: str
    whose: tuple[str, ...]
    number: str = ""
    kind: str = "folder"
    late: bool = False
    fault: str = ""


def read(place: Path, course: Course) -> tuple[list[Submission], list[str]]:
    """The submissions, one per student of the roster (without a roster: per name found), and what could not be assigned.

    Raises:
        ValueError: there is nothing at `place`, or an archive that is damaged or too large.
    """
    if not place.exists():
        raise ValueError(
            f"there is no folder or archive {place}: give the folder that holds a folder or file per student."
        )
    with contextlib.ExitStack() as stack:
        root = place
        if place.is_file():
            root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="minilm-")))
            _unpack(place, root)
        return _read_folder(root, course, stack)


def _read_folder(root: Path, course: Course, stack: contextlib.ExitStack) -> tuple[list[Submission], list[str]]:
    entries, problems = list(_entries(root, stack)), []
    metadata = _gradescope(root)
    found = {student.id: Submission(student) for student in course.students}
    for file in entries:
        submitters = metadata.get(file.whose[0]) if file.kind == "gradescope" else None
        if file.kind == "gradescope" and not submitters:
            problems.append(f"{file.shown}: submission_metadata.yml does not say who handed in {file.whose[0]}.")
            continue
        for names, when in submitters or [(file.whose, None)]:
            student = _student(names, file, course, problems)
            if student is None:
                continue
            one = found.setdefault(student.id, Submission(student))
            one.late, one.submitted = one.late or file.late, when or one.submitted
            one.moodle = file.number if file.kind == "moodle" else one.moodle
            _add(one, file, course)
    return [found[id] for id in sorted(found)], problems


def _student(names: Sequence[str], file: _File, course: Course, problems: list[str]) -> Student | None:
    if not course.students:
        name = next((n for n in names if SAFE.fullmatch(n) and ".." not in n), "") or _as_id(names[0])
        return Student(name, names[0])
    for fits in _ways(names, file):
        matches = [student for student in course.students if fits(student)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            ids = ", ".join(student.id for student in matches)
            problems.append(f"{file.shown}: could be {ids}; put it into a folder named after the student's id.")
            return None
    problems.append(
        f"{file.shown}: {names[0]!r} is no student of the roster; put it into a folder named after the student's id."
    )
    return None


def _ways(names: Sequence[str], file: _File) -> Iterator[Callable[[Student], bool]]:
    """Tests of a student, the surest first: a number or id; then the name, in either order."""
    given = {_plain(name) for name in names if name}
    if file.kind == "canvas":
        yield lambda s: bool(s.canvas) and s.canvas == file.number
    yield lambda s: s.id in names
    yield lambda s: bool({_plain(s.id), _plain(s.login), _plain(s.email)} & given - {""})
    yield lambda s: bool(_both_orders(s.name) & given)


def _plain(name: str) -> str:
    """A name without accents, case, blanks and signs, as Canvas writes it."""
    letters = unicodedata.normalize("NFKD", name).casefold()
    return "".join(c for c in letters if c.isalnum())


def _both_orders(name: str) -> set[str]:
    last, comma, first = name.partition(",")
    words = [*first.split(), *last.split()] if comma else name.split()
    return {_plain("".join(words)), _plain("".join([*words[-1:], *words[:-1]]))} - {""}


def _as_id(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._@-]+", "-", unicodedata.normalize("NFKD", name)).strip("-.")[:80] or "unnamed"


def _entries(root: Path, stack: contextlib.ExitStack) -> Iterator[_File]:
    """All files that can hold answers, with the names under which their student may be known."""
    inner = sorted(path for path in root.iterdir() if not _ignored(path))
    if len(inner) == 1 and inner[0].is_dir() and any(_GRADESCOPE.fullmatch(p.name) for p in inner[0].iterdir()):
        root, inner = inner[0], sorted(path for path in inner[0].iterdir() if not _ignored(path))
    for top in inner:
        if top.is_dir():
            yield from _of_folder(top, top.name, stack)
        elif top.suffix.lower() == ".zip":
            yield from _of_archive(top, top.name, top.stem, stack)
        elif _wanted(top):
            yield _named(top, top.name, top.stem if _whole(top.name) is None else top.name)


def _of_folder(top: Path, name: str, stack: contextlib.ExitStack) -> Iterator[_File]:
    for file in _within(top):
        shown = f"{name}/{file.relative_to(top).as_posix()}"
        if file.suffix.lower() == ".zip":
            yield from _of_archive(file, shown, name, stack)
        else:
            yield _named(file, shown, name)


def _of_archive(archive: Path, shown: str, name: str, stack: contextlib.ExitStack) -> Iterator[_File]:
    """The files of a student's own archive; one that is damaged is that student's trouble alone."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="minilm-")))
    try:
        _unpack(archive, folder)
    except ValueError as error:
        yield dataclasses.replace(_named(archive, shown, name), fault=str(error))
        return
    for part in _within(folder):
        yield _named(part, f"{shown}/{part.relative_to(folder).as_posix()}", name)


def _within(folder: Path) -> list[Path]:
    files = [path for path in folder.rglob("*") if not any(_ignored(p) for p in (path, *_above(path, folder)))]
    return sorted(path for path in files if _wanted(path) or (path.is_file() and path.suffix.lower() == ".zip"))


def _above(path: Path, folder: Path) -> list[Path]:
    return [parent for parent in path.parents if folder in parent.parents]


def _ignored(path: Path) -> bool:
    return path.name.startswith(".") or path.name in IGNORED or path.is_symlink()


def _wanted(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in (".py", ".ipynb")


def _whole(name: str) -> re.Match[str] | None:
    return _MOODLE.fullmatch(name) or _CANVAS.fullmatch(name)


def _named(path: Path, shown: str, name: str) -> _File:
    """What a folder's or file's name says of the student."""
    if match := _MOODLE.fullmatch(name):
        return _File(path, shown, (match["who"],), match["user"], "moodle")
    if match := _CANVAS.fullmatch(name):
        return _File(path, shown, (match["who"],), match["user"], "canvas", bool(match["late"]))
    if _GRADESCOPE.fullmatch(name):
        return _File(path, shown, (name,), "", "gradescope")
    return _File(path, shown, (name,))


def _gradescope(root: Path) -> dict[str, list[tuple[tuple[str, ...], datetime | None]]]:
    """Gradescope's submission_metadata.yml: folder -> (id, email, name) and time of each submitter.

    It is read line by line, as it is written: names of two levels, strings perhaps in quotes. No library for YAML is needed.
    """
    paths = [*root.glob("submission_metadata.yml"), *root.glob("*/submission_metadata.yml")]
    found: dict[str, list[tuple[tuple[str, ...], datetime | None]]] = {}
    if not paths:
        return found
    people: list[dict[str, str]] = []
    folder = ""
    when: datetime | None = None

    def close() -> None:
        if folder:
            found[folder] = [
                (tuple(p[k] for k in (":sid", ":email", ":name") if p.get(k)) or ("",), when) for p in people
            ]

    for line in [*paths[0].read_text(encoding="utf-8", errors="replace").splitlines()]:
        if match := re.match(r"(submission_\d+):\s*$", line):
            close()
            folder, people, when = match[1], [], None
        elif match := re.match(r"\s*(- )?(:name|:sid|:email):\s*(.*)$", line):
            if match[1]:
                people.append({})
            if people:
                people[-1][match[2]] = match[3].strip().strip("'\"")
        elif match := re.match(r"  :created_at:\s*['\"]?(.+?)['\"]?\s*$", line):
            with contextlib.suppress(ValueError):
                when = read_time(match[1])
    close()
    return found


def read_time(text: str) -> datetime:
    """An ISO date and time, such as 2026-12-01 23:59 or with an offset; without one it is local time.

    Raises:
        ValueError: it is none.
    """
    text = re.sub(r"(\d)\s+([+-]\d\d:?\d\d)$", r"\1\2", text.strip().replace("Z", "+00:00").replace(" UTC", "+00:00"))
    text = re.sub(r"\.\d+", "", text)
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise ValueError(f"expected a date and time such as 2026-12-01T23:59, got {text!r}") from None


def read_times(path: Path, course: Course) -> dict[str, datetime]:
    """Student -> time of submission, from a CSV with the columns student and submitted.

    Raises:
        ValueError: a time cannot be read, or a student is not in the roster.
    """
    times = {}
    known = {student.id for student in course.students}
    for line, row in enumerate(read_table(path, ["student", "submitted"], "table of times"), start=2):
        if known and row["student"] not in known:
            raise ValueError(f"{path}, line {line}: there is no student {row['student']!r} in the roster.")
        try:
            times[row["student"]] = read_time(row["submitted"])
        except ValueError as error:
            raise ValueError(f"{path}, line {line}: {error}.") from None
    return times


def _add(one: Submission, file: _File, course: Course) -> None:
    """Takes over the answers of a file. Of two different answers to one task, neither is chosen silently: the later name counts."""
    one.files += 1
    if isinstance(answers := _answers(file, course), str):
        one.notes.append(f"{file.shown}: {answers}")
        return
    for task, text in answers.items():
        if task not in course.ids:
            continue
        if task in one.answers and one.answers[task] != text:
            one.notes.append(f"{task} was found twice; {file.shown} counts, {one.sources[task]} does not.")
        one.answers[task], one.sources[task] = text, file.shown


def _answers(file: _File, course: Course) -> dict[str, str] | str:
    """The answers of a file, or why there are none."""
    if file.fault:
        return file.fault
    name = match["file"] if (match := _whole(file.path.name)) and match["file"] else file.path.name
    try:
        if found := answers_in(file.path):
            return found
        if file.path.suffix.lower() == ".py":
            text = read_text(file.path)
            if match := re.match(r"(?:task[-_ ]?)?(\d+)[._](\d+)(?:[-_ (].*)?\.py$", name, re.IGNORECASE):
                return {f"{match[1]}.{match[2]}": text}
            if by_name := _by_definition(text, course):
                return by_name
    except NotebookError as error:
        return str(error).replace(str(file.path), "it")
    return "no answer found in it: it has neither the cells of the course's notebook nor lines such as `# task 4.9`."


def _by_definition(text: str, course: Course) -> dict[str, str]:
    """A Python file without marks answers those tasks whose name it defines, where no other task has that name."""
    defined = set(re.findall(r"^(?:def|class)\s+(\w+)", text, re.MULTILINE))
    names = [task.name for task in course.tasks]
    return {task.id: text for task in course.tasks if task.name in defined and names.count(task.name) == 1}


def _unpack(archive: Path, folder: Path) -> None:
    """Unpacks a zip archive into an empty folder: regular files only, nothing outside, and not without end.

    Raises:
        ValueError: it is no zip archive, is damaged, or holds too much.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [member for member in packed.infolist() if not member.is_dir()]
            if len(members) > MOST_FILES or sum(member.file_size for member in members) > MOST_BYTES:
                raise ValueError(
                    f"{archive.name} holds more than {MOST_FILES:,} files or {MOST_BYTES >> 30} GiB: unpack it yourself."
                )
            for member in members:
                parts = PurePosixPath(member.filename.replace("\\", "/")).parts
                if ".." in parts or member.filename.startswith(("/", "\\")) or ":" in parts[0]:
                    continue
                target = folder.joinpath(*parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(member) as source, open(target, "wb") as out:
                    shutil.copyfileobj(source, out)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise ValueError(f"{archive.name} cannot be unpacked: {error}.") from None
