"""Boxes do not overlap, edges pass through none, and the order leaves few crossings."""

import itertools

import numpy as np
import pytest

from minilm.trace.layout import GAP_X, GAP_Y, increasing, layout, ranks

CHAIN = [(0, 1), (1, 2), (2, 3)]
RESIDUAL = [(0, 1), (1, 2), (2, 3), (0, 3), (3, 4), (4, 5), (3, 5), (0, 5)]


def random_graph(seed: int, n: int = 24) -> tuple[list[tuple[float, float]], list[tuple[int, int]]]:
    rng = np.random.default_rng(seed)
    edges = {(int(u), v) for v in range(1, n) for u in rng.integers(0, v, rng.integers(0, 3))}
    sizes = [(float(w), float(h)) for w, h in zip(rng.integers(60, 140, n), rng.integers(30, 80, n), strict=True)]
    return sizes, sorted(edges)


def points_on(curve: list[tuple[float, float]]) -> np.ndarray:
    """Points along the cubic Bezier curves."""
    t = np.linspace(0, 1, 25)[:, None]
    parts = []
    for k in range(0, len(curve) - 1, 3):
        a, b, c, d = (np.array(p) for p in curve[k : k + 4])
        parts.append((1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d)
    return np.concatenate(parts)


@pytest.mark.parametrize("seed", range(8))
def test_boxes_do_not_overlap(seed):
    sizes, edges = random_graph(seed)
    plan = layout(sizes, edges)
    for (i, (x, y)), (j, (u, v)) in itertools.combinations(enumerate(plan.boxes), 2):
        apart_x = x + sizes[i][0] + GAP_X <= u + 1e-6 or u + sizes[j][0] + GAP_X <= x + 1e-6
        apart_y = y + sizes[i][1] + GAP_Y <= v + 1e-6 or v + sizes[j][1] + GAP_Y <= y + 1e-6
        assert apart_x or apart_y, (i, j)


@pytest.mark.parametrize("seed", range(8))
def test_no_edge_passes_through_a_box(seed):
    sizes, edges = random_graph(seed)
    plan = layout(sizes, edges)
    for edge, curve in zip(edges, plan.edges, strict=True):
        for px, py in points_on(curve):
            for i, ((x, y), (w, h)) in enumerate(zip(plan.boxes, sizes, strict=True)):
                inside = x + 0.1 < px < x + w - 0.1 and y + 0.1 < py < y + h - 0.1
                assert not inside, (edge, i)


@pytest.mark.parametrize("seed", range(4))
def test_edges_lead_from_the_right_side_of_a_box_to_the_left_side_of_another(seed):
    sizes, edges = random_graph(seed)
    plan = layout(sizes, edges)
    for (u, v), curve in zip(edges, plan.edges, strict=True):
        assert curve[0][0] == pytest.approx(plan.boxes[u][0] + sizes[u][0])
        assert curve[-1][0] == pytest.approx(plan.boxes[v][0])
        assert plan.boxes[v][1] <= curve[-1][1] <= plan.boxes[v][1] + sizes[v][1]
        assert len(curve) % 3 == 1


def test_everything_lies_within_the_drawing():
    sizes, edges = random_graph(3)
    plan = layout(sizes, edges)
    points = np.concatenate([points_on(c) for c in plan.edges])
    assert points.min() >= -1e-6
    assert points[:, 0].max() <= plan.width + 1e-6
    assert points[:, 1].max() <= plan.height + 1e-6
    assert all(x >= 0 and y >= -1e-6 for x, y in plan.boxes)


def test_a_chain_is_a_straight_line():
    plan = layout([(80.0, 40.0)] * 4, CHAIN)
    assert len({y for _, y in plan.boxes}) == 1
    assert all(len({y for _, y in curve}) == 1 for curve in plan.edges)


def test_the_main_line_stays_straight_past_parameters():
    edges = [(0, 2), (1, 2), (2, 4), (3, 4), (4, 6), (5, 6)]  # 1, 3 and 5 are used once: parameters
    plan = layout([(80.0, 40.0)] * 7, edges)
    heights = [plan.boxes[i][1] for i in (2, 4, 6)]
    assert max(heights) - min(heights) < 5


def test_a_long_edge_goes_straight_past_what_lies_between():
    plan = layout([(80.0, 40.0)] * 6, RESIDUAL)
    curve = plan.edges[RESIDUAL.index((0, 5))]
    middle = [y for x, y in curve if plan.boxes[1][0] < x < plan.boxes[4][0]]
    assert max(middle) - min(middle) < 1e-6


def test_two_ladders_do_not_cross():
    edges = [(0, 3), (1, 2), (2, 4), (3, 5)]  # drawn in the order given, (0, 3) and (1, 2) would cross
    plan = layout([(80.0, 40.0)] * 6, edges)
    y = [b[1] for b in plan.boxes]
    assert (y[0] - y[1]) * (y[3] - y[2]) > 0
    assert (y[2] - y[3]) * (y[4] - y[5]) > 0


def test_ranks_are_longest_paths_and_a_source_stands_before_its_user():
    assert ranks(6, RESIDUAL) == [0, 1, 2, 3, 4, 5]
    assert ranks(4, [(0, 1), (1, 3), (2, 3)]) == [0, 1, 1, 2]


def test_pooling_adjacent_violators():
    assert increasing([1, 3, 2, 4], [1, 1, 1, 1]) == [1, 2.5, 2.5, 4]
    assert increasing([3, 0], [3, 1]) == [2.25, 2.25]
    assert increasing([3, 2, 1], [1, 1, 1]) == [2, 2, 2]


def test_the_same_graph_gives_the_same_drawing():
    assert layout(*random_graph(1)) == layout(*random_graph(1))


def test_nothing_and_one_box():
    assert layout([], []).boxes == []
    assert layout([(50.0, 20.0)], []).boxes == [(0, 0)]


def test_boxes_must_be_in_topological_order():
    with pytest.raises(ValueError, match="topological order, got an edge from 1 to 0"):
        layout([(1.0, 1.0)] * 2, [(1, 0)])
