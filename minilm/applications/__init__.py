"""The applications of language models (chapter 6): each beside the best simple method, on real data, in a file of its own.

From the ground up: `application` (what each of them has), `trained` (those that are trained), then a file for each.
"""

from __future__ import annotations

import importlib
from typing import Any

from minilm.applications.application import Answer, Application, Split, System
from minilm.terminal import did_you_mean

PLACES = {
    "spam": "classification:Spam",
    "topics": "classification:Topics",
    "translation": "translation:Translation",
    "answers": "retrieval:Answers",
    "spans": "question_answering:Spans",
    "generation": "generation:Generation",
    "similarity": "similarity:Similarity",
    "relations": "relations:Relations",
    "summary": "extractive:Summary",
    "summary-packages": "extractive:PackageSummary",
    "headline": "summarization:Headline",
    "ner": "named_entities:NamedEntities",
    "sentiment-zh": "sentiment_zh:ChineseSentiment",
    "sentiment-en": "sentiment_en:EnglishSentiment",
    "sentiment-intensity": "sentiment_en:Intensity",
}
"""Where each application is: the file of this room, and the class. They are imported when they are asked for."""


def find(name: str) -> Application[Any]:
    """The application of that name.

    Raises:
        ValueError: there is none; the message lists them.
    """
    if name not in PLACES:
        raise ValueError(f"there is no task {name!r}; there are {', '.join(PLACES)}.{did_you_mean(name, PLACES)}")
    file, _, kind = PLACES[name].partition(":")
    application: Application[Any] = getattr(importlib.import_module(f"minilm.applications.{file}"), kind)()
    return application


__all__ = ["PLACES", "Answer", "Application", "Split", "System", "find"]
