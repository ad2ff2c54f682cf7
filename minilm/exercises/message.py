"""The grader's message, as text for one screen, as HTML, and as JSON.

In this order: points and what they are for; the smallest input that fails; expected and got with the differing elements marked; the
likely cause with its evidence; what to look at. One cause is shown; `more` shows the others, and the inputs in full size.
"""

from __future__ import annotations

import json
import math
import textwrap
from html import escape
from typing import Any

import numpy as np

from minilm.exercises import arrays, kills
from minilm.exercises.compare import close, leaves, tolerance
from minilm.exercises.inputs import names
from minilm.exercises.verdict import Cause, Outcome, Verdict
from minilm.style import GREEN, VERMILLION, rgb
from minilm.tensor import Tensor

LINES, WIDTH = 24, 80
FORMAT = 1
"""Version of the JSON: it grows when a key changes its meaning or goes."""
UNKNOWN = "I do not know: no mistake that I know gives these numbers."
WORK_OUT = "Work out the smallest input by hand, step by step, and print each step of yours beside it."
MOST = 1000  # elements of an array in the JSON


def text(verdict: Verdict, more: bool = False) -> str:
    """The message in lines of at most 80 characters; at most 24 of them, unless `more` is asked for."""
    lines: list[str] = []
    for rows in (6,) if more else (4, 3, 2, 1, 0):
        lines = _compose(verdict, rows, more)
        if len(lines) <= LINES:
            break
    return "\n".join(lines if more else _shortened(lines))


def _shortened(lines: list[str]) -> list[str]:
    """Without empty lines if they are too many; then without lines before the cause, which itself is never cut."""
    if len(lines) > LINES:
        lines = [line for line in lines if line]
    if len(lines) <= LINES:
        return lines
    words = ("Cause:", "Likely cause:", "What the numbers show:", "I do not know", "How far")
    cause = next((i for i, line in enumerate(lines) if line.startswith(words)), None)
    if cause is None:
        return [*lines[: LINES - 1], "..."]
    kept = max(LINES - (len(lines) - cause) - 1, 1)
    return [*lines[:kept], "  ...", *lines[cause:]]


def _compose(verdict: Verdict, rows: int, more: bool) -> list[str]:
    lines = [*_wrapped(headline(verdict)), *_tests(verdict), *_bugs(verdict)]
    if verdict.passed or (verdict.waiting and not verdict.trouble and not verdict.first_failing):
        return [*lines, *_after(verdict)]
    outcome = verdict.first_failing
    if outcome is not None:
        lines += [
            "",
            f"The smallest input that fails: {outcome.test.name}",
            *_call(verdict, outcome, rows),
            *_compared(outcome, max(rows, 1)),
        ]
    elif verdict.trouble is not None:
        lines += ["", *_wrapped(trouble_line(verdict.trouble))]
    lines += ["", *_causes(verdict, more)]
    return lines


def headline(verdict: Verdict) -> str:
    """Task and points."""
    task = verdict.task
    if not task.graded:
        return f"{task.id} {task.title}: a teacher reads this one ({task.points} points)."
    tail = f"; hidden tests for {verdict.waiting} more wait" if verdict.waiting else ""
    return f"{task.id} {task.title}: {verdict.points} of {task.points} point{'s' * (task.points != 1)}{tail}"


def _tests(verdict: Verdict) -> list[str]:
    good = [o for o in verdict.outcomes if o.passed and not o.test.hidden]
    quiet = [o for o in verdict.outcomes if o.passed and o.test.hidden]
    bad = [o for o in verdict.outcomes if not o.passed]
    passed = [f"{o.test.name} ({o.test.points})" for o in good]
    if quiet:
        passed.append(f"hidden tests ({sum(o.test.points for o in quiet)})")
    lines = _wrapped("  passed: " + ", ".join(passed), "          ") if passed else []
    failed = [f"{o.test.name} ({'hidden, ' * o.test.hidden}{o.test.points})" for o in bad]
    return lines + (_wrapped("  failed: " + ", ".join(failed), "          ") if failed else [])


def _bugs(verdict: Verdict) -> list[str]:
    """For "write the test": which wrong answers the student's test found."""
    if not verdict.kills:
        return []
    found = [
        f"{kills.title(verdict.task, name)}{_finders(verdict, name)}" for name, dead in verdict.kills.items() if dead
    ]
    lines = _wrapped("  found:  " + "; ".join(found), "          ") if found else []
    if idle := [name for name, bugs in verdict.found_by.items() if not bugs]:
        lines += _wrapped("  find nothing: " + ", ".join(idle), "          ")
    missed = len(verdict.kills) - len(found)
    return [*lines, f"  missed: {missed} of {len(verdict.kills)} wrong versions"] if missed else lines


def _finders(verdict: Verdict, bug: str) -> str:
    finders = [name for name, bugs in verdict.found_by.items() if bug in bugs]
    return f" ({', '.join(finders)})" if finders else ""


def _bugs_html(verdict: Verdict) -> str:
    """Which of several tests found which bug: a row per bug that was found, a column per test."""
    if not verdict.found_by:
        return ""
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in verdict.found_by)
    rows = [
        f'<tr><th scope="row">{escape(kills.title(verdict.task, bug))}</th>'
        + "".join(f"<td>{'found' if bug in bugs else ''}</td>" for bugs in verdict.found_by.values())
        + "</tr>"
        for bug, dead in verdict.kills.items()
        if dead
    ]
    table = f"<table><tr><th></th>{heads}</tr>{''.join(rows)}</table>"
    return f'<details><summary>Which test found which bug</summary><div class="ml-scroll">{table}</div></details>'


def _call(verdict: Verdict, outcome: Outcome, rows: int) -> list[str]:
    """The call, and its arguments: arrays with their elements if they are small, else by their shape."""
    named = list(zip(names(verdict.task, outcome.test, len(outcome.inputs)), outcome.inputs, strict=True))
    lines = _wrapped("  " + call(verdict, outcome), "    ") if named or outcome.test.call else []
    for name, x in named if rows else []:
        big = isinstance(x, np.ndarray | Tensor) and (math.prod(x.shape) > 24 or rows < 3)
        shown = [arrays.brief(x)] if big or rows < 2 else arrays.text(x, rows=rows)
        lines += _block(f"    {name} = ", shown)
    return lines


def call(verdict: Verdict, outcome: Outcome) -> str:
    """How the test calls the answer."""
    if outcome.test.call:
        return outcome.test.call
    return f"{verdict.task.name}({', '.join(names(verdict.task, outcome.test, len(outcome.inputs)))})"


def _compared(outcome: Outcome, rows: int) -> list[str]:
    found, ran = outcome.difference, outcome.ran
    if ran.trouble is not None:
        return _wrapped("  " + trouble_line(ran.trouble), "    ")
    if found is None:
        return _wrapped(f"  The values are right, but {outcome.fault}.", "  ")
    where = f" {part_name(found.part)}" if found.part else ""
    if found.kind in ("type", "shape", "dtype"):
        lines = _wrapped(f"  expected{where}: {arrays.kind_of(found.expected)}", "    ")
        lines += _wrapped(f"  got:      {' ' * len(where)}{arrays.kind_of(found.got)}", "    ")
        if found.kind != "dtype" and not isinstance(found.got, type(None)):
            lines += _block("    = ", arrays.text(found.got, rows=rows))
        return lines
    if found.kind in ("length", "keys"):
        lines = []
        for label, x in ((f"expected{where}", found.expected), (f"got     {' ' * len(where)}", found.got)):
            size = f"length {len(x)}" if found.kind == "length" else "keys"
            lines += _block(f"  {label}: {size}: ", arrays.text(list(x), rows=1))
        return lines
    digits = digits_apart(found.expected, found.got, found.wrong)
    lines = _block(f"  expected{where}: ", arrays.text(found.expected, found.wrong, rows, digits, star=""))
    lines += _block(f"  got:      {' ' * len(where)}", arrays.text(found.got, found.wrong, rows, digits))
    if found.wrong is not None and np.size(found.wrong) > 1:
        lines.append(f"  * differs: {count_wrong(found.wrong)}")
    return lines


def count_wrong(wrong: Any) -> str:
    """How many elements differ."""
    bad, size = int(np.count_nonzero(wrong)), np.size(wrong)
    return f"all {size}" if bad == size else f"{bad} of {size}"


def part_name(part: str) -> str:
    """Where in the result: "the second of the returned values"."""
    words = ("first", "second", "third", "fourth", "fifth", "sixth")
    index = part[1:-1]
    return f"({words[int(index)]} value)" if index.isdecimal() and int(index) < len(words) else f"(value {part})"


def digits_apart(expected: Any, got: Any, wrong: Any) -> int:
    """As many digits as it takes to see that two numbers differ: at least four."""
    if wrong is None or expected.dtype.kind not in "fc" or not np.any(wrong):
        return 4
    with np.errstate(all="ignore"):
        e, g = np.asarray(expected)[wrong], np.asarray(got)[wrong]
        relative = np.abs(e - g) / np.maximum(np.abs(e), np.abs(g))
    relative = relative[np.isfinite(relative) & (relative > 0)]
    return min(max(4, 2 - math.floor(math.log10(float(relative.min())))), 12) if relative.size else 4


def trouble_line(trouble: Any) -> str:
    """What was raised, and where."""
    where = f"line {trouble.line[0]}: {arrays.cut(trouble.line[1], 60)}  " if trouble.line else ""
    said = f"{trouble.kind}: {arrays.cut(trouble.message, 200)}" if trouble.message else trouble.kind
    return f"{where}-> {said}" if where else said


def _causes(verdict: Verdict, more: bool) -> list[str]:
    cause = verdict.cause
    if cause is None:
        shown = [*_wrapped(unknown(verdict)), *(_wrapped(far, "  ") if (far := how_far(verdict)) else [])]
        if seen := shows(verdict):
            shown = [*_wrapped(f"What the numbers show: {seen}", "  "), *shown]
    else:
        shown = _cause(cause)
    others = verdict.causes[1 if cause else 0 :]
    if others and more:
        shown += ["", "Less likely:" if cause else "Guesses:"]
        for other in others:
            shown += _wrapped(f"  {other.says} {other.evidence} ({other.confidence:.0%})", "    ")
    return shown


def unknown(verdict: Verdict) -> str:
    """What is said where there is no cause."""
    if verdict.task.kind != "write the test":
        return f"{UNKNOWN} {WORK_OUT}"
    if verdict.trouble is not None:
        return "The test refuses the right function, so nothing that it refuses counts. Compute by hand what is right here."
    return "Wrong versions live on: your test calls them and sees nothing. What have you not asked of the function yet?"


def how_far(verdict: Verdict) -> str:
    """How much of an answer is right for which there is no cause: tests, values and elements; "" where nothing is."""
    outcome = verdict.first_failing
    if outcome is None or outcome.ran.trouble is not None:
        return ""
    told = []
    passed = sum(o.passed for o in verdict.outcomes)
    if passed:
        told.append(f"{passed} of {len(verdict.outcomes)} tests pass")
    parts = [
        (part, None if e.shape != g.shape else ~close(e, g, *tolerance(outcome.test, e, g)))
        for part, e, g in leaves(outcome.expected, outcome.ran.value)
    ]
    right = [part for part, wrong in parts if wrong is not None and not wrong.any()]
    if len(parts) > 1 and right:
        shown = [part_name(part).strip("()") for part in right[:3]] + ["..."] * (len(right) > 3)
        words = shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
        told.append(f"in the smallest that fails the {words} {'is' if len(right) == 1 else 'are'} right")
    for part, wrong in parts:
        if wrong is not None and wrong.any() and not wrong.all():
            where = f"of the {part_name(part).strip('()')} " if len(parts) > 1 else ""
            good = wrong.size - int(np.count_nonzero(wrong))
            first = np.argwhere(wrong)[0].tolist()
            place = first[0] if len(first) == 1 else tuple(first)
            told.append(f"{where}{good} of {wrong.size} elements are right (the first wrong one has index {place})")
            break
    return f"How far it is right: {'; '.join(told)}." if told else ""


def shows(verdict: Verdict) -> str:
    """What can be said of the numbers where no cause is sure enough: "Only the last column is wrong."."""
    best = next((cause for cause in verdict.causes if cause.source == "relation" and cause.confidence >= 0.5), None)
    return "" if best is None else f"{best.says} {best.evidence}"


def _cause(cause: Cause) -> list[str]:
    word = "Cause" if cause.confidence >= 0.9 else "Likely cause"
    lines = _wrapped(f"{word}: {cause.says}", "  ")
    lines += _wrapped(f"Evidence: {cause.evidence}", "  ") if cause.evidence else []
    return lines + (_wrapped(f"Look at: {cause.look}", "  ") if cause.look else [])


def _after(verdict: Verdict) -> list[str]:
    """After success: the model solution, and what to try next."""
    task = verdict.task
    if verdict.waiting:
        return ["", *_wrapped("The public tests passed. The hidden ones wait until you hand in.")]
    lines = ["", "The model solution:", *("  " + line for line in task.solution.strip("\n").split("\n"))]
    return lines + (["", *_wrapped("Try next: " + " ".join(task.after.split()), "  ")] if task.after else [])


def _wrapped(line: str, indent: str = "") -> list[str]:
    return textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False, drop_whitespace=True) or [""]


def _block(label: str, lines: list[str]) -> list[str]:
    """A label, with lines that stand below each other; one that is too long ends after a whole word."""
    return [_fitted((label if not i else " " * len(label)) + line) for i, line in enumerate(lines)]


def _fitted(line: str) -> str:
    if len(line) <= WIDTH:
        return line.rstrip()
    room = line[: WIDTH - 3]
    return (room[: room.rfind(" ")] if " " in room[WIDTH // 2 :] else room).rstrip(" ,") + "..."


# --- HTML --------------------------------------------------------------------------------------------------------------------------


def _tint(color: str, share: float) -> str:
    return f"rgba({','.join(map(str, rgb(color)))},{share})"


STYLE = f"""
.ml-check{{font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;color:inherit;max-width:46em;
border-left:4px solid {VERMILLION};margin:.6em 0;padding:.3em .9em;overflow-wrap:anywhere}}
.ml-check.ml-good{{border-color:{GREEN}}}
.ml-check p{{margin:.4em 0}}
.ml-check h4{{font-size:1em;font-weight:600;line-height:1.4;margin:.8em 0 .2em}}
.ml-check ul{{margin:.2em 0;padding-left:1.4em}}
.ml-check code,.ml-check pre,.ml-check td{{font:13px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,monospace;background:none;color:inherit}}
.ml-check pre{{overflow-x:auto;white-space:pre-wrap;margin:.3em 0;padding:.4em .6em;background:{_tint("#888888", 0.1)}}}
.ml-check .ml-scroll{{overflow-x:auto}}
.ml-check table{{border-collapse:collapse;margin:.2em 0;display:inline-table;width:auto}}
.ml-check tr,.ml-check td{{background:none;border:0}}
.ml-check th{{font-weight:400;text-align:left;padding:0 .45em}}
.ml-check td{{padding:0 .45em;text-align:right;border:1px solid {_tint("#888888", 0.35)};font-variant-numeric:tabular-nums}}
.ml-check td.ml-wrong{{font-weight:700;border:2px solid {VERMILLION};background:{_tint(VERMILLION, 0.14)}}}
.ml-check .ml-note{{font-size:.85em;opacity:.85;margin-left:.5em}}
.ml-check .ml-cause{{border:1px solid {_tint("#888888", 0.5)};background:{_tint("#888888", 0.08)};padding:.2em .8em;margin:.6em 0}}
"""


def html(verdict: Verdict, more: bool = False) -> str:
    """The message as one ``<section>``: without a script, for light and dark pages, and for narrow ones."""
    good = verdict.passed or (verdict.waiting > 0 and not verdict.first_failing and not verdict.trouble)
    body = [f"<p><strong>{escape(headline(verdict))}</strong></p>", _tests_html(verdict)]
    if good:
        body.append(_after_html(verdict))
    else:
        outcome = verdict.first_failing
        if outcome is not None:
            body.append(_failing_html(verdict, outcome))
        elif verdict.trouble is not None:
            body.append(f"<pre>{escape(trouble_line(verdict.trouble))}</pre>")
        body.append(_causes_html(verdict, more))
    style = " ".join(STYLE.split())
    state = "passed" if good else "not passed yet"
    label = escape(f"Exercise {verdict.task.id}: {state}", quote=True)
    return f'<section class="ml-check{" ml-good" * good}" aria-label="{label}"><style>{style}</style>{"".join(body)}</section>'


def _tests_html(verdict: Verdict) -> str:
    lines = [" ".join(line.split()) for line in _joined([*_tests(verdict), *_bugs(verdict)])]
    shown = f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>" if lines else ""
    return shown + _bugs_html(verdict)


def _joined(lines: list[str]) -> list[str]:
    """Wrapped lines put together again: one begins with two blanks, what continues it with more."""
    joined: list[str] = []
    for line in lines:
        if line.startswith("   ") and joined:
            joined[-1] += " " + line.strip()
        else:
            joined.append(line)
    return joined


def _failing_html(verdict: Verdict, outcome: Outcome) -> str:
    rows = [f"<h4>The smallest input that fails: {escape(outcome.test.name)}</h4>"]
    if outcome.inputs or outcome.test.call:
        rows.append(f"<p><code>{escape(call(verdict, outcome))}</code></p>")
    for name, x in zip(names(verdict.task, outcome.test, len(outcome.inputs)), outcome.inputs, strict=True):
        big = isinstance(x, np.ndarray | Tensor) and math.prod(x.shape) > 24
        shown = f"<code>{escape(arrays.brief(x))}</code>" if big else arrays.html(x, label=name)
        rows.append(f'<div class="ml-scroll"><code>{escape(name)}</code> = {shown}</div>')
    found = outcome.difference
    if outcome.ran.trouble is not None or found is None or found.kind != "values":
        return "".join(rows) + f"<pre>{escape(textwrap.dedent(chr(10).join(_compared(outcome, 4))))}</pre>"
    where = f" {part_name(found.part)}" if found.part else ""
    digits = digits_apart(found.expected, found.got, found.wrong)
    for label, x in (("expected", found.expected), ("got", found.got)):
        shown = arrays.html(x, found.wrong, label + where, star="" if label == "expected" else "*", digits=digits)
        rows.append(f'<div class="ml-scroll">{label}{escape(where)}: {shown}</div>')
    if found.wrong is not None and np.size(found.wrong) > 1:
        rows.append(f"<p>* differs: {escape(count_wrong(found.wrong))}</p>")
    return "".join(rows)


def _causes_html(verdict: Verdict, more: bool) -> str:
    cause = verdict.cause
    if cause is None:
        far = f"<p>{escape(how_far(verdict))}</p>" if how_far(verdict) else ""
        shown = f'<div class="ml-cause"><p>{escape(unknown(verdict))}</p>{far}</div>'
        if seen := shows(verdict):
            shown = f"<p><strong>What the numbers show:</strong> {escape(seen)}</p>{shown}"
    else:
        shown = f'<div class="ml-cause">{_cause_html(cause)}</div>'
    others = verdict.causes[1 if cause else 0 :]
    if not others:
        return shown
    rest = "".join(f"<li>{escape(o.says)} {escape(o.evidence)} ({o.confidence:.0%})</li>" for o in others)
    return f"{shown}<details{' open' * more}><summary>more</summary><ul>{rest}</ul></details>"


def _cause_html(cause: Cause) -> str:
    word = "Cause" if cause.confidence >= 0.9 else "Likely cause"
    lines = [f"<strong>{word}:</strong> {escape(cause.says)}"]
    lines += [f"<strong>Evidence:</strong> {escape(cause.evidence)}"] * bool(cause.evidence)
    lines += [f"<strong>Look at:</strong> {escape(cause.look)}"] * bool(cause.look)
    return "".join(f"<p>{line}</p>" for line in lines)


def _after_html(verdict: Verdict) -> str:
    task = verdict.task
    if verdict.waiting:
        return "<p>The public tests passed. The hidden ones wait until you hand in.</p>"
    solution = f"<details><summary>The model solution</summary><pre>{escape(task.solution.strip())}</pre></details>"
    return solution + (f"<p><strong>Try next:</strong> {escape(task.after)}</p>" if task.after else "")


# --- JSON --------------------------------------------------------------------------------------------------------------------------


def to_json(verdict: Verdict) -> str:
    """Everything that was found, for a tutor program; the same text for the same verdict."""
    return json.dumps(document(verdict), ensure_ascii=False, allow_nan=False)


def document(verdict: Verdict) -> dict[str, Any]:
    """Everything that was found, in plain lists and dicts with keys that stay."""
    outcome = verdict.first_failing
    return {
        "format": FORMAT,
        "task": verdict.task.id,
        "title": verdict.task.title,
        "kind": verdict.task.kind,
        "points": verdict.points,
        "of": verdict.task.points,
        "waiting": verdict.waiting,
        "passed": verdict.passed,
        "tests": [
            {
                "name": o.test.name,
                "points": o.points,
                "of": o.test.points,
                "hidden": o.test.hidden,
                "passed": o.passed,
                "fault": o.fault,
            }
            for o in verdict.outcomes
        ],
        "trouble": _trouble(verdict.trouble),
        "smallest": None if outcome is None else _smallest(verdict, outcome),
        "cause": None if verdict.cause is None else vars(verdict.cause),
        "causes": [vars(cause) for cause in verdict.causes],
        "kills": dict(verdict.kills),
        "found_by": {name: list(bugs) for name, bugs in verdict.found_by.items()},
        "message": text(verdict),
    }


def _smallest(verdict: Verdict, outcome: Outcome) -> dict[str, Any]:
    found = outcome.difference
    wrong = None if found is None or found.wrong is None else np.argwhere(found.wrong)[:MOST].tolist()
    named = zip(names(verdict.task, outcome.test, len(outcome.inputs)), outcome.inputs, strict=True)
    return {
        "test": outcome.test.name,
        "call": call(verdict, outcome),
        "inputs": [{"name": name, "value": value(x)} for name, x in named],
        "expected": value(outcome.expected),
        "got": value(outcome.ran.value),
        "printed": outcome.ran.printed[:MOST],
        "warned": list(outcome.ran.warned)[:10],
        "trouble": _trouble(outcome.ran.trouble),
        "difference": None if found is None else {"kind": found.kind, "part": found.part, "wrong": wrong},
        "fault": outcome.fault,
    }


def _trouble(trouble: Any) -> dict[str, Any] | None:
    if trouble is None:
        return None
    line = None if trouble.line is None else {"number": trouble.line[0], "text": trouble.line[1]}
    return {"kind": trouble.kind, "message": trouble.message, "line": line, "where": trouble.where}


def value(x: Any, depth: int = 0) -> Any:
    """A value for JSON. An array is its dtype, shape and first 1000 elements; NaN and infinities are words."""
    if isinstance(x, Tensor):
        return {"tensor": value(x.numpy())}
    if isinstance(x, np.ndarray):
        flat = [value(element, 9) for element in x.ravel()[:MOST].tolist()]
        return {"array": flat, "shape": list(x.shape), "dtype": str(x.dtype)}
    if isinstance(x, np.generic):
        x = x.item()
    if x is None or isinstance(x, bool | str):
        return x
    if isinstance(x, int):
        return int(x) if abs(x) < 2**53 else arrays.number(x, 17)
    if isinstance(x, float):
        return float(x) if math.isfinite(x) else str(x)
    if depth < 6 and isinstance(x, list | tuple):
        return [value(part, depth + 1) for part in x[:MOST]]
    if depth < 6 and isinstance(x, dict):
        return {str(key): value(part, depth + 1) for key, part in list(x.items())[:MOST]}
    return arrays.brief(x)
