"""Robustness: a step of an attack, and noisy copies that must keep their labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, fixed, own


def _points(n: int, width: int, norm: str, epsilon: float = 0.5, eta: float = 0.2) -> Inputs:
    """Points within the ball around others, and gradients of different lengths."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        clean = rng.standard_normal((n, width))
        delta = rng.uniform(-epsilon, epsilon, (n, width))
        if norm == "2":
            delta *= np.minimum(1, epsilon / np.linalg.norm(delta, axis=1, keepdims=True))
        g = rng.standard_normal((n, width)) * 10.0 ** rng.integers(-2, 3, (n, 1))
        return clean + delta, clean, g, eta, epsilon, norm

    return inputs


def _at(x: list[float], clean: list[float], g: list[float], eta: float, epsilon: float, norm: str) -> Inputs:
    return fixed(np.array([x]), np.array([clean]), np.array([g]), eta, epsilon, norm)


PGD_STEP = Task(
    id="9.9",
    title="One step of projected gradient ascent",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="steepest ascent in two norms, projection onto a ball",
    statement=r"""
An attack on a batch of inputs: each row of `clean` is an example, `x` is how far the attack has come, `g` is the gradient of
each row's loss at `x`. Write `pgd_step(x, clean, g, eta, epsilon, norm)`: a step of the size $\eta$ that raises a linear loss most, and
then the way back to the nearest point of the ball around the example,

$$ x' = \Pi_\epsilon(x + \eta\, d(g)). $$

- `norm == "inf"`: the step moves each number by $\eta$ or not at all, $d(g) = \operatorname{sign}(g)$, and no number of
  $x' - \text{clean}$ may be larger than $\epsilon$ in absolute value;
- `norm == "2"`: $d(g) = g / \lVert g \rVert_2$, row by row, and no row of $x' - \text{clean}$ may be longer than $\epsilon$.

Where a row has no slope, it makes no step.
""",
    stub='''
def pgd_step(x, clean, g, eta, epsilon, norm):
    """One step of an attack.

    x, clean, g: (n, d), n examples. eta, epsilon: floats, 0 or more.
    norm: "inf" or "2".
    Returns the new points, (n, d).
    """
    raise NotImplementedError
''',
    solution="""
def pgd_step(x, clean, g, eta, epsilon, norm):
    if norm == "inf":
        delta = x + eta * np.sign(g) - clean
        return clean + np.clip(delta, -epsilon, epsilon)
    length = np.linalg.norm(g, axis=1, keepdims=True)
    way = g / np.where(length == 0, 1, length)
    delta = x + eta * way - clean
    far = np.linalg.norm(delta, axis=1, keepdims=True)
    return clean + delta * np.minimum(1, epsilon / np.maximum(far, 1e-300))
""",
    name="pgd_step",
    setup="import numpy as np\n",
    hint="""
The ball lies around the example, not around where the attack stands: look at x' - clean. What is inside stays where it is. In the 2-norm
a change that is too long is shortened, and keeps its direction.
""",
    derivation=r"""
Which change $\delta$ with $\lVert \delta \rVert \le \eta$ makes $g \cdot \delta$ largest? If no number may be larger than
$\eta$, each takes the
sign of its slope: $\eta \sum_i \lvert g_i \rvert$. If the length is bounded, Cauchy and Schwarz say $g \cdot \delta \le \lVert
g \rVert \eta$, with
equality along $g$.

The nearest point of the ball: in the maximum norm each number is by itself, and is cut. In the 2-norm it is the point of the
sphere in the same
direction. To cut each number there gives a point of the cube, up to $\sqrt d$ times as far away as allowed.
""",
    tests=(
        Test("two numbers, each by eta", _at([0.0, 0.0], [0.0, 0.0], [3.0, -0.1], 0.2, 0.5, "inf")),
        Test("a step along the gradient", _at([0.0, 0.0], [0.0, 0.0], [3.0, 4.0], 0.2, 0.5, "2")),
        Test("beyond the edge, cut", _at([1.4, 2.0], [1.0, 2.0], [1.0, 1.0], 0.3, 0.5, "inf")),
        Test("beyond the edge, shortened", _at([1.3, 2.4], [1.0, 2.0], [3.0, 4.0], 0.3, 0.5, "2")),
        Test("many examples, each number bounded", _points(6, 4, "inf"), points=2, labels={"the examples": 6}),
        Test("many examples, the length bounded", _points(6, 4, "2"), points=2, labels={"the examples": 6}),
        Test("no slope", _at([0.1, 0.2], [0.0, 0.0], [0.0, 0.0], 0.2, 0.5, "2"), hidden=True),
        Test("no room", _at([1.0, 2.0], [1.0, 2.0], [1.0, -1.0], 0.2, 0.0, "2"), hidden=True),
    ),
    wrong=(
        Wrong(
            "",
            "x + eta * np.sign(g) - clean",
            "x - eta * np.sign(g) - clean",
            why="The step goes down the gradient, as training does. An attack raises the loss.",
            look="The sign of the step.",
        ),
        Wrong(
            "",
            "x + eta * way - clean",
            "x - eta * way - clean",
            why="In the 2-norm the step goes down the gradient. An attack raises the loss.",
            look="The sign of the step.",
        ),
        Wrong(
            "",
            "eta * np.sign(g)",
            "eta * g",
            why="The step is as long as the gradient. In the maximum norm each number may move by eta, however small its slope.",
            look="The number whose slope is -0.1 in the first test.",
        ),
        Wrong(
            "",
            "eta * way - clean",
            "eta * g - clean",
            why="The gradient was not brought to length 1: a flat loss makes a tiny step, a steep one leaves the ball at once.",
            look="The length of the step: it is eta.",
        ),
        Wrong(
            "",
            "        delta = x + eta * np.sign(g) - clean\n        return clean + np.clip(delta, -epsilon, epsilon)\n",
            "        return x + np.clip(eta * np.sign(g), -epsilon, epsilon)\n",
            why="The step was cut, not the whole change: after many steps the point is far outside the ball around the example.",
            look="Of which two points the distance is bounded.",
        ),
        Wrong(
            "",
            "np.linalg.norm(delta, axis=1, keepdims=True)",
            "np.linalg.norm(delta)",
            why="The length is that of the whole batch's change. Each example has its own ball.",
            look="`axis=1`: a length per row.",
        ),
        Wrong(
            "",
            "np.linalg.norm(g, axis=1, keepdims=True)",
            "np.linalg.norm(g)",
            why="The gradient was divided by the length over the whole batch: examples with small slopes hardly move.",
            look="`axis=1`: a length per row.",
        ),
        Wrong(
            "",
            "np.minimum(1, epsilon / np.maximum(far, 1e-300))",
            "(epsilon / np.maximum(far, 1e-300))",
            why="Every change was brought to the length epsilon, those inside the ball as well: that is the sphere, not the ball.",
            look="The test with one step from the middle: the change is 0.2 long.",
        ),
        Wrong(
            "",
            "clean + delta * np.minimum(1, epsilon / np.maximum(far, 1e-300))",
            "clean + np.clip(delta, -epsilon, epsilon)",
            why="In the 2-norm each number was cut: the result lies in a cube, whose corners are outside the ball.",
            look="The length of the change, where it is beyond the edge.",
        ),
        Wrong(
            "",
            "np.where(length == 0, 1, length)",
            "length",
            why="Where there is no slope, this is 0 / 0: the point becomes NaN.",
            look="The last sentence of the statement.",
        ),
    ),
    after="Start at the example with a linear loss. After how many steps does nothing change anymore?",
)


def _augment(texts: list[str], labels: list[int], copies: int) -> Inputs:
    return lambda rng: (list(texts), np.array(labels), copies, own(rng))


FILMS = ["a film to remember", "dull", "not bad at all", "I left early"]

AUGMENT = Task(
    id="9.10",
    title="The noise that taught nothing",
    kind="find the bug",
    minutes=10,
    difficulty=1,
    practises="augmentation, which label belongs to which text",
    statement=r"""
`augment(texts, labels, copies, rng)` writes each text and, right after it, `copies` copies in which two neighboring letters have changed
places. A typo changes no opinion: each copy keeps its text's label. The function returns the list of texts and the array of their labels.

A model that learned without copies was good; with copies it was hardly better than a coin. The texts look as they should. Find
the bug, and mend it. Each text has two characters or more.
""",
    solution="""
def augment(texts, labels, copies, rng):
    rows = []
    for text in texts:
        rows.append(text)
        for _ in range(copies):
            at = int(rng.integers(len(text) - 1))
            swapped = text[at + 1] + text[at]
            rows.append(text[:at] + swapped + text[at + 2 :])
    return rows, np.repeat(labels, copies + 1)
""",
    name="augment",
    setup="import numpy as np\n",
    hint="Two texts, labels 1 and 0, one copy each. Write the four texts and the four labels side by side.",
    derivation=r"""
The texts stand in the order $t_0, t_0', t_1, t_1'$, and so must the labels: $y_0, y_0, y_1, y_1$. That is `np.repeat`, each
element several times.
`np.tile` writes the whole array several times, $y_0, y_1, y_0, y_1$. As many labels, of the same values: no shape is wrong,
and nothing fails but the
model, most of whose labels are then those of other texts.
""",
    tests=(
        Test("two texts, one copy", _augment(["good", "bad"], [1, 0], 1)),
        Test("no copy", _augment(FILMS, [1, 0, 1, 0], 0)),
        Test("four texts, two copies", _augment(FILMS, [1, 0, 1, 0], 2), points=2),
        Test("one text", _augment(["so good"], [1], 3), hidden=True),
        Test("two characters", _augment(["no", "so"], [0, 1], 2), hidden=True),
        Test("three classes", _augment(FILMS, [2, 0, 1, 0], 3), hidden=True),
    ),
    wrong=(
        Wrong(
            "",
            "np.repeat(labels, copies + 1)",
            "np.tile(labels, copies + 1)",
            why="The labels are written one after the other, again and again, but the texts stand beside their copies: many have the "
            "label of another text.",
            look="`np.repeat([1, 0], 2)` and `np.tile([1, 0], 2)`.",
        ),
        Wrong(
            "",
            "np.repeat(labels, copies + 1)",
            "np.repeat(labels, copies)",
            why="There is a label per copy, but none for the text itself.",
            look="How many texts come of one.",
        ),
        Wrong(
            "",
            "np.repeat(labels, copies + 1)",
            "np.repeat(np.sort(labels), copies + 1)",
            why="The labels were put in order, and the texts were not.",
            look="Whose label the first one is.",
        ),
        Wrong(
            "random-not-from-the-generator",
            "int(rng.integers(len(text) - 1))",
            "int(np.random.randint(len(text) - 1))",
        ),
        Wrong(
            "",
            "            rows.append(text[:at] + swapped + text[at + 2 :])\n",
            "            text = text[:at] + swapped + text[at + 2 :]\n            rows.append(text)\n",
            why="Each copy is made of the one before, so that the slips add up. Each is to have one slip.",
            look="What `text` is in the second round.",
        ),
        Wrong(
            "",
            "text[at + 2 :]",
            "text[at + 1:]",
            why="A letter stands there twice: the two letters that change places take the place of two.",
            look="The length of a copy.",
        ),
        Wrong(
            "",
            "        rows.append(text)\n",
            "",
            why="The texts themselves are missing: a model should learn from clean ones, too.",
            look="How many texts come of one.",
        ),
    ),
    after="Which noise does change a label? Look for words that differ by one letter, such as *now* and *not*.",
)

TASKS = (PGD_STEP, AUGMENT)
