"""What a worker runs: gradients of one part of a batch after another, until its input ends."""

from __future__ import annotations

import io
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from minilm import random
from minilm.nn.module import Module
from minilm.optim.flat import cut
from minilm.parallel.members import Flat, Share
from minilm.parallel.shared import open_shared
from minilm.tensor import Tensor


def main() -> None:
    """Serves the process that started this one. Answers go to what was standard output, what a model prints to the errors'."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # such a signal may reach all processes: the first one decides
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    answers = io.FileIO(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.stdin.buffer, answers)


def _serve(source: BinaryIO, answers: BinaryIO) -> None:
    """The first message brings the model, each further one a part of a batch; each is answered, if need be with a traceback."""
    serve_part = None
    while True:
        try:
            message = pickle.load(source)
        except (EOFError, OSError, pickle.UnpicklingError):  # the parent is gone, perhaps in the middle of a message
            return
        failed, content = False, None
        try:
            if serve_part is None:
                serve_part = _part_server(*message)
            else:
                content = serve_part(*message)
        except Exception:
            failed, content = True, traceback.format_exc()
        try:
            pickle.dump((failed, content), answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()
        except OSError:  # nobody is there to read it
            return


def _part_server(message: bytes, method: str, path: str, shape: tuple[int, int], dtype: str) -> Callable[..., Any]:
    """The function that computes a share's gradients into this worker's row of the shared array."""
    model: Module = pickle.loads(message)
    params, shared = list(model.parameters()), open_shared(path, shape, np.dtype(dtype))
    flat = Flat(params)
    for p, weights in zip(params, cut(shared[0], params), strict=True):
        p.data = weights

    def serve(share: Share, state: dict[str, Any], training: bool, needs: list[bool], row: int) -> None:
        random.set_state(state)
        model.train(training)
        for p, need in zip(params, needs, strict=True):
            p.requires_grad, p.grad = need, None
            p.bump_version()
        flat.write(shared[row], share_backward(model, method, share))

    return serve


def share_backward(model: Module, method: str, share: Share) -> Tensor:
    """Adds a share's part of the gradient to the parameters, and returns its part of the loss."""
    with random.rows_of_batch(share.first, share.size):
        loss: Tensor = getattr(model, method)(*share.rows)
        if isinstance(loss, tuple):
            raise TypeError(
                f"DataParallel: {type(model).__name__}.{method} returns a pair (loss, count): threads weigh their parts by the count, "
                "processes and ranks by the rows. Let it return the mean over the rows."
            )
        loss = loss * share.weight
    loss.backward()
    return loss.detach()


__all__ = ["main", "share_backward"]
