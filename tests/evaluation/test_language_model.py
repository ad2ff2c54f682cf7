"""The windowed loss against the plain loop: for each token a pass over the context that the model has before it."""

import math

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.evaluation import MEASURES, compare, evaluate
from minilm.evaluation.language_model import cuts
from minilm.models import GPT, GPTConfig
from minilm.nn import functional as F
from minilm.text import BPETokenizer, CharTokenizer, TokenizerError
from minilm.training.recipes import open_run
from tests.tiny import TEXT, tiny_run

CONTEXT = 6
TEXTS = ["1 plus 2 is 3.\n", "", "30 plus 9 is 39.\n4 plus 4", "7", "12 p"]


@pytest.fixture(scope="module")
def tokenizer():
    return CharTokenizer.train(TEXT)


@pytest.fixture(scope="module")
def model(tokenizer):
    config = GPTConfig(tokenizer.vocab_size, CONTEXT, n_layer=2, n_head=2, n_embd=8, dropout=0.3)
    model = GPT(config, np.random.default_rng(0))
    for p in model.parameters():
        nn.init.normal_(p, 0.0, 0.5, np.random.default_rng(p.size))  # far from a uniform distribution
    return model.to("float64")


class Beginning:
    """A tokenizer with a token that begins a text."""

    def __init__(self, tokenizer, bos_id):
        self.tokenizer, self.bos_id = tokenizer, bos_id

    def __getattr__(self, name):
        return getattr(self.tokenizer, name)


def surprise(model, context, token):
    """-ln p(token | context), in a pass of its own."""
    with ml.no_grad():
        logits = model.eval()(np.array([context]))[0, -1]
        return -float(F.log_softmax(logits, axis=-1).numpy()[token])


def plainly(model, ids, begin, seen):
    """The sum over a document's tokens; `seen(t)` is how many tokens before token t its prediction sees."""
    ids = ids if begin is None else [begin, *ids]
    return sum(surprise(model, ids[t - seen(t) : t], ids[t]) for t in range(1, len(ids)))


def full(t):
    return min(t, CONTEXT)


@pytest.mark.parametrize("begin", [None, 3])
def test_with_a_stride_of_1_it_is_the_loop_over_full_contexts(model, tokenizer, begin):
    found = evaluate(model, tokenizer if begin is None else Beginning(tokenizer, begin), TEXTS, stride=1)
    texts = [text for text in TEXTS if len(text) > (begin is None)]
    expected = [plainly(model, tokenizer.encode(text), begin, full) for text in texts]
    np.testing.assert_allclose(found.nats, expected, rtol=1e-12)
    assert found.tokens.tolist() == [len(text) - (begin is None) for text in texts]
    assert found.bytes.tolist() == found.characters.tolist() == found.tokens.tolist()
    assert (found.empty, found.unpredicted) == (1, int(begin is None))
    assert found.numbers.tolist() == [i for i, text in enumerate(TEXTS) if len(text) > (begin is None)]
    assert (found.context, found.stride, found.begin) == (CONTEXT, 1, begin)


@pytest.mark.parametrize("stride", range(1, CONTEXT + 1))
def test_each_token_once_and_with_so_much_context_as_the_stride_leaves(model, tokenizer, stride):
    """Up to the end of the first window all there is; then what the window before it holds."""
    text = TEXTS[2]
    n = len(text) - 1  # tokens that are predicted

    def seen(t):
        if t <= CONTEXT:
            return t
        end = min(CONTEXT + -(-(t - CONTEXT) // stride) * stride, n)
        return t - (end - CONTEXT)

    assert [seen(t) for t in range(CONTEXT + 1, n + 1)] == [
        end - start - (end - t)
        for start, first, end in cuts(n, CONTEXT, stride)
        for t in range(first + 1, end + 1)
        if t > CONTEXT
    ]
    assert all(seen(t) >= CONTEXT - stride + 1 for t in range(CONTEXT + 1, n + 1))
    found = evaluate(model, tokenizer, [text], stride=stride)
    assert found.tokens.tolist() == [n]
    np.testing.assert_allclose(found.nats, [plainly(model, tokenizer.encode(text), None, seen)], rtol=1e-12)


@pytest.mark.parametrize("inputs", [1, 5, 6, 7, 12, 13, 40])
@pytest.mark.parametrize("stride", [1, 2, 5, 6])
def test_windows_count_every_position_once_and_no_window_is_too_long(inputs, stride):
    counted = []
    for start, first, end in cuts(inputs, 6, stride):
        assert 0 <= start <= first < end <= inputs
        assert end - start <= 6
        assert end - start == min(6, inputs)  # the last one, too, sees all that there is room for
        counted += range(first, end)
    assert counted == list(range(inputs))


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_totals_do_not_depend_on_the_batch(model, tokenizer, batch_size):
    """Short windows are padded and sorted by length; neither changes what is predicted of any document."""
    once = evaluate(model, tokenizer, TEXTS * 2, stride=2)
    found = evaluate(model, tokenizer, TEXTS * 2, stride=2, batch_size=batch_size)
    np.testing.assert_allclose(found.nats, once.nats, rtol=1e-13)
    assert found.tokens.tolist() == once.tokens.tolist()
    single = GPT(model.config, np.random.default_rng(0))
    whole, parts = (evaluate(single, tokenizer, TEXTS * 2, batch_size=n).nats for n in (100, batch_size))
    np.testing.assert_allclose(parts, whole, rtol=1e-6)


def test_losses_of_many_rows_are_taken_in_parts(model, tokenizer, monkeypatch):
    once = evaluate(model, tokenizer, TEXTS)
    monkeypatch.setattr("minilm.evaluation.language_model.PART", 2 * tokenizer.vocab_size)
    monkeypatch.setattr("minilm.evaluation.language_model.AT_ONCE", 12 * tokenizer.vocab_size)
    monkeypatch.setattr("minilm.evaluation.language_model.AHEAD", 1)
    np.testing.assert_allclose(evaluate(model, tokenizer, TEXTS).nats, once.nats, rtol=1e-13)
    np.testing.assert_allclose(evaluate(model, tokenizer, TEXTS, batch_size=2).nats, once.nats, rtol=1e-13)


def test_dropout_is_off_while_it_lasts(model, tokenizer):
    model.train()
    assert evaluate(model, tokenizer, TEXTS).nats.tolist() == evaluate(model, tokenizer, TEXTS).nats.tolist()
    assert model.training
    assert evaluate(model.eval(), tokenizer, TEXTS) is not None
    assert not model.training


def test_a_training_s_validation_is_the_same_with_the_whole_context_as_stride(tmp_path):
    """It cuts the text into contexts one after another and leaves out what does not fill one: with the same cut and text the same loss."""
    run, text = tiny_run(tmp_path, tokenizer="char")
    model, block = run.task.make_model().eval(), run.task.config.block_size
    characters = run.task.tokenizer(run.folder)
    whole = (len(text.validation) - 1) // block * block + 1
    validation = characters.decode(text.validation[:whole].tolist())
    loss = run.task.evaluate(model, text, None)
    found = evaluate(model, characters, [validation], stride=block)
    assert found.measure("nats per token") == pytest.approx(loss, rel=1e-6)
    assert found.measure("bits per character") == pytest.approx(text.bits_per_character(loss), rel=1e-6)
    with_context = evaluate(model, characters, [validation], stride=1)
    assert with_context.tokens.sum() == found.tokens.sum()
    assert open_run(run.folder).task.config.block_size == block


# -- what the numbers are of ------------------------------------------------------------------------------------------


class Uniform(GPT):
    """Every token is as likely as any other."""

    def forward(self, ids, cache=None, last_only=False):
        return ml.zeros(*np.shape(ids), self.config.vocab_size)


def uniform(tokenizer, context=8):
    return Uniform(GPTConfig(tokenizer.vocab_size, context, 1, 1, 2))


def test_bytes_are_no_characters_and_tokens_are_neither():
    """Of 256 byte tokens each costs 8 bits: bits per byte are 8, per character what its bytes cost."""
    tokenizer = BPETokenizer.train(["x"], vocab_size=256)
    text = "a猫é!"  # 1 + 3 + 2 + 1 bytes; the first is not counted
    found = evaluate(uniform(tokenizer), tokenizer, [text])
    assert [found.tokens.tolist(), found.characters.tolist(), found.bytes.tolist()] == [[6], [3], [6]]
    assert found.measure("bits per byte") == pytest.approx(8.0)
    assert found.measure("bits per character") == pytest.approx(16.0)
    assert found.measure("perplexity") == pytest.approx(256.0)
    first = evaluate(
        uniform(tokenizer), tokenizer, ["猫é!"]
    )  # the first token is a byte of the first character, which is not counted
    assert [first.tokens.tolist(), first.characters.tolist(), first.bytes.tolist()] == [[5], [2], [5]]


def test_all_is_counted_behind_a_token_that_begins_a_text():
    tokenizer = BPETokenizer.train(["x"], vocab_size=257, special_tokens=["<|begin|>"])
    found = evaluate(uniform(tokenizer), Beginning(tokenizer, 256), ["a猫", "b"])
    assert [found.tokens.tolist(), found.characters.tolist(), found.bytes.tolist()] == [[4, 1], [2, 1], [4, 1]]


def test_a_long_document_counts_for_more_than_a_short_one(model, tokenizer):
    found = evaluate(model, tokenizer, TEXTS)
    assert found.measure("nats per token") == pytest.approx(found.nats.sum() / found.tokens.sum(), rel=1e-14)
    assert found.measure("nats per token") != pytest.approx((found.nats / found.tokens).mean(), rel=1e-3)
    for name in MEASURES:
        low, high, confidence = found.interval(name)
        assert low <= found.measure(name) <= high
        assert confidence == 0.95
    assert math.log(found.interval("perplexity").high) == pytest.approx(found.interval("nats per token").high)


def test_two_models_are_compared_on_documents_that_both_predicted(model, tokenizer):
    better = evaluate(model, Beginning(tokenizer, 3), TEXTS)
    worse = evaluate(uniform(tokenizer, 6), tokenizer, TEXTS)
    difference = compare(worse, better)
    assert difference.documents == 3  # "7" is predicted by one of them only
    both = np.isin(better.numbers, worse.numbers)
    nats, sizes = better.nats[both].sum(), better.bytes[both].sum()
    expected = worse.measure("bits per byte") - nats / sizes / math.log(2)
    assert difference.value == pytest.approx(expected)
    assert difference.interval.low <= difference.value <= difference.interval.high
    assert compare(better, worse).value == pytest.approx(-difference.value)
    assert compare(better, better) == (0.0, (0.0, 0.0, 0.95), 4)
    with pytest.raises(ValueError, match="compare the nats per token"):
        compare(better, worse, "perplexity")
    with pytest.raises(ValueError, match="no document in common"):
        compare(evaluate(model, tokenizer, ["12"]), evaluate(model, tokenizer, ["", "12"]))


# -- what is refused --------------------------------------------------------------------------------------------------


def test_bad_arguments_are_told(model, tokenizer, monkeypatch):
    for error, told, call in (
        (ValueError, "stride must be 1 to 6, got 7", lambda: evaluate(model, tokenizer, TEXTS, stride=7)),
        (ValueError, "stride must be 1 to 4, got 5", lambda: evaluate(model, tokenizer, TEXTS, stride=5, context=4)),
        (ValueError, "context must be 1 to 6, got 0", lambda: evaluate(model, tokenizer, TEXTS, context=0)),
        (
            TypeError,
            "batch_size must be an integer, got 2.0",
            lambda: evaluate(model, tokenizer, TEXTS, batch_size=2.0),
        ),
        (
            ValueError,
            "nothing to predict: 1 documents without text, 1 of one token",
            lambda: evaluate(model, tokenizer, ["", "7"]),
        ),
        (TokenizerError, "document 2: the character '€'", lambda: evaluate(model, tokenizer, ["1 plus", "1 €"])),
    ):
        with pytest.raises(error, match=told):
            call()
    monkeypatch.setattr("minilm.evaluation.language_model.memory", lambda: 500)
    with pytest.raises(MemoryError, match="smaller context"):
        evaluate(model, tokenizer, TEXTS)


def test_weights_that_are_not_finite_are_told(model, tokenizer):
    broken = GPT(model.config, np.random.default_rng(0))
    broken.wte.weight.data[tokenizer.encode("9")[0]] = np.nan
    with pytest.raises(ValueError, match=r"document \d: what the model predicts is not a number"):
        evaluate(broken, tokenizer, TEXTS)


def test_what_the_model_takes_for_impossible_is_infinitely_surprising(tokenizer):
    class Sure(Uniform):
        def forward(self, ids, cache=None, last_only=False):
            logits = super().forward(ids).numpy().copy()
            logits[..., 1:] = -np.inf
            return ml.tensor(logits)

    found = evaluate(Sure(GPTConfig(tokenizer.vocab_size, 8, 1, 1, 2)), tokenizer, ["12", "34"])
    assert found.measure("nats per token") == found.measure("perplexity") == math.inf
    assert found.interval("perplexity") is None
