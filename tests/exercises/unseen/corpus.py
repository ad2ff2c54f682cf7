"""Wrong answers to the exercises of chapter 10. Those that a task knows are not among them.

Three sets, each written before the grader was asked any of its answers. What it said of the first two was then used to make it better,
so only the third, `LAST`, tells how it does on answers that it has not met.
"""

from __future__ import annotations

from tests.exercises.unseen import chapters

ENTRIES: tuple[chapters.Entry, ...] = (
    ("10.1", "a list in order", ("wrong type",),
     "def shingles(text, n):\n"
     "    kept = ''.join(c for c in text.lower() if c not in PUNCTUATION)\n"
     "    bare = ' '.join(kept.split())\n"
     "    out = []\n"
     "    for i in range(max(1, len(bare) - n + 1)):\n"
     "        out.append(bare[i : i + n])\n"
     "    return out\n"),
    ("10.1", "the first one is missing", ("range-off-by-one", "off by one", "window-off-by-one"),
     (("range(max(1, len(bare) - n + 1))", "range(1, max(2, len(bare) - n + 1))"),)),
    ("10.1", "n + 1 characters", ("off by one", "range-off-by-one", "window-off-by-one"),
     (("bare[i : i + n]", "bare[i : i + n + 1]"),)),
    ("10.1", "upper case", ("upper for lower", "10.1: the text was not lower-cased"),
     (("text.lower()", "text.upper()"),)),
    ("10.1", "digits go, too", ("condition", "too little kept"),
     (("if c not in PUNCTUATION", "if c.isalpha() or c.isspace()"),)),
    ("10.1", "marks go at the ends of words only", ("strip for replace", "10.1: marks were taken"),
     "def shingles(text, n):\n"
     "    words = [w.strip(''.join(PUNCTUATION)) for w in text.lower().split()]\n"
     "    bare = ' '.join(w for w in words if w)\n"
     "    return {bare[i : i + n] for i in range(max(1, len(bare) - n + 1))}\n"),
    ("10.1", "an empty string for short texts", ("short-text-without-shingle", "case forgotten"),
     "def shingles(text, n):\n"
     "    kept = ''.join(c for c in text.lower() if c not in PUNCTUATION)\n"
     "    bare = ' '.join(kept.split())\n"
     "    if len(bare) < n:\n"
     "        return {''}\n"
     "    return {bare[i : i + n] for i in range(len(bare) - n + 1)}\n"),
    ("10.1", "a mark missing in an own list", ("condition", "10.1: the punctuation is still"),
     "def shingles(text, n):\n"
     "    for mark in '.,;:!?':\n"
     "        text = text.replace(mark, '')\n"
     "    bare = ' '.join(text.lower().split())\n"
     "    return {bare[i : i + n] for i in range(max(1, len(bare) - n + 1))}\n"),
    ("10.2", "the two exchanged", ("returned in another order",),
     (("return signatures, likeness", "return likeness, signatures"),)),
    ("10.2", "a column per document", ("transposed-result",),
     (("return signatures, likeness", "return signatures.T, likeness"),)),
    ("10.2", "only pairs above the diagonal", ("diagonal only", "only some places", "mask forgotten", "one triangle"),
     (("return signatures, likeness", "return signatures, np.triu(likeness, 1)"),)),
    ("10.2", "Jaccard itself, not the estimate", ("exact for estimate", "10.2: this is Jaccard's index"),
     "def minhash(documents, a, b):\n"
     "    sig = np.full((len(documents), len(a)), P)\n"
     "    for i, d in enumerate(documents):\n"
     "        if d:\n"
     "            sig[i] = ((np.outer(d, a) + b) % P).min(axis=0)\n"
     "    like = np.zeros((len(documents),) * 2)\n"
     "    for i, s in enumerate(documents):\n"
     "        for j, t in enumerate(documents):\n"
     "            if s and t:\n"
     "                like[i, j] = len(set(s) & set(t)) / len(set(s) | set(t))\n"
     "    return sig, like\n"),
    ("10.2", "empty: only the diagonal", ("10.2: documents without shingles agree in", "diagonal only", "diagonal wrong"),
     (("likeness[signatures[:, 0] == P] = 0",
       "empty = np.flatnonzero(signatures[:, 0] == P)\n    likeness[empty, empty] = 0"),)),
    ("10.2", "a and b exchanged", ("wrong variable", "argument exchanged", "brackets"),
     (("np.outer(shingles, a) + b", "np.outer(shingles, b) + a"),)),
    ("10.2", "the differences' mean", ("condition reversed", "complement"),
     (("== signatures).mean", "!= signatures).mean"),)),
    ("10.2", "modulo P + 1", ("constant", "off by one"),
     (("+ b) % P", "+ b) % (P + 1)"),)),
    ("10.2", "b forgotten", ("summand forgotten", "argument-ignored"),
     (("(np.outer(shingles, a) + b)", "np.outer(shingles, a)"),)),
    ("10.2", "a is not used", ("argument-ignored", "factor forgotten", "10.2: the shingles were only moved"),
     "def minhash(documents, a, b):\n"
     "    sig = []\n"
     "    for d in documents:\n"
     "        sig.append([min((x + s) % P for x in d) if d else P for s in b.tolist()])\n"
     "    sig = np.array(sig)\n"
     "    like = np.array([[(s == t).mean() if s[0] < P else 0.0 for t in sig] for s in sig])\n"
     "    return sig, like\n"),
    ("10.2", "min of an empty list", ("ValueError", "case forgotten"),
     "def minhash(documents, a, b):\n"
     "    sig = np.array([((np.outer(d, a) + b) % P).min(axis=0) for d in documents])\n"
     "    return sig, (sig[:, None] == sig).mean(axis=2)\n"),
    ("10.3", "J squared", ("constant", "wrong variable", "power"),
     (("J**rows", "J**2"),)),
    ("10.3", "one band too few", ("off by one",),
     (("(1 - J**rows) ** bands", "(1 - J**rows) ** (bands - 1)"),)),
    ("10.3", "a share, not a number", ("factor forgotten",),
     (("pairs * (1 - compared)", "1 - compared"),)),
    ("10.3", "no root", ("power", "root forgotten", "10.3: the root is missing"),
     (("(1 - 0.5 ** (1 / bands)) ** (1 / rows)", "(1 - 0.5 ** (1 / bands))"),)),
    ("10.3", "half of the halfway", ("complement", "10.3: the complement is missing", "summand forgotten"),
     (("(1 - 0.5 ** (1 / bands)) ** (1 / rows)", "(0.5 ** (1 / bands)) ** (1 / rows)"),)),
    ("10.3", "in percent", ("constant factor",),
     (("float(compared)", "float(100 * compared)"),)),
    ("10.3", "multiplied exponents", ("power", "brackets", "10.3: this is the probability that"),
     (("1 - (1 - J**rows) ** bands", "1 - (1 - J) ** (rows * bands)"),)),
    ("10.4", "not mended", ("elements-linked-not-roots",),
     (("        i, j = root(i), root(j)\n", ""),)),
    ("10.4", "the larger element's own root is kept", ("elements-linked-not-roots", "wrong variable", "10.4: only the"),
     (("        i, j = root(i), root(j)\n        above[max(i, j)] = min(i, j)\n",
       "        above[max(i, j)] = root(min(i, j))\n"),)),
    ("10.4", "numbered from 0 on", ("renumbered", "value for index", "index for value"),
     (("return [root(i) for i in range(n)]",
       "names = sorted({root(i) for i in range(n)})\n"
       "    return [names.index(root(i)) for i in range(n)]"),)),
    ("10.4", "pairs that rise only", ("case forgotten", "condition"),
     (("        above[max(i, j)] = min(i, j)\n", "        if i < j:\n            above[j] = i\n"),)),
    ("10.4", "nothing returned", ("none-returned",),
     (("    return [root(i) for i in range(n)]\n", ""),)),
    ("10.4", "the groups themselves", ("other type", "wrong type", "other shape", "other length"),
     (("return [root(i) for i in range(n)]",
       "return [[k for k in range(n) if root(k) == i] for i in range(n) if root(i) == i]"),)),
    ("10.5", "those that go", ("10.5: these are the indices", "condition reversed"),
     "def decontaminate(train, held_out, n, most):\n"
     "    def runs(text):\n"
     "        w = text.lower().split()\n"
     "        if not w:\n"
     "            return []\n"
     "        return [' '.join(w[i : i + n]) for i in range(max(len(w) - n + 1, 1))]\n"
     "\n"
     "    known = set()\n"
     "    for text in held_out:\n"
     "        known.update(runs(text))\n"
     "    gone, shares = [], []\n"
     "    for i, text in enumerate(train):\n"
     "        r = runs(text)\n"
     "        shares.append(sum(x in known for x in r) / len(r) if r else 0.0)\n"
     "        if shares[-1] > most:\n"
     "            gone.append(i)\n"
     "    return gone, np.array(shares)\n"),
    ("10.5", "Jaccard of the runs", ("jaccard for share", "divisor"),
     (("        found = [run in known for run in runs(text)]\n"
       "        shares.append(sum(found) / max(1, len(found)))\n",
       "        own = set(runs(text))\n"
       "        shares.append(len(own & known) / max(1, len(own | known)))\n"),)),
    ("10.5", "only the first held-out text", ("loop-returns-early", "only the first"),
     (("for text in held_out for run in runs(text)", "for text in held_out[:1] for run in runs(text)"),)),
    ("10.5", "runs of characters", ("characters for words", "split forgotten"),
     (("text.lower().split()", "text.lower()"),)),
    ("10.5", "split at spaces only", ("separator", "split at one space"),
     (("text.lower().split()", 'text.lower().split(" ")'),)),
    ("10.5", "runs of n - 1", ("off by one", "n-minus-one-for-n"),
     (("len(words) - n + 1", "len(words) - (n - 1) + 1"),
      ("words[i : i + n]", "words[i : i + n - 1]"))),
    ("10.5", "runs that do not overlap", ("stride", "off by one", "range-off-by-one"),
     (("range(max(1, len(words) - n + 1))", "range(0, max(1, len(words) - n + 1), n)"),)),
    ("10.5", "the two exchanged", ("returned in another order",),
     (("return stay, np.array(shares, float)", "return np.array(shares, float), stay"),)),
    ("10.5", "the number, not the share", ("divisor forgotten", "sum-for-mean"),
     (("sum(found) / max(1, len(found))", "float(sum(found))"),)),
    ("10.5", "sets of words, sorted", ("not in order", "order", "words-for-runs"),
     (("tuple(words[i : i + n])", "tuple(sorted(words[i : i + n]))"),)),
    ("10.5", "found, not sums", ("ZeroDivisionError",),
     (("max(1, len(found))", "len(found)"),)),
    ("10.6", "one end too many", ("end twice", "constant added", "other length"),
     (("[*document, end]", "[*document, end, end]"),)),
    ("10.6", "an end token of 0", ("argument-ignored", "hard-coded-size"),
     (("[*document, end]", "[*document, 0]"),)),
    ("10.6", "shifted by two", ("off by one", "off-by-one-shift"),
     (("row[:-1], row[1:]", "row[:-2], row[2:]"),)),
    ("10.6", "the last target goes around", ("wraps around", "off by one", "off-by-one-shift"),
     (("x, y = row[:-1], row[1:]", "x, y = row, row[1:] + row[:1]"),)),
    ("10.6", "only full windows", ("last-window-lost",),
     "def pack(documents, size, end):\n"
     "    row = []\n"
     "    for d in documents:\n"
     "        if d:\n"
     "            row.extend(d)\n"
     "            row.append(end)\n"
     "    x, y = [], []\n"
     "    for k in range((len(row) - 1) // size):\n"
     "        x.append(row[k * size : (k + 1) * size])\n"
     "        y.append(row[k * size + 1 : (k + 1) * size + 1])\n"
     "    return x, y\n"),
    ("10.6", "the two exchanged", ("returned in another order", "10.6: inputs and targets changed places"),
     (("return [x[i : i + size] for i in starts], [y[i : i + size] for i in starts]",
       "return [y[i : i + size] for i in starts], [x[i : i + size] for i in starts]"),)),
    ("10.6", "pairs of windows", ("other shape", "returned in another order", "wrong type", "other length"),
     (("return [x[i : i + size] for i in starts], [y[i : i + size] for i in starts]",
       "return [(x[i : i + size], y[i : i + size]) for i in starts]"),)),
    ("10.6", "ends between documents only", ("10.6: the last document has no", "end-token-missing"),
     "def pack(documents, size, end):\n"
     "    row = []\n"
     "    for d in documents:\n"
     "        if d:\n"
     "            if row:\n"
     "                row.append(end)\n"
     "            row += d\n"
     "    x, y = row[:-1], row[1:]\n"
     "    starts = range(0, len(x), size)\n"
     "    return [x[i : i + size] for i in starts], [y[i : i + size] for i in starts]\n"),
    ("10.6", "a document changed", ("input-changed-in-place",),
     (("row += [*document, end]", "document.append(end)\n            row += document"),)),
    ("10.6", "a row that begins at the last document", ("reversed", "order-reversed", "permuted"),
     (("for document in documents:", "for document in documents[::-1]:"),)),
    ("10.6", "what remains joins the last window", ("last-window-lost", "10.6: what does not fill", "other length"),
     "def pack(documents, size, end):\n"
     "    row = [t for d in documents if d for t in (*d, end)]\n"
     "    x, y = row[:-1], row[1:]\n"
     "    n = max(1, len(x) // size)\n"
     "    cuts = [k * size for k in range(n)] + [len(x)]\n"
     "    pairs = list(zip(cuts, cuts[1:])) if x else []\n"
     "    return [x[i:j] for i, j in pairs], [y[i:j] for i, j in pairs]\n"),
    ("10.7", "the largest", ("max for sum", "max for mean"),
     (("chunks[(rank - step - 1) % ranks] += yield sent",
       "k = (rank - step - 1) % ranks\n        chunks[k] = np.maximum(chunks[k], (yield sent))"),)),
    ("10.7", "divided by p - 1", ("off by one", "n-minus-one-for-n"),
     (("np.concatenate(chunks) / ranks", "np.concatenate(chunks) / max(1, ranks - 1)"),)),
    ("10.7", "no all-gather", ("step forgotten", "10.7: the all-gather"),
     (("    for step in range(ranks - 1):\n"
       "        complete = chunks[(rank + 1 - step) % ranks]\n"
       "        chunks[(rank - step) % ranks] = yield complete\n",
       ""),)),
    ("10.7", "no yield", ("TypeError", "no yield"),
     "def all_reduce(rank, ranks, x):\n    return x / ranks\n"),
    ("10.7", "an all-gather of p rounds", ("range-off-by-one", "off by one"),
     (("for step in range(ranks - 1):\n        complete", "for step in range(ranks):\n        complete"),)),
    ("10.7", "subtracted", ("sign",),
     (("+= yield sent", "-= yield sent"),)),
    ("10.7", "only rank 0 has the mean", ("only some places", "case forgotten", "first one right", "condition", "sum-for-mean"),
     (("return np.concatenate(chunks) / ranks", "return np.concatenate(chunks) / (ranks if rank == 0 else 1)"),)),
    ("10.7", "rank 0 sends one round less", ("ValueError", "ring-one-round-short"),
     (("for step in range(ranks - 1):\n        sent", "for step in range(ranks - 1 - (rank == 0)):\n        sent"),)),
    ("10.7", "the running sum sent whole", ("more is sent", "10.7: the mean is right"),
     "def all_reduce(rank, ranks, x):\n"
     "    total = x.copy()\n"
     "    for step in range(ranks - 1):\n"
     "        received = yield x\n"
     "        x = received\n"
     "        total += received\n"
     "    return total / ranks\n"),
    ("10.7", "the gather from the wrong side", ("sign", "off by one"),
     (("chunks[(rank - step) % ranks] = yield complete", "chunks[(rank + step) % ranks] = yield complete"),)),
    ("10.7", "a list is returned", ("wrong type", "other shape"),
     (("return np.concatenate(chunks) / ranks", "return [c / ranks for c in chunks]"),)),
)  # fmt: skip
"""Of 64 then, 25 right, 28 not given, 11 wrong. Those that people are likely to give were entered among the known ones."""

LATER: tuple[chapters.Entry, ...] = (
    ("10.1", "two cases, the last run missing", ("window-off-by-one", "range-off-by-one"),
     "def shingles(text, n):\n"
     "    bare = ' '.join(''.join(c for c in text if c not in PUNCTUATION).lower().split())\n"
     "    if len(bare) <= n:\n"
     "        return {bare}\n"
     "    found = set()\n"
     "    for i in range(len(bare) - n):\n"
     "        found.add(bare[i : i + n])\n"
     "    return found\n"),
    ("10.1", "13 written in", ("hard-coded-size", "argument-ignored"),
     (("bare[i : i + n]", "bare[i : i + 13]"),)),
    ("10.1", "two spaces become one, three become two", ("10.1: white space within the text", "white space"),
     "def shingles(text, n):\n"
     "    for c in PUNCTUATION:\n"
     "        text = text.replace(c, '')\n"
     "    bare = text.lower().replace('\\n', ' ').replace('  ', ' ').strip()\n"
     "    return {bare[i : i + n] for i in range(max(1, len(bare) - n + 1))}\n"),
    ("10.1", "sorted", ("wrong type",),
     (("    return {bare[i : i + n] for i in range(max(1, len(bare) - n + 1))}",
       "    return sorted({bare[i : i + n] for i in range(max(1, len(bare) - n + 1))})"),)),
    ("10.1", "the short text is nothing", ("short-text-without-shingle",),
     "def shingles(text, n):\n"
     "    kept = ''.join(c for c in text.lower() if c not in PUNCTUATION)\n"
     "    bare = ' '.join(kept.split())\n"
     "    if len(bare) < n:\n"
     "        return set()\n"
     "    return set(bare[i : i + n] for i in range(len(bare) - n + 1))\n"),
    ("10.2", "the wrong axis", ("wrong-axis", "shapes do not broadcast"),
     (("places.min(axis=0)", "places.min(axis=1)"),)),
    ("10.2", "infinity for an empty document", ("wrong dtype", "10.2: documents without shingles agree in"),
     (("np.full((len(documents), len(a)), P)", "np.full((len(documents), len(a)), np.inf)"),)),
    ("10.2", "divided by the number of documents", ("wrong divisor", "factor of a size", "divisor"),
     (("(signatures[:, None] == signatures).mean(axis=2)",
       "(signatures[:, None] == signatures).sum(axis=2) / len(documents)"),)),
    ("10.2", "modulo before the sum", ("10.2: the remainder is missing", "10.2: only the product was reduced"),
     (("(np.outer(shingles, a) + b) % P", "(np.outer(shingles, a) % P + b)"),)),
    ("10.2", "a loop over orders, only the first one's b",
     ("wrong variable", "index forgotten", "10.2: b[0] was added", "minhash-one-order-for-all"),
     "def minhash(documents, a, b):\n"
     "    rows = []\n"
     "    for d in documents:\n"
     "        rows.append([min([(x * int(a[k]) + int(b[0])) % P for x in d], default=P) for k in range(len(a))])\n"
     "    s = np.array(rows)\n"
     "    like = (s[:, None] == s).mean(-1)\n"
     "    like[s[:, 0] == P] = 0\n"
     "    return s, like\n"),
    ("10.2", "sorted shingles, the first one's place",
     ("10.2: the remainder is missing", "first for smallest", "first one right"),
     (("places.min(axis=0)", "places[np.argmin(shingles)]"),)),
    ("10.3", "a power for a root", ("power", "reciprocal", "10.3: the root", "product for quotient"),
     (("(1 - 0.5 ** (1 / bands)) ** (1 / rows)", "(1 - 0.5 ** (1 / bands)) ** rows"),)),
    ("10.3", "the first two exchanged", ("returned in another order",),
     (("(float(compared), float(missed), float(half))", "(float(missed), float(compared), float(half))"),)),
    ("10.3", "pairs that are not alike", ("wrong variable", "complement"),
     (("pairs * (1 - compared)", "pairs * (1 - J)"),)),
    ("10.3", "all numbers agree", ("10.3: one given band agrees", "power", "10.3: all"),
     (("1 - (1 - J**rows) ** bands", "J ** (rows * bands)"),)),
    ("10.4", "a root for each, but only the later one moved",
     ("10.4: only the first", "wrong variable", "elements-linked-not-roots"),
     (("        i, j = root(i), root(j)\n        above[max(i, j)] = min(i, j)\n", "        above[j] = root(i)\n"),)),
    ("10.4", "the pairs are sorted first", ("elements-linked-not-roots",),
     (("    for i, j in pairs:\n        i, j = root(i), root(j)\n", "    for i, j in sorted(pairs):\n"),)),
    ("10.4", "the whole way written anew, from the elements", ("10.4: both of the pair got", "elements-linked-not-roots"),
     "def groups(n, pairs):\n"
     "    name = list(range(n))\n"
     "    for i, j in pairs:\n"
     "        low = min(name[i], name[j])\n"
     "        name[i] = low\n"
     "        name[j] = low\n"
     "    return name\n"),
    ("10.4", "named by the largest", ("10.4: the smaller root was hung", "max for min", "min for max"),
     "def groups(n, pairs):\n"
     "    name = list(range(n))\n"
     "    for i, j in pairs:\n"
     "        a, b = name[i], name[j]\n"
     "        name = [max(a, b) if x in (a, b) else x for x in name]\n"
     "    return name\n"),
    ("10.5", "those at the border and above stay", ("condition reversed", "10.5: these are the indices", "boundary"),
     (("share <= most", "share >= most"),)),
    ("10.5", "training texts among the known", ("set too large", "constant result", "one number", "constant"),
     (("for text in held_out for run in runs(text)", "for text in held_out + train for run in runs(text)"),)),
    ("10.5", "short texts are left out of the list",
     ("other shape", "10.5: texts of fewer than n", "short-text-without-shingle"),
     "def decontaminate(train, held_out, n, most):\n"
     "    known = set()\n"
     "    for text in held_out:\n"
     "        w = text.lower().split()\n"
     "        known |= {tuple(w[i : i + n]) for i in range(len(w) - n + 1)}\n"
     "    stay, shares = [], []\n"
     "    for i, text in enumerate(train):\n"
     "        w = text.lower().split()\n"
     "        if len(w) < n:\n"
     "            continue\n"
     "        r = [tuple(w[i : i + n]) for i in range(len(w) - n + 1)]\n"
     "        shares.append(sum(x in known for x in r) / len(r))\n"
     "        if shares[-1] <= most:\n"
     "            stay.append(i)\n"
     "    return stay, np.array(shares)\n"),
    ("10.5", "n + 1 words", ("off by one",),
     (("len(words) - n + 1", "len(words) - n"),
      ("words[i : i + n]", "words[i : i + n + 1]"))),
    ("10.5", "true and false", ("wrong type", "other shape", "wrong dtype", "index for value"),
     (("[i for i, share in enumerate(shares) if share <= most]", "[share <= most for share in shares]"),)),
    ("10.5", "whole texts are compared", ("10.5: whole texts were compared", "case forgotten", "argument-ignored"),
     (("        found = [run in known for run in runs(text)]\n",
       "        found = [text.lower().split() in [t.lower().split() for t in held_out]]\n"),)),
    ("10.6", "an empty window at the end", ("range-off-by-one", "off by one"),
     (("range(0, len(x), size)", "range(0, len(row), size)"),)),
    ("10.6", "each document cut off at size", ("rest lost", "cut off"),
     (("[*document, end]", "[*document[:size], end]"),)),
    ("10.6", "one list", ("other shape", "wrong type", "other length"),
     (("return [x[i : i + size] for i in starts], [y[i : i + size] for i in starts]", "return x, y"),)),
    ("10.6", "inputs one longer than targets", ("off by one", "off-by-one-shift", "range-off-by-one"),
     (("[x[i : i + size] for i in starts], [", "[row[i : i + size + 1] for i in starts], ["),)),
    ("10.6", "no end, and documents do not mix", ("end-token-missing", "10.6: each document was cut by"),
     "def pack(documents, size, end):\n"
     "    xs, ys = [], []\n"
     "    for d in documents:\n"
     "        for i in range(0, len(d) - 1, size):\n"
     "            part = d[i : i + size + 1]\n"
     "            xs.append(part[:-1])\n"
     "            ys.append(part[1:])\n"
     "    return xs, ys\n"),
    ("10.7", "one round too many in the first part", ("range-off-by-one", "off by one"),
     (("for step in range(ranks - 1):\n        sent", "for step in range(ranks):\n        sent"),)),
    ("10.7", "added to its own chunk",
     ("wrong variable", "summand forgotten", "10.7: what is received was added", "off by one"),
     (("chunks[(rank - step - 1) % ranks] += yield sent", "chunks[rank] += yield sent"),)),
    ("10.7", "x is returned", ("wrong variable", "step forgotten", "10.7: the all-gather is missing"),
     (("return np.concatenate(chunks) / ranks", "return x / ranks"),)),
    ("10.7", "divided by n", ("wrong divisor", "factor of a size", "wrong variable", "divisor"),
     (("np.concatenate(chunks) / ranks", "np.concatenate(chunks) / len(x)"),)),
    ("10.7", "the mean before the gather, and behind", ("averaged-twice",),
     (("    for step in range(ranks - 1):\n        complete",
       "    chunks = [c / ranks for c in chunks]\n"
       "    for step in range(ranks - 1):\n"
       "        complete"),)),
    ("10.7", "nothing returned", ("none-returned", "TypeError"),
     (("    return np.concatenate(chunks) / ranks\n", ""),)),
)  # fmt: skip
"""Of 35 then, 13 right, 19 not given, 3 wrong. The same."""

LAST: tuple[chapters.Entry, ...] = (
    ("10.1", "a text that is as long as a shingle is short", ("boundary", "range-off-by-one", "short-text-without-shingle"),
     "def shingles(text, n):\n"
     "    bare = ' '.join(''.join(c for c in text.lower() if c not in PUNCTUATION).split())\n"
     "    if len(bare) <= n:\n"
     "        return set()\n"
     "    return {bare[i : i + n] for i in range(len(bare) - n + 1)}\n"),
    ("10.1", "n - 1 characters", ("off by one",),
     (("bare[i : i + n]", "bare[i : i + n - 1]"),)),
    ("10.1", "shingles of the text as it is", ("wrong variable", "10.1: the punctuation is still", "name-shadowed"),
     "def shingles(text, n):\n"
     "    bare = ' '.join(text.lower().split())\n"
     "    return {bare[i : i + n] for i in range(max(1, len(bare) - n + 1))}\n"),
    ("10.1", "words joined without a space", ("10.1: all white space is gone",),
     "def shingles(text, n):\n"
     "    bare = ''\n"
     "    for c in text.lower():\n"
     "        if c not in PUNCTUATION and not c.isspace():\n"
     "            bare += c\n"
     "    if len(bare) < n:\n"
     "        return {bare}\n"
     "    return {bare[i : i + n] for i in range(len(bare) - n + 1)}\n"),
    ("10.1", "a tuple of characters", ("wrong type", "other type"),
     (("{bare[i : i + n] for", "{tuple(bare[i : i + n]) for"),)),
    ("10.2", "largest", ("max for min", "10.2: the largest place was kept"),
     "def minhash(documents, a, b):\n"
     "    s = np.zeros((len(documents), len(a)), np.int64)\n"
     "    for i, d in enumerate(documents):\n"
     "        for k in range(len(a)):\n"
     "            s[i, k] = max([(x * int(a[k]) + int(b[k])) % P for x in d], default=P)\n"
     "    like = np.zeros((len(s), len(s)))\n"
     "    for i in range(len(s)):\n"
     "        for j in range(len(s)):\n"
     "            if documents[i] and documents[j]:\n"
     "                like[i, j] = np.mean(s[i] == s[j])\n"
     "    return s, like\n"),
    ("10.2", "an empty document has 0", ("10.2: a document without shingles got", "constant", "case forgotten"),
     "def minhash(documents, a, b):\n"
     "    s = []\n"
     "    for d in documents:\n"
     "        if not d:\n"
     "            s.append([0] * len(a))\n"
     "        else:\n"
     "            s.append(((np.array(d)[:, None] * a + b) % P).min(0).tolist())\n"
     "    s = np.array(s)\n"
     "    return s, (s[:, None] == s).mean(2)\n"),
    ("10.2", "the sum of agreements", ("sum-for-mean",),
     "def minhash(documents, a, b):\n"
     "    s = np.array([((np.array(d)[:, None] * a + b) % P).min(0) if d else np.full(len(a), P) for d in documents])\n"
     "    like = (s[:, None] == s).sum(2)\n"
     "    like[(s == P).any(1)] = 0\n"
     "    return s, like.astype(float)\n"),
    ("10.2", "an agreement counts from a second one on", ("off by one", "10.2: the numbers of two signatures", "condition"),
     (("signatures[:, None] == signatures).mean(axis=2)", "signatures[:, None] == signatures).mean(axis=2) - 1 / len(a)"),)),
    ("10.2", "neighbors agree", ("condition", "tolerance", "boundary"),
     (("signatures[:, None] == signatures", "signatures[:, None] <= signatures"),)),
    ("10.2", "without P: 64 bits", ("10.2: the remainder is missing", "modulo forgotten"),
     "def minhash(documents, a, b):\n"
     "    s = np.full((len(documents), len(a)), P)\n"
     "    for i, d in enumerate(documents):\n"
     "        for x in d:\n"
     "            s[i] = np.minimum(s[i], x * a + b)\n"
     "    like = (s[:, None] == s).mean(2)\n"
     "    like[[not d for d in documents]] = 0\n"
     "    return s, like\n"),
    ("10.3", "bands for rows in the first", ("bands-and-rows-swapped", "wrong variable"),
     (("1 - (1 - J**rows) ** bands", "1 - (1 - J**bands) ** bands"),)),
    ("10.3", "a share that is missed", ("factor forgotten",),
     (("pairs * (1 - compared)", "(1 - compared)"),)),
    ("10.3", "log for root", ("10.3: the root", "power", "root forgotten"),
     (("(1 - 0.5 ** (1 / bands)) ** (1 / rows)", "(1 - 0.5 ** (1 / bands)) / rows"),)),
    ("10.3", "rule of thumb with its sides exchanged",
     ("bands-and-rows-swapped", "10.3: bands and rows changed", "10.3: this is the rule", "wrong variable"),
     (("(1 - 0.5 ** (1 / bands)) ** (1 / rows)", "(1 / rows) ** (1 / bands)"),)),
    ("10.4", "linked to the first's element", ("10.4: only the second", "wrong variable", "elements-linked-not-roots"),
     (("        i, j = root(i), root(j)\n        above[max(i, j)] = min(i, j)\n", "        above[root(j)] = i\n"),)),
    ("10.4", "only what is above the larger one moves",
     ("10.4: one link was followed", "10.4: both of the pair got", "elements-linked-not-roots"),
     (("        i, j = root(i), root(j)\n        above[max(i, j)] = min(i, j)\n",
       "        low = min(root(i), root(j))\n"
       "        above[i] = low\n"
       "        above[j] = low\n"),)),
    ("10.4", "what is above, at the end", ("10.4: what is returned",),
     (("return [root(i) for i in range(n)]", "return [above[i] for i in range(n)]"),)),
    ("10.4", "the direction turned, and above returned", ("10.4: the smaller root was hung",),
     (("above[max(i, j)] = min(i, j)", "above[min(i, j)] = max(i, j)"),)),
    ("10.5", "single words", ("words-for-runs",),
     "def decontaminate(train, held_out, n, most):\n"
     "    known = set()\n"
     "    for t in held_out:\n"
     "        known.update(t.lower().split())\n"
     "    shares = []\n"
     "    for t in train:\n"
     "        w = t.lower().split()\n"
     "        shares.append(sum(x in known for x in w) / len(w) if w else 0.0)\n"
     "    return [i for i in range(len(train)) if shares[i] <= most], np.array(shares)\n"),
    ("10.5", "all held-out texts in a row", ("run-across-documents",),
     "def decontaminate(train, held_out, n, most):\n"
     "    def runs(w):\n"
     "        if not w:\n"
     "            return []\n"
     "        return [' '.join(w[i : i + n]) for i in range(max(1, len(w) - n + 1))]\n"
     "\n"
     "    known = runs(' '.join(held_out).lower().split())\n"
     "    shares = []\n"
     "    for t in train:\n"
     "        r = runs(t.lower().split())\n"
     "        shares.append(sum(x in known for x in r) / len(r) if r else 0.0)\n"
     "    return [i for i, s in enumerate(shares) if s <= most], np.array(shares)\n"),
    ("10.5", "capitals in the held-out texts only", ("10.5: the words were not lower-cased", "lower case forgotten"),
     (("known = {run for text in held_out for run in runs(text)}",
       "runs_of, known = runs, {run for text in held_out for run in runs(text)}\n"
       "\n"
       "    def runs(text):\n"
       "        words = text.split()\n"
       "        starts = range(max(1, len(words) - n + 1)) if words else ()\n"
       "        return [tuple(words[i : i + n]) for i in starts]\n"),)),
    ("10.5", "the shares of those that stay", ("condition", "other shape", "filtered"),
     (("return stay, np.array(shares, float)", "return stay, np.array([shares[i] for i in stay], float)"),)),
    ("10.5", "how many held-out runs are found", ("10.5: the different runs of", "counted once"),
     (("sum(found) / max(1, len(found))", "len(set(runs(text)) & known) / max(1, len(found))"),)),
    ("10.5", "stays below or at the number", ("wrong variable", "divisor forgotten"),
     (("if share <= most", "if share * len(runs(train[i])) <= most"),)),
    ("10.6", "no overlap, with the window of size + 1", ("10.6: windows of size",),
     "def pack(documents, size, end):\n"
     "    row = sum(([*d, end] for d in documents if d), [])\n"
     "    x, y = [], []\n"
     "    for i in range(0, len(row) - 1, size + 1):\n"
     "        w = row[i : i + size + 1]\n"
     "        x.append(w[:-1])\n"
     "        y.append(w[1:])\n"
     "    return x, y\n"),
    ("10.6", "the last document without an end, by a join", ("10.6: the last document has no",),
     "def pack(documents, size, end):\n"
     "    row = []\n"
     "    for k, d in enumerate(documents):\n"
     "        if not d:\n"
     "            continue\n"
     "        row += d\n"
     "        if k < len(documents) - 1:\n"
     "            row.append(end)\n"
     "    x, y = row[:-1], row[1:]\n"
     "    s = range(0, len(x), size)\n"
     "    return [x[i : i + size] for i in s], [y[i : i + size] for i in s]\n"),
    ("10.6", "an end for empty ones", ("10.6: a document without tokens left",),
     "def pack(documents, size, end):\n"
     "    row = []\n"
     "    for d in documents:\n"
     "        row.extend(d)\n"
     "        row.append(end)\n"
     "    out = [], []\n"
     "    for i in range(0, len(row) - 1, size):\n"
     "        out[0].append(row[i : min(i + size, len(row) - 1)])\n"
     "        out[1].append(row[i + 1 : i + size + 1])\n"
     "    return out\n"),
    ("10.6", "the last input of all has no target", ("off by one", "off-by-one-shift", "range-off-by-one"),
     (("x, y = row[:-1], row[1:]", "x, y = row, row[1:]"),)),
    ("10.6", "nothing for no tokens", ("IndexError", "none-returned", "case forgotten", "wrong type"),
     (("    x, y = row[:-1], row[1:]\n",
       "    if not row:\n"
       "        return []\n"
       "    x, y = row[:-1], row[1:]\n"),)),
    ("10.7", "original chunks in the second round", ("neighbors-own-chunk-sent",),
     "def all_reduce(rank, ranks, x):\n"
     "    parts = np.array_split(x, ranks)\n"
     "    total = [p.copy() for p in parts]\n"
     "    for s in range(ranks - 1):\n"
     "        got = yield parts[(rank - s) % ranks]\n"
     "        total[(rank - s - 1) % ranks] += got\n"
     "    for s in range(ranks - 1):\n"
     "        total[(rank - s) % ranks] = yield total[(rank - s + 1) % ranks]\n"
     "    return np.concatenate(total) / ranks\n"),
    ("10.7", "the sum", ("divisor forgotten", "10.7: this is the sum", "sum-for-mean"),
     "def all_reduce(rank, ranks, x):\n"
     "    parts = np.array_split(x, ranks)\n"
     "    for s in range(ranks - 1):\n"
     "        parts[(rank - s - 1) % ranks] = parts[(rank - s - 1) % ranks] + (yield parts[(rank - s) % ranks])\n"
     "    for s in range(ranks - 1):\n"
     "        parts[(rank - s) % ranks] = yield parts[(rank - s + 1) % ranks]\n"
     "    return np.concatenate(parts)\n"),
    ("10.7", "the second part begins a chunk too far", ("off by one", "10.7: the all-gather begins with", "constant"),
     (("complete = chunks[(rank + 1 - step) % ranks]", "complete = chunks[(rank + 2 - step) % ranks]"),)),
    ("10.7", "both parts in one loop of p - 1 rounds",
     ("step forgotten", "10.7: the all-gather is missing", "ring-one-round-short"),
     "def all_reduce(rank, ranks, x):\n"
     "    c = np.array_split(x, ranks)\n"
     "    for s in range(ranks - 1):\n"
     "        c[(rank - s - 1) % ranks] += yield c[(rank - s) % ranks]\n"
     "    return np.concatenate(c) / ranks\n"),
    ("10.7", "sends a copy of all", ("10.7: the mean is right",),
     "def all_reduce(rank, ranks, x):\n"
     "    seen = [x]\n"
     "    for _ in range(ranks - 1):\n"
     "        seen.append((yield seen[-1]))\n"
     "    return sum(seen) / ranks\n"),
)  # fmt: skip
"""Of 34, 21 right, 11 not given, 2 wrong. Nothing was tuned on them."""
