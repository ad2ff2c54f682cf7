"""Bands and rows: how likely two documents meet, given how alike they are."""

from __future__ import annotations

from typing import Any

from minilm.exercises.task import Generator, Task, Test, Wrong

CHOICES = (
    (9, 13, 0.85),
    (9, 13, 0.9),
    (16, 8, 0.7),
    (16, 8, 0.75),
    (20, 6, 0.6),
    (25, 5, 0.5),
    (8, 16, 0.9),
    (12, 10, 0.8),
)


def _choice(rng: Generator) -> dict[str, Any]:
    bands, rows, J = CHOICES[rng.integers(len(CHOICES))]
    return {"bands": bands, "rows": rows, "J": J, "pairs": int(rng.integers(2, 9)) * 1000}


S_CURVE = Task(
    id="10.3",
    title="Where the S-curve rises",
    kind="number",
    minutes=20,
    difficulty=2,
    practises="probabilities of at least one, and of all",
    statement=r"""
Each number of two signatures agrees with the probability $J$, independently of the others. The signatures are cut into {bands} bands of
{rows} numbers. Two documents are compared if they agree in a whole band, in one band at least.

In a corpus there are {pairs} pairs of documents with $J = {J}$.

- With what probability is such a pair compared?
- How many of these pairs are never compared, on average?
- At which $J$ is a pair compared with the probability one half?

Set `answer = (compared, missed, half)`, to three digits or more. The numbers are in `bands`, `rows`, `J`, `pairs`.
""",
    stub="""
compared = None  # a probability
missed = None  # a number of pairs
half = None  # a similarity
answer = (compared, missed, half)
""",
    solution="""
compared = 1 - (1 - J**rows) ** bands
missed = pairs * (1 - compared)
half = (1 - 0.5 ** (1 / bands)) ** (1 / rows)
answer = (float(compared), float(missed), float(half))
""",
    setup="",
    data=_choice,
    hint="With what probability do all numbers of one band agree? And that this happens in none of the bands?",
    derivation=r"""
With $b$ bands of $r$ rows: a band agrees with the probability $J^r$, and does not with $1 - J^r$. No band agrees with the probability
$(1 - J^r)^b$, so one at least does with

$$
p(J) = 1 - (1 - J^r)^b .
$$

Of $N$ pairs $N (1 - p)$ are missed. Where $p = \frac12$, $(1 - J^r)^b = \frac12$, so $J^r = 1 - 2^{-1/b}$, and the root of it is $J$. The
rule of thumb $(1/b)^{1/r}$ lies above that: there $p$ is already about $1 - 1/e = 0.63$.
""",
    tests=(
        Test("the probability", use=lambda answer: answer[0], call="compared", rtol=2e-3),
        Test("pairs that are missed", use=lambda answer: answer[1], call="missed", rtol=2e-3),
        Test("where it is one half", use=lambda answer: answer[2], call="half", rtol=2e-3),
    ),
    wrong=(
        Wrong("bands-and-rows-swapped", "(1 - J**rows) ** bands", "(1 - J**bands) ** rows"),
        Wrong(
            "",
            "1 - (1 - J**rows) ** bands",
            "(1 - J**rows) ** bands",
            why="No band agrees with this probability. Asked was that one at least does.",
            look="The probability for J near 1 must be near 1.",
        ),
        Wrong(
            "",
            "1 - (1 - J**rows) ** bands",
            "J**rows",
            why="One given band agrees with this probability. There are more bands.",
            look="How many chances a pair has to meet.",
        ),
        Wrong(
            "",
            "1 - (1 - J**rows) ** bands",
            "J ** (rows * bands)",
            why="All numbers of all bands agree with this probability. One whole band is enough.",
            look="How many chances a pair has to meet.",
        ),
        Wrong(
            "",
            "1 - (1 - J**rows) ** bands",
            "1 - J ** (rows * bands)",
            why="Some number disagrees with this probability: the complement within the bands is missing.",
            look="The probability that one band does not agree.",
        ),
        Wrong(
            "",
            "1 - (1 - J**rows) ** bands",
            "1 - (1 - J) ** (rows * bands)",
            why="The exponents were multiplied: this is the probability that one number at least agrees, of all there are.",
            look="The brackets of the formula: J to the power of the rows comes first.",
        ),
        Wrong(
            "",
            "1 - (1 - J**rows) ** bands",
            "bands * J**rows",
            why="So many bands agree on average. It may be more than 1; the events do not exclude each other.",
            look="The probability of none, and its complement.",
        ),
        Wrong(
            "",
            "1 - (1 - J**rows) ** bands",
            "(1 - (1 - J) ** bands) ** rows",
            why="Within a band all numbers must agree, and of the bands one: here it is the other way round.",
            look="Which comes first, all of a band or one of the bands?",
        ),
        Wrong(
            "",
            "pairs * (1 - compared)",
            "pairs * compared",
            why="These are the pairs that are compared, not those that are missed.",
            look="The complement.",
        ),
        Wrong(
            "",
            "(1 - 0.5 ** (1 / bands)) ** (1 / rows)",
            "(1 / bands) ** (1 / rows)",
            why="This is the rule of thumb for where the curve is steep. There the probability is about 0.63, not one half.",
            look="Put your similarity into the formula of the first answer.",
        ),
        Wrong(
            "",
            "(1 - 0.5 ** (1 / bands)) ** (1 / rows)",
            "(1 - 0.5 ** (1 / rows)) ** (1 / bands)",
            why="Bands and rows changed places in the last answer.",
            look="Put your similarity into the formula of the first answer.",
        ),
        Wrong(
            "",
            "(1 - 0.5 ** (1 / bands)) ** (1 / rows)",
            "0.5 ** (1 / (bands * rows))",
            why="The complement is missing: here all numbers agree with the probability one half. A pair needs one whole band only.",
            look="Put your similarity into the formula of the first answer.",
        ),
        Wrong(
            "",
            "(1 - 0.5 ** (1 / bands)) ** (1 / rows)",
            "1 - 0.5 ** (1 / bands)",
            why="The root is missing: this is J to the power of the rows, the probability that one band agrees.",
            look="The last step on the way back from p to J.",
        ),
    ),
    after="128 numbers allow many choices of bands and rows. Which of them have their half near 0.8, and which is the steepest?",
)

TASKS = (S_CURVE,)
