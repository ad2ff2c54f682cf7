"""Union-find: what is linked, directly or through others, is one group."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, fixed


def _links(n: int, count: int) -> Inputs:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        return n, [(int(i), int(j)) for i, j in rng.integers(0, n, (count, 2))]

    return inputs


def _a_chain(rng: Generator) -> tuple[Any, ...]:
    """Twelve that are linked one to the next, the links in any order and direction."""
    order = [int(i) for i in rng.permutation(12)]
    pairs = list(pairwise(order))
    return 15, [pairs[i] for i in rng.permutation(len(pairs))]


GROUPS = Task(
    id="10.4",
    title="A group that falls apart",
    kind="find the bug",
    minutes=20,
    difficulty=2,
    practises="union-find, roots",
    statement=r"""
`groups` puts near copies together: documents that pairs link, directly or through others, are one group, named by its smallest number.
With the pairs (0, 1), (1, 2), (2, 3) all is well. With (1, 2), (0, 2) document 1 is a group by itself, though 2 links it to 0. Which
documents are lost hangs on the order of the pairs, so that two runs over one corpus keep different documents.

Find the bug and mend it.
""",
    solution='''
def groups(n, pairs):
    """For each of 0 .. n - 1 the smallest number of its group, as a list.

    pairs: a list of (i, j), in any order: i and j belong together.
    """
    above = list(range(n))

    def root(i):
        while above[i] != i:
            i = above[i]
        return i

    for i, j in pairs:
        i, j = root(i), root(j)
        above[max(i, j)] = min(i, j)
    return [root(i) for i in range(n)]
''',
    name="groups",
    setup="",
    hint="Write down `above` after each of the two pairs. Which number is written over, and what did it know?",
    derivation=r"""
`above` is a forest: each number points to one above it, and a root to itself. After (1, 2) the entry of 2 is 1. The pair (0, 2) writes 0
over it, and that 2 belongs to 1 is forgotten.

A root's entry tells nothing but that it is one, so it can be written over without loss. Therefore not the two of the pair are linked,
but their roots: of 2 that is 1, and 1 is hung below 0. The larger root is hung below the smaller one, so the root of a group is its
smallest number.
""",
    tests=(
        Test("a chain in order", fixed(4, [(0, 1), (1, 2), (2, 3)])),
        Test("linked through the last", fixed(3, [(1, 2), (0, 2)])),
        Test("two groups that meet late", fixed(7, [(5, 6), (3, 5), (1, 2), (2, 6)]), points=2),
        Test("no pair", fixed(3, []), hidden=True),
        Test("a chain in any order", _a_chain, hidden=True),
        Test("many pairs", _links(40, 30), hidden=True),
    ),
    wrong=(
        Wrong("elements-linked-not-roots", "        i, j = root(i), root(j)\n", ""),
        Wrong(
            "",
            "        i, j = root(i), root(j)\n        above[max(i, j)] = min(i, j)\n",
            "        above[max(i, j)] = root(min(i, j))\n",
            why="The larger one of the pair got a new link, not its root: what its old link said is lost all the same.",
            look="Which entry of `above` is written over: it must be a root's.",
        ),
        Wrong(
            "",
            "    for i, j in pairs:\n        i, j = root(i), root(j)\n",
            "    for i, j in sorted(pairs):\n",
            why="The pairs were sorted. Fewer links are written over then, and some still are: with roots, any order does.",
            look="The pairs (0, 2) and (1, 2).",
        ),
        Wrong(
            "",
            "i, j = root(i), root(j)",
            "i = root(i)",
            why="Only the first of a pair is followed to its root; the second one's link is still written over.",
            look="The pair (0, 2) after (1, 2).",
        ),
        Wrong(
            "",
            "i, j = root(i), root(j)",
            "j = root(j)",
            why="Only the second of a pair is followed to its root; the first one's link is still written over.",
            look="The pair (2, 0) after (1, 2).",
        ),
        Wrong(
            "",
            "i, j = root(i), root(j)",
            "i, j = above[i], above[j]",
            why="One link was followed, and not all of them up to the root: where the way is longer, a link is written over.",
            look="A number whose root is two links away.",
        ),
        Wrong(
            "",
            "above[max(i, j)] = min(i, j)",
            "above[j] = i",
            why="The root of the second was hung below that of the first, also where it is smaller: the group's name is not its smallest.",
            look="The pair (3, 5) after (5, 6).",
        ),
        Wrong(
            "",
            "above[max(i, j)] = min(i, j)",
            "above[i] = j",
            why="The root of the first was hung below that of the second, also where it is smaller: the group's name is not its smallest.",
            look="The pair (0, 1).",
        ),
        Wrong(
            "",
            "above[max(i, j)] = min(i, j)",
            "above[min(i, j)] = max(i, j)",
            why="The smaller root was hung below the larger one: each group is named by its largest number.",
            look="Which of the two stays a root.",
        ),
        Wrong(
            "",
            "        above[max(i, j)] = min(i, j)\n",
            "        if i < j:\n            above[j] = i\n",
            why="A pair whose first root is the larger one was left out.",
            look="The pair (3, 5) after (5, 6), and the same pair as (5, 3).",
        ),
        Wrong(
            "",
            "return [root(i) for i in range(n)]",
            "return above",
            why="What is returned is the next number above each, not the root: a long way was not followed to its end.",
            look="A number whose root is two links away.",
        ),
        Wrong(
            "",
            "while above[i] != i:",
            "if above[i] != i:",
            why="`root` follows one link, and the way may have several.",
            look="A chain of four.",
        ),
        Wrong(
            "",
            "    for i, j in pairs:\n        i, j = root(i), root(j)\n        above[max(i, j)] = min(i, j)\n",
            "    for i, j in pairs:\n        above[i] = above[j] = min(above[i], above[j])\n",
            why="Both of the pair got the smaller name, but not those that were linked to them before.",
            look="What must change when two groups of several meet.",
        ),
    ),
    after="In the worst case a way is as long as the group. What does `above[i] = above[above[i]]` on the way up change?",
)

TASKS = (GROUPS,)
