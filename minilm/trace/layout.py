"""A drawing of a directed graph in layers, from left to right (Sugiyama, Tagawa and Toda 1981, *Methods for Visual
Understanding of Hierarchical System Structures*).

1. Each box gets a layer: one more than the highest of its predecessors; a source stands right before its first user.
2. An edge over several layers gets a waypoint in each layer between, so that it finds a lane past the boxes there.
3. The order within a layer is improved by sweeps of the barycentre heuristic and by swapping neighbours; the order with
   the fewest crossings is kept.
4. Heights: each box moves towards its neighbours', as close as the gaps allow. For one layer that is least squares under
   order constraints, which the pool-adjacent-violators algorithm solves exactly.

Edges bend only between two columns, so none passes through a box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]
GAP_X, GAP_Y = 28.0, 19.0  # between columns; between boxes in a column
LANE = 10.0  # the height that a passing edge takes in a column
LEVEL = 5.0  # an edge that climbs less than this does not climb at all
SWEEPS, SETTLING = 12, 24
LEAF, LONG = 0.02, 4.0  # how strongly a box is drawn to its parameters, and a long edge to a straight line


@dataclass
class Layout:
    """Where things are: `boxes` by their upper left corners, `edges` as cubic Bezier curves of 1 + 3 n points."""

    width: float
    height: float
    boxes: list[Point]
    edges: list[list[Point]]


def layout(sizes: Sequence[Point], edges: Sequence[tuple[int, int]]) -> Layout:
    """Places boxes of the given sizes (width, height), in topological order, with edges (from, to).

    Raises:
        ValueError: an edge does not lead from an earlier box to a later one.
    """
    for u, v in edges:
        if not 0 <= u < v < len(sizes):
            raise ValueError(f"layout: boxes must be in topological order, got an edge from {u} to {v}.")
    return _Drawing(sizes, edges).result()


class _Drawing:
    def __init__(self, sizes: Sequence[Point], edges: Sequence[tuple[int, int]]) -> None:
        self.sizes, self.edges, self.n = sizes, edges, len(sizes)
        self.rank = ranks(self.n, edges)
        self.heights = [h for _, h in sizes]
        self.lanes: list[list[int]] = []  # the waypoints of each edge
        self.up: list[list[int]] = [[] for _ in sizes]
        self.down: list[list[int]] = [[] for _ in sizes]
        for u, v in edges:
            self._link(u, v)
        self.layers: list[list[int]] = [[] for _ in range(max(self.rank, default=-1) + 1)]
        for i, r in enumerate(self.rank):
            self.layers[r].append(i)

    def _link(self, u: int, v: int) -> None:
        lane = []
        before = u
        for r in range(self.rank[u] + 1, self.rank[v]):
            waypoint = len(self.rank)
            self.rank.append(r)
            self.heights.append(LANE)
            self.up.append([before])
            self.down.append([])
            self.down[before].append(waypoint)
            lane.append(waypoint)
            before = waypoint
        self.down[before].append(v)
        self.up[v].append(before)
        self.lanes.append(lane)

    def result(self) -> Layout:
        self._order()
        y = self._settle()
        top = min((y[i] - h / 2 for i, h in enumerate(self.heights)), default=0)
        y = [v - top for v in y]
        left, widths, width = self._columns()
        boxes = []
        for i, (w, h) in enumerate(self.sizes):
            r = self.rank[i]
            boxes.append((left[r] + (widths[r] - w) / 2, y[i] - h / 2))
        curves = self._curves(y, boxes, left, widths)
        height = max((y[i] + h / 2 for i, h in enumerate(self.heights)), default=0)
        return Layout(width, height, boxes, curves)

    def _columns(self) -> tuple[list[float], list[float], float]:
        widths = [max((self.sizes[i][0] for i in layer if i < self.n), default=0) for layer in self.layers]
        left, x = [], 0.0
        for w in widths:
            left.append(x)
            x += w + GAP_X
        return left, widths, max(x - GAP_X, 0)

    # -- order --------------------------------------------------------------------------------------------------------

    def _order(self) -> None:
        best, fewest = [list(layer) for layer in self.layers], self._crossings()
        for sweep in range(SWEEPS):
            if not fewest:
                break
            near, layers = (self.up, self.layers) if sweep % 2 == 0 else (self.down, self.layers[::-1])
            place = {i: k / len(layer) for layer in self.layers for k, i in enumerate(layer)}
            for layer in layers:
                layer.sort(key=lambda i: _mean([place[j] for j in near[i]], place[i]))
                place.update((i, k / len(layer)) for k, i in enumerate(layer))
            self._swap()
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(layer) for layer in self.layers], crossings
        self.layers = best

    def _swap(self) -> None:
        """Swaps neighbours in a layer where that leaves fewer crossings."""
        at = {i: k for layer in self.layers for k, i in enumerate(layer)}
        for layer in self.layers:
            for k in range(len(layer) - 1):
                a, b = layer[k], layer[k + 1]
                now = sum(at[p] > at[q] for near in (self.up, self.down) for p in near[a] for q in near[b])
                then = sum(at[p] < at[q] for near in (self.up, self.down) for p in near[a] for q in near[b])
                if then < now:
                    layer[k], layer[k + 1] = b, a
                    at[a], at[b] = k + 1, k

    def _crossings(self) -> int:
        at = {i: k for layer in self.layers for k, i in enumerate(layer)}
        total = 0
        for layer in self.layers:
            ends = [at[j] for i in layer for j in sorted(self.down[i], key=at.__getitem__)]
            total += sum(a > b for k, a in enumerate(ends) for b in ends[k + 1 :])
        return total

    # -- heights ------------------------------------------------------------------------------------------------------

    def _settle(self) -> list[float]:
        y = [0.0] * len(self.rank)
        for layer in self.layers:
            for i, offset in zip(layer, self._offsets(layer), strict=True):
                y[i] = offset
        for step in range(SETTLING):
            for layer in self.layers if step % 2 == 0 else self.layers[::-1]:
                offsets = self._offsets(layer)
                wishes = [self._wish(i, y) for i in layer]
                fitted = increasing(
                    [wish - o for (wish, _), o in zip(wishes, offsets, strict=True)], [w for _, w in wishes]
                )
                for i, f, o in zip(layer, fitted, offsets, strict=True):
                    y[i] = f + o
        self._straighten(y)
        return y

    def _straighten(self, y: list[float]) -> None:
        """Puts all waypoints of an edge at one height, near an end of it, where the boxes on its way leave room."""
        for (u, v), lane in zip(self.edges, self.lanes, strict=True):
            low, high = -1e9, 1e9
            for w in lane:
                layer = self.layers[self.rank[w]]
                k = layer.index(w)
                if k:
                    low = max(low, y[layer[k - 1]] + (self.heights[layer[k - 1]] + LANE) / 2 + GAP_Y)
                if k + 1 < len(layer):
                    high = min(high, y[layer[k + 1]] - (self.heights[layer[k + 1]] + LANE) / 2 - GAP_Y)
            if low <= high:
                height = min(
                    (min(max(y[end], low), high) for end in (u, v)), key=lambda h: abs(h - y[u]) + abs(h - y[v])
                )
                for w in lane:
                    y[w] = height

    def _offsets(self, layer: list[int]) -> list[float]:
        """The centres of a layer's boxes, as close together as may be."""
        offsets, y = [], 0.0
        for k, i in enumerate(layer):
            if k:
                y += (self.heights[layer[k - 1]] + self.heights[i]) / 2 + GAP_Y
            offsets.append(y)
        return offsets

    def _wish(self, i: int, y: list[float]) -> tuple[float, float]:
        """Where a box would like to be, and how strongly."""
        pulls = [(y[j], self._pull(i, j)) for j in (*self.up[i], *self.down[i])]
        strength = sum(w for _, w in pulls)
        return (sum(v * w for v, w in pulls) / strength, strength) if pulls else (y[i], 0.01)

    def _pull(self, i: int, j: int) -> float:
        if i >= self.n and j >= self.n:
            return LONG
        source = min(i, j, key=self.rank.__getitem__)
        return LEAF if source < self.n and not self.up[source] and len(self.down[source]) == 1 else 1.0

    # -- curves -------------------------------------------------------------------------------------------------------

    def _curves(self, y: list[float], boxes: list[Point], left: list[float], widths: list[float]) -> list[list[Point]]:
        arrivals = self._arrivals(y)
        curves = []
        for e, ((u, v), lane) in enumerate(zip(self.edges, self.lanes, strict=True)):
            points = [(boxes[u][0] + self.sizes[u][0], y[u])]
            stops = [(r, y[w], y[w]) for w in lane for r in [self.rank[w]]]
            self._level(points, left[self.rank[u]] + widths[self.rank[u]])
            for r, height, _ in stops:
                _bend(points, (left[r], height))
                self._level(points, left[r] + widths[r])
            _bend(points, (left[self.rank[v]], arrivals[e]))
            self._level(points, boxes[v][0])
            curves.append(points)
        return curves

    @staticmethod
    def _level(points: list[Point], x: float) -> None:
        x0, y0 = points[-1]
        if x > x0:
            points.extend([(x0 + (x - x0) / 3, y0), (x - (x - x0) / 3, y0), (x, y0)])

    def _arrivals(self, y: list[float]) -> list[float]:
        """The height at which each edge reaches its box: in the order from which the edges come."""
        arrivals = [0.0] * len(self.edges)
        coming: dict[int, list[tuple[float, int]]] = {}
        for e, (u, v) in enumerate(self.edges):
            coming.setdefault(v, []).append((y[self.lanes[e][-1] if self.lanes[e] else u], e))
        for v, edges in coming.items():
            edges.sort()
            main = [k for k, (_, e) in enumerate(edges) if self.up[self.edges[e][0]]]
            middle = main[0] if len(main) == 1 else (len(edges) - 1) / 2  # the only computed input comes in straight
            room = self.heights[v] / 2 - 7
            step = min(12.0, room / max(middle, len(edges) - 1 - middle, 1))
            for k, (height, e) in enumerate(edges):
                arrives = y[v] + (k - middle) * step
                arrivals[e] = height if abs(height - arrives) < LEVEL else arrives
        return arrivals


def ranks(n: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The layer of each box: the longest path to it; sources right before their first user."""
    rank = [0] * n
    users: list[list[int]] = [[] for _ in range(n)]
    has_source = [False] * n
    for u, v in sorted(edges):
        rank[v] = max(rank[v], rank[u] + 1)
        users[u].append(v)
        has_source[v] = True
    for i in range(n):
        if users[i] and not has_source[i]:
            rank[i] = min(rank[v] for v in users[i]) - 1
    return rank


def increasing(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The non-decreasing sequence nearest to `values` in weighted least squares, by pooling adjacent violators
    (Ayer et al. 1955).
    """
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for value, weight in zip(values, weights, strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, w, count = pools.pop()
            pool = ((mean * w + pool[0] * pool[1]) / (w + pool[1]), w + pool[1], count + pool[2])
        pools.append(pool)
    return [mean for mean, _, count in pools for _ in range(count)]


def _bend(points: list[Point], to: Point) -> None:
    x0, y0 = points[-1]
    middle = (x0 + to[0]) / 2
    points.extend([(middle, y0), (middle, to[1]), to])


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
