"""What all tokenizers do alike, tried on each of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilm.text import BPETokenizer, CharTokenizer, TokenizerError, WordPieceTokenizer

TEXT = "the end of the beginning <|end|> of the end <|end|>! "
SPECIAL = ["<|end|>", "<|end|>!"]

char = CharTokenizer.train(TEXT, special_tokens=SPECIAL)
bpe = BPETokenizer.train(TEXT, vocab_size=280, special_tokens=SPECIAL)
wordpiece = WordPieceTokenizer.train(TEXT, vocab_size=60, special_tokens=["[UNK]", *SPECIAL])
every_tokenizer = pytest.mark.parametrize("tokenizer", [char, bpe, wordpiece], ids=lambda t: t.type_name)


@every_tokenizer
def test_text_never_becomes_a_special_token_by_itself(tokenizer):
    special = set(tokenizer.special_tokens.values())
    assert not special & set(tokenizer.encode(TEXT))
    assert not special & set(tokenizer.encode(TEXT, allowed_special=set()))
    assert not special & set(tokenizer.encode_array(TEXT).tolist())


@every_tokenizer
def test_allowed_special_tokens_are_matched_whole_and_the_longest_first(tokenizer):
    short, long = tokenizer.special_tokens["<|end|>"], tokenizer.special_tokens["<|end|>!"]
    text = "end<|end|>!<|end|>end"
    end = tokenizer.encode("end")
    assert tokenizer.encode(text, allowed_special="all") == [*end, long, short, *end]
    assert tokenizer.encode(text, allowed_special={"<|end|>"}) == [*end, short, *tokenizer.encode("!"), short, *end]
    np.testing.assert_array_equal(tokenizer.encode_array(text, allowed_special="all"), [*end, long, short, *end])
    assert tokenizer.decode([short]) == "<|end|>"


@every_tokenizer
def test_an_unknown_allowed_special_is_an_error(tokenizer):
    with pytest.raises(TokenizerError, match=r"'<pad>'.*does not have"):
        tokenizer.encode("a", allowed_special={"<pad>"})
    with pytest.raises(TokenizerError, match=r'"none", "all" or a set'):
        tokenizer.encode("a", allowed_special="<|end|>")


@every_tokenizer
def test_a_tokenizer_has_each_id_once(tokenizer):
    ids = range(tokenizer.vocab_size)
    if tokenizer is bpe:
        assert [tokenizer.token_to_id(tokenizer.id_to_bytes(id)) for id in ids[:-2]] == list(ids[:-2])
    else:
        assert [tokenizer.token_to_id(tokenizer.id_to_token(id)) for id in ids] == list(ids)
    assert {tokenizer.token_to_id(name) for name in SPECIAL} <= set(tokenizer.special_tokens.values())
    with pytest.raises(TokenizerError, match="no token 'zzz'"):
        tokenizer.token_to_id("zzz")


@every_tokenizer
@pytest.mark.parametrize("bad", [-1, 10**6, 2**70])
def test_an_id_outside_the_vocabulary_is_named(tokenizer, bad):
    with pytest.raises(TokenizerError, match=f"id {bad} at position 1 is not in this vocabulary"):
        tokenizer.decode([0, bad])
    with pytest.raises(TokenizerError, match="not in this vocabulary"):
        tokenizer.id_to_token(bad)


@every_tokenizer
def test_the_first_id_outside_the_vocabulary_is_vocab_size(tokenizer):
    assert tokenizer.decode([tokenizer.vocab_size - 1])
    with pytest.raises(TokenizerError, match=f"whose ids are 0 to {tokenizer.vocab_size - 1};"):
        tokenizer.decode([tokenizer.vocab_size])


@every_tokenizer
def test_ids_may_come_as_any_integers(tokenizer):
    ids = tokenizer.encode("the end")
    expected = tokenizer.decode(ids)
    assert tokenizer.decode(np.array(ids)) == expected
    assert tokenizer.decode(np.int64(id) for id in ids) == expected
    assert tokenizer.decode(np.array([], np.uint16)) == ""
    with pytest.raises(TokenizerError, match=r"shape \(1, 2\)"):
        tokenizer.decode(np.array([[0, 1]]))
    with pytest.raises(TokenizerError, match="float64"):
        tokenizer.decode(np.array([0.0]))
    with pytest.raises(TokenizerError, match=r"an id is an integer, got 1\.5"):
        tokenizer.decode([0, 1.5])


@every_tokenizer
def test_only_text_is_encoded(tokenizer):
    with pytest.raises(TypeError, match="takes text as str, got bytes"):
        tokenizer.encode(b"the")
    with pytest.raises(TypeError, match="got int"):
        type(tokenizer).train([1], vocab_size=300) if tokenizer is not char else CharTokenizer.train([1])


@every_tokenizer
def test_a_lone_surrogate_is_an_error_with_its_place(tokenizer):
    with pytest.raises(TokenizerError, match=r"lone surrogate U\+D83D at position 4"):
        tokenizer.encode("the \ud83d")


@every_tokenizer
def test_repr_names_the_size_and_the_special_tokens(tokenizer):
    assert repr(tokenizer).startswith(f"{type(tokenizer).__name__}(vocab_size={tokenizer.vocab_size}, special_tokens=[")


@pytest.mark.parametrize(
    ("special_tokens", "message"),
    [
        ("<end>", r"write \['<end>'\]"),
        (["a", ""], "non-empty string, got ''"),
        ([3], "non-empty string, got 3"),
        (["<a>", "<b>", "<a>"], "'<a>' is given 2 times"),
        (["\udc00"], "lone surrogate"),
    ],
)
def test_bad_special_tokens_are_refused(special_tokens, message):
    with pytest.raises(TokenizerError, match=message):
        BPETokenizer([], special_tokens=special_tokens)


@given(parts=st.lists(st.one_of(st.sampled_from(SPECIAL), st.text(TEXT, max_size=6)), max_size=8))
def test_special_tokens_keep_char_and_bpe_lossless(parts):
    text = "".join(parts)
    for tokenizer in (char, bpe):
        for allowed in ("none", "all", {"<|end|>"}):
            ids = tokenizer.encode(text, allowed_special=allowed)
            assert tokenizer.decode(ids) == text
            np.testing.assert_array_equal(tokenizer.encode_array(text, allowed_special=allowed), ids)
