"""Lines from blocks: the same wherever the blocks end."""

import io
import random
import tracemalloc

import pytest

from minilm.data.corpus.lines import Line, blocks_of, first_line, lines


def plain(content, max_bytes, start=0):
    found = []
    for line in content.split(b"\n"):
        found.append(Line(start, len(line), line if len(line) <= max_bytes else None))
        start += len(line) + 1
    return found if found[-1].size else found[:-1]


def cut(content, rng):
    """The content in blocks of random sizes."""
    places = sorted(rng.choices(range(len(content) + 1), k=rng.randint(0, 12)))
    return [content[a:b] for a, b in zip([0, *places], [*places, len(content)], strict=True) if a < b]


@pytest.mark.parametrize("seed", range(3))
def test_where_blocks_end_does_not_matter(seed):
    rng = random.Random(seed)
    for _ in range(300):
        content = bytes(rng.choices(b"ab\r\n", k=rng.randint(0, 40)))
        assert list(lines(cut(content, rng), max_bytes := rng.randint(1, 8), 100)) == plain(content, max_bytes, 100)


def test_by_hand():
    assert list(lines([b"ab\n", b"\nabc", b"d\nx"], 3)) == [
        Line(0, 2, b"ab"),
        Line(3, 0, b""),
        Line(4, 4, None),
        Line(9, 1, b"x"),
    ]


def test_a_line_without_an_end_is_not_held():
    tracemalloc.start()
    try:
        assert list(lines((bytes(1 << 16) for _ in range(500)), 1 << 20)) == [Line(0, 500 << 16, None)]
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_line_belongs_to_the_range_with_its_first_byte():
    content = b"ab\n\ncde\nf"
    begins = [0, 3, 4, 8]
    for start in range(len(content) + 2):
        for end in [*range(start, len(content) + 2), None]:
            expected = [begin for begin in begins if start <= begin < (len(content) if end is None else end)]
            found = first_line(io.BytesIO(content), start, end)
            # What begins at the end of the content has no byte: there is nothing to read there.
            assert (None if found == len(content) else found) == (expected[0] if expected else None)


def test_the_search_ends_where_the_range_does(monkeypatch):
    monkeypatch.setattr("minilm.data.corpus.lines.BLOCK_BYTES", 10)
    file = io.BytesIO(b"x" * 1000 + b"\n")
    assert first_line(file, 100, 200) is None
    assert file.tell() < 220
    assert b"".join(blocks_of(file)).endswith(b"x\n")
