"""Sizes of language models, 2003 to 2026, each with the place where it is stated: chapter 1's table and figure.

A model is listed only where its makers state the number, or its shapes give it. Training tokens count repetitions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minilm.style import COLORS


class Model(NamedTuple):
    """One model.

    Attributes:
        year: of its first publication.
        parameters: all of them; of a table of counts, how many counts are stored.
        tokens: that it was trained on in all; None: not stated.
        kind: "counts", "network" (other than a Transformer), "Transformer", or "experts": a Transformer of which a token uses a part.
        active: how many parameters a token uses; None: all.
        source: where the numbers stand.
    """

    year: int
    name: str
    parameters: float
    tokens: float | None
    kind: str
    source: str
    active: float | None = None


HISTORY = (
    Model(2003, "Bengio et al.", 11.9e6, None, "network", "the paper's formula, |V| = 17,964, n = 6, m = 100, h = 60"),
    Model(2007, "5-grams", 300e9, 2e12, "counts", "Brants et al. 2007, abstract: n-grams stored"),
    Model(2013, "word2vec", 0.9e9, None, "network", "Mikolov et al. 2013: published vectors, 3 M words x 300"),
    Model(2014, "seq2seq", 384e6, None, "network", "Sutskever et al. 2014, section 3.4"),
    Model(2016, "LSTM + CNN", 1.04e9, None, "network", "Jozefowicz et al. 2016, table 1"),
    Model(2017, "Transformer", 213e6, None, "Transformer", "Vaswani et al. 2017, table 3, big"),
    Model(2018, "ELMo", 93.6e6, None, "network", "Peters et al. 2018; the authors' site"),
    Model(2018, "GPT", 117e6, None, "Transformer", "Radford et al. 2018; GPT-2's paper"),
    Model(2018, "BERT", 340e6, None, "Transformer", "Devlin et al. 2019, section 3, large"),
    Model(2019, "GPT-2", 1.542e9, None, "Transformer", "Radford et al. 2019, table 2"),
    Model(2019, "Megatron-LM", 8.3e9, None, "Transformer", "Shoeybi et al. 2019, abstract"),
    Model(2019, "T5", 11e9, 1e12, "Transformer", "Raffel et al. 2020, section 3.7"),
    Model(2020, "GPT-3", 175e9, 300e9, "Transformer", "Brown et al. 2020, table 2.1"),
    Model(2021, "Gopher", 280e9, 300e9, "Transformer", "Rae et al. 2021"),
    Model(2022, "MT-NLG", 530e9, 270e9, "Transformer", "Smith et al. 2022"),
    Model(2022, "Chinchilla", 70e9, 1.4e12, "Transformer", "Hoffmann et al. 2022, table 1"),
    Model(2022, "PaLM", 540e9, 780e9, "Transformer", "Chowdhery et al. 2022"),
    Model(2022, "OPT", 175e9, None, "Transformer", "Zhang et al. 2022; a corpus of 180 B tokens"),
    Model(2022, "BLOOM", 176e9, 366e9, "Transformer", "Le Scao et al. 2022: 341 B, and 25 B of them again"),
    Model(2023, "LLaMA 7B", 6.7e9, 1.0e12, "Transformer", "Touvron et al. 2023a, table 2"),
    Model(2023, "LLaMA 65B", 65.2e9, 1.4e12, "Transformer", "Touvron et al. 2023a, table 2"),
    Model(2023, "Llama 2", 70e9, 2.0e12, "Transformer", "Touvron et al. 2023b, table 1"),
    Model(2023, "BTLM", 3e9, 627e9, "Transformer", "Dey et al. 2023, abstract: SlimPajama"),
    Model(2023, "Falcon", 180e9, 3.5e12, "Transformer", "Almazrouei et al. 2023, abstract"),
    Model(2024, "TinyLlama", 1.1e9, 3e12, "Transformer", "Zhang et al. 2024: about 1 T, 3 times"),
    Model(2024, "Mixtral 8x7B", 47e9, None, "experts", "Jiang et al. 2024, abstract", 13e9),
    Model(2024, "Llama 3.1", 405e9, 15.6e12, "Transformer", "Grattafiori et al. 2024, section 3"),
    Model(2024, "DeepSeek-V3", 671e9, 14.8e12, "experts", "DeepSeek-AI 2024, abstract", 37e9),
    Model(2025, "Qwen3", 235e9, 36e12, "experts", "Yang et al. 2025: 235B-A22B", 22e9),
    Model(2025, "Kimi K2", 1.04e12, 15.5e12, "experts", "Kimi Team 2025", 32.6e9),
    Model(2026, "Trinity Large", 400e9, 17e12, "experts", "Singh et al. 2026, abstract", 13e9),
    Model(2026, "DeepSeek-V4", 1.6e12, 32e12, "experts", "DeepSeek-AI 2026, abstract: more than 32 T", 49e9),
)
"""In order of their years."""

MARKS = {
    "counts": ("^", 2, "counts stored"),
    "network": ("s", 1, "other networks"),
    "Transformer": ("o", 0, "Transformers"),
    "experts": ("D", 3, "mixtures of experts"),
}
_PLACES: dict[str, tuple[tuple[int, int], str, str]] = {
    "r": ((6, 0), "left", "center"),
    "l": ((-6, 0), "right", "center"),
    "u": ((0, 5), "center", "bottom"),
    "d": ((0, -5), "center", "top"),
}  # offset in points, and how the name is aligned
_OVER_TIME = {
    "Bengio et al.": "r", "5-grams": "r", "word2vec": "l", "seq2seq": "l", "LSTM + CNN": "u", "Transformer": "l", "GPT": "r",
    "BERT": "u", "GPT-2": "r", "T5": "u", "GPT-3": "l", "MT-NLG": "u", "Chinchilla": "l", "LLaMA 7B": "r", "TinyLlama": "r",
    "DeepSeek-V4": "u",
}  # fmt: skip
_OVER_SIZE = {
    "T5": "u", "GPT-3": "l", "Gopher": "d", "MT-NLG": "r", "Chinchilla": "r", "PaLM": "r", "LLaMA 7B": "d", "Llama 2": "u", "BTLM": "d",
    "Falcon": "l", "TinyLlama": "u", "Llama 3.1": "l", "DeepSeek-V3": "d", "Qwen3": "u", "DeepSeek-V4": "r", "Kimi K2": "r",
    "Trinity Large": "u",
}  # fmt: skip


def brief(count: float) -> str:
    """The number with three digits, in trillions, billions or millions: 1.54 B."""
    for unit, letter in ((1e12, "T"), (1e9, "B")):
        if count >= unit:
            return f"{count / unit:.3g} {letter}"
    return f"{count / 1e6:.3g} M"


def tokens_per_parameter(model: Model) -> float | None:
    """Training tokens by all parameters; None where the tokens are not stated."""
    return None if model.tokens is None else model.tokens / model.parameters


def history_lines(models: tuple[Model, ...] = HISTORY) -> list[str]:
    """A header, and a line for each model."""
    lines = [f"{'year':4}  {'model':13} {'parameters':>10} {'active':>7} {'tokens':>7} {'each':>7}  stated in"]
    for m in models:
        each = tokens_per_parameter(m)
        active, tokens = ("" if n is None else brief(n) for n in (m.active, m.tokens))
        ratio = "" if each is None else f"{each:.1f}"
        lines.append(
            f"{m.year:4}  {m.name:13} {brief(m.parameters):>10} {active:>7} {tokens:>7} {ratio:>7}  {m.source}"
        )
    return lines


def history_figure(models: tuple[Model, ...] = HISTORY) -> Any:
    """Parameters against the year, and below them tokens against parameters, with Chinchilla's line of 20."""
    import matplotlib.pyplot as plt

    figure, (upper, lower) = plt.subplots(2, 1, figsize=(6.4, 8.4))
    for kind, (marker, color, label) in MARKS.items():
        mine = [m for m in models if m.kind == kind]
        upper.plot(
            [m.year for m in mine],
            [m.parameters for m in mine],
            marker,
            color=COLORS[color],
            label=label,
            linestyle="none",
        )
        mine = [m for m in mine if m.tokens]
        lower.plot(
            [m.parameters for m in mine], [m.tokens for m in mine], marker, color=COLORS[color], linestyle="none"
        )
    for m in models:
        _name(upper, m.name, (m.year, m.parameters), _OVER_TIME)
        if m.tokens:
            _name(lower, m.name, (m.parameters, m.tokens), _OVER_SIZE)
    ends = np.array([5e8, 3e12])
    lower.plot(ends, 20 * ends, color=COLORS[1], linestyle="--")
    lower.text(3.2e9, 3.4e10, "20 tokens per parameter", color=COLORS[1], fontsize=8, ha="left", va="center")
    upper.set(yscale="log", xlabel="year", ylabel="parameters", xlim=(2001.5, 2028.5), ylim=(4e6, 8e12))
    lower.set(
        xscale="log", yscale="log", xlabel="parameters", ylabel="training tokens", xlim=(5e8, 2e13), ylim=(2e10, 9e13)
    )
    upper.legend(loc="lower left", bbox_to_anchor=(0.2, 0))
    return figure


def _name(ax: Any, name: str, point: tuple[float, float], sides: dict[str, str]) -> None:
    """The model's name beside its point, where there is room for it."""
    if name in sides:
        offset, ha, va = _PLACES[sides[name]]
        ax.annotate(name, point, xytext=offset, textcoords="offset points", ha=ha, va=va, fontsize=8)


__all__ = ["HISTORY", "Model", "brief", "history_figure", "history_lines", "tokens_per_parameter"]
