"""Loss against parameters and characters read: a grid of small GPTs, the power law, two predictions, and text that is read again.

The learning rate of each width is chosen on the validation part; all that is reported is of the test part, the law of its grid included.
A prediction is made before the model that it is of is trained.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from minilm.metrics import mean_interval
from minilm.scaling import characters, fit_law, parameters, percentiles, reading, resampled
from minilm.sweep import Results, sweep

WIDTHS, LARGER = (8, 16, 32, 64), 128
TOKENS, LONGER = (25_600, 51_200, 102_400, 204_800), 409_600
LEAST = 51_200  # the law is fitted from here on: 100 steps, of which 10 warm up, are too few
PRODUCTS = (0.08, 0.16, 0.32, 0.64)  # of width and learning rate: the best rate falls with the width
SEEDS = 3
TEXT = None  # Python's manual


def measure(folder: Path | None = None) -> list[dict[str, Any]]:
    """Its rows; `folder` keeps the sweeps, so that what is there is not run again."""
    text = characters(TEXT)

    def swept(name: str, of: Any, table: dict[str, Any], seeds: int = SEEDS, number: str = "loss") -> Results:
        return sweep(of, table, seeds, folder=folder and folder / name, number=number)

    def choosing(width: int, product: float, seed: int) -> dict[str, float]:
        return reading(text, width, LEAST, rate=product / width, seed=100 + seed)

    found = swept("rates", choosing, {"width": [*WIDTHS, LARGER], "product": PRODUCTS}, 1, "validation loss")
    rates = {width: _best_rate(found, width) for width in (*WIDTHS, LARGER)}

    def grid(width: int, tokens: int, seed: int) -> dict[str, float]:
        return reading(text, width, tokens, rate=rates[width], seed=seed)

    cells = swept("grid", grid, {"width": WIDTHS, "tokens": TOKENS})
    fitted = [each for each in cells.settings() if each["tokens"] >= LEAST]
    n = [parameters(each["width"], text.vocabulary) for each in fitted]
    d = [each["tokens"] for each in fitted]
    losses = [list(cells.values(each).values()) for each in fitted]
    law, draws = fit_law(n, d, np.mean(losses, 1)), resampled(n, d, losses, draws=200)

    targets = [(LARGER, TOKENS[-1]), (WIDTHS[2], LONGER)]
    rows = [_law_row("law", law, draws)]
    for width, tokens in targets:
        size = parameters(width, text.vocabulary)
        predicted = [law.loss(size, tokens), *percentiles([each.loss(size, tokens) for each in draws])[:2]]
        line = _line(cells, width, tokens, text.vocabulary)
        there = swept(f"target-{width}", grid, {"width": [width], "tokens": [tokens]})
        told = {"predicted": predicted, "straight line": line}
        rows.append(_row("prediction", there, there.settings()[0], rates) | told)
    rows += [_row("grid", cells, each, rates) for each in cells.settings()]

    def again(fresh: int, seed: int) -> dict[str, float]:
        return reading(text, WIDTHS[-1], TOKENS[-1], rate=rates[WIDTHS[-1]], seed=seed, fresh=fresh)

    repeated = swept("again", again, {"fresh": [TOKENS[-1] // 16, TOKENS[-1] // 4]})
    about = {"width": WIDTHS[-1], "tokens": TOKENS[-1]}
    rows += [_row("read again", repeated, each, rates, about) for each in repeated.settings()]
    return rows


def _best_rate(found: Results, width: int) -> float:
    of_width = [each for each in found.settings() if each["width"] == width]
    there = [each for each in of_width if found.mean(each).seeds]
    return float(min(there, key=lambda each: found.mean(each).mean)["product"]) / width


def _row(what: str, found: Results, settings: Any, rates: dict[int, float], more: Any = ()) -> dict[str, Any]:
    whole = {**dict(more), **settings}
    numbers = {name: list(found.values(settings, name).values()) for name in found.rows[0].numbers if name != "tokens"}
    return {
        "what": what,
        **whole,
        "parameters": int(numbers.pop("parameters")[0]),
        "rate": rates[whole["width"]],
        **{name: _estimate(values) for name, values in numbers.items() if name != "validation loss"},
        "losses": numbers["loss"],
    }


def _estimate(values: list[float]) -> list[float]:
    interval = mean_interval(values)
    return [float(np.mean(values)), *(interval[:2] if interval else (float("nan"), float("nan")))]


def _law_row(what: str, law: Any, draws: Iterable[Any]) -> dict[str, Any]:
    names = ("e", "a", "alpha", "b", "beta")
    found = {name: [getattr(law, name), *percentiles([getattr(each, name) for each in draws])[:2]] for name in names}
    exponent = [x.beta / (x.alpha + x.beta) for x in (law, *draws)]
    return {"what": what, **found, "exponent of N": [exponent[0], *percentiles(exponent[1:])[:2]]}


def _line(cells: Results, width: int, tokens: int, vocabulary: int) -> float:
    """The simple prediction: a straight line through the logarithms of the two nearest points of the grid."""
    if width in WIDTHS:
        near = [{"width": width, "tokens": each} for each in TOKENS[-2:]]
        x, at = np.log([each["tokens"] for each in near]), np.log(tokens)
    else:
        near = [{"width": each, "tokens": tokens} for each in WIDTHS[-2:]]
        x = np.log([parameters(each["width"], vocabulary) for each in near])
        at = np.log(parameters(width, vocabulary))
    y = np.log([cells.mean(each).mean for each in near])
    return float(np.exp(y[1] + (y[1] - y[0]) / (x[1] - x[0]) * (at - x[1])))
