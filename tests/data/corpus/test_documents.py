"""Documents and what is kept aside, as lines of JSON."""

import pytest

from minilm.data.corpus.documents import (
    BAD_JSON,
    REASONS,
    TOO_LONG,
    Aside,
    Document,
    aside_of,
    document_of,
    json_line,
    tally,
)
from minilm.data.errors import DataError
from tests.data.corpus.texts import any_texts


def test_a_document_comes_back():
    for number, text in enumerate(any_texts(200)):
        document = Document(text.replace("\ud800", "").replace("\udc00", ""), "wiki", f"a\n\u2028b/é.jsonl:{number}")
        line = json_line(document)
        assert line.count(b"\n") == 1
        assert line.endswith(b"\n")
        assert document_of(line) == document


def test_what_is_kept_aside_comes_back():
    aside = Aside("wiki", "a.jsonl", 10**10, TOO_LONG, "a line of\n10 bytes")
    assert aside_of(json_line(aside)) == aside


def test_by_hand():
    assert json_line(Document("Ä\n", "s", "n")) == '{"text": "Ä\\n", "source": "s", "name": "n"}\n'.encode()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"", "valid JSON"),
        (b'{"text": "a", "source": "s", "name": "\xff"}', "not UTF-8"),
        (b'{"text": "a", "source": "s"}', "has the fields text, source; expected were text, source, name"),
        (b'{"text": "a", "source": "s", "name": 1}', "'name' of the line holds int"),
    ],
)
def test_a_damaged_line_is_refused(line, message):
    with pytest.raises(DataError, match=message):
        document_of(line)


def test_a_place_is_a_number():
    line = json_line(Aside("s", "f", 1, BAD_JSON, "")).replace(b'"offset": 1', b'"offset": true')
    with pytest.raises(DataError, match="'offset' of the line holds bool"):
        aside_of(line)


def test_all_are_counted():
    aside = Aside("s", "f", 0, BAD_JSON, "")
    document = Document("t", "s", "n")
    assert tally([document, aside, document, aside._replace(reason=TOO_LONG), aside]) == {
        "document": 2,
        BAD_JSON: 2,
        TOO_LONG: 1,
    }
    assert len(set(REASONS)) == len(REASONS)
