"""What a model has read stays read, and changes no logit."""

import numpy as np
import pytest

import minilm as ml
from minilm.chat import Reading
from minilm.chat.reading import CHUNK
from tests.chat.talk import gpt, llama

pytestmark = pytest.mark.host

IDS = np.random.default_rng(0).integers(0, 50, 400).tolist()


def plainly(model, ids):
    """The logits after the ids, from one pass over all."""
    with ml.no_grad():
        return model(np.array([ids])).numpy()[0, -1]


@pytest.mark.parametrize("kind", [gpt, llama])
def test_one_text_after_another_costs_what_is_new_in_it(kind):
    model = kind(50, 512)
    reading = Reading(model)
    texts = [IDS[:10], IDS[:200], IDS[:201], IDS[:200], IDS[:50], [*IDS[:50], 7, 8], IDS[100:150], [3], IDS]
    costs = [10, 190, 1, 1, 1, 2, 50, 1, 400]
    for text, cost in zip(texts, costs, strict=True):
        before = reading.read
        np.testing.assert_allclose(reading.logits(text), plainly(model, text), rtol=1e-3, atol=1e-3)
        assert reading.read - before == cost, text[:3]


def test_a_long_text_is_read_in_chunks_between_which_it_can_be_stopped():
    reading, asked = Reading(gpt(50, 512)), []

    def stopped():
        asked.append(reading.read)
        return len(asked) == 2

    assert reading.logits(IDS, stopped) is None
    assert asked == [CHUNK, 2 * CHUNK]
    np.testing.assert_allclose(reading.logits(IDS), plainly(gpt(50, 512), IDS), rtol=1e-3, atol=1e-3)
    assert reading.read == len(IDS), "what was read before it was stopped is kept"


def test_of_a_text_longer_than_the_context_the_end_is_read():
    model = gpt(50, 64)
    reading = Reading(model)
    reading.logits(IDS[:60])
    np.testing.assert_allclose(reading.logits(IDS), plainly(model, IDS[-64:]), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(reading.logits(IDS[:60]), plainly(model, IDS[:60]), rtol=1e-3, atol=1e-3)


def test_forgotten_is_read_again():
    reading = Reading(llama(50, 256))
    reading.logits(IDS[:100])
    reading.forget()
    reading.logits(IDS[:100])
    assert reading.read == 200
