"""The stages, in their order: the name, in how many parts, and what a part does.

A part of a stage looks at the results of the stages before it and at nothing else. So the parts of a stage can be computed in any order,
at once, by any process or machine that sees the folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from minilm.pipeline import copies, finish, pack, read, split
from minilm.pipeline.work import PLAN, WORK, Work


class Stage(NamedTuple):
    """A stage.

    Attributes:
        name: its name, and that of its folder.
        parts: in how many parts it is computed.
        run: computes a part, and returns its result, for `Work.done`.
        doing: what it does, for people.
    """

    name: str
    parts: Callable[[Work], int]
    run: Callable[[Work, int], dict[str, Any]]
    doing: str


def _one(work: Work) -> int:
    return 1


def _partitions(work: Work) -> int:
    return len(work.plan.partitions)


STAGES = (
    Stage(read.STAGE, _partitions, read.read_part, "reading, rules, signatures"),
    Stage(copies.EXACT, _one, copies.exact_part, "exact copies"),
    Stage(copies.LINKS, copies.bands_of, copies.links_part, "documents that may be near copies"),
    Stage(copies.GROUPS, _one, copies.groups_part, "groups of near copies"),
    Stage(split.HELD, _partitions, split.held_part, "what is held out"),
    Stage(split.KNOWN, _one, split.known_part, "passages that the training part must not have"),
    Stage(split.SCATTER, _partitions, split.scatter_part, "decontamination, shuffle"),
    Stage(pack.TOKENIZER, _one, pack.tokenizer_part, "tokenizer"),
    Stage(pack.GATHER, lambda work: len(pack.buckets_of(work)), pack.gather_part, "texts and tokens in their order"),
    Stage(pack.PACK, lambda work: len(pack.shards_of(work)), pack.pack_part, "token files"),
    Stage(finish.STAGE, _one, finish.finish_part, "report"),
)
_BY_NAME = {stage.name: stage for stage in STAGES}


def run_part(folder: str | os.PathLike[str], stage: str, part: int) -> None:
    """Computes one part of a stage, unless it is done. This is all that another process is asked for.

    Raises:
        DataError, OSError: the part cannot be computed; what it had written stays, and is written again.
    """
    plan = Path(folder, WORK, PLAN)
    work = _opened(os.fspath(folder), plan.stat().st_mtime_ns if plan.exists() else 0)
    if not work.is_done(stage, part):
        work.done(stage, part, _BY_NAME[stage].run(work, part))


@lru_cache(1)
def _opened(folder: str, written: int) -> Work:
    """The folder, opened once for all parts that a process computes of one plan."""
    return Work(folder)


__all__ = ["STAGES", "Stage", "run_part"]
