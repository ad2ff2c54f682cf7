"""Who is said to earn much: decisions on the people of the census, men and women, before and after some remedies (section 9.4).

Each remedy is learned on five draws of four fifths of the training part, from five starts; thresholds are chosen on the fifth that is
left over. What is measured is the mean over the five on the test part, and its interval by drawing the people of that part again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from minilm.applications.simple.logistic import Logistic
from minilm.data import Encoding, adult, split_indices
from minilm.metrics import (
    Score,
    accuracy,
    demographic_parity_difference,
    equal_opportunity_difference,
    equal_opportunity_thresholds,
    false_positive_difference,
    predictive_parity_difference,
    reweighting,
)
from tests.experiments._cells import between

SEEDS, BETWEEN, RESAMPLES = 5, ("Male", "Female"), 500
FAMILY = ("fnlwgt", "sex", "relationship", "marital-status")
REMEDIES: dict[str, dict[str, Any]] = {
    "none": {},
    "without the column sex": {"leave_out": ("fnlwgt", "sex")},
    "without sex and family": {"leave_out": FAMILY},
    "reweighted": {"weighted": True},
    "a threshold per group": {"thresholds": True},
    "a hidden layer of 32": {"hidden": 32},
}


def measure() -> Iterator[dict[str, Any]]:
    people, test = adult()
    for name, remedy in REMEDIES.items():
        said = [decisions(people, test.columns, seed, **remedy) for seed in range(SEEDS)]
        yield {"remedy": name} | _measured(test.rich, said, test.columns["sex"])


def decisions(
    people: Any,
    others: Mapping[str, Any],
    seed: int,
    *,
    leave_out: tuple[str, ...] = ("fnlwgt",),
    weighted: bool = False,
    thresholds: bool = False,
    hidden: int = 0,
) -> Any:
    """Whether each of the others is said to earn much."""
    learned, left = split_indices(len(people.rich), 0.2, seed=seed)
    columns, kept = _rows(people.columns, learned), _rows(people.columns, left)
    encoding = Encoding(columns, leave_out)
    x, y, sex = encoding(columns), people.rich[learned], columns["sex"]
    model = Logistic(x.shape[1], hidden, seed).fit(x, y, reweighting(y, sex) if weighted else None)
    probabilities = model.probabilities(encoding(others))
    if not thresholds:
        return probabilities >= 0.5
    cuts = equal_opportunity_thresholds(people.rich[left], model.probabilities(encoding(kept)), kept["sex"])
    return probabilities >= np.array([cuts[group] for group in others["sex"].tolist()])


def _rows(columns: Mapping[str, Any], rows: Any) -> dict[str, Any]:
    return {name: column[rows] for name, column in columns.items()}


def _measured(truth: Any, said: list[Any], sex: Any) -> dict[str, Any]:
    measures: dict[str, Callable[[Any], Score]] = {
        "accuracy": lambda a: accuracy(truth.tolist(), a.tolist()),
        "yes, men less women": lambda a: demographic_parity_difference(a, sex, BETWEEN),
        "deserved yes": lambda a: equal_opportunity_difference(truth, a, sex, BETWEEN),
        "undeserved yes": lambda a: false_positive_difference(truth, a, sex, BETWEEN),
        "worth of a yes": lambda a: predictive_parity_difference(truth, a, sex, BETWEEN),
    }
    found: dict[str, Any] = {}
    for name, score in measures.items():
        scores = [score(a) for a in said]
        mean = Score(
            name, len(truth), lambda times, scores=scores: np.mean([s.of_draws(times) for s in scores], axis=0)
        )
        found[name] = between(mean.value, mean.interval(resamples=RESAMPLES))
        if name == "deserved yes":
            found["seeds, deserved yes"] = [float(f([s.value for s in scores])) for f in (np.median, min, max)]
    return found
