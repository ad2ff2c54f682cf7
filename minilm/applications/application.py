"""What every application has: real data with a fixed split, a system that answers, simple methods beside it, and what is measured.

An application is a question asked of language: is this mail spam, which characters are a name. It says where its examples come from and
how they are split; what a system is given of an example, and how an answer is measured. A `System` answers: ours, trained by
`minilm.training` or published, and the simple methods (`Application.baselines`), which are measured by the same numbers on the same
examples.

`minilm task NAME train|evaluate|predict` (`minilm.cli_task`) knows no application: only what stands here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np

from minilm.data import three_parts
from minilm.metrics.score import Score

E = TypeVar("E")
Answer = dict[str, Any]
"""What a system says to one input, as a JSON object: {"label": "spam", "probability": 0.97}."""


class System(Protocol):
    """Whatever answers the questions of an application."""

    def __call__(self, questions: Sequence[Any]) -> list[Answer]:
        """One answer per question, in their order; an answer depends on its question alone."""


Baseline = Callable[["Split[Any]"], System]
"""A simple method: it learns from the training part, is tuned on the validation part, and never sees the test part."""


@dataclass(frozen=True)
class Split(Generic[E]):
    """The examples of an application in three parts, without copies: no text stands in two of them.

    Attributes:
        train: to learn from; `validation`: to choose settings by; `test`: to be read once, at the end.
        about: how the parts were made, and what was removed before: a sentence or two, for the model card.
    """

    train: Sequence[E]
    validation: Sequence[E]
    test: Sequence[E]
    about: str

    @classmethod
    def of(cls, examples: Sequence[E], parts: Iterable[Iterable[int]], about: str) -> Split[E]:
        """The examples whose numbers are in each of the three parts (`minilm.data.three_parts`), in the order of the numbers."""
        train, validation, test = ([examples[i] for i in part] for part in parts)
        return cls(train, validation, test, about)

    def shortened(self, most: int) -> Split[E]:
        """The same examples to learn from, and of each other part at most `most`, at even distances: for a first look, which is cheaper."""

        def some(part: Sequence[E]) -> Sequence[E]:
            return [part[i * len(part) // most] for i in range(most)] if len(part) > most else part

        about = f"{self.about} Of those to validate and to test on, at most {most:,} each are read."
        return Split(self.train, some(self.validation), some(self.test), about)


class Application(ABC, Generic[E]):
    """One task on real data.

    Attributes:
        name: as it is typed: "spam".
        title: in a few words, for a list.
        datasets, models: what is fetched: names of `minilm data list` and of `minilm models list`.
        line: an input of ``predict``, as an example: a line of text, or a JSON object.
        file: what `read` reads, in a sentence.
        opens_runs: of one that trains nothing, whether `open` takes the folder of a run that another command trained.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    datasets: ClassVar[tuple[str, ...]] = ()
    models: ClassVar[tuple[str, ...]] = ()
    line: ClassVar[str]
    file: ClassVar[str] = ""
    opens_runs: ClassVar[bool] = False

    # -- the data -----------------------------------------------------------------------------------------------------

    @abstractmethod
    def split(self) -> Split[E]:
        """The published examples, always in the same parts.

        Raises:
            DataError: they cannot be had; the message says what to run where.
        """

    @abstractmethod
    def read(self, path: Path) -> list[E]:
        """The examples, with their answers, of a file that a user brings.

        Raises:
            DataError: what is wrong, in which line, and what was expected.
        """

    def divide(self, examples: Sequence[E]) -> Split[E]:
        """The examples of a user's file in three parts, of which 80, 10 and 10 % are drawn with a fixed seed.

        Override it where examples belong together, as the sentences of an article do, and where copies are to be removed.

        Raises:
            DataError: there are too few of them.
        """
        about = "A tenth to validate and a tenth to test on were drawn at random."
        return Split.of(examples, three_parts(len(examples)), about)

    @abstractmethod
    def question(self, example: E) -> Any:
        """What a system is given of an example: all but the answer."""

    @abstractmethod
    def parse(self, line: str) -> Any:
        """A question from a line of ``predict``'s input.

        Raises:
            ValueError: what is wrong with the line.
        """

    # -- what answers -------------------------------------------------------------------------------------------------

    @abstractmethod
    def open(self, folder: Path | None, device: str) -> System:
        """The system.

        Args:
            folder: of the run that trained it; None where nothing is trained (see `Trained`).
        """

    def baselines(self) -> Mapping[str, Baseline]:
        """The simple methods by name, through libraries (the extra `compare`): the best there are, tuned as carefully as ours."""
        return {}

    def beside(self, folder: Path | None, device: str) -> Mapping[str, Baseline]:
        """What is measured beside a run, by name: the simple methods, and what else says something about it.

        Args:
            folder, device: as `open` takes them.
        """
        return self.baselines()

    # -- what it is worth ---------------------------------------------------------------------------------------------

    @abstractmethod
    def measure(self, examples: Sequence[E], answers: Sequence[Answer]) -> list[Score]:
        """The numbers of a system's answers, the one that decides first."""

    def wrong(self, examples: Sequence[E], answers: Sequence[Answer]) -> list[int]:
        """Which answers are wrong, the worst first: those whose own number, the one that decides, is below the best that there can be.

        The best is 1, or the highest number of an answer if that is more, and 0 of an error.
        """
        each = [self.measure([example], [answer])[0] for example, answer in zip(examples, answers, strict=True)]
        if not each:
            return []
        values = np.array([score.value if score.higher_is_better else -score.value for score in each])
        best = max(1.0, np.nanmax(values, initial=0.0)) if each[0].higher_is_better else 0.0
        return [int(i) for i in np.argsort(values, kind="stable") if values[i] < best]

    def remarks(self, folder: Path | None, examples: Sequence[E]) -> Sequence[str]:
        """What is told beside the numbers of a run on these examples, such as answers that it cannot give; a sentence each.

        Args:
            folder: of the run; None where nothing is trained.
        """
        return ()

    def details(self, examples: Sequence[E], answers: Sequence[Answer]) -> Mapping[str, Any]:
        """What is told beside the numbers to a program (``--json``), such as a confusion matrix."""
        return {}

    def limits(self) -> Sequence[str]:
        """What it is not good for, a sentence each, for the model card."""
        return ()
