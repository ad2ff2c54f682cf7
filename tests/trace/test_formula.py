"""Formulas as Unicode text."""

import re

import pytest

from minilm.ops.op import REGISTRY
from minilm.trace.formula import is_known, plain

RECORDS = [(name, latex) for name, op in REGISTRY.items() for latex in (op.formula, op.derivative)]


@pytest.mark.parametrize(("name", "latex"), RECORDS, ids=[f"{n}-{'fd'[i % 2]}" for i, (n, _) in enumerate(RECORDS)])
def test_every_record_is_plain_text(name, latex):
    text = plain(latex)
    assert not set("\\{}\n\t$") & set(text)
    assert "  " not in text.replace("   ", "")
    assert text.count("(") == text.count(")")
    commands = re.findall(r"\\([A-Za-z]+|.)", latex)
    assert all(map(is_known, commands)), [c for c in commands if not is_known(c)]


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"y = a\, b", "y = a b"),
        (r"\bar a = \bar y, \quad \bar b = -\bar y", "ā = ȳ,   b̄ = -ȳ"),
        (r"y = \frac{1}{1 + e^{-x}}", "y = 1/(1 + e⁻ˣ)"),
        (r"\bar x = \frac{\bar y}{2 y}", "x̄ = ȳ/(2 y)"),
        (r"\frac{(a + b)}{c}", "(a + b)/c"),
        (r"\frac{(a)(b)}{c + d}", "(a)(b)/(c + d)"),
        (r"\frac ab", "a/b"),
        (r"y = x\,\sigma(x)", "y = x σ(x)"),
        (r"y = \sum_{j \le i} x_j", "y = Σ_[j ≤ i] xⱼ"),
        (r"y = \max_i x_i", "y = maxᵢ xᵢ"),
        (r"\bar b = \sum_{\text{rows}} \bar y_i", "b̄ = Σ_rows ȳᵢ"),
        (r"\bar A = \bar Y B^\top", "Ā = Ȳ Bᵀ"),
        (r"\sqrt{\sigma^2 + \epsilon}", "√(σ² + ε)"),
        (r"\frac{1}{\sqrt{\sigma^2 + \epsilon}}", "1/√(σ² + ε)"),
        (r"e^{-x^2/2}", "e^(-x²/2)"),
        (r"x_{n,\, c}", "x_[n, c]"),
        (r"\bar y \cos x", "ȳ cos x"),
        (r"y \in \{-1, 0\}", "y ∈ ❴-1, 0❵"),
        (r"\begin{cases} a & x \le 0 \\ b & x > 0 \end{cases}, \quad c", "a for x ≤ 0; b for x > 0,   c"),
        (r"x = \left( \frac{a}{b} \right)", "x = (a/b)"),
        (r"\unknown x", "unknown x"),
    ],
)
def test_forms(latex, text):
    import unicodedata

    assert plain(latex) == unicodedata.normalize("NFC", text)
