"""Pages of results, one for the class and one per student: HTML without scripts, that loads nothing and prints well."""

from __future__ import annotations

import html
import statistics
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from minilm import style
from minilm.exercises.classroom.charts import bar, histogram
from minilm.exercises.classroom.comments import Comments, cause_of, comment_on
from minilm.exercises.classroom.marking import Results
from minilm.files import atomic_write

HARDEST = 5
OFTEN = 12  # causes that are shown at once
STARTS = ("passed: ", "failed: ", "found: ", "Cause: ", "Likely cause: ", "Evidence: ", "Look at: ", "Try next: ")
STYLE = f"""
:root {{ color-scheme: light dark; --paper: #ffffff; --ink: {style.INK}; --soft: #595959; --line: {style.GRID}; --card: #f6f6f4;
  --bar: {style.BLUE}; --link: {style.NEGATIVE}; --good: #00694d; --bad: #a84300; }}
@media (prefers-color-scheme: dark) {{ :root {{ --paper: #16181b; --ink: #ececea; --soft: #b4b4b0; --line: #43474d; --card: #20242a;
  --bar: {style.SKY}; --link: #8fc9f0; --good: #4fd1a5; --bad: #ffa766; }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }}
h1 {{ font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; }}
h2 {{ font-size: 1.2rem; margin: 2.25rem 0 .5rem; }}
h3 {{ font-size: 1rem; margin: 0; }}
a {{ color: var(--link); }}
.soft {{ color: var(--soft); }}
.figures {{ display: flex; flex-wrap: wrap; gap: .75rem; padding: 0; margin: 1rem 0; list-style: none; }}
.figures li {{ background: var(--card); border-radius: .5rem; padding: .5rem .9rem; }}
.figures b {{ display: block; font-size: 1.35rem; line-height: 1.3; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; font-size: .94rem; }}
th, td {{ text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }}
th {{ color: var(--soft); font-weight: 600; white-space: nowrap; }}
td.n, th.n {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }}
svg text {{ fill: var(--soft); font: 11px system-ui, sans-serif; }}
.chart {{ width: 100%; max-width: 27rem; height: auto; }}
.share {{ width: 6.5rem; height: .65rem; vertical-align: middle; }}
.bar {{ fill: var(--bar); }} .rest {{ fill: var(--line); }} .axis {{ stroke: var(--soft); }}
pre {{ background: var(--card); border-radius: .5rem; padding: .75rem; overflow-x: auto; white-space: pre-wrap;
  font: .85rem/1.45 ui-monospace, Consolas, monospace; }}
.task {{ border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; margin: .75rem 0; }}
.task header b {{ white-space: nowrap; }}
.task header {{ display: flex; gap: 1rem; justify-content: space-between; align-items: baseline; }}
.good {{ color: var(--good); }} .bad {{ color: var(--bad); }}
.comment {{ border-left: 4px solid var(--bar); padding: .1rem 0 .1rem .75rem; margin: .75rem 0; white-space: pre-line; }}
summary {{ cursor: pointer; padding: .25rem 0; }} td summary {{ padding: 0; white-space: nowrap; }}
@media (max-width: 40rem) {{ pre {{ overflow-wrap: anywhere; font-size: .8rem; }} .figures li {{ flex: 1 1 40%; }}
  td {{ min-width: 8rem; }} td.n {{ min-width: 0; }} }}
@media print {{ body {{ max-width: none; }} .task, tr {{ break-inside: avoid; }} details:not([open]) {{ display: none; }} }}
"""


def write(out: Path, results: Results, comments: Comments) -> None:
    """Writes the pages into a new folder: index.html for the teacher, and students/ID.html, which name no other student.

    Raises:
        ValueError: the folder is there already, and not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is there already, and nothing is written over: choose a new folder.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".report-", dir=out.parent) as temporary:
        made = Path(temporary) / "report"
        (made / "students").mkdir(parents=True)
        _save(made / "index.html", class_page(results, comments))
        for student in results.students:
            _save(made / "students" / f"{student['student']}.html", student_page(student, results.run, comments))
        if out.exists():
            out.rmdir()
        made.rename(out)


# --- the class -----------------------------------------------------------------------------------------------------------------------


def class_page(results: Results, comments: Comments) -> str:
    """The page for the teacher."""
    students, tasks = results.students, results.run["tasks"]
    name = html.escape(results.run["course"])
    if not students:
        return _page(f"{name}: results", f"<h1>{name}</h1><p>There are no submissions.</p>")
    points, of = [float(s["points"]) for s in students], max(s["of"] for s in students)
    handed = sum(any(r["status"] != "missing" for r in s["tasks"].values()) for s in students)
    figures = [
        (f"{handed} of {len(students)}", "handed something in"),
        (f"{statistics.median(points):g}", f"median of {of} points"),
        (f"{statistics.fmean(points):.1f}", "mean"),
    ]
    if len(points) > 1:
        low, _, high = statistics.quantiles(points, n=4)
        figures.append((f"{round(low, 1):g} to {round(high, 1):g}", "the middle half"))
    parts = [
        f"<h1>{name}</h1>",
        '<ul class="figures">' + "".join(f"<li><b>{a}</b>{b}</li>" for a, b in figures) + "</ul>",
        "<h2>Points</h2>" + histogram(points, of, "Students by points"),
        _waiting(students),
        _tasks_table(students, tasks),
        _hardest(students, tasks),
        _causes_table(students, comments),
        _tests(students, tasks),
        _students_table(students, of),
        _time(results.seconds),
        _problems(results.run.get("problems", [])),
    ]
    return _page(f"{name}: results", "\n".join(part for part in parts if part))


def _of_task(students: Sequence[dict[str, Any]], id: str) -> list[dict[str, Any]]:
    """The records of those who answered."""
    return [
        s["tasks"][id] for s in students if id in s["tasks"] and s["tasks"][id]["status"] not in ("missing", "to read")
    ]


def _share(records: Sequence[dict[str, Any]]) -> float:
    """Points earned, as a share of those to be had."""
    of = sum(r["of"] for r in records)
    return sum(r["points"] for r in records) / of if of else 0.0


def _tasks_table(students: Sequence[dict[str, Any]], tasks: dict[str, Any]) -> str:
    rows = []
    for id, task in tasks.items():
        records = _of_task(students, id)
        whole = sum(r["points"] == r["of"] for r in records)
        causes = Counter(name for r in records if (name := cause_of(r))).most_common(1)
        often = f"{html.escape(causes[0][0])} ({causes[0][1]})" if causes else ""
        share, of = _share(records), records[0]["of"] if records else 0
        rate = bar(whole / len(records), f"{whole} of {len(records)} passed") if records else ""
        percent = f"{100 * whole / len(records):.0f} %" if records else "–"
        mean = f"{share * of:.1f} of {of}" if records else "–"
        rows.append(
            f'<tr><td class="n">{html.escape(id)}</td><td>{html.escape(task["title"])}</td><td class="n">{len(records)}</td>'
            f'<td>{rate}</td><td class="n">{percent}</td><td class="n">{mean}</td><td>{often}</td></tr>'
        )
    head = (
        '<tr><th class="n">Task</th><th>Title</th><th class="n">Answers</th><th colspan="2">Whole points</th>'
        '<th class="n">Mean</th><th>Most frequent cause</th></tr>'
    )
    return f"<h2>Tasks</h2>{_scroll('Tasks', head, rows)}"


def _hardest(students: Sequence[dict[str, Any]], tasks: dict[str, Any]) -> str:
    shares = [(_share(records), id) for id in tasks if (records := _of_task(students, id))]
    rows = [
        f"<li>{html.escape(id)} {html.escape(tasks[id]['title'])}: {100 * share:.0f} % of its points were earned</li>"
        for share, id in sorted(shares)[:HARDEST]
        if share < 1
    ]
    return f"<h2>Hardest</h2><ol>{''.join(rows)}</ol>" if rows else ""


def _causes_table(students: Sequence[dict[str, Any]], comments: Comments) -> str:
    found: dict[str, list[tuple[dict[str, Any], str]]] = defaultdict(list)
    unknown = 0
    for student in students:
        for id, record in student["tasks"].items():
            if name := cause_of(record):
                found[name].append((student, id))
            elif record["status"] == "graded" and record["points"] < record["of"]:
                unknown += 1
    rows = []
    for name, cases in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        people = {s["student"]: s for s, _ in cases}
        ids = ", ".join(sorted({id for _, id in cases}, key=_by_number))
        said = next((text for (cause, _), text in comments.items() if cause == name), "")
        links = ", ".join(_link(s) for s in people.values())
        who = f"<details><summary>{len(people)} students</summary>{links}</details>" if len(people) > 3 else links
        rows.append(
            f'<tr><td class="n">{len(cases)}</td><td>{html.escape(name)}{_sentence(cases)}</td><td>{html.escape(ids)}</td><td>{who}</td>'
            f"<td>{html.escape(said)}</td></tr>"
        )
    if not rows and not unknown:
        return ""
    head = '<tr><th class="n">Answers</th><th>Cause</th><th>In</th><th>Whose</th><th>Your comment</th></tr>'
    rest = f'<p class="soft">{unknown} wrong answers have no cause that the evidence carries.</p>' if unknown else ""
    how = '<p class="soft">A comment written once reaches all: <code>minilm classroom comment GRADES --cause NAME --text "..."</code></p>'
    shown = _scroll("Causes", head, rows[:OFTEN]) if rows else ""
    if seldom := rows[OFTEN:]:
        shown += f"<details><summary>{len(seldom)} more</summary>{_scroll('More causes', head, seldom)}</details>"
    return f"<h2>Causes</h2>{shown}{rest}{how}"


def _sentence(cases: Sequence[tuple[dict[str, Any], str]]) -> str:
    """What the students read of a cause, where all read the same."""
    said = {(s["tasks"][id].get("cause") or {}).get("says", "") for s, id in cases}
    return f'<div class="soft">{html.escape(said.pop())}</div>' if len(said) == 1 else ""


def _tests(students: Sequence[dict[str, Any]], tasks: dict[str, Any]) -> str:
    parts = []
    for id, task in tasks.items():
        records = [r for r in _of_task(students, id) if r["tests"]]
        names = list(dict.fromkeys(test["name"] for r in records for test in r["tests"]))
        rows = []
        for name in names:
            given = [test for r in records for test in r["tests"] if test["name"] == name]
            passed = sum(test["points"] == test["of"] for test in given)
            hidden = " (hidden)" if given[0]["hidden"] else ""
            rows.append(
                f"<tr><td>{html.escape(name)}{hidden}</td><td>{bar(passed / len(given), f'{passed} of {len(given)} passed')}</td>"
                f'<td class="n">{passed} of {len(given)}</td></tr>'
            )
        if rows:
            head = '<tr><th>Test</th><th>Passed</th><th class="n">Answers</th></tr>'
            title = f"{html.escape(id)} {html.escape(task['title'])}"
            parts.append(f"<details><summary>{title}</summary>{_scroll(f'Tests of {id}', head, rows)}</details>")
    return f"<h2>Tests</h2>{''.join(parts)}" if parts else ""


def _students_table(students: Sequence[dict[str, Any]], of: int) -> str:
    rows = []
    namesakes = Counter(s["name"] for s in students)
    for s in sorted(students, key=lambda s: (s["name"].casefold(), s["student"])):
        answered = sum(r["status"] not in ("missing",) for r in s["tasks"].values())
        late = f"{s['hours_late']:g} h late, {s['raw']:g} before the rule" if s["hours_late"] else ""
        notes = html.escape(" ".join(filter(None, [late, *s["notes"]])))
        share = bar(s["points"] / of if of else 0, f"{s['points']:g} of {of} points")
        rows.append(
            f'<tr><td>{_link(s)}{_id_of_namesake(s, namesakes)}</td><td class="n">{answered} of {len(s["tasks"])}</td>'
            f'<td class="n">{s["points"]:g}</td>'
            f"<td>{share}</td><td>{notes}</td></tr>"
        )
    head = '<tr><th>Name</th><th class="n">Answers</th><th class="n">Points</th><th>Share</th><th>Notes</th></tr>'
    return f"<h2>Students</h2>{_scroll('Students', head, rows)}"


def _id_of_namesake(student: dict[str, Any], namesakes: Counter[str]) -> str:
    return f' <span class="soft">{html.escape(student["student"])}</span>' if namesakes[student["name"]] > 1 else ""


def _link(student: dict[str, Any]) -> str:
    return f'<a href="students/{html.escape(student["student"])}.html">{html.escape(student["name"])}</a>'


def _waiting(students: Sequence[dict[str, Any]]) -> str:
    waiting = sum(r["status"] == "to read" for s in students for r in s["tasks"].values())
    return f'<p class="bad">{waiting} answers wait for a teacher, and have no points yet.</p>' if waiting else ""


def _time(seconds: dict[str, dict[str, float]]) -> str:
    by_task: dict[str, list[float]] = defaultdict(list)
    for given in seconds.values():
        for id, value in given.items():
            by_task[id].append(value)
    if not by_task:
        return ""
    rows = []
    for id, values in sorted(by_task.items(), key=lambda item: -max(item[1])):
        middle, longest = statistics.median(values), max(values)
        rows.append(
            f'<tr><td class="n">{html.escape(id)}</td><td class="n">{middle:.2f}</td><td class="n">{longest:.2f}</td></tr>'
        )
    head = '<tr><th class="n">Task</th><th class="n">Median (s)</th><th class="n">Longest (s)</th></tr>'
    return (
        f"<h2>Time that grading took</h2><details><summary>Per answer</summary>{_scroll('Time', head, rows)}</details>"
    )


def _problems(problems: Iterable[str]) -> str:
    items = "".join(f"<li>{html.escape(problem)}</li>" for problem in problems)
    return f"<h2>Not assigned</h2><ul>{items}</ul>" if items else ""


def _by_number(id: str) -> tuple[int, ...]:
    return tuple(int(part) for part in id.split(".") if part.isdecimal())


# --- a student -----------------------------------------------------------------------------------------------------------------------


def student_page(student: dict[str, Any], run: dict[str, Any], comments: Comments) -> str:
    """The page that a student gets: points, the grader's messages, the teacher's comments."""
    name, course = html.escape(student["name"]), html.escape(run["course"])
    late = (
        f", {student['hours_late']:g} hours late: {student['raw']:g} before the late rule"
        if student["hours_late"]
        else ""
    )
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in student["notes"])
    parts = [f"<h1>{name}</h1>", f'<p class="soft">{course}: {student["points"]:g} of {student["of"]} points{late}</p>']
    parts += [f"<ul>{notes}</ul>"] if notes else []
    parts += [_task(id, run["tasks"][id]["title"], record, comments) for id, record in student["tasks"].items()]
    return _page(f"{name}: {course}", "\n".join(parts))


def _task(id: str, title: str, record: dict[str, Any], comments: Comments) -> str:
    whole = record["points"] == record["of"]
    points = "to be read" if record["status"] == "to read" else f"{record['points']:g} of {record['of']}"
    body = []
    if text := record.get("message") or record.get("reason"):
        body.append(
            _pre(reflowed(text), f"Message on {id}") if record.get("message") else f"<p>{html.escape(text)}</p>"
        )
    for line in record.get("rubric", []):
        said = f" {html.escape(line['comment'])}" if line["comment"] else ""
        body.append(f"<p>{html.escape(line['line'])}: {line['points']:g} of {line['of']}.{said}</p>")
    if comment := comment_on(record, id, comments):
        body.append(f'<p class="comment">{html.escape(comment)}</p>')
    if answer := record.get("answer"):
        body.append(f"<details><summary>Your answer</summary>{_pre(answer, f'Answer to {id}')}</details>")
    mark = "good" if whole else "bad"
    title = f"{html.escape(id)} {html.escape(title)}"
    head = f'<header><h2 style="margin:0">{title}</h2><b class="{mark}">{points}</b></header>'
    return f'<section class="task">{head}{"".join(body)}</section>'


def reflowed(message: str) -> str:
    """A message whose sentences are one line each, so that a page breaks them where its own width asks for it."""
    lines: list[str] = []
    within = False
    for line in message.splitlines():
        if within and line.startswith("  ") and not line.lstrip().startswith(STARTS):
            lines[-1] += " " + line.strip()
            continue
        within = line.lstrip().startswith(STARTS)
        lines.append(line)
    return "\n".join(lines)


# --- the page ------------------------------------------------------------------------------------------------------------------------


def _pre(text: str, label: str) -> str:
    return f'<pre tabindex="0" role="region" aria-label="{html.escape(label)}">{html.escape(text.strip(chr(10)))}</pre>'


def _scroll(label: str, head: str, rows: Sequence[str]) -> str:
    """A table that scrolls by itself where the screen is narrow, by keys, too."""
    table = f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(label)}">{table}</div>'


def _page(title: str, body: str) -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}</style>\n</head>\n'
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _save(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write(text.encode("utf-8", "replace"))
