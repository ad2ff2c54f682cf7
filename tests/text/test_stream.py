"""The text of new ids, piece by piece: what is given out adds up to the text that all ids have together, cut at the first stop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilm.text import BPETokenizer, CharTokenizer, TextStream, WordPieceTokenizer

CORPUS = "the cat sat on the mat. aim, claim, main. żółw € 猫が座った 👩‍👩‍👧 " * 3
CHAR = CharTokenizer.train(CORPUS)
BPE = BPETokenizer.train(CORPUS, vocab_size=300)
WORDPIECE = WordPieceTokenizer(
    ["[UNK]", "[PAD]", "the", "cat", "mat", "sa", "##im", "##t", "."], special_tokens=["[UNK]", "[PAD]"]
)
TOKENIZERS = {"char": CHAR, "bpe": BPE, "wordpiece": WORDPIECE}


def written(tokenizer, prompt, new, **options):
    stream = TextStream(tokenizer, prompt, **options)
    pieces = [stream.head]
    for id in new:
        pieces.append(stream.add(id))
        if stream.ended:
            return "".join(pieces)
    return "".join([*pieces, stream.finish()])


@pytest.mark.parametrize(("prompt", "new", "text"), [
    ("the cat", ["mat"], "the cat mat"), ("the cat sa", ["##im"], "the cat saim"), ("the", ["cat", "sa", "##t", "."], "the cat sat ."),
    ("sa", ["##t", "mat"], "sat mat")])  # fmt: skip
def test_wordpiece_parts_words_and_joins_their_pieces(prompt, new, text):
    assert written(WORDPIECE, WORDPIECE.encode(prompt), map(WORDPIECE.token_to_id, new)) == text


def test_a_prompt_that_is_not_shown_leaves_no_trace():
    assert written(WORDPIECE, [1], map(WORDPIECE.token_to_id, ["the", "cat"]), shown=False) == "the cat"
    assert written(WORDPIECE, [1], map(WORDPIECE.token_to_id, ["##im", "cat"]), shown=False) == "im cat"
    assert written(CHAR, CHAR.encode("a"), CHAR.encode(" t "), shown=False) == " t "  # the text's own blank stays
    assert written(BPE, BPE.encode("a"), BPE.encode(" the"), shown=False) == " the"


@pytest.mark.parametrize("name", TOKENIZERS)
@given(data=st.data())
def test_the_pieces_add_up_to_the_text_of_all_ids(name, data):
    tokenizer = TOKENIZERS[name]
    ids = data.draw(st.lists(st.integers(0, tokenizer.vocab_size - 1), min_size=1, max_size=12))
    cut = data.draw(st.integers(0, len(ids) - 1))
    prompt = ids[:cut] if name != "bpe" else BPE.encode(data.draw(st.text("the €猫", max_size=4)))
    assert written(tokenizer, prompt, ids[cut:]) == tokenizer.decode([*prompt, *ids[cut:]])


@given(
    text=st.text("ab", max_size=12),
    cut=st.integers(0, 12),
    stops=st.lists(st.text("ab", min_size=1, max_size=4), max_size=3),
)
def test_it_ends_before_the_first_stop_that_ends_after_the_prompt(text, cut, stops):
    tokenizer = CharTokenizer("ab")
    cut = min(cut, len(text))
    expected, place = text, len(text)
    for end in range(cut + 1, len(text) + 1):  # the specification: at each new character, does a stop end here?
        found = [end - len(stop) for stop in stops if text[:end].endswith(stop)]
        if found:
            place = max(cut, min(found))
            expected = text[:place]
            break
    assert written(tokenizer, tokenizer.encode(text[:cut]), tokenizer.encode(text[cut:]), stops=stops) == expected


def test_a_stop_may_begin_in_the_prompt():
    assert written(CHAR, CHAR.encode("the c"), CHAR.encode("at sat"), stops=["cat"]) == "the c"
    assert written(CHAR, CHAR.encode("cat "), CHAR.encode("the mat"), stops=["cat", "mat"]) == "cat the "
    assert written(CHAR, CHAR.encode("t"), CHAR.encode("the"), stops=["tt"], shown=False) == "the"


def test_half_a_character_and_the_beginning_of_a_stop_wait():
    stream = TextStream(BPE, BPE.encode("the "), stops=["€."])
    first, second, third = "€".encode()
    got = [stream.add(BPE.token_to_id(bytes([byte]))) for byte in (first, second, third)]
    assert got == ["", "", ""]
    assert stream.add(BPE.token_to_id(b"a")) == "€a"
    assert (stream.add(BPE.token_to_id(bytes([first]))), stream.finish()) == ("", "\ufffd")


def test_the_cost_of_an_id_does_not_grow_with_the_text():
    calls = []

    class Counting(WordPieceTokenizer):
        def decode(self, ids):
            ids = list(ids)
            calls.append(len(ids))
            return super().decode(ids)

    tokenizer = Counting(["[UNK]", "a"], special_tokens=["[UNK]"])
    stream = TextStream(tokenizer, [1] * 50, stops=["b"])
    del calls[:]
    for _ in range(100):
        stream.add(1)
    assert np.max(calls) <= 2


def test_an_empty_stop_is_refused():
    with pytest.raises(ValueError, match="at least one character"):
        TextStream(CHAR, [], stops=[""])
