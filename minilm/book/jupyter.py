"""How ``minilm book``'s JupyterLab reads and writes the chapters' notebooks, and starts their kernels.

A kernel states its name and Python's version in the metadata of each notebook that it opens. So JupyterLab calls a chapter changed
as soon as it is seen, and saves it two minutes later. Here the server fills in what the kernel will state when a chapter is read, and
takes it out again when it is written: a chapter changes if its reader changes it.
"""

from __future__ import annotations

import os
import re
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from minilm.book.missing import STARTUP

CHAPTER = re.compile(r"/?notebooks/[\w-]+/(\d\d|[A-Z])-[\w-]+\.ipynb")
STORED = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def stated() -> dict[str, Any]:
    """What this environment's kernel states of itself in a notebook."""
    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return STORED
    kernel = {"display_name": spec.display_name, "language": spec.language, "name": "python3"}
    return {"kernelspec": kernel, "language_info": dict(IPythonKernel.language_info)}


class Contents(AsyncLargeFileManager):
    """JupyterLab's files, with chapters that do not change by being opened, and kernels that say which cell is missing."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        os.environ.setdefault("PYTHONSTARTUP", str(STARTUP))  # the server's kernels inherit it, and run it first

    async def get(self, path: str, content: bool = True, *arguments: Any, **named: Any) -> Any:
        inner: Any = super()
        model = await inner.get(path, content, *arguments, **named)
        if content and model["type"] == "notebook" and CHAPTER.fullmatch(path):
            model["content"]["metadata"].update(stated())
        return model

    async def save(self, model: Any, path: str = "") -> Any:
        if model.get("type") == "notebook" and model.get("content") and CHAPTER.fullmatch(path):
            model["content"]["metadata"].update(STORED)
        inner: Any = super()
        return await inner.save(model, path)
