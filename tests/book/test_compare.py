"""Comparing outputs: rounding may differ, nothing else."""

import pytest

from chapters.tools.compare import differences, same_number, same_text


def stream(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def shown(**data):
    return {"output_type": "display_data", "data": {k.replace("_", "/"): v for k, v in data.items()}, "metadata": {}}


@pytest.mark.parametrize(
    ("old", "new", "agree"),
    [
        ("1.0", "1.0", True),
        ("0.5", "0.500001", True),
        ("0.5", "0.50001", False),
        ("1e-9", "9e-9", True),  # below the absolute tolerance
        ("1e-7", "2e-7", False),
        ("0.1234", "0.1235", True),  # one in the last of four digits
        ("0.1234", "0.1236", False),
        ("0.123", "0.124", False),  # three digits: too coarse to forgive
        ("12.34", "12.35", True),
        ("2.345e-03", "2.346e-03", True),
        ("2.345e-03", "2.345e-02", False),
        ("-0.000", "0.000", True),
        ("1234567", "1234568", False),  # whole numbers are exact
        ("-1.5", "1.5", False),
        ("\u22121.5", "-1.5", True),  # the minus sign of typeset numbers
    ],
)
def test_numbers(old, new, agree):
    assert same_number(old, new) is agree


@pytest.mark.parametrize(
    ("old", "new", "agree"),
    [
        ("loss 0.123456, step 10", "loss 0.123457, step 10", True),
        ("loss 0.123456, step 10", "loss 0.123456, step 11", False),
        ("loss 0.5", "error 0.5", False),
        ("0.5 0.5", "0.5", False),
        ("[ 0.1 -0.2]", "[0.1 -0.2]", True),
        ("[[-0.0  1. ]\n [ 2.  3. ]]", "[[0.0 1. ]\n [2. 3. ]]", True),
        ("a\nb", "a b", True),
        ("layer2.weight", "layer3.weight", False),
        ("h100", "h200", False),
        ("1.0 ms", "1.0 s", False),
        ("12.3456px", "12.3457px", True),
        ("#3b82f6", "#3b83f6", False),
        ("1.2.3", "1.2.4", False),
        ('<path d="M1.00000 2"/>', '<path d="M1.00001 2"/>', True),
        ('<div data-mlstep="0a1b2c3d4e">', '<div data-mlstep="1a1b2c3d4e">', True),
        ('<div id="s-0a1b2c3d4e">1.5', '<div id="s-1a1b2c3d4e">1.6', False),
        ('<div class="mlstep m0840c80d">.m0840c80d{}', '<div class="mlstep mab0afc79">.mab0afc79{}', True),
        ("nan", "nan", True),
        ("nan", "0.0", False),
    ],
)
def test_texts(old, new, agree):
    assert same_text(old, new) is agree


def test_a_tag_loosens_the_tolerance():
    assert same_text("loss 2.31", "loss 2.32", rtol=1e-2)
    assert not same_text("loss 2.31", "loss 2.41", rtol=1e-2)
    assert not same_text("10 steps", "11 steps", rtol=1e-1)


def test_outputs_are_compared_kind_by_kind():
    assert differences([stream("1.0\n")], [stream("1.0\n")]) == []
    [text] = differences([stream("a\nloss 1.0\n")], [stream("a\nloss 2.0\n")])
    assert "- loss 1.0" in text
    assert "+ loss 2.0" in text
    assert "a\n" not in text
    [kinds] = differences([stream("1")], [])
    assert kinds == "kinds of outputs: committed stream:stdout, rebuilt nothing"
    assert differences([shown(text_html="<b>1.0</b>")], [shown(text_html="<b>2.0</b>")])
    assert differences([shown(text_plain="<A>", image_png="x")], [shown(text_plain="<A>", image_png="y")]) == []
    assert differences([shown(image_png="x")], [shown(image_png="x"), shown(image_png="y")])


def test_of_a_cell_that_varies_only_the_kinds_count():
    assert differences([stream("took 1.0 s")], [stream("took 2.0 seconds")], kinds_only=True) == []
    assert differences([stream("took 1.0 s")], [shown(text_plain="1")], kinds_only=True)


def test_errors_are_compared_by_name_and_message():
    old = {"output_type": "error", "ename": "ValueError", "evalue": "shapes (2,), (3,)", "traceback": []}
    assert differences([old], [dict(old)]) == []
    assert differences([old], [{**old, "evalue": "shapes (2,), (4,)"}])
    assert differences([old], [{**old, "ename": "TypeError"}])
