"""Going on from a checkpoint: the state that is taken over, and the checks that it is the run's own and of one time."""

from __future__ import annotations

import math
from typing import Any

from minilm import random
from minilm.nn.module import Module
from minilm.optim import Optimizer
from minilm.training.checkpoint import CheckpointError, canonical
from minilm.training.run import Checkpoint, Run, load_weights


def restore(run: Run[Any], checkpoint: Checkpoint, model: Module, optimizer: Optimizer) -> None:
    """Takes over a checkpoint's weights, averages and random state. The optimizer's options stay: they are the phase's.

    Raises:
        CheckpointError: it does not fit the model, or its parts are not of one time.
    """
    path = run.folder / "checkpoint.safetensors"
    options = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    try:
        load_weights(model, checkpoint.weights, path)
        optimizer.load_state_dict({"options": checkpoint.optimizer, "arrays": checkpoint.averages})
        random.set_state(checkpoint.random)
    except CheckpointError:
        raise
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} does not fit this run ({type(error).__name__}: {error}): restore it from a copy."
        ) from None
    seed = run.train_config.seed
    same = canonical(random.get_state()) == canonical(checkpoint.random)  # every value of it was taken as it stands
    if checkpoint.random.get("seed") != seed or not same:
        raise CheckpointError(f"{path} is damaged: its random state is none of the run's seed, {seed}.")
    for group, own in zip(optimizer.param_groups, options, strict=True):
        group.update(own)
    counts = {optimizer.state.get(p, {"step": 0})["step"] for p in model.parameters() if p.requires_grad}
    if counts != {checkpoint.step}:
        raise CheckpointError(
            f"{path} is damaged: its step is {checkpoint.step}, its optimizer's {sorted(counts)}: restore it from a copy."
        )


def step_of_best_weights(run: Run[Any], checkpoint: Checkpoint | None) -> int | None:
    """The step of the run's best weights (None: there are none, or they are from version 1).

    Raises:
        CheckpointError: they are damaged or another run's, or they and the checkpoint are not of one time.
    """
    path = run.folder / "model.safetensors"
    if not path.exists():
        return None
    best = run.load_weights()
    step = best.step
    if step is None or checkpoint is None:
        return step
    if step > checkpoint.step or math.isinf(checkpoint.best):
        raise CheckpointError(
            f"{path} is of step {step}, newer than the checkpoint, of step {checkpoint.step}: going on would overwrite it. Put the "
            "newer checkpoint back, or move the model away."
        )
    if step == checkpoint.best_step and best.validation_loss != checkpoint.best:
        raise CheckpointError(
            f"{path} has the loss {best.validation_loss} at step {step}, the checkpoint {checkpoint.best}: they are not of one "
            "training. Put the run's own files back."
        )
    if checkpoint.best_step is not None and step != checkpoint.best_step != checkpoint.step:
        raise CheckpointError(
            f"{path} is of step {step}, but the best weights are those of step {checkpoint.best_step}: put the run's own file back, or "
            "move this one away and go on without."
        )
    return step
