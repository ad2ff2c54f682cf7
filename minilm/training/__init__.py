"""Training: what is trained (`Task`), the loop (`Training`, `train`), and the folder of a run, exact to the bit after every stop.

Read `loop` first, then `task`; `run` says what holds of a run's files at every moment. `language_model` and
`masked_language_model` are the tasks of ``minilm train``, `text_task` what they share, and `recipes` makes their runs. When a network
does not learn: `checks` has ten things to try first, and `flow` reads what its layers do.
"""

from minilm.training.checkpoint import CheckpointError, RunError
from minilm.training.checks import ten_checks
from minilm.training.flow import Flow
from minilm.training.flow_picture import LivePicture, draw_flow
from minilm.training.loop import Outcome, Training, train
from minilm.training.run import Run
from minilm.training.settings import TrainConfig
from minilm.training.task import Task

__all__ = [
    "CheckpointError",
    "Flow",
    "LivePicture",
    "Outcome",
    "Run",
    "RunError",
    "Task",
    "TrainConfig",
    "Training",
    "draw_flow",
    "ten_checks",
    "train",
]
