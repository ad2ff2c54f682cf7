"""Copies are found as if all documents lay in memory together."""

import json

import numpy as np
import pytest

from minilm.data.corpus.draws import draws
from minilm.data.corpus.duplicates import canonical_order, digest, jaccard, kept_of_groups
from minilm.data.corpus.normalize import bare_text
from minilm.data.corpus.summary import Pair
from minilm.pipeline import Settings, copies
from minilm.pipeline.read import batched, judged_documents, write_documents
from minilm.pipeline.work import Work, save_json
from tests.pipeline.collections import SETTINGS


def all_at_once(work):
    """For each document the number of the one that is kept, from texts and keys of all bands together."""
    found = [work.document(number) for number in range(work.bounds[-1])]
    order = canonical_order([len(each.text) for each in found], work.column("digest"))
    exact = kept_of_groups(np.array([digest(bare_text(each.text)) for each in found], np.uint64)[:, None], order)
    unique = np.flatnonzero(exact == np.arange(len(exact)))
    texts = [found[number].text for number in unique]
    order = canonical_order([len(text) for text in texts], work.column("digest")[unique])

    def alike(pairs):
        return jaccard(texts, pairs) >= work.settings.threshold

    near = np.arange(len(found))
    near[unique] = unique[kept_of_groups(work.column("keys")[unique], order, alike if work.settings.check else None)]
    return exact, near[exact]


@pytest.fixture
def checked(work, tmp_path):
    """The same documents, of which the index is computed, at a threshold at which many meet and not all are alike."""
    settings = Settings(**{**vars(SETTINGS), "check": True, "threshold": 0.6})
    found = [work.document(number) for number in range(work.bounds[-1])]
    save_json(
        tmp_path / "work" / "plan.json", {**work.plan._asdict(), "settings": settings.to_json(), "partitions": [(), ()]}
    )
    other = Work(tmp_path)
    for part, some in enumerate((found[:20], found[20:])):
        with other.writing("read", part, "documents") as documents, other.writing("read", part, "rows") as rows:
            place = 0
            for batch in batched(some, 5_000):
                place += write_documents(judged_documents(batch, other), other, place, documents, rows)
    return other


def found_by(work):
    copies.exact_part(work, 0)
    links = sum(copies.links_part(work, band)["links"] for band in range(copies.bands_of(work)))
    result = copies.groups_part(work, 0)
    return links, result, *(np.load(work.path(stage, 0, "kept")) for stage in (copies.EXACT, copies.GROUPS))


@pytest.mark.parametrize("kind", ["work", "checked"])
def test_links_of_each_band_give_the_groups_of_all_at_once(request, kind):
    work = request.getfixturevalue(kind)
    links, result, exact, kept = found_by(work)
    expected_exact, expected = all_at_once(work)
    assert exact.tolist() == expected_exact.tolist()
    assert kept.tolist() == expected.tolist()
    assert links > 20
    assert result["copies"] == np.count_nonzero((kept != np.arange(len(kept))) & (exact == np.arange(len(kept))))
    assert sum((int(size) - 1) * count for size, count in result["clusters"].items()) == result["copies"]


@pytest.mark.slow
def test_what_is_checked_is_less_than_what_meets(checked):
    _, _, _, kept = found_by(checked)
    save_json(
        checked.folder / "plan.json",
        {**checked.plan._asdict(), "settings": {**checked.settings.to_json(), "check": False}},
    )
    _, _, _, unchecked = found_by(Work(checked.out))
    assert len(np.unique(kept)) > len(np.unique(unchecked))


def test_the_kept_one_of_a_group_is_its_first_in_the_canonical_order(work):
    kept = np.load(work.path(copies.GROUPS, 0, "kept"))
    length, name = work.column("characters"), work.column("digest")
    for first in np.unique(kept):
        group = np.flatnonzero(kept == first)
        assert first == min(group, key=lambda number: (-length[number], name[number]))


def test_texts_are_read_when_they_are_asked_for(work):
    order = copies.unique_order(work)
    texts = copies.Texts(work, order)
    assert len(texts) == len(order)
    assert [texts[np.int64(place)] for place in range(len(order))] == [work.document(number).text for number in order]


def test_examples_are_copies_with_the_smallest_draws_beside_what_is_kept(work):
    exact, kept = (np.load(work.path(stage, 0, "kept")) for stage in (copies.EXACT, copies.GROUPS))
    unique = exact == np.arange(len(exact))
    removed = np.flatnonzero(unique & (kept != np.arange(len(kept))))
    order = np.argsort(draws(work.column("digest")[removed], 0, "example"))
    chosen = removed[order][: copies.EXAMPLES]
    both = [(work.document(kept[number]), work.document(number)) for number in chosen]
    index = [float(jaccard([first.text, second.text], np.array([[0, 1]]))[0]) for first, second in both]
    pairs = [Pair.of(first, second, j) for (first, second), j in zip(both, index, strict=True)]
    assert work.result(copies.GROUPS)["near_examples"] == json.loads(json.dumps(pairs))


def test_the_largest_groups_come_first(work):
    largest = work.result(copies.GROUPS)["largest"]
    clusters = work.result(copies.GROUPS)["clusters"]
    sizes = sorted((int(size) for size, count in clusters.items() for _ in range(count)), reverse=True)
    assert [size for size, *_ in largest] == sizes[: copies.CLUSTERS]
