import pytest

from minilm.data import DataError, tagged_news


def test_tagged_news(put):
    put("tagged-news", "江/nr  泽民/nr  ，/w\n　/w  1/2/m  //w\n".encode())
    assert tagged_news() == [[("江", "nr"), ("泽民", "nr"), ("，", "w")], [("　", "w"), ("1/2", "m"), ("/", "w")]]


@pytest.mark.parametrize("token", ["希望", "/n", "希望/", "希望 /n"])
def test_a_word_without_a_tag_is_named(put, token):
    put("tagged-news", f"很/d\n好/a  {token}\n".encode())
    with pytest.raises(DataError, match=r"199801\.txt, line 2: expected words with their tags"):
        tagged_news()


@pytest.mark.slow
def test_the_published_news(published):
    paragraphs = tagged_news()
    tags = [tag for paragraph in paragraphs for _, tag in paragraph]
    assert (len(paragraphs), len(tags)) == (19_484, 1_121_447)
    assert [tags.count(tag) for tag in ("ns", "nt")] == [27_890, 3_573]
    assert paragraphs[1][-2:] == [("江", "nr"), ("泽民", "nr")]
