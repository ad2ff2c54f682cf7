r"""The formulas of the ops as plain text, for a terminal: ``\bar x = \frac{\bar y}{2 y}`` becomes ``x̄ = ȳ/(2 y)``.

Only the LaTeX of the records is understood. Subscripts and superscripts become Unicode's where it has all their letters, and
else are written in brackets after ``_`` and ``^``; a fraction becomes ``a/b``, with parentheses where it takes some.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterator
from functools import cache


def _table(text: str) -> dict[str, str]:
    """Commands, each followed by what it becomes."""
    words = text.split()
    return dict(zip(words[::2], words[1::2], strict=True))


LETTERS = _table("""
    alpha α beta β gamma γ delta δ epsilon ε eta η theta θ kappa κ lambda λ mu μ xi ξ pi π rho ρ sigma σ tau τ phi φ psi ψ omega ω
    Gamma Γ Delta Δ Theta Θ Pi Π Sigma Σ Phi Φ Psi Ψ Omega Ω ell ℓ infty ∞ partial ∂ top ᵀ nabla ∇
""")
SIGNS = _table("""
    le ≤ leq ≤ ge ≥ geq ≥ ne ≠ neq ≠ lnot ¬ neg ¬ land ∧ lor ∨ sim ∼ approx ≈ equiv ≡ to → mapsto ↦ times × cdot · odot ⊙ otimes ⊗
    pm ± mid | lt < gt > subset ⊂ cup ∪ cap ∩ in ∈ notin ∉ exists ∃ forall ∀ bmod mod
""")
LARGE = _table("""
    sum Σ prod Π int ∫ dots … cdots … ldots … vdots ⋮ lfloor ⌊ rfloor ⌋ lceil ⌈ rceil ⌉ langle ⟨ rangle ⟩ lVert ‖ rVert ‖ | ‖
    { ❴ } ❵
""")  # a set's braces are not LaTeX's
FORMS = frozenset(("frac", "tfrac", "dfrac", "sqrt", "begin", "end", "#", "%", "&", "_", "$"))
WORDS = frozenset(("sin", "cos", "tan", "tanh", "sinh", "cosh", "arcsin", "arccos", "arctan", "ln", "log", "exp", "max", "min",
                   "det", "arg", "sup", "inf", "lim", "tr"))  # fmt: skip
GAP, WORD = "\u2003", "\u2060"  # a wide space; a mark on text, which is never made small
SPACES = {",": " ", ";": " ", ":": " ", "quad": GAP, "qquad": GAP, " ": " ", "!": "", "\\": "\n"}
SILENT = frozenset(("bigl", "bigr", "Bigl", "Bigr", "biggl", "biggr", "big", "Big", "left", "right", "textstyle", "displaystyle",
                    "limits", "nolimits"))  # fmt: skip
ACCENTS = {
    "bar": "\u0304",
    "overline": "\u0304",
    "hat": "\u0302",
    "widehat": "\u0302",
    "tilde": "\u0303",
    "dot": "\u0307",
}
PLAIN = frozenset(
    (
        "text",
        "textbf",
        "textit",
        "mathrm",
        "mathbf",
        "mathit",
        "mathcal",
        "mathbb",
        "operatorname",
        "boldsymbol",
        "underbrace",
    )
)
LOW = dict(zip("0123456789+-=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ", strict=True))
HIGH = dict(zip("0123456789+-=()abcdefghijklmnoprstuvwxyzᵀ", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵀ", strict=True))
SMALL = frozenset((*LOW.values(), *HIGH.values()))


@cache
def plain(latex: str) -> str:
    """A formula in LaTeX as Unicode text; a command that is not known here stands as its name."""
    text = _Reader(latex).all().replace(WORD, "")
    text = re.sub(r" +(?=[,;)\]])|(?<=[(\[]) +", "", re.sub(r" {2,}", " ", text))
    return unicodedata.normalize("NFC", re.sub(rf" *{GAP} *", "   ", text).strip())


def is_known(command: str) -> bool:
    """Whether a command, ``"frac"``, has a text of its own."""
    tables: tuple[Container[str], ...] = (LETTERS, LARGE, SIGNS, SPACES, WORDS, SILENT, ACCENTS, PLAIN, FORMS)
    return any(command in table for table in tables)


class _Reader:
    """Reads tokens: a command, a brace, or one character."""

    def __init__(self, latex: str) -> None:
        self.tokens = re.findall(r"\\[A-Za-z]+|\\.|\s+|.", latex)
        self.at = 0

    def all(self, end: str = "") -> str:
        """Up to the token `end`, which is taken."""
        parts: list[str] = []
        while self.at < len(self.tokens) and self.tokens[self.at] != end:
            for part in self.one():
                if parts and _touch(parts[-1], part):
                    parts.append(" ")
                parts.append(part)
        self.at += 1
        return "".join(parts)

    def one(self) -> Iterator[str]:
        token = self.next()
        if token.isspace():
            yield " "
        elif token == "{":
            yield self.all("}")
        elif token in "_^":
            self.space()
            yield _script(self.argument(), token)
        elif token == "&":
            yield "\t"
        elif token[0] != "\\":
            yield token
        else:
            yield self.command(token[1:])

    def command(self, name: str) -> str:
        if name in SILENT:
            self.delimiter(name)
            return ""
        if name in ("frac", "tfrac", "dfrac"):
            above, below = self.argument(), self.argument()
            return f"{_group(above)}/{_group(below)}"
        if name == "sqrt":
            inside = self.argument()
            return f"√{inside}" if len(inside) == 1 or inside.isdigit() else f"√({inside})"
        if name in ACCENTS:
            return _accented(self.argument(), ACCENTS[name])
        if name in PLAIN:
            return WORD + self.words() if name == "text" else self.argument()
        if name == "begin":
            kind = self.words()
            rows = self.all(r"\end")
            self.words()
            return _cases(rows) if kind == "cases" else rows.strip()
        known = next((t[name] for t in (LETTERS, LARGE, SIGNS, SPACES) if name in t), None)
        return name if known is None else known

    def next(self) -> str:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def space(self) -> None:
        while self.at < len(self.tokens) and self.tokens[self.at].isspace():
            self.at += 1

    def delimiter(self, name: str) -> None:
        """``\\left.`` has no delimiter to show."""
        if name in ("left", "right") and self.at < len(self.tokens) and self.tokens[self.at] == ".":
            self.at += 1

    def argument(self) -> str:
        """What a command stands before: a group, a command, or one character."""
        self.space()
        token = self.next()
        if token == "{":
            return self.all("}").strip()
        return self.command(token[1:]) if token[0] == "\\" else token

    def words(self) -> str:
        """A group as it stands."""
        self.space()
        self.next()
        start = self.at
        while self.tokens[self.at] != "}":
            self.at += 1
        self.at += 1
        return "".join(self.tokens[start : self.at - 1])


def _touch(before: str, after: str) -> bool:
    """Whether a space must stand between: words from letters."""
    if not before or not after or after[0] in SMALL:
        return False
    return before[-1].isalnum() and after[0].isalnum() and (before in WORDS or after in WORDS)


def _script(text: str, kind: str) -> str:
    table = LOW if kind == "_" else HIGH
    if text.startswith(WORD):
        return f"{kind}{text}" if text[1:].isalpha() else f"{kind}[{text[1:]}]"
    bare = re.sub(r"(?<=[^A-Za-z…]) +| +(?=[^A-Za-z…])", "", text)
    if bare and all(c in table for c in bare):
        return "".join(table[c] for c in bare)
    if len(bare) == 1:
        return kind + bare
    return f"_[{text}]" if kind == "_" else f"^({text})"


def _group(text: str) -> str:
    """A numerator or denominator: in parentheses where it has operators."""
    return f"({text})" if re.search(r"[ +\-·/×]", text) and not _closed(text.removeprefix("√")) else text


def _closed(text: str) -> bool:
    """Whether one pair of parentheses is around all of it."""
    depth = 0
    for k, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if not depth and k < len(text) - 1:
            return False
    return text.startswith("(")


def _accented(text: str, mark: str) -> str:
    """The mark over each letter, which of a longer text is the first."""
    return text[:1] + mark + text[1:]


def _cases(rows: str) -> str:
    lines = [" for ".join(part.strip() for part in row.split("\t", 1)) for row in rows.split("\n")]
    return "; ".join(lines)
