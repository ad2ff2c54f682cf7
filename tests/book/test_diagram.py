import xml.etree.ElementTree as ET

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from minilm.book import Arrow, Frame, Matrix, Node, Step, draw, flow

STEPS = [Step("Read", "a <file> & its lines", "3 bad lines", "9 documents"), Step("Write")]


def test_boxes_stand_one_below_the_other_and_every_word_is_there():
    root = ET.fromstring(flow(STEPS, "reading & writing").svg)
    boxes = [each for each in root if each.tag.endswith("rect")]
    tops = [float(box.get("y")) for box in boxes]
    assert tops[1] > tops[0] + float(boxes[0].get("height"))
    said = " ".join(each.text for each in root if each.tag.endswith("text"))
    assert said == "Read a <file> & its lines 3 bad lines 9 documents Write"
    assert root.get("aria-label") == "reading & writing"
    assert float(root.get("viewBox").split()[3]) > tops[1] + float(boxes[1].get("height"))


def test_it_takes_the_colors_of_the_page():
    svg = flow(STEPS, "x")._repr_html_()
    assert 'fill="currentColor"' in svg
    assert "white" not in svg
    assert "black" not in svg
    assert repr(flow(STEPS, "x")) == "x"


def test_without_a_step_it_says_so():
    with pytest.raises(ValueError, match="a step at least"):
        flow([], "x")


# -- on a grid --------------------------------------------------------------------------------------------------------

LAYER = [
    Node("x", 0, 0, "4 numbers", "value"),
    Node("W x + b", 1, 0),
    Node("h", 2, 0, kind="value"),
    Node("W", 1, 1, kind="weight"),
]
BLOCK = [
    Node("x", 0, 0, kind="value"),
    Node("norm", 0, 1),
    Node("attention", 0, 2, "mixes positions"),
    Node("+", 0, 3, kind="round"),
]
PICTURES = {
    "boxes": lambda: draw(LAYER, ["x -> W x + b -> h", "W -> W x + b: learned"], "a layer"),
    "both ways": lambda: draw(LAYER[:2], ["x -> W x + b", "W x + b ~> x"], "there and back"),
    "around": lambda: draw(
        BLOCK,
        ["x -> norm -> attention -> +", Arrow("x", "+", "as it was", side="right")],
        "half a block",
        frames=[Frame("block", ["norm", "attention"])],
    ),
    "between two rows": lambda: draw(
        [Node("x", 0, 0), Node("y", 0, 1), Node("z", 1, 0.5, "as high\nas\nfour\nlines\nand\nmore")], ["x -> z", "y -> z"], "two into one"
    ),
    "word": lambda: draw(
        [Node("x", 0, 0), Node("y", 0, 2), Node("z", 1, 1, wide=1)], ["x -> y: longer than there"], "a word that looks for its place"
    ),
    "neurons": lambda: draw(
        [Node(f"{c}_{{{k}}}", "xhy".index(c), k, kind="round") for c in "xhy" for k in range(2)],
        [f"{a}_{{{i}}} -> {b}_{{{k}}}" for a, b in ("xh", "hy") for i in range(2) for k in range(2)],
        "a network",
    ),
    "matrix": lambda: draw(
        [Matrix("scores", 0, 0, [[-1.5 if j <= i else None for j in range(6)] for i in range(6)], list("abcdef"), list("abcdef"))],
        label="scores",
    ),
    "flow": lambda: flow(STEPS, "steps"),
}  # fmt: skip


def _parts(svg, tag):
    return [each for each in ET.fromstring(svg).iter() if each.tag.endswith(tag)]


def _boxes_of_texts(svg):
    """Each text with its rectangle, measured in DejaVu Sans, which is wider than what phones have."""
    found = []
    for each in _parts(svg, "}text"):
        font = FontProperties(family="DejaVu Sans", weight="bold" if each.get("font-weight") else "normal")
        width = 0.0
        for text, size in [
            (each.text, 13.0),
            *((t.text, float(t.get("font-size", 13))) for t in each),
            *((t.tail, 13.0) for t in each),
        ]:
            shown = (text or "").replace("\u200b", "").replace(" ", "n")
            width += TextPath((0, 0), shown, size=size, prop=font).get_extents().width if shown else 0
        x, y = float(each.get("x")), float(each.get("y"))
        left = x - {None: 0, "middle": width / 2, "end": width}[each.get("text-anchor")]
        found.append(("".join(each.itertext()), left, y - 9.5, left + width, y + 2.5))
    return found


@pytest.mark.parametrize("name", PICTURES)
def test_no_text_covers_another_one_or_leaves_its_box_or_the_picture(name):
    svg = PICTURES[name]().svg
    texts = _boxes_of_texts(svg)
    assert texts
    rects = [[float(r.get(k)) for k in ("x", "y", "width", "height")] for r in _parts(svg, "}rect")]
    for k, (text, left, top, right, bottom) in enumerate(texts):
        assert left >= 0, text
        assert right <= 360, text
        for other, *place in texts[k + 1 :]:
            assert left >= place[2] or place[0] >= right or top >= place[3] or place[1] >= bottom, (text, other)
        for x, y, w, h in rects:  # within a box, or outside of it
            inside = x <= left and right <= x + w and y <= top and bottom <= y + h
            assert inside or right <= x or x + w <= left or bottom <= y or y + h <= top, text


def test_letters_are_large_enough_on_a_phone():
    root = ET.fromstring(PICTURES["boxes"]().svg)
    width = float(root.get("viewBox").split()[2])
    assert float(root.get("font-size")) * 340 / width >= 12  # 390 pixels less a page's margins


def test_a_matrix_shows_its_numbers_names_and_gaps():
    svg = PICTURES["matrix"]().svg
    said = [text for text, *_ in _boxes_of_texts(svg)]
    assert said.count("−1.5") == 21
    assert said[0] == "scores"
    assert said[1:13] == list("abcdef") * 2
    grays = [r for r in _parts(svg, "}rect") if r.get("fill") == "#808080"]
    assert len(grays) == 15


def test_a_way_back_is_dashed_and_stands_beside_the_way_there():
    svg = PICTURES["both ways"]().svg
    lines = [p for p in _parts(svg, "}path") if p.get("stroke")]
    assert [bool(p.get("stroke-dasharray")) for p in lines] == [False, True]
    heights = [p.get("d").split(",")[1].split("L")[0] for p in lines]
    assert heights[0] != heights[1]


def test_an_arrow_around_passes_all_boxes_that_are_in_the_way():
    svg = PICTURES["around"]().svg
    widest = max(
        float(r.get("x")) + float(r.get("width")) for r in _parts(svg, "}rect") if not r.get("stroke-dasharray")
    )
    way = [p.get("d") for p in _parts(svg, "}path") if "Q" in p.get("d")]
    assert len(way) == 1
    assert float(way[0].split("Q")[1].split(",")[0]) > widest


def test_the_picture_is_as_high_as_its_highest_box():
    root = ET.fromstring(PICTURES["between two rows"]().svg)
    tops = [float(r.get("y")) for r in root if r.tag.endswith("rect")]
    ends = [float(r.get("y")) + float(r.get("height")) for r in root if r.tag.endswith("rect")]
    assert min(tops) >= 1
    assert max(ends) <= float(root.get("viewBox").split()[3]) - 1


def test_two_arrows_around_stand_apart_where_one_ends_and_the_other_begins():
    stream = [*BLOCK, Node("MLP", 0, 4), Node("+′", 0, 5, title="+", kind="round")]
    svg = draw(stream, [Arrow("x", "+", side="right"), Arrow("+", "+′", side="right")], "a stream").svg
    ways = [p.get("d") for p in _parts(svg, "}path") if "Q" in p.get("d")]
    ends, begins = float(ways[0].rsplit(",", 1)[1]), float(ways[1].split(",")[1].split("L")[0])
    assert ends + 7 <= begins


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: draw(LAYER, [], ""), "a label that says in words"),
        (lambda: draw([], [], "nothing"), "needs nodes"),
        (lambda: draw(LAYER, ["x -> y"], "x"), "no node 'y'; it has 'x', 'W x \\+ b', 'h', 'W'"),
        (lambda: draw([LAYER[0], LAYER[0]], [], "x"), "names must differ"),
        (lambda: draw(LAYER, ["x to h"], "x"), "written 'start -> end: word'"),
        (lambda: draw(LAYER, ["x -> h"], "x"), "runs through 'W x \\+ b'"),
        (lambda: draw([Node("a", 0, 0), Node("b", 0, 0)], [], "x"), "'a' covers 'b'"),
        (lambda: draw([Node("a", 0, 0, kind="cloud")], [], "x"), "a node is of kind box, value"),
        (lambda: draw([Node("Donaudampfschifffahrt", k, 0) for k in (0, 1, 2)][2:], [], "x"), "units of room for 'Donau"),
        (lambda: draw(LAYER, ["x -> W x + b: far too long a word for this little gap between two boxes"], "x"), "no room for the word"),
        (lambda: draw(LAYER, [Arrow("x", "W", side="left", away=90)], "x"), "leaves the picture"),
        (lambda: draw(LAYER, [], "x", frames=[Frame("all", ["x", "h"])]), "frame 'all' covers 'W x \\+ b'"),
        (lambda: draw([Matrix("m", 0, 0, [[1], [1, 2]])], [], "x"), "rows of the matrix 'm'"),
        (lambda: draw([Matrix("m", 0, 0, [[1.0] * 20])], [], "x"), "fewer digits, shorter names"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_an_error_that_says_what_to_do(make, message):
    with pytest.raises(ValueError, match=message):
        make()
