"""Headlines: which packages belong together, the split, what is measured, and the simple methods."""

import pytest

from minilm.applications import summarization
from minilm.applications.simple import headline as simple
from minilm.applications.summarization import Headline, Pair, Spaced, families, novel_words, stem
from minilm.applications.writing import SPECIAL
from minilm.data.sets.debian import PackageDescription
from minilm.text import BPETokenizer

LONG = "This is a program that draws graphs of functions with colors and exports them as pictures for papers."
EXAMPLES = (
    Pair("Foo is a program that draws graphs. It has colors.", "program that draws graphs"),
    Pair("Bar provides a library for sound.", "sound library"),
)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("libfoo-dev", "foo"),
        ("libfoo1", "foo"),
        ("foo-doc", "foo"),
        ("libfoo2.0-dev", "foo"),
        ("python3-foo", "foo"),
        ("dev", "dev"),
        ("foo", "foo"),
        ("foo-bar", "foo-bar"),
    ],
)
def test_a_name_without_what_tells_kinds_of_files_apart(name, wanted):
    assert stem(name) == f"the name {wanted}"


def test_things_with_a_mark_in_common_are_one_family_and_so_are_those_between():
    found = families([["a", "b"], ["b", "c"], ["c"], ["d"], [], ["e", "d"], []])
    assert found[0] == found[1] == found[2]
    assert found[3] == found[5]
    assert len({found[0], found[3], found[4], found[6]}) == 4
    assert len({*families([["a"], ["b"], ["b", "a"]])}) == 1


def test_a_mark_that_all_have_is_none():
    assert len({*families([["all", str(i)] for i in range(5)], most=4)}) == 5
    assert len({*families([["all", str(i)] for i in range(5)], most=5)}) == 1
    assert families([]) == []


def test_the_split_keeps_families_together(monkeypatch):
    made = [
        PackageDescription(
            f"{word}{kind}", "x", f"{word} files {kind}", f"{word} {kind} is what it is.\n\n{LONG} {word}."
        )
        for word in ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]
        for kind in ("", "-dev", "-doc", "1")
    ]
    made.append(PackageDescription("copy", "x", "a copy of alpha", made[0].text))
    made.append(PackageDescription("short", "x", "too short", "It is short."))
    monkeypatch.setattr(summarization, "package_descriptions", lambda: made)
    monkeypatch.setattr(summarization, "SHARES", (0.8, 0.1, 0.1))
    split = Headline().split()
    parts = [{pair.target.split()[0] for pair in part} for part in (split.train, split.validation, split.test)]
    assert sum(len(part) for part in (split.train, split.validation, split.test)) == 40
    assert all(parts)
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert "\n" not in split.train[0].source
    assert "1 with the description of another" in split.about


def test_a_word_is_one_token_wherever_it_stands():
    own = Spaced(BPETokenizer.train([" graph graph graph"], vocab_size=280, special_tokens=SPECIAL))
    (start, first), _ = own.source("graph")
    assert own.source("graph\n graph")[0] == [start, first, first]
    assert own.text(own.target("graph  graph", []), []) == "graph graph"


def test_what_is_chosen_from(tmp_path):
    task = Headline()
    codec, files = task.make_codec(EXAMPLES)
    drafts = task.drafts(codec, "Foo is a program that draws graphs of functions. It has colors.")
    assert drafts[0] == "program that draws graphs"
    assert drafts[len(drafts) // 2] == "Foo is a program"
    assert task.drafts(codec, "") == [""] * len(drafts)
    assert task.worth_of("sound library", "library") == (pytest.approx(2 / 3), 1.0)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert task.codec(tmp_path).memory.nearest("Bar library", 1)[0].written == "sound library"


class TestMeasure:
    def measured(self, *written):
        return {s.name: s.value for s in Headline().measure(EXAMPLES, [{"headline": text} for text in written])}

    def test_all_right_and_all_wrong(self):
        found = self.measured(*(pair.target for pair in EXAMPLES))
        assert (found["ROUGE-L"], found["ROUGE-1"], found["ROUGE-2"], found["exact match"]) == (1, 1, 1, 1)
        assert found["novel words"] == 0.0
        found = self.measured("x y", "z")
        assert (found["ROUGE-L"], found["exact match"], found["novel words"]) == (0, 0, 1)

    def test_new_words_are_counted_by_words(self):
        assert novel_words("Foo draws graphs.", "a foo for Graphs") == (2, 4)
        assert novel_words("", "") == (0, 0)


class TestSimple:
    def split(self):
        return Headline().divide(EXAMPLES * 10)

    def test_the_first_sentence_and_the_central_one(self):
        questions = [EXAMPLES[0].source, "", "no mark"]
        found = [a["headline"] for a in simple.first_sentence(self.split())(questions)]
        assert found == ["Foo is a program that draws graphs.", "", "no mark"]
        assert [len(a["headline"]) > 0 for a in summarization.central_sentence(self.split())(questions)] == [
            True,
            False,
            True,
        ]

    def test_the_lead_is_cut_where_the_validation_part_is_met_best(self):
        found = simple.lead(self.split(), summarization.worth)([EXAMPLES[0].source])
        assert found == [{"headline": "program that draws graphs"}]

    def test_the_nearest_neighbor(self):
        pytest.importorskip("sklearn")
        found = simple.nearest_neighbor(self.split(), summarization.worth)([pair.source for pair in EXAMPLES])
        assert [a["headline"] for a in found] == [pair.target for pair in EXAMPLES]
