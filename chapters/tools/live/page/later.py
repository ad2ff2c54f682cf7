"""matplotlib is fetched when a cell draws, not when one imports it.

A chapter's first cell imports matplotlib, and most cells draw nothing. So an import of it gives a module that stands for it; with the first
name that is read from one, the packages are fetched, checked and unpacked, and the real module answers from then on. Settings that are
made before that (``plt.rcParams["font.size"] = 12``) are kept and made then. The fetching waits (a synchronous request, which a worker
may make), so the cell needs to know nothing of it.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.machinery
import io
import json
import logging
import sys
import sysconfig
import zipfile
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

SITE = next((path for path in sys.path if path.endswith("site-packages")), "/lib/site-packages")
UNUSED = ("mpl-data/fonts/afm/", "mpl-data/fonts/pdfcorefonts/", "mpl-data/sample_data/", "/tests/")
"""Parts of packages that no figure in a page needs: matplotlib would read all of PostScript's fonts before its first figure."""
_here = ""  # the address of the folder live/


def install(here: str) -> None:
    """From now on, packages of the folder's lock that are not loaded are fetched when they are needed."""
    global _here
    _here = here
    lock = json.loads(_fetched("pyodide-lock.json"))["packages"]
    loaded = {name for name in lock if _is_there(lock[name])}
    owners = {module: name for name in lock if name not in loaded for module in _modules(lock[name])}
    sys.meta_path.append(_Finder(lock, owners, loaded))


def library() -> None:
    """Lets the sources of Python's library be where it says that they are, for whoever asks (`ml.data.python_docstrings`): a page's Python
    has them packed.
    """
    asked = sysconfig.get_path

    @functools.cache
    def unpacked() -> None:
        packed = next(path for path in sys.path if path.endswith(".zip"))
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(asked("stdlib"))

    def get_path(name: str, *arguments: Any, **named: Any) -> str:
        if name == "stdlib":
            unpacked()
        return asked(name, *arguments, **named)

    sysconfig.get_path = get_path  # type: ignore[assignment]


def _modules(entry: dict[str, Any]) -> list[str]:
    return list(entry.get("imports") or [entry["name"]])


def _is_there(entry: dict[str, Any]) -> bool:
    return all(importlib.machinery.PathFinder.find_spec(name.split(".")[0]) is not None for name in _modules(entry))


def _fetched(name: str) -> bytes:
    """A file of the folder; waits for it."""
    import js  # type: ignore[import-not-found]

    request = js.XMLHttpRequest.new()
    request.open("GET", _here + name, False)
    request.responseType = "arraybuffer"
    request.send()
    if request.status != 200:
        raise ImportError(f"{name} could not be fetched: is the network there? Run the cell again.")
    return bytes(request.response.to_bytes())


class _Finder:
    """The last that Python asks for a module: by then it is known to be missing."""

    def __init__(self, lock: dict[str, Any], owners: dict[str, str], loaded: set[str]) -> None:
        self.lock, self.owners, self.loaded = lock, owners, loaded

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> Any:
        top = name.split(".")[0]
        package = self.owners.get(top)
        if package is None or package in self.loaded:
            return None
        if top == "matplotlib":
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        self.load(package)
        importlib.invalidate_caches()
        return importlib.machinery.PathFinder.find_spec(name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return Later(spec.name, self)

    def exec_module(self, module: ModuleType) -> None:
        pass

    def load(self, package: str) -> None:
        """Fetches a package, and what it needs, unless it is there."""
        if package in self.loaded:
            return
        self.loaded.add(package)
        entry = self.lock[package]
        try:
            for other in entry["depends"]:
                self.load(other)
            content = _fetched(entry["file_name"])
            if hashlib.sha256(content).hexdigest() != entry["sha256"]:
                raise ImportError(f"{entry['file_name']} arrived incomplete: reload the page.")
        except ImportError:
            self.loaded.discard(package)
            raise
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(SITE, [name for name in archive.namelist() if not any(part in name for part in UNUSED)])

    def real(self, name: str) -> ModuleType:
        """The module itself, for one that stands for it."""
        if not isinstance(sys.modules.get(name), Later):
            return importlib.import_module(name)
        self.load(self.owners["matplotlib"])
        for other in [key for key, module in sys.modules.items() if isinstance(module, Later)]:
            del sys.modules[other]
        importlib.invalidate_caches()
        logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # it would tell that it looks for fonts
        settings = importlib.import_module("matplotlib").rcParams  # type: ignore[attr-defined]
        for key, value in _settings.made():
            settings[key] = value
        return importlib.import_module(name)


class Later(ModuleType):
    """Stands for a module that is not fetched yet, and later hands on what is asked of it."""

    def __init__(self, name: str, finder: _Finder) -> None:
        super().__init__(name)
        self.__dict__["_finder"] = finder

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)  # the machinery of imports looks for some
        if name == "rcParams" and isinstance(sys.modules.get("matplotlib"), Later):
            return _settings
        return getattr(self._finder.real(self.__name__), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__") or isinstance(value, Later):
            self.__dict__[name] = value
        else:
            setattr(self._finder.real(self.__name__), name, value)

    def __dir__(self) -> list[str]:
        return dir(self._finder.real(self.__name__))


class _Settings(dict[str, Any]):
    """matplotlib's settings before it is there: those that are made are kept, to read one fetches it."""

    def made(self) -> Iterator[tuple[str, Any]]:
        yield from dict.items(self)

    def __getitem__(self, key: str) -> Any:
        return _real_settings()[key]

    def __getattr__(self, name: str) -> Any:
        return getattr(_real_settings(), name)


def _real_settings() -> Any:
    mpl = sys.modules["matplotlib"]
    return mpl._finder.real("matplotlib").rcParams if isinstance(mpl, Later) else mpl.rcParams  # type: ignore[attr-defined]


_settings = _Settings()
