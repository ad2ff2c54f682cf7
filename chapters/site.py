"""Builds the book as a website from the committed notebooks, without running them: ``_build/site/en/index.html``.

::

    python chapters/site.py

Needs the extra `book`. Formulas are typeset by MathJax, which is fetched once with npm into ``_build`` and becomes part of
the site; where npm is missing, the pages load it from the net instead.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
MATHJAX = "mathjax@3.2.2"


def main(language: str = "en") -> int:
    """Builds one edition; returns Sphinx's exit status. Every warning is an error."""
    print(f"formulas: {fetch_mathjax()}")
    source, site = BUILD / "src" / language, BUILD / "site" / language
    copy_sources(language, source)
    shutil.rmtree(site, ignore_errors=True)
    status = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E", "-b", "html", "-c", str(ROOT / "chapters"),
         "-d", str(BUILD / "doctrees" / language), str(source), str(site)],
        env={**os.environ, "BOOK_LANGUAGE": language},
    ).returncode  # fmt: skip
    print(f"{site.relative_to(ROOT)}/index.html" if status == 0 else "the site has errors")
    return status


def fetch_mathjax() -> str:
    """Puts MathJax's one-file build beside the site's own files; returns a word on where pages will find it."""
    folder = BUILD / "mathjax"
    file = folder / "tex-svg-full.js"
    if file.exists():
        return f"{MATHJAX}, part of the site"
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed, so MathJax is not part of the site: its pages load it from a server on the net"
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([npm, "pack", "--silent", MATHJAX], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        word = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return f"npm could not fetch {MATHJAX} ({word}): pages load MathJax from a server on the net"
    archive = folder / done.stdout.split()[-1]
    with tarfile.open(archive) as tar:
        member = tar.extractfile("package/es5/tex-svg-full.js")
        assert member is not None
        file.write_bytes(member.read())
    archive.unlink()
    return f"{MATHJAX}, part of the site"


def copy_sources(language: str, target: Path) -> None:
    """The edition's start page and notebooks, as Sphinx is to read them.

    Raises:
        FileNotFoundError: no notebook has been built.
    """
    import nbformat

    notebooks = sorted((ROOT / "notebooks" / language).glob("[0-9][0-9]-*.ipynb"))
    if not notebooks:
        raise FileNotFoundError(f"notebooks/{language} is empty: python chapters/build.py write")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for path in notebooks:
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = for_sphinx(cell.source, path, target)
        nbformat.write(notebook, target / path.name)
    index = ROOT / "chapters" / language / "index.md"
    text = re.sub(r"\]\((\d\d-[\w-]+)\.md", r"](\1.ipynb", index.read_text(encoding="utf-8"))
    toctree = "\n".join(["```{toctree}", ":hidden:", ":numbered: 1", "", *(path.stem for path in notebooks), "```"])
    (target / "index.md").write_text(f"{for_sphinx(text, index, target)}\n{toctree}\n", encoding="utf-8")


def for_sphinx(markdown: str, origin: Path, target: Path) -> str:
    """Notes become admonitions; links to files outside the book (the library's sources) fit the folder that Sphinx reads."""

    def note(m: re.Match[str]) -> str:
        body = re.sub(r"^> ?", "", m[2] + m[3], flags=re.MULTILINE)
        return f":::{{{m[1].lower()}}}\n{body.rstrip()}\n:::\n"

    def link(m: re.Match[str]) -> str:
        path = (origin.parent / m[1]).resolve()
        if path == ROOT / "chapters" / target.name / "index.md":
            return f"](index.md{m[2] or ''})"
        return f"]({os.path.relpath(path, target)}{m[2] or ''})"

    markdown = re.sub(
        r"^> \*\*(Note|Tip|Important|Warning|Caution)\.\*\* (.*\n?)((?:>.*\n?)*)", note, markdown, flags=re.MULTILINE
    )
    return re.sub(r"\]\((\.\./[^)#\s]+)(#[^)\s]*)?\)", link, markdown)


if __name__ == "__main__":
    sys.exit(main())
