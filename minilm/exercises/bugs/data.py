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
)
