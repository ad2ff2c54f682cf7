"""Looking inside a trained model: what it attends to, which input its answer hangs on, what its layers hold, and what a head does.

An explanation is a claim, and each has its test here: attention's maps can be changed and the output watched (`attention`), what an
attribution calls important can be taken away (`attribution`), a probe has a control task (`probe`), and a head is switched off
(`induction`). Nothing here changes a model: hooks are removed when the block ends, and gradients go to the inputs alone.
"""

from minilm.interpret.attention import attention_maps, attention_weights, draw_map, edited, permuted
from minilm.interpret.attribution import (
    deletion,
    gradient_times_input,
    integrated_gradients,
    leave_one_out,
)
from minilm.interpret.induction import (
    Copying,
    copying_loss,
    copying_score,
    copying_scores,
    learn_to_copy,
    prefix_scores,
    previous_scores,
    repeats,
    without_heads,
)
from minilm.interpret.lens import hidden_states, lens_losses, read_out
from minilm.interpret.probe import Affine, Probed, RidgeProbe, control_labels, probed, ridge
from minilm.interpret.reader import WordReader
from minilm.interpret.watch import outputs_of, with_output

__all__ = [
    "Affine",
    "Copying",
    "Probed",
    "RidgeProbe",
    "WordReader",
    "attention_maps",
    "attention_weights",
    "control_labels",
    "copying_loss",
    "copying_score",
    "copying_scores",
    "deletion",
    "draw_map",
    "edited",
    "gradient_times_input",
    "hidden_states",
    "integrated_gradients",
    "learn_to_copy",
    "leave_one_out",
    "lens_losses",
    "outputs_of",
    "permuted",
    "prefix_scores",
    "previous_scores",
    "probed",
    "read_out",
    "repeats",
    "ridge",
    "with_output",
    "without_heads",
]
