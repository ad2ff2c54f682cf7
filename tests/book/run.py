"""Runs pieces of a chapter in this process: a tenth of a kernel's time, and pytest's own tracebacks."""

import contextlib
import linecache
import warnings
from pathlib import Path

import numpy as np

import minilm as ml


@contextlib.contextmanager
def setup(chapter):
    """The names that the chapter's setup cells define, in a namespace of its own. Global settings are put back."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    dtype, state, cwd = ml.get_default_dtype(), np.random.get_state(), Path.cwd()  # noqa: NPY002
    with (
        mpl.rc_context(),
        warnings.catch_warnings(),
        contextlib.chdir(cwd) if hasattr(contextlib, "chdir") else contextlib.nullcontext(),
    ):
        warnings.filterwarnings("ignore", ".*non-interactive.*")
        try:
            names = {"__name__": "__main__"}
            for cell in chapter.setup:
                run(cell.source, f"{chapter.path.name} [setup, line {cell.line}]", names)
            yield names
        finally:
            plt.close("all")
            ml.set_default_dtype(dtype)
            np.random.set_state(state)  # noqa: NPY002


def run(source, name, names):
    """Executes source code whose lines tracebacks can show."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), names)
