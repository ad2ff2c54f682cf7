"""Bugs in tokenizers, n-gram models and sampling."""

from __future__ import annotations

from functools import partial

from minilm.exercises.bugs.record import Bug

bug = partial(Bug, family="text")

BUGS = (
    bug(
        name="vocabulary-from-all-text",
        title="The vocabulary is built from the validation text, too",
        why=(
            "The tokenizer is part of the model, and is learned from the training text alone. Here it has seen "
            "what it is tested on."
        ),
        right="vocabulary = sorted(set(train))",
        wrong="vocabulary = sorted(set(train + valid))",
        shows="No unknown token ever occurs in validation, and its loss is too good.",
        look="Put a letter into the validation text that the training text lacks: it must be unknown.",
    ),
    bug(
        name="unknown-dropped",
        title="Unknown tokens are left out",
        why=(
            'A token that the vocabulary lacks becomes the id of "unknown". Leaving it out shortens the text '
            "and puts tokens side by side that were not."
        ),
        right="[ids.get(token, unknown) for token in tokens]",
        wrong="[ids[token] for token in tokens if token in ids]",
        shows="Fewer ids than tokens.",
        look="Encode a text with one unknown token and count the ids.",
        file="minilm/text/char.py",
        old=("            ids[unknown] = self._ids[self.unk_token]\n"),
        new=("            ids = np.delete(ids, unknown)\n"),
    ),
    bug(
        name="bpe-ties-any-order",
        title="BPE: ties are broken by chance or by order of insertion",
        why=(
            "Where two pairs are equally frequent the rule must say which one is merged, or the same text gives"
            " different vocabularies."
        ),
        right="max(counts, key=lambda pair: (counts[pair], pair))",
        wrong="max(counts, key=counts.get)",
        shows="Right until the first tie; then other merges.",
        look="Take a text in which two pairs occur equally often, and see which is merged.",
        file="minilm/text/bpe.py",
        old="best = min(counts, key=lambda pair: (-counts[pair], pair), default=None)",
        new="best = min(counts, key=lambda pair: -counts[pair], default=None)",
    ),
    bug(
        name="bpe-counts-not-updated",
        title="BPE: pairs are not counted again after a merge",
        why=(
            "A merge makes new pairs and removes old ones. The next merge is chosen by the counts after it; "
            "here by the old ones."
        ),
        right="counts = count_pairs(words)  # in every round",
        wrong="counts = count_pairs(words)  # once, before the loop",
        shows="The first merge is right; merged tokens are never merged further.",
        look='Learn two merges on "aaab aaab", and count the pairs by hand in between.',
        file="minilm/text/bpe.py",
        old=("            if new in changed:\n"),
        new=("            if False:\n"),
    ),
    bug(
        name="bpe-merges-in-wrong-order",
        title="BPE: merges are not used in the order in which they were learned",
        why=(
            "When a text is encoded, the merge that was learned first is applied first. Here the longest, or "
            "the leftmost, or the most frequent in this text is taken."
        ),
        right="pair = min(pairs, key=rank)",
        wrong="pair = pairs[0]",
        shows="Some words get other tokens than in training; decoding still gives the text back.",
        look='Encode "abc" with the merges (b, c), (a, b): it becomes a, bc.',
        file="minilm/text/bpe.py",
        old="lowest, place = min(present)",
        new="lowest, place = present[0]",
    ),
    bug(
        name="bpe-overlapping-pairs",
        title="BPE: overlapping pairs are merged or counted twice",
        why=(
            'In "aaa" the pair (a, a) can be merged once: the second would use the middle a again. After a '
            "merge the search goes on behind both."
        ),
        right="i += 2 if merged else 1",
        wrong="i += 1",
        shows="Tokens appear that the text does not contain; decoding does not give the text back.",
        look='Encode "aaa" and decode it.',
        file="minilm/text/pairs.py",
        old=("            position += 2\n"),
        new=("            position += 1\n"),
    ),
    bug(
        name="bpe-across-words",
        title="BPE: pairs across the border of two words are counted",
        why="Pairs are counted within words. Here the end of one word and the beginning of the next form a pair.",
        right="for word in words: count(zip(word, word[1:]))",
        wrong="count(zip(text, text[1:]))",
        shows="Tokens that contain the end of one word and the beginning of another.",
        look='Train on "ab ab ab": no merge may hold more than the letters of one word.',
        file="minilm/text/bpe.py",
        old='words = {piece.encode("utf-8"): count for piece, count in pieces.items()}',
        new='words = {"".join(pieces.elements()).encode("utf-8"): 1}',
    ),
    bug(
        name="smoothing-adds-to-numerator-only",
        title="Smoothing adds to the numerator only",
        why=(
            "Add-one gives every count one more, so their total grows by V. With the old denominator the "
            "probabilities sum to more than 1."
        ),
        right="(count + 1) / (total + V)",
        wrong="(count + 1) / total",
        shows="The probabilities of all next tokens sum to 1 + V / total.",
        look="Sum the probabilities over the whole vocabulary: 1.",
    ),
    bug(
        name="smoothing-vocabulary-missing",
        title="Smoothing uses a wrong number of possible tokens",
        why="V is the size of the whole vocabulary, not the number of tokens that followed in the data, and not 1.",
        right="(count + k) / (total + k * V)",
        wrong="(count + k) / (total + k * len(seen))",
        shows="The probabilities do not sum to 1 over the vocabulary.",
        look="Sum them, the unseen tokens included.",
    ),
    bug(
        name="kneser-ney-raw-counts-for-continuation",
        title="Kneser-Ney: the lower order uses raw counts",
        why=(
            "The lower-order probability counts in how many different contexts a word occurs, not how often. "
            '"Francisco" is frequent, but follows one word only.'
        ),
        right="len({a for a, b in bigrams if b == word}) / len(bigrams)",
        wrong="counts[word] / sum(counts.values())",
        shows="Words that are frequent in a single context get too much probability in others.",
        look='For the text "san f san f x" count by hand: f has one kind of predecessor.',
    ),
    bug(
        name="kneser-ney-mass-not-returned",
        title="Kneser-Ney: what the discount takes is not given back",
        why=(
            "Subtracting D from every count frees the mass D * (kinds of next word) / total. It goes to the "
            "lower order; here it is lost or wrong."
        ),
        right="lam = D * kinds / total",
        wrong="lam = D / total",
        shows="The probabilities of all next words sum to less than 1.",
        look="Sum over the vocabulary: 1.",
    ),
    bug(
        name="discount-not-clipped",
        title="The discounted count may become negative",
        why=(
            "max(count - D, 0): a word that was never seen has count 0 and no discount. Without max it gets a "
            "negative share."
        ),
        right="max(count - D, 0) / total",
        wrong="(count - D) / total",
        shows="Negative probabilities (or too small ones) for unseen words; the seen ones are right.",
        look="Ask for an unseen word.",
    ),
    bug(
        name="backoff-without-weight",
        title="Backing off without a weight",
        why=(
            "The probabilities of the shorter context are scaled, so that those of seen and unseen words sum to"
            " 1 together. Here they are used as they are."
        ),
        right="lam * p_lower",
        wrong="p_lower",
        shows="The probabilities sum to more than 1.",
        look="Sum over the vocabulary.",
    ),
    bug(
        name="temperature-multiplied",
        title="The logits are multiplied by the temperature",
        why="A low temperature sharpens: logits / T. Multiplied, it does the opposite.",
        right="softmax(logits / T)",
        wrong="softmax(logits * T)",
        shows="Right for T = 1; T = 0.5 makes the distribution flatter.",
        look="For T near 0 the largest logit must get nearly everything.",
        file="minilm/models/generation.py",
        old=("            z /= self.temperature\n"),
        new=("            z *= self.temperature\n"),
    ),
    bug(
        name="temperature-after-softmax",
        title="The temperature acts on probabilities",
        why=(
            "The temperature divides the logits, before the softmax. Dividing probabilities and normalizing "
            "again changes nothing."
        ),
        right="softmax(logits / T)",
        wrong="p = softmax(logits) / T; p /= p.sum()",
        shows="The result is that of T = 1, whatever T is.",
        look="Compare T = 0.5 with T = 2.",
    ),
    bug(
        name="top-k-keeps-ties",
        title="top-k keeps more than k where values tie",
        why="Comparing with the k-th largest value keeps everything that equals it. Exactly k are to be kept.",
        right='keep = np.argsort(-z, kind="stable")[:k]',
        wrong="keep = z >= np.sort(z)[-k]",
        shows="Right without ties; with three equal logits and k = 1 all three remain.",
        look="Test with equal logits.",
    ),
    bug(
        name="top-k-smallest",
        title="top-k keeps the smallest",
        why="np.sort and np.argsort order from small to large: the k largest stand at the end.",
        right="keep = np.argsort(z)[-k:]",
        wrong="keep = np.argsort(z)[:k]",
        shows="The unlikeliest tokens are written.",
        look="k = 1 must give the argmax.",
        file="minilm/models/generation.py",
        old="z[z < np.partition(z, -self.top_k)[-self.top_k]] = -np.inf",
        new="z[z > np.partition(z, self.top_k - 1)[self.top_k - 1]] = -np.inf",
    ),
    bug(
        name="top-p-without-the-crossing-one",
        title="top-p leaves out the token that reaches p",
        why=(
            "The set is the smallest whose sum is at least p; the token with which the sum reaches p belongs to"
            " it. Here it is left out."
        ),
        right="keep = cumulative - p_sorted < top_p",
        wrong="keep = cumulative < top_p",
        shows="One token too few; none where the likeliest alone reaches p.",
        look="Take probabilities 0.6, 0.3, 0.1 and p = 0.7: two tokens remain.",
        file="minilm/models/generation.py",
        old="p[order[before >= self.top_p]] = 0.0",
        new="p[order[before + p[order] > self.top_p]] = 0.0",
    ),
    bug(
        name="top-p-not-renormalized",
        title="What is kept is not normalized again",
        why="After tokens are removed the rest sums to less than 1, and must be divided by its sum.",
        right="p = p * keep; p /= p.sum()",
        wrong="p = p * keep",
        shows="The probabilities sum to less than 1; a sampler complains, or prefers the last token.",
        look="Print the sum.",
        file="minilm/models/generation.py",
        old=("            p[order[before >= self.top_p]] = 0.0\n            p /= p.sum()\n"),
        new=("            p[order[before >= self.top_p]] = 0.0\n"),
    ),
    bug(
        name="argmax-for-sample",
        title="The likeliest token is taken where one should be drawn",
        why="Sampling draws each token with its probability. argmax always takes the same one.",
        right="rng.choice(V, p=p)",
        wrong="p.argmax()",
        shows="Every draw is the same, and texts run into loops.",
        look="Draw 1000 times from [0.5, 0.3, 0.2] and count.",
        file="minilm/models/generation.py",
        old='drawn = int(np.searchsorted(mass, rng.random() * mass[-1], "right"))',
        new="drawn = int(np.argmax(p))",
    ),
    bug(
        name="sampled-without-cumulative",
        title="A draw compares with single probabilities, not with their running sum",
        why=(
            "The token is the first whose cumulative probability exceeds an even draw from 0 to 1. Here the "
            "draw is compared with each probability by itself."
        ),
        right='np.searchsorted(np.cumsum(p), rng.random(), side="right")',
        wrong="np.argmax(p > rng.random())",
        shows=(
            "The frequencies are not p: for [0.5, 0.3, 0.2] the first token comes every time, since it passes "
            "whenever another does."
        ),
        look="Draw 1000 times and compare the counts with p.",
        file="minilm/models/generation.py",
        old="mass = np.cumsum(p)",
        new="mass = p",
    ),
    bug(
        name="top-p-one-too-many",
        title="top-p keeps one token too many where the sum is exactly p",
        why=(
            "The set is the smallest whose sum is at least p. Where the tokens before a token have exactly the "
            "share p already, it is not needed; <= in place of < keeps it."
        ),
        right="keep = cumulative - p_sorted < top_p",
        wrong="keep = cumulative - p_sorted <= top_p",
        shows="Right for almost all p; one more token where a running sum is exactly p.",
        look="Take probabilities 0.5, 0.25, 0.25 and p = 0.5: one token remains.",
        file="minilm/models/generation.py",
        old="p[order[before >= self.top_p]] = 0.0",
        new="p[order[before > self.top_p]] = 0.0",
    ),
    bug(
        name="top-p-smallest",
        title="top-p keeps the least likely tokens",
        why=(
            "The tokens must be sorted from the likeliest down before they are added up. np.argsort sorts the "
            "other way."
        ),
        right='order = np.argsort(-p, kind="stable")',
        wrong='order = np.argsort(p, kind="stable")',
        shows="The likeliest token is removed first, and what remains are many rare ones.",
        look="Take probabilities 0.6, 0.3, 0.1 and p = 0.5: the first token alone remains.",
    ),
    bug(
        name="sorted-order-kept",
        title="The result stands in the order of the sort",
        why=(
            "The probabilities were sorted, and what was computed must be put back to the places of the tokens."
            " Here it stands in the sorted order."
        ),
        right="p_kept[order] = p[order] * keep",
        wrong="p_kept = p[order] * keep",
        shows="Right where the probabilities are sorted already; otherwise they belong to other tokens.",
        look="Test with the likeliest token in the middle.",
    ),
    bug(
        name="ties-to-the-larger-index",
        title="Of equal elements the later one comes first",
        why=(
            "A stable ascending sort that is turned round puts equal elements in reverse order. Sorting the "
            "negated values keeps the earlier one first."
        ),
        right='order = np.argsort(-x, kind="stable")',
        wrong='order = np.argsort(x, kind="stable")[::-1]',
        shows="Right without ties; with equal elements the larger index comes first.",
        look="Test with equal elements: the indices must rise.",
        file="minilm/ops/order.py",
        old='return x.shape[axis] - 1 - xp.argsort(x[backwards], axis=axis, kind="stable")',
        new='return xp.argsort(x, axis=axis, kind="stable")',
    ),
    bug(
        name="one-draw-for-all-rows",
        title="One random number serves all rows",
        why=(
            "Each row of a batch needs a draw of its own. With one number for all, equal rows always get equal results."
        ),
        right="u = rng.random((rows, 1))",
        wrong="u = rng.random()",
        shows="Each row by itself has the right frequencies; together they move in step.",
        look="Give a batch of equal rows: the draws must differ.",
    ),
    bug(
        name="mean-over-time",
        title="A mean over all positions lets each position see the later ones",
        why=(
            "In a causal model position t may use positions up to t only. A mean over the whole length holds "
            "what comes after."
        ),
        right="x.cumsum(axis=1) / np.arange(1, T + 1)[:, None]",
        wrong="x.mean(axis=1, keepdims=True)",
        shows="The training loss is too good; changing the last token changes the outputs before it.",
        look="Change the last token: the outputs before it may not change.",
    ),
    bug(
        name="characters-for-bytes",
        title="Characters are taken for bytes, or bytes for characters",
        why=(
            "In UTF-8 a character is one to four bytes. ord(c) is its number in Unicode, len(s) the number of "
            "characters."
        ),
        right='list(text.encode("utf-8"))',
        wrong="[ord(c) for c in text]",
        shows="Right for English text, wrong from the first accent on.",
        look='Try "é": one character, two bytes.',
    ),
    bug(
        name="decoded-token-by-token",
        title="Each token is decoded on its own",
        why="A token may end within a character. Its bytes are a text only together with its neighbors' bytes.",
        right='b"".join(tokens).decode("utf-8", errors="replace")',
        wrong='"".join(t.decode("utf-8", errors="replace") for t in tokens)',
        shows="Replacement characters where a character lies across two tokens.",
        look="Join the bytes first, then decode once.",
    ),
)
