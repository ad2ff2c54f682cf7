"""Translation: what is copied whole, the lexicon in the source, the split, what is measured, and the simple methods."""

from functools import partial

import numpy as np
import pytest

from minilm.applications import translation
from minilm.applications.lexicon import WordByWord
from minilm.applications.simple import translation as simple
from minilm.applications.translation import (
    Drafted,
    Pair,
    Translation,
    chinese_words,
    learn_lexicon,
    memory_of,
    placeholders,
)
from minilm.applications.writing import MEMORY
from minilm.data import DataError

PAIRS = [
    Pair(f"{verb} {noun}", f"{zh_verb}{zh_noun}")
    for verb, zh_verb in (("Delete", "删除"), ("Open", "打开"), ("Close", "关闭"), ("Copy", "复制"))
    for noun, zh_noun in (("file", "文件"), ("folder", "目录"), ("image", "镜像"), ("window", "窗口"), ("page", "页面"))
]


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("%(name)s and %s, %1$s, %d%%", ["%(name)s", "%s", "%1$s", "%d", "%%"]),
        ("{0} of {name!r} {}", ["{0}", "{name!r}", "{}"]),
        ('<a href="x">here</a>&nbsp;5 < 6', ['<a href="x">', "</a>", "&nbsp;"]),
        ("at https://x.org/a?b=1 $HOME", ["https://x.org/a?b=1", "$HOME"]),
        ("100% sure, 5 % of it", []),
        ("请看https://x.org。", ["https://x.org"]),
    ],
)
def test_what_is_copied_whole(text, units):
    assert list(placeholders(text).elements()) == list(dict.fromkeys(units))


def parts_of(codec, ids, units):
    """The three texts of a source."""
    end = codec.tokenizer.special_tokens["</s>"]
    first, second = (place for place, id in enumerate(ids) if id == end)
    return [codec.text(part, units) for part in (ids[:first], ids[first:second], ids[second:])]


def test_a_source_is_a_draft_a_neighbor_and_the_english_without_spaces():
    codec, files = Translation().make_codec(PAIRS)
    memory = memory_of([Pair("Open the %(old)s files", "打开 %(old)s 们"), Pair("Close %(x)s", "关闭")])
    lexicon = WordByWord({"file": "文件", "open": "打开", "the": ""}, keep=translation.UNIT)
    own = Drafted(codec.tokenizer, lexicon, memory)
    ids, units = own.source("Open the %(old)s file!")
    assert ids[0] == own.tokenizer.special_tokens["<s>"]
    assert parts_of(own, ids, units) == ["打开%(old)s文件!", "打开 %(old)s 们", "Openthe%(old)sfile!"]
    assert units == ["%(old)s"]
    assert parts_of(own, own.source("Shut it")[0], []) == ["Shut it", "", "Shutit"]  # nothing is near
    assert own.text(own.target("打开 %(old)s", units), units) == "打开 %(old)s"
    assert set(files) == {"tokenizer.json", "lexicon.json", MEMORY}


def test_the_lexicon_is_found_in_pairs():
    lexicon = learn_lexicon(PAIRS, list, 0.0).entries
    assert lexicon["file"] in "文件"
    assert lexicon["delete"] in "删除"
    assert learn_lexicon(PAIRS, list, 1.1).entries["file"] == ""


def test_a_training_pair_is_read_with_the_lexicon_of_the_others(tmp_path):
    pairs = [*PAIRS, Pair("Zebra", "斑马")]
    task = Translation()
    made, files = task.learn(task.divide(pairs), "")
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    codec = task.codec(tmp_path)
    parts = [parts_of(codec, ids, []) for ids in task.encode_training(made, tmp_path, pairs).sources]
    assert parts[-1] == ["Zebra", "", "Zebra"]  # nobody else has it
    assert {"删", "除", "文", "件"} & {*parts[0][0]}
    assert all(near != pair.target for (_, near, _), pair in zip(parts, pairs, strict=True))  # a neighbor, not itself
    assert sum(near != "" for _, near, _ in parts) > len(pairs) / 2


def test_what_is_chosen_from():
    codec, _ = Translation().make_codec(PAIRS)
    assert Translation().drafts(codec, "Open %s") == [codec.lexicon.translate("Open %s")]
    assert Translation().worth_of("打开文件", "打开文件") == (pytest.approx(1.0), 4)
    assert Translation().worth_of("打开文件", "x")[0] == 0


class TestSplit:
    def test_no_text_stands_in_two_parts(self):
        more = [
            Pair("Save %s", "保存%s"),
            Pair("save  %d!", "存 %d"),
            Pair("SAVE %s", "保存"),
            Pair("123", "一"),
            Pair("x", "x"),
        ]
        split = Translation().divide(PAIRS + more)
        parts = [split.train, split.validation, split.test]
        assert sum(map(len, parts)) == len(PAIRS) + 2  # one of the three "save" is a copy, the last two say nothing
        assert all(parts)
        assert "2 pairs" in split.about

    def test_texts_that_differ_in_placeholders_are_in_one_part(self):
        family = [Pair(f"The file {{{name}}} is gone, {{{name}x}}", "没有") for name in "abcdefgh"]
        split = Translation().divide(PAIRS + family)
        assert (
            sum(any("gone" in pair.source for pair in part) for part in (split.train, split.validation, split.test))
            == 1
        )

    def test_a_file_of_pairs(self, tmp_path):
        (tmp_path / "pairs.tsv").write_text("Open\t打开\n", encoding="utf-8")
        assert Translation().read(tmp_path / "pairs.tsv") == [Pair("Open", "打开")]
        (tmp_path / "bad.tsv").write_text("Open\n", encoding="utf-8")
        with pytest.raises(DataError, match="English, a tab, Chinese"):
            Translation().read(tmp_path / "bad.tsv")


class TestMeasure:
    EXAMPLES = (Pair("Open %s", "打开 %s"), Pair("Close", "关闭"), Pair("{a} of {b}", "{b}的{a}"))

    def measured(self, *written):
        answers = [{"translation": text} for text in written]
        return {s.name: s.value for s in Translation().measure(self.EXAMPLES, answers)}

    def test_all_right_and_all_wrong(self):
        assert self.measured(*(pair.target for pair in self.EXAMPLES)) == pytest.approx(
            {"BLEU": 100.0, "chrF": 100.0, "exact match": 1.0, "placeholders kept": 1.0}
        )
        assert set(self.measured("", "", "").values()) == {0.0}

    def test_placeholders_count_where_there_are_any(self):
        assert self.measured("%s", "%s", "{a}{a}{b}")["placeholders kept"] == 0.5

    def test_what_is_wrong_the_worst_first(self):
        answers = [{"translation": text} for text in ("打开", "关闭", "x")]
        assert Translation().wrong(self.EXAMPLES, answers) == [2, 0]

    def test_an_empty_line_is_no_question(self):
        with pytest.raises(ValueError, match="empty"):
            Translation().parse("  ")


class TestSimple:
    def split(self):
        return Translation().divide(PAIRS)

    def test_a_lexicon_takes_the_longest_phrase_and_leaves_what_it_lacks(self):
        lexicon = WordByWord({"log in": "登录", "log": "日志", "to": "", "s": "的"}, 2, translation.UNIT)
        assert [lexicon.translate(text) for text in ("Log in to %s", "log the  X", "")] == [
            "登录%s",
            "日志the X",
            "",
        ]

    def test_the_nearest_neighbor(self):
        pytest.importorskip("sklearn")
        split = self.split()
        system = simple.nearest_neighbor(split, translation.worth)
        assert [a["translation"] for a in system([split.train[3].source])] == [split.train[3].target]
        assert system([]) == []

    def test_the_dictionary_prefers_words_that_programs_use(self):
        entries = [
            ("檔案", "档案", "", ["file"]),
            ("文件", "文件", "", ["file (computer)"]),
            ("開", "打开", "", ["to open"]),
        ]
        system = simple.dictionary(self.split(), entries, translation.UNIT, translation.worth)
        assert system(["Open file"])[0]["translation"] == "打开文件"

    def test_the_learned_lexicon_translates_words_that_it_has_seen_apart(self):
        split = self.split()
        system = simple.learned_lexicon(
            split, partial(learn_lexicon, split.train, chinese_words(PAIRS)), translation.worth
        )
        right = np.mean([system([p.source])[0]["translation"] == p.target for p in split.train])
        assert right > 0.5
