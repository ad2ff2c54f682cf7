import pytest

from minilm.text.sentences import sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\n ", []),
        ("no mark at the end", ["no mark at the end"]),
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("It is 3.5 percent. Of what?", ["It is 3.5 percent.", "Of what?"]),
        ("See e.g. Smith, i.e. Mr. Smith (p. 3). He did.", ["See e.g. Smith, i.e. Mr. Smith (p. 3).", "He did."]),
        ("By J. R. R. Tolkien. And I. Then us.", ["By J. R. R. Tolkien.", "And I.", "Then us."]),
        ('He said "yes." Then "no!" (Twice.) Well', ['He said "yes."', 'Then "no!"', "(Twice.)", "Well"]),
        ("One line\nis folded.\n\nA heading\n\nText", ["One line is folded.", "A heading", "Text"]),
        ("A list:\n- first\n  goes on\n- second\n1. third", ["A list:", "- first goes on", "- second", "1. third"]),
        ("你好。再见！真的？“好。”走", ["你好。", "再见！", "真的？", "“好。”", "走"]),
        ("Ends with dots... And more", ["Ends with dots...", "And more"]),
        ("a.b.c is no end. x", ["a.b.c is no end. x"]),
    ],
)
def test_sentences(text, expected):
    assert sentences(text) == expected


def test_nothing_is_lost_but_white_space():
    text = "One. two (three!) four?  Five\u00a0six.\n\n* seven\n\n\n 8. nine\r\nten"
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())
