"""Bugs in batches, splits and random draws."""

from __future__ import annotations

from functools import partial

from minilm.exercises.bugs.record import Bug

bug = partial(Bug, family="data")

BUGS = (
    bug(
        name="targets-not-shifted",
        title="The targets are the inputs themselves",
        why=(
            "A language model predicts the next token: target t is token t + 1. Here it is token t, which "
            "stands in the input."
        ),
        right="x, y = tokens[i : i + T], tokens[i + 1 : i + T + 1]",
        wrong="x, y = tokens[i : i + T], tokens[i : i + T]",
        shows="The loss falls to almost 0 at once, and generated text repeats its last token.",
        look="Print x and y as text: y must be x moved by one.",
        file="minilm/data/tokens.py",
        old="np.ascontiguousarray(windows[:, 1:])",
        new="np.ascontiguousarray(windows[:, :-1])",
    ),
    bug(
        name="batch-last-dropped",
        title="The last, smaller batch is left out",
        why=(
            "Where the size of the data is no multiple of the batch size, some examples remain. Here they are "
            "never seen."
        ),
        right="range(0, n, size)",
        wrong="range(0, n - size + 1, size)",
        shows="Fewer batches than ceil(n / size); right where the size divides n.",
        look="Take 5 examples in batches of 2: there are three batches.",
        file="minilm/data/loader.py",
        old="return whole + (rest > 0 and not self.drop_last)",
        new="return whole",
    ),
    bug(
        name="shuffle-breaks-pairs",
        title="Inputs and targets are shuffled apart",
        why="Each input must keep its target. Two separate shuffles pair them at random.",
        right="order = rng.permutation(n); x, y = x[order], y[order]",
        wrong="rng.shuffle(x); rng.shuffle(y)",
        shows="The accuracy stays at chance.",
        look="Take y = x and shuffle: they must still be equal.",
        file="minilm/data/loader.py",
        old="return self._one_or_all(tuple(array[indices] for array in self.arrays))",
        new="return self._one_or_all(tuple(array[np.random.permutation(indices)] for array in self.arrays))",
    ),
    bug(
        name="split-leaks",
        title="Examples stand in both training and validation data",
        why="What is validated must not have been trained on. Here the two parts overlap.",
        right="train, valid = x[:k], x[k:]",
        wrong="train, valid = x[:k], x[k - 1 :]",
        shows="A validation loss that is too good; the parts' sizes add up to more than n.",
        look="Count how many examples both parts share: none.",
        file="minilm/data/split.py",
        old="return order[held_out:], order[:held_out]",
        new="return order[held_out - 1 :], order[:held_out]",
    ),
    bug(
        name="statistics-from-test-data",
        title="The normalization uses statistics of the test data",
        why=(
            "Mean and deviation come from the training data and are then used for all. Here the test data's own"
            " were used, or those of all together."
        ),
        right="x_test = (x_test - mean_train) / std_train",
        wrong="x_test = (x_test - x_test.mean(0)) / x_test.std(0)",
        shows="The test data come out with mean exactly 0; a single test example becomes 0 / 0.",
        look="Which array are mean() and std() called on?",
    ),
    bug(
        name="sampled-with-replacement",
        title="Drawn with replacement where every example comes once",
        why="An epoch visits each example exactly once, in random order. Here some come twice and others never.",
        right="rng.permutation(n)",
        wrong="rng.integers(0, n, n)",
        shows="About 37 percent of the examples are missing from an epoch.",
        look="Sort the drawn indices: they must be 0, 1, ..., n - 1.",
        file="minilm/data/split.py",
        old="np.random.default_rng(seed).permutation(n)",
        new="np.random.default_rng(seed).integers(0, n, n)",
    ),
    bug(
        name="random-not-from-the-generator",
        title="Random numbers that do not come from the given generator",
        why=("The function is given a generator so that its draws can be repeated. Here it draws from another source."),
        right="rng.random(n)",
        wrong="np.random.random(n)",
        shows="Two calls with generators of the same seed give different results.",
        look="Search the code for np.random. and random.: everything must be drawn from rng.",
        file="minilm/training/loop.py",
        old="rng = np.random.default_rng([config.seed, self.step, part])",
        new="rng = np.random.default_rng()",
    ),
    bug(
        name="same-seed-every-epoch",
        title="Every epoch has the same order",
        why="A generator that is made anew with the same seed repeats itself. Each epoch needs draws of its own.",
        right="rng = np.random.default_rng([seed, epoch])",
        wrong="rng = np.random.default_rng(seed)",
        shows="The batches of the second epoch are those of the first.",
        look="Print the first batch of two epochs.",
        file="minilm/data/loader.py",
        old="np.random.default_rng([self.seed, epoch])",
        new="np.random.default_rng([self.seed])",
    ),
    bug(
        name="window-off-by-one",
        title="One window too few or too many",
        why=(
            "A sequence of n elements has n - T + 1 windows of length T, and n - T of them have an element "
            "after them. Here the count is off by one."
        ),
        right="for i in range(n - T + 1)",
        wrong="for i in range(n - T)",
        shows="The last window is missing, or the one past it is too short.",
        look="Count for n = 3, T = 3: one window.",
        file="minilm/data/tokens.py",
        old="rng.integers(0, len(tokens) - block_size, size=batch_size)",
        new="rng.integers(0, max(1, len(tokens) - block_size - 1), size=batch_size)",
    ),
    bug(
        name="short-text-without-shingle",
        title="A text that is shorter than a shingle has none",
        why=(
            "A text of fewer than n characters (or words) is one shingle by itself. Without one, short texts are never copies of anything, "
            "and a likeness of two of them is 0 / 0."
        ),
        right="{text[i : i + n] for i in range(max(1, len(text) - n + 1))}",
        wrong="{text[i : i + n] for i in range(len(text) - n + 1)}",
        shows="Right for long texts; an empty set for short ones.",
        look="Ask for a text of one character fewer than n.",
    ),
    bug(
        name="minhash-one-order-for-all",
        title="MinHash: all numbers of a signature come from one order",
        why=(
            "Each number of a signature needs a random order of its own. With one for all they are one number, and the estimate is 0 or 1."
        ),
        right="[min(hash(x, seed=k) for x in shingles) for k in range(n)]",
        wrong="[min(hash(x, seed=0) for x in shingles) for k in range(n)]",
        shows="Two documents agree in all numbers or in none.",
        look="Print one signature: are its numbers different?",
        file="minilm/data/corpus/minhash.py",
        old="mix(shingles, seed * permutations + order)",
        new="mix(shingles, seed)",
    ),
    bug(
        name="bands-and-rows-swapped",
        title="Bands and rows change places in the S-curve",
        why=(
            "All r numbers of a band must agree, J**r, and that in one of b bands at least: 1 - (1 - J**r)**b. Here the two exponents are "
            "exchanged."
        ),
        right="1 - (1 - J**rows) ** bands",
        wrong="1 - (1 - J**bands) ** rows",
        shows="The curve rises elsewhere: right only where there are as many bands as rows.",
        look="One band of many rows finds next to nothing; many bands of one row find nearly all.",
        file="minilm/data/corpus/bands.py",
        old="** rows) ** bands",
        new="** bands) ** rows",
    ),
    bug(
        name="elements-linked-not-roots",
        title="Union-find links the elements, not their roots",
        why=(
            "The entry of an element that is no root says where it belongs. A link that is written over it loses that; the entry of a root "
            "loses nothing."
        ),
        right="i, j = root(i), root(j); above[max(i, j)] = min(i, j)",
        wrong="above[max(i, j)] = min(i, j)",
        shows="Groups fall apart, others for another order of the pairs.",
        look="Link 1 with 2, then 0 with 2: one group.",
    ),
    bug(
        name="words-for-runs",
        title="Single words are looked up, not runs of words",
        why="All texts of a language share their words. Only a run of several in the same order tells that one was copied.",
        right="[tuple(words[i : i + n]) for i in range(len(words) - n + 1)]",
        wrong="set(words)",
        shows="Nearly every text seems to be contaminated.",
        look="Try two texts of the same words in another order.",
    ),
    bug(
        name="held-out-for-train",
        title="The held-out texts are cleaned, not the training texts",
        why=(
            "What the training set shares with a test is taken out of the training set. Taken out of the test, the hardest or the easiest "
            "questions go, and the numbers cannot be compared with anybody's."
        ),
        right="[text for text in train if not contains(text, held_out)]",
        wrong="[text for text in held_out if not contains(text, train)]",
        shows="The test set has become smaller.",
        look="Count both sets before and after.",
    ),
    bug(
        name="run-across-documents",
        title="A run reaches from one document into the next",
        why="Documents that stand one behind the other are not one text. A run that holds the end of one and the beginning of the next was "
        "written by nobody.",
        right="[run for text in texts for run in runs(text)]",
        wrong='runs(" ".join(texts))',
        shows="A few more runs than there are; which ones hangs on the order of the documents.",
        look="Two documents of one word each have no run of two words.",
    ),
    bug(
        name="end-token-missing",
        title="No end token between documents",
        why=(
            "Where documents are laid in a row, an end token tells the model that what follows has nothing to do with what was before. "
            "Without one it learns to go from one into the other."
        ),
        right="row += [*document, end]",
        wrong="row += document",
        shows="Generated texts never end; the row has one token per document too few.",
        look="Count the end tokens: one per document.",
        file="minilm/data/corpus/packing.py",
        old="yield np.append(document, end)",
        new="yield np.asarray(document)",
    ),
    bug(
        name="last-window-lost",
        title="The last window is lost where it is not full",
        why="What does not fill a window is a shorter one. Here it is never trained on.",
        right="range(0, len(row), size)",
        wrong="range(0, len(row) - size + 1, size)",
        shows="Fewer tokens in the windows than in the documents; right where it comes out even.",
        look="Add up the lengths of all windows.",
        file="minilm/data/corpus/packing.py",
        old=("    if fresh > 0:\n        yield np.concatenate(held)\n"),
        new="",
    ),
)
