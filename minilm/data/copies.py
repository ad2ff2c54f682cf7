"""Removing texts that occur more than once, which must come before any split.

A text that stands in the training part and again in the test part is learned by heart there: what is measured is then
memory, not skill. Half the lines of a public set of reviews are copies (`minilm.data.shop_reviews`), so this is no small thing.
Texts that are alike but not equal are found by `minilm.data.near_copies`, and kept together by a split's groups.
"""

import unicodedata
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from .errors import DataError

Item = TypeVar("Item")


@dataclass(frozen=True)
class WithoutCopies(Generic[Item]):
    """What is left of some items.

    Attributes:
        kept: the items that are left, in their order.
        indices: where they stood.
        copies: how many went as they repeat an earlier text.
        contradictions: how many went as their text occurs with different labels.
    """

    kept: list[Item]
    indices: list[int]
    copies: int
    contradictions: int

    @property
    def removed(self) -> int:
        """How many items went."""
        return self.copies + self.contradictions


def without_copies(
    items: Iterable[Item], key: Callable[[Item], str] | None = None, *, label: Callable[[Item], Hashable] | None = None
) -> WithoutCopies[Item]:
    """Of items whose texts are equal after `fold_text`, the first is kept.

    Args:
        items: texts, or anything that `key` takes a text from.
        key: the text of an item; by default the item itself.
        label: the label of an item. With it, a text that occurs with two different labels goes altogether, all of its
            items: neither answer to it would be right. Without it, the first one stays.

    Raises:
        DataError: an item has no text, or the labels cannot be compared.
    """
    items = list(items)
    folded = [fold_text(_text(item, key, place)) for place, item in enumerate(items)]
    torn = set() if label is None else _torn(folded, [label(item) for item in items])
    first: dict[str, int] = {}
    for place, text in enumerate(folded):
        if text not in torn:
            first.setdefault(text, place)
    contradictions = sum(text in torn for text in folded)
    indices = list(first.values())
    return WithoutCopies(
        [items[place] for place in indices], indices, len(items) - len(indices) - contradictions, contradictions
    )


def fold_text(text: str) -> str:
    """The text as it is compared: two that differ in nothing but the following are copies of each other.

    - the form of a character: full width or half width, a letter with its accent or the two in a row (Unicode's NFKC);
    - case (Unicode's case folding: "STRASSE" is "straße");
    - white space and punctuation: they are left out, and so are characters that nobody sees (zero-width joiners).

    Symbols such as "+", "$" and emoji count. Where nothing would be left ("?!"), punctuation counts as well.
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return text.translate(_LEFT_OUT) or "".join(text.split())


class _LeftOut(dict[int, int | None]):
    """For each character of Unicode: None where it is left out, itself otherwise; looked up once."""

    def __missing__(self, code: int) -> int | None:
        category = unicodedata.category(chr(code))
        self[code] = None if category[0] in "PZ" or category in ("Cc", "Cf") else code
        return self[code]


_LEFT_OUT = _LeftOut()


def _text(item: Item, key: Callable[[Item], str] | None, place: int) -> str:
    text = item if key is None else key(item)
    if not isinstance(text, str):
        raise DataError(
            f"item {place} is compared by {type(text).__name__} {str(text)[:40]!r}, expected its text: pass key=..., a "
            "function that takes the text out of an item"
        )
    return text


def _torn(folded: list[str], labels: list[Hashable]) -> set[str]:
    """The texts that occur with more than one label."""
    label_of: dict[str, Hashable] = {}
    try:
        return {text for text, label in zip(folded, labels, strict=True) if label_of.setdefault(text, label) != label}
    except ValueError:  # of arrays, which have no one answer
        raise DataError("label=... gives arrays: expected a string or a number for each item") from None
