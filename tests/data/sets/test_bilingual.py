import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilm.data import DataError, chinese_lexicon, human_rights
from minilm.data.sets.bilingual import pickled_strings

LINES = ["你好 你好 [ni3 hao3] /hello/hi/", "後來 后来 [hou4 lai2] /afterwards", "% % [pa1] /percent/"]


@given(st.lists(st.text(max_size=9), min_size=2, max_size=20), st.sampled_from([0, 230, 300]), st.sampled_from([2, 3]))
def test_strings_are_read_without_unpickling(strings, more, protocol):
    strings = [*dict.fromkeys([*strings, *map(str, range(more))]), "last"]  # from the 256th on with longer numbers
    assert pickled_strings(pickle.dumps(strings, protocol), Path("x")) == strings


class Program:
    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


@pytest.mark.parametrize("value", [["a", Program()], ["a", 1], {"a": "b"}, ("a",), ["a", None], ["a", ["b", 0.5]]])
def test_no_other_instruction_is_followed(value):
    with pytest.raises(DataError, match=r"x is not what it should be, a pickled list of strings: instruction"):
        pickled_strings(pickle.dumps(value, 3), Path("x"))


def test_a_pickle_that_is_cut_is_named():
    content = pickle.dumps(LINES, 3)
    for end in range(len(content)):
        with pytest.raises(DataError, match=r"^x is (not what|no text)"):
            pickled_strings(content[:end], Path("x"))


def test_chinese_lexicon(put):
    put("chinese-lexicon", pickle.dumps(LINES, 3))
    assert chinese_lexicon() == [
        ("你好", "你好", "ni3 hao3", ["hello", "hi"]), ("後來", "后来", "hou4 lai2", ["afterwards"]), ("%", "%", "pa1", ["percent"]),
    ]  # fmt: skip


def test_a_line_that_is_no_entry_is_named(put):
    put("chinese-lexicon", pickle.dumps([*LINES, "x y z"], 3))
    with pytest.raises(DataError, match=r"dump\.dat, line 4: expected an entry"):
        chinese_lexicon()


def page(*articles):
    return "".join(f'<article data-number="{n}"><h2>A</h2>{body}</article>' for n, body in articles).encode()


def test_human_rights(put):
    english = page(
        (1, "<p>All &amp; free.</p>"), (2, "<ol><li><p>a</p></li><li><p>b</p></li></ol>"), (3, "<p>c</p><p>d</p>")
    )
    put("human-rights", english, page((1, "<p>一</p>"), (2, "<p>二</p><p>三</p>"), (3, "<p>四</p>"), (4, "<p>五</p>")))
    assert human_rights() == [("All & free.", "一"), ("a", "二"), ("b", "三"), ("c\nd", "四")]
    put("human-rights", b"<html>", b"")
    with pytest.raises(DataError, match=r"eng\.html has no articles"):
        human_rights()


@pytest.mark.slow
def test_the_published_lexicon_and_declaration(published):
    entries = chinese_lexicon()
    assert len(entries) == 118_840
    assert ("日光浴", "日光浴", "ri4 guang1 yu4", ["sunbathing"]) in entries
    pairs = human_rights()
    assert len(pairs) == 50
    assert pairs[-1][0].startswith("Nothing in this Declaration")
