import pytest

from minilm.text import PublishedBPETokenizer, TokenizerError
from minilm.text.added import AddedToken
from minilm.text.published_bpe import bytes_of, spelled


def test_the_alphabet_of_gpt2():
    """Three runs of bytes that cannot be seen, numbered from U+0100: 00 to 20, 7F to A0, AD."""
    seen = bytes([*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)])
    assert spelled(seen) == seen.decode("latin-1")
    assert spelled(b"\x00\n \x7f\x80\xa0\xad") == "ĀĊĠġĢłŃ"
    every = bytes(range(256))
    assert bytes_of(spelled(every), "token 0") == every
    assert len(set(spelled(every))) == 256


END = AddedToken("<e>", 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tokens": ["a", "a"], "merges": []}, "the token 'a' has two ids, 0 and 1"),
        ({"tokens": ["a", ""], "merges": []}, "token 1 is empty"),
        ({"tokens": ["a", "京"], "merges": []}, "token 1 is '京', whose character '京' stands for no byte"),
        ({"tokens": ["a", "b", "ab"], "merges": [(0, 3)]}, r"merge 0 is \(0, 3\), but the ids are 0 to 2"),
        ({"tokens": ["a", "b", "ab"], "merges": [(0, 1), (0, 1)]}, "merge 1 is .*, as merge 0 already is"),
        ({"tokens": ["a", "b", "ab"], "merges": [(1, 0)]}, "merge 0 makes 'ba', which is no ordinary token"),
        ({"tokens": ["<", "e>", "b", "<e>"], "merges": [(0, 1)], "added_tokens": [END]}, "which is no ordinary token"),
        ({"tokens": ["a", "b", "c", "<e>"], "merges": [(0, 3)], "added_tokens": [END]}, "one is an added token"),
        ({"tokens": ["a", "b"], "merges": [], "added_tokens": [END]}, "has the id 3, where the vocabulary has it not"),
        ({"tokens": ["a"], "merges": [], "roles": {"cls": 0}}, "the role 'cls' has the id 0"),
        ({"tokens": ["a"], "merges": [], "add_bos": True}, "no role 'bos'"),
        ({"tokens": ["a"], "merges": [], "splits": ["gpt5"]}, "no way of cutting text called 'gpt5'"),
        ({"tokens": ["a"], "merges": [], "splits": ["digits", "gpt2"], "prefix_space": True}, "one way of cutting"),
    ],
)
def test_what_cannot_be_is_named(arguments, message):
    with pytest.raises(TokenizerError, match=message):
        PublishedBPETokenizer(**arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"options": {}}, "field 'options' must say true or false of each"),
        ({"options": {"normalize": 1}}, "field 'options'"),
        ({"roles": {"bos": "0"}}, "the role 'bos' has the id '0'"),
        ({"added_tokens": [{"name": "a"}]}, "added token 0 must have the fields"),
        ({"merges": [[0, 1.0]]}, "merge 0 must be a list of two integers"),
        ({"tokens": [None]}, "field 'tokens' must hold strings"),
    ],
)
def test_a_damaged_file_of_our_own_is_named(change, message):
    fields = PublishedBPETokenizer(["a", "b", "ab"], [(0, 1)]).to_dict()
    with pytest.raises(TokenizerError, match=message):
        PublishedBPETokenizer.from_dict(fields | change)


def test_an_empty_vocabulary_has_no_text():
    assert PublishedBPETokenizer([], []).encode("") == []
    with pytest.raises(TokenizerError, match="no token for the byte 0x61"):
        PublishedBPETokenizer([], []).encode("a")
