"""Turns, what the context holds of them, what a turn costs, and that none of it changes an answer."""

import numpy as np
import pytest

from minilm.chat import ChatML, Conversation, ConversationError, Plain
from minilm.models import Sampler
from minilm.text import TokenizerError
from tests.chat.talk import Scripted, characters, conversation, gpt, llama, tokenizer

pytestmark = pytest.mark.host  # a model of a test that says what it is told gives host arrays

QUESTIONS = [
    "What is the capital of France?",
    "And of Spain?",
    "Why?",
    "Is that so?",
    "Thanks.",
    "a b c",
    "Paris",
    "1",
    "?",
    "Bye.",
]
GREEDY = Sampler(temperature=0.0)


def said(talk, question, **options):
    return "".join(talk.ask(question, **options))


def scripted(*answers, **options):
    """A conversation with a model that says these texts, each with the mark that ends it."""
    end = tokenizer().special_tokens["<|im_end|>"]
    ids = [[*tokenizer().encode(text), end] for text in answers]
    model = Scripted(ids, tokenizer().vocab_size, options.pop("block_size", 256))
    return Conversation(model, ChatML(tokenizer(), "Be brief."), sampler=GREEDY, seed=0, **options)


def test_an_answer_ends_at_the_end_token_and_the_next_turn_follows_it():
    talk = scripted("Paris.", "Madrid.")
    assert said(talk, "France?") == "Paris."
    assert (talk.last.text, talk.last.reason, talk.last.tokens) == (
        "Paris.",
        "end",
        len(tokenizer().encode("Paris.")) + 1,
    )
    assert said(talk, "Spain?") == "Madrid."
    messages = [("system", "Be brief."), ("user", "France?"), ("assistant", "Paris."), ("user", "Spain?")]
    assert talk.messages() == [*messages, ("assistant", "Madrid.")]
    begun = len(tokenizer().encode("Madrid.")) + 1
    assert talk.reading.model.contexts[-begun] == ChatML(tokenizer()).encode(messages)


@pytest.mark.parametrize("mark", ["<|endoftext|>", "<|im_start|>"])
def test_another_document_or_another_turn_ends_it_too(mark):
    model = Scripted([[*tokenizer().encode("Paris."), tokenizer().special_tokens[mark]]], tokenizer().vocab_size)
    talk = Conversation(model, ChatML(tokenizer()), sampler=GREEDY)
    assert said(talk, "France?") == "Paris."


@pytest.mark.parametrize("sampler", [GREEDY, Sampler(0.8, top_p=0.9, repetition_penalty=1.2)], ids=["greedy", "drawn"])
@pytest.mark.parametrize("kind", [gpt, llama])
def test_ten_turns_are_the_same_with_the_kept_cache_and_with_a_fresh_one(kind, sampler):
    talk = conversation(kind=kind, sampler=sampler, block_size=512)
    kept = [said(talk, question) for question in QUESTIONS]
    fresh = conversation(kind=kind, sampler=sampler, block_size=512)
    for question, answer in zip(QUESTIONS, kept, strict=True):
        fresh.reading.forget()
        assert said(fresh, question) == answer
    assert [e.answer_ids for e in talk.exchanges] == [e.answer_ids for e in fresh.exchanges]
    assert len(set(kept)) > 1


def test_a_turn_costs_only_its_own_tokens():
    talk = conversation(sampler=GREEDY, block_size=512)
    for question in QUESTIONS:
        before, seen = talk.reading.read, len(talk.exchanges)
        said(talk, question)
        own = len(talk.exchanges[-1].ids) + talk.last.tokens - 1  # nobody reads the last token of an answer
        closing = 1 + len(ChatML(tokenizer()).tail()) if seen else len(ChatML(tokenizer()).system("Be brief."))
        assert talk.reading.read - before <= own + closing


def test_the_oldest_exchanges_leave_whole_and_the_system_prompt_stays():
    talk = conversation(sampler=GREEDY, block_size=128)
    left, system = [], talk.template.system("Be brief.")
    for number in range(12):
        said(talk, f"Question {number}?")
        left.append(talk.last.left)
        ids = talk.reading._ids
        assert ids[: len(system)] == system
        held = talk.exchanges[len(talk.exchanges) - talk.seen :]
        whole = [id for e in held for id in (*e.ids, *e.answer_ids)]
        assert ids[len(system) :] == whole[: len(ids) - len(system)]
        assert len(ids) <= 128
    assert sum(left) == 12 - talk.seen > 0
    assert left[0] == 0
    assert left.count(0) > len(left) / 2, "once the context is full, half of it becomes free: not one turn each time"
    assert len(talk.exchanges) == 12  # nothing of it is lost to the reader
    fresh = conversation(sampler=GREEDY, block_size=128)
    for number in range(12):
        fresh.reading.forget()
        assert said(fresh, f"Question {number}?") == talk.exchanges[number].answer


def test_a_turn_that_alone_does_not_fit_is_refused_and_the_conversation_kept():
    talk = conversation(sampler=GREEDY, block_size=128)
    said(talk, "Hello.")
    before = (list(talk.exchanges), talk.seen, talk.answers, talk.messages())
    with pytest.raises(
        ConversationError, match=r"this turn with the system prompt is [\d,]+ tokens long, and there is room for 116"
    ):
        said(talk, "0123456789" * 10_000)
    assert (list(talk.exchanges), talk.seen, talk.answers, talk.messages()) == before
    with pytest.raises(ConversationError, match="the system prompt is"):
        talk.set_system("0123456789" * 100)
    other = conversation(sampler=GREEDY, block_size=128)
    assert [said(talk, "And?")] == [[said(other, "Hello."), said(other, "And?")][1]]


def test_the_same_seed_gives_the_same_conversation_and_each_answer_its_own_draws():
    sampler = Sampler(1.5)
    first, second, other = (conversation(sampler=sampler, seed=seed) for seed in (3, 3, 4))
    texts = [[said(talk, "What?") for _ in range(3)] for talk in (first, second, other)]
    assert texts[0] == texts[1] != texts[2]
    model = gpt(tokenizer().vocab_size)
    alone = Conversation(model, Plain(characters()), sampler=sampler, seed=3, max_tokens=12)
    draws = [np.random.default_rng([3, n]).random() for n in range(2)]
    assert draws[0] != draws[1]
    assert alone.seed == 3


def test_answers_do_not_share_their_draws():
    """A model that finds all tokens equally likely says what the draws say: the same each time if the seed were drawn once per turn."""
    model = Scripted([], tokenizer().vocab_size)
    talk = Conversation(model, ChatML(tokenizer()), sampler=Sampler(1000.0), seed=0, max_tokens=8)
    answers = [said(talk, "?") for _ in range(5)]
    assert len(set(answers)) == 5


def test_without_a_seed_each_conversation_has_another():
    talks = [conversation(seed=None) for _ in range(4)]
    assert len({talk.seed for talk in talks}) == 4
    before = talks[0].seed
    talks[0].reset()
    assert talks[0].seed != before


def test_reset_forgets_turns_draws_and_what_was_read():
    talk = conversation(sampler=Sampler(1.0), block_size=512)
    first = [said(talk, question) for question in QUESTIONS[:3]]
    talk.reset()
    assert talk.exchanges == []
    assert talk.reading._cache is None
    before = talk.reading.read
    assert [said(talk, question) for question in QUESTIONS[:3]] == first
    assert talk.reading.read - before >= len(talk._system_ids) + sum(len(e.ids) for e in talk.exchanges)


def test_retry_has_other_draws_and_takes_the_place_of_the_answer():
    talk = conversation(sampler=Sampler(1.5))
    said(talk, "Hello.")
    first, before = said(talk, "What?"), talk.reading.read
    second = "".join(talk.retry())
    assert second != first
    assert [e.answer for e in talk.exchanges][1:] == [second]
    assert talk.seen == 2
    assert talk.reading.read - before <= talk.last.tokens, "the question is not read again"
    with pytest.raises(ConversationError, match="no question yet"):
        "".join(conversation().retry())


def test_a_retry_that_is_stopped_before_its_first_token_leaves_the_old_answer():
    talk = conversation()
    said(talk, "Hello.")
    answer = said(talk, "What?")
    assert "".join(talk.retry(lambda: True)) == ""
    assert [e.answer for e in talk.exchanges][1:] == [answer]
    assert talk.seen == 2


def test_a_stopped_answer_stays_as_far_as_it_came():
    talk, calls = conversation(sampler=GREEDY, max_tokens=50), []
    whole = said(conversation(sampler=GREEDY, max_tokens=50), "Hello.")

    def stopped():
        calls.append(None)
        return len(calls) > 5

    part = said(talk, "Hello.", stopped=stopped)
    assert whole.startswith(part)
    assert 0 < talk.last.tokens < 50
    assert talk.last.reason == "stopped"
    assert talk.exchanges[0].answer == part
    assert said(talk, "Go on.")


def test_stopped_before_the_first_token_it_was_not_asked():
    talk = conversation()
    assert said(talk, "Hello. " * 20, stopped=lambda: True) == ""
    assert talk.exchanges == []
    assert talk.last.reason == "stopped"
    assert said(talk, "Hello.")


def test_an_error_in_the_model_leaves_a_conversation_that_goes_on(monkeypatch):
    talk, twin = conversation(sampler=GREEDY), conversation(sampler=GREEDY)
    for each in (talk, twin):
        said(each, "Hello.")
    whole, calls = talk.reading.model.next_logits, []

    def fails(ids, cache):
        calls.append(None)
        out = whole(ids, cache)
        if len(calls) == 3:
            raise KeyboardInterrupt  # after it has changed the cache
        return out

    with monkeypatch.context() as patch:
        patch.setattr(talk.reading.model, "next_logits", fails)
        with pytest.raises(KeyboardInterrupt):
            said(talk, "What?")
    assert len(talk.exchanges) == 1
    twin.answers += 1
    assert said(talk, "And?") == said(twin, "And?")


def test_longest_answer_and_full_context():
    talk = conversation(sampler=GREEDY, max_tokens=3)
    said(talk, "Hello.")
    assert (talk.last.reason, talk.last.tokens) == ("length", 3)
    talk = scripted("a" * 300, block_size=64, max_tokens=500)
    said(talk, "?")
    assert talk.last.reason == "context"
    assert len(talk.exchanges[0].ids) + len(talk._system_ids) + talk.last.tokens == 64
    assert said(talk, "?") is not None


def test_another_system_prompt_keeps_the_turns():
    talk = scripted("One.", "Two.")
    said(talk, "1")
    talk.set_system("Be long.")
    said(talk, "2")
    assert talk.messages()[0] == ("system", "Be long.")
    messages = [("system", "Be long."), ("user", "1"), ("assistant", "One."), ("user", "2")]
    assert ChatML(tokenizer()).encode(messages) in talk.reading.model.contexts


def test_a_character_that_the_tokenizer_lacks_is_named_and_the_conversation_kept():
    talk = Conversation(gpt(characters().vocab_size), Plain(characters()), max_tokens=5, seed=0)
    said(talk, "What is")
    with pytest.raises(TokenizerError, match="€"):
        said(talk, "€")
    assert len(talk.exchanges) == 1


def test_a_model_that_knows_no_turns_goes_on_with_a_text_of_any_length():
    talk = Conversation(gpt(characters().vocab_size, 64), Plain(characters()), max_tokens=100, seed=0)
    for question in ("What is the capital", "a " * 200, "and"):
        assert said(talk, question)
    assert talk.last.reason == "length"
    paragraph = Scripted([characters().encode("is Paris.\n\nThe")], characters().vocab_size)
    talk = Conversation(paragraph, Plain(characters()), sampler=GREEDY, max_tokens=100)
    assert said(talk, "The capital ") == "is Paris."


def test_what_is_measured_of_an_answer():
    talk = conversation(sampler=GREEDY)
    assert talk.last.per_second is None
    said(talk, "Hello.")
    assert talk.last.tokens == 12
    assert talk.last.first > 0
    assert talk.last.per_second == pytest.approx(11 / talk.last.seconds)
