import xml.etree.ElementTree as ET

import pytest

from minilm.book import Step, flow

STEPS = [Step("Read", "a <file> & its lines", "3 bad lines", "9 documents"), Step("Write")]


def test_boxes_stand_one_below_the_other_and_every_word_is_there():
    root = ET.fromstring(flow(STEPS, "reading & writing").svg)
    boxes = [each for each in root if each.tag.endswith("rect")]
    tops = [int(box.get("y")) for box in boxes]
    assert tops[1] > tops[0] + int(boxes[0].get("height"))
    said = " ".join(each.text for each in root if each.tag.endswith("text"))
    assert said == "Read a <file> & its lines 3 bad lines 9 documents Write"
    assert root.get("aria-label") == "reading & writing"
    assert float(root.get("viewBox").split()[3]) > tops[1] + int(boxes[1].get("height"))


def test_it_takes_the_colors_of_the_page():
    svg = flow(STEPS, "x")._repr_html_()
    assert 'fill="currentColor"' in svg
    assert "white" not in svg
    assert "black" not in svg
    assert repr(flow(STEPS, "x")) == "x"


def test_without_a_step_it_says_so():
    with pytest.raises(ValueError, match="a step at least"):
        flow([], "x")
