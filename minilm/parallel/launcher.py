"""Whether a launcher of MPI (mpiexec, srun) started this process, as its environment tells; MPI itself is not needed to know."""

from __future__ import annotations

import os

COUNTS = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
"""In this order: of Open MPI; of MPICH, Intel MPI and Microsoft MPI; of MVAPICH; of Slurm's srun, however it starts MPI."""
NUMBERS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK", "SLURM_PROCID")
NOT_BOTH = "the ranks that mpiexec started share each batch; processes of their own (--processes) would share it again: leave them out."


def launched_count() -> int:
    """How many processes the launcher started; 1 without a launcher."""
    return next(iter(_numbers(COUNTS)), 1)


def launched_number() -> int:
    """Which of them this one is, from 0."""
    return next(iter(_numbers(NUMBERS)), 0) if launched_count() > 1 else 0


def _numbers(names: tuple[str, ...]) -> list[int]:
    return [int(value) for name in names if (value := os.environ.get(name, "")).isdecimal()]


__all__ = ["NOT_BOTH", "launched_count", "launched_number"]
