"""From the input to a corpus: the stages in their order, each part once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from minilm.data.errors import DataError
from minilm.data.files import sha256_of
from minilm.data.packed import PackedCorpus, open_corpus
from minilm.files import remove_leftovers, shown
from minilm.lock import FolderLock
from minilm.pipeline.finish import CORPUS
from minilm.pipeline.pack import end_of
from minilm.pipeline.processes import Executor, Here
from minilm.pipeline.settings import BPE, Settings, differences
from minilm.pipeline.stages import STAGES, Stage
from minilm.pipeline.work import PLAN, WORK, Collection, Plan, Work, begin, inputs_in_words, make_plan
from minilm.text import load_tokenizer

PARTITION_BYTES = 1 << 23
LOCK = "corpus.lock"

Progress = Callable[[Stage, int, int], None]
"""Called with a stage, how many of its parts are done, and how many there are."""


def build(
    collections: Sequence[Collection],
    folder: str | os.PathLike[str],
    settings: Settings | None = None,
    *,
    evaluation: Sequence[str] = (),
    tokenizer: str | None = None,
    executor: Executor | None = None,
    size: int = PARTITION_BYTES,
    progress: Progress | None = None,
    keep: bool = False,
) -> PackedCorpus:
    """Makes a corpus, or goes on with it where an earlier call was stopped, however it was.

    The same input and settings give the same files: neither their order, nor `executor`, nor `size` changes a bit of them.

    Args:
        collections: what it is made from.
        folder: where it is made: new, empty, or with the same corpus, finished or not.
        settings: how it is made.
        evaluation: files or folders of evaluation sets: of what stands in them, nothing stays in the training part.
        tokenizer: the path of one; None: a byte-pair encoding is made.
        executor: who computes; None: this process.
        size: about how many bytes of input are a part of the work.
        progress: is told how far the work is.
        keep: whether the folder `work` stays, with what each stage handed on.

    Raises:
        DataError: the input cannot be used, the folder holds another corpus, or a setting fits nothing.
        OSError: a file cannot be written; what is done stays.
    """
    settings, out = settings or Settings(), Path(folder)
    _refuse_inside(out, "the input", [collection.path for collection in collections])
    _refuse_inside(out, "--evaluation", evaluation)
    path = None if tokenizer is None else os.path.abspath(tokenizer)
    settings = Settings(**{**vars(settings), "tokenizer": BPE if path is None else sha256_of(path)})
    if path is not None:
        end_of(load_tokenizer(path))  # now, and not when everything else is done
    plan = make_plan(collections, settings, evaluation=evaluation, tokenizer=path, size=size)
    _refuse_other(out, plan)
    out.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(out, LOCK, DataError, "the same command and the folder's new place")
    try:
        if not (out / CORPUS).exists():
            work = begin(out, plan)
            for place in (out, *(path for path in out.rglob("*") if path.is_dir())):
                remove_leftovers(place)
            _compute(work, executor or Here(), progress)
        if not keep:
            shutil.rmtree(out / WORK, ignore_errors=True)
    finally:
        lock.release()
    return open_corpus(out)


def _compute(work: Work, executor: Executor, progress: Progress | None) -> None:
    try:
        for stage in STAGES:
            parts = stage.parts(work)
            waiting = [part for part in range(parts) if not work.is_done(stage.name, part)]
            done = parts - len(waiting)
            if progress:
                progress(stage, done, parts)
            for _ in executor(work.out, stage.name, waiting) if waiting else ():
                done += 1
                if progress:
                    progress(stage, done, parts)
    finally:
        executor.close()


def _refuse_inside(folder: Path, what: str, paths: Sequence[str]) -> None:
    """Refuses a folder that lies in what is read: what is made there would be input when the work goes on."""
    for path in paths:
        if Path(os.path.realpath(path)) in Path(os.path.realpath(folder)).parents:
            raise DataError(
                f"{shown(folder)} lies in {what} {shown(path)}, and would be read as a part of it: choose a folder outside"
            )


def _refuse_other(folder: Path, plan: Plan) -> None:
    """Refuses a folder in which something else lies than the beginning of this corpus, or all of it."""
    if (folder / CORPUS).exists():
        about = open_corpus(folder).about
        changed = list(differences(about["settings"], plan.settings.to_json()))
        inputs = inputs_in_words(plan.collections)
        old = inputs_in_words([Collection(source["name"], "", source["licence"]) for source in about["sources"]])
        if old != inputs:
            changed.append(f"the inputs were {old}, are {inputs}")
        if about["input"] != plan.fingerprint:
            changed.append("the files of the input are others")
        if changed:
            raise DataError(f"{shown(folder)} holds another corpus: {'; '.join(changed)}. Choose another folder")
    elif (folder / WORK / PLAN).exists() or not folder.exists():
        return
    elif not folder.is_dir() or set(os.listdir(folder)) - {LOCK}:
        raise DataError(f"{shown(folder)} holds something else already: choose another folder, or an empty one")


__all__ = ["PARTITION_BYTES", "Progress", "build"]
