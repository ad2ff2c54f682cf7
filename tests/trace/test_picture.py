"""The pictures of arrays: what a reader of the PNG finds in it."""

import base64
import io

import numpy as np
import pytest

from minilm.trace.picture import BLACK, BLUE, HEIGHT, LEVELS, NOT_FINITE, ORANGE, WHITE, WIDTH, palette, sheet, tile


def read(data: str) -> np.ndarray:
    """The pixels of a data URI, by another reader of PNG."""
    import matplotlib.image

    raw = base64.b64decode(data.removeprefix("data:image/png;base64,"))
    return np.rint(matplotlib.image.imread(io.BytesIO(raw))[..., :3] * 255).astype(int)


def colors(array: np.ndarray) -> np.ndarray:
    pixels = tile(array)
    return read(sheet([pixels]))[: pixels.shape[0], : pixels.shape[1]]


def test_signs_are_told_by_hue_and_zero_is_white():
    assert colors(np.array([[-2.0, 0.0, 2.0]])).tolist() == [[list(BLUE), list(WHITE), list(ORANGE)]]


def test_the_scale_is_symmetric_about_zero():
    pixels = tile(np.array([1.0, 4.0]))
    assert pixels.tolist() == [[LEVELS + round(LEVELS / 4), 2 * LEVELS]]  # 1 is pale, though it is the minimum
    assert tile(-np.array([1.0, 4.0])).tolist() == [[LEVELS - round(LEVELS / 4), 0]]


def test_integers_and_truth_values_have_a_scale_of_one_hue():
    assert colors(np.array([0, 3])).tolist() == [[list(WHITE), list(BLUE)]]
    assert colors(np.array([[False], [True]])).tolist() == [[list(WHITE)], [list(BLUE)]]
    assert colors(np.array([5, 5])).tolist() == [[list(BLUE)] * 2]
    assert colors(np.array([0, 0])).tolist() == [[list(WHITE)] * 2]


def test_zeros_are_white():
    assert colors(np.zeros((2, 2))).tolist() == [[list(WHITE)] * 2] * 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_black_and_spoils_no_scale(bad):
    pixels = tile(np.array([1.0, bad, -1.0]))
    assert pixels.tolist() == [[2 * LEVELS, NOT_FINITE, 0]]
    assert colors(np.array([1.0, bad]))[0, 1].tolist() == list(BLACK)


def test_all_not_finite():
    assert tile(np.full(3, np.nan)).tolist() == [[NOT_FINITE] * 3]


def test_large_arrays_are_averaged_over_blocks():
    array = np.zeros((24, 48))
    array[:2, :2] = 1.0  # exactly one block
    array[2, 2] = 2.0  # a quarter of another, 2 / 4
    pixels = tile(array)
    assert pixels.shape == (HEIGHT, WIDTH)
    assert pixels[0, 0] == 2 * LEVELS
    assert pixels[1, 1] == LEVELS + np.rint(LEVELS / 2)
    assert (np.delete(pixels.ravel(), [0, WIDTH + 1]) == LEVELS).all()


def test_blocks_of_unequal_size_are_means_too():
    assert (tile(np.ones((13, 25))) == 2 * LEVELS).all()
    array = np.zeros(25)
    array[24] = np.nan
    assert (tile(array) == NOT_FINITE).sum() == 1


@pytest.mark.parametrize(
    ("shape", "size"), [((), (1, 1)), ((5,), (1, 5)), ((2, 3, 4), (6, 4)), ((100,), (1, 24)), ((7, 1), (7, 1))]
)
def test_the_last_axis_runs_across(shape, size):
    assert tile(np.ones(shape)).shape == size


def test_an_empty_array_has_no_picture():
    assert tile(np.zeros((0, 3))) is None


def test_a_sheet_holds_all_tiles_one_below_the_other():
    pixels = read(sheet([tile(np.array([1.0, -1.0])), tile(np.array([[0], [1]]))]))
    assert pixels.shape == (2 * HEIGHT, WIDTH, 3)
    assert pixels[0, :2].tolist() == [list(ORANGE), list(BLUE)]
    assert pixels[HEIGHT : HEIGHT + 2, 0].tolist() == [list(WHITE), list(BLUE)]


def test_the_palette_has_all_numbers():
    assert len(palette()) == 3 * (NOT_FINITE + 1)


def test_float16_does_not_overflow():
    assert tile(np.full((24, 48), 60000, np.float16)).max() == 2 * LEVELS
