"""What a profile notes while its block runs: each rule that ran as a `Call`, each Module that was called as a `Scope`."""

from __future__ import annotations

from typing import Any

from minilm.graph import modes

OUTSIDE = "(outside modules)"


class Scope:
    """A Module as it is called: below which other Modules.

    Attributes:
        path: its name below the outermost Module, such as "blocks.0.attn"; for that one itself, its class.
        kind: its class.
        calls: how often it was called.
    """

    __slots__ = ("calls", "inner", "kind", "module", "parent", "path", "paths")

    def __init__(self, parent: Scope | None, module: Any) -> None:
        self.parent, self.module, self.calls = parent, module, 0
        self.inner: dict[int, Scope] = {}
        self.kind = "" if module is None else type(module).__name__
        self.path = OUTSIDE if module is None else self.kind
        self.paths: dict[int, str] = {}
        if parent is not None and parent.parent is not None:
            self.paths = parent.paths
            above = f"{parent.path}." if parent.parent.parent is not None else ""
            self.path = self.paths.get(id(module)) or above + self.kind
        elif parent is not None:
            self.paths = {id(m): path for path, m in module.named_modules()}

    def call(self, module: Any) -> Scope:
        """The scope of a Module that is called from this one."""
        scope = self.inner.get(id(module))
        if scope is None:
            scope = self.inner[id(module)] = Scope(self, module)
        scope.calls += 1
        return scope

    def chain(self) -> list[Scope]:
        """This scope and those around it, without the outside of all Modules."""
        return [] if self.parent is None else [self, *self.parent.chain()]


class Call:
    """One rule that ran.

    Attributes:
        stage: "forward", "backward" or "section": the rule, or a stretch of code that the reader named.
        within: "backward" inside a backward rule, else the stage.
        origin: its scope; for a backward rule the call that recorded its node; None where that is unknown.
        outer: the call that it is inside of.
        nests: whether others may run inside: of rules, only those backward whose gradients are recorded, too.
        own: nanoseconds, without those of calls inside it.
        made: bytes of the arrays that it returned or kept, and that were not there before.
        alive: bytes of all arrays that were alive when it ended.
    """

    __slots__ = ("alive", "bytes", "end", "flops", "inner", "made", "name", "nests", "origin", "outer", "own", "stage",
                 "start", "within")  # fmt: skip

    def __init__(self, name: str, stage: str, outer: Call | None, origin: Scope | Call | None) -> None:
        self.name, self.stage, self.outer, self.origin = name, stage, outer, origin
        self.nests = stage == "section" or (stage == "backward" and modes.grad)
        self.within: str = "backward" if outer is not None and outer.within == "backward" else stage
        self.inner = self.own = self.flops = self.bytes = self.made = self.alive = 0
        self.start: Any = None
        self.end: Any = None

    def scope(self) -> Scope | None:
        """The scope of the op, for a backward rule that of the op that it differentiates."""
        origin = self.origin
        while isinstance(origin, Call):
            origin = origin.origin
        return origin
