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
    ),
    bug(
        name="bpe-across-words",
        title="BPE: pairs across the border of two words are counted",
        why="Pairs are counted within words. Here the end of one word and the beginning of the next form a pair.",
        right="for word in words: count(zip(word, word[1:]))",
        wrong="count(zip(text, text[1:]))",
        shows="Tokens that contain the end of one word and the beginning of another.",
        look='Train on "ab ab ab": no merge may hold more than the letters of one word.',
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
    ),
    bug(
        name="top-p-not-renormalized",
        title="What is kept is not normalized again",
        why="After tokens are removed the rest sums to less than 1, and must be divided by its sum.",
        right="p = p * keep; p /= p.sum()",
        wrong="p = p * keep",
        shows="The probabilities sum to less than 1; a sampler complains, or prefers the last token.",
        look="Print the sum.",
    ),
    bug(
        name="argmax-for-sample",
        title="The likeliest token is taken where one should be drawn",
        why="Sampling draws each token with its probability. argmax always takes the same one.",
        right="rng.choice(V, p=p)",
        wrong="p.argmax()",
        shows="Every draw is the same, and texts run into loops.",
        look="Draw 1000 times from [0.5, 0.3, 0.2] and count.",
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
    ),
)
