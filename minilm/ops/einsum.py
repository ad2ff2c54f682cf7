"""Sums of products in Einstein's notation: the function `einsum`, and the record behind it.

The subscripts are read by `parse_subscripts` and brought to letters only; the record then contracts its operands in pairs, each pair as
a batch of matrix products where there is one in it. Matrix products themselves stand in `minilm.ops.linalg`.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
import string

from minilm.ops.arguments import shape_of
from minilm.ops.op import Op, op
from minilm.ops.sample import Sample, real
from minilm.ops.shape import expand, home_of, reshape, shapes_of, transpose

LETTERS = string.ascii_letters
SORTED = "".join(sorted(LETTERS))  # the letters of axes 0 to 51 in the list form


def einsum(*args):
    r"""Einstein's sum: multiply where letters meet, sum over the letters that the output does not name.

    .. math:: \texttt{"ij,jk->ik"}: \quad y_{ik} = \sum_j a_{ij} b_{jk}

    Without ``->`` the output has the letters that occur once, in alphabetical order. ``...`` stands for any number of axes, which
    broadcast; an output that leaves it out sums over them. A letter twice in one operand takes its diagonal. Axes that share a letter
    are equal, or 1: a 1 is repeated. Several operands are contracted in pairs, each time the pair that takes the fewest
    multiplications; it is a batch of matrix products wherever there is one in it.

    The list form ``einsum(a, [0, 1], b, [1, 2], [0, 2])`` has numbers for letters, 0 to 51 (and Ellipsis for ``...``): after each
    operand its axes, at the end those of the output, which may be left out. The operands may be one list: ``einsum("ij,jk", [a, b])``.

    Raises:
        TypeError: the arguments are of neither form, an operand is no tensor, or an axis in a list is no integer.
        ValueError: the subscripts do not fit the operands; the sentence says which part.
    """
    if not args or not isinstance(args[0], str):
        subscripts, operands = from_lists(args)
    else:
        subscripts, *operands = args
        if len(operands) == 1 and isinstance(operands[0], list | tuple):
            operands = operands[0]
    terms, output = parse_subscripts(subscripts, tuple(shapes_of("einsum", operands)))
    pairs = [take_diagonals(x, term) for x, term in zip(operands, terms, strict=True)]
    return _einsum(*(x for x, _ in pairs), subscripts=f"{','.join(term for _, term in pairs)}->{output}")


@op
class _einsum(Op):
    """The record behind `einsum`: subscripts of letters only, no letter twice in one operand, the output given."""

    formula = r"y_{\text{out}} = \sum_{\text{letters not in out}} \; \prod_k (x_k)_{\text{term } k}"
    derivative = (
        r"(\bar x_k)_{\text{term } k} = \sum_{\text{letters not in term } k} "
        r"\bar y_{\text{out}} \prod_{l \neq k} (x_l)_{\text{term } l}"
    )
    broadcasts = True
    wide = True
    samples = [
        Sample(real(2, 3), real(3, 4), subscripts="ij,jk->ik"),
        Sample(real(2, 2, 3), real(2, 3, 2), subscripts="bij,bjk->kbi"),
        Sample(real(2, 3), real(2, 3), subscripts="bi,bi->b"),
        Sample(real(2), real(3), subscripts="i,j->ji"),
        Sample(real(2, 3), subscripts="ij->j"),
        Sample(real(2, 3), subscripts="ij->ji"),
        Sample(real(2, 3), real(2), real(3), subscripts="ij,i,j->"),
        Sample(real(2, 2), real(2, 3), real(3, 2), real(2, 2), subscripts="ab,bc,cd,de->ae"),
        Sample(real(2, 1), real(3, 2), subscripts="ij,jk->ik"),
        Sample(real(1, 3), real(2, 3), subscripts="bi,bi->bi"),
        Sample(real(2, 3), real(3, 2, 2), subscripts="ai,bcd->bd"),
        Sample(real(), real(2), subscripts=",i->i"),
        Sample(real(0, 3), real(3, 2), subscripts="ij,jk->ik"),
        Sample(real(2, 0), real(0, 2), subscripts="ij,jk->ik"),
    ]

    def check(self, *xs, subscripts):
        terms, output = parse_subscripts(subscripts, tuple(map(shape_of, xs)))
        for term in terms:
            if len(set(term)) < len(term):
                raise ValueError(f"einsum: '{term}' takes a diagonal: call the function einsum, which does.")
        return {"subscripts": f"{','.join(terms)}->{output}"}

    def forward(self, dev, *xs, subscripts):
        terms, output = split_subscripts(subscripts)
        factors = drop_ones(xs, terms)
        while len(factors) > 1:
            i, j = cheapest_pair(factors, output)
            (b, right), (a, left) = factors.pop(j), factors.pop(i)
            factors.append(contract(dev, a, left, b, right, {*output, *"".join(term for _, term in factors)}))
        x, term = factors[0]
        gone = tuple(i for i, letter in enumerate(term) if letter not in output)
        y = dev.sum(x, gone) if gone else x.copy() if len(xs) == 1 else x  # never the memory of an input
        rest = [letter for letter in term if letter in output]
        return dev.xp.transpose(y, [rest.index(letter) for letter in output])

    def backward(self, g, _y, *xs, needs, subscripts):
        terms, output = split_subscripts(subscripts)
        grads = []
        for k, need in enumerate(needs):
            others = [(x, term) for i, (x, term) in enumerate(zip(xs, terms, strict=True)) if i != k]
            grads.append(self.grad_of(terms[k], shape_of(xs[k]), [(g, output), *others]) if need else None)
        return grads

    def grad_of(self, term, shape, factors):
        """The sum over all letters but those of `term`; where no factor has its axis, or has size 1 there, it is repeated."""
        known = "".join(letter for letter in term if any(letter in have for _, have in factors))
        inputs = ",".join(have for _, have in factors)
        d = _einsum(*(x for x, _ in factors), subscripts=f"{inputs}->{known}")
        sizes = dict(zip(known, d.shape, strict=True))
        have = tuple(sizes.get(letter, 1) for letter in term)
        return expand(reshape(d, have), tuple(n if m == 1 else m for m, n in zip(have, shape, strict=True)))


def from_lists(args):
    """The subscripts and operands of the list form: each operand before the list of its axes, that of the output at the end.

    Raises:
        TypeError: the arguments are no such alternation, or an axis is no integer.
        ValueError: an axis is not in 0 ... 51.
    """
    pairs, output = args[: len(args) // 2 * 2], args[len(args) // 2 * 2 :]
    operands, lists = pairs[::2], (*pairs[1::2], *output)
    are_lists = [isinstance(x, list | tuple) for x in (*operands, *lists)]
    if not operands or are_lists != [False] * len(operands) + [True] * len(lists):
        kinds = ", ".join(type(x).__name__ for x in args)
        raise TypeError(
            "einsum: the subscripts come first, as in einsum('ij,jk->ik', a, b), or each operand stands before the list of its axes, "
            f"as in einsum(a, [0, 1], b, [1, 2], [0, 2]), got {kinds or 'nothing'}."
        )
    terms = ["".join(map(letter_of, axes)) for axes in lists]
    return ",".join(terms[: len(operands)]) + (f"->{terms[-1]}" if output else ""), operands


def letter_of(axis):
    """The letter for an axis of the list form."""
    if axis is Ellipsis:
        return "..."
    try:
        number = operator.index(axis)
    except TypeError:
        raise TypeError(f"einsum: an axis in a list is an integer from 0 to 51, or Ellipsis; got {axis!r}.") from None
    if not 0 <= number < len(SORTED):
        raise ValueError(f"einsum: an axis in a list is an integer from 0 to 51, got {number}.")
    return SORTED[number]


def split_subscripts(subscripts):
    """ "ij,jk->ik" as (["ij", "jk"], "ik")."""
    inputs, _, output = subscripts.partition("->")
    return inputs.split(","), output


@functools.lru_cache(maxsize=1024)
def parse_subscripts(subscripts, shapes):
    """The terms of the operands and that of the output, in letters only: "..." becomes letters that are free.

    Raises:
        ValueError: they do not fit each other, or the shapes.
    """
    text = subscripts.replace(" ", "")
    terms, output = split_subscripts(text)
    if len(terms) != len(shapes):
        raise ValueError(f"einsum: '{subscripts}' describes {len(terms)} operands, got {len(shapes)}.")
    if not all(c in LETTERS for c in text.replace("->", "", 1).replace("...", "").replace(",", "")) or "," in output:
        raise ValueError(f"einsum: '{subscripts}' may hold letters, ',', one '->' and '...' only.")
    counts = [len(shape) - len(t.replace("...", "")) for t, shape in zip(terms, shapes, strict=True) if "..." in t]
    free = [c for c in LETTERS if c not in text][: max(counts, default=0)]
    if "->" not in text:
        letters = "".join(terms).replace("...", "")
        output = ("..." if counts else "") + "".join(c for c in sorted(set(letters)) if letters.count(c) == 1)
    full = tuple(spell_out(term, shape, free) for term, shape in zip(terms, shapes, strict=True))
    output = output.replace("...", "".join(free), 1)
    check_letters(subscripts, full, output, shapes)
    return full, output


def spell_out(term, shape, free):
    """One term with letters for its '...', aligned at the right as broadcasting aligns axes."""
    named, ndim = len(term.replace("...", "")), len(shape)
    if term.count("...") > 1 or named > ndim or ("..." not in term and named != ndim):
        raise ValueError(f"einsum: '{term}' names {named} axes, its operand {shape} has {ndim}.")
    return term.replace("...", "".join(free[len(free) - (ndim - named) :]))


def check_letters(subscripts, terms, output, shapes):
    """Raises ValueError where the output's letters are unknown or twice, or sizes under one letter differ."""
    for letter in output:
        if output.count(letter) > 1 or not any(letter in term for term in terms):
            problem = "twice in the output" if output.count(letter) > 1 else "in the output, but in no operand"
            raise ValueError(f"einsum: '{subscripts}' has '{letter}' {problem}.")
    sizes = {}
    for k, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        for letter, n in zip(term, shape, strict=True):
            have = sizes.setdefault(letter, n)
            if n != have and 1 not in (n, have):
                name = "'...'" if letter not in subscripts else f"'{letter}'"
                raise ValueError(f"einsum: '{subscripts}': {name} is {have} before, but {n} in operand {k}, {shape}.")
            sizes[letter] = n if have == 1 else have


def take_diagonals(x, term):
    """The operand without repeated letters: for each, the elements whose numbers on all of its axes are equal."""
    for letter in dict.fromkeys(term):
        places = [i for i, c in enumerate(term) if c == letter]
        if len(places) == 1:
            continue
        size = x.shape[places[0]]
        if any(x.shape[i] != size for i in places):
            raise ValueError(f"einsum: '{term}' takes a diagonal of {x.shape}, whose axes '{letter}' are not equal.")
        others = [i for i in range(len(term)) if i not in places]
        x = transpose(x, (*places, *others))[(home_of(x).xp.arange(size),) * len(places)]
        term = letter + "".join(term[i] for i in others)
    return x, term


def drop_ones(xs, terms):
    """The operands and their terms without axes of size 1 under letters that are larger elsewhere: they only repeat."""
    sizes = [dict(zip(term, x.shape, strict=True)) for x, term in zip(xs, terms, strict=True)]
    large = {letter for have in sizes for letter, n in have.items() if n != 1}
    kept = ["".join(c for c in term if have[c] != 1 or c not in large) for term, have in zip(terms, sizes, strict=True)]
    return [(x.reshape([have[c] for c in term]), term) for x, term, have in zip(xs, kept, sizes, strict=True)]


def cheapest_pair(factors, output):
    """The places i < j of the two factors that take the fewest multiplications; of equals those with the smallest product."""

    def cost(pair):
        (a, left), (b, right) = (factors[k] for k in pair)
        later = {*output, *(c for k, (_, term) in enumerate(factors) if k not in pair for c in term)}
        sizes = {**dict(zip(left, a.shape, strict=True)), **dict(zip(right, b.shape, strict=True))}
        return math.prod(sizes.values()), math.prod(n for letter, n in sizes.items() if letter in later)

    return min(itertools.combinations(range(len(factors)), 2), key=cost)


def contract(dev, a, left, b, right, keep):
    """Two factors as one, and its term: letters outside `keep` are summed over.

    With letters that only one side has, and letters to sum over, it is a batch of matrix products.
    """
    a, left = sum_alone(dev, a, left, keep, right)
    b, right = sum_alone(dev, b, right, keep, left)
    batch = [c for c in left if c in right and c in keep]
    inner = [c for c in left if c in right and c not in keep]
    rows, columns = [c for c in left if c not in right], [c for c in right if c not in left]
    term = "".join([*batch, *rows, *columns])
    if not inner or not (rows or columns):
        return dev.xp.einsum(f"{left},{right}->{term}", a, b), term
    product = dev.matmul(as_axes(a, left, batch, rows, inner), as_axes(b, right, batch, inner, columns))
    sizes = {**dict(zip(left, a.shape, strict=True)), **dict(zip(right, b.shape, strict=True))}
    return product.reshape([sizes[c] for c in term]), term


def sum_alone(dev, x, term, keep, other):
    """A factor, summed over the letters that nothing else has."""
    alone = tuple(i for i, letter in enumerate(term) if letter not in keep and letter not in other)
    rest = "".join(letter for i, letter in enumerate(term) if i not in alone)
    return (dev.sum(x, alone) if alone else x), rest


def as_axes(x, term, batch, rows, columns):
    """A factor as matrices: the axes of `batch`, then those of `rows` as one, then those of `columns` as one."""
    sizes = dict(zip(term, x.shape, strict=True))
    x = x.transpose([term.index(letter) for letter in [*batch, *rows, *columns]])
    shape = [sizes[c] for c in batch], math.prod(sizes[c] for c in rows), math.prod(sizes[c] for c in columns)
    return x.reshape(*shape[0], *shape[1:])
