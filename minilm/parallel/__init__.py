"""One batch on several processes of one machine.

`data_parallel.py` is what a training loop sees: a batch is cut, each part goes to a process, gradients come back and are added.
`workers.py` starts the processes and talks to them, `serve.py` is what they run, `shared.py` the memory that all of them see, and
`pickling.py` takes the model there.
"""

from minilm.parallel.data_parallel import DataParallel
from minilm.parallel.workers import WorkerError

__all__ = ["DataParallel", "WorkerError"]
