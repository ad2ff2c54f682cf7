import json

import pytest

from minilm.capstone.corpus import left_out, listed, make_corpus, marked, open_parts, raw_texts
from minilm.capstone.raw import COLLECTIONS, compiled

TEXTS = [text for _, text in compiled(["builtins", "itertools", "signal"]) if len(text) > 400]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    (folder / "manual").mkdir()
    (folder / "manual" / "a.txt").write_text(TEXTS[0])
    (folder / "manual" / "b.txt").write_text(TEXTS[0])
    lines = [json.dumps({"name": "n", "text": each}) for each in (*TEXTS[1:], "too short")]
    (folder / COLLECTIONS[1]).write_text("\n".join(lines))
    (folder / COLLECTIONS[2]).write_text(json.dumps({"name": "n", "text": TEXTS[3] + " And one more."}) + "\n")
    places = [folder / name for name in COLLECTIONS]
    return places, make_corpus(places, folder / "corpus", 300)


@pytest.mark.slow
def test_every_document_is_counted_once(made):
    places, packed = made
    found = left_out(packed)
    assert found.read == len(TEXTS) + 3 == len(raw_texts(places))
    assert found.rules["short"] == 1
    assert found.exact >= 1
    assert found.near >= 1
    assert found.train == packed.documents("train")
    left = (*found.rules.values(), found.exact, found.near, found.contaminated, found.held_out, found.train)
    assert sum(left) == found.read


@pytest.mark.slow
def test_what_is_held_out_has_two_halves_and_its_tokens_are_the_firsts(made):
    parts = open_parts(made[1])
    held = [*parts.validation_texts, *parts.test_texts]
    assert len(held) == made[1].documents("validation") >= 2
    ids = [each for text in parts.validation_texts for each in (*parts.tokenizer.encode(text), parts.end)]
    assert parts.validation.tolist() == ids
    assert not set(held) & set(parts.train_texts)


@pytest.mark.slow
def test_lists_name_documents_of_the_raw_text(made):
    places, packed = made
    texts = raw_texts(places)
    for entry in listed(packed, "copies"):
        assert {f"{entry['source']}/{entry['name']}", entry["of"]} <= texts.keys()


def test_differences_stand_in_brackets():
    assert marked("a b c", "a x c d") == ("a [b] c", "a [x] c [d]")
    assert marked("a b", "a b") == ("a b", "a b")
