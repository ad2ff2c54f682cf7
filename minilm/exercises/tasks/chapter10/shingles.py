"""The shingles of a text."""

from __future__ import annotations

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import fixed
from minilm.exercises.tasks.chapter10.given import sentence


def _a_page(rng: Generator) -> tuple[str, int]:
    """Sentences with capitals, marks and line ends in them."""
    lines = [sentence(rng, 9).capitalize() + end for end in (".", "!\n", ",\t", " (3.5), by_hand.")]
    return " ".join(lines), 13


SHINGLES = Task(
    id="10.1",
    title="The shingles of a text",
    kind="code",
    minutes=20,
    difficulty=1,
    practises="normalizing a text, runs of characters, edge cases",
    statement=r"""
Two documents are near copies if most of their *shingles* are the same. Write `shingles(text, n)`: a Python set of strings.

First the text becomes bare: lower-cased, without the characters in `PUNCTUATION`, the set of Python's `string.punctuation` (they leave
no gap: "don't" becomes "dont"), with one space for every stretch of white space, and none at its ends. A shingle is a run of $n$
characters of the bare text; one begins at each place where $n$ characters are left.

A bare text of fewer than $n$ characters is one shingle itself, also the empty one. So two short texts are alike where they are
equal, and no document is without a shingle.
""",
    stub='''
def shingles(text, n):
    """The runs of n characters of the bare text, as a set of strings."""
    raise NotImplementedError
''',
    solution="""
def shingles(text, n):
    kept = "".join(c for c in text.lower() if c not in PUNCTUATION)
    bare = " ".join(kept.split())
    return {bare[i : i + n] for i in range(max(1, len(bare) - n + 1))}
""",
    name="shingles",
    setup="import re\nimport string\n\nPUNCTUATION = set(string.punctuation)\n",
    hint="`split()` without an argument knows every kind of white space. How many runs of 3 characters has a text of 3? Of 4? Of 2?",
    derivation=r"""
Of a bare text of $m \ge n$ characters the last run begins at $m - n$, so there are $m - n + 1$ of them. Below $n$ characters that
number is 0 or less. There the slice from 0 to $n$ is the whole text, which is just the one shingle that is asked: so
$\max(1, m - n + 1)$ runs serve both cases.

Punctuation goes before white space is put in order: "a - b" becomes "a  b", with two spaces, and only then "a b".
""",
    tests=(
        Test("a word", fixed("Copy", 3)),
        Test("as long as a shingle", fixed("data", 4)),
        Test("white space and marks", fixed(" Don't   panic,\nread - on! ", 5), points=2),
        Test("shorter than a shingle", fixed("Hi!", 13), hidden=True),
        Test("nothing but marks", fixed(" ...\n", 13), hidden=True),
        Test("a page, 13 characters", _a_page, hidden=True),
    ),
    wrong=(
        Wrong(
            "window-off-by-one",
            "len(bare) - n + 1",
            "len(bare) - n",
            why="The last shingle is missing: in a text of m characters m - n + 1 runs of n begin.",
            look="A text of exactly n + 1 characters has two.",
        ),
        Wrong(
            "",
            "max(1, len(bare) - n + 1)",
            "max(1, len(bare))",
            why="A run began at every character, so the last ones are shorter than n.",
            look="The lengths of your shingles.",
        ),
        Wrong("short-text-without-shingle", "max(1, len(bare) - n + 1)", "len(bare) - n + 1"),
        Wrong(
            "",
            "text.lower()",
            "text",
            why="The text was not lower-cased, so a copy with another capital is none.",
            look="A capital in your shingles.",
        ),
        Wrong(
            "",
            "    return {",
            "    words = bare.split()\n    last = max(1, len(words) - n + 1)\n"
            '    return {" ".join(words[i : i + n]) for i in range(last)}\n    return {',
            why="These are runs of n words, and not of n characters.",
            look="What a character of the bare text is: a letter, a digit, or a space.",
        ),
        Wrong(
            "",
            "range(max(1, len(bare) - n + 1))",
            "range(0, max(1, len(bare) - n + 1), n)",
            why="The text was cut into pieces that do not overlap. With one letter more at the front, all of them would change.",
            look="The second shingle begins one character behind the first.",
        ),
        Wrong(
            "",
            "if c not in PUNCTUATION",
            "if c.isalpha() or c.isspace()",
            why="The digits went, too. Only the characters in `PUNCTUATION` go.",
            look="What becomes of 3.5.",
        ),
        Wrong(
            "",
            'kept = "".join(c for c in text.lower() if c not in PUNCTUATION)',
            'marks = string.punctuation\n    kept = " ".join(w.strip(marks) for w in text.lower().split())',
            why="Marks were taken from the ends of words only, so those within a word stayed.",
            look='What becomes of "don\'t".',
        ),
        Wrong(
            "",
            '"".join(c for c in text.lower() if c not in PUNCTUATION)',
            're.sub(r"[^\\w\\s]", "", text.lower())',
            why="The underscore is still in it: in a regular expression \\w holds letters, digits and the underscore.",
            look='What becomes of "by_hand".',
        ),
        Wrong(
            "",
            "if c not in PUNCTUATION",
            "",
            why="The punctuation is still in it.",
            look="What the bare text is without.",
        ),
        Wrong(
            "",
            '"".join(c for c in text.lower() if c not in PUNCTUATION)',
            '"".join(" " if c in PUNCTUATION else c for c in text.lower())',
            why="A space took the place of each mark. A mark leaves no gap.",
            look='What becomes of "don\'t".',
        ),
        Wrong(
            "",
            '" ".join(kept.split())',
            "kept.strip()",
            why="White space within the text was left as it was: two spaces, a line end and a space are different texts then.",
            look="A shingle with a line end or two spaces in it.",
        ),
        Wrong(
            "",
            '" ".join(kept.split())',
            '"".join(kept.split())',
            why="All white space is gone. One space stays where there was some.",
            look="Where one word ends and the next begins.",
        ),
        Wrong(
            "",
            '" ".join(kept.split())',
            're.sub(r"\\s+", " ", kept)',
            why="A space was left at an end of the bare text.",
            look="The first and the last shingle of a text that begins or ends with white space.",
        ),
        Wrong(
            "",
            'kept = "".join(c for c in text.lower() if c not in PUNCTUATION)\n    bare = " ".join(kept.split())',
            'kept = " ".join(text.lower().split())\n    bare = "".join(c for c in kept if c not in PUNCTUATION)',
            why="White space was put in order before the punctuation went: a mark that stood alone leaves two spaces.",
            look='"a - b".',
        ),
    ),
    after="How alike are two texts that differ in one letter, if n is 13 and each has 1,000 characters? Count the shingles that change.",
)

TASKS = (SHINGLES,)
