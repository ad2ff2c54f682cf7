"""The copy head: equation 9 in probabilities, its logarithms where probabilities vanish, gradients, padding, and words never seen."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.gradcheck import gradcheck, gradgradcheck
from minilm.models import Seq2Seq, Seq2SeqConfig
from minilm.models.pointer import CopyHead, Copying, Neighbors, SelectiveRead, ids_with_unknown, probabilities_naive
from tests.models.test_seq2seq import padded, trained

IDS = np.array([[2, 5, 2, 6, 5], [1, 3, 7, 9, 9]])  # of a vocabulary of 5: 5, 6, 7 are unknown words
MASK = np.array([[True] * 5, [True] * 3 + [False] * 2])
TARGETS = np.array([[5, 2, 0], [7, 4, 3]])
SIZE = 8


def draw(*shape, seed=0):
    return ml.Tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


def copying(z, scores, mask=MASK, ids=IDS):
    """From the gate's logit (B, T, 1) and the scores (B, T, S)."""
    closed = ml.Tensor(np.where(mask, 0.0, -np.inf)[:, None])
    attention = ml.log_softmax(scores + closed, axis=-1)
    sigmoid = nn.LogSigmoid()
    return Copying(sigmoid(z), sigmoid(-z), attention, ml.Tensor(ids), ml.Tensor(mask))


def test_all_probabilities_are_equation_9_as_printed_and_sum_to_1():
    z, scores, logits = draw(2, 3, 1), draw(2, 3, 5, seed=1), draw(2, 3, 5, seed=2)
    c = copying(z, scores)
    got = ml.exp(c.of_all(SIZE, ml.log_softmax(logits, axis=-1))).numpy()
    want = probabilities_naive(ml.softmax(logits, axis=-1), z.sigmoid(), ml.exp(c.attention), np.minimum(IDS, 7), SIZE)
    np.testing.assert_allclose(got, want.numpy(), rtol=1e-12)
    np.testing.assert_allclose(got.sum(-1), 1.0, rtol=1e-12)


def test_equation_9_by_a_plain_loop():
    vocab, gate, attention = (
        np.random.default_rng(i).random(s) for i, s in enumerate([(2, 3, 5), (2, 3, 1), (2, 3, 5)])
    )
    ids = np.minimum(IDS, 7)
    got = probabilities_naive(*(ml.Tensor(x) for x in (vocab, gate, attention)), ids, SIZE).numpy()
    for b, t in np.ndindex(2, 3):
        want = np.zeros(SIZE)
        want[:5] = gate[b, t] * vocab[b, t]
        for s in range(5):
            want[ids[b, s]] += (1 - gate[b, t, 0]) * attention[b, t, s]
        np.testing.assert_allclose(got[b, t], want, rtol=1e-12)


def test_one_token_has_the_probability_that_it_has_among_all():
    z, scores, logits = draw(2, 3, 1), draw(2, 3, 5, seed=1), draw(2, 3, 5, seed=2)
    c, log_vocab = copying(z, scores), ml.log_softmax(logits, axis=-1)
    every = c.of_all(SIZE, log_vocab).numpy()
    for token in range(SIZE):
        np.testing.assert_allclose(
            c.of(ml.Tensor(np.full((2, 3), token)), log_vocab).numpy(), every[..., token], rtol=1e-12
        )


def test_a_word_that_neither_part_has_is_impossible():
    c = copying(draw(2, 3, 1), draw(2, 3, 5, seed=1))
    every = c.of_all(SIZE, ml.log_softmax(draw(2, 3, 5, seed=2), axis=-1)).numpy()
    assert (every[0, :, 7] == -np.inf).all()
    assert (every[1, :, 5:7] == -np.inf).all()
    assert np.isfinite(every[0, :, :7]).all()


def test_gradients_to_second_order():
    z, scores, logits = draw(2, 3, 1), draw(2, 3, 5, seed=1), draw(2, 3, 5, seed=2)
    some = np.array([[True] * 7 + [False], [True] * 5 + [False] * 2 + [True]])  # the others are -inf

    def one(z, scores, logits):
        return copying(z, scores).of(ml.Tensor(TARGETS), ml.log_softmax(logits, axis=-1))

    def every(z, scores, logits):
        out = copying(z, scores).of_all(SIZE, ml.log_softmax(logits, axis=-1))
        return ml.where(ml.Tensor(some[:, None]), out, 0.0)

    for f in (one, every):
        gradcheck(f, z, scores, logits, directions=3)
        gradgradcheck(f, z, scores, logits, directions=1)


def test_gradients_of_the_head_to_second_order():
    head, mask = CopyHead(4).to("float64"), np.array([[True, True, False], [False, False, False]])
    states, inputs, source = draw(2, 2, 4), draw(2, 2, 4, seed=1), draw(2, 3, 4, seed=2)

    def f(states, inputs, source, *_):
        c = head(states, inputs, source, ml.Tensor(mask), ml.Tensor(np.array([[1, 6, 0], [0, 0, 0]])))
        return c.of(
            ml.Tensor(np.array([[6, 2], [1, 1]])),
            ml.log_softmax(source[:, :2] @ ml.Tensor(np.ones((4, 5))) + states.sum(), axis=-1),
        )

    gradcheck(f, states, inputs, source, *head.parameters(), directions=2)
    gradgradcheck(f, states, inputs, source, *head.parameters(), directions=1)


def test_selective_read_is_the_mean_of_the_states_where_the_token_stands():
    read, states = SelectiveRead(4).to("float64"), draw(2, 5, 4)
    inputs = np.array([[5, 2, 0], [9, 1, 3]])  # 9 stands in the padding only
    found = read(Neighbors.of(ml.Tensor(inputs), states, ml.Tensor(MASK), ml.Tensor(IDS)), states).numpy()
    for row, tokens in enumerate(inputs):
        for place, token in enumerate(tokens):
            here = [s for s in range(5) if IDS[row, s] == token and MASK[row, s]]
            behind = [s + 1 for s in here if s + 1 < 5 and MASK[row, s + 1]]
            means = [states.numpy()[row, p].mean(axis=0) if p else np.zeros(4) for p in (here, behind)]
            expected = read.project.weight.numpy() @ np.concatenate(means)
            np.testing.assert_allclose(found[row, place], expected, atol=1e-12)
    assert not found[1, 0].any()
    assert not found[0, 2].any()


def test_gradients_of_selective_read_to_second_order():
    read, states = SelectiveRead(3).to("float64"), draw(2, 5, 3)

    def f(states, weight):
        return read(Neighbors.of(ml.Tensor(TARGETS), states, ml.Tensor(MASK), ml.Tensor(IDS)), states).tanh()

    gradcheck(f, states, read.project.weight, directions=2)
    gradgradcheck(f, states, read.project.weight, directions=1)


def test_a_head_that_goes_on_prefers_what_stands_behind():
    ml.manual_seed(0)
    head = CopyHead(4, goes_on=True).to("float64")
    states, inputs, source = draw(2, 3, 4), draw(2, 3, 4, seed=1), draw(2, 5, 4, seed=2)
    ids, mask = ml.Tensor(IDS), ml.Tensor(MASK)
    behind = Neighbors.of(ml.Tensor(TARGETS), source, mask, ids).behind

    def f(states, source, weight):
        return head(states, inputs, source, mask, ids, behind).of(
            ml.Tensor(TARGETS[:, ::-1].copy()), ml.log_softmax(source[:, :3, :] @ ml.Tensor(np.ones((4, 9))))
        )

    gradcheck(f, states, source, head.behind, directions=2)
    gradgradcheck(f, states, source, head.behind, directions=1)
    before = head(states, inputs, source, mask, ids, behind).attention.numpy()
    with ml.no_grad():
        head.behind.copy_(ml.Tensor(np.array(30.0)))
    after = np.exp(head(states, inputs, source, mask, ids, behind).attention.numpy())
    there = behind.numpy() > 0
    np.testing.assert_allclose(after[there.any(-1)].sum(-1), 1.0)
    assert (after[there.any(-1)][~there[there.any(-1)]] < 1e-9).all()
    np.testing.assert_allclose(after[~there.any(-1)], np.exp(before[~there.any(-1)]))


def test_the_head_is_equation_8():
    head = CopyHead(4).to("float64")
    states, inputs, source = draw(1, 2, 4), draw(1, 2, 4, seed=1), draw(1, 3, 4, seed=2)
    c = head(states, inputs, source, ml.Tensor(np.array([[True, True, False]])), ml.Tensor(np.array([[1, 2, 0]])))
    w = {name: p.numpy() for name, p in head.named_parameters()}
    for t in range(2):
        g, e, h = states.numpy()[0, t], inputs.numpy()[0, t], source.numpy()[0]
        scores = (w["query.weight"] @ g) @ (w["key.weight"] @ h[:2].T) / 2.0
        a = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose(np.exp(c.attention.numpy()[0, t]), [*a, 0.0], rtol=1e-12)
        z = w["gate.weight"][0] @ [*(a @ h[:2]), *g, *e] + w["gate.bias"][0]
        np.testing.assert_allclose(np.exp(c.generate.numpy()[0, t]), 1 / (1 + np.exp(-z)), rtol=1e-12)
        np.testing.assert_allclose(np.exp(c.copy.numpy()[0, t]), 1 / (1 + np.exp(z)), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_probabilities_too_small_for_a_float_still_have_logarithms_and_gradients(dtype):
    """p_gen or the attention below e^-1000: the product of probabilities would be 0, and its logarithm infinite."""
    for gate, target, want in [(-2000.0, 4, -2000.0), (2000.0, 5, -2000.0), (0.0, 6, -5000.0), (2000.0, 6, -7000.0)]:
        z = ml.Tensor(np.full((1, 1, 1), gate, dtype), requires_grad=True)
        scores = ml.Tensor(np.array([[[0.0, 0.0, 0.0, -5000.0, 0.0]]], dtype), requires_grad=True)
        logits = ml.Tensor(np.zeros((1, 1, 5), dtype), requires_grad=True)
        c, log_vocab = copying(z, scores.astype(dtype), MASK[:1], IDS[:1]), ml.log_softmax(logits, axis=-1)
        c = Copying(*(x.astype(dtype) for x in c[:3]), *c[3:])
        got = c.of(ml.Tensor(np.array([[target]])), log_vocab)
        assert got.dtype == dtype
        assert got.item() == pytest.approx(want, abs=3.0)
        assert c.of_all(7, log_vocab).numpy()[0, 0, target] == pytest.approx(got.item(), rel=1e-6)
        got.backward()
        assert all(np.isfinite(x.grad.numpy()).all() for x in (z, scores, logits))
        assert abs(z.grad.item()) == pytest.approx(0.5 if gate == 0.0 else 1.0)


def test_padding_is_never_copied_and_a_source_of_padding_gives_nothing():
    head, source = CopyHead(4).to("float64"), draw(2, 3, 4)
    mask = ml.Tensor(np.array([[True, False, False], [False, False, False]]))
    c = head(draw(2, 2, 4, seed=1), draw(2, 2, 4, seed=2), source, mask, ml.Tensor(np.array([[3, 3, 2], [3, 2, 2]])))
    log_vocab = ml.log_softmax(draw(2, 2, 5, seed=3), axis=-1)
    p = ml.exp(c.of_all(5, log_vocab)).numpy()
    np.testing.assert_allclose(p.sum(-1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(p[1], np.exp(log_vocab.numpy()[1]), rtol=1e-12)
    gate = np.exp(c.generate.numpy()[0])
    np.testing.assert_allclose(p[0, :, 2], (gate * np.exp(log_vocab.numpy()[0]))[:, 2], rtol=1e-12)
    np.testing.assert_allclose(p[0, :, 3], (gate * np.exp(log_vocab.numpy()[0]) + 1 - gate)[:, 3], rtol=1e-12)


def test_unknown_words_get_numbers_of_their_own():
    vocabulary = {"the": 3, "cat": 4}
    source, unknown = ids_with_unknown(["the", "zorb", "saw", "zorb", "cat"], vocabulary, 5, 2)
    assert (source, unknown) == ([3, 5, 6, 5, 4], ["zorb", "saw"])
    assert ids_with_unknown(["saw", "dog", "the"], vocabulary, 5, 2, unknown) == ([6, 2, 3], unknown)
    assert ids_with_unknown([], vocabulary, 5, 2) == ([], [])


@pytest.mark.slow
def test_learns_to_copy_words_that_were_never_in_the_vocabulary():
    """The task: write the source backwards. Half of its words are unknown; without a copy head they cannot be written at all."""
    ml.random.manual_seed(0)
    letters, vocab_size = "abcdefghij", 13
    vocabulary = {letter: 3 + i for i, letter in enumerate(letters)}

    def examples(rng, names, n=64):
        every = []
        for _ in range(n):
            words = [str(rng.choice(names if rng.random() < 0.5 else list(letters))) for _ in range(rng.integers(1, 5))]
            source, unknown = ids_with_unknown(words, vocabulary, vocab_size, 2)
            target, _ = ids_with_unknown(words[::-1], vocabulary, vocab_size, 2, unknown)
            every.append(([*source, 1], [*target, 1]))
        return zip(*every, strict=True)

    seen = [f"name-{i}" for i in range(50)]
    never_seen = [f"stranger-{i}" for i in range(50)]
    config = Seq2SeqConfig(
        vocab_size, d_model=32, d_kv=16, d_ff=64, num_layers=1, num_heads=2, dropout_rate=0.0, copy_head=True
    )
    model = trained(Seq2Seq(config), lambda rng: map(padded, examples(rng, seen)), 350, 1e-2)
    sources, targets = examples(np.random.default_rng(10**6), never_seen, 200)
    assert sum(id >= vocab_size for target in targets for id in target) > 150
    for how in ({}, {"width": 3}):
        written = model.generate(sources, 8, **how)
        right = np.mean([new == target for new, target in zip(written, targets, strict=True)])
        print(f"copied right: {right:.1%} {how}")
        assert right >= 0.95
