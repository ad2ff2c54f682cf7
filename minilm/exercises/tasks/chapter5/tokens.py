"""From text to the numbers that a model is trained on: byte-pair encoding, a vocabulary, windows with shifted targets."""

from __future__ import annotations

from typing import Any

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, fixed, own


def words(count: int, n: int) -> Inputs:
    """Draws words of one to six letters from an alphabet of three, so that pairs repeat."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        return ["".join(rng.choice(list("abn"), size=rng.integers(1, 7))) for _ in range(count)], n

    return inputs


LEARN_MERGES = Task(
    id="5.9",
    title="Byte-pair encoding, learned",
    kind="code",
    minutes=40,
    difficulty=3,
    practises="counting pairs, merging, a rule for ties",
    statement=r"""
Write `learn_merges(words, n)`: begin with each word as a list of its characters, and repeat at most $n$ times:

1. count every pair of neighbors within the words ("aaa" holds ("a", "a") twice; a word that occurs twice counts twice);
2. take the most frequent pair, and of several equally frequent ones the first in alphabetical order (the smallest tuple);
3. note it, and join its occurrences in all words, in each word from left to right ("aaa" becomes "aa", "a").

Stop early when no pair is left. Return the noted pairs in their order: `learn_merges(["abab"], 2)` is
`[("a", "b"), ("ab", "ab")]`.
""",
    stub='''
def learn_merges(words, n):
    """The first n merges of byte-pair encoding, on characters.

    words: list of str. Returns a list of at most n pairs of str, in the order in
    which they were learned.
    """
    raise NotImplementedError
''',
    solution="""
def learn_merges(words, n):
    pieces, merges = [list(word) for word in words], []
    for _ in range(n):
        counts = {}
        for piece in pieces:
            for pair in zip(piece, piece[1:]):
                counts[pair] = counts.get(pair, 0) + 1
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        for piece in pieces:
            i = 0
            while i < len(piece) - 1:
                if (piece[i], piece[i + 1]) == best:
                    piece[i : i + 2] = [piece[i] + piece[i + 1]]
                i += 1
    return merges
""",
    name="learn_merges",
    hint="Three loops in one another are enough: merges, words, neighbors. What must be counted anew after each merge, and why?",
    derivation=r"""
A merge changes the pairs on both sides of each place where it happens: of "banana" with ("a", "n") joined, which is b, an, an, a, the
pairs ("n", "a") and ("b", "a") are gone and ("b", "an"), ("an", "an"), ("an", "a") are new. So all counts are made again (a fast
program changes only the neighbors' counts). Python's tuples are compared element by element, so that the smallest of
`(-count, pair)` is the most frequent pair, and the first in the alphabet among equals. Without such a rule the result depends on the
order of the words.
""",
    tests=(
        Test("one word, one merge", fixed(["abab"], 1)),
        Test("one word, two merges", fixed(["abab"], 2)),
        Test("a tie", fixed(["zy", "xw"], 2)),
        Test("three equal letters in a row", fixed(["aaaaa", "ba", "ba", "ba"], 4), hidden=True),
        Test("many words", words(40, 12), points=2, hidden=True),
        Test("more merges asked for than there are", fixed(["ab", "c", ""], 5), hidden=True),
    ),
    wrong=(
        Wrong(
            "bpe-ties-any-order",
            "min(counts, key=lambda pair: (-counts[pair], pair))",
            "max(counts, key=counts.get)",
            why="Of several equally frequent pairs the one that was met first was taken, so the order of the words decides.",
        ),
        Wrong(
            "bpe-counts-not-updated",
            "    for _ in range(n):\n        counts = {}\n",
            "    counts = {}\n    for _ in range(n):\n",
            why="The counts of earlier rounds stay: pairs that no longer exist are counted still.",
            look="`counts` must be empty at the beginning of each round.",
        ),
        Wrong(
            "bpe-across-words",
            "[list(word) for word in words], []",
            '[list("".join(words))], []',
            why="The last character of a word and the first of the next were counted as a pair.",
        ),
        Wrong(
            "bpe-overlapping-pairs",
            "piece[i : i + 2] = [piece[i] + piece[i + 1]]",
            "piece[i] = piece[i] + piece[i + 1]",
            why="The right one of two joined symbols stays in the word, and is joined or counted a second time.",
            look="What does b, a, n become when ('a', 'n') is joined? Two symbols, not three.",
        ),
        Wrong(
            "",
            "(-counts[pair], pair))",
            "(-counts[pair], pair[1], pair[0]))",
            why="Ties were broken by the second symbol of the pair first.",
            look="Tuples are compared from the left: ('a', 'z') comes before ('b', 'a').",
        ),
        Wrong(
            "",
            "[list(word) for word in words], []",
            "[list(word) for word in sorted(set(words))], []",
            why="With `set` a word that occurs twice is counted once.",
            look="The number of times that each word occurs.",
        ),
        Wrong(
            "replaced-once-only",
            "piece[i : i + 2] = [piece[i] + piece[i + 1]]\n",
            "piece[i : i + 2] = [piece[i] + piece[i + 1]]\n                    break\n",
        ),
    ),
    after="Change the counts only where a merge happened, and compare the time for 1,000 merges.",
)

ENCODE = Task(
    id="5.10",
    title="Byte-pair encoding, applied",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="bytes, the order of merges",
    statement=r"""
The ids 0 to 255 are the bytes; merge number $i$, counted from 0, made the id $256 + i$ out of the pair `merges[i]` of ids. Write
`encode(text, merges)`: begin with the bytes of the text in UTF-8, and apply the merges in the order in which they were learned, each
from left to right at all places where its pair stands.

With `merges = [(97, 98), (256, 99)]` the text "abcab" becomes `[257, 256]`: 97, 98, 99 are the bytes of a, b, c.
""",
    stub='''
def encode(text, merges):
    """The ids of a text under byte-pair encoding.

    text: str; merges: list of pairs (int, int). Returns a list of int.
    """
    raise NotImplementedError
''',
    solution="""
def encode(text, merges):
    ids = list(text.encode("utf-8"))
    for new, pair in enumerate(merges, start=256):
        i = 0
        while i < len(ids) - 1:
            if (ids[i], ids[i + 1]) == pair:
                ids[i : i + 2] = [new]
            i += 1
    return ids
""",
    name="encode",
    hint="An outer loop over the merges, an inner one over the places. Where does the inner loop go on after a merge?",
    derivation=r"""
In training, merge $i$ was made on text in which the merges before it had been made. Only the same order gives the same ids: with
merges (b, c) and (a, b), in this order, "abc" is a, bc; in the other order it would be ab, c. After a merge at place $i$ the pair at
$i$ starts with the new id, which no pair of this merge holds, so the loop may go on at $i + 1$.
""",
    tests=(
        Test("no merge", fixed("ab", [])),
        Test("one merge, at two places", fixed("abcab", [(97, 98)])),
        Test("a merge of a merge", fixed("abcabc", [(97, 98), (256, 99)])),
        Test("two merges that compete", fixed("abc abc", [(98, 99), (97, 98)])),
        Test("three equal bytes in a row", fixed("aaaaa", [(97, 97), (256, 256)]), hidden=True),
        Test("a character of two bytes", fixed("né né", [(195, 169), (110, 256)]), hidden=True),
    ),
    wrong=(
        Wrong(
            "bpe-merges-in-wrong-order", "enumerate(merges, start=256)", "reversed(list(enumerate(merges, start=256)))"
        ),
        Wrong("bpe-overlapping-pairs", "ids[i : i + 2] = [new]", "ids[i] = new"),
        Wrong(
            "characters-for-bytes",
            'list(text.encode("utf-8"))',
            "[ord(character) for character in text]",
            why="`ord` gives the number of a character, not its bytes: they are the same only in ASCII.",
            look="`text.encode('utf-8')`: how many numbers does 'é' give?",
        ),
        Wrong(
            "range-off-by-one",
            "while i < len(ids) - 1",
            "while i < len(ids) - 2",
            why="The last pair of the text is never looked at.",
        ),
        Wrong(
            "",
            "start=256",
            "start=257",
            why="The new ids begin one too late: the first merge makes 256, since the bytes take 0 to 255.",
            look="The number of the first merge, and where you add 256.",
        ),
        Wrong(
            "replaced-once-only",
            "ids[i : i + 2] = [new]\n",
            "ids[i : i + 2] = [new]\n                break\n",
        ),
    ),
    after="Encode one chapter of this book with `ml.text.BPETokenizer`, and count characters per token.",
)

DECODE = Task(
    id="5.11",
    title="Ids back to text",
    kind="code",
    minutes=10,
    difficulty=2,
    practises="tokens as bytes, UTF-8 at the seams",
    statement=r"""
Write `decode(ids, merges)`, the way back from 5.10: the ids 0 to 255 are bytes, and the id $256 + i$ stands for the two ids of
`merges[i]`, one after the other.

A token may end in the middle of a character: "é" is the two bytes 195, 169, and each can be a token of its own. So the text must come
out right whatever the seams are. Bytes that are no UTF-8 (a text that was cut) become the replacement character U+FFFD.
""",
    stub='''
def decode(ids, merges):
    """The text of a list of ids.

    ids: list of int; merges: list of pairs (int, int). Returns a str.
    """
    raise NotImplementedError
''',
    solution="""
def decode(ids, merges):
    tokens = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        tokens.append(tokens[left] + tokens[right])
    data = b"".join(tokens[i] for i in ids)
    return data.decode("utf-8", errors="replace")
""",
    name="decode",
    hint="Make a table of the bytes of each id first: merge $i$ only needs entries that are there already. When is the time for UTF-8?",
    derivation=r"""
The bytes of an id are the bytes of its left part and then of its right part, and both have smaller numbers, so one pass over the
merges fills the table. UTF-8 belongs to the whole sequence of bytes: what is joined first and decoded then does not depend on the
seams, while 195 alone is no character.
""",
    tests=(
        Test("two bytes", fixed([104, 105], [])),
        Test("a merge of a merge", fixed([257, 33], [(97, 98), (256, 99)])),
        Test("a character over two tokens", fixed([110, 195, 169], [])),
        Test("a seam within a character", fixed([256, 169, 33], [(110, 195)]), hidden=True),
        Test("a text that was cut", fixed([110, 195], []), hidden=True),
        Test("no id", fixed([], [(97, 98)]), hidden=True),
    ),
    wrong=(
        Wrong(
            "decoded-token-by-token",
            'data = b"".join(tokens[i] for i in ids)\n    return data.decode("utf-8", errors="replace")',
            'return "".join(tokens[i].decode("utf-8", errors="replace") for i in ids)',
            why="Each token was decoded alone, and half a character is no UTF-8.",
            look="Join the bytes of all tokens first.",
        ),
        Wrong(
            "",
            '"utf-8", errors="replace"',
            '"latin-1"',
            why="Each byte became a character of its own; in UTF-8 a character has one to four bytes.",
            look="The name of the encoding.",
        ),
        Wrong(
            "",
            "tokens[left] + tokens[right]",
            "tokens[right] + tokens[left]",
            why="The two halves of a merge stand in the wrong order.",
            look="The table of the tokens, entry 256.",
        ),
        Wrong(
            "exception-swallowed",
            'errors="replace"',
            'errors="ignore"',
            why="Bytes that are no character were dropped without a sign.",
            look="`errors=` of `bytes.decode`.",
        ),
    ),
    after="Which texts of one character need four tokens without merges?",
)

VOCABULARY = Task(
    id="5.12",
    title="A vocabulary from the training text only",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="what training may see, unknown characters",
    statement=r"""
Write `prepare(text, n)`: the first $n$ characters are for training, the rest is held out. It returns

- the vocabulary: a list with "?" at place 0, which stands for every unknown character, and then the different characters of the
  *training text*, sorted (no text here contains a question mark);
- the ids of the training text, and the ids of the held-out text, each a list.

`prepare("baac", 3)` is `(["?", "a", "b"], [2, 1, 1], [0])`.
""",
    stub='''
def prepare(text, n):
    """Vocabulary, training ids and held-out ids of a text.

    text: str; n: number of characters for training.
    Returns list of str, list of int, list of int.
    """
    raise NotImplementedError
''',
    solution="""
def prepare(text, n):
    training, held_out = text[:n], text[n:]
    vocabulary = ["?"] + sorted(set(training))
    number = {character: i for i, character in enumerate(vocabulary)}
    ids = [number[character] for character in training]
    return vocabulary, ids, [number.get(character, 0) for character in held_out]
""",
    name="prepare",
    hint="A character that occurs only in the held-out text: what may a model that was never shown it know of it?",
    derivation=r"""
The vocabulary is part of the model: it is chosen before training, from what training may see. A character that is only in the
held-out text would get an id and a row of the embedding that no gradient ever reaches. An id that is left out is worse: the text
becomes shorter, and the loss per character is one of another text.
""",
    tests=(
        Test("no unknown character", fixed("abab", 2)),
        Test("an unknown character", fixed("baac", 3), points=2),
        Test("characters in no order", fixed("the cat, then", 8)),
        Test("unknown ones between known ones", fixed("abcaxbyc", 4), hidden=True),
        Test("nothing held out", fixed("ba", 2), hidden=True),
    ),
    wrong=(
        Wrong("vocabulary-from-all-text", "sorted(set(training))", "sorted(set(text))"),
        Wrong(
            "unknown-dropped",
            "for character in held_out]",
            "for character in held_out if character in number]",
        ),
        Wrong(
            "",
            "sorted(set(training))",
            "list(dict.fromkeys(training))",
            why="The characters stand in the order in which they occur, not sorted.",
            look="The vocabulary: the same set of characters must give the same ids, whatever the text begins with.",
        ),
        Wrong(
            "",
            "number.get(character, 0)",
            "number.get(character, len(vocabulary))",
            why="An unknown character got an id beyond the vocabulary; the embedding has no such row.",
            look='The id of "?".',
        ),
        Wrong(
            "",
            "number.get(character, 0)",
            "number.get(character, -1)",
            why='Unknown characters got -1, which is no place in the vocabulary (or its last). They have the id of "?", 0.',
            look="The id of an unknown character.",
        ),
        Wrong(
            "",
            '["?"] + sorted(set(training))',
            'sorted(set(training)) + ["?"]',
            why='The "?" stands at the end. It has the place 0, so that all other ids are one higher.',
            look="The first entry of the vocabulary.",
        ),
    ),
    after="How many different characters of the book's Chinese chapters are missing from the English ones?",
)


def ids_and_generator(n: int, T: int, B: int, dtype: str = "int64") -> Inputs:
    """Draws a text of n ids; T and B; a generator for the answer."""
    return lambda rng: (rng.integers(50, size=n).astype(dtype), T, B, own(rng))


GET_BATCH = Task(
    id="5.13",
    title="Windows and their targets",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="shifted targets, drawing from a given generator",
    statement=r"""
Write `get_batch(ids, T, B, rng)`: it draws $B$ windows of $T$ ids from a text of $N$ ids and returns `x` and `y`, both `(B, T)`. Row
$b$ of `x` is $T$ ids in a row, from a random start; row $b$ of `y` is the same window one place further, so that `y[b, t]` is the id
that comes after `x[b, t]`.

Every start at which both windows fit is equally likely, the last one too. Draw all $B$ starts with one call of `rng.integers(..., size=B)`
and nothing else, so that your numbers can be compared.
""",
    stub='''
def get_batch(ids, T, B, rng):
    """B random windows of a text, and the ids that come next.

    ids: (N,) integers; rng: a numpy Generator.
    Returns x (B, T), y (B, T), of the dtype of ids.
    """
    raise NotImplementedError
''',
    solution="""
def get_batch(ids, T, B, rng):
    starts = rng.integers(len(ids) - T, size=B)
    places = starts[:, None] + np.arange(T)
    return ids[places], ids[places + 1]
""",
    name="get_batch",
    hint="How many starts are there for a text of $T + 1$ ids? An array of places, `(B, T)`, can be an index.",
    derivation=r"""
The window of `y` that begins at $s + 1$ ends at $s + T$, and the last id has the number $N - 1$: so $s \le N - 1 - T$, which are
$N - T$ starts. `rng.integers(N - T)` gives $0, \dots, N - T - 1$. A column of starts plus a row of $0, \dots, T - 1$ is the `(B, T)`
array of places.
""",
    tests=(
        Test("two windows", ids_and_generator(5, 3, 2), labels={"the batch": 2, "the window": 3}),
        Test("a short text", ids_and_generator(9, 3, 4), points=2, labels={"the batch": 4, "the window": 3}),
        Test("a long text", ids_and_generator(500, 8, 5), hidden=True, labels={"the batch": 5, "the window": 8}),
        Test("the dtype of the ids", ids_and_generator(60, 5, 1, "uint16"), hidden=True),
        Test("a text with one window only", ids_and_generator(4, 3, 2), hidden=True),
    ),
    wrong=(
        Wrong("targets-not-shifted", "ids[places + 1]", "ids[places]"),
        Wrong(
            "window-off-by-one",
            "len(ids) - T, size",
            "len(ids) - T - 1, size",
            why="There is one start more: the last target may be the last id of the text.",
        ),
        Wrong("random-not-from-the-generator", "rng.integers(", "np.random.default_rng(0).integers("),
        Wrong(
            "",
            "rng.integers(len(ids) - T, size=B)",
            "rng.integers((len(ids) - T + T - 1) // T, size=B) * T",
            why="Only starts that are multiples of T were drawn.",
            look="Which starts can come out: 0, 1, 2, ... or 0, T, 2T, ...?",
        ),
        Wrong("transposed-result", "ids[places], ids[places + 1]", "ids[places].T, ids[places + 1].T"),
    ),
    after="`minilm.data.random_blocks` does the same; read what it does when the text is too short.",
)


def ranked(n: int) -> Inputs:
    """Draws a word of n letters, and an order of all merges of a letter with one or two others."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        short = [a + b for a in "abn" for b in "abn"]
        pairs = [(a, b) for a in [*"abn", *short] for b in "abn"]
        order = rng.permutation(len(pairs)).tolist()
        return "".join(rng.choice(list("abn"), size=n)), dict(zip(pairs, order, strict=True))

    return inputs


MERGES_IN_ORDER = Task(
    id="5.32",
    title="Twelve tokens where training had nine",
    kind="find the bug",
    minutes=10,
    difficulty=2,
    practises="the rank of a merge",
    statement=r"""
`encode(word, rank)` splits a word into tokens; `rank[pair]` says as which number the pair was learned, 0 being the first. Every word
comes out as tokens that are in the vocabulary, and joining them gives the word back. But the training text needs more tokens than it
had at the end of training, and a model that was trained on those tokens is worse on these.

For merges learned in the order ("h", "e"), ("t", "he"), ("t", "h") the word "the" should be one token. Find the bug and mend it.
""",
    solution="""
def encode(word, rank):
    piece = list(word)
    while True:
        known = [pair for pair in zip(piece, piece[1:]) if pair in rank]
        if not known:
            return piece
        best = min(known, key=lambda pair: rank[pair])
        i = 0
        while i < len(piece) - 1:
            if (piece[i], piece[i + 1]) == best:
                piece[i : i + 2] = [piece[i] + piece[i + 1]]
            i += 1
""",
    name="encode",
    hint='Take "the" through the loop by hand. Which pairs are known, which of them is joined first, and which was learned first?',
    derivation=r"""
`known` holds the pairs from left to right, so `known[0]` is the leftmost one and not the one learned first. In "the" that is
("t", "h"), and then nothing more can be joined: two tokens. The pair of the smallest rank is ("h", "e"), then ("t", "he"): one token.
""",
    tests=(
        Test("no pair is known", fixed("ab", {("b", "a"): 0})),
        Test("one merge", fixed("abcab", {("a", "b"): 0})),
        Test("the", fixed("the", {("h", "e"): 0, ("t", "he"): 1, ("t", "h"): 2})),
        Test(
            "two pairs that compete",
            fixed("abcbc", {("b", "c"): 0, ("a", "b"): 1, ("bc", "bc"): 2, ("c", "b"): 3}),
            hidden=True,
        ),
        Test("a long word, many merges", ranked(30), hidden=True),
        Test("three in a row", fixed("aaaaaba", {("a", "b"): 0, ("a", "a"): 1, ("aa", "aa"): 2}), hidden=True),
    ),
    wrong=(
        Wrong("bpe-merges-in-wrong-order", "min(known, key=lambda pair: rank[pair])", "known[0]"),
        Wrong(
            "",
            "min(known, key=lambda pair: rank[pair])",
            "max(known, key=lambda pair: rank[pair])",
            why="The pair learned last is joined first.",
            look="Rank 0 was learned first.",
        ),
        Wrong(
            "",
            "key=lambda pair: rank[pair])",
            "key=lambda pair: -len(pair[0] + pair[1]))",
            why="The longest pair is joined first; the merges have an order of their own.",
            look="`rank`.",
        ),
    ),
    after="With ranks, encoding needs no list of all merges: how long does a word of ten characters take, for 50,000 merges?",
)

TEST_GET_BATCH = Task(
    id="5.34",
    title="A test for get_batch",
    kind="write the test",
    minutes=20,
    difficulty=2,
    practises="testing what is random",
    statement=r"""
Write `test_get_batch(get_batch)`. It is given a function `get_batch(ids, T, B, rng)` as in 5.13: `x` and `y`, both `(B, T)`, where row
$b$ of `x` is a window of the text and `y` holds the ids that come next; each of the $N - T$ starts is equally likely, and all that is
random comes from `rng`.

Your test passes the right function and raises `AssertionError` for each of several wrong ones. It may not rely on the order in which
numbers are drawn: another right function may draw the starts one by one.
""",
    stub='''
def test_get_batch(get_batch):
    """Raises AssertionError where get_batch is wrong."""
    ids = np.arange(100)
    x, y = get_batch(ids, 8, 4, np.random.default_rng(0))
''',
    subject="""
def get_batch(ids, T, B, rng):
    starts = rng.integers(len(ids) - T, size=B)
    places = starts[:, None] + np.arange(T)
    return ids[places], ids[places + 1]
""",
    solution="""
def test_get_batch(get_batch):
    T, B = 3, 64
    ids = np.arange(10, 16) ** 2  # six different ids: three windows
    x, y = get_batch(ids, T, B, np.random.default_rng(0))
    assert x.shape == y.shape == (B, T)
    assert x.dtype == ids.dtype
    starts = np.searchsorted(ids, x[:, 0])
    for row, target, start in zip(x, y, starts):
        assert (row == ids[start : start + T]).all()
        assert target.tolist() == ids[start + 1 : start + 1 + T].tolist()
    assert set(starts.tolist()) == {0, 1, 2}
    rng = np.random.default_rng(1)
    first, second = (get_batch(ids, T, B, rng)[0] for _ in range(2))
    assert (first != second).any()
    again = get_batch(ids, T, B, np.random.default_rng(1))[0]
    assert (first == again).all()
""",
    name="test_get_batch",
    hint="Take a text of different ids, so short that every start must come out in a large batch. What must two calls share, what not?",
    derivation=r"""
If all ids differ, the first id of a row tells its start, and the rest of the row and the targets follow from it: no need to know
which starts are drawn. With three windows and 64 rows, a right function leaves one out with a probability of at most
$3 \cdot (2/3)^{64} < 10^{-10}$, and the seed is fixed besides. The same seed must give the same batch; the same generator, called
again, another one.
""",
    wrong=(
        Wrong("targets-not-shifted", "ids[places + 1]", "ids[places]"),
        Wrong("window-off-by-one", "len(ids) - T, size", "len(ids) - T - 1, size"),
        Wrong("random-not-from-the-generator", "rng.integers(", "np.random.default_rng(0).integers("),
        Wrong("random-seed-global", "rng.integers(len(ids) - T, size=B)", "np.random.randint(len(ids) - T, size=B)"),
        Wrong("shuffle-breaks-pairs", "ids[places + 1]", "ids[rng.permutation(places) + 1]"),
        Wrong(
            "one-draw-for-all-rows",
            "size=B)\n",
            "size=1).repeat(B)\n",
            why="One start was drawn for all rows.",
            look="The rows of x differ from each other in a right batch.",
        ),
        Wrong("transposed-result", "ids[places], ids[places + 1]", "ids[places].T, ids[places + 1].T"),
        Wrong(
            "indices-became-floats",
            "ids[places], ids",
            "1.0 * ids[places], ids",
            why="The ids became floats, which cannot be an index.",
        ),
    ),
    after="Test that each start is about equally likely: how many rows does that need?",
)

TASKS = (LEARN_MERGES, ENCODE, DECODE, VOCABULARY, GET_BATCH, MERGES_IN_ORDER, TEST_GET_BATCH)
