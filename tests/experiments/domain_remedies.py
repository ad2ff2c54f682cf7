"""Remedies where a classifier of sentiment meets another domain, on MiniLM's vectors: over all twelve pairs of two domains."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from minilm.applications.domains import adapted, aligned, domain_splits, importance_weights, proxy_distance
from minilm.applications.simple.library import library
from minilm.applications.vectors import vectors
from minilm.metrics import Score
from minilm.types import HostArray
from tests.experiments._cells import less, of_score

COSTS = (0.1, 1.0, 10.0, 100.0)
LABELLED = (25, 100, 400, 1700)


class Part(NamedTuple):
    x: HostArray  # (n, 384)
    y: HostArray  # (n,) whether it is positive
    documents: list[str]


class Domain(NamedTuple):
    train: Part
    validation: Part
    test: Part


def measure() -> Iterator[dict[str, Any]]:
    """Differences are of accuracies on the target's test part, averaged over the sources, with intervals over its documents."""
    domains = {name: Domain(*map(_part, (s.train, s.validation, s.test))) for name, s in domain_splits().items()}
    plain = _over_pairs(domains, lambda source, target: _predict(_fit(source), target.test.x))
    apart = [1 - (1 - proxy_distance(a.train.x, b.train.x) / 2) / 2 for a, b in combinations(domains.values(), 2)]
    yield {
        "remedy": "none",
        "accuracy": of_score(plain),
        "more than none": "",
        "told apart": [float(np.mean(apart)), min(apart), max(apart)],
    }
    for name, remedy in REMEDIES.items():
        found = _over_pairs(domains, remedy)
        yield {"remedy": name, "accuracy": of_score(found), "more than none": less(found, plain)}
    found = _over_pairs(domains, lambda source, target: _predict(_fit(*_others(domains, target)), target.test.x))
    yield {
        "remedy": "learn from all three others",
        "accuracy": of_score(found),
        "more than none": less(found, plain),
    }
    for n in LABELLED:
        for name, with_source in ((f"{n} labels of the target, too", True), (f"{n} labels of the target alone", False)):
            found = _over_pairs(domains, lambda source, target, n=n, w=with_source: _labelled(source, target, n, w))
            yield {"remedy": name, "accuracy": of_score(found), "more than none": less(found, plain)}


def _part(sentences: Any) -> Part:
    return Part(
        vectors([each.text for each in sentences]),
        np.array([each.label == "positive" for each in sentences]),
        [each.document for each in sentences],
    )


def _fit(*domains: Domain, weights: HostArray | None = None, validated: tuple[Part, ...] = ()) -> Any:
    """A logistic regression on the training parts together; its cost is chosen on the validation parts."""
    x, y = (np.concatenate([getattr(d.train, name) for d in domains]) for name in ("x", "y"))
    seen = validated or tuple(d.validation for d in domains)
    unseen, right = (np.concatenate([getattr(part, name) for part in seen]) for name in ("x", "y"))
    make = library("sklearn.linear_model").LogisticRegression
    fitted = [make(C=cost, max_iter=1000).fit(x, y, sample_weight=weights) for cost in COSTS]
    return max(fitted, key=lambda model: float((model.predict(unseen) == right).mean()))


def _predict(model: Any, x: HostArray) -> HostArray:
    return model.predict(x)


def _weighted(source: Domain, target: Domain, cost: float) -> HostArray:
    weights = importance_weights(source.train.x, target.train.x, cost)
    return _predict(_fit(source, weights=weights), target.test.x)


def _aligned(source: Domain, target: Domain, ridge: float) -> HostArray:
    """The source's parts are moved by the same map, which its training part and the target's texts make."""
    both = aligned(np.concatenate([source.train.x, source.validation.x]), target.train.x, ridge)
    train, validation = np.split(both, [len(source.train.x)])
    moved = Domain(source.train._replace(x=train), source.validation._replace(x=validation), source.test)
    return _predict(_fit(moved), target.test.x)


def _adapted(source: Domain, target: Domain) -> HostArray:
    shares = np.array([1.0 - source.train.y.mean(), source.train.y.mean()])
    q = adapted(_fit(source).predict_proba(target.test.x), shares)
    return q[:, 1] > 0.5


def _labelled(source: Domain, target: Domain, n: int, with_source: bool) -> HostArray:
    """Some labels of the target: a fifth of them choose the cost, the others are learned from."""
    cut = max(2, n // 5)
    seen, kept = (Part(target.train.x[s], target.train.y[s], []) for s in (slice(cut), slice(cut, n)))
    few = Domain(kept, seen, target.test)
    return _predict(_fit(source, few, validated=(seen,)) if with_source else _fit(few), target.test.x)


def _others(domains: Mapping[str, Domain], target: Domain) -> list[Domain]:
    return [domain for domain in domains.values() if domain is not target]


REMEDIES: Mapping[str, Callable[[Domain, Domain], HostArray]] = {
    "importance weights": functools.partial(_weighted, cost=1.0),
    "importance weights, nearly even": functools.partial(_weighted, cost=0.01),
    "covariance of the target (CORAL)": functools.partial(_aligned, ridge=0.001),
    "covariance of the target, gently": functools.partial(_aligned, ridge=10.0),
    "label shares of the target (EM)": _adapted,
}


def _over_pairs(domains: Mapping[str, Domain], predict: Callable[[Domain, Domain], HostArray]) -> Score:
    """The share of right answers over all pairs, drawn by the target's documents."""
    right, documents = [], []
    for target in domains.values():
        answers = [predict(source, target) == target.test.y for source in _others(domains, target)]
        right.append(np.mean(answers, axis=0))
        documents += target.test.documents
    return Score.mean("accuracy", np.concatenate(right)).by_group(documents)
