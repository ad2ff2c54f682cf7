import pytest

from minilm.data import (
    DOMAINS,
    DataError,
    RatedSentence,
    movie_sentences,
    rated_sentences,
    shop_reviews,
    without_copies,
)


def test_movie_sentences(put):
    put("movie-sentences", "1\t2.25\tA ''gem''.\r\n2\t-4\tDull\u2028and 'long' é\r\n3\t0\tSo so".encode())
    assert movie_sentences() == [("A ''gem''.", 2.25), ("Dull\u2028and 'long' é", -4.0), ("So so", 0.0)]


def test_rated_sentences_of_each_domain_and_document(put):
    files = [
        b"1\t1\tA film",
        b"1_1\t2\tIt works\r\n1_2\t-2\tIt broke\r\n2_1\t0\tA cable",
        b"7\t3\tYay",
        b"4_9\t-1\tTaxes",
    ]
    put("rated-sentences", *files)
    rows = rated_sentences()
    assert tuple(dict.fromkeys(row.domain for row in rows)) == DOMAINS
    assert rows[0] == RatedSentence("A film", 1.0, "movies", "movies 1")
    assert [row.document for row in rows[1:4]] == ["products 1", "products 1", "products 2"]
    assert rows[-1] == RatedSentence("Taxes", -1.0, "editorials", "editorials 4")


@pytest.mark.parametrize("line", ["2\t5\tx", "2\tnan\tx", "2\tx\ty", "2\t1", "2\t1\tx\ty", "", "2 1 x"])
def test_a_line_that_is_no_sentence_is_named(put, line):
    put("movie-sentences", f"1\t1\tok\n{line}\n3\t1\tok".encode())
    with pytest.raises(DataError, match=r"GroundTruth\.txt, line 2: expected a number, an intensity"):
        movie_sentences()


def test_shop_reviews_are_as_published(put):
    put("shop-reviews", "很好\n很好！\n".encode(), "不好\n很好\n".encode())
    assert shop_reviews() == [("很好", 1), ("很好！", 1), ("不好", 0), ("很好", 0)]


@pytest.mark.parametrize(
    ("content", "message"), [(b"\xff\xfea\0", "UTF-16"), (b"ok\n\xe5", "UTF-8.*byte 3"), (b"a\0", "NUL")]
)
def test_what_is_no_text_is_named(put, content, message):
    put("shop-reviews", b"ok\n", content)
    with pytest.raises(DataError, match=rf"neg\.txt.*{message}"):
        shop_reviews()


@pytest.mark.slow
def test_the_published_sentences(published):
    rows = movie_sentences()
    assert len(rows) == 10_605
    scores = [score for _, score in rows if abs(score) >= 0.5]
    assert (len(scores), sum(score > 0 for score in scores)) == (10_072, 4_996)
    assert rows[2] == ("Effective but too tepid biopic", -0.6)
    assert without_copies(rows, key=lambda row: row[0]).copies == 2


@pytest.mark.slow
def test_the_published_domains(published):
    rows = rated_sentences()
    assert [sum(row.domain == domain for row in rows) for domain in DOMAINS] == [10_605, 3_708, 4_200, 5_190]
    assert [len({row.document for row in rows if row.domain == domain}) for domain in DOMAINS] == [
        10_605,
        300,
        4_200,
        498,
    ]
    assert [(row.text, row.intensity) for row in rows[:10_605]] == movie_sentences()


@pytest.mark.slow
def test_the_published_reviews(published):
    rows = shop_reviews()
    assert [sum(label == of for _, label in rows) for of in (1, 0)] == [16_548, 18_576]
    assert [len({text for text, label in rows if label == of}) for of in (1, 0)] == [8_379, 9_079]
    found = without_copies(rows, key=lambda row: row[0], label=lambda row: row[1])
    assert (len(found.kept), found.copies, found.contradictions) == (17_327, 17_541, 256)
