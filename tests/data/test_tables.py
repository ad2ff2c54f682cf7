import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minilm.data.errors import DataError
from minilm.data.tables import load_table

NUMBERS = st.floats(width=32, allow_nan=False)
VALUES = hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=NUMBERS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@given(values=VALUES, header=st.booleans(), delimiter=st.sampled_from(",;\t"), ending=st.sampled_from(["\n", "\r\n"]))
def test_round_trip(folder, values, header, delimiter, ending):
    names = [f"column {i}" for i in range(values.shape[1])]
    rows = [names] * header + [[repr(float(value)) for value in row] for row in values]
    path = folder / "table.csv"
    path.write_bytes(ending.join(delimiter.join(row) for row in rows).encode())
    table = load_table(path, delimiter=delimiter)
    assert table.values.dtype == np.float32
    np.testing.assert_array_equal(table.values, values)
    assert table.names == (tuple(names) if header else tuple(map(str, range(len(names)))))


def test_header_in_quotes_over_two_lines_and_empty_lines(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('\ufeff\n"height\n(m, ""tall"")", label \n\n"1.5",0\n\n2,1\n', encoding="utf-8")
    table = load_table(path)
    assert table.names == ('height\n(m, "tall")', "label")
    np.testing.assert_array_equal(table.column("label"), [0, 1])
    with pytest.raises(DataError, match="no column 'weight'; it has height"):
        table.column("weight")


def test_header_can_be_stated(tmp_path):
    (tmp_path / "t.csv").write_text("2019,2020\n1,2\n")
    assert load_table(tmp_path / "t.csv").values.shape == (2, 2)
    assert load_table(tmp_path / "t.csv", header=True).names == ("2019", "2020")
    (tmp_path / "u.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="line 1, column 0: 'a' is no number"):
        load_table(tmp_path / "u.csv", header=False)


def test_compressed(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"1,2\n3,4\n"))
    values = load_table(tmp_path / "t.csv.gz", dtype=np.uint8).values
    assert values.dtype == np.uint8
    assert values.tolist() == [[1, 2], [3, 4]]
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"1,2\n3,4\n")[:-6])
    with pytest.raises(DataError, match="no complete gzip file"):
        load_table(tmp_path / "t.csv.gz")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n", "holds names but no rows"),
        ("a,b", "holds names but no rows"),
        ("a,b\n1,2\n\n3,x\n", "line 4, column b: 'x' is no number"),
        ("a,b\n1,2\n3,\n", "line 3, column b: '' is no number"),
        ("a,b\n1,2\n3\n", "line 3: 1 cells, expected 2"),
        ("1,2\n3,4,5\n", "line 2: 3 cells, expected 2"),
        ("a,b,c\n1,2\n3,4\n", "line 2: 2 cells, expected 3 as in the first line"),
        ("a" * 200_000 + "\n1\n", "line 1: field larger than field limit"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        load_table(tmp_path / "t.csv")


def test_a_file_that_is_not_there_or_not_utf8(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        load_table(tmp_path / "none.csv")
    (tmp_path / "t.csv").write_bytes(b"h\xe9ight\n1\n")
    with pytest.raises(DataError, match="byte 0xe9 at offset 1 "):
        load_table(tmp_path / "t.csv")
