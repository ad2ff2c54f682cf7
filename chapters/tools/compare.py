"""What a cell printed before against what it prints now: words equal, numbers within a stated tolerance.

Two numbers agree if \\|new - old\\| <= 1e-8 + rtol \\|old\\| with rtol = 1e-5 (a cell's tag ``rtol=...`` loosens it), or if both are
printed with four significant digits or more and differ by one in the last: a number that lies on the border between two
roundings may be printed either way. Whole numbers must be equal. Runs of blanks count as one, since columns move with signs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

RTOL, ATOL = 1e-5, 1e-8
AFTER = r"(?:(?<![\w#.])|(?<=[\s\"][MLHVCSQTA]))"  # no digit of a name or colour; but the letter of an SVG path may stand before
NUMBER = re.compile(AFTER + r"[-+\u2212]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
PLAIN = ("text/plain", "text/html", "text/latex", "text/markdown", "application/json", "image/svg+xml")
# Names made from an output's content: in HTML after a quote, "-" or "#"; a step-through's is m and eight digits.
HASH = re.compile(r"\bm[0-9a-f]{8}\b|(?<=[-\"'#])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,64}(?![\w])")


def same_text(old: str, new: str, rtol: float = RTOL) -> bool:
    """Whether two texts agree token by token."""
    old, new = (re.sub(r"\s+", " ", HASH.sub("", text)).strip() for text in (old, new))
    if old == new:
        return True
    a, b = NUMBER.findall(old), NUMBER.findall(new)
    if _words(old) != _words(new) or len(a) != len(b):
        return False
    return all(same_number(x, y, rtol) for x, y in zip(a, b, strict=True))


def _words(text: str) -> str:
    """The text with a mark for each number, and no blanks beside brackets: where columns begin depends on the numbers."""
    return re.sub(r" ?([\[\](){},;|]) ?", r"\1", NUMBER.sub("\0", text))


def same_number(old: str, new: str, rtol: float = RTOL) -> bool:
    """Whether two printed numbers agree."""
    old, new = (text.replace("\u2212", "-") for text in (old, new))
    a, b = float(old), float(new)
    if a == b:
        return True
    if re.fullmatch(r"[-+]?\d+", old) and re.fullmatch(r"[-+]?\d+", new):
        return False
    if abs(a - b) <= ATOL + rtol * abs(a):
        return True
    unit = max(_last_place(old), _last_place(new))
    return min(_digits(old), _digits(new)) >= 4 and abs(a - b) <= 1.01 * unit


def _digits(number: str) -> int:
    """Significant digits as printed."""
    return len(re.sub(r"[eE].*|[^\d]", "", number).lstrip("0"))


def _last_place(number: str) -> float:
    """The value of one unit in the last digit."""
    mantissa, _, exponent = number.lower().partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


def differences(old: list[Any], new: list[Any], rtol: float = RTOL, kinds_only: bool = False) -> list[str]:
    """What differs between two lists of a cell's outputs, in words; empty where they agree."""
    kinds = [[_kind(output) for output in outputs] for outputs in (old, new)]
    if kinds[0] != kinds[1]:
        return [f"kinds of outputs: committed {_listed(kinds[0])}, rebuilt {_listed(kinds[1])}"]
    if kinds_only:
        return []
    found = []
    for before, after in zip(old, new, strict=True):
        texts = _texts(before), _texts(after)
        for mime in texts[0]:
            if not same_text(texts[0][mime], texts[1][mime], rtol):
                found.append(f"{mime}\n{show_difference(texts[0][mime], texts[1][mime], rtol)}")
    return found


def _kind(output: Any) -> str:
    """The output's kind: its type, and its MIME types or stream or error name."""
    detail = output.get("name") or output.get("ename") or "+".join(sorted(output.get("data", {})))
    return f"{output['output_type']}:{detail}"


def _listed(kinds: Iterable[str]) -> str:
    return ", ".join(kinds) or "nothing"


def _texts(output: Any) -> dict[str, str]:
    if output["output_type"] == "stream":
        return {"printed text": output["text"]}
    if output["output_type"] == "error":
        return {"error": f"{output['ename']}: {output['evalue']}"}
    return {mime: str(output["data"][mime]) for mime in sorted(output["data"]) if mime in PLAIN}


def show_difference(old: str, new: str, rtol: float = RTOL, most: int = 6) -> str:
    """The first lines that differ, old and new."""
    a, b = old.split("\n"), new.split("\n")
    pairs = [(x, y) for x, y in zip(a, b, strict=False) if not same_text(x, y, rtol)]
    lines = [f"    - {_around(x, y)}\n    + {_around(y, x)}" for x, y in pairs[:most]]
    if len(pairs) > most:
        lines.append(f"    ... and {len(pairs) - most} more lines")
    if len(a) != len(b):
        lines.append(f"    committed {len(a)} lines, rebuilt {len(b)}")
    return "\n".join(lines)


def _around(text: str, other: str, width: int = 110) -> str:
    """The part of a long line where it begins to differ."""
    if len(text) <= width:
        return text
    start = next((i for i, (x, y) in enumerate(zip(text, other, strict=False)) if x != y), 0)
    begin = max(0, start - width // 2)
    return ("..." if begin else "") + text[begin : begin + width] + "..."
