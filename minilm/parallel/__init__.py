"""One batch on several threads or processes, of one machine or of many.

`data_parallel.py` is what a training loop sees: a batch is cut, each member takes a part, gradients come back and are added.
`members.py` says what a member is. `processes.py` starts members on this machine: `workers.py` talks to them, `serve.py` is what they
run, `shared.py` the memory that all of them see, and `pickling.py` takes the model there. `ranks.py` are members on many machines, by
MPI; `launcher.py` sees whether there are any, and `nccl.py` adds on their GPUs. `threads.py` are the threads of one member.
"""

from minilm.parallel.data_parallel import DataParallel
from minilm.parallel.ranks import RankError, world
from minilm.parallel.threads import Choice, choose_threads
from minilm.parallel.workers import WorkerError

__all__ = ["Choice", "DataParallel", "RankError", "WorkerError", "choose_threads", "world"]
