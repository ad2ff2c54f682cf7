import gzip
import math
import re
import warnings

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minilm.data import plain_text
from minilm.data.errors import DataError
from minilm.data.tables import _Form, load_table
from tests.anew import anew

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
    anew(path).write_bytes(ending.join(delimiter.join(row) for row in rows).encode())
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


# -- what is a number, and what it becomes ------------------------------------------------------------------------------------

DTYPES = ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"]
CELLS = [
    "0", "1", "-1", "+1", "-0", "007", "127", "128", "255", "256", "-129", "300", "2048", "2049", "65504", "65520", "70000", "70000.5",
    "16777216", "16777217", "-16777217", "2147483648", "4294967296", "9007199254740992", "9007199254740993", "9223372036854775807",
    "9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616", "1" * 30, "1" * 300, "1" * 400,
    "1" * 5000, "0" * 5000 + "1", "0.5", ".5", "1.", "-.5e3", "1e3", "1E3", "1e39", "1e308", "1e309", "1e400", "1e-400", "-1e400",
    "3.4028235e38", "3.4028236e38", "nan", "NaN", "inf", "-inf", "Infinity", "infinit", "nano", "nan(1)", "1e", "e5", ".", "+", "-", "--1",
    "1_000", "1,5", "１２", "１．５", "١٢", "²", "0x10", "0b1", "1e5.5", "1 2", "1j", "True", "None", "", " ", "  7\t",
    "\u00a07", "7\u3000",    "1.0", "2.50", "1d5", "1f", "½", "Ⅷ", "1\u200b", "−1", "1’000", "$5", "5%", "1/2",
]  # fmt: skip


def whole_number(text):
    """Python refuses to convert more than 4,300 digits, zeros in front included."""
    sign = -1 if text.strip().startswith("-") else 1
    value = 0
    for digit in re.findall("[0-9]", text):
        value = 10 * value + int(digit)
    return sign * value


def expected_of(cell, dtype):
    """The number that a cell stands for, by Python's own arithmetic of any size; None where it must be refused."""
    text, dtype = cell.strip(), np.dtype(dtype)
    if not re.fullmatch(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|infinity|nan)", text, re.IGNORECASE | re.ASCII):
        return None
    if dtype.kind in "iu":
        if not re.fullmatch(r"[+-]?\d+", text, re.ASCII):
            return None
        limits, value = np.iinfo(dtype), whole_number(text)
        return dtype.type(value) if limits.min <= value <= limits.max else None
    with np.errstate(over="ignore"):
        value = dtype.type(float(text))
    return value if "inf" in text.lower() or not math.isinf(value) else None


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_cell_is_the_number_it_stands_for_or_is_refused_by_its_place(dtype, tmp_path):
    path = tmp_path / "t.csv"
    for cell in CELLS:
        quoted = f'"{cell}"'
        expected = expected_of(cell, dtype)
        anew(path).write_text(f"1,2\n1,2\n\n3,{quoted}\n", encoding="utf-8")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                value = load_table(path, header=False, dtype=dtype).values[2, 1]
            except DataError as error:
                assert expected is None, cell
                assert re.search(
                    r"t\.csv, line 4, column 1: ['\"].*['\"](\.\.\.)? (is no |does not fit )", str(error)
                ), cell
                assert "row" not in str(error)
                assert not caught
                continue
        assert expected is not None, cell
        np.testing.assert_array_equal(value, expected)
        whole = re.fullmatch(r"[+-]?\d+", cell.strip(), re.ASCII) is not None
        assert len(caught) == (whole and int(value) != whole_number(cell)), cell


def test_a_whole_number_that_does_not_fit_is_told(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,y\n5,1\n16777217,2\n16777219,3\n")
    with pytest.warns(
        UserWarning,
        match=r"t\.csv: whole numbers too large for float32 were rounded in 1 column: "
        r"id \(line 3: 16777217 became 16777216\)\. To keep them, pass dtype=np\.float64, or np\.int64\.",
    ) as caught:
        assert load_table(path).column("id").tolist() == [5, 16777216, 16777220]
    assert len(caught) == 1
    assert caught[0].filename == __file__
    for dtype in (np.float64, np.int64):
        assert load_table(path, dtype=dtype).column("id").tolist() == [5, 16777217, 16777219]
    path.write_text("id,y\n9007199254740993,1\n")
    with pytest.warns(
        UserWarning, match=r"id \(line 2: 9007199254740993 became 9007199254740992\).*pass dtype=np\.int64\."
    ):
        load_table(path, dtype=np.float64)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "1_000,2\n3,4\n",
            {},
            "line 1, column 0: '1_000' is no number: write it with the digits 0 to 9 and without '_'",
        ),
        ("１２,2\n3,4\n", {}, "line 1, column 0: '１２' is no number: write it with the digits 0 to 9"),
        (
            "1;2\n3,5;4\n",
            {"delimiter": ";"},
            "line 2, column 0: '3,5' is no number: write a point for the decimal comma",
        ),
        ("a,b\n1,\n", {}, "line 2, column b: '' is no number: fill the cell, or write nan"),
        ("1\n300\n", {"dtype": np.uint8}, "line 2, column 0: '300' does not fit uint8, which holds 0 to 255"),
        (
            "1\n1e400\n",
            {"dtype": np.float64},
            r"line 2, column 0: '1e400' does not fit float64, which holds numbers up to 1\.798e\+308",
        ),
        ("1\n1e39\n", {}, r"line 2, column 0: '1e39' does not fit float32, which holds numbers up to 3\.403e\+38"),
        (
            "1\n5.0\n",
            {"dtype": int},
            "line 2, column 0: '5.0' is no whole number: read it with dtype=np.float32 instead of int64",
        ),
    ],
)
def test_a_cell_that_is_no_number_here_is_told_what_it_should_be(tmp_path, text, options, message):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load_table(tmp_path / "t.csv", **options)


def test_two_columns_of_one_name_are_not_confused(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,a\n1,2,3\n")
    table = load_table(tmp_path / "t.csv")
    assert table.column("b").tolist() == [2]
    with pytest.raises(DataError, match=r"2 columns 'a': take one by its number, values\[:, i\]"):
        table.column("a")


@given(
    rows=st.lists(st.lists(st.sampled_from([*CELLS[:20], "0.1", "1e30", "-2.5", "nan"]), min_size=2, max_size=2), min_size=1, max_size=12),
    dtype=st.sampled_from(DTYPES), size=st.integers(1, 40), header=st.booleans(), ending=st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
)  # fmt: skip
@example(rows=[["1", "2"]] * 3, dtype="float32", size=1, header=True, ending="\n")
def test_pieces_of_any_size_give_what_every_cell_by_itself_gives(folder, rows, dtype, size, header, ending):
    path = folder / "pieces.csv"
    lines = ['"first\n, line"', "y"], *rows
    anew(path).write_bytes("".join(f"{a},{b}{ending}" for a, b in (lines if header else rows)).encode())
    form = _Form("f", ",", np.dtype(dtype), ("0", "1"))
    try:
        expected = np.array([form.check_row(1, row) for row in rows], dtype)
    except DataError:
        expected = None
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(plain_text, "PIECE_BYTES", size)
        if expected is None:
            with pytest.raises(DataError, match=r"line \d+, column \w+"):
                load_table(path, header=header, dtype=dtype)
        else:
            np.testing.assert_array_equal(load_table(path, header=header, dtype=dtype).values, expected)


def test_a_fault_in_a_later_piece_is_named_by_its_line(tmp_path, monkeypatch):
    monkeypatch.setattr(plain_text, "PIECE_BYTES", 50)
    (tmp_path / "t.csv").write_text('a,"b\n"\n' + "1,2\n" * 997 + "3,x\n" + "1,2\n" * 100)
    with pytest.raises(DataError, match="line 1000, column b: 'x' is no number"):
        load_table(tmp_path / "t.csv")


def test_gzip_is_told_by_content_and_limited(tmp_path):
    (tmp_path / "packed.csv").write_bytes(gzip.compress(b"1,2\n" * 1000))
    (tmp_path / "unpacked.csv.gz").write_bytes(b"1,2\n" * 1000)
    for name in ("packed.csv", "unpacked.csv.gz"):
        assert load_table(tmp_path / name, max_bytes=4000).values.shape == (1000, 2)
        with pytest.raises(
            DataError, match=r"csv(\.gz)? .*the limit is max_bytes = 3,999: pass a larger max_bytes if you trust"
        ):
            load_table(tmp_path / name, max_bytes=3999)
    (tmp_path / "t.xlsx").write_bytes(b"PK\x03\x04...")
    with pytest.raises(
        DataError, match=r"t\.xlsx is compressed with zip \(an Excel workbook is a zip file: save it as CSV\)"
    ):
        load_table(tmp_path / "t.xlsx")
