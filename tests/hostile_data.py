"""More kinds of files that `tests/hostile.py` damages: those of the data sets, and the archives that they come in."""

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minilm.data import DataError, apt_index
from minilm.data.archives import extract
from minilm.data.catalogs import read_mo, read_po
from minilm.data.sets import bilingual, debian, news, sentiment, wordnet
from minilm.data.sets.lines import text_of
from minilm.data.sets.talk import conversations
from tests.data.sets.test_bilingual import LINES
from tests.data.sets.test_talk import TALK
from tests.data.sets.test_wordnet import NOUNS
from tests.data.test_archives import KINDS
from tests.data.test_catalogs import HEADER, mo, po
from tests.hostile import Form

PAIRS = [HEADER, ("Save", "保存"), ("%d files", '%d 个"文件"'), ("a\nb", "一\n二")]


def set_form(module: Any, function: str, good: bytes, name: str) -> Form:
    """A file of a data set, whose reader is told that it lies elsewhere."""

    def read(path: Path) -> Any:
        before, module.get = module.get, lambda _: path
        try:
            return getattr(module, function)()
        finally:
            module.get = before

    return Form(good, read, DataError, name=name)


def archive_form(name: str) -> Form:
    content, member = KINDS[name]

    def read(path: Path) -> Any:
        target = path.with_name("data")
        try:
            extract(path, member, target)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
        return target.read_bytes()

    return Form(content, read, DataError, name=name)


def descriptions_form() -> Form:
    """What says of which release the descriptions are: damaged, they are made again, and no error is due."""
    rows = [{"name": "ant", "section": "science", "synopsis": "Ants", "text": "They live in hills."}]
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    about = {
        "codename": "bookworm",
        "version": "12.9",
        "packages": 1,
        "links": 0,
        "fetched": "2026-01-01",
        "sha256": hashlib.sha256(content).hexdigest(),
    }

    def read(path: Path) -> Any:
        if apt_index.here(path.parent) is None:
            raise DataError(f"{path.parent} is made again")
        return apt_index.release(path.parent)

    document = (about, lambda text: text)
    return Form(json.dumps(about).encode(), read, DataError, [], document, apt_index.RELEASE, {apt_index.FILE: content})


def line_form() -> Form:
    row = {"name": "ant", "section": "science", "synopsis": "Ants", "text": "They live in hills."}
    form = set_form(debian, "package_descriptions", json.dumps(row).encode(), "x.jsonl")
    return form._replace(document=(row, lambda text: text))


DATA_FORMS: dict[str, Callable[[], Form]] = {
    "catalog, .mo": lambda: Form(
        mo(PAIRS), lambda path: read_mo(path.read_bytes(), str(path)), DataError, [(at, "I") for at in range(8, 60, 4)], name="x.mo"
    ),
    "catalog, .po": lambda: Form(po(PAIRS).encode(), lambda path: read_po(text_of(path), str(path)), DataError, name="x.po"),
    "pickled strings": lambda: set_form(bilingual, "chinese_lexicon", pickle.dumps(LINES, 3), "dump.dat"),
    "conversations": lambda: Form(TALK.encode(), lambda path: conversations(text_of(path), str(path)), DataError, name="x.yml"),
    "nouns of WordNet": lambda: set_form(wordnet, "gloss_relations", NOUNS.encode(), "data.noun"),
    "tagged news": lambda: set_form(news, "tagged_news", "江/nr  泽民/nr  ，/w\n很/d  好/a\n".encode() * 9, "x.txt"),
    "rated sentences": lambda: set_form(sentiment, "movie_sentences", b"1\t2.25\tA gem.\r\n2\t-4\tDull\r\n" * 9, "x.txt"),
    "release of descriptions": descriptions_form,
    "line of descriptions": line_form,
    "archive, .tar.gz": lambda: archive_form("a.tar.gz"),
    "archive, .tar.xz": lambda: archive_form("a.tar.xz"),
    "archive, tar in tar": lambda: archive_form("nested.tar.gz"),
    "archive, wheel": lambda: archive_form("a.whl"),
    "archive, .deb": lambda: archive_form("a.deb"),
}  # fmt: skip
