"""What the ranks of MPI other than 0 do. Rank 0 trains as ever (`minilm.training.loop`), and alone has the run.

It gives the others a `Start`; from then on all do the same updates, each with its share of every batch, until rank 0 has none left, or
one of them was asked to stop.
"""

from __future__ import annotations

from minilm import random
from minilm.parallel.ranks import Ranks
from minilm.training.loop import Start, Updates
from minilm.training.stops import stop_requests


def follow(ranks: Ranks) -> None:
    """What the ranks other than 0 do while that one trains.

    Raises:
        RankError: rank 0 or another one failed or does not answer.
    """
    with ranks.together():
        start = ranks.share()
        if not isinstance(start, Start):  # rank 0 has ended, without an update
            return
        updates = Updates(start.task, start.data, start.config, start.began, start.device)
        updates.model.load_state_dict(start.weights)
        updates.optimizer.load_state_dict(start.optimizer)
        random.set_state(start.random)
        updates.step = start.step
        with stop_requests(told=False) as stop:
            while updates.parallel.members.all(not stop()):
                updates.update()


__all__ = ["follow"]
