r"""Rows of a table, picked by their numbers: how ids of tokens become vectors."""

from __future__ import annotations

import numpy as np

from minilm.backend import as_array
from minilm.indices import positions
from minilm.ops.arguments import shape_of
from minilm.ops.arithmetic import where
from minilm.ops.op import Op, op
from minilm.ops.sample import Sample, integer, real
from minilm.ops.shape import array_of, home_of, reshape


@op
class embedding(Op):
    r"""The rows of a table at the given ids: a product with one-hot vectors, without the product.

    Shapes: weight ``(rows, width)``, ids of any shape, y ``(*ids.shape, width)``.

    Args:
        padding_idx: an id whose row receives no gradient (its numbers are returned like any other's).

    Raises:
        TypeError: the ids are not integers.
        ValueError: weight has not two axes, or padding_idx is no row.
        IndexError: an id is negative, or the table has no such row (on a GPU unchecked: looking would make it wait).
    """

    formula = r"y_i = W_{t_i}"
    derivative = r"\bar W_r = \sum_{i :\, t_i = r} \bar y_i \quad (0 \text{ for the row of padding})"
    domain = r"t_i \in \{0, \dots, \text{rows} - 1\}"
    samples = [Sample(real(4, 3), integer(5, high=4)), Sample(real(4, 3), integer(2, 3, high=3), padding_idx=3),
               Sample(real(2, 1), integer(high=2)), Sample(real(3, 2), integer(0, high=3))]  # fmt: skip

    def check(self, weight, ids, *, padding_idx):
        if weight.ndim != 2:
            raise ValueError(f"embedding: weight must be (rows, width), got shape {shape_of(weight)}.")
        check_ids("embedding", array_of(ids), weight.shape[0])
        if padding_idx is not None and not 0 <= padding_idx < weight.shape[0]:
            raise ValueError(f"embedding: padding_idx {padding_idx} is none of the {weight.shape[0]} rows.")
        return {"padding_idx": padding_idx}

    def forward(self, dev, weight, ids, *, padding_idx=None):
        return dev.xp.take(weight, positions(ids), axis=0)

    def grad_weight(self, g, _y, _weight, ids, *, padding_idx):
        if padding_idx is not None:
            g = where(reshape(ids == padding_idx, (*ids.shape, 1)), 0.0, g)
        return embedding_grad(g, ids, rows=_weight.shape[0])


@op
class embedding_grad(Op):
    r"""The transpose of `embedding`: vectors added up in the rows of a table that their ids name.

    Shapes: g ``(*ids.shape, width)``, ids of any shape, y ``(rows, width)``.
    """

    formula = r"y_r = \sum_{i :\, t_i = r} g_i"
    derivative = r"\bar g_i = \bar y_{t_i}"
    domain = r"t_i \in \{0, \dots, \text{rows} - 1\}"
    wide = True
    samples = [Sample(real(5, 3), integer(5, high=4), rows=4), Sample(real(2, 3, 2), integer(2, 3, high=3), rows=5),
               Sample(real(2), integer(high=3), rows=3), Sample(real(0, 2), integer(0, high=3), rows=3)]  # fmt: skip

    def check(self, g, ids, *, rows):
        if shape_of(g)[:-1] != shape_of(ids) or g.ndim == 0:
            raise ValueError(
                f"embedding_grad: one vector an id was expected, got {shape_of(g)} for ids {shape_of(ids)}."
            )
        return {"rows": rows}

    def forward(self, dev, g, ids, *, rows):
        return dev.embedding_grad(g, ids, rows)

    def grad_g(self, g, _y, _g, ids, *, rows):
        return embedding(g, ids)


def check_ids(op_name, ids, rows, ignore=None, what="id", of="rows"):
    """Raises unless every id is an integer in [0, rows) (or `ignore`). On a GPU the range goes unchecked.

    Raises:
        TypeError: the ids are not integers.
        IndexError: names the first id that is out of range, where it stands, and how many rows there are.
    """
    if getattr(ids, "dtype", None) is None or ids.dtype.kind not in "iu":
        kind = getattr(ids, "dtype", type(ids).__name__)
        raise TypeError(f"{op_name}: {what}s must be integers, got {kind}; convert them with .astype('int64').")
    ids = as_array(ids)
    device = home_of(ids)
    if device.asynchronous:
        return
    wrong = (ids < 0) | (ids >= rows)
    if ignore is not None:
        wrong &= ids != ignore
    found = device.first_true(wrong)
    if found is None:
        return
    position = np.unravel_index(found, ids.shape)
    place = f" at position {', '.join(str(int(i)) for i in position)}" if position else ""
    raise IndexError(
        f"{op_name}: {what} {int(ids.reshape(-1)[found])}{place} is out of range: there are {rows} {of}, 0 to {rows - 1}."
    )
