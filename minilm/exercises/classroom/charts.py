"""Charts as SVG within a page: bars drawn here, in colors that the page's style sets for light and dark."""

from __future__ import annotations

import html
from collections.abc import Sequence


def histogram(values: Sequence[float], of: float, label: str, bins: int = 10) -> str:
    """How many values lie in each tenth of 0..of; the last tenth has its end, too."""
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, max(0, int(value / of * bins)))] += 1 if of else 0
    most, width, height = max([*counts, 1]), 30, 110
    parts = []
    for place, count in enumerate(counts):
        x, tall = place * (width + 4), count / most * height
        parts.append(f'<rect class="bar" x="{x}" y="{height - tall + 16:.1f}" width="{width}" height="{tall:.1f}"/>')
        if count:
            parts.append(
                f'<text x="{x + width / 2:g}" y="{height - tall + 12:.1f}" text-anchor="middle">{count}</text>'
            )
    full = bins * (width + 4)
    for place in range(0, bins + 1, 2):
        anchor = "start" if place == 0 else "end" if place == bins else "middle"
        left, tick = place * (width + 4) - (2 if place else 0), f"{of * place / bins:g}"
        parts.append(f'<text x="{left}" y="{height + 32}" text-anchor="{anchor}">{tick}</text>')
    axis = f'<line class="axis" x1="0" x2="{full}" y1="{height + 16}" y2="{height + 16}"/>'
    ends = [f"{of * place / bins:g}" for place in range(bins + 1)]
    described = ", ".join(
        f"{n} from {low} to {high}" for n, low, high in zip(counts, ends[:-1], ends[1:], strict=True) if n
    )
    return svg(f"{label}: {described or 'none'}", full, height + 38, "".join(parts) + axis)


def bar(share: float, label: str) -> str:
    """A share of 1 as a bar."""
    share = min(1.0, max(0.0, share))
    body = f'<rect class="rest" width="100" height="10" rx="2"/><rect class="bar" width="{share * 100:.1f}" height="10" rx="2"/>'
    return svg(label, 100, 10, body, "share")


def svg(label: str, width: float, height: float, body: str, kind: str = "chart") -> str:
    """An SVG element that says what it shows."""
    return f'<svg class="{kind}" role="img" aria-label="{html.escape(label)}" viewBox="0 0 {width:g} {height:g}">{body}</svg>'
