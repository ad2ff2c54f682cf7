"""What is checked on each of several ranks: `mpiexec -n 3 python -m tests.parallel.on_ranks FOLDER`.

Each rank writes a file there, named by its number: a line per check, with the traceback of one that does not hold.
"""

import json
import sys
import traceback

import numpy as np

import minilm as ml
from minilm.parallel import DataParallel, ranks, world
from minilm.parallel.members import Flat, shares
from minilm.parallel.serve import share_backward
from tests.parallel.nets import batch, gradients, net


def sums_are_plain_sums_in_order(w):
    """Random shapes, several types, empty, and fewer numbers than ranks; what was added is left alone."""
    for dtype in ("float16", "float32", "float64", "int32"):
        for size in (0, 1, 2, 5, 1000, 4097):
            parts = [(np.random.default_rng([k, size]).standard_normal(size) * 9).astype(dtype) for k in range(w.count)]
            own = parts[w.number].copy()
            expected = parts[0].copy()
            for part in parts[1:]:
                expected += part
            total = w.sum(own)
            assert total.dtype == dtype
            np.testing.assert_array_equal(total, expected)
            np.testing.assert_array_equal(own, parts[w.number])


def votes_are_unanimous(w):
    assert w.all(True)
    for against in range(w.count):
        assert not w.all(w.number != against)
    assert not w.all(False)


def what_rank_0_has_reaches_all(w):
    for value in (None, {"a": np.arange(5), "b": "c"}, np.arange(5000)):
        found = w.share(value if w.number == 0 else "another")
        np.testing.assert_equal(found, value)
    before, ranks.PIECE = ranks.PIECE, 1000
    try:
        np.testing.assert_equal(w.share(np.arange(5000) if w.number == 0 else None), np.arange(5000))
    finally:
        ranks.PIECE = before


def a_file_that_is_mapped_is_not_sent(w):
    if w.number == 0:
        np.arange(1000, dtype=np.uint16).tofile(sys.argv[1] + "/mapped")
        mapped = np.memmap(sys.argv[1] + "/mapped", np.uint16, "r", 20, (490,))
        assert len(ranks._pickled(mapped)) < 1000
        w.share(mapped)
        w.share(mapped[5:])  # a part of it is
    else:
        found, part = w.share(), w.share()
        assert isinstance(found, np.memmap)
        np.testing.assert_array_equal(found, np.arange(10, 500))
        np.testing.assert_array_equal(part, np.arange(15, 500))


def _whole(rows, p, dtype):
    """The loss, the gradients and the random state after a batch on one process."""
    whole = net(p).to(dtype)
    ml.manual_seed(5)
    loss = whole.loss(*batch(rows)) * 0.5
    loss.backward()
    return loss.item(), gradients(whole), ml.random.get_state()


def gradients_are_those_of_the_whole_batch(w):
    """Also with dropout, where ranks have no row, and with shares that are not equal; in float64 to 1e-12."""
    for dtype, near in (("float64", 1e-12), ("float32", 1e-6)):
        for p in (0.0, 0.5):
            for rows in (1, 2, 3, 7):
                loss, expected, state = _whole(rows, p, dtype)
                parallel = DataParallel(net(p).to(dtype))
                ml.manual_seed(5)
                found = parallel.backward(*batch(rows), scale=0.5)
                assert abs(found.item() - loss) < near
                for name, g in gradients(parallel.model).items():
                    assert (g is None) == (expected[name] is None), name
                    if g is not None:
                        np.testing.assert_allclose(g, expected[name], rtol=0, atol=near, err_msg=name)
                assert ml.random.get_state() == state


def a_rank_may_cut_its_share_for_threads(w):
    """So that one rank per machine uses all of its cores."""
    for rows in (1, 3, 14):
        loss, expected, state = _whole(rows, 0.5, "float64")
        parallel = DataParallel(net(0.5).to("float64"), threads=2)
        assert parallel.members.count == w.count
        ml.manual_seed(5)
        assert abs(parallel.backward(*batch(rows), scale=0.5).item() - loss) < 1e-12
        for name, g in gradients(parallel.model).items():
            assert (g is None) == (expected[name] is None), name
            if g is not None:
                np.testing.assert_allclose(g, expected[name], rtol=0, atol=1e-12, err_msg=name)
        assert ml.random.get_state() == state


def bits_are_those_of_the_shares_added_in_order(w):
    """So they are those of `Processes`, which adds in that order."""
    parallel = DataParallel(net())
    parallel.backward(*batch(7))
    alone, total = net(), None
    for share in shares(batch(7), w.count):
        for p in alone.parameters():
            p.grad = None
        flat = Flat(list(alone.parameters()))
        own = np.empty(flat.size, np.float32)
        flat.write(own, share_backward(alone, "loss", share))
        total = own if total is None else total + own
    _, expected = flat.read(total)
    for p, g in zip(parallel.model.parameters(), expected, strict=True):
        assert (p.grad is None) == (g is None)
        if g is not None:
            np.testing.assert_array_equal(p.grad.numpy(), g.numpy())


def all_begin_with_rank_0s_parameters_and_accumulate(w):
    model = net()
    with ml.no_grad():
        for p in model.parameters():
            p += float(w.number)
    parallel = DataParallel(model)
    whole = net()
    for seed in (0, 1):
        parallel.backward(*batch(6, seed))
        whole.loss(*batch(6, seed)).backward()
    np.testing.assert_array_equal(model.outer.weight.numpy(), whole.outer.weight.numpy())
    for name, g in gradients(model).items():
        if g is not None:
            np.testing.assert_allclose(g, gradients(whole)[name], atol=1e-6)


def arrays_of_a_device_go_through_the_hosts_memory(w):
    """Where not every rank has a GPU of its own with NCCL: here the stand-in for one, and no CuPy."""
    from tests.backend import pretend

    device = pretend.device()
    w._gpus = False
    loss, expected, _ = _whole(5, 0.5, "float32")
    model = net(0.5)
    parallel = DataParallel(model.to(device))
    ml.manual_seed(5)
    model.loss = lambda x, target: net_on_a_device(model, x, target)
    found = parallel.backward(*batch(5), scale=0.5)
    assert found.device.name == device.name
    assert abs(found.item() - loss) < 1e-6
    for name, p in model.named_parameters():
        if expected[name] is not None:
            assert p.grad.device.name == device.name
            np.testing.assert_allclose(p.grad.numpy(), expected[name], atol=1e-6)


def net_on_a_device(model, x, target):
    """`Net.loss`, whose numbers are moved to where the model is."""
    device = model.outer.weight.device
    x = ml.tensor(x).to(device) * model.frozen
    hidden = model.drop(model.tied(model.inner(x).tanh()))
    return ml.nn.functional.cross_entropy(model.outer(hidden), ml.tensor(target).to(device))


CHECKS = [sums_are_plain_sums_in_order, votes_are_unanimous, what_rank_0_has_reaches_all, a_file_that_is_mapped_is_not_sent,
          gradients_are_those_of_the_whole_batch, a_rank_may_cut_its_share_for_threads, bits_are_those_of_the_shares_added_in_order,
          all_begin_with_rank_0s_parameters_and_accumulate, arrays_of_a_device_go_through_the_hosts_memory]  # fmt: skip


def main():
    w = world()
    with w.together(), open(f"{sys.argv[1]}/{w.number}", "w", encoding="utf-8") as told:
        for check in CHECKS:
            text = ""
            try:
                check(w)
            except BaseException:
                text = traceback.format_exc()
                raise
            finally:
                told.write(json.dumps([check.__name__, text]) + "\n")


if __name__ == "__main__":
    main()
