"""Counting adjacent pairs of symbols, and keeping the counts right while pairs are merged.

Both BPE and WordPiece learn their vocabulary by one loop: choose a pair of neighbouring symbols, replace it by a new
symbol everywhere, count again. `merge_pair` is that replacement, plainly. `PairIndex` does the same to a whole corpus
and touches only the places that change.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

Pair = tuple[int, int]

NONE = -1


def merge_pair(symbols: Sequence[int], pair: Pair, new: int) -> list[int]:
    """`symbols` with every occurrence of `pair`, from left to right and not overlapping, replaced by `new`."""
    merged: list[int] = []
    position = 0
    while position < len(symbols):
        if tuple(symbols[position : position + 2]) == pair:
            merged.append(new)
            position += 2
        else:
            merged.append(symbols[position])
            position += 1
    return merged


class PairIndex:
    """Weighted words of symbols, with the count of every symbol and the count and places of every adjacent pair.

    words: (symbols, weight) for each distinct word; the weight is the number of times the corpus has it.

    All words lie one after another in one doubly linked list of positions, cut at the word boundaries: a merge unlinks
    one position and changes the two pairs beside it. Every merge makes the corpus one symbol shorter, so all merges
    together cost no more than time linear in the corpus (of distinct words).
    """

    def __init__(self, words: Iterable[tuple[Sequence[int], int]]) -> None:
        self.counts: Counter[Pair] = Counter()
        self.symbol_counts: Counter[int] = Counter()
        self._places: defaultdict[Pair, list[int]] = defaultdict(list)
        self._symbol: list[int] = []  # position -> symbol, NONE where a merge took it
        self._weight: list[int] = []
        self._before: list[int] = []  # position -> the position before it in the word, or NONE
        self._after: list[int] = []
        for symbols, weight in words:
            self._append_word(symbols, weight)

    def _append_word(self, symbols: Sequence[int], weight: int) -> None:
        start, end = len(self._symbol), len(self._symbol) + len(symbols)
        self._symbol.extend(symbols)
        self._weight.extend([weight] * len(symbols))
        self._before.extend(position - 1 if position > start else NONE for position in range(start, end))
        self._after.extend(position + 1 if position < end - 1 else NONE for position in range(start, end))
        for symbol in symbols:
            self.symbol_counts[symbol] += weight
        for position, pair in enumerate(pairwise(symbols), start):
            self._add(pair, weight, position)

    def _add(self, pair: Pair, weight: int, position: int) -> None:
        self.counts[pair] += weight
        self._places[pair].append(position)

    def merge(self, pair: Pair, new: int) -> set[Pair]:
        """Replace `pair` by the symbol `new` everywhere; returns the pairs whose count changed, `pair` excepted.

        Of these, the pairs that contain `new` did not exist before. The count of every other pair has fallen, and
        falls or stays in all later merges: a pair is born in the merge that makes the later of its two symbols.
        """
        left, right = pair
        changed: set[Pair] = set()
        total = 0
        # Places were added from left to right, which decides what "aaa" becomes: (aa) a.
        for place in self._places.pop(pair, []):
            follower = self._after[place]
            if self._symbol[place] != left or follower == NONE or self._symbol[follower] != right:
                continue  # an earlier merge took one of the two; places are not cleaned up
            total += self._weight[place]
            self._relink(place, follower, new, changed)
        del self.counts[pair]
        changed.discard(pair)
        for symbol, change in ((left, -total), (right, -total), (new, total)):
            self.symbol_counts[symbol] += change
        return changed

    def _relink(self, place: int, follower: int, new: int, changed: set[Pair]) -> None:
        """Make `place` hold `new`, take `follower` out of the list, and move the counts of the pairs on both sides."""
        before, beyond, weight = self._before[place], self._after[follower], self._weight[place]
        if before != NONE:
            old, born = (self._symbol[before], self._symbol[place]), (self._symbol[before], new)
            self.counts[old] -= weight
            self._add(born, weight, before)
            changed.update((old, born))
        if beyond != NONE:
            old, born = (self._symbol[follower], self._symbol[beyond]), (new, self._symbol[beyond])
            self.counts[old] -= weight
            self._add(born, weight, place)
            changed.update((old, born))
            self._before[beyond] = place
        self._symbol[place], self._symbol[follower] = new, NONE
        self._after[place] = beyond
