"""Beam search against all continuations there are, and its edges: ties, NaN, impossible tokens, nothing that ends."""

import functools
import itertools
import math

import numpy as np
import pytest

import minilm as ml
from minilm.models import GPT, GPTConfig, PromptScorer, Rules, beam_search, exhaustive_search, greedy_search
from minilm.models.llama import Llama, LlamaConfig


@functools.cache
def drawn(vocab_size, *seed):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(vocab_size), rng.random(vocab_size)


class Table:
    """A scorer whose logits are any function of the whole context: drawn from a generator that its ids and the source seed.

    It holds the search to its word: each row must be the continuation of the row that it was said to continue.
    """

    def __init__(self, vocab_size, seed=0, spread=1.5, impossible=0.0, change=None):
        self.vocab_size, self.seed, self.spread, self.impossible, self.change = (
            vocab_size,
            seed,
            spread,
            impossible,
            change,
        )
        self.training, self.modes, self.calls = True, [], 0

    def train(self, mode=True):
        self.training = mode
        self.modes.append(mode)

    def begin(self, sources):
        self.sources, self.texts = list(sources), None

    def keep(self, rows):
        self.sources = [self.sources[i] for i in rows]
        self.texts = [self.texts[i] for i in rows]

    def logits(self, contexts):
        assert not self.training
        assert len(contexts) == len(self.sources)
        if self.texts is not None:
            assert [list(c[:-1]) for c in contexts] == self.texts, "rows were not kept as the search said"
        self.texts = [list(c) for c in contexts]
        self.calls += 1
        return np.array([self.row(source, context) for source, context in zip(self.sources, self.texts, strict=True)])

    def row(self, source, context):
        normal, uniform = drawn(self.vocab_size, self.seed, source, *context)
        z = np.where((uniform < self.impossible) & (uniform > uniform.min()), -np.inf, normal * self.spread)
        return z if self.change is None else self.change(source, context, z)


def texts(found):
    return [[h.tokens for h in best] for best in found]


def same(a, b):
    assert texts(a) == texts(b)
    for x, y in zip(itertools.chain(*a), itertools.chain(*b), strict=True):
        assert (x.ended, len(x.tokens)) == (y.ended, len(y.tokens))
        np.testing.assert_allclose([x.score, x.log_probability], [y.score, y.log_probability], rtol=1e-12)


STARTS = [[0], [0], [2]]
RULES = [
    {},
    {"length_penalty": 0.6},
    {"length_penalty": 2.5},
    {"length_penalty": -1.0},
    {"length_penalty": float},  # any function of n: here n itself
    {"end": None},
    {"end": [1, 2], "length_penalty": 1.0},
    {"min_new_tokens": 2, "length_penalty": -2.0},
    {"no_repeat_ngram": 1},
    {"no_repeat_ngram": 2, "length_penalty": 1.0},
]


def brute_force(table, source, start, rules):
    """Every sequence of ids is tried for itself: no prefix is shared, no function of the search is used."""
    end, size, possible = rules.ends, rules.no_repeat_ngram, {}
    for n in range(rules.max_new_tokens + 1):
        for new in itertools.product(range(table.vocab_size), repeat=n):
            total, allowed = 0.0, True
            for t in range(n):
                context = [*start, *new[:t]]
                z = table.row(source, context)
                p = z[new[t]] - np.logaddexp.reduce(z)
                grams = [(*context, new[t])[i : i + size] for i in range(len(context) + 2 - size)] if size else []
                early = new[t] in end and t < rules.min_new_tokens
                allowed = allowed and np.isfinite(p) and not early and len(set(grams)) == len(grams)
                total += p
            if allowed and not set(new[:-1]) & set(end):
                possible[new] = total
    complete = {}
    for new, total in possible.items():
        goes_on = any((*new, token) in possible for token in range(table.vocab_size))
        if len(new) == rules.max_new_tokens or new[-1:] in [(token,) for token in end] or not goes_on:
            n = len(new)
            lp = rules.length_penalty(n) if callable(rules.length_penalty) else ((5 + n) / 6) ** rules.length_penalty
            complete[new] = total / lp
    return complete


@pytest.mark.parametrize("options", RULES, ids=str)
def test_exhaustive_search_finds_the_best_of_all_sequences(options):
    rules = Rules(**{"max_new_tokens": 3, "end": 1, **options})
    for seed in range(2):
        table = Table(3, seed, impossible=0.2)
        found = exhaustive_search(table, STARTS, rules, n_best=5)
        for i, best in enumerate(found):
            every = brute_force(table, i, STARTS[i], rules)
            want = sorted(every.items(), key=lambda item: -item[1])[:5]
            assert [tuple(h.tokens) for h in best] == [new for new, _ in want]
            np.testing.assert_allclose([h.score for h in best], [score for _, score in want], rtol=1e-12)


@pytest.mark.parametrize("options", RULES, ids=str)
@pytest.mark.parametrize("seeds", [2, pytest.param(40, marks=pytest.mark.slow)])
def test_a_beam_as_wide_as_all_prefixes_is_exhaustive_search(options, seeds):
    rules = Rules(**{"max_new_tokens": 4, "end": 1, **options})
    for seed in range(seeds):
        for batch in (1, 3):
            table = Table(3, seed, impossible=0.1)
            for n_best in (1, 4):
                wide = beam_search(table, STARTS[:batch], rules, width=3**4, n_best=n_best)
                same(wide, exhaustive_search(table, STARTS[:batch], rules, n_best=n_best))


@pytest.mark.parametrize("options", RULES, ids=str)
def test_width_1_is_greedy(options):
    """With a length penalty beam search goes on after the greedy text ended, since a longer one may score higher."""
    rules = Rules(**{"max_new_tokens": 6, "end": 1, **options})
    for seed in range(3):
        table = Table(5, seed)
        greedy = greedy_search(table, STARTS, rules)
        same(beam_search(table, STARTS, rules, width=1, early_stopping=True), [[h] for h in greedy])
        found = beam_search(table, STARTS, rules, width=1)
        if rules.length_penalty == 0.0:
            same(found, [[h] for h in greedy])
        for h, g in zip(found, greedy, strict=True):
            assert h[0].score >= g.score


def test_greedy_takes_the_likeliest_token_each_time():
    table = Table(6, 3)
    (h,) = greedy_search(table, [[4]], Rules(8, end=1))
    context, total = [4], 0.0
    while len(context) < 9 and context[-1] != 1:
        z = table.row(0, context)
        context.append(int(np.argmax(z)))
        total += z.max() - np.logaddexp.reduce(z)
    assert h.tokens == context[1:]
    assert h.log_probability == pytest.approx(total, rel=1e-12)


class NeverSettled(Rules):
    """Rules under which a search never thinks that it is done."""

    def reachable(self, log_probability, n):
        return math.inf


@pytest.mark.parametrize(
    "alpha", [-3.0, 0.0, 1.0, *(pytest.param(a, marks=pytest.mark.slow) for a in (-1.0, 0.3, 4.0))]
)
@pytest.mark.parametrize("n_best", [1, 3])
def test_stopping_early_changes_nothing(alpha, n_best):
    calls = {}
    for seed in range(5):
        results = []
        for kind in (Rules, NeverSettled):
            table = Table(5, seed, change=lambda source, context, z: z + 1.5 * (np.arange(5) == 1))
            results.append(beam_search(table, STARTS, kind(9, 1, alpha), width=3, n_best=n_best))
            calls[kind] = calls.get(kind, 0) + table.calls
        same(*results)
    if alpha <= 0:
        assert calls[Rules] < 0.8 * calls[NeverSettled]


def test_a_longer_text_may_still_overtake_a_complete_one():
    """The end is likeliest at once; a long text costs little more, and its penalty divides by more."""

    def change(source, context, z):
        return np.log(
            [1e-9, 0.5, 0.5] if len(context) == 1 else [1e-9, 1e-9, 1.0] if len(context) < 9 else [1e-9, 1.0, 1e-9]
        )

    (short,), (long,) = (beam_search(Table(3, change=change), [[0]], Rules(20, 1, a), width=2)[0] for a in (0.0, 2.0))
    assert short.tokens == [1]
    assert long.tokens == [2] * 8 + [1]
    (stopped,) = beam_search(Table(3, change=change), [[0]], Rules(20, 1, 2.0), width=1, early_stopping=True)[0]
    assert stopped.tokens == [1]


def test_the_length_penalty_is_the_papers():
    assert Rules(9, length_penalty=0.6).penalty(7) == pytest.approx(2.0**0.6)
    assert Rules(9, length_penalty=0.6).score(-3.0, 7) == pytest.approx(-3.0 / 2.0**0.6)


def test_more_width_finds_what_greedy_misses():
    """The likelier first token leads to unlikely ones."""

    def change(source, context, z):
        first = {1: [0.0, 0.0, 0.6, 0.4]}
        then = {2: [0.25, 0.25, 0.25, 0.25], 3: [0.0, 1.0, 0.0, 0.0]}
        with np.errstate(divide="ignore"):
            return np.log(first[1] if len(context) == 1 else then.get(context[-1], [0.25] * 4))

    rules = Rules(2, end=1)
    assert greedy_search(Table(4, change=change), [[0]], rules)[0].tokens[0] == 2
    (best,) = beam_search(Table(4, change=change), [[0]], rules, width=2)[0]
    assert (best.tokens, best.score) == ([3, 1], pytest.approx(math.log(0.4)))


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_a_batch_is_its_rows_alone(width):
    """Also where the starts differ in length, and one source ends long before another."""
    starts = [[0], [2, 2], [3], [0, 1, 2]]

    def change(source, context, z):
        z[1] += (0.0, 9.0, 2.0, -9.0)[source]
        return z

    rules = Rules(6, end=1, length_penalty=0.8)
    together = beam_search(Table(5, 1, change=change), starts, rules, width=width, n_best=width)
    for i, start in enumerate(starts):
        alone = Table(5, 1, change=lambda source, context, z, i=i: change(i, context, z))
        alone.row = lambda source, context, i=i, row=alone.row: row(i, context)
        same([together[i]], beam_search(alone, [start], rules, width=width, n_best=width))


class TestEdges:
    def test_ties_go_to_the_first_hypothesis_and_then_to_the_smallest_id(self):
        flat = Table(4, change=lambda source, context, z: np.zeros(4))
        (best,) = beam_search(flat, [[0]], Rules(2), width=3, n_best=3)
        assert [h.tokens for h in best] == [[0, 0], [0, 1], [0, 2]]
        same([best], [exhaustive_search(flat, [[0]], Rules(2), n_best=3)[0]])
        assert greedy_search(flat, [[0]], Rules(2))[0].tokens == [0, 0]

    def test_of_equal_scores_the_text_that_was_complete_first_stays(self):
        half = Table(2, change=lambda source, context, z: np.log([0.5, 0.5]))
        (best,) = beam_search(half, [[0]], Rules(3, end=1, length_penalty=lambda n: float(n)), width=8, n_best=2)
        assert [h.tokens for h in best] == [[1], [0, 1]]

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_a_model_that_has_diverged(self, bad):
        def change(source, context, z):
            z[2] = bad if len(context) == 2 and source == 1 else z[2]
            return z

        for search in (lambda *a: beam_search(*a, width=2), exhaustive_search, greedy_search):
            table = Table(3, change=change)
            with pytest.raises(ValueError, match="NaN or infinity"):
                search(table, [[0], [0]], Rules(4))
            assert table.training, "the mode was not put back"

    def test_where_no_token_is_possible_the_model_has_diverged(self):
        with pytest.raises(ValueError, match="NaN or infinity"):
            beam_search(Table(3, change=lambda *_: np.full(3, -np.inf)), [[0]], Rules(2))

    def test_an_impossible_token_is_never_written(self):
        def change(source, context, z):
            z[[0, 3]] = -np.inf
            return z

        (best,) = beam_search(Table(5, change=change), [[0]], Rules(3), width=200, n_best=200)
        assert len(best) == 3**3
        assert not {0, 3} & set(itertools.chain(*(h.tokens for h in best)))

    def test_a_width_beyond_the_vocabulary(self):
        (best,) = beam_search(Table(3), [[0]], Rules(1), width=50, n_best=50)
        assert sorted(h.tokens for h in best) == [[0], [1], [2]]
        assert sum(math.exp(h.log_probability) for h in best) == pytest.approx(1.0)

    def test_all_texts_together_have_probability_1(self):
        (every,) = exhaustive_search(Table(3), [[0]], Rules(5, end=1), n_best=10**6)
        assert sum(math.exp(h.log_probability) for h in every) == pytest.approx(1.0)

    def test_where_nothing_ends_texts_have_the_full_length(self):
        def change(source, context, z):
            z[1] = -np.inf
            return z

        (best,) = beam_search(Table(4, change=change), [[0]], Rules(5, end=1), width=2, n_best=2)
        assert [(len(h.tokens), h.ended) for h in best] == [(5, False)] * 2

    def test_where_no_token_may_follow_a_text_is_complete(self):
        rules = Rules(9, no_repeat_ngram=1)
        for found in (
            beam_search(Table(3), [[0]], rules, width=4, n_best=2),
            exhaustive_search(Table(3), [[0]], rules, 2),
        ):
            assert sorted(h.tokens for h in found[0]) == [[1, 2], [2, 1]]
        (h,) = greedy_search(Table(3), [[0]], rules)
        assert (sorted(h.tokens), h.ended) == ([1, 2], False)
        only_the_end = Table(3, change=lambda *_: np.array([-np.inf, 0.0, -np.inf]))
        (best,) = beam_search(only_the_end, [[0]], Rules(4, end=1, min_new_tokens=1, length_penalty=1.0))
        assert best == [([], 0.0, 0.0, False)]

    def test_no_new_tokens(self):
        table = Table(3)
        want = [[([], 0.0, 0.0, False)]] * 2
        assert beam_search(table, [[0], [0, 1]], Rules(0, end=1)) == want
        assert exhaustive_search(table, [[0], [0, 1]], Rules(0, end=1)) == want
        assert [[h] for h in greedy_search(table, [[0], [0, 1]], Rules(0, end=1))] == want
        assert table.calls == 0

    def test_the_end_comes_only_after_enough_other_tokens(self):
        eager = Table(4, change=lambda source, context, z: z + 20.0 * (np.arange(4) == 1))
        for n in (0, 1, 3):
            for found in (beam_search(eager, [[0]], Rules(8, end=1, min_new_tokens=n))[0][0],
                          greedy_search(eager, [[0]], Rules(8, end=1, min_new_tokens=n))[0]):  # fmt: skip
                assert len(found.tokens) == n + 1
                assert found.tokens.index(1) == n

    def test_no_ngram_twice_not_even_one_of_the_prompt(self):
        stubborn = Table(4, change=lambda source, context, z: 5.0 * (np.arange(4) == (context[-1] + 1) % 4))
        (h,) = beam_search(stubborn, [[0, 1, 2]], Rules(6, no_repeat_ngram=2), width=2)[0]
        text = [0, 1, 2, *h.tokens]
        pairs = list(itertools.pairwise(text))
        assert len(set(pairs)) == len(pairs) == 8

    def test_the_mode_is_put_back(self):
        table = Table(3)
        beam_search(table, [[0]], Rules(2))
        assert table.modes == [False, True]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [({"max_new_tokens": -1}, ValueError, "max_new_tokens must be at least 0"), ({"max_new_tokens": 1.5}, TypeError, "max_new_tokens"),
     ({"end": -1}, ValueError, "end must be"), ({"end": "x"}, TypeError, "end must be"), ({"end": True}, TypeError, "end must be"),
     ({"length_penalty": "1"}, TypeError, "length_penalty must be"), ({"length_penalty": math.nan}, ValueError, "finite"),
     ({"length_penalty": 1e9}, ValueError, "divides the score of"), ({"length_penalty": lambda n: 3.0 - n}, ValueError, "4 tokens by -1"),
     ({"min_new_tokens": -1}, ValueError, "min_new_tokens"), ({"no_repeat_ngram": 0.5}, TypeError, "no_repeat_ngram")],
)  # fmt: skip
def test_wrong_rules_are_named(options, error, message):
    with pytest.raises(error, match=message):
        Rules(**{"max_new_tokens": 4, **options})


@pytest.mark.parametrize(
    ("starts", "options", "error", "message"),
    [([], {}, ValueError, "at least one start"), ([[0], []], {}, ValueError, "at least one token"), ([0], {}, TypeError, "brackets"),
     ("ab", {}, TypeError, "tokenizer"), ([[0.5]], {}, TypeError, "integers"), ([[0]], {"width": 0}, ValueError, "width"),
     ([[0]], {"width": 2, "n_best": 3}, ValueError, "n_best=3 is more than the width 2"), ([[0]], {"n_best": 0}, ValueError, "n_best")],
)  # fmt: skip
def test_wrong_arguments_are_named(starts, options, error, message):
    with pytest.raises(error, match=message):
        beam_search(Table(3), starts, Rules(2), **options)


def test_an_end_that_is_no_id():
    with pytest.raises(IndexError, match="id 7 is out of range: the model's ids are 0 to 2"):
        beam_search(Table(3), [[0]], Rules(2, end=7))


def llama():
    ml.random.manual_seed(0)
    model = Llama(LlamaConfig(5, 8, 12, 2, 4, 2, max_position_embeddings=12, tie_word_embeddings=False))
    with ml.no_grad():
        for p in model.parameters():
            p *= 12.0 if p.ndim == 2 else 1.0
    return model


def gpt(**options):
    ml.random.manual_seed(0)
    model = GPT(GPTConfig(**{"vocab_size": 5, "block_size": 12, "n_layer": 2, "n_head": 2, "n_embd": 8, **options}))
    with ml.no_grad():
        for p in model.parameters():
            p *= 12.0  # so that the choice is not a coin's
    return model


@pytest.mark.parametrize(
    "make", [gpt, functools.partial(gpt, norm="rms", position="rotary"), llama], ids=["GPT", "GPT of modules", "Llama"]
)
def test_a_decoder_writes_the_same_with_and_without_its_cache(make):
    """Prompts of several lengths; some end early, so that the cache loses rows."""
    model = make()
    prompts, rules = [[1, 2, 3], [4], [2], [0, 3, 3]], Rules(7, end=0, length_penalty=0.7)
    cached, plain = (
        beam_search(PromptScorer(model, use_cache), prompts, rules, width=3, n_best=3) for use_cache in (True, False)
    )
    assert texts(cached) == texts(plain)
    np.testing.assert_allclose(
        [h.score for best in cached for h in best], [h.score for best in plain for h in best], atol=1e-5
    )
    assert len({len(best[0].tokens) for best in cached}) > 1
    greedy = beam_search(PromptScorer(model), prompts, Rules(7), width=1)
    assert [best[0].tokens for best in greedy] == model.generate(prompts, 7, temperature=0)
    for best in cached:
        for h in best:
            assert h.log_probability == pytest.approx(
                text_log_probability(model, prompts[cached.index(best)], h), abs=1e-4
            )


def text_log_probability(model, prompt, h):
    text = [*prompt, *h.tokens]
    with ml.no_grad():
        log_p = ml.log_softmax(model(np.array([text[:-1]])), axis=-1).numpy()[0]
    return sum(log_p[t - 1, text[t]] for t in range(len(prompt), len(text)))


def test_a_gpt_beyond_its_block_size():
    model = gpt(block_size=4)
    for use_cache in (True, False):
        (best,) = beam_search(PromptScorer(model, use_cache), [[1, 2]], Rules(8), width=2)
        assert best[0].tokens == model_by_hand(model)
    (wide,) = beam_search(PromptScorer(model), [[1, 2]], Rules(3), width=125)
    assert wide[0].tokens == exhaustive_search(PromptScorer(model), [[1, 2]], Rules(3))[0][0].tokens


def model_by_hand(model):
    """A beam of width 2 over contexts that are computed anew each time."""
    running = [([1, 2], 0.0)]
    for _ in range(8):
        every = []
        for context, total in running:
            with ml.no_grad():
                log_p = ml.log_softmax(model(np.array([context[-4:]]))[:, -1], axis=-1).numpy()[0]
            every += [([*context, token], total + p) for token, p in enumerate(log_p)]
        running = sorted(every, key=lambda item: -item[1])[:2]
    return running[0][0][2:]
