from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilm.text.added import AddedToken, AddedTokens

PLAIN = AddedToken("<a>", 1)


def everywhere(text, tokens):
    return AddedTokens(tokens).cut(text, {token.name for token in tokens})


def cut(text, *tokens):
    return [(text[start:end], id) for start, end, id in everywhere(text, tokens)]


@pytest.mark.parametrize(
    ("tokens", "text", "parts"),
    [
        ([], "x<a>", [("x<a>", None)]),
        ([PLAIN], "", []),
        ([PLAIN], "x<a><a> y", [("x", None), ("<a>", 1), ("<a>", 1), (" y", None)]),
        ([PLAIN, AddedToken("<a>>", 2)], "<a>>x", [("<a>>", 2), ("x", None)]),
        ([PLAIN._replace(lstrip=True)], "x \n<a> y", [("x", None), (" \n<a>", 1), (" y", None)]),
        ([PLAIN._replace(rstrip=True)], "x <a>\u3000 y", [("x ", None), ("<a>\u3000 ", 1), ("y", None)]),
        ([PLAIN._replace(rstrip=True, lstrip=True)], " <a>  <a> ", [(" <a>  ", 1), ("<a> ", 1)]),
        ([PLAIN._replace(rstrip=True)], "<a>\x1cy", [("<a>", 1), ("\x1cy", None)]),
        ([AddedToken("end", 1, single_word=True)], "end bend ends end_ end", [("end", 1), (" bend ends end_ ", None), ("end", 1)]),
        ([AddedToken("end", 1, single_word=True)], "end\u0301 ²end", [("end\u0301 ²", None), ("end", 1)]),
        ([AddedToken("ab", 1, normalized=True), AddedToken("b", 2)], "abab", [("a", None), ("b", 2), ("a", None), ("b", 2)]),
    ],
)  # fmt: skip
def test_text_is_cut_at_added_tokens(tokens, text, parts):
    assert cut(text, *tokens) == parts


def test_a_token_that_is_not_allowed_is_ordinary_text_as_a_whole():
    tokens = [PLAIN, AddedToken("a", 2, special=False)]
    assert list(AddedTokens(tokens).cut("a<a>", {"<a>"})) == [(0, 1, 2), (1, 4, 1)]
    assert list(AddedTokens(tokens).cut("a<a>", set())) == [(0, 1, 2), (1, 4, None)]
    assert list(AddedTokens([PLAIN]).cut("a<a>", set())) == [(0, 4, None)]


flags = st.booleans()
tokens = st.lists(
    st.builds(
        AddedToken, st.text("ab \n", min_size=1, max_size=3), st.integers(0, 9), flags, flags, flags, flags, flags
    ),
    max_size=3,
    unique_by=lambda token: token.name,
)


@given(st.text("ab \n"), tokens)
def test_nothing_is_left_out_or_empty(text, tokens):
    parts = list(everywhere(text, tokens))
    assert all(start < end for start, end, _ in parts)
    assert [0, *(end for _, end, _ in parts)] == [*(start for start, _, _ in parts), len(text)]
    assert not any(a[2] is None and b[2] is None for a, b in pairwise(parts))
