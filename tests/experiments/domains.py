"""Sentiment of four domains: three methods, each trained on one of them and asked about all four."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minilm.applications.domains import domain_splits
from minilm.applications.simple.linear import label_methods
from minilm.applications.simple.sentiment import class_methods
from minilm.applications.vectors import vectors
from minilm.metrics import accuracy
from tests.experiments._cells import of_score

METHODS = {
    "linear SVM, words": label_methods(lambda each: each.text, lambda each: each.label)["linear SVM, words"],
    **class_methods(vectors),
}


def measure() -> Iterator[dict[str, Any]]:
    splits = domain_splits()
    for name, method in METHODS.items():
        for source, split in splits.items():
            system = method(split)  # its settings are chosen on the source's validation part: nobody rated the target
            for target, there in splits.items():
                answers = [answer["label"] for answer in system([each.text for each in there.test])]
                score = accuracy([each.label for each in there.test], answers)
                score = score.by_group([each.document for each in there.test])
                yield {"method": name, "from": source, "to": target, "accuracy": of_score(score)}
