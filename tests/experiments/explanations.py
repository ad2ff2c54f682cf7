"""Which explanation names the words that the answer hangs on? A deletion test on 200 held-out sentences, three readers.

A reader (`minilm.interpret.reader`) learns from 8,056 sentences on movies. Of each sentence the words are taken away in the order of an
explanation, one to five of them; the number is by how much the log odds of the predicted class fall, as a mean. Sentences are drawn
anew for the interval, over the mean of the three readers. Two explanations never look at the model: "random", and "counts", the log
ratio of how often a word stands in positive and in negative sentences of the training part.
"""

import numpy as np

from minilm import manual_seed
from minilm.data import movie_sentences, three_parts, without_copies
from minilm.interpret import WordReader, deletion, edited, permuted
from minilm.metrics import difference_interval, ratio_interval
from minilm.text.wordpiece import basic_tokenize

STARTS, SENTENCES, MOST = 3, 200, 5


def data():
    """Sentences with a clear mood and their class, in training and test part; those of the test part are 8 to 40 words long."""
    rows = [
        (text, int(y > 0))
        for text, y in without_copies(movie_sentences(), key=lambda row: row[0]).kept
        if abs(y) >= 0.5
    ]
    parts = three_parts(len(rows))
    train, test = ([rows[i] for i in part] for part in (parts.train, parts.test))
    return train, [row for row in test if 8 <= len(basic_tokenize(row[0])) <= 40]


def reader(train, seed, epochs=3):
    manual_seed(seed)  # of dropout
    rng = np.random.default_rng(seed)
    made = WordReader([text for text, _ in train], rng)
    made.learn([text for text, _ in train], [label for _, label in train], rng, epochs=epochs)
    return made


def counts(train, words):
    """The log ratio of each known word: how much oftener it stands in positive sentences than in negative ones."""
    number = {word: k for k, word in enumerate(words)}
    seen = np.ones((2, len(words)))
    for text, label in train:
        seen[label, [number[w] for w in set(basic_tokenize(text)) if w in number]] += 1
    return dict(zip(words, np.log(seen[1] / seen[1].sum()) - np.log(seen[0] / seen[0].sum()), strict=True))


def explanations(found, train, rng):
    """Ways to score a text's words by name; each takes the text."""
    ratios = counts(train, found.words)

    def by_counts(text):
        sign = 1 if found.log_odds(*found.encode([text]))[0] > 0 else -1
        return np.array([sign * ratios.get(word, 0.0) for word in basic_tokenize(text)])

    return {
        "random": lambda text: rng.random(len(basic_tokenize(text))),
        "counts": by_counts,
        "attention": found.attention,
        "gradient x input": found.gradient_times_input,
        "integrated gradients, 4 steps": lambda text: found.integrated_gradients(text, 4),
        "integrated gradients": found.integrated_gradients,
        "leave one out": found.leave_one_out,
    }


def measure():
    train, test = data()
    test = test[:SENTENCES]
    falls, moved, right = {}, [], []
    for seed in range(STARTS):
        found, rng = reader(train, seed), np.random.default_rng(seed)
        for name, explain in explanations(found, train, rng).items():
            fall = [deletion(found.kept(text), explain(text), MOST) for text, _ in test]
            falls.setdefault(name, []).append(fall)
        moved.append([permutation(found, text, rng) for text, _ in test])
        right.append([(found.log_odds(*found.encode([text]))[0] > 0) == label for text, label in test])
    mean = {name: np.array(found).mean(axis=(0, 2)) for name, found in falls.items()}
    each = np.ones(len(test))
    for name, values in mean.items():
        less = difference_interval((mean["integrated gradients"], each), (values, each))
        yield {
            "explanation": name,
            "fall": [float(values.mean()), *ratio_interval(values, each)[:2]],
            "integrated gradients less it": [float((mean["integrated gradients"] - values).mean()), *less[:2]],
            **dict(zip(("1 word", "2", "3", "4", "5"), np.array(falls[name]).mean(axis=(0, 1)).tolist(), strict=True)),
        }
    columns = np.array(moved).mean(axis=0).T
    for name, values in zip(
        ("shuffled: probability moves by", "shuffled: class changes", "even: class changes"), columns, strict=True
    ):
        yield {"explanation": name, "fall": [float(values.mean()), *ratio_interval(values, each)[:2]]}
    values = np.array(right).mean(axis=0)
    yield {"explanation": "accuracy", "fall": [float(values.mean()), *ratio_interval(values, each)[:2]]}


def permutation(found, text, rng, times=20):
    """Attention's weights shuffled: the median move of the probability, and in which share the class changes; and with even weights."""
    ids, mask = found.encode([text])
    before = found.log_odds(ids, mask)[0]
    with edited(found.model, lambda weights, layer: permuted(weights, rng)):
        after = found.log_odds(np.repeat(ids, times, axis=0), np.repeat(mask, times, axis=0))
    with edited(found.model, lambda weights, layer: (weights > 0) / (weights > 0).sum(axis=-1, keepdims=True)):
        even = found.log_odds(ids, mask)[0]
    p = lambda odds: 1 / (1 + np.exp(-odds))  # noqa: E731
    return (
        np.median(np.abs(p(after) - p(before))),
        ((after > 0) != (before > 0)).mean(),
        float((even > 0) != (before > 0)),
    )
