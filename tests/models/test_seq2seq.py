"""Seq2Seq: its formula, gradients of every layer and the whole, padding, the cache against the full pass, what it writes, and learning."""

import itertools
import math

import numpy as np
import pytest

import minilm as ml
from minilm.gradcheck import gradcheck, gradgradcheck
from minilm.models import Rules, Seq2Seq, Seq2SeqConfig, beam_search, exhaustive_search
from minilm.models.seq2seq import (
    Attention,
    Conditioned,
    Decoder,
    DecoderBlock,
    DecoderCache,
    Encoded,
    Encoder,
    EncoderBlock,
    GatedGELU,
    RelativePositions,
    relative_buckets,
)
from minilm.optim import AdamW, clip_grad_norm_

SHAPE = {"vocab_size": 7, "d_model": 6, "d_kv": 2, "d_ff": 5, "num_layers": 2, "num_decoder_layers": 1, "num_heads": 3,
         "relative_attention_num_buckets": 6, "relative_attention_max_distance": 8, "dropout_rate": 0.0}  # fmt: skip
VARIANTS = [
    {},
    {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    {"copy_head": True},
    {"copy_head": True, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "selective_read": True},
]
BOTH = [VARIANTS[0], VARIANTS[3], *(pytest.param(v, marks=pytest.mark.slow) for v in VARIANTS[1:3])]
SOURCE = np.array([[3, 4, 6, 3, 1], [5, 2, 1, 0, 0], [1, 0, 0, 0, 0]])
TARGETS = np.array([[6, 4, 3, 1], [2, 1, 0, 0], [5, 5, 1, 0]])
UNKNOWN_SOURCE = np.array([[3, 7, 8, 7, 1], [7, 2, 1, 0, 0], [1, 0, 0, 0, 0]])
UNKNOWN_TARGETS = np.array([[8, 4, 7, 1], [7, 1, 0, 0], [5, 5, 1, 0]])


def config(**options):
    return Seq2SeqConfig(**{**SHAPE, **options})


def small(device=None, **options):
    ml.random.manual_seed(0)
    model = Seq2Seq(config(**options))
    return model if device is None else model.to(device)


def random_weights(module, spread=0.5):
    """In float64, all of one size, so that no gradient is lost in the small ones."""
    module.to("float64")
    rng = np.random.default_rng(0)
    for name, p in module.named_parameters():
        with ml.no_grad():
            p.copy_(ml.Tensor(rng.standard_normal(p.shape) * spread + (1.0 if ".ln_" in f".{name}" else 0.0)))
    return module


def data(options):
    return (UNKNOWN_SOURCE, UNKNOWN_TARGETS) if options.get("copy_head") else (SOURCE, TARGETS)


def draw(*shape, seed=0):
    return ml.Tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


# -- distances --------------------------------------------------------------------------------------------------------


def bucket_by_hand(distance, bidirectional, num_buckets, max_distance):
    """The paper's rule for one distance: half of the classes are exact, the others logarithmic up to the largest distance."""
    first = 0
    if bidirectional:
        num_buckets //= 2
        first = num_buckets if distance > 0 else 0
        distance = abs(distance)
    else:
        distance = -distance if distance < 0 else 0
    exact = num_buckets // 2
    if distance < exact:
        return first + distance
    share = math.log(distance / exact) / math.log(max_distance / exact)
    return first + min(exact + int(share * (num_buckets - exact) + 1e-9), num_buckets - 1)


@pytest.mark.parametrize(
    ("num_buckets", "max_distance"), [(32, 128), (32, 300), (8, 20), (16, 64), (4, 10), (64, 129), (5, 9), (6, 7)]
)
@pytest.mark.parametrize("bidirectional", [True, False])
def test_buckets_are_those_of_a_plain_loop(num_buckets, max_distance, bidirectional):
    distances = np.arange(-400, 401)
    got = relative_buckets(distances, bidirectional, num_buckets, max_distance)
    assert got.tolist() == [bucket_by_hand(d, bidirectional, num_buckets, max_distance) for d in distances.tolist()]
    assert set(got.tolist()) <= set(range(num_buckets))


def test_the_buckets_that_t5_was_trained_with():
    """Distances -1, 0, 1: the same in the encoder's two halves, and later keys count as 0 in the decoder."""
    assert relative_buckets(np.array([-1, 0, 1, 8, -8, 127, 128, 9999, -9999]), True, 32, 128).tolist() == [
        1, 0, 17, 24, 8, 31, 31, 31, 15,
    ]  # fmt: skip
    assert relative_buckets(np.array([-1, 0, 1, -15, -16, -127, -128, 5]), False, 32, 128).tolist() == [
        1, 0, 0, 15, 16, 31, 31, 0,
    ]  # fmt: skip


def test_the_bias_is_the_number_of_the_distance():
    for bidirectional, queries, keys in [(True, 5, 5), (False, 4, 4), (False, 1, 9), (False, 3, 7)]:
        positions = random_weights(RelativePositions(config(), bidirectional))
        table, bias = positions.embedding.weight.numpy(), positions(queries, keys).numpy()
        assert bias.shape == (1, 3, queries, keys)
        for head, t, s in itertools.product(range(3), range(queries), range(keys)):
            bucket = bucket_by_hand(s - (keys - queries + t), bidirectional, 6, 8)
            assert bias[0, head, t, s] == table[bucket, head]


# -- gradients --------------------------------------------------------------------------------------------------------

MASK = np.array([[True, True, True, False], [True, True, True, True]])


LAYERS = [
    "positions",
    "self-attention",
    "cross-attention",
    "gated GELU",
    "encoder block",
    "decoder block",
    "encoder",
    "decoder",
]


def layers():
    x, memory, wide = draw(2, 3, 6), draw(2, 4, 6, seed=1), draw(2, 4, 6, seed=2)
    mask, bias = ml.Tensor(MASK), draw(1, 3, 3, 3, seed=3)
    attention, block, gated = Attention(config()), DecoderBlock(config()), GatedGELU(config())
    encoder_block, encoder, decoder = EncoderBlock(config()), Encoder(config()), Decoder(config())
    positions = RelativePositions(config(), True)
    full = draw(2, 3, 4, 4, seed=4)
    return {
        "positions": (positions, lambda: positions(3, 5)),
        "self-attention": (attention, lambda x, b: attention(x, attention.keys_values(x), b, causal=True), x, bias),
        "cross-attention": (attention, lambda x, m: attention(x, attention.keys_values(m), mask.reshape(2, 1, 1, 4)), x, memory),
        "gated GELU": (gated, gated, x),
        "encoder block": (encoder_block, encoder_block, wide, full),
        "decoder block": (
            block,
            lambda x, b, m: block(x, b, block.cross.keys_values(m), mask.reshape(2, 1, 1, 4)), x, bias, memory,
        ),
        "encoder": (encoder, lambda x: encoder(x, mask), wide),
        "decoder": (decoder, lambda x, m: decoder(x, Encoded(m, mask, None)), x, memory),
    }  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_every_layer(name):
    module, f, *inputs = layers()[name]
    arguments, n = (*inputs, *random_weights(module).parameters()), len(inputs)
    gradcheck(lambda *xs: f(*xs[:n]), *arguments, directions=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_every_layer_to_second_order(name):
    module, f, *inputs = layers()[name]
    arguments, n = (*inputs, *random_weights(module).parameters()), len(inputs)
    gradcheck(lambda *xs: f(*xs[:n]), *arguments)
    gradgradcheck(lambda *xs: f(*xs[:n]), *arguments, directions=2, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "options", [*VARIANTS[2:3], *(pytest.param(v, marks=pytest.mark.slow) for v in VARIANTS)], ids=str
)
def test_gradient_of_every_parameter(options):
    model = random_weights(small(**options, num_layers=1))
    source, targets = data(options)
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradcheck(lambda *_: model.loss(source, targets, label_smoothing=0.1), *parameters, directions=1)
    model.loss(source, targets).backward()
    for name, p in zip(names, parameters, strict=True):
        assert np.abs(p.grad.numpy()).max() > 0, name


@pytest.mark.slow
@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_second_derivative_of_the_whole_model(options):
    model = random_weights(small(**options, num_layers=1))
    source, targets = data(options)
    gradgradcheck(lambda *_: model.loss(source, targets), *model.parameters(), directions=1, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_gradient_with_dropout_on():
    model = random_weights(small(dropout_rate=0.3))

    def loss(*_):
        ml.random.manual_seed(3)
        return model.loss(SOURCE, TARGETS)

    gradcheck(loss, *model.parameters(), directions=1)


# -- the formula ------------------------------------------------------------------------------------------------------


def by_hand(model, source, inputs):
    """The equations of the file's docstring for one source without padding, head by head, key by key."""
    w, c = {name: p.numpy() for name, p in model.named_parameters()}, model.config

    def norm(x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + c.layer_norm_epsilon) * w[f"{name}.weight"]

    def attention(x, memory, name, bias):
        q, k, v = x @ w[f"{name}.q.weight"].T, memory @ w[f"{name}.k.weight"].T, memory @ w[f"{name}.v.weight"].T
        heads = []
        for h in range(c.num_heads):
            part = slice(h * c.d_kv, (h + 1) * c.d_kv)
            y = np.zeros((len(x), c.d_kv))
            for t in range(len(x)):
                seen = [s for s in range(len(memory)) if bias(t, s, h) > -np.inf]
                p = np.exp([q[t, part] @ k[s, part] + bias(t, s, h) for s in seen])
                y[t] = sum(p[i] / p.sum() * v[s, part] for i, s in enumerate(seen))
            heads.append(y)
        return np.concatenate(heads, -1) @ w[f"{name}.o.weight"].T

    def feed_forward(x, name):
        if c.feed_forward_proj == "relu":
            return np.maximum(x @ w[f"{name}.up.weight"].T, 0) @ w[f"{name}.down.weight"].T
        z = x @ w[f"{name}.gate.weight"].T
        gelu = 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))
        return (gelu * (x @ w[f"{name}.up.weight"].T)) @ w[f"{name}.down.weight"].T

    def position(half, bidirectional):
        table = w[f"{half}.positions.embedding.weight"]

        def bias(t, s, h):
            if s > t and not bidirectional:
                return -np.inf
            buckets = c.relative_attention_num_buckets, c.relative_attention_max_distance
            return table[bucket_by_hand(s - t, bidirectional, *buckets), h]

        return bias

    h = w["shared.weight"][source]
    for name in (f"encoder.blocks.{i}" for i in range(c.num_layers)):
        n = norm(h, f"{name}.ln_1")
        h = h + attention(n, n, f"{name}.attn", position("encoder", True))
        h = h + feed_forward(norm(h, f"{name}.ln_2"), f"{name}.mlp")
    h, g = norm(h, "encoder.ln_f"), w["shared.weight"][inputs]
    for name in (f"decoder.blocks.{i}" for i in range(c.num_decoder_layers)):
        n = norm(g, f"{name}.ln_1")
        g = g + attention(n, n, f"{name}.attn", position("decoder", False))
        g = g + attention(norm(g, f"{name}.ln_2"), h, f"{name}.cross", lambda t, s, h: 0.0)
        g = g + feed_forward(norm(g, f"{name}.ln_3"), f"{name}.mlp")
    g = norm(g, "decoder.ln_f")
    return g @ w["shared.weight"].T / np.sqrt(c.d_model) if c.tie_word_embeddings else g @ w["lm_head.weight"].T


@pytest.mark.parametrize("options", VARIANTS[:2], ids=str)
def test_it_is_the_formula(options):
    model = random_weights(small(**options, num_decoder_layers=2))
    want = by_hand(model, SOURCE[0], [0, 6, 4, 3, 2, 2])
    np.testing.assert_allclose(model(SOURCE[:1], [[0, 6, 4, 3, 2, 2]]).numpy()[0], want, rtol=1e-9, atol=1e-11)
    lengths = [1, 0, 0]
    for row, n in zip(SOURCE[1:], (3, 1), strict=True):
        got = model(row[None], [lengths]).numpy()[0]
        np.testing.assert_allclose(got, by_hand(model, row[:n], lengths), rtol=1e-9, atol=1e-11)


def test_targets_are_shifted_right():
    assert small().shift_right(TARGETS).numpy().tolist() == [[0, 6, 4, 3], [0, 2, 1, 0], [0, 5, 5, 1]]
    assert small(decoder_start_token_id=4).shift_right([[6, 1]]).numpy().tolist() == [[4, 6]]


@pytest.mark.parametrize("options", VARIANTS, ids=str)
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_loss_is_the_mean_over_what_is_no_padding(options, smoothing):
    model = random_weights(small(**options))
    source, targets = data(options)
    inputs = [[0, *row[:-1]] for row in targets.tolist()]
    log_p = ml.log_softmax(model(source, np.array(inputs)), axis=-1).numpy()
    losses = [
        -(1 - smoothing) * log_p[b, t, targets[b, t]] - smoothing * log_p[b, t, :7].mean()
        for b, t in itertools.product(range(3), range(4))
        if targets[b, t] != 0
    ]
    assert model.loss(source, targets, label_smoothing=smoothing).item() == pytest.approx(np.mean(losses), rel=1e-12)


def test_no_position_sees_a_later_one():
    model = random_weights(small(num_decoder_layers=2))
    inputs = np.array([[0, 6, 4, 3, 2], [0, 2, 1, 5, 5], [0, 5, 5, 1, 1]])
    changed = inputs.copy()
    changed[:, 3] = (changed[:, 3] + 1) % 7
    a, b = model(SOURCE, inputs).numpy(), model(SOURCE, changed).numpy()
    np.testing.assert_array_equal(a[:, :3], b[:, :3])
    assert (a[:, 3:] != b[:, 3:]).any(-1).all()


def test_every_position_of_the_source_is_seen():
    model = random_weights(small())
    inputs, before = np.array([[0, 6]]), model(SOURCE[:1], [[0, 6]]).numpy()
    for s in range(5):
        changed = SOURCE[:1].copy()
        changed[0, s] = 2
        assert (model(changed, inputs).numpy() != before).any(-1).all()


# -- padding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", BOTH, ids=str)
@pytest.mark.parametrize("side", ["right", "left"])
def test_a_padded_batch_is_its_rows_alone(options, side):
    """Outputs, losses and gradients. T5 knows distances only, so that sources may be padded on either side."""
    model = random_weights(small(**options))
    source, targets = data(options)
    padded = source if side == "right" else np.array([np.roll(row, (row == 0).sum()) for row in source])
    total, out = model.loss(padded, targets), model(padded, model.shift_right(targets)).numpy()
    total.backward()
    together = {name: p.grad.numpy().copy() for name, p in model.named_parameters()}
    counts = (targets != 0).sum(axis=1)
    model.zero_grad()
    alone = 0.0
    for row, target, n, logits in zip(source, targets, counts, out, strict=True):
        a, b = row[row != 0][None], target[:n][None]
        got = model(a, model.shift_right(b)).numpy()[0]
        np.testing.assert_allclose(logits[:n, : got.shape[1]], got, rtol=1e-9, atol=1e-11)
        assert (logits[:, got.shape[1] :] == -np.inf).all()  # unknown words of other rows
        loss = model.loss(a, b) * (n / counts.sum())
        loss.backward()
        alone += loss.item()
    assert total.item() == pytest.approx(alone, rel=1e-12)
    for name, p in model.named_parameters():
        np.testing.assert_allclose(p.grad.numpy(), together[name], rtol=1e-8, atol=1e-11, err_msg=name)


@pytest.mark.parametrize("options", VARIANTS[:3:2], ids=str)
def test_more_padding_changes_nothing(options):
    model = random_weights(small(**options))
    source, targets = data(options)
    more = [np.pad(x, ((0, 0), (0, 3))) for x in (source, targets)]
    assert model.loss(*more).item() == pytest.approx(model.loss(source, targets).item(), rel=1e-12)
    masked = np.pad(source, ((0, 0), (0, 3)), constant_values=5)  # any token, where the mask says that there is none
    mask = np.pad(source != 0, ((0, 0), (0, 3)))
    assert model.loss(np.where(mask, masked, 5), targets, mask).item() == pytest.approx(
        model.loss(source, targets).item(), rel=1e-12
    )


@pytest.mark.parametrize("options", VARIANTS[:3:2], ids=str)
def test_a_source_of_padding_alone_says_nothing(options):
    """All such sources are alike, finite, and leave other rows alone."""
    model = random_weights(small(**options))
    source = np.array([[0, 0, 0], [3, 4, 1]])
    out = model(source, [[0, 2], [0, 2]])
    np.testing.assert_allclose(np.exp(ml.log_softmax(out, axis=-1).numpy()).sum(-1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(out.numpy()[0], model([[0]], [[0, 2]]).numpy()[0], rtol=1e-12)
    np.testing.assert_allclose(out.numpy()[1], model(source[1:], [[0, 2]]).numpy()[0], rtol=1e-12)
    loss = model.loss(source, [[5, 1], [4, 1]])
    loss.backward()
    assert math.isfinite(loss.item())
    assert all(np.isfinite(p.grad.numpy()).all() for p in model.parameters())


@pytest.mark.parametrize("options", VARIANTS[:3:2], ids=str)
def test_targets_of_padding_alone_have_no_mean(options):
    model = random_weights(small(**options))
    loss = model.loss([[3, 1]], [[0, 0]])
    loss.backward()
    assert math.isnan(loss.item())
    assert not any(p.grad.numpy().any() for p in model.parameters() if p.grad is not None)


# -- the cache, and what is written -----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", BOTH, ids=str)
def test_cache_gives_what_the_full_pass_gives(options):
    model = random_weights(small(**options, num_decoder_layers=2)).eval()
    source, _ = data(options)
    inputs = np.random.default_rng(0).integers(0, 7, (3, 20))
    with ml.no_grad():
        full = model(source, inputs).numpy()
        for cuts in ([1] * 6, [3, 1, 2], [2, 18]):
            encoded = model.encode(source)
            cache, start = DecoderCache(model, encoded), 0
            for n in cuts:
                part = model.decode(inputs[:, start : start + n], encoded, cache).numpy()
                np.testing.assert_allclose(part, full[:, start : start + n], atol=1e-10)
                start += n
            assert cache.length == start


def test_a_reordered_cache_goes_on_from_other_rows():
    model = random_weights(small(num_decoder_layers=2)).eval()
    inputs, rows = np.array([[0, 6, 4], [0, 2, 1], [0, 5, 5]]), np.array([2, 0, 0, 2])
    with ml.no_grad():
        encoded = model.encode(SOURCE)
        cache = DecoderCache(model, encoded)
        model.decode(inputs, encoded, cache)
        cache.reorder(rows)
        cache.reorder_memory(rows)
        got = model.decode([[1], [2], [3], [4]], encoded.rows(rows), cache).numpy()[:, 0]
        longer = np.concatenate([inputs[rows], [[1], [2], [3], [4]]], axis=1)
        np.testing.assert_allclose(got, model(SOURCE[rows], longer).numpy()[:, -1], atol=1e-10)


def decisive(**options):
    """Weights that are so large that no choice hangs on the last digit."""
    return random_weights(small(**options), spread=1.5)


def rows_of(source):
    return [row[row != 0].tolist() for row in source]


@pytest.mark.parametrize("options", BOTH, ids=str)
def test_what_is_written_is_the_same_with_and_without_the_cache_in_a_batch_and_alone(options):
    model, sources = decisive(**options), rows_of(data(options)[0])
    for how in ({"temperature": 1.0, "seed": 3}, {"temperature": 0.0}, {"width": 3, "length_penalty": 0.6}):
        cached, plain = (model.generate(sources, 6, use_cache=use, **how) for use in (True, False))
        assert cached == plain
        if "seed" not in how:
            assert [model.generate([source], 6, **how)[0] for source in sources] == cached
    assert model.training


@pytest.mark.parametrize("options", BOTH, ids=str)
def test_greedy_is_the_likeliest_token_each_time(options):
    model, sources = decisive(**options), rows_of(data(options)[0])
    written = model.generate(sources, 6)
    assert written == [best[0].tokens for best in model.search(sources, 6, width=1)]
    for source, new in zip(sources, written, strict=True):
        text = [0]
        while len(text) < 7 and (text[-1] != 1 or len(text) == 1):
            text.append(int(model([source], [text]).numpy()[0, -1].argmax()))
        assert new == text[1:]


@pytest.mark.parametrize("options", VARIANTS[:3:2], ids=str)
def test_search_finds_the_best_of_all(options):
    """Unknown words of one source are no choice for another."""
    model = random_weights(small(**options, vocab_size=4, unk_token_id=2))
    sources = [[3, 4, 3], [2, 5, 4, 1]] if options else [[3, 2, 3], [2, 3, 1]]
    given = Conditioned(model, model._padded(sources))
    for alpha in (0.0, 1.0):
        rules = Rules(3, 1, alpha)
        want = exhaustive_search(given, given.starts, rules, n_best=20)
        got = model.search(sources, 3, width=6**3, n_best=20, length_penalty=alpha)
        assert [[h.tokens for h in best] for best in got] == [[h.tokens for h in best] for best in want]
        np.testing.assert_allclose(*[[h.score for best in x for h in best] for x in (got, want)], rtol=1e-9)
        assert got == beam_search(given, given.starts, rules, width=6**3, n_best=20)


def test_scores_are_those_of_the_loss():
    model = decisive(copy_head=True)
    for source, best in zip(rows_of(UNKNOWN_SOURCE), model.search(rows_of(UNKNOWN_SOURCE), 6, n_best=3), strict=True):
        for h in best:
            if 0 not in h.tokens:
                assert -model.loss([source], [h.tokens]).item() * len(h.tokens) == pytest.approx(
                    h.log_probability, rel=1e-9
                )


def test_texts_end_with_the_end_token():
    model = small()
    with ml.no_grad():
        model.shared.weight[1] = model.shared.weight[1] + 5.0
    for how in ({}, {"width": 2}, {"temperature": 1.0, "seed": 0}):
        for new in model.generate([[3, 4]] * 4, 30, **how):
            assert (new.index(1) == len(new) - 1) if 1 in new else len(new) == 30


def test_generating_needs_no_padding_and_draws_by_the_seed():
    model = small()
    a, b, c = (model.generate([[3, 4], [5]], 9, temperature=1.0, seed=seed) for seed in (0, 0, 1))
    assert a == b != c
    assert model.generate([[5]], 9, temperature=0.0) == [model.generate([[3, 4], [5]], 9)[1]]
    assert model.generate([[]], 3) == model.generate([[0]], 3)


# -- start, sharing, errors -------------------------------------------------------------------------------------------


def test_initialisation_is_t5s():
    ml.random.manual_seed(0)
    model = Seq2Seq(
        Seq2SeqConfig(500, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=8, tie_word_embeddings=False)
    )
    want = {"shared.weight": 1.0, "q.weight": 1 / 32, "k.weight": 1 / 8, "v.weight": 1 / 8, "o.weight": 128**-0.5,
            "up.weight": 1 / 8, "down.weight": 128**-0.5, "embedding.weight": 1 / 8, "lm_head.weight": 1 / 8}  # fmt: skip
    for name, p in model.named_parameters():
        if p.ndim == 2:
            (deviation,) = (s for end, s in want.items() if name.endswith(end))
            assert p.numpy().std() == pytest.approx(deviation, rel=0.15), name
    assert small().loss(SOURCE, TARGETS).item() == pytest.approx(math.log(7), abs=1.5)


def test_tied_weights_are_one_parameter():
    model = small()
    assert model.lm_head.weight is model.shared.weight
    untied = small(tie_word_embeddings=False)
    assert untied.lm_head.weight is not untied.shared.weight


def test_decay_is_for_matrices():
    decay, rest = small().decay_groups(0.1)
    assert {p.ndim for p in decay["params"]} == {2}
    assert {p.ndim for p in rest["params"]} == {1}


def test_a_config_says_what_it_does_not_say():
    c = Seq2SeqConfig(9)
    assert (c.num_decoder_layers, c.scale_decoder_outputs) == (6, True)
    assert Seq2SeqConfig(9, tie_word_embeddings=False).scale_decoder_outputs is False
    assert Seq2SeqConfig(**c.to_dict()) == c


@pytest.mark.parametrize(
    ("options", "message"),
    [({"vocab_size": 0}, "vocab_size must be a positive"), ({"d_model": True}, "d_model"),
     ({"num_decoder_layers": 0}, "num_decoder_layers"),
     ({"pad_token_id": 7}, "pad_token_id must be an id of the vocabulary, 0 to 6, got 7"), ({"eos_token_id": -1}, "eos_token_id"),
     ({"relative_attention_num_buckets": 3}, "at least 4"), ({"relative_attention_max_distance": 3}, "more than half of the 6"),
     ({"dropout_rate": 1.0}, "dropout_rate"), ({"layer_norm_epsilon": 0.0}, "layer_norm_epsilon"),
     ({"copy_head": 1}, "copy_head must be True"),
     ({"feed_forward_proj": "gelu"}, "'relu' or 'gated-gelu'"), ({"copy_head": True, "unk_token_id": 7}, "unk_token_id"),
     ({"tie_word_embeddings": "yes"}, "tie_word_embeddings must be True or False")],
)  # fmt: skip
def test_wrong_configs_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)


@pytest.mark.host
def test_wrong_inputs_are_named():
    model, copying = small(), small(copy_head=True)
    with pytest.raises(ValueError, match=r"source of shape \(batch, 1 or more tokens\), got \(2,\)"):
        model([1, 2], [[0]])
    with pytest.raises(ValueError, match=r"source of shape .* got \(1, 0\)"):
        model(np.zeros((1, 0), int), [[0]])
    with pytest.raises(ValueError, match=r"inputs of shape \(1, 1 or more tokens\), got \(2, 1\)"):
        model([[1, 2]], [[0], [0]])
    with pytest.raises(IndexError, match="source must be in 0 to 6, the vocabulary; got 1 to 7"):
        model([[1, 7]], [[0]])
    with pytest.raises(
        IndexError, match="source must be in 0 to 8, the vocabulary and as many unknown words as there are tokens"
    ):
        copying([[1, 9]], [[0]])
    with pytest.raises(IndexError, match="targets must be in 0 to 6"):
        model.loss([[1, 2]], [[-1]])
    with pytest.raises(TypeError, match="inputs must be integers, got float"):
        model([[1, 2]], [[0.5]])
    with pytest.raises(ValueError, match="mask must be boolean of shape"):
        model([[1, 2]], [[0]], [[1, 1]])
    with pytest.raises(ValueError, match="mask must be boolean of shape"):
        model([[1, 2]], [[0]], [[True]])
    with pytest.raises(ValueError, match="target 8 at 1, 0 is neither in the vocabulary nor in its source.*which is 2"):
        copying.loss([[8, 2], [7, 2]], [[8], [8]])
    for with_copies in (False, True):
        with pytest.raises(ValueError, match="label_smoothing is a share"):
            small(copy_head=with_copies).loss([[1, 2]], [[1]], label_smoothing=1.5)
    with pytest.raises(ValueError, match="at least one source"):
        model.generate([], 3)
    with pytest.raises(TypeError, match="sources takes"):
        model.generate([1, 2], 3)
    with pytest.raises(IndexError, match="source must be in"):
        model.generate([[9]], 3)


@pytest.mark.host
@pytest.mark.parametrize("options", VARIANTS[::2], ids=str)
def test_on_the_device_under_test(device, options):
    model, reference = small(device, **options), small(**options)
    source, targets = data(options)
    loss, want = model.loss(source, targets), reference.loss(source, targets)
    loss.backward()
    want.backward()
    assert loss.item() == pytest.approx(want.item(), rel=1e-5)
    for (name, p), q in zip(model.named_parameters(), reference.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), atol=1e-5, err_msg=name)
    for how in ({}, {"width": 2}):
        assert model.generate(rows_of(source), 5, **how) == reference.generate(rows_of(source), 5, **how)


def test_float32_stays_float32():
    for options in VARIANTS:
        model = small(**options)
        source, targets = data(options)
        loss = model.loss(source, targets, label_smoothing=0.1)
        loss.backward()
        assert loss.dtype == np.float32
        assert {p.grad.dtype for p in model.parameters()} == {np.dtype(np.float32)}


# -- learning ---------------------------------------------------------------------------------------------------------


def trained(model, batch, steps, lr):
    """Adam with clipping; the rate rises over 50 updates and falls over the last two thirds."""
    optimizer = AdamW(model.parameters(), lr=lr, betas=(0.9, 0.98), weight_decay=0.0)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = lr * min((step + 1) / 50, (1 - step / steps) * 1.5, 1.0)
        loss = model.loss(*batch(np.random.default_rng(step)))
        optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


def padded(rows):
    out = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for row, ids in zip(out, rows, strict=True):
        row[: len(ids)] = ids
    return out


@pytest.mark.slow
def test_learns_to_reverse():
    ml.random.manual_seed(0)
    shape = {
        "vocab_size": 12,
        "d_model": 32,
        "d_kv": 16,
        "d_ff": 64,
        "num_layers": 1,
        "num_heads": 2,
        "dropout_rate": 0.0,
    }

    def pairs(rng, n=64):
        words = [rng.integers(2, 12, rng.integers(1, 6)).tolist() for _ in range(n)]
        return [[*word, 1] for word in words], [[*word[::-1], 1] for word in words]

    model = trained(Seq2Seq(Seq2SeqConfig(**shape)), lambda rng: map(padded, pairs(rng)), 500, 1e-2)
    sources, targets = pairs(np.random.default_rng(10**6), 200)
    for how in ({}, {"width": 3}):
        written = model.generate(sources, 8, **how)
        right = np.mean([new == target for new, target in zip(written, targets, strict=True)])
        print(f"reversed right: {right:.1%} {how}")
        assert right >= 0.95


class TestLogProbabilities:
    @pytest.mark.parametrize("options", VARIANTS[1:3])
    def test_they_are_the_losses_of_each_target_times_its_tokens(self, options):
        model = small(**options)
        found = model.log_probabilities(TARGETS, model.encode(SOURCE))
        assert found.shape == (3,)
        for source, target, value in zip(SOURCE, TARGETS, found, strict=True):
            tokens = int((target != model.config.pad_token_id).sum())
            alone = model.eval().loss(source[None], target[None]).item() if tokens else 0.0
            assert value == pytest.approx(-alone * tokens, rel=1e-5, abs=1e-6)

    def test_dropout_and_the_graph_stay_out(self):
        model = small(copy_head=True, dropout_rate=0.5).train()
        source = model.eval().encode(SOURCE)
        model.train()
        first, second = (model.log_probabilities(TARGETS, source) for _ in range(2))
        assert np.array_equal(first, second)
        assert model.training


class TestLook:
    def test_the_weights_are_those_that_the_values_are_weighed_with(self):
        attention = random_weights(Attention(config()))
        rng = np.random.default_rng(1)
        x, source = ml.Tensor(rng.standard_normal((3, 4, 6))), ml.Tensor(rng.standard_normal((3, 5, 6)))
        keys, values = attention.keys_values(source)
        mask = ml.Tensor((SOURCE != 0)[:, None, None])
        weights = attention.weights(x, keys, mask)
        mixed = attention.o((weights @ values).swapaxes(1, 2).reshape(3, 4, -1))
        np.testing.assert_allclose(mixed.numpy(), attention(x, (keys, values), mask).numpy(), rtol=1e-12)
        np.testing.assert_allclose(weights.numpy().sum(axis=-1), 1.0)
        assert not weights.numpy()[~np.broadcast_to(mask.numpy(), weights.shape)].any()

    def test_a_source_of_padding_alone_is_not_looked_at(self):
        model = small(copy_head=True)
        look = model.look(np.array([[0, 0]]), np.array([[3, 1]]))
        assert not look.cross.any()
        assert not look.copy.any()
        np.testing.assert_allclose(look.generate, 1.0)

    @pytest.mark.parametrize("options", VARIANTS[1:3])
    def test_each_block_head_and_token_has_a_row_and_what_is_padded_gets_nothing(self, options):
        model = small(**options)
        look = model.look(SOURCE, TARGETS)
        assert look.cross.shape == (1, 3, 3, 4, 5)
        np.testing.assert_allclose(look.cross.sum(axis=-1), 1.0, rtol=1e-5)
        assert not look.cross[:, 1, :, :, 3:].any()
        if not options.get("copy_head"):
            assert look.copy is None
            assert look.generate is None
            return
        np.testing.assert_allclose(look.copy.sum(axis=-1), 1.0, rtol=1e-5)
        assert not look.copy[1, :, 3:].any()
        assert ((look.generate > 0) & (look.generate < 1)).all()

    def test_what_is_told_is_what_the_probabilities_are_made_of(self):
        model = random_weights(small(copy_head=True))
        look, p = model.look(SOURCE, TARGETS), np.exp(model(SOURCE, model.shift_right(TARGETS)).numpy())
        copied = (look.copy[..., None] * (SOURCE[:, None, :, None] == np.arange(7))).sum(axis=2)
        generated = p - (1 - look.generate[..., None]) * copied
        assert (generated > -1e-12).all()
        np.testing.assert_allclose(generated.sum(axis=-1), look.generate, rtol=1e-9)

    def test_training_goes_on_as_before(self):
        model = small(copy_head=True, dropout_rate=0.5)
        assert model.train().look(SOURCE, TARGETS).copy.shape == (3, 4, 5)
        assert model.training
