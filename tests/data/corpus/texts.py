"""Documents to try the corpus' steps on: of any characters, and families of near copies."""

import random

CHARACTERS = (
    "ab cd.,!$E\n\t ßΣσςİÉé中国，。\u3000\xa0\u200b\x00\x1c\U0001f600\U00010400\U000e0041\U0010ffff\ud800\udc00"
)
LENGTHS = (0, 0, 1, 2, 5, 12, 13, 14, 40, 100)


def any_texts(count, seed=0):
    """Documents of all kinds of characters and lengths, many of them empty once they are bare."""
    rng = random.Random(seed)
    return ["".join(rng.choices(CHARACTERS, k=rng.choice(LENGTHS))) for _ in range(count)]


def words(count, seed=0):
    """Words that do not exist."""
    rng = random.Random(seed)
    return ["".join(rng.choices("etaoinshrdlucmfwyp", k=rng.randint(2, 9))) for _ in range(count)]


def families(count, seed=0, length=50):
    """Documents in families: one, and up to five more in which up to four words are others. Shuffled."""
    rng, known = random.Random(seed), words(500)
    found = []
    for _ in range(count):
        first = rng.choices(known, k=length)
        for _ in range(rng.randint(1, 6)):
            near = list(first)
            for _ in range(rng.randint(0, 4)):
                near[rng.randrange(length)] = rng.choice(known)
            found.append(" ".join(near))
    rng.shuffle(found)
    return found
