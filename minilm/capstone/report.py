"""All of a capstone on one page: what went in, what each step left out, the curve, what the models are worth, and what they write.

The page needs nothing but itself. It follows the reader's light or dark setting, and is read on a phone. Of the details it says in which
file of the folder they stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minilm.capstone.corpus import LeftOut, left_out
from minilm.files import atomic_write
from minilm.style import BLUE, VERMILLION

if TYPE_CHECKING:
    from minilm.capstone.steps import Capstone

REPORT, SAMPLES, CURVE = "report.html", "samples.md", "curve.svg"
STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;max-width:46rem;margin:0 auto;padding:1rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;display:block;overflow-x:auto}
td,th{padding:.2rem .7rem .2rem 0;text-align:left;vertical-align:top}td.n,th.n{text-align:right}
th{border-bottom:1px solid}pre{white-space:pre-wrap;overflow-wrap:anywhere;border-left:3px solid;padding-left:.7rem}
svg{width:100%;height:auto;max-width:40rem}
"""


def write_report(capstone: Capstone) -> Path:
    """Writes ``report.html``, ``samples.md`` and ``curve.svg`` into the capstone's folder, and returns where the first is."""
    curve = curve_of(capstone.pretrained.metrics())
    pages = {CURVE: curve, SAMPLES: samples_md(capstone.samples, capstone.written), REPORT: page(capstone, curve)}
    for name, text in pages.items():
        with atomic_write(capstone.folder / name) as file:
            file.write(text.encode("utf-8", "backslashreplace"))
    return capstone.folder / REPORT


def page(capstone: Capstone, curve: str) -> str:
    """The HTML."""
    corpus, found = capstone.corpus, left_out(capstone.corpus.packed)
    lessons, model = capstone.lessons, capstone.pretrained.task
    details = next(name for name in ("report.html", "") if (corpus.packed.folder / name).exists())
    parts = [
        "<h1>From raw text to a model that answers</h1>",
        "<h2>The text</h2>",
        _table(("step", "documents"), steps_of(found)),
        f"<p>{corpus.packed.characters('train'):,} characters and {len(corpus.train):,} tokens are left to learn from, a vocabulary of "
        f"{corpus.tokenizer.vocab_size:,}. Details: <a href='corpus/{details}'>corpus/{details}</a>.</p>",
        "<h2>Pretraining</h2>",
        f"<p>{escape(model.shape)}. Card: <a href='pretraining/card.md'>pretraining/card.md</a>.</p>{curve}",
        "<h2>Evaluation</h2>",
        f"<p>{len(corpus.test_texts)} documents that neither system has read; bits per character, less is better.</p>",
        results_table(capstone.evaluation),
        "<h2>Fine-tuning</h2>",
        f"<p>{len(lessons.train):,} functions with the first sentence of their documentation; an exam of {len(lessons.exam):,} from other "
        "files. Bits per character of the answers.</p>",
        results_table(capstone.answers),
        "<h2>What they write</h2>",
        *(f"<pre>{escape(text)}</pre>" for text in capstone.samples),
        *(_answers(entry) for entry in capstone.written),
    ]
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    return f"{head}<title>minilm capstone</title><style>{STYLE}</style>\n" + "\n".join(parts) + "\n</html>\n"


def steps_of(found: LeftOut) -> list[tuple[str, str]]:
    """What came in, what each step left out, and what is left."""
    rules = [(f"rule: {name}", f"-{count:,}") for name, count in found.rules.items()]
    return [
        ("read", f"{found.read:,}"),
        *rules,
        ("exact copies", f"-{found.exact:,}"),
        ("near copies", f"-{found.near:,}"),
        ("held out", f"-{found.held_out:,}"),
        ("with too much of what is held out", f"-{found.contaminated:,}"),
        ("left for training", f"{found.train:,}"),
    ]


def results_table(rows: Sequence[dict[str, Any]]) -> str:
    """Bits per character of each system, with intervals of 95 %."""
    first = rows[0]["system"]
    cells = [
        (row["system"], f"{row['bits']:.3f}", _between(row["interval"]), _between(row["more_interval"], "+"))
        for row in rows
    ]
    return _table(("system", "bits", "95 % interval", f"more than the {first}"), cells)


def results_text(rows: Sequence[dict[str, Any]]) -> str:
    """The same for a terminal."""
    width = max(len(row["system"]) for row in rows)
    lines = []
    for row in rows:
        more = _between(row["more_interval"], "+")
        lines.append(
            f"{row['system']:{width}}  {row['bits']:.3f}  ({_between(row['interval'])})"
            + (f"  {more} more than the first" if more else "")
        )
    return "\n".join(lines)


def samples_md(samples: Iterable[str], written: Iterable[dict[str, str]]) -> str:
    """What the models wrote, as Markdown."""
    parts = ["# What the models wrote", "", "## The pretrained model, by itself"]
    parts += [f"\n```text\n{text}\n```" for text in samples]
    parts += ["", "## Answers to questions of the exam, the likeliest token each time"]
    for entry in written:
        parts += [
            "",
            f"`{entry['question']}`",
            "",
            *(f"- {name}: {text}" for name, text in entry.items() if name != "question"),
        ]
    return "\n".join(parts) + "\n"


def curve_of(metrics: Sequence[dict[str, Any]]) -> str:
    """The losses of a run over its updates, as SVG in the colors of the page around it."""
    trained = [(line["step"], line["loss"]) for line in metrics if line.get("loss") is not None]
    checked = [(line["step"], line["validation_loss"]) for line in metrics if line.get("validation_loss") is not None]
    points = [*trained, *checked]
    at, losses = [step for step, _ in points], [loss for _, loss in points]
    left, right, low, high = min(at), max(at), min(losses), max(losses)

    def place(point: tuple[float, float]) -> str:
        x = 40 + 540 * (point[0] - left) / max(right - left, 1)
        return f"{x:.1f},{20 + 200 * (high - point[1]) / max(high - low, 1e-9):.1f}"

    lines = "".join(
        f'<polyline points="{" ".join(map(place, some))}" fill="none" stroke="{color}" stroke-width="{width}"/>'
        for some, color, width in ((trained, BLUE, 1), (checked, VERMILLION, 2.5))
        if some
    )
    marks = [
        (40, 14, f"{high:.1f} nats per token", "start"),
        (40, 236, f"{low:.1f}", "start"),
        (580, 236, f"{right:,} updates", "end"),
    ]
    marks += [(580, 40, "thin: one batch; thick: validation", "end")]
    text = "".join(f'<text x="{x}" y="{y}" text-anchor="{anchor}">{word}</text>' for x, y, word, anchor in marks)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 244" role="img" aria-label="The loss falls as the model learns" '
        f'fill="currentColor" font-family="system-ui,sans-serif" font-size="13">{lines}{text}</svg>'
    )


def _answers(entry: dict[str, str]) -> str:
    rows = [(name, text) for name, text in entry.items() if name != "question"]
    return f"<h3><code>{escape(entry['question'])}</code></h3>" + _table(("", ""), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    shown = "".join(f"<th>{escape(cell)}</th>" for cell in head) if any(head) else ""
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{shown}</tr></thead><tbody>{body}</tbody></table>"


def _between(bounds: Sequence[float] | None, sign: str = "") -> str:
    return "" if bounds is None else f"{bounds[0]:{sign}.3f} to {bounds[1]:{sign}.3f}"


__all__ = ["REPORT", "curve_of", "page", "results_table", "results_text", "samples_md", "steps_of", "write_report"]
