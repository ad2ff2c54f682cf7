"""Bugs in sums and means: over what, and divided by what."""

from __future__ import annotations

from functools import partial

from minilm.exercises.bugs.record import Bug

bug = partial(Bug, family="reductions")

BUGS = (
    bug(
        name="mean-over-the-batch",
        title="The mean over the batch where the sum belongs",
        why=(
            "The gradient of what all rows share is the sum over the rows of the gradient that arrives; any 1/N"
            " of a mean loss is in that gradient already. Here it was divided by the batch size once more."
        ),
        right="w_bar = (y_bar * x_hat).sum(axis=0)",
        wrong="w_bar = (y_bar * x_hat).mean(axis=0)",
        shows="Too small by exactly the batch size N; right for a batch of 1.",
        look="Repeat every row of the batch once: this gradient must double.",
    ),
    bug(
        name="sum-for-mean",
        title="A sum where the mean was asked for",
        why="The result was not divided by the number of elements, so it grows with their number.",
        right="loss = (e**2).mean()",
        wrong="loss = (e**2).sum()",
        shows="Too large by exactly the number of elements; right for one element.",
        look="Repeat the data once: a mean stays as it is.",
        file="minilm/ops/reduce.py",
        old="return over(dev.sum(x, axis, keepdims), count(x.shape, axis))",
        new="return dev.sum(x, axis, keepdims)",
    ),
    bug(
        name="mean-for-sum",
        title="A mean where the sum was asked for",
        why="The result was divided by the number of elements.",
        right="total = x.sum(axis=1)",
        wrong="total = x.mean(axis=1)",
        shows="Too small by exactly the number of elements; right for one element.",
        look="Repeat the data once: a sum doubles.",
    ),
    bug(
        name="wrong-axis",
        title="The operation runs over the wrong axis",
        why=(
            "For a batch of shape (N, n) axis 0 runs over the examples and axis 1 (or -1) over the features. "
            "Here the other one was taken."
        ),
        right="x.sum(axis=1)",
        wrong="x.sum(axis=0)",
        shows="Another shape, or with as many rows as columns the same shape and other numbers.",
        look="Test with a (2, 3) array and write down which sizes must remain.",
    ),
    bug(
        name="keepdims-forgotten",
        title="keepdims=True is missing, and broadcasting pairs the wrong axes",
        why=(
            "After x.mean(axis=1) the shape is (N,), and (N, n) - (N,) aligns it with the last axis. Row means "
            "then meet columns."
        ),
        right="x - x.mean(axis=1, keepdims=True)",
        wrong="x - x.mean(axis=1)",
        shows=("An error of shapes for N != n; for N = n no error, and every column is shifted by another row's mean."),
        look="Print the shapes of both sides before the subtraction.",
    ),
    bug(
        name="n-for-n-minus-one",
        title="Divided by n where n - 1 was asked for",
        why=(
            "The unbiased variance of a sample divides by n - 1, since the mean was estimated from the same "
            "data. Here it was divided by n."
        ),
        right="((x - x.mean()) ** 2).sum() / (n - 1)",
        wrong="((x - x.mean()) ** 2).sum() / n",
        shows="Too small by the factor (n - 1) / n: visible for few values, not for many.",
        look="Take [0, 2]: the unbiased variance is 2, the biased one 1.",
        file="minilm/ops/reduce.py",
        old="return over(dev.sum(d * d, axis, keepdims), n - correction)",
        new="return over(dev.sum(d * d, axis, keepdims), n)",
    ),
    bug(
        name="n-minus-one-for-n",
        title="Divided by n - 1 where n was asked for",
        why="The formula divides by n (a mean over all n values); here it was divided by n - 1.",
        right="((x - x.mean()) ** 2).sum() / n",
        wrong="((x - x.mean()) ** 2).sum() / (n - 1)",
        shows="Too large by the factor n / (n - 1); a division by 0 for a single value.",
        look="Take [0, 2]: the mean of the squared deviations is 1.",
        file="minilm/backend/cpu.py",
        old="return mean.reshape(-1), self.sum(d, axes) / count",
        new="return mean.reshape(-1), self.sum(d, axes) / (count - 1)",
    ),
    bug(
        name="mean-over-padding",
        title="Padding counts in the mean",
        why=(
            "Padded positions hold no data. They must be left out of the sum and of the count; here they are in"
            " one of them or both."
        ),
        right="(loss * mask).sum() / mask.sum()",
        wrong="(loss * mask).mean()",
        shows="The mean falls when padding is added, though the data are the same.",
        look="Add padding to the same sequence: the result may not change.",
    ),
    bug(
        name="mean-of-means",
        title="The mean of the batches' means where batches differ in size",
        why=(
            "Each batch's mean counts the same, so examples of a small last batch weigh more than the others. "
            "The mean over all is the sum of all divided by the count of all."
        ),
        right="total / count",
        wrong="np.mean([batch.mean() for batch in batches])",
        shows="Right when all batches have the same size, otherwise a little off.",
        look="Split [1, 2, 3] into [1, 2] and [3]: the mean is 2, the mean of means 2.25.",
        file="minilm/parallel/members.py",
        old="(b - a) / rows)",
        new="1 / parts)",
    ),
)
