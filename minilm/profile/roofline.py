r"""The roofline: how fast each op ran, below what the machine allows (Williams, Waterman and Patterson 2009, *Roofline: An
Insightful Visual Performance Model for Multicore Architectures*).

An op that does I operations for each byte that it moves cannot run faster than

.. math:: \min(P,\; B\, I)

with P the machine's operations a second and B its bytes a second. Left of the ridge :math:`I = P / B` memory is the limit, right of
it arithmetic. A point far below its roof loses its time elsewhere: to Python, to passes over memory that are not needed,
or to arithmetic that is not done in vectors. An op whose arrays lie in a cache may stand above the roof of main memory,
and below that of the cache.

Both ceilings are measured, not looked up: a product of matrices, and sums of arrays.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from minilm.backend import Device, get_device, get_num_threads
from minilm.profile.rows import OpRow

if TYPE_CHECKING:
    from minilm.profile.record import Profile

LARGE = 1 << 24  # elements of the arrays that no cache holds: 64 MiB each
SLICE = 0.2  # seconds for each of the measurements
SMALLEST = 0.001  # ops with a smaller share of the ops' time are not drawn
LINE = {"color": "#222222", "lw": 1.4, "marker": "", "zorder": 2}


@dataclass(frozen=True)
class Ceilings:
    """What a device can do at most, in float32.

    Attributes:
        flops: operations a second, in a product of matrices.
        memory: bytes a second, between main memory and the device.
        cache: bytes a second for arrays of the size in which the engine works (`Blocked.block_size`), which a cache holds; 0 where that
            was not measured.
        threads: how many were used; 0 on a GPU.
    """

    device: str
    flops: float
    memory: float
    cache: float = 0.0
    threads: int = 0

    @property
    def ridge(self) -> float:
        """Where both ceilings of the machine meet, in FLOP/B."""
        return self.flops / self.memory

    def roof(self, intensity: float) -> float:
        """The most operations a second for data in main memory."""
        return min(self.flops, self.memory * intensity)


_measured: dict[tuple[str, int], Ceilings] = {}


def measure_ceilings(device: str | Device = "cpu", again: bool = False) -> Ceilings:
    """Measures a device with the threads that the process has; takes about a second, once in a process.

    The best of many repetitions counts: a ceiling is what can be reached.

    Args:
        again: measure even if that was done already.
    """
    device = get_device(device)
    threads = get_num_threads() if device.name != "cuda" else 0
    key = device.name, threads
    if again or key not in _measured:
        cache = _cache_bandwidth(device, threads) if threads else 0.0
        _measured[key] = Ceilings(
            device.name, _product_rate(device), _memory_bandwidth(device, threads), cache, threads
        )
    return _measured[key]


def _product_rate(device: Device) -> float:
    """Operations a second in square products, of growing size until one takes long enough to be typical."""
    best, n = 0.0, 256
    while n <= 8192:
        a = device.xp.ones((n, n), "float32")
        seconds = _fastest(device, partial(device.matmul, a, a), SLICE / 4)
        best = max(best, 2 * n**3 / seconds)
        if seconds > 0.01:
            break
        n *= 2
    return best


def _memory_bandwidth(device: Device, threads: int) -> float:
    """Bytes a second in ``c = a + b`` and ``b = a``, each byte that is read or written once."""
    xp = device.xp
    a, b, c = (xp.ones(LARGE, "float32") for _ in range(3))
    parts = max(threads, 1)
    cuts = [slice(i * LARGE // parts, (i + 1) * LARGE // parts) for i in range(parts)]
    best = 0.0
    for arrays, function in [((a, b, c), _add(xp)), ((b, a), xp.copyto)]:
        blocks = [tuple(array[cut] for array in arrays) for cut in cuts]
        seconds = _fastest(device, partial(device.run, function, blocks), SLICE)
        best = max(best, len(arrays) * a.nbytes / seconds)
    return best


def _cache_bandwidth(device: Device, threads: int) -> float:
    """Bytes a second in ``c = a + b``, again and again on the same block: on one thread, and with a block for each."""
    add, repeats, best = _add(device.xp), 32, 0.0

    def again(a: Any, b: Any, c: Any) -> None:
        for _ in range(repeats):
            add(a, b, c)

    for count in {1, threads}:
        blocks = [tuple(device.xp.ones(device.block_size, "float32") for _ in range(3)) for _ in range(count)]
        seconds = _fastest(device, partial(device.run, again, blocks), SLICE / 2)
        best = max(best, 3 * blocks[0][0].nbytes * count * repeats / seconds)
    return best


def _add(xp: Any) -> Callable[..., Any]:
    return lambda a, b, c: xp.add(a, b, out=c)


def _fastest(device: Device, function: Callable[[], Any], budget: float) -> float:
    """The least seconds of one call, of at least three after a first one that does not count."""
    times: list[float] = []
    end = time.perf_counter() + budget
    while len(times) < 4 or time.perf_counter() < end:
        start = time.perf_counter()
        function()
        device.synchronize()
        times.append(time.perf_counter() - start)
    return min(times[1:])


# -- the picture ------------------------------------------------------------------------------------------------------


def draw(profile: Profile, ceilings: Ceilings, labels: int) -> Any:
    """The figure. The area of a point is its share of the time.

    Raises:
        ValueError: no op did any arithmetic, so that there is nothing to place.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from minilm.book.style import settings

    _let_notebooks_show_figures()
    rows, total = drawn(profile), profile.all_ops.time
    if not rows:
        raise ValueError("roofline: no op in this profile did any arithmetic, so there is nothing to draw.")
    look: Any = settings()
    with rc_context(look):
        figure = Figure(figsize=(7.2, 4.6))
        axes = figure.add_subplot()
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")
        _limits(axes, rows, ceilings)
        slopes = _roofs(axes, ceilings)
        for stage in ("forward", "backward"):
            _points(axes, [row for row in rows if row.stage == stage], stage, total)
        axes.set_xlabel("operations for each byte moved (FLOP/B)")
        axes.set_ylabel("operations a second (GFLOP/s)")
        share = sum(row.time for row in rows) / total
        axes.set_title(f"Area: an op's part of the time in ops, of which {share:.0%} is shown", loc="left")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower right", ncols=2)
        FigureCanvasAgg(figure)
        figure.draw_without_rendering()  # lays the axes out: names are placed in pixels
        _name_points(axes, rows, labels, total, _name_roofs(axes, ceilings, slopes))
    return figure


def drawn(profile: Profile) -> list[OpRow]:
    """The ops that have a place in the picture, those that took longest first."""
    least = SMALLEST * profile.all_ops.time
    rows = [r for r in profile.ops if r.stage != "section" and r.flops and r.bytes and r.time > max(least, 0.0)]
    return sorted(rows, key=lambda row: row.time, reverse=True)


def _limits(axes: Any, rows: list[OpRow], ceilings: Ceilings) -> None:
    """Room for all points, the ridge, and the names of the roofs."""
    xs, ys = [row.intensity for row in rows], [row.flop_rate / 1e9 for row in rows]
    axes.set_xlim(min(xs) / 3, max(*xs, ceilings.ridge) * 6)
    axes.set_ylim(min(ys) / 3, max(*ys, ceilings.flops / 1e9) * 4)


def _roofs(axes: Any, ceilings: Ceilings) -> list[tuple[str, float]]:
    """The lines; returns the name of each slope, and its bytes a second."""
    low, high = axes.get_xlim()
    slopes = [(f"main memory: {ceilings.memory / 1e9:.3g} GB/s", ceilings.memory)]
    if ceilings.cache > ceilings.memory:
        slopes.append((f"cache: {ceilings.cache / 1e9:.3g} GB/s", ceilings.cache))
    for (_, rate), style in zip(slopes, ("-", (0, (5, 2))), strict=False):
        axes.plot([low, ceilings.flops / rate], [low * rate / 1e9, ceilings.flops / 1e9], ls=style, **LINE)
    axes.plot([min(ceilings.flops / rate for _, rate in slopes), high], [ceilings.flops / 1e9] * 2, ls="-", **LINE)
    return slopes


def _name_roofs(axes: Any, ceilings: Ceilings, slopes: list[tuple[str, float]]) -> list[Any]:
    """Writes the ceilings' names along their lines; returns the texts."""
    peak, (low, high), bottom = ceilings.flops / 1e9, axes.get_xlim(), axes.get_ylim()[0]
    (x0, y0), (x1, y1) = axes.transData.transform([(1.0, 1.0), (10.0, 10.0)])
    angle = math.degrees(math.atan2(y1 - y0, x1 - x0))
    style: dict[str, Any] = {"fontsize": 8.5, "va": "bottom", "zorder": 4}
    texts = [axes.text(high / 1.1, peak * 1.08, f"matrix product: {peak:.3g} GFLOP/s", ha="right", **style)]
    for name, rate in slopes:
        x = max(low, bottom / (rate / 1e9)) * 1.3
        texts.append(
            axes.text(x, x * rate / 1e9 * 1.12, name, ha="left", rotation=angle, rotation_mode="anchor", **style)
        )
    for text in texts:
        text.set_in_layout(False)
    return texts


def _area(row: OpRow, total: float) -> float:
    return 18 + 900 * row.time / total


def _points(axes: Any, rows: list[OpRow], stage: str, total: float) -> None:
    from minilm.book.style import BLUE, VERMILLION

    color, marker = (BLUE, "o") if stage == "forward" else (VERMILLION, "s")
    axes.scatter([r.intensity for r in rows], [r.flop_rate / 1e9 for r in rows], s=[_area(r, total) for r in rows],
                 color=color, marker=marker, alpha=0.75, linewidths=0.8, edgecolors="white", zorder=3)  # fmt: skip
    axes.scatter([], [], s=45, color=color, marker=marker, label=stage)  # the legend's mark has one size


Box = tuple[float, float, float, float]  # left, bottom, right, top, in pixels
DIRECTIONS = [(math.cos(a), math.sin(a)) for a in (math.pi * k / 8 for k in range(16))]
DISTANCES = (3, 13, 26, 40, 58)  # points between a mark and its name; from the second on a line joins them


def _name_points(axes: Any, rows: list[OpRow], labels: int, total: float, texts: list[Any]) -> None:
    """Writes names beside the marks, where they cover nothing."""
    figure = axes.figure
    scale, renderer = figure.dpi / 72, figure.canvas.get_renderer()
    spots = [
        (*axes.transData.transform((r.intensity, r.flop_rate / 1e9)), _area(r, total) ** 0.5 / 2 * scale) for r in rows
    ]
    taken = [(x - r, y - r, x + r, y + r) for x, y, r in spots]
    lines = []
    for line in axes.lines:
        start, end = axes.transData.transform(line.get_xydata())
        lines += _along_line(start, end, 2 * scale)
    for text in texts:
        taken += _along_text(text, renderer)
    frame = _box(axes.get_window_extent(renderer))
    for row, (x, y, r) in list(zip(rows, spots, strict=True))[:labels]:
        style = {"fontsize": 8.5, "ha": "left", "va": "bottom", "zorder": 4}
        trial = axes.text(0, 0, row.op, **style)
        extent = trial.get_window_extent(renderer)
        trial.remove()
        box, far = _place((x, y), r, (extent.width + 3 * scale, extent.height), scale, taken, lines, frame)
        taken.append(box)
        if far:
            taken += _along_line((x, y), _centre(box), scale)
        arrow = {"arrowstyle": "-", "color": "#888888", "lw": 0.7, "shrinkA": 0, "shrinkB": 0} if far else None
        offset = (box[0] - x) / scale, (box[1] - y) / scale
        name = axes.annotate(row.op, (row.intensity, row.flop_rate / 1e9), offset, textcoords="offset points",
                             arrowprops=arrow, **style)  # fmt: skip
        name.set_in_layout(False)


def _place(spot: tuple[float, float], radius: float, size: tuple[float, float], scale: float, taken: list[Box],
           lines: list[Box], frame: Box) -> tuple[Box, bool]:  # fmt: skip
    """The box for a name that covers least, and whether it is so far off that a line has to lead there."""
    (x, y), (w, h) = spot, size
    best, found, far = math.inf, (x, y, x + w, y + h), False
    for k, distance in enumerate(DISTANCES):
        for dx, dy in DIRECTIONS:
            d = radius + distance * scale
            cx, cy = x + dx * (d + w / 2), y + dy * (d + h / 2)
            box = cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2
            cost = w * h - _overlap(box, frame) + 6 * sum(_overlap(box, other) for other in taken)
            cost += sum(_overlap(box, other) for other in lines) + w * h * (0.1 * k - 0.01 * dx)
            if k:  # the line to the name should cross nothing, either
                lead = _along_line((cx, cy), (x + dx * radius, y + dy * radius), scale)
                cost += 2 * sum(_overlap(part, other) for part in lead for other in taken)
            if cost < best:
                best, found, far = cost, box, k > 0
    return found, far


def _box(extent: Any) -> Box:
    return extent.x0, extent.y0, extent.x1, extent.y1


def _overlap(a: Box, b: Box) -> float:
    """The area that two boxes share."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _along_line(start: Any, end: Any, r: float) -> list[Box]:
    """Small boxes, 2r wide, on a straight line."""
    (x0, y0), (x1, y1) = start, end
    count = max(2, int(math.hypot(x1 - x0, y1 - y0) / (2 * r)))
    points = [(x0 + (x1 - x0) * k / count, y0 + (y1 - y0) * k / count) for k in range(count + 1)]
    return [(x - r, y - r, x + r, y + r) for x, y in points]


def _along_text(text: Any, renderer: Any) -> list[Box]:
    """Small boxes that cover a text, which may run upwards."""
    box = _box(text.get_window_extent(renderer))
    if not text.get_rotation():
        return [box]
    r = text.get_fontsize() * text.get_figure().dpi / 72 / 2
    return _along_line((box[0] + r, box[1] + r), (box[2] - r, box[3] - r), r)


def _let_notebooks_show_figures() -> None:
    """In a notebook, pyplot's import is what tells IPython how to show a figure that a cell returns."""
    if "IPython" in sys.modules:
        import matplotlib.pyplot  # noqa: F401
