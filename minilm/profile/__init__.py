"""Where the time goes: each op and Module with its time, calls, operations, bytes and memory.

Each file knows only those before it: `calls` (what is noted), `rows` and `results` (the numbers), `recorder` (how it is measured, with
`clock`, `cost` and `memory`), `table`, `roofline` and `page` (how it is shown), and `face` (what the reader holds).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minilm.backend import Device
    from minilm.profile.face import Profile
    from minilm.profile.results import Peak
    from minilm.profile.roofline import Ceilings, measure_ceilings
    from minilm.profile.rows import ModuleRow, OpRow, Stats

__all__ = ["Ceilings", "ModuleRow", "OpRow", "Peak", "Profile", "Stats", "measure_ceilings", "profile"]

_HOMES = {"Ceilings": "roofline", "measure_ceilings": "roofline", "ModuleRow": "rows", "OpRow": "rows", "Stats": "rows",
          "Peak": "results", "Profile": "face"}  # fmt: skip


def __getattr__(name: str) -> Any:
    """What only a profile needs is imported with the first one."""
    if name in _HOMES:
        return getattr(import_module(f"minilm.profile.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'minilm.profile' has no attribute {name!r}")


def profile(device: str | Device | None = None) -> Profile:
    """Measures what runs inside a ``with`` block, op by op, forward and backward::

        model = ml.models.MLP([784, 128, 10])
        with ml.profile() as p:
            loss = ml.nn.functional.cross_entropy(model(images), labels)
            loss.backward()
            with p.section("optimizer"):
                optimizer.step()
        print(p)                      # time, calls, operations, bytes, memory of each op
        print(p.table(by="module"))   # the same by Module, with the Modules inside it
        p.roofline()                  # how near each op comes to what the machine allows

    *Time* is that of the rules themselves, without what the profile does between them. The row "engine and Python" is the rest:
    recording the graph, adding up gradients that arrive on several paths, copying them into ``grad``, and whatever
    runs in the block that is no op; `Profile.section` gives a part of it a row of its own. On a GPU times are those of the device,
    between two events around each op, read once at the end; "engine and Python" is then the time in which it had
    no op to run. Run the block once before you measure: the first call of anything is slow.

    *Operations and bytes* are counted from shapes; `minilm.profile.cost` says how. In ``backward(create_graph=True)`` rules are made of
    ops; those are counted under their own names, in the backward pass.

    *Memory*: on the CPU, arrays that passed through an op (inputs, outputs, what is kept for the backward pass, gradients),
    Modules' parameters, and ``grad``, as long as they are alive. Not: what a rule uses and frees before it returns, an
    optimizer's moments, Python's own objects. On a GPU, all that is in use in CuPy's memory pool when a rule ends.

    Without a profile there is nothing to pay: ops look, as ever, at an empty tuple of observers. Within one, each op costs some
    microseconds more, which are left out of its numbers. Keep the block to a few steps: each call is kept until the end.

    Args:
        device: whose clock to use; default: ``"cuda"`` where this process uses the GPU, else ``"cpu"``.

    Raises:
        RuntimeError: on entering, where a profile is running in this thread already; on reading, before the block has ended.
    """
    from minilm.profile.face import Profile

    return Profile(device)
