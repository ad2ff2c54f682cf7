"""The conditional random field against its definition: every tag sequence is listed, and scored by adding up.

The plain sum over all paths stands here; log Z, the best paths, the marginals, and the gradients of each must equal it.
"""

import itertools
import math
import re

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.backend import to_device
from minilm.gradcheck import gradcheck, gradgradcheck
from minilm.nn.crf import Allowed, allowed_transitions

NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
SIZES = [(1, 1), (1, 4), (2, 1), (2, 3), (3, 3), (5, 2), (2, 5), (4, 4)]  # (tags, length)


def score(x, starts, pairs, ends, y):
    """s(y, x) of one tag sequence, as it is defined."""
    if not len(y):
        return 0.0
    emitted = sum(x[k, tag] for k, tag in enumerate(y))
    return starts[y[0]] + emitted + sum(pairs[i, j] for i, j in itertools.pairwise(y)) + ends[y[-1]]


def paths(x, starts, pairs, ends):
    """Every tag sequence and its score: N**L of them."""
    tags = range(x.shape[1])
    return [(list(y), score(x, starts, pairs, ends, y)) for y in itertools.product(tags, repeat=len(x))]


def log_sum(scores):
    top = max(scores)
    return top + math.log(sum(math.exp(s - top) for s in scores)) if top > -math.inf else -math.inf


def make(tags, device="cpu", seed=0, scale=1.0, **options):
    """A layer with random float64 scores, and those as arrays."""
    rng = np.random.default_rng(seed)
    crf = nn.LinearChainCRF(tags, **options).to(device).to("float64")
    for p in crf.parameters():
        nn.init.uniform_(p, -2 * scale, 2 * scale, rng)
    arrays = [p.numpy().copy() for p in (crf.start_transitions, crf.transitions, crf.end_transitions)]
    if crf.allowed is not None:
        arrays = [np.where(may, a, -np.inf) for may, a in zip(crf.allowed, arrays, strict=True)]
    return crf, arrays


def drawn(batch, length, tags, seed=1, scale=2.0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((batch, length, tags)) * scale, rng.integers(0, tags, (batch, length))


def given(x, device="cpu"):
    return ml.Tensor(to_device(np.asarray(x), device), requires_grad=True)


def prefix(lengths, most):
    return np.arange(most) < np.array(lengths)[:, None]


@pytest.mark.parametrize(("tags", "length"), SIZES)
def test_log_partition_and_likelihood_equal_the_sum_over_all_paths(tags, length, device):
    crf, arrays = make(tags, device)
    x, y = drawn(3, length, tags)
    expected = [log_sum([s for _, s in paths(row, *arrays)]) for row in x]
    np.testing.assert_allclose(crf.log_partition(given(x, device)).numpy(), expected, rtol=1e-12)
    likelihood = [score(row, *arrays, tag) - z for row, tag, z in zip(x, y, expected, strict=True)]
    np.testing.assert_allclose(crf.log_likelihood(given(x, device), y).numpy(), likelihood, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("tags", "length"), SIZES)
def test_the_best_paths_equal_those_of_all(tags, length):
    crf, arrays = make(tags)
    x, _ = drawn(3, length, tags)
    assert crf.decode(x) == [max(paths(row, *arrays), key=lambda path: path[1])[0] for row in x]
    for n in (1, 2, 7, 1000):
        for row, found in zip(x, crf.decode_best(x, n), strict=True):
            expected = sorted(paths(row, *arrays), key=lambda path: -path[1])[:n]
            assert [path.tags for path in found] == [y for y, _ in expected]
            np.testing.assert_allclose([path.score for path in found], [s for _, s in expected])


@pytest.mark.parametrize(("tags", "length"), SIZES)
def test_the_marginals_equal_the_sums_over_the_paths_through_a_tag(tags, length, device):
    crf, arrays = make(tags, device)
    x, _ = drawn(2, length, tags)
    found = crf.marginals(given(x, device)).numpy()
    for b, row in enumerate(x):
        every = paths(row, *arrays)
        z = log_sum([s for _, s in every])
        for k, tag in itertools.product(range(length), range(tags)):
            expected = sum(math.exp(s - z) for y, s in every if y[k] == tag)
            np.testing.assert_allclose(found[b, k, tag], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("lengths", [(4, 4), (4, 2), (1, 0), (0, 0)])
def test_the_marginals_are_the_gradient_of_the_log_partition(lengths, device):
    crf, _ = make(3, device)
    x, mask = given(drawn(2, 4, 3)[0], device), prefix(lengths, 4)
    (gradient,) = ml.grad(crf.log_partition(x, mask).sum(), [x])
    marginals = crf.marginals(x, mask).numpy()
    np.testing.assert_allclose(marginals, gradient.numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(marginals.sum(2), mask.astype(float), rtol=1e-12)


@pytest.mark.parametrize(("tags", "length"), SIZES)
def test_gradients_equal_those_of_the_sum_over_all_paths(tags, length, device):
    """By every input: the probability of each path times what it counts of it."""
    crf, arrays = make(tags, device)
    x, y = drawn(1, length, tags)
    crf(given(x, device), y).backward()
    every = paths(x[0], *arrays)
    z = log_sum([s for _, s in every])
    starts, pairs, ends = (np.zeros_like(a) for a in arrays)
    for path, weight in [(path, math.exp(s - z)) for path, s in every] + [(y[0].tolist(), -1.0)]:
        starts[path[0]] += weight
        ends[path[-1]] += weight
        for i, j in itertools.pairwise(path):
            pairs[i, j] += weight
    for p, expected in zip(
        (crf.start_transitions, crf.transitions, crf.end_transitions), (starts, pairs, ends), strict=True
    ):
        np.testing.assert_allclose(p.grad.numpy(), expected, atol=1e-12)


def function_of(crf, method, *more):
    """A method as a function of the emissions and of all scores."""
    names = ["start_transitions", "transitions", "end_transitions"]

    def function(x, *scores):
        for name, value in zip(names, scores, strict=True):
            crf.__dict__[name] = value
        return getattr(crf, method)(x, *more)

    return function, [getattr(crf, name) for name in names]


@pytest.mark.parametrize("lengths", [(3, 3), (3, 1), (0, 2)])
@pytest.mark.parametrize("method", ["log_likelihood", "log_partition", "marginals"])
def test_derivatives_to_second_order(method, lengths, device):
    crf, _ = make(3, device)
    x, y = drawn(2, 3, 3)
    more = (*([y] if method == "log_likelihood" else []), prefix(lengths, 3))
    function, scores = function_of(crf, method, *more)
    gradcheck(function, given(x, device), *scores)
    gradgradcheck(function, given(x, device), *scores, rtol=1e-4, atol=1e-6, directions=1)


@pytest.mark.parametrize("lengths", [(5, 3, 1), (5, 0, 4), (2, 2, 1)])
@pytest.mark.parametrize("behind", [7.0, 1e30, np.inf, np.nan])
def test_a_padded_batch_equals_its_rows_alone(lengths, behind, device):
    """Values and gradients; what stands behind an end, and which tag, is not read."""
    crf, _ = make(3, device)
    x, y = drawn(3, 5, 3)
    mask = prefix(lengths, 5)
    padded = given(np.where(mask[:, :, None], x, behind), device)
    found = crf.log_likelihood(padded, np.where(mask, y, 99), mask)
    found.sum().backward()
    together = [p.grad.numpy().copy() for p in crf.parameters()]
    crf.zero_grad()
    assert np.isfinite(padded.grad.numpy()).all()
    for b, length in enumerate(lengths):
        row = given(x[b, :length], device)
        alone = crf.log_likelihood(row, y[b, :length])
        np.testing.assert_allclose(found.numpy()[b], alone.numpy(), rtol=1e-12)
        alone.backward()
        np.testing.assert_allclose(padded.grad.numpy()[b, :length], row.grad.numpy(), rtol=1e-10, atol=1e-14)
        assert not padded.grad.numpy()[b, length:].any()
        assert crf.decode(padded, mask)[b] == crf.decode(x[b, :length])
        np.testing.assert_allclose(
            crf.marginals(padded, mask).numpy()[b, :length], crf.marginals(row).numpy(), rtol=1e-12
        )
    for p, expected in zip(crf.parameters(), together, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), expected, rtol=1e-10, atol=1e-12)


def test_no_position_at_all(device):
    crf, _ = make(2, device)
    x = given(np.zeros((3, 0, 2)), device)
    assert crf.log_likelihood(x, np.zeros((3, 0), int)).tolist() == [0.0] * 3
    assert crf.decode(x) == [[], [], []]
    assert crf.marginals(x).shape == (3, 0, 2)
    assert float(crf.log_likelihood(x[0], np.zeros(0, int)).detach()) == 0.0
    crf(x, np.zeros((3, 0), int)).backward()
    assert x.grad.shape == x.shape
    assert not any(p.grad.numpy().any() for p in crf.parameters())


def test_reductions_and_an_empty_batch(device):
    x, y = drawn(4, 3, 2)
    losses = make(2, device, reduction="none")[0](given(x, device), y).numpy()
    np.testing.assert_allclose(float(make(2, device)[0](given(x, device), y).detach()), losses.mean())
    np.testing.assert_allclose(float(make(2, device, reduction="sum")[0](given(x, device), y).detach()), losses.sum())
    crf, nothing = make(2, device)[0], given(np.zeros((0, 3, 2)), device)
    assert np.isnan(float(crf(nothing, np.zeros((0, 3), int)).detach()))
    assert crf.decode(nothing) == []


def test_of_equally_good_paths_the_smallest_from_the_end():
    crf, _ = make(3)
    for p in crf.parameters():
        nn.init.constant_(p, 0.0)
    assert crf.decode(np.zeros((1, 3, 3))) == [[0, 0, 0]]
    two = crf.decode_best(np.zeros((1, 2, 3)), 4)[0]
    assert [path.tags for path in two] == [[0, 0], [1, 0], [2, 0], [0, 1]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_huge_scores_neither_overflow_nor_vanish(dtype, device):
    """Far apart as they are, each difference counts: the best path has probability 1, log Z is its score."""
    crf, arrays = make(3, device, scale=1e4)
    crf.to(dtype)
    x, _ = drawn(2, 4, 3, scale=1e4)
    tensor = ml.Tensor(to_device(x.astype(dtype), device), requires_grad=True)
    z = crf.log_partition(tensor)
    assert z.dtype == np.dtype(dtype)
    expected = [max(s for _, s in paths(row, *arrays)) for row in x]
    np.testing.assert_allclose(z.numpy(), expected, rtol=1e-6 if dtype == "float32" else 1e-12)
    z.sum().backward()
    assert tensor.grad.numpy().argmax(2).tolist() == crf.decode(tensor)
    np.testing.assert_allclose(tensor.grad.numpy().sum(2), 1.0, rtol=1e-2 if dtype == "float32" else 1e-6)


def test_float16_is_computed_in_float32(device):
    crf, _ = make(2, device)
    x, y = drawn(2, 300, 2)
    half = given(x.astype(np.float16), device)
    loss = crf.to("float16")(half, y)
    assert loss.dtype == np.float32
    loss.backward()
    assert half.grad.dtype == np.float16
    single = nn.LinearChainCRF(2).to(device)
    single.load_state_dict({name: p.astype("float32") for name, p in crf.state_dict().items()})
    np.testing.assert_allclose(
        float(single(given(x.astype(np.float16), device), y).detach()), float(loss.detach()), rtol=1e-6
    )


def test_nan_stays_nan_where_it_is(device):
    crf, _ = make(2, device)
    x, y = drawn(2, 3, 2)
    x[1, 1, 0] = np.nan
    assert np.isnan(crf.log_likelihood(given(x, device), y).numpy()).tolist() == [False, True]
    with pytest.raises(ValueError, match="an emission of sequence 1 is NaN"):
        crf.decode(given(x, device))


# -- tags that may not follow each other ------------------------------------------------------------------------------


def spans_are_whole(names, scheme):
    """Whether a sequence of names is one of the scheme's: said span by span, not pair by pair."""
    text = " ".join(names) + " "
    kinds = {name.partition("-")[2] for name in names if name != "O"}
    spans = {
        "BIO": "B-{k} (I-{k} )*",
        "BIOES": "(B-{k} (I-{k} )*E-{k} |S-{k} )",
        "BILOU": "(B-{k} (I-{k} )*L-{k} |U-{k} )",
    }
    one = "|".join(["O ", *(spans[scheme].format(k=k) for k in sorted(kinds))])
    return re.fullmatch(f"({one})*", text) is not None


@pytest.mark.parametrize(
    ("scheme", "names"),
    [("BIO", NAMES), ("BIOES", ["O", "B-X", "I-X", "E-X", "S-X", "B-Y", "E-Y"]), ("BILOU", ["U-X", "L-X", "I-X", "B-X", "O"]),
     ("BIO", ["B", "I", "O"])],
)  # fmt: skip
def test_what_is_allowed_is_what_makes_whole_spans(scheme, names):
    allowed = allowed_transitions(names, scheme)
    for length in (1, 2, 3, 4):
        for y in itertools.product(range(len(names)), repeat=length):
            by_pairs = allowed.starts[y[0]] and allowed.ends[y[-1]]
            by_pairs = by_pairs and all(allowed.transitions[i, j] for i, j in itertools.pairwise(y))
            chosen = [names[i] if "-" in names[i] or names[i] == "O" else f"{names[i]}-" for i in y]
            assert bool(by_pairs) == spans_are_whole(chosen, scheme), chosen


@pytest.mark.parametrize("length", [1, 2, 4])
def test_all_probability_is_that_of_allowed_paths(length, device):
    crf, arrays = make(5, device, allowed=allowed_transitions(NAMES))
    x, _ = drawn(3, length, 5)
    x[:, :, [2, 4]] += 30.0  # inner tags, which may not begin, are by far the likeliest
    tensor = given(x, device)
    z = crf.log_partition(tensor)
    np.testing.assert_allclose(z.numpy(), [log_sum([s for _, s in paths(row, *arrays)]) for row in x], rtol=1e-12)
    z.sum().backward()
    marginals = crf.marginals(tensor)
    np.testing.assert_allclose(marginals.numpy(), tensor.grad.numpy(), rtol=1e-9, atol=1e-14)
    assert not tensor.grad.numpy()[:, 0, [2, 4]].any()
    for p, may in zip((crf.start_transitions, crf.transitions, crf.end_transitions), crf.allowed, strict=True):
        assert np.isfinite(p.grad.numpy()).all()
        assert not p.grad.numpy()[~may].any()
    for row, y in zip(x, crf.decode(tensor), strict=True):
        assert spans_are_whole([NAMES[tag] for tag in y], "BIO")
        assert y == max(paths(row, *arrays), key=lambda path: path[1])[0]


def test_derivatives_of_a_constrained_layer(device):
    crf, _ = make(3, device, allowed=allowed_transitions(["O", "B", "I"]))
    x, mask = drawn(2, 3, 3)[0], prefix((3, 2), 3)
    for method, more in (("log_likelihood", (np.array([[0, 1, 2], [1, 1, 0]]), mask)), ("marginals", (mask,))):
        function, scores = function_of(crf, method, *more)
        gradcheck(function, given(x, device), *scores, directions=2)
        gradgradcheck(function, given(x, device), *scores, rtol=1e-4, atol=1e-6, directions=1)


def test_fewer_paths_than_asked_for():
    crf, _ = make(2, allowed=Allowed(np.array([True, False]), np.eye(2, dtype=bool), np.array([True, True])))
    assert [path.tags for path in crf.decode_best(np.zeros((3, 2)), 5)] == [[0, 0, 0]]


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ([2, 0, 0], "begins with tag 2"),
        ([0, 0, 2], "has tag 2 behind tag 0 at position 2"),
        ([1, 4, 0], "tag 4 behind tag 1 at position 1"),
    ],
)
def test_tags_that_are_not_allowed_are_told(tags, told):
    crf, _ = make(5, allowed=allowed_transitions(NAMES))
    with pytest.raises(ValueError, match=f"sequence 1 .*{told}.* not allowed"):
        crf(given(np.zeros((2, 3, 5))), [[0, 0, 0], tags])


def test_the_end_is_checked_where_the_sequence_ends(device):
    crf, _ = make(3, device, allowed=allowed_transitions(["O", "B", "E"], "BIOES"))
    mask = prefix((3, 2), 3)
    crf(given(np.zeros((2, 3, 3)), device), [[0, 1, 2], [1, 2, 1]], mask)
    with pytest.raises(ValueError, match="sequence 1 ends with tag 1"):
        crf(given(np.zeros((2, 3, 3)), device), [[0, 1, 2], [0, 1, 2]], mask)


def test_lengths_without_an_allowed_sequence_are_told():
    nothing = Allowed(np.array([True, False]), np.array([[False, True], [False, False]]), np.array([False, True]))
    crf, _ = make(2, allowed=nothing)
    assert crf.decode(np.zeros((1, 2, 2))) == [[0, 1]]
    for length in (1, 3):
        with pytest.raises(ValueError, match=f"of {length} tags no sequence is allowed"):
            crf.log_partition(np.zeros((1, length, 2)))


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "told"),
    [([[True, False, True]], "sequence 0 is True behind a False"), ([[False, True, True]], "True behind a False"),
     ([[0.5, 1.0, 0.0]], "must hold True and False"), ([[2, 1, 0]], "must hold True and False"), ([[True, True]], r"shape \(1, 3\)"),
     ([True] * 3, r"got bool, \(3,\)")],
)  # fmt: skip
def test_masks_that_are_no_prefix_are_told(mask, told):
    crf, _ = make(2)
    for call in (lambda: crf(np.zeros((1, 3, 2)), [[0, 0, 0]], mask), lambda: crf.decode(np.zeros((1, 3, 2)), mask)):
        with pytest.raises(ValueError, match=told):
            call()


def test_bad_arguments_are_told():
    crf, _ = make(2)
    for error, told, call in (
        (
            ValueError,
            r"LinearChainCRF\(num_tags=2.*shape \(batch, length, 2\)",
            lambda: crf.decode(np.zeros((3, 4, 5))),
        ),
        (TypeError, "emissions must be floats, got int64", lambda: crf.decode(np.zeros((1, 2, 2), np.int64))),
        (ValueError, r"tags must be of shape \(1, 3\)", lambda: crf(np.zeros((1, 3, 2)), [[0, 1]])),
        (ValueError, r"tags must be of shape \(3,\)", lambda: crf(np.zeros((3, 2)), [[0, 1, 1]])),
        (TypeError, "tags must be integers, got float64", lambda: crf(np.zeros((1, 2, 2)), [[0.0, 1.0]])),
        (
            IndexError,
            "tag 2 of sequence 0, position 1, is not one of 0 to 1",
            lambda: crf(np.zeros((1, 2, 2)), [[0, 2]]),
        ),
        (IndexError, "tag -1 of sequence 0", lambda: crf(np.zeros((1, 2, 2)), [[-1, 0]])),
        (ValueError, "n must be at least 1", lambda: crf.decode_best(np.zeros((1, 2, 2)), 0)),
        (ValueError, "num_tags must be at least 1", lambda: nn.LinearChainCRF(0)),
        (ValueError, "LinearChainCRF: reduction must be", lambda: nn.LinearChainCRF(2, reduction="avg")),
        (ValueError, r"allowed must have the shapes \(3,\)", lambda: nn.LinearChainCRF(3, allowed_transitions(["O"]))),
        (ValueError, "scheme must be one of BIO", lambda: allowed_transitions(["O"], "IOB")),
        (ValueError, "'X-PER' is no tag of BIO", lambda: allowed_transitions(["O", "X-PER"])),
        (ValueError, "'E-PER' is no tag of BIO", lambda: allowed_transitions(["O", "E-PER"])),
        (ValueError, "'O' is there 2 times", lambda: allowed_transitions(["O", "O"])),
    ):
        with pytest.raises(error, match=told):
            call()
    x = np.zeros((1, 2, 2))
    x[0, 1] = -np.inf
    with pytest.raises(ValueError, match="every tag sequence of sequence 0 has the score -infinity"):
        crf.decode(x)


def test_it_learns_what_the_emissions_do_not_say():
    """The emissions say nothing of the second tag; that 1 always follows 0 is learned as a transition."""
    crf = nn.LinearChainCRF(3)
    x, y = np.zeros((4, 4, 3), np.float32), np.array([[0, 1, 2, 0], [2, 0, 1, 2], [0, 1, 2, 2], [2, 2, 0, 1]])
    x[:, 0] = 4 * np.eye(3)[y[:, 0]]
    optimizer = ml.optim.Adam(crf.parameters(), lr=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        loss = crf(ml.tensor(x), y)
        loss.backward()
        optimizer.step()
    assert all(tags[k + 1] == 1 for tags in crf.decode(x) for k in range(3) if tags[k] == 0)
