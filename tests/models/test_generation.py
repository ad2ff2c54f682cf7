"""Sampling: each option's definition on small distributions, stops, batches and seeds."""

import numpy as np
import pytest

import minilm as ml
from minilm.models import Sampler, generate

LOGITS = np.log(np.array([0.5, 0.3, 0.15, 0.05]))


class Counting:
    """A language model whose next token is the last one plus one, modulo 10, for certain."""

    training = True
    modes = ()

    def next_logits(self, contexts, cache):
        assert not self.training
        logits = np.full((len(contexts), 10), -50.0, np.float32)
        logits[np.arange(len(contexts)), (np.array(contexts)[:, -1] + 1) % 10] = 0.0
        return ml.Tensor(logits), cache

    def train(self, mode=True):
        self.training = mode


def probabilities(context=(), **options):
    return Sampler(**options).probabilities(LOGITS, context).round(6).tolist()


class TestSampler:
    def test_plain(self):
        assert probabilities() == [0.5, 0.3, 0.15, 0.05]

    def test_temperature(self):
        p = np.array([0.5, 0.3, 0.15, 0.05]) ** 2
        np.testing.assert_allclose(probabilities(temperature=0.5), p / p.sum(), atol=1e-6)

    def test_zero_temperature_takes_the_likeliest_and_of_several_the_first(self):
        assert Sampler(0.0)(np.array([1.0, 3.0, 3.0]), [], None) == 1

    def test_top_k(self):
        assert probabilities(top_k=2) == [0.625, 0.375, 0.0, 0.0]
        assert probabilities(top_k=99) == probabilities()
        assert Sampler(top_k=1).probabilities(np.array([1.0, 1.0, 0.0]), []).tolist() == [0.5, 0.5, 0.0]

    def test_top_p_keeps_the_fewest_that_reach_it(self):
        assert probabilities(top_p=0.5) == [1.0, 0.0, 0.0, 0.0]
        assert probabilities(top_p=0.51) == [0.625, 0.375, 0.0, 0.0]
        assert probabilities(top_p=1.0) == probabilities()
        assert probabilities(top_p=1e-9) == [1.0, 0.0, 0.0, 0.0]

    def test_top_k_before_top_p(self):
        assert probabilities(top_k=2, top_p=0.6) == [1.0, 0.0, 0.0, 0.0]

    def test_repetition_penalty_divides_positive_and_multiplies_negative_logits(self):
        sampler = Sampler(repetition_penalty=2.0)
        p = sampler.probabilities(np.array([2.0, -1.0, 2.0, -1.0]), [0, 1, 1])
        want = np.exp([1.0, -2.0, 2.0, -1.0])
        np.testing.assert_allclose(p, want / want.sum())

    def test_frequencies(self):
        rng = np.random.default_rng(0)
        counts = np.bincount([Sampler()(LOGITS, [], rng) for _ in range(4000)], minlength=4)
        np.testing.assert_allclose(counts / 4000, [0.5, 0.3, 0.15, 0.05], atol=0.03)

    def test_a_token_without_probability_is_never_drawn(self):
        class Last:
            def random(self):
                return np.nextafter(1.0, 0.0)

        assert Sampler(top_k=1)(np.array([0.0, 1.0, 0.0]), [], Last()) == 1

    def test_huge_logits(self):
        assert Sampler().probabilities(np.array([1e30, -1e30, 0.0]), []).tolist() == [1.0, 0.0, 0.0]

    def test_nan_is_named(self):
        with pytest.raises(ValueError, match="diverged"):
            Sampler()(np.array([np.nan, 0.0]), [], np.random.default_rng(0))

    @pytest.mark.parametrize("options", [{"temperature": -1}, {"temperature": np.nan}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.1},
                                         {"repetition_penalty": 0.0}])  # fmt: skip
    def test_out_of_range(self, options):
        with pytest.raises(ValueError, match=next(iter(options))):
            Sampler(**options)


class TestGenerate:
    def test_continues_and_restores_the_mode(self):
        model = Counting()
        assert generate(model, [[3]], 4, seed=0) == [[4, 5, 6, 7]]
        assert model.training

    def test_prompts_of_different_lengths(self):
        assert generate(Counting(), [[3], [7, 1, 5], [0, 2]], 3, seed=0) == [[4, 5, 6], [6, 7, 8], [3, 4, 5]]

    def test_stop_sequences_stay_in_the_result(self):
        assert generate(Counting(), [[3], [6]], 9, stop=[[5, 6], [9]]) == [[4, 5, 6], [7, 8, 9]]

    def test_stop_does_not_look_at_the_prompt(self):
        assert generate(Counting(), [[4]], 3, stop=[[4, 5]]) == [[5, 6, 7]]

    def test_stop_by_a_function(self):
        assert generate(Counting(), [[3]], 9, stop=lambda new: len(new) == 2) == [[4, 5]]

    def test_a_prompts_result_does_not_depend_on_its_batch(self):
        class Uniform(Counting):
            def next_logits(self, contexts, cache):
                return ml.Tensor(np.zeros((len(contexts), 10), np.float32)), cache

        alone = generate(Uniform(), [[1]], 20, seed=5)
        together = generate(Uniform(), [[1], [2, 3]], 20, seed=5)
        assert together[0] == alone[0]
        assert together[1] != together[0]

    def test_the_global_seed_serves_where_none_is_given(self):
        class Uniform(Counting):
            def next_logits(self, contexts, cache):
                return ml.Tensor(np.zeros((len(contexts), 10), np.float32)), cache

        results = []
        for _ in range(2):
            ml.random.manual_seed(1)
            results.append(generate(Uniform(), [[1]], 20))
        assert results[0] == results[1]
        assert generate(Uniform(), [[1]], 20) != results[0]

    def test_nothing_to_write(self):
        assert generate(Counting(), [[3]], 0) == [[]]

    @pytest.mark.parametrize(("prompts", "n", "options", "message"), [
        ([], 3, {}, "at least one prompt"), ([[]], 3, {}, "at least one token"), ([[1]], -1, {}, "max_new_tokens"),
        ([[1]], 3, {"stop": [[]]}, "stop sequence")])  # fmt: skip
    def test_bad_input(self, prompts, n, options, message):
        with pytest.raises(ValueError, match=message):
            generate(Counting(), prompts, n, **options)


class Small(Counting):
    """The same, with a vocabulary that is known."""

    config = ml.models.GPTConfig(vocab_size=10, block_size=4, n_layer=1, n_head=1, n_embd=2)


NO_INTEGER = [1.9, "5", None, True, [1], np.float32(2), float("nan")]
NO_NUMBER = ["1", None, True, [1.0], 1j]
WRONG_TYPE = [
    *[("prompts", value) for value in (5, None, "ab", ["ab"], [b"ab"], [5], [[1.9]], [[True]], [["a"]], [[None]], [[[1]]],
                                       [[1], 2], [1.5], np.array([1, 2]), np.array([[1.5]]), np.array([[True]]), np.array(3))],
    *[("stop", value) for value in ("ab", b"ab", [5], ["ab"], [[1.9]], [[True]], [[[1]]], 5, None)],
    *[("max_new_tokens", value) for value in NO_INTEGER],
    *[("top_k", value) for value in NO_INTEGER if value is not None],
    *[("seed", value) for value in NO_INTEGER if value is not None],
    *[("temperature", value) for value in NO_NUMBER],
    *[("repetition_penalty", value) for value in NO_NUMBER],
    *[("top_p", value) for value in NO_NUMBER if value is not None],
]  # fmt: skip
OUT_OF_RANGE = [
    *[("max_new_tokens", -1), ("seed", -1), ("top_k", 0), ("top_k", -1), ("top_p", 0), ("top_p", 1.01), ("top_p", -0.5)],
    *[("temperature", value) for value in (-1, float("inf"), float("nan"), -1e-320)],
    *[("repetition_penalty", value) for value in (0, -1, float("inf"), float("nan"))],
    *[("top_p", float("nan")), ("stop", [[]]), ("prompts", []), ("prompts", [[]]), ("prompts", [[1], []])],
]  # fmt: skip
NOT_AN_ID = [(name, [[1], [2, id]]) for name in ("prompts", "stop") for id in (-1, 10, 10**30)]


class TestArguments:
    @pytest.mark.parametrize(("name", "value", "error"), [
        *[(*pair, TypeError) for pair in WRONG_TYPE], *[(*pair, ValueError) for pair in OUT_OF_RANGE],
        *[(*pair, IndexError) for pair in NOT_AN_ID]])  # fmt: skip
    def test_a_wrong_one_is_named(self, name, value, error):
        arguments = {"prompts": [[1]], "max_new_tokens": 3, name: value}
        with pytest.raises(error, match="prompt" if name == "prompts" else "stop" if name == "stop" else name):
            generate(Small(), **arguments)

    @pytest.mark.parametrize("argument", [{"prompts": "ab"}, {"prompts": ["ab"]}, {"stop": "ab"}, {"stop": [b"ab"]}])
    def test_a_text_is_sent_to_the_tokenizer(self, argument):
        with pytest.raises(TypeError, match="got the text b?'ab': encode it with the model's tokenizer"):
            generate(Small(), **{"prompts": [[1]], "max_new_tokens": 3, **argument})

    @pytest.mark.parametrize("prompts", [
        [[1], [2, 3]], ((1,), (2, 3)), [np.array([1]), np.array([2, 3], np.uint8)], [range(1, 2), [np.int64(2), 3]]])  # fmt: skip
    def test_ids_of_any_integer_type(self, prompts):
        assert generate(Small(), prompts, 2, temperature=0.0) == [[2, 3], [4, 5]]

    @pytest.mark.parametrize("prompts", [np.array([[1, 2], [5, 6]]), ml.tensor([[1, 2], [5, 6]])])
    def test_ids_in_one_array(self, prompts):
        assert generate(Small(), prompts, 2, temperature=0.0) == [[3, 4], [7, 8]]

    @pytest.mark.parametrize("options", [
        {"temperature": 1e-320}, {"temperature": 1e308}, {"repetition_penalty": 1e308}, {"repetition_penalty": 1e-320},
        {"top_p": 1e-320}, {"top_k": 10**400}, {"seed": 10**400}, {"temperature": 1e-320, "repetition_penalty": 1e308}])  # fmt: skip
    def test_extreme_ones_give_a_token_without_a_warning(self, options):
        for logits in (LOGITS, -LOGITS, np.array([0.0, 1.0, -1.0, -np.inf])):
            sampler = Sampler(**{name: value for name, value in options.items() if name != "seed"})
            p = sampler.probabilities(logits, [0, 1, 2, 3])
            assert p.sum() == pytest.approx(1.0)
        assert len(generate(Small(), [[1]], 4, **options)[0]) == 4

    @pytest.mark.parametrize("temperature", [0.0, 1.0])
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_a_diverged_model(self, value, temperature):
        with pytest.raises(ValueError, match="diverged"):
            Sampler(temperature)(np.array([0.0, value]), [], np.random.default_rng(0))

    def test_a_token_that_cannot_come_does_not(self):
        assert Sampler().probabilities(np.array([0.0, -np.inf]), []).tolist() == [1.0, 0.0]


class TestOnToken:
    def test_it_sees_each_token_as_it_comes(self):
        seen = []
        together = generate(Counting(), [[1], [4, 5]], 3, on_token=lambda i, id: seen.append((i, id)))
        assert [[id for i, id in seen if i == prompt] for prompt in (0, 1)] == together

    def test_where_it_says_so_a_continuation_ends(self):
        assert generate(Counting(), [[1], [4]], 9, on_token=lambda i, id: id == 6 and i == 1) == [
            [2, 3, 4, 5, 6, 7, 8, 9, 0], [5, 6]]  # fmt: skip


def test_memory_follows_what_is_written_not_what_was_asked_for():
    assert generate(Counting(), [[1]], 10**11, stop=[[9]]) == [[2, 3, 4, 5, 6, 7, 8, 9]]
    long = generate(Counting(), [[1], [1, 2]], 3000)  # past the first room, twice
    assert long[0] == [(2 + k) % 10 for k in range(3000)]
    assert long[1] == [(3 + k) % 10 for k in range(3000)]
