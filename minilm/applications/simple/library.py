"""Libraries that the simple methods use, and that not everybody has installed."""

from __future__ import annotations

import importlib
from typing import Any

PACKAGES = {
    "sklearn": "scikit-learn",
    "scipy": "scipy",
    "pycrfsuite": "python-crfsuite",
    "bm25s": "bm25s",
    "vaderSentiment": "vaderSentiment",
}


class MissingLibraryError(ValueError):
    """A library of the extra `compare` is not installed."""


def library(module: str) -> Any:
    """A module of a library, as in ``library("sklearn.svm")``.

    Raises:
        MissingLibraryError: it is not installed; the message says what to type.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        top = module.partition(".")[0]
        if top not in PACKAGES or (error.name or "").partition(".")[0] != top:
            raise
        raise MissingLibraryError(
            f'the simple methods beside it need {PACKAGES[top]}, which is not installed: pip install "minilm[compare]"'
        ) from None


__all__ = ["MissingLibraryError", "library"]
