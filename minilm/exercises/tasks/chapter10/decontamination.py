"""Decontamination: what of a training text stands in a text that the model will be tested with."""

from __future__ import annotations

from typing import Any

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import fixed
from minilm.exercises.tasks.chapter10.given import sentence


def _a_corpus(rng: Generator) -> tuple[Any, ...]:
    """Two held-out texts; one training text quotes the end of the first, one repeats a part, one shares nothing but words."""
    first, second = sentence(rng, 12), sentence(rng, 9)
    quote = " ".join(first.split()[-6:])
    train = [
        f"{sentence(rng, 5)} {quote}",
        sentence(rng, 11),
        f"{quote} {quote} {sentence(rng, 8)}",
        second.upper(),
        f"{' '.join(first.split()[-2:])} {' '.join(second.split()[:2])} {sentence(rng, 3)}",
    ]
    return train, [first, second], 3, 0.4


CLEAN = Task(
    id="10.5",
    title="No test text in the training set",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="runs of words, sets, a share of occurrences",
    statement=r"""
A model that has read its test says nothing about the next one. Write `decontaminate(train, held_out, n, most)`.

The words of a text are what `split()` gives of it, lower-cased. A run is $n$ words in a row of one text; a text of fewer words, but at
least one, is a single run by itself. The *share* of a training text is the share of its runs that stand in any held-out text. A run
that the training text has twice counts twice. A text without words has the share 0.

Return the indices of the training texts that stay, those whose share is at most `most`, and the shares of all.
""",
    stub='''
def decontaminate(train, held_out, n, most):
    """Which training texts stay, and what share of each stands in held-out texts.

    train, held_out: lists of strings.
    Returns a list of indices of train, ascending, and shares (len(train),), floats.
    """
    raise NotImplementedError
''',
    solution="""
def decontaminate(train, held_out, n, most):
    def runs(text):
        words = text.lower().split()
        starts = range(max(1, len(words) - n + 1)) if words else ()
        return [tuple(words[i : i + n]) for i in starts]

    known = {run for text in held_out for run in runs(text)}
    shares = []
    for text in train:
        found = [run in known for run in runs(text)]
        shares.append(sum(found) / max(1, len(found)))
    stay = [i for i, share in enumerate(shares) if share <= most]
    return stay, np.array(shares, float)
""",
    name="decontaminate",
    hint="""
A function of its own gives the runs of one text. Those of all held-out texts go into one set: why may they be taken of each text by
itself only, and not of all texts joined?
""",
    derivation=r"""
A text of $m \ge n$ words has $m - n + 1$ runs. Tuples of words can be elements of a set, lists cannot. With the held-out runs in a set,
each of the training set's is looked up in constant time: the work grows with the number of words, not with the number of pairs of texts.

Runs are taken of each text by itself. Joined, the end of one held-out text and the beginning of the next would make runs that nobody
wrote. And it is the training text that goes: a test from which the hard questions were taken would be another test.
""",
    tests=(
        Test("a quotation", fixed(["we read a book about whales", "the sea is deep"], ["I read a book"], 3, 0.1)),
        Test(
            "the same words in another order",
            fixed(["dogs bite men often", "men bite dogs"], ["men bite dogs often"], 2, 0.5),
        ),
        Test("a share on the border", fixed(["a b c d", "a b x y z"], ["a b c q"], 2, 0.25), points=2),
        Test(
            "one held-out text ends, another begins",
            fixed(["red sun blue moon"], ["the red sun", "blue moon rise"], 2, 0.9),
        ),
        Test("capitals and line ends", fixed(["To  BE\nor not"], ["to be or\tnot to be"], 3, 0.0), hidden=True),
        Test("a run that comes twice", fixed(["ha ha ha ha no"], ["so ha ha"], 2, 0.6), hidden=True),
        Test("shorter than a run", fixed(["yes", "no", "yes no"], ["Yes", "no way at all"], 3, 0.0), hidden=True),
        Test("a text without words", fixed(["", "a b"], ["", "a b"], 2, 0.5), hidden=True),
        Test("within a word", fixed(["he art is", "she art isan"], ["the art isan"], 2, 0.4), hidden=True),
        Test("a corpus", _a_corpus, hidden=True),
    ),
    wrong=(
        Wrong(
            "words-for-runs",
            "[tuple(words[i : i + n]) for i in starts]",
            "[(word,) for word in words]",
        ),
        Wrong(
            "",
            "tuple(words[i : i + n])",
            "tuple(sorted(words[i : i + n]))",
            why="The order of the words within a run was lost. Only the same words in the same order are a quotation.",
            look="dogs bite men, and men bite dogs.",
        ),
        Wrong(
            "held-out-for-train",
            "    known = {run for",
            "    train, held_out = held_out, train\n    known = {run for",
        ),
        Wrong(
            "run-across-documents",
            "{run for text in held_out for run in runs(text)}",
            'set(runs(" ".join(held_out)))',
        ),
        Wrong(
            "",
            "[run in known for run in runs(text)]",
            "[run in known for run in set(runs(text))]",
            why="The different runs of a training text were counted. One that it has twice counts twice.",
            look="What the set of a list forgets.",
        ),
        Wrong(
            "",
            "text.lower()",
            "text",
            why="The words were not lower-cased, so a quotation in capitals is not seen.",
            look="TO BE and to be.",
        ),
        Wrong(
            "window-off-by-one",
            "max(1, len(words) - n + 1)",
            "max(1, len(words) - n)",
            why="The last run of each text is missing.",
            look="A text of n + 1 words has two runs.",
        ),
        Wrong(
            "",
            "max(1, len(words) - n + 1)",
            "len(words)",
            why="A run began at each word, so the last ones are shorter than n.",
            look="The lengths of your runs.",
        ),
        Wrong(
            "short-text-without-shingle",
            "range(max(1, len(words) - n + 1)) if words else ()",
            "range(len(words) - n + 1)",
            why="A text of fewer than n words had no run, so a short test question that stands in the training set is not found.",
            look="A text of one word, and n = 3.",
        ),
        Wrong(
            "",
            " if words else ()",
            "",
            why="A text without words had a run, an empty one, and stands in each held-out text without words.",
            look="The runs of an empty text: none.",
        ),
        Wrong(
            "",
            "{run for text in held_out for run in runs(text)}",
            "{run for text in held_out + train for run in runs(text)}",
            why="The training texts are among those in which runs are looked up, and each of them stands in itself.",
            look="What is in the set of known runs.",
        ),
        Wrong(
            "",
            "        found = [run in known for run in runs(text)]\n",
            "        if len(text.split()) < n:\n            continue\n        found = [run in known for run in runs(text)]\n",
            why="Texts of fewer than n words were passed over, so they have no share, and those behind them have another one's index.",
            look="How many shares there are: one per training text.",
        ),
        Wrong(
            "",
            "        found = [run in known for run in runs(text)]\n",
            "        others = [other.lower().split() for other in held_out]\n        found = [text.lower().split() in others]\n",
            why="Whole texts were compared: a quotation within a longer text is not found.",
            look="What a run is.",
        ),
        Wrong(
            "",
            "[i for i, share in enumerate(shares) if share <= most]",
            "[share <= most for share in shares]",
            why="This says of each text whether it stays. The indices of those that do are asked.",
            look="`enumerate`, or np.flatnonzero.",
        ),
        Wrong(
            "",
            "share <= most",
            "share > most",
            why="These are the indices of the texts that go.",
            look="What is to be returned: those that stay.",
        ),
        Wrong(
            "",
            "share <= most",
            "share < most",
            why="A text whose share is just `most` was taken out. It may stay: at most `most`.",
            look="< and <=.",
        ),
        Wrong(
            "",
            "sum(found) / max(1, len(found))",
            "sum(found) / max(1, len(text.split()))",
            why="Words were counted: a text has fewer runs than words, and the share is one of its runs.",
            look="A text that stands whole in a held-out one: its share is 1.",
        ),
        Wrong(
            "",
            "sum(found) / max(1, len(found))",
            "sum(found) / max(1, len(known))",
            why="Of the held-out runs this is the share that is found. Asked is the share of the training text's.",
            look="Of what the share is one.",
        ),
        Wrong(
            "",
            "        found = [run in known for run in runs(text)]\n        shares.append(sum(found) / max(1, len(found)))\n",
            "        own = set(runs(text))\n        shares.append(len(own & known) / max(1, len(own | known)))\n",
            why="This is Jaccard's index with all held-out runs. Asked is the share of the training text's runs.",
            look="What the number of runs found is divided by.",
        ),
        Wrong(
            "",
            "range(max(1, len(words) - n + 1))",
            "range(0, max(1, len(words) - n + 1), n)",
            why="The runs do not overlap, so a quotation that begins at another word is not found.",
            look="The second run begins one word behind the first.",
        ),
        Wrong(
            "",
            "sum(found) / max(1, len(found))",
            "float(any(found))",
            why="A text counts as copied whole where a single run of it is found. Asked is the share.",
            look="The share of a text that has one run of three in common.",
        ),
        Wrong(
            "",
            "[run in known for run in runs(text)]",
            '[any(" ".join(run) in other.lower() for other in held_out) for run in runs(text)]',
            why="Runs were looked for as pieces of text, so that one is found within longer words, and not across a line end.",
            look='Is "he art" in "the art"?',
        ),
        Wrong(
            "",
            "[i for i, share in enumerate(shares) if share <= most]",
            "[text for text, share in zip(train, shares) if share <= most]",
            why="The texts themselves were returned. Their indices are asked.",
            look="`enumerate`.",
        ),
    ),
    after="Which runs of 13 words do many texts share that were never copied? Look at licences, and at lists of countries.",
)

TASKS = (CLEAN,)
