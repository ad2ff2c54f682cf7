import io
import zipfile

import pytest

from minilm.data import DataError, small_talk
from minilm.data.sets.talk import conversations

TALK = """categories:
- AI
conversations:
- - What is AI?
  - Artificial
    Intelligence.
- - 'It''s yes: "no"'
  - "tab\\t and \\"quotes\\""
  - 42
# a comment
- In one dash
  - yes # that is a comment
- - code?
  - |
    def f():
        - 1

    end

- -
  - C#, not a comment
"""


def test_conversations():
    assert conversations(TALK, "x.yml") == [
        ["What is AI?", "Artificial Intelligence."],
        ['It\'s yes: "no"', 'tab\t and "quotes"', "42"],
        ["In one dash", "yes"],
        ["code?", "def f():\n    - 1\n\nend"],
        ["C#, not a comment"],
    ]
    assert conversations(TALK.replace("\n", "\r\n"), "x.yml") == conversations(TALK, "x.yml")
    assert conversations("conversations:\n", "x.yml") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- - a\n", "has no 'conversations:'"),
        ("conversations:\n  - a\n", "line 2: expected the first turn"),
        ("conversations:\n- - a\nhello\n", "line 3: expected '- - '"),
        ("conversations:\n- - 'a\n", "line 2: a text that begins with ' must end with it"),
        ('conversations:\n- - a\n  - "\n', 'line 3: a text that begins with "'),
    ],
)
def test_what_is_none_is_named(text, message):
    with pytest.raises(DataError, match=f"x.yml,? ?{message}"):
        conversations(text, "x.yml")


@pytest.fixture
def wheel(put):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, said in (
            ("english/b", "B"),
            ("english/a", "A"),
            ("chinese/a", "你好"),
            ("traditionalchinese/a", "no"),
        ):
            archive.writestr(f"chatterbot_corpus/data/{name}.yml", f"conversations:\n- - {said}\n  - {said}!\n")
    put("small-talk", made.getvalue())


def test_languages_and_topics(wheel):
    assert small_talk() == [["A", "A!"], ["B", "B!"]]
    assert small_talk("chinese") == [["你好", "你好!"]]
    assert small_talk(topics={"b"}) == [["B", "B!"]]
    with pytest.raises(DataError, match="language = 'german': small-talk has 'english' and 'chinese'"):
        small_talk("german")
    with pytest.raises(DataError, match="no topics z in english: there are a, b"):
        small_talk(topics=["z", "a"])


def test_what_is_no_wheel_is_named(put):
    put("small-talk", b"PK")
    with pytest.raises(DataError, match=r"\.whl is no wheel with texts"):
        small_talk()


@pytest.mark.slow
def test_the_published_talk(published):
    english, chinese = small_talk(), small_talk("chinese")
    assert (len(english), sum(len(one) == 2 for one in english)) == (2_026, 1_947)
    assert (len(chinese), sum(len(one) == 2 for one in chinese)) == (467, 451)
    assert len(small_talk(topics=["trivia"])) == 261
