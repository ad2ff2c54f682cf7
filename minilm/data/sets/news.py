"""Chinese news whose words are marked with what they are."""

from .fetch import get
from .lines import fault, lines_of


def tagged_news() -> list[list[tuple[str, str]]]:
    """19,484 paragraphs of the People's Daily, January 1998: words with their tags, in order, fetched if need be.

    Among the tags are nr (person; surname and given name are two words), ns (place), nt (organization, where it is one word),
    t (time), v (verb), n (noun), w (punctuation). Consecutive paragraphs belong to one article, so keep neighbors together
    when you split. Raises DataError if they cannot be had.
    """
    path = get("tagged-news")
    known: dict[str, tuple[str, str]] = {}  # a million words, but sixty thousand different ones
    paragraphs = []
    for number, line in enumerate(lines_of(path), 1):
        paragraph = []
        for token in filter(None, line.split(" ")):
            if token not in known:
                word, _, tag = token.rpartition("/")
                if not word or not tag:
                    raise fault(path, number, "words with their tags, as 希望/n", token)
                known[token] = word, tag
            paragraph.append(known[token])
        paragraphs.append(paragraph)
    return paragraphs
