"""Images of digits and words of a language that was in no pair: two towers, and a classifier with a dictionary (chapter 8)."""

import numpy as np

from minilm.book.digits import digit_parts, fit_classifier, fit_towers, lookup_scores, named, shown, tower_scores
from minilm.book.number_words import NUMBER_WORDS
from minilm.metrics import difference_interval, ratio_interval

SEEDS = 3


def measure():
    found = {name: [] for name in NUMBER_WORDS}
    seen = []
    for seed in range(SEEDS):
        parts = digit_parts(seed)
        images, digits = parts.test
        classifier = fit_classifier(parts.train, seed=seed)
        every = fit_towers(parts.train, NUMBER_WORDS, seed=seed)
        for name, words in NUMBER_WORDS.items():
            others = {other: w for other, w in NUMBER_WORDS.items() if other != name}
            known = tower_scores(every, images, words), lookup_scores(classifier, images, words, NUMBER_WORDS)
            new = (
                tower_scores(fit_towers(parts.train, others, seed=seed), images, words),
                lookup_scores(classifier, images, words, others),
            )
            found[name].append([*(named(s, digits) for s in new), *(shown(s, digits) for s in new)])
            seen.append([*(named(s, digits) for s in known), *(shown(s, digits) for s in known)])
    per_language = np.array([np.mean(rows, axis=0) for rows in found.values()])
    yield row("all languages seen", np.mean(np.reshape(seen, (SEEDS, -1, 4)), axis=0))
    yield row("none of the language seen", per_language)
    for name, values in zip(found, per_language, strict=True):
        yield row(name, values[None])


def row(name, values):
    """Means over the rows of values, the languages; with intervals where there are several."""
    ones = np.ones(len(values))
    result = {"language": name}
    for column, part in zip(("towers", "lookup", "towers, images", "lookup, images"), values.T, strict=True):
        interval = ratio_interval(part, ones) if len(part) > 1 else None
        result[column] = [float(part.mean()), *interval[:2]] if interval else float(part.mean())
    if len(values) > 1:
        a, b = values.T[:2]
        result["towers less lookup"] = [float((a - b).mean()), *difference_interval((a, ones), (b, ones))[:2]]
    return result
