"""Text with marked names: CoNLL's format in all its ways of tagging, names made of tagged words, and where texts are cut."""

import pytest

from minilm.applications.tagged import CHARACTERS, WORDS, line_of, news, pieces, read_conll, tokenized
from minilm.data import DataError

WAYS = {
    "BIO": "B-PER I-PER O B-LOC B-LOC B-LOC I-LOC",
    "IOB1": "I-PER I-PER O I-LOC B-LOC B-LOC I-LOC",
    "BIOES": "B-PER E-PER O S-LOC S-LOC B-LOC E-LOC",
    "BILOU": "B-PER L-PER O U-LOC U-LOC B-LOC L-LOC",
}
NAMES = [(0, 2, "PER"), (3, 4, "LOC"), (4, 5, "LOC"), (5, 7, "LOC")]


def written(folder, text, encoding="utf-8"):
    path = folder / "names.conll"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_tagging_gives_the_same_names(tmp_path, way):
    lines = [f"w{i} NN x {tag}" for i, tag in enumerate(WAYS[way].split())]
    (sentence,) = read_conll(written(tmp_path, "\n".join(lines)))
    assert list(sentence.spans) == NAMES
    assert sentence.tokens == ("w0", "w1", "w2", "w3", "w4", "w5", "w6")


def test_sentences_documents_comments_and_line_ends(tmp_path):
    text = "-DOCSTART- -X- O O\r\n\r\n# id 1\r\nAda B-PER\r\n\r\n\r\n#\tO\r\nEnd\tO\r\n-DOCSTART-\tO\r\nRome\tB-LOC"
    first, second, third = read_conll(written(tmp_path, text, "utf-8-sig"))
    assert (first.tokens, second.tokens, third.tokens) == (("Ada",), ("#", "End"), ("Rome",))
    assert first.group == second.group != third.group


def test_a_wide_space_is_a_token(tmp_path):
    (sentence,) = read_conll(written(tmp_path, "　\t記号\tO\n東京\t名詞\tB-LOC"))
    assert sentence.tokens == ("　", "東京")


def test_without_documents_ten_sentences_in_a_row_belong_together(tmp_path):
    sentences = read_conll(written(tmp_path, "a O\n\n" * 21))
    assert [s.group for s in sentences] == [0] * 10 + [1] * 10 + [2]


def test_characters_are_told_from_words(tmp_path):
    assert read_conll(written(tmp_path, "江 B-PER\n泽 I-PER\n民 I-PER\n1998 O\n。 O"))[0].unit == CHARACTERS
    assert read_conll(written(tmp_path, "I O\na O\nRome B-LOC\n. O"))[0].unit == WORDS
    assert read_conll(written(tmp_path, "北京 B-LOC\n欢迎 O\n你 O"))[0].unit == WORDS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no sentence"),
        ("\n-DOCSTART- O\n\n", "no sentence"),
        ("Ada B-PER\nRome", r"line 2: 'Rome' stands alone"),
        ("Ada B-PER\nRome LOC", r"line 2: the last column is 'LOC', expected O"),
        ("Ada B-\n", r"line 1: the last column is 'B-'"),
        ("Ada X-PER\n", r"line 1: the last column is 'X-PER'"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_its_line(tmp_path, text, said):
    with pytest.raises(DataError, match=said):
        read_conll(written(tmp_path, text))


def test_a_file_that_is_no_utf8_or_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no UTF-8 text \(byte 0\)"):
        read_conll(written(tmp_path, "京 O", "gb18030"))
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_conll(tmp_path / "none")


def names(words):
    (text,) = news([[tuple(word.split("/")) for word in words.split()]])
    return [("".join(text.tokens[start:end]), kind) for start, end, kind in text.spans]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("江/nr 泽民/nr 在/p 北京/ns", [("江泽民", "PER"), ("北京", "LOC")]),
        ("李/nr 鹏/nr 乔/nr 石/nr", [("李鹏", "PER"), ("乔石", "PER")]),
        ("欧阳/nr 山尊/nr", [("欧阳山尊", "PER")]),
        ("书云/nr 玉琴/nr", [("书云", "PER"), ("玉琴", "PER")]),
        ("陈/nr 方/nr 安生/nr", [("陈方安生", "PER")]),
        ("周/nr 、/w 克林顿/nr", [("周", "PER"), ("克林顿", "PER")]),
        ("江苏/ns 南京/ns 新华社/nt", [("江苏", "LOC"), ("南京", "LOC")]),
    ],
)
def test_names_are_made_of_tagged_words(words, found):
    assert names(words) == found


def test_what_else_is_known_is_the_part_of_speech(tmp_path):
    (text,) = news([[("江", "nr"), ("泽民", "nr"), ("在", "p")]])
    assert text.others == ("B-nr", "B-nr", "I-nr", "B-p")
    first, second = read_conll(written(tmp_path, "Ada NNP I-NP B-PER\nran VBD I-VP O\n\nRome B-LOC"))
    assert (first.others, second.others) == (("NNP", "VBD"), ())


def test_a_group_ends_before_a_headline():
    headline, text = [("标题", "n")], [("正文", "n"), ("。", "w")]
    paragraphs = [headline, *[text] * 15, headline, *[text] * 10, headline, headline, text]
    groups = [each.group for each in news(paragraphs)]
    assert (
        groups == [0] * 27 + [1] * 3
    )  # the first headline behind twenty paragraphs; the second line of one begins none


def test_pieces_end_with_sentences_or_at_a_pause():
    tokens = tuple("甲乙。丙丁，戊己庚辛。壬")
    assert pieces(tokens, CHARACTERS, 10) == [(0, 3), (3, 11), (11, 12)]
    assert pieces(tokens, CHARACTERS, 5) == [(0, 3), (3, 6), (6, 11), (11, 12)]
    assert pieces(tokens[6:10], CHARACTERS, 3) == [(0, 3), (3, 4)]
    assert pieces(tokens, WORDS, 100) == [(0, 12)]
    assert pieces((), CHARACTERS, 5) == []


@pytest.mark.parametrize("most", [1, 2, 3, 7])
def test_pieces_hold_every_token_once(most):
    tokens = tuple("甲，，乙丙丁戊己。。庚辛，壬癸子丑寅卯；" * 3)
    found = pieces(tokens, CHARACTERS, most)
    assert [i for start, end in found for i in range(start, end)] == list(range(len(tokens)))
    assert max(end - start for start, end in found) <= most


def test_lines_know_where_their_tokens_begin():
    for text, unit in (("  Dr. O'Neill met\tA.B. (2)!", WORDS), ("江 泽民　在😀", CHARACTERS)):
        line = tokenized(text, unit)
        assert all(text[at:].startswith(token) for at, token in zip(line.starts, line.tokens, strict=True))
        assert "".join(line.tokens) == "".join(text.split())
    assert tokenized("Dr. O'Neill, U.S.", WORDS).tokens == ("Dr", ".", "O'Neill", ",", "U.S", ".")
    assert tokenized("", WORDS).tokens == ()
    assert line_of(("a", "bc"), WORDS) == ("a bc", ("a", "bc"), (0, 2))
    assert line_of(("京", "城"), CHARACTERS) == ("京城", ("京", "城"), (0, 1))
