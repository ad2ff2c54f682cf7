"""DataLoader: examples in shuffled batches, the same on every machine, and resumable between any two batches."""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .errors import DataError


@runtime_checkable
class BatchDataset(Protocol):
    """A data set that makes a batch at once, which is faster than stacking its examples one by one."""

    def __len__(self) -> int: ...

    def gather(self, indices: NDArray[np.int64], /) -> Any:
        """The batch of the examples at `indices`."""


class ArrayDataset:
    """Arrays whose first axis counts the examples: features and labels, say.

    Example i is (a[i], b[i], ...), or a[i] if there is one array. Raises DataError if the arrays differ in length, or
    if there are none.
    """

    def __init__(self, *arrays: NDArray[Any]) -> None:
        if not arrays or any(np.ndim(array) == 0 for array in arrays):
            raise DataError("ArrayDataset needs one or more arrays whose first axis counts the examples")
        lengths = [len(array) for array in arrays]
        if len(set(lengths)) > 1:
            raise DataError(f"the arrays of a data set must have one length, got {lengths}")
        self.arrays = tuple(np.asanyarray(array) for array in arrays)

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: int) -> Any:
        return self._one_or_all(tuple(array[index] for array in self.arrays))

    def gather(self, indices: NDArray[np.int64], /) -> Any:
        """The batch of the examples at `indices`: a tuple of arrays, or one array if there is one."""
        return self._one_or_all(tuple(array[indices] for array in self.arrays))

    def _one_or_all(self, values: tuple[Any, ...]) -> Any:
        return values if len(values) > 1 else values[0]


class DataLoader:
    """Iterating yields the batches of one epoch; the next loop yields the next epoch.

    `dataset` is an array, a tuple of arrays of one length, a BatchDataset, or any sequence of examples. Batches are
    what its `gather` returns, or what `collate` (default: `default_collate`) makes of a list of examples.

    With `shuffle`, the order of epoch e is the permutation that numpy.random.default_rng([seed, e]) draws: it depends
    on nothing else. A Generator in place of the seed gives one number, the seed. `drop_last` leaves out a last batch
    that is smaller than `batch_size`.

    `state_dict()` between any two batches, and `load_state_dict()` in a new loader, continue with the very next batch.
    A loop that was left early without that is not continued: the next one begins the next epoch.

    Raises DataError if there are no examples or no batches, or if `batch_size` is not 1 or more.
    """

    def __init__(
        self,
        dataset: NDArray[Any] | tuple[NDArray[Any], ...] | BatchDataset | Sequence[Any],
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        seed: int | np.random.Generator = 0,
        drop_last: bool = False,
        collate: Callable[[list[Any]], Any] | None = None,
    ) -> None:
        self.dataset = _as_dataset(dataset)
        self.batch_size = operator.index(batch_size)
        self.shuffle = shuffle
        self.seed = int(seed.integers(2**63)) if isinstance(seed, np.random.Generator) else operator.index(seed)
        self.drop_last = drop_last
        self.collate = collate
        self.epoch = 0
        self._examples = len(self.dataset)
        self._batch = 0  # the next one, within the epoch
        self._resumed = False
        self._check()

    def _check(self) -> None:
        if self.batch_size < 1:
            raise DataError(f"batch_size = {self.batch_size} must be 1 or more")
        if self.seed < 0:
            raise DataError(f"seed = {self.seed} must not be negative")
        if self._examples == 0:
            raise DataError("the data set is empty")
        if len(self) == 0:
            raise DataError(
                f"drop_last=True leaves no batch: the data set has {self._examples} examples, "
                f"batch_size is {self.batch_size}"
            )

    def __len__(self) -> int:
        """The number of batches of an epoch."""
        whole, rest = divmod(self._examples, self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        if self._batch > 0 and not self._resumed:
            self.epoch, self._batch = self.epoch + 1, 0
        self._resumed = False
        epoch, first = self.epoch, self._batch
        order = self._order(epoch)
        for batch in range(first, len(self)):
            self.epoch, self._batch = epoch, batch + 1
            yield self._make(order[batch * self.batch_size : (batch + 1) * self.batch_size])
        self.epoch, self._batch = epoch + 1, 0

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if not self.shuffle:
            return np.arange(self._examples)
        return np.random.default_rng([self.seed, epoch]).permutation(self._examples)

    def _make(self, indices: NDArray[np.int64]) -> Any:
        if self.collate is None and isinstance(self.dataset, BatchDataset):
            return self.dataset.gather(indices)
        return (self.collate or default_collate)([self.dataset[int(index)] for index in indices])

    def state_dict(self) -> dict[str, int | bool]:
        """Where the loader stands, in numbers that JSON can hold: the next batch and all that its order depends on."""
        finished = self._batch == len(self)
        return {
            "epoch": self.epoch + finished,
            "batch": 0 if finished else self._batch,
            "seed": self.seed,
            "examples": self._examples,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "drop_last": self.drop_last,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state` was taken; the next loop begins with the batch that came next there.

        The seed is taken over. Raises DataError, and changes nothing, if the state is not complete or if it was taken
        from a loader with other examples, batch size, shuffling or drop_last.
        """
        mine = self.state_dict()
        if missing := [key for key in mine if key not in state]:
            raise DataError(f"the loader's state lacks {', '.join(missing)}")
        for key in ("examples", "batch_size", "shuffle", "drop_last"):
            if state[key] != mine[key]:
                raise DataError(f"the loader's state was taken with {key} = {state[key]}, this loader has {mine[key]}")
        for key in ("epoch", "batch", "seed"):
            if type(state[key]) is not int or state[key] < 0:
                raise DataError(f"the loader's state has {key} = {state[key]!r}, expected a whole number from 0")
        if state["batch"] >= len(self):
            raise DataError(f"the loader's state has batch = {state['batch']}, but an epoch has {len(self)} batches")
        self.epoch, self._batch, self.seed = state["epoch"], state["batch"], state["seed"]
        self._resumed = True


def _as_dataset(dataset: Any) -> Any:
    if isinstance(dataset, np.ndarray):
        return ArrayDataset(dataset)
    if isinstance(dataset, tuple) and dataset and all(isinstance(item, np.ndarray) for item in dataset):
        return ArrayDataset(*dataset)
    if (
        isinstance(dataset, Mapping)
        or not hasattr(dataset, "__len__")
        or not (hasattr(dataset, "__getitem__") or isinstance(dataset, BatchDataset))
    ):
        raise DataError(f"a data set needs a length and items, {type(dataset).__name__} has not: make it a list")
    return dataset


def default_collate(examples: list[Any]) -> Any:
    """A batch from a list of examples of one form.

    Arrays and numbers are stacked along a new first axis (Python floats become float32, whole numbers int64); tuples
    and dicts are batched entry by entry; anything else, such as strings, stays a list. Raises DataError if the arrays
    differ in shape, or the tuples or dicts in their entries.
    """
    first = examples[0]
    if isinstance(first, np.ndarray):
        shapes = {np.shape(example) for example in examples}
        if len(shapes) > 1:
            raise DataError(
                f"examples of shapes {sorted(shapes)} make no batch: give a collate function that pads them"
            )
        return np.stack(examples)
    if isinstance(first, bool | int | float | np.number | np.bool_):
        return np.array(examples, np.float32 if type(first) is float else None)
    if isinstance(first, tuple):
        if len({len(example) for example in examples}) > 1:
            raise DataError("examples that are tuples of different lengths make no batch")
        return tuple(default_collate(list(column)) for column in zip(*examples, strict=True))
    if isinstance(first, dict):
        if any(example.keys() != first.keys() for example in examples):
            raise DataError("examples that are dicts with different keys make no batch")
        return {key: default_collate([example[key] for example in examples]) for key in first}
    return examples
