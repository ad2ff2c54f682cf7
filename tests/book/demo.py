"""A chapter that keeps every rule, for tests to break."""

from chapters.tools.source import HEADER, Chapter

EXERCISE = """\
### Exercise 9.{k}. Number {k}

Show that it is so.

"""
EXERCISES = "".join(EXERCISE.format(k=k) for k in range(1, 7))
GOALS = """\
- what a chapter is, and why it begins with a question and a picture, long before the first of its cells;
- how a formula is checked, how a wrong one is shown to fail, and where the table of errors stands;
- that a rule is worth no more than the fault that it finds.
"""
TEXT = (
    HEADER
    + """\

# A demonstration

**You will learn**

"""
    + GOALS
    + """\

```{code-cell} ipython3
:tags: [setup]

import matplotlib.pyplot as plt
import numpy as np

import minilm as ml
from minilm.book import fails, holds, real

one = 1
```

## The logistic `function`, and $e$

The article says (9.1\\*), which is wrong; (9.1) is right. See [the errors](#what-the-article-gets-wrong-here), or
[this section](09-demo.md#the-logistic-function-and-).

> [!NOTE]
> It costs $5, and `$$` is no formula.

$$
s' = s \\tag{9.1*}
$$

$$
\\begin{aligned}
s'(z) &= s(z)\\,(1 - s(z)) \\\\
s(z) &= \\frac{1}{1 + e^{-z}}
\\end{aligned} \\tag{9.1}
$$

```{code-cell} ipython3
:tags: [formula]

def slope(z):
    return ml.grad(z.sigmoid().sum(), z)


s = lambda z: 1 / (1 + ml.exp(-z))
holds("9.1", engine=slope, formula=lambda z: s(z) * (1 - s(z)), z=real(3))
fails("9.1*", engine=slope, formula=lambda z: z.sigmoid(), z=real(3))
```

```{code-cell} ipython3
---
mystnb:
  image:
    alt: a line that rises
---
plt.plot([0, one])
plt.show()
```

*Figure 9.1. A line. Figure 9.1 rises.*

```{code-cell} ipython3
:tags: [raises-exception]

ml.tensor([1.0, 2.0]) @ ml.tensor([1.0, 2.0, 3.0])
```

```{code-cell} ipython3
:tags: [rtol=1e-2]

print("loss", 0.123456, 10)
np.float64(2.5)
```

### A part of it

```text
(9.7) in code, and [a link](nowhere.md), do not count
```

## What the article gets wrong here

| Where | What it says | What holds |
| --- | --- | --- |
| 9.1 | *false:* $s' = s$ | (9.1) |

## Exercises

"""
    + EXERCISES
    + """\
## Sources

- Nobody.
"""
)


def demo(folder, *changes):
    """The chapter as a file in a folder, with pieces of its text replaced: ``(old, new)``."""
    text = TEXT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = folder / "09-demo.md"
    path.write_text(text, encoding="utf-8")
    return Chapter(path)
