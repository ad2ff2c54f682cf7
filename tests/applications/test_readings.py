"""Questions on definitions: what is asked of which, and that no definition stands in two parts."""

from collections import defaultdict

import pytest

from minilm.applications import readings
from minilm.applications.readings import FORMS, KINDS, NEW, published_readings
from minilm.data import DataError
from minilm.data.sets.wordnet import GlossRelation

pytestmark = pytest.mark.host


def made_up():
    """Relations of 40 words in two meanings each; one definition stands twice, and of one only one thing can be asked."""
    found = []
    for n in range(40):
        for sense in ("leaf", "root"):
            text = f"a thing{n} that is in a {sense}{n}"
            for relation, tail in (("is-a", f"thing{n}"), ("part-of", f"{sense}{n}")):
                found.append(
                    GlossRelation(relation, f"Word{n % 20}", tail, text, text.index(tail), text.index(tail) + len(tail))
                )
    found += [each._replace(head="other", sentence=each.sentence.upper()) for each in found[:2]]
    return [*found, GlossRelation("is-a", "lonely", "thing", "a thing", 2, 7), found[0]._replace(relation="region-of")]


def test_no_definition_and_no_word_is_in_two_parts(monkeypatch):
    monkeypatch.setattr(readings, "gloss_relations", made_up)
    split = published_readings()
    parts = defaultdict(set)
    for name, part in (("train", split.train), ("validation", split.validation), ("test", split.test)):
        for each in part:
            parts[each.context.lower()].add(name)
            parts[each.question[each.question.index("Word") :].split()[0].strip("?")].add(name)
    assert len(parts) == 80 + 20
    assert all(len(names) == 1 for names in parts.values())
    assert split == published_readings()


def test_answers_stand_where_they_are_said_to(monkeypatch):
    monkeypatch.setattr(readings, "gloss_relations", made_up)
    split = published_readings()
    for each in [*split.train, *split.validation, *split.test]:
        assert each.context[each.start :].startswith(each.answers[0])
        assert each.question == FORMS[each.kind][each.form].format(
            each.question[each.question.index("Word") :].split()[0].strip("?")
        )
    assert all(each.form < NEW for each in [*split.train, *split.validation])
    assert {each.form for each in split.test} == {0, 1, 2, 3}
    assert sum(len(part) for part in (split.train, split.validation, split.test)) == 160


def test_forms():
    assert set(FORMS) == set(KINDS.values())
    assert all(len(forms) == NEW + 1 and all(form.count("{}") == 1 for form in forms) for forms in FORMS.values())


@pytest.mark.slow
def test_the_published_ones():
    try:
        split = published_readings()
    except DataError as error:
        pytest.skip(f"needs WordNet from the package registry: {error}")
    assert [len(split.train), len(split.validation), len(split.test)] == [10_002, 1_251, 1_261]
    contexts = [{each.context for each in part} for part in (split.train, split.validation, split.test)]
    assert sum(map(len, contexts)) == len(set.union(*contexts))
