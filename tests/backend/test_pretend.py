"""The stand-in's own promises: what it adds to CuPy's rules (those are compared in test_contract), and its counters."""

import copy
import pickle

import numpy as np
import pytest

import minilm as ml
from minilm.backend import DeviceError, cpu, device_of, get_device, to_device, to_host
from minilm.backend.cuda.accelerator import Accelerator
from minilm.graph import held_once
from tests.backend import pretend
from tests.backend.pretend import PretendError, xp

pytestmark = pytest.mark.host
HOST = np.arange(6, dtype=np.float32)


@pytest.fixture
def x():
    return to_device(HOST, pretend.device())


@pytest.fixture
def index():
    def make(*numbers):
        return to_device(np.array(numbers), pretend.device())

    return make


def test_two_doors(x):
    assert device_of(x) is get_device("pretend") is pretend.device()
    np.testing.assert_array_equal(to_host(x), HOST)
    assert to_device(x, "pretend") is x


def test_it_has_its_own_memory():
    host = HOST.copy()
    x = to_device(host, pretend.device())
    x += 1.0
    to_host(x)[:] = 7.0
    np.testing.assert_array_equal(host, HOST)
    np.testing.assert_array_equal(to_host(x), HOST + 1)


@pytest.mark.parametrize(
    "call", [np.exp, np.sum, np.add.reduce, lambda x: np.concatenate([x, x]), lambda x: np.add(x, x)]
)
def test_numpy_functions_are_detours(x, call):
    with pytest.raises(PretendError, match=r"np\.\w+ was called on a device array; call xp"):
        call(x)
    with pretend.lenient():
        assert isinstance(call(x), pretend.Array)


def test_number_of_the_host_on_the_left(x):
    np.testing.assert_array_equal(to_host(np.float32(2) * x), 2 * HOST)


@pytest.mark.parametrize(
    "upload",
    [
        lambda x: x[np.array([0, 1])],
        lambda x: x[[0, 1]],
        lambda x: x.__setitem__(x.view("int32")[:1], HOST[:1]),
        lambda x: xp.asarray(HOST),
        lambda x: xp.add.at(x, slice(None), HOST),
    ],
)
def test_silent_uploads_are_detours(x, upload):
    with pytest.raises(PretendError, match="to_device"):
        upload(x)
    with pretend.lenient(), pretend.count() as counts:
        upload(x)
    assert counts.uploads == 1


@pytest.mark.parametrize(
    "read",
    [
        lambda x, i: x[i],
        lambda x, i: x.reshape(2, 3)[:, i],
        lambda x, i: x.reshape(2, 3)[..., i],
        lambda x, i: x.reshape(2, 3)[None, ..., i],
        lambda x, i: x.take(i),
        lambda x, i: xp.take_along_axis(x, i, 0),
        lambda x, i: x.__setitem__(i, 0.0),
        lambda x, i: xp.add.at(x, i, 1.0),
    ],
)
@pytest.mark.parametrize("beyond", [6, -7])
def test_index_out_of_range(x, index, read, beyond):
    with pytest.raises(PretendError, match="CuPy wraps round"):
        read(x, index(0, beyond))
    read(x, index(0, -2))


def test_repeated_index(x, index):
    with pytest.raises(PretendError, match=r"use add\.at"):
        x[index(1, 2, 1)] = x[:3]
    with pytest.raises(PretendError, match=r"use add\.at"):
        x[index(1, -5)] = x[:2]
    x[index(1, 2, 1)] = 9.0  # one value: it does not matter which of them remains
    x[index(0, 5)] = x[1:3]
    np.testing.assert_array_equal(to_host(x), [9, 9, 9, 3, 4, 9])
    m = x.reshape(2, 3)
    m[index(0, 1), index(1, 1)] = x[3:5]
    with pytest.raises(PretendError):
        m[index(0, 0), index(1, 1)] = x[3:5]


def test_add_at_adds_repeated_indices(x, index):
    xp.add.at(x, index(0, 0, 3), to_device(np.float32([1, 2, 3]), "pretend"))
    np.testing.assert_array_equal(to_host(x), [3, 1, 2, 6, 4, 5])


def test_number_out_of_range_raises_as_numpy_does(x):
    with pytest.raises(IndexError):
        x[6]


def test_results_without_axes_are_arrays(x):
    for result in (x.sum(), x[0], xp.max(x), x @ x, xp.argmax(x), xp.allclose(x, x)):
        assert isinstance(result, pretend.Array)
        assert result.shape == ()


def test_basic_indexing_gives_views(x):
    for view, values in ((x[0], 10.0), (x[1:3], 20.0), (x.reshape(2, 3)[1, 1:], 30.0)):
        view[...] = values
    np.testing.assert_array_equal(to_host(x), [10, 20, 20, 3, 30, 30])


def test_arithmetic_keeps_dtypes(x):
    assert (x * 2.0).dtype == np.float32
    assert (x + x.astype("float64")).dtype == np.float64
    u = to_device(np.array([1, 2], np.uint32), "pretend")
    assert (u * 0x9E3779B1 >> 16).dtype == np.uint32
    np.testing.assert_array_equal(to_host(u * 0x9E3779B1), np.array([1, 2], np.uint32) * np.uint32(0x9E3779B1))
    with pytest.raises(ValueError, match="Unsupported dtype"):
        x.astype(object)


def test_no_floating_point_warnings(x):
    assert not np.isfinite(to_host(xp.log(x - x))).any()
    assert np.isnan(to_host((x - x) / (x - x))).all()


def test_no_random_numbers():
    with pytest.raises(AttributeError, match="draws on the host"):
        xp.random.normal()


@pytest.mark.parametrize(
    ("work", "launches", "syncs", "uploads"),
    [
        (lambda x: x + x, 1, 0, 0),
        (lambda x: xp.add(x, x, out=x), 1, 0, 0),
        (lambda x: x.reshape(2, 3).T[None, 1:, ::-1], 0, 0, 0),
        (lambda x: x.reshape(2, 3).T.reshape(-1), 1, 0, 0),
        (lambda x: xp.broadcast_to(x, (4, 6)), 0, 0, 0),
        (lambda x: xp.split(x, 2), 0, 0, 0),
        (lambda x: x.sum(), 1, 0, 0),
        (lambda x: x.fill(0.0), 1, 0, 0),
        (lambda x: x.astype("float64"), 1, 0, 0),
        (lambda x: x.astype("float32", copy=False), 0, 0, 0),
        (lambda x: xp.zeros((2, 3)), 1, 0, 0),
        (lambda x: xp.empty((2, 3)), 0, 0, 0),
        (lambda x: xp.empty_like(x), 0, 0, 0),
        (lambda x: pretend.device().matmul(x.reshape(1, 2, 3), x.reshape(3, 2)), 1, 0, 0),
        (lambda x: pretend.device().softmax(x.reshape(2, 3), 1), 1, 0, 0),
        (lambda x: pretend.device().softmax(x.reshape(2, 3), 1).sum(), 2, 0, 0),
        (lambda x: xp.einsum("i,i->", x, x), 1, 0, 0),
        (lambda x: x.__setitem__(slice(2), 0.0), 1, 0, 0),
        (lambda x: x.copy(), 1, 0, 0),
        (lambda x: (x.shape, xp.ndim(x), xp.result_type(x)), 0, 0, 0),
        (lambda x: float(x[1]), 0, 1, 0),
        (lambda x: x[1].item(), 0, 1, 0),
        (lambda x: "yes" if x[1] > 0 else "no", 1, 1, 0),
        (lambda x: f"{x[1]:.1f}", 0, 1, 0),
        (lambda x: x.tolist(), 0, 1, 0),
        (lambda x: x[x > 1], 2, 1, 0),
        (lambda x: xp.nonzero(x), 1, 1, 0),
        (lambda x: pretend.device().synchronize(), 0, 1, 0),
        (lambda x: to_device(HOST, "pretend"), 0, 0, 1),
        (lambda x: xp.asarray([1.0, 2.0]), 0, 0, 1),
    ],
)
def test_counts(x, work, launches, syncs, uploads):
    with pretend.count() as counts:
        work(x)
    assert counts == pretend.Counts(launches, syncs, uploads)


def test_what_the_cuda_device_has_a_kernel_for_counts_as_that(monkeypatch):
    """However many launches the reference takes, and however it nests; where it waits or uploads, that counts."""

    def reference(self, x, *parameters):
        return float((self.softmax(x, 0) + x + xp.asarray([1.0, 1.0, 1.0])).sum())

    monkeypatch.setattr(Accelerator, "layer_norm", reference)
    fused = pretend._fused("layer_norm")
    with pretend.count() as counts:
        fused(pretend.device(), xp.zeros(3), None, None, 1e-5)
    assert counts == pretend.Counts(launches=1 + 1, syncs=1, uploads=1)  # xp.zeros, and the kernel


def test_what_a_kernel_does_not_take_is_done_once():
    """In place: done by the override and again, it would be done twice."""
    scores = to_device(np.float16([[1.0, 2.0]]), "pretend")
    p, _ = pretend.device().masked_softmax(scores, None, False, 2.0)
    np.testing.assert_allclose(to_host(p), np.exp([[2.0, 4.0]]) / np.exp([2.0, 4.0]).sum(), rtol=1e-2)


def test_kernels_are_given_arrays_as_they_read_them():
    x = xp.zeros((3, 2)).T
    with pytest.raises(PretendError, match="kernel gelu reads its arrays as if they were C-contiguous"):
        pretend.device()._launch("gelu", x.dtype, (1,), (256, 1), x, x, 6)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[1:],
        lambda x: x[0],
        lambda x: x[None],
        lambda x: x.reshape(2, 3),
        lambda x: x.reshape(2, 3).T,
        lambda x: x.reshape(2, 3).swapaxes(0, 1)[1:],
        lambda x: xp.broadcast_to(x, (2, 6)),
        lambda x: xp.split(x, 2)[1],
        lambda x: x.astype("float32", copy=False),
    ],
)
def test_a_view_holds_on_to_the_array_that_it_shows(x, view):
    items = [x.copy()]
    assert held_once(items, 0)
    shown = view(items[0])
    assert shown.base is items[0]
    assert not held_once(items, 0)
    assert not held_once([shown], 0)
    del shown
    assert held_once(items, 0)
    copied = items[0].reshape(2, 3).T.reshape(-1)
    assert copied.base is None
    assert held_once(items, 0)


def test_copies(x):
    for other in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert isinstance(other, pretend.Array)
        other.fill(0.0)
    np.testing.assert_array_equal(to_host(x), HOST)


def test_tensor_on_both_sides_of_an_operator(x):
    t = ml.Tensor(x, requires_grad=True)
    for y in (x + t, t + x, x * t, t < x):
        assert isinstance(y, ml.Tensor)
        assert y.device is pretend.device()


def test_mixing_devices_names_both():
    a, b = ml.ones(2), ml.ones(2, device="pretend")
    for mix in (lambda: a + b, lambda: b * a, lambda: ml.ops.REGISTRY["add"](a.data, b.data), lambda: a < b):
        with pytest.raises(DeviceError, match=r"(?s)cpu.*pretend|pretend.*cpu"):
            mix()
    with pytest.raises(DeviceError, match=r"pretend.*cpu|cpu.*pretend"), ml.no_grad():
        a += b


def test_moving_there_and_back(x):
    t = ml.ones(3, requires_grad=True)
    moved = t.to("pretend")
    assert moved.device is pretend.device()
    (moved * 2.0).backward(ml.ones(3, device="pretend"))
    assert t.grad.device is cpu
    np.testing.assert_array_equal(t.grad.numpy(), [2.0, 2.0, 2.0])
    assert "device='pretend'" in repr(moved)
