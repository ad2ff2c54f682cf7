"""Python in the book's pages: what they need to run cells and to grade exercises in the browser, without a server."""

from __future__ import annotations


def loaded(page: str, script: str, styles: tuple[str, ...], attributes: str = "") -> str:
    """What makes a page fetch a module and its styles from the folder of Python, beside the page's own folder."""
    live = "../" * page.count("/") + "live"
    links = "".join(f'<link rel="stylesheet" href="{live}/{name}.css">' for name in styles)
    return f'{links}<script type="module" src="{live}/{script}.js"{attributes}></script>'
