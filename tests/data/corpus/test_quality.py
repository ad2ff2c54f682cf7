"""Rules that leave documents out: all at once against counting, and what each rule is for."""

import random

import numpy as np
import pytest

from minilm.data.corpus import quality as module
from minilm.data.corpus.quality import RULES, Rule, broken, judge, judge_plain, measures, measures_plain
from tests.data.corpus.texts import any_texts, words

ENGLISH = (
    "The package is for people who want to read the weather that was measured by a station in their garden. It reads the "
    "numbers from the cable, and it draws them. You can choose how often this happens, and where the pictures are kept when "
    "the disk is full. Those who have no station will find some examples with it."
)
GERMAN = (
    "Das Paket ist für Leute, die das Wetter lesen wollen, das eine Station in ihrem Garten gemessen hat. Es liest die Zahlen "
    "vom Kabel und zeichnet sie. Man kann wählen, wie oft das geschieht, und wo die Bilder bleiben, wenn die Platte voll ist. "
    "Wer keine Station hat, findet einige Beispiele dabei."
)
CHINESE = (
    "春天来了，公园里的花都开了。许多老人早上在湖边散步，有的打太极拳，有的唱歌，还有的带着孙子看鱼。我家离那里不远，周末常常一个人去，"
    "带一本书，找一张安静的长椅坐下。有一次我遇到一位画家，他正在画对岸的小桥。他说这座桥已经有三百多年的历史，下雨的时候最好看。"
    "后来我们成了朋友，每个月见面一次，谈谈读过的小说和走过的城市。去年冬天他搬到南方，临走前把那幅画送给了我，现在挂在书房的墙上。"
    "每当夜里写字写累了，抬头望见它，便想起湖水、微风与那些慢慢过去的下午……生活原来可以如此简单，只要愿意停下脚步，听一听鸟叫，闻一闻草香。"
)
JAPANESE = (
    "春になりました。公園の花がたくさん咲いています。お年寄りたちは朝から湖のまわりを歩いたり、歌ったり、魚を見たりしています。わたしの家はそこから"
    "遠くないので、週末にはよく本を持って出かけます。静かなベンチをさがして、すわって読みます。ある日、橋の絵をかいている人に会いました。"
    "この橋は三百年前のものだそうです。雨の日がいちばんきれいだと言っていました。それから友だちになって、毎月いっしょに話をします。"
    "去年の冬、その人は南の町へ引っこしましたが、あの絵をわたしにくれました。いまも部屋のかべにかかっています。"
)


def structured(count, seed=0):
    """Documents of few words in lines and paragraphs, so that all of them are repeated."""
    rng = random.Random(seed)
    known = [*words(6, seed), "the", "of", "中", "国", "か", "#", "...", "…", "-", "*", "3.5", "“", "，"]
    breaks = [" ", " ", " ", "\n", "\n\n", "\n \t\n", "", " \n"]
    lengths = [rng.choice([0, 1, 3, 20, 60]) for _ in range(count)]
    return ["".join(rng.choice(known) + rng.choice(breaks) for _ in range(length)) for length in lengths]


def names(text):
    (faults,) = judge([text])
    assert [fault.rule for fault in faults] == judge_plain(text)
    return [fault.rule for fault in faults]


@pytest.mark.parametrize("texts", [any_texts(100), structured(100)], ids=["any", "structured"])
def test_many_at_once_are_each_by_itself(texts):
    found = measures(texts)
    for i, text in enumerate(texts):
        plain = measures_plain(text)
        assert plain.keys() == found.keys()
        for name, value in plain.items():
            np.testing.assert_equal(found[name][i], value, err_msg=f"{name} of {text!r}")
    assert [[fault.rule for fault in faults] for faults in judge(texts)] == [judge_plain(text) for text in texts]


def test_a_verdict_does_not_depend_on_the_other_documents(monkeypatch):
    texts = structured(40, 3)
    whole = judge(texts)
    assert judge(texts[::-1]) == whole[::-1]
    monkeypatch.setattr(module, "BATCH", 50)
    assert judge(texts) == whole


def test_prose_stays():
    assert names(ENGLISH) == names(CHINESE) == names(CHINESE + " GPU GO 1 2") == []


def test_other_languages_go():
    assert names(GERMAN) == ["not English"]
    assert names(JAPANESE) == ["not Chinese"]


def test_nothing_is_too_short_and_breaks_no_other_rule():
    assert names("") == names(" \n ") == ["short"]
    assert judge([]) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("\n".join([ENGLISH, *["Copyright."] * 3]), "repeated lines"),
        ("\n\n".join([ENGLISH, *["Copyright\nby us."] * 3]), "repeated paragraphs"),
        ("\n".join([ENGLISH, ENGLISH]), "much in repeated lines"),
        (ENGLISH + " read more" * 20, "top 2-gram"),
        (f"{ENGLISH} And again: {ENGLISH}", "repeated 10-grams"),
        (CHINESE + "阅读全文" * 40, "top 3-gram of characters"),
        (CHINESE + "又说" + CHINESE, "repeated 10-grams of characters"),
        (ENGLISH + " #ad" * 9, "hashes"),
        (ENGLISH.replace("e ", "e... "), "ellipses"),
        (ENGLISH + "".join(f" {i}" for i in range(30)), "words without letters"),
        (ENGLISH.replace(" ", ""), "length of words"),
        (" ".join(ENGLISH.replace(" ", "")), "length of words"),
        ("\n".join(f"* {word}" for word in ENGLISH.split()), "bullets"),
        ("\n".join(f"{line} and…" for line in ENGLISH.split(",")), "lines that break off"),
    ],
)
def test_each_rule_has_its_document(text, rule):
    assert rule in names(text)


def test_a_reason_tells_the_number_and_the_bound():
    (fault,) = judge(["Ten words."])[0][:1]
    assert fault == ("short", 8, "8 characters besides punctuation and spaces; at least 200 asked for")
    rule = Rule("lines", "repeated_lines", "of its lines stood in it before", "us", most=0.3)
    assert rule.reason(0.456) == "45.6 % of its lines stood in it before; at most 30.0 % asked for"


def test_a_bound_itself_is_kept():
    rule = Rule("letters", "words_with_a_letter", "of its words have a letter", "us", least=0.75, most=0.75)
    assert not broken(measures(["a b c 1"]), [rule]).any()
    assert broken(measures(["a b 1 1", "a b c d"]), [rule]).all()


def test_no_rule():
    assert broken(measures(["a", "b"]), []).shape == (2, 0)


def test_rules_have_different_names_as_documents_are_counted_by_them():
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_what_a_rule_asks_in_words():
    asks = {rule.name: rule.asks for rule in RULES}
    assert asks["short"] == "at least 200 characters besides punctuation and spaces"
    assert (
        asks["length of words"] == "at least 3 and at most 10 characters per word, in texts with spaces between words"
    )
    assert (
        asks["not Chinese"]
        == "at least 80.0 % of what it writes without spaces is Chinese, in texts without such spaces"
    )


def test_a_rule_without_measure():
    with pytest.raises(KeyError, match="beauty"):
        broken(measures(["a"]), [Rule("beauty", "beauty", "", "")])
