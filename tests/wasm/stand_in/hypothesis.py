"""In place of hypothesis where it cannot be had (newer versions are compiled): a test that draws its inputs is skipped."""

from __future__ import annotations

import sys
from typing import Any

import pytest


class _Anything:
    """Strategies, profiles, checks: whatever is made of it, or with it, is such a thing again."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __or__(self, other: Any) -> Any:
        return self

    __ror__ = __getitem__ = __or__


anything = _Anything()


def given(*strategies: Any, **named: Any) -> Any:
    """A decorator: skips."""

    def skipped(test: Any) -> Any:
        def no_inputs() -> None:
            pytest.skip("hypothesis is not here as pure Python")

        no_inputs.__name__, no_inputs.__doc__ = test.__name__, test.__doc__
        return no_inputs

    return skipped


def example(*arguments: Any, **options: Any) -> Any:
    """A decorator that does nothing."""
    return lambda test: test


class settings:
    """A decorator that does nothing."""

    register_profile = load_profile = staticmethod(anything)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        pass

    def __call__(self, test: Any) -> Any:
        return test


HealthCheck = strategies = assume = note = target = reproduce_failure = anything
__path__: list[str] = []
sys.modules |= {f"hypothesis.{name}": anything for name in ("strategies", "extra", "extra.numpy")}  # type: ignore[dict-item]
