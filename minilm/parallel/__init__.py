"""One batch on several processes."""

from minilm.parallel.data_parallel import DataParallel, WorkerError

__all__ = ["DataParallel", "WorkerError"]
