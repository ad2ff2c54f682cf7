from collections import Counter

import pytest

from minilm.data import DataError, GlossRelation, gloss_relations, wordnet_glosses

NOUNS = """  1 This file is WordNet's, they say.
00000001 03 n 01 entity 0 001 ~ 00000002 n 0000 | that which is; "an entity"
00000002 18 n 02 plant 0 flowering_plant 1 002 @ 00000001 n 0000 + 00000009 v 0101 | an Entity that grows
00000003 20 n 01 leaf 0 003 #p 00000002 n 0000 @i 00000001 n 0000 ;c 00000004 n 0000 | (botany) part of a flowering plant, not of implants
00000004 09 n 01 botany 0 000 | the study of plants
"""


def test_relations(put):
    put("wordnet", NOUNS.encode())
    leaf = "(botany) part of a flowering plant, not of implants"
    assert gloss_relations() == [
        GlossRelation("is-a", "plant", "Entity", "an Entity that grows", 3, 9),
        GlossRelation("part-of", "leaf", "flowering plant", leaf, 19, 34),
        GlossRelation("topic-of", "leaf", "botany", leaf, 1, 7),
    ]
    assert all(row.tail == row.sentence[row.tail_start : row.tail_end] for row in gloss_relations())


def test_a_tail_stands_by_itself(put):
    words = "00000001 03 n 01 ant 0 000 | x\n00000002 03 n 01 b 0 001 @ 00000001 n 0000 | plant, giant, ants, 2ant, an ant; antics\n"
    put("wordnet", words.encode())
    (row,) = gloss_relations()
    assert (row.tail_start, row.tail_end) == (29, 32)


def test_small_letters_keep_their_places(put):
    put("wordnet", "00000001 03 n 01 ant 0 000 | x\n00000002 03 n 01 b 0 001 @ 00000001 n 0000 | İİ ant\n".encode())
    (row,) = gloss_relations()
    assert row.tail == row.sentence[row.tail_start : row.tail_end] == "ant"


def test_glosses_have_no_examples(put):
    put("wordnet", NOUNS.encode())
    assert wordnet_glosses()[:2] == [
        (["entity"], "that which is"),
        (["plant", "flowering plant"], "an Entity that grows"),
    ]


@pytest.mark.parametrize(
    "line",
    ["", "x", "00000001 03 n 01 a 0", "00000001 03 n 00 000 | x", "00000001 03 n zz a 0 000 | x", "00000001 03 n 01 a 0 002 @ 1 n 0 | x",
     "00000001 03 n 01 a 0 -01 | x", "00000001 03 n ff a 0 000 | x"],
)  # fmt: skip
def test_a_line_that_is_no_synset_is_named(put, line):
    put("wordnet", f"{NOUNS}{line}\n{line}\n".encode())
    with pytest.raises(DataError, match=r"data\.noun, line 6: expected a synset"):
        gloss_relations()


@pytest.mark.slow
def test_the_published_nouns(published):
    rows = gloss_relations()
    assert Counter(row.relation for row in rows).most_common(5) == [
        ("is-a", 42_339), ("instance-of", 6_150), ("part-of", 5_552), ("topic-of", 3_134), ("member-of", 2_931),
    ]  # fmt: skip
    assert len(rows) == 63_194
    assert all(row.tail == row.sentence[row.tail_start : row.tail_end] for row in rows)
    assert len(wordnet_glosses()) == 82_192
