"""Pieces of a page of HTML that needs nothing but itself: texts of strangers, tables, bars, and its look in light and dark."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from minilm import style

# What a page may not hold, what turns the direction of the text behind it, and what is not seen at all; not what joins emoji or letters.
_UNSEEN = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\ufdd0-\ufdef\ud800-\udfff"
    "\U000e0000-\U000e0fff" + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)) + "]"
)
STYLE = (
    f"""
:root {{ color-scheme: light dark; --paper: #ffffff; --ink: {style.INK}; --soft: #595959; --line: {style.GRID}; --card: #f6f6f4;
  --bar: {style.BLUE}; --gone: {style.VERMILLION}; --link: {style.NEGATIVE}; --mark: #ffe3a3; --edge: #8a4b00; }}
@media (prefers-color-scheme: dark) {{ :root {{ --paper: #16181b; --ink: #ececea; --soft: #b4b4b0; --line: #43474d; --card: #20242a;
  --bar: {style.SKY}; --gone: #ffa766; --link: #8fc9f0; --mark: #5c4000; --edge: #ffc46b; }} }}
"""
    + """
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 66rem; background: var(--paper); color: var(--ink); overflow-wrap: anywhere;
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .5rem; }
p { margin: .5rem 0; max-width: 46rem; }
a { color: var(--link); }
code { font: .85em/1.45 ui-monospace, Consolas, monospace; }
nav ul { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; padding: 0; margin: 1rem 0; list-style: none; }
nav a { display: inline-block; padding: .15rem 0; }
.soft { color: var(--soft); }
.scroll { overflow-x: auto; margin: .75rem 0; }
:focus-visible { outline: 3px solid var(--bar); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .94rem; }
caption { text-align: left; color: var(--soft); padding: .25rem 0; }
th, td { text-align: left; padding: .35rem 1.25rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; font-weight: 400; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
thead .n { white-space: normal; }
th:last-child, td:last-child { padding-right: 0; }
.scroll th, .scroll td { overflow-wrap: normal; }
.scroll th[scope=row], .scroll td:not(.n) { min-width: 8rem; overflow-wrap: anywhere; }
.scroll table { min-width: min(100%, 26rem); }
.rules { width: 100%; table-layout: fixed; }
.rules > thead .n { width: 5.5rem; }
.opens > * { border-bottom: 0; padding-bottom: 0; }
.opened > td { padding-top: 0; }
summary { cursor: pointer; padding: .25rem 0; }
details details { margin-left: 1rem; }
.flow { padding: 0; margin: 1rem 0; list-style: none; max-width: 60rem; }
.flow li { display: grid; grid: "name bar gone left" "told told told told" / 11rem 1fr 9rem 7rem; gap: 0 1rem; padding: .25rem 0; }
.flow svg { grid-area: bar; align-self: center; }
.flow .gone { grid-area: gone; text-align: right; font-variant-numeric: tabular-nums; }
.flow .left { grid-area: left; text-align: right; font-variant-numeric: tabular-nums; }
.flow small { grid-area: told; font-size: .85rem; color: var(--soft); }
.flow svg { width: 100%; height: 1.1rem; display: block; }
.is { fill: var(--bar); }
.was { fill: none; stroke: var(--gone); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.axis { stroke: var(--line); }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.chart { width: 100%; max-width: 34rem; height: auto; display: block; }
.key { display: flex; flex-wrap: wrap; gap: 0 1.25rem; padding: 0; margin: .5rem 0; list-style: none; }
.key svg { width: 1.5rem; height: .8rem; vertical-align: -.1rem; margin-right: .4rem; }
.examples { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1rem; margin: .5rem 0 1.25rem; }
figure { margin: 0; min-width: 0; }
figcaption { font-size: .9rem; margin-bottom: .3rem; }
figcaption b { font-weight: 600; }
.text { background: var(--card); border-radius: .5rem; padding: .6rem .75rem; max-height: 26rem; overflow: auto; white-space: pre-wrap;
  unicode-bidi: plaintext; font-size: .9rem; }
mark { background: var(--mark); color: inherit; border-bottom: 2px solid var(--edge); border-radius: 2px 2px 0 0; }
.names { padding-left: 1.25rem; margin: .25rem 0 .75rem; }
@media (max-width: 44rem) {
  .flow li { grid: "name left" "bar bar" "told gone" / 1fr auto; padding: .45rem 0; }
  th, td { padding-right: .8rem; }
  .rules > thead .n { width: 4.2rem; }
  .scroll th[scope=row] { min-width: 6.5rem; }
  details details { margin-left: 0; }
}
@media print { body { max-width: none; } .text { max-height: none; } tr, figure { break-inside: avoid; } }
"""
)


def visible(text: str) -> str:
    r"""The text with characters that nobody sees spelled out, as ``\u202e``; line ends, tabs and spaces stay."""
    return _UNSEEN.sub(_spelled, text)


def shown(text: str) -> str:
    """A stranger's text as text of the page: nothing in it is markup, and all of it is `visible`."""
    return html.escape(visible(text))


def _spelled(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def document(title: str, content: str) -> str:
    """A whole page."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{shown(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{content}\n</main>\n</body>\n</html>\n"
    )


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1, kind: str = "") -> str:
    """A table that scrolls by itself where the screen is narrow, by keys, too.

    Args:
        caption: what it holds, in HTML; different from those of the page's other tables.
        head: the columns' names.
        rows: cells, in HTML.
        words: how many columns hold words, from the first one on; the others hold numbers.
        kind: a class of the page's style.
    """
    body = "".join(row(cells, words) for cells in rows)
    heads = "".join(f'<th scope="col"{"" if i < words else NUMBER}>{cell}</th>' for i, cell in enumerate(head))
    label = re.sub("<[^>]*>", "", caption)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table class="{kind}"><caption>{caption}</caption>'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>{body}</tbody></table></div>\n"
    )


def row(cells: Sequence[str], words: int = 1, kind: str = "") -> str:
    """A row of a table; its first cell says what it is of."""
    first, *rest = cells
    others = "".join(f"<td{'' if i < words else NUMBER}>{cell}</td>" for i, cell in enumerate(rest, 1))
    return f'<tr{f" class={kind}" if kind else ""}><th scope="row">{first}</th>{others}</tr>\n'


def details(summary: str, content: str, opened: bool = False) -> str:
    """Content that opens."""
    return f"<details{' open' * opened}><summary>{summary}</summary>\n{content}</details>\n"


def text_box(caption: str, content: str) -> str:
    """A text with what it is; one that is long scrolls."""
    return f'<figure><figcaption>{caption}</figcaption><div class="text" tabindex="0">{content}</div></figure>\n'


# --- pictures ------------------------------------------------------------------------------------------------------------------------


def bar(start: int, gone: int, whole: int) -> str:
    """A part of a whole as a filled bar that begins at `start` of it, and behind it, hollow, what is gone of it."""
    return _bar((0, start), (start, gone), whole)


def _bar(filled: tuple[int, int], hollow: tuple[int, int], whole: int) -> str:
    whole = max(whole, 1)
    parts = [
        f'<rect class="{kind}" x="{1000 * x / whole:.1f}" y="1" width="{1000 * width / whole:.1f}" height="14"/>'
        for kind, (x, width) in (("is", filled), ("was", hollow))
        if width
    ]
    return f'<svg viewBox="0 0 1000 16" preserveAspectRatio="none" aria-hidden="true">{"".join(parts)}</svg>'


KEY = (
    '<ul class="key"><li><svg viewBox="0 0 24 12" aria-hidden="true"><rect class="was" x="1" y="1" width="22" height="10"/></svg>{}</li>'
    '<li><svg viewBox="0 0 24 12" aria-hidden="true"><rect class="is" width="24" height="12"/></svg>{}</li></ul>\n'
)
NUMBER = ' class="n"'
WIDTH, HIGH, LEFT, RIGHT = 360, 150, 52, 30  # of a chart, in its own units: about the pixels of a phone


class Bin(NamedTuple):
    """A bin of a histogram: where it begins, and the counts before and after."""

    start: str
    before: int
    after: int


def histogram(label: str, bins: Sequence[Bin], end: str) -> str:
    """Two counts for each bin: before, a hollow bar, and within it after, a filled one.

    Args:
        label: what it shows, for those who do not see it, in HTML without elements.
        bins: one at least.
        end: where the last bin ends.
    """
    step = nice(max(max(each.before, each.after) for each in bins))
    top = step * max(1, math.ceil(max(max(each.before, each.after) for each in bins) / step))
    wide = (WIDTH - LEFT - RIGHT) / len(bins)
    parts = []
    for tick in range(0, top + 1, step):
        y = 8 + HIGH * (1 - tick / top)
        parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:,}</text>')
    for place, each in enumerate(bins):
        for kind, count, inset in (("was", each.before, 0.08), ("is", each.after, 0.24)):
            tall, x = HIGH * count / top, LEFT + wide * (place + inset)
            parts.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{8 + HIGH - tall:.1f}" width="{wide * (1 - 2 * inset):.1f}" height="{tall:.1f}"/>'
            )
    borders = [*(each.start for each in bins), end]
    every = math.ceil((max(map(len, borders)) * 6 + 8) / wide)
    for place in range(0, len(borders), every):
        parts.append(
            f'<text x="{LEFT + wide * place:.1f}" y="{HIGH + 24}" text-anchor="middle">{borders[place]}</text>'
        )
    shape = f'viewBox="0 0 {WIDTH} {HIGH + 30}"'
    return f'<svg class="chart" role="img" aria-label="{label}" {shape}>{"".join(parts)}</svg>\n'


def nice(most: int) -> int:
    """The step of an axis from 0 to `most`: 1, 2 or 5 times a power of ten, four steps at most."""
    power = 10 ** max(0, len(str(max(most, 1))) - 2)
    return next(factor * power for factor in (1, 2, 5, 10, 20, 50) if 4 * factor * power >= most)


__all__ = [
    "KEY", "NUMBER", "STYLE", "Bin", "bar", "details", "document", "histogram", "nice", "row", "shown", "table", "text_box", "visible",
]  # fmt: skip
