"""What a chapter costs its reader, counted."""

from chapters.tools import measure
from chapters.tools.source import Chapter

TEXT = """# A title

Three words here, $x$.

$$ y = \\bigl( x \\bigr) \\tag{4.1} $$

```{code-cell} ipython3
:tags: [fold]

print(1)
```

```{code-cell} ipython3
print(2)
print(3)
```

| a | b |
| --- | --- |
| one | two |

$$ y = (x) \\tag{4.2} $$

## Exercises

Not counted.
"""


def test_words_formulas_and_cells_are_counted(tmp_path):
    path = tmp_path / "04-mathematics.md"
    path.write_text(TEXT)
    (row,) = measure.rows([Chapter(path)])
    found = dict(zip(measure.COLUMNS, row, strict=True))
    assert found["words"] == len(["A", "title", "Three", "words", "here", "a", "b", "one", "two"])
    assert (found["formulas"], found["repeated"]) == (2, 1)
    assert (found["visible cells"], found["longest"]) == (1, 2)
    assert measure.rows([Chapter(path)], folds=False)[0][4] == 2


def test_what_a_formula_says_does_not_depend_on_its_markup():
    assert measure.plain(r"\Bigl( a \Bigr)_{\beta}\, \tag{1.2}") == measure.plain(r"\left( a \right) _{\beta}")
    assert measure.plain("a + b") != measure.plain("a - b")
