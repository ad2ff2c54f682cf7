"""Bugs in LayerNorm, RMSNorm, BatchNorm and dropout."""

from __future__ import annotations

from functools import partial

from minilm.exercises.bugs.record import Bug

bug = partial(Bug, family="normalization")

BUGS = (
    bug(
        name="mean-taken-for-a-constant",
        title="The backward pass takes the mean for a constant",
        why=(
            "The mean depends on every element of the row, and so the gradient loses its own mean: g - mean(g)."
            " Here this term is missing."
        ),
        right="x_bar = (g - g.mean(-1, keepdims=True) - x_hat * along) / s",
        wrong="x_bar = (g - x_hat * along) / s",
        shows=("The gradient's rows do not sum to 0, as they must: adding one number to a whole row changes nothing."),
        look="Print x_bar.sum(axis=-1).",
        file="minilm/backend/cpu.py",
        old=("            normed += self.multiply(g, to_mean)\n"),
        new="",
    ),
    bug(
        name="variance-taken-for-a-constant",
        title="The backward pass takes the variance for a constant",
        why=(
            "The standard deviation depends on every element, and so the gradient loses its component along "
            "x_hat. Here this term is missing."
        ),
        right="x_bar = (g - g.mean(-1, keepdims=True) - x_hat * along) / s",
        wrong="x_bar = (g - g.mean(-1, keepdims=True)) / s",
        shows=(
            "The gradient has a component along x_hat, where almost none should be: stretching a row changes "
            "nothing but for epsilon."
        ),
        look="Print (x_bar * x_hat).sum(axis=-1): it must be near 0.",
        file="minilm/backend/cpu.py",
        old=("            normed *= self.multiply(product, to_mean)\n"),
        new=("            normed *= 0.0\n"),
    ),
    bug(
        name="epsilon-outside-the-root",
        title="Epsilon is added to the root, not under it",
        why=(
            "The formula is (x - mean) / sqrt(var + eps). sqrt(var) + eps is another number, and its derivative"
            " is infinite where the variance is 0."
        ),
        right="s = np.sqrt(var + eps)",
        wrong="s = np.sqrt(var) + eps",
        shows=(
            "Almost right for large variances; for a constant row with eps = 1e-5 the divisor is 1e-5 where it "
            "should be 0.0032."
        ),
        look="Test with a large eps such as 0.1: the difference is plain then.",
        file="minilm/backend/cpu.py",
        old=("            rstd += eps\n            rstd **= -0.5\n"),
        new=("            rstd **= 0.5\n            rstd += eps\n            rstd **= -1.0\n"),
    ),
    bug(
        name="epsilon-forgotten",
        title="Epsilon is missing",
        why="Where all elements are equal the variance is 0, and the division gives 0 / 0.",
        right="s = np.sqrt(var + eps)",
        wrong="s = np.sqrt(var)",
        shows="Slightly too large everywhere; NaN for a constant row.",
        look="Test with a row of equal numbers, and with a large eps.",
        file="minilm/backend/cpu.py",
        old=("            rstd += eps\n"),
        new="",
    ),
    bug(
        name="std-for-variance",
        title="The standard deviation and the variance are confused",
        why=(
            "Dividing by the variance instead of its root (or taking the root twice) does not bring the deviation to 1."
        ),
        right="x_hat = (x - mean) / np.sqrt(var + eps)",
        wrong="x_hat = (x - mean) / (var + eps)",
        shows="Right only where the variance is 1; otherwise each row has the deviation 1/std instead of 1.",
        look="Multiply the input by 10: a normalized result does not change.",
        file="minilm/backend/cpu.py",
        old=("            rstd **= -0.5\n"),
        new=("            rstd **= -1.0\n"),
    ),
    bug(
        name="unbiased-variance",
        title="The normalization uses the unbiased variance",
        why=(
            "LayerNorm and BatchNorm divide by n in the variance they normalize with. Here it was divided by n "
            "- 1 (ddof=1, or torch.var's default)."
        ),
        right="var = ((x - mean) ** 2).mean(axis=-1, keepdims=True)",
        wrong="var = x.var(axis=-1, keepdims=True, ddof=1)",
        shows="All values are too small by the factor sqrt((n - 1) / n).",
        look="For the row [0, 2] the result is [-1, 1] (up to epsilon).",
        file="minilm/backend/cpu.py",
        old=("            xp.multiply(self.sum_last(y * y), 1.0 / n, out=rstd)\n"),
        new=("            xp.multiply(self.sum_last(y * y), 1.0 / (n - 1), out=rstd)\n"),
    ),
    bug(
        name="norm-over-the-batch",
        title="Normalized over the batch where each row is meant",
        why=(
            "LayerNorm takes mean and variance over the features of one example. Here they were taken over the "
            "batch, as in BatchNorm, and the examples influence each other."
        ),
        right="x.mean(axis=-1, keepdims=True)",
        wrong="x.mean(axis=0, keepdims=True)",
        shows="The columns have mean 0, not the rows; a batch of one gives all zeros.",
        look="Normalize one row alone and in a batch: the result must be the same.",
    ),
    bug(
        name="rms-with-mean-subtracted",
        title="RMSNorm subtracts the mean",
        why=(
            "RMSNorm divides by the root of the mean square and leaves the mean where it is. Subtracting it "
            "makes it a LayerNorm."
        ),
        right="x / np.sqrt((x**2).mean(-1, keepdims=True) + eps)",
        wrong="c / np.sqrt((c**2).mean(-1, keepdims=True) + eps)  # c = x - mean",
        shows="Right for rows of mean 0; a constant row gives 0 where it should give 1 or -1.",
        look="Test with a row of equal numbers.",
        file="minilm/backend/cpu.py",
        old="return self.scale_and_shift(x * rrms, weight, None), rrms",
        new="return self.scale_and_shift((x - x.mean(axis=-1, keepdims=True)) * rrms, weight, None), rrms",
    ),
    bug(
        name="running-statistics-in-training",
        title="BatchNorm uses the running statistics in training, or the batch's in prediction",
        why=(
            "In training it normalizes with the mean and variance of the batch (and updates the running ones); "
            "in prediction with the running ones. Here they are exchanged."
        ),
        right="mean = batch_mean if training else running_mean",
        wrong="mean = running_mean",
        shows=(
            "In training the columns do not have mean 0; in prediction an example's result depends on which "
            "others are in the batch."
        ),
        look="Predict one example alone and in a batch: the result must be the same.",
        file="minilm/nn/norm.py",
        old=("            mean, var = self.running_mean, self.running_var\n"),
        new=('            mean, var = REGISTRY["batch_statistics"](x)\n'),
    ),
    bug(
        name="weight-before-the-norm",
        title="The weight is applied before the normalization",
        why=(
            "The learned weight and bias act on the normalized values. Applied before, a common factor and "
            "offset are normalized away again."
        ),
        right="y = normalize(x) * w + b",
        wrong="y = normalize(x * w + b)",
        shows="The result has mean 0 and deviation 1 whatever the weight is.",
        look="Set w = 2, b = 1: the result must have mean 1 and deviation 2.",
    ),
    bug(
        name="dropout-not-rescaled",
        title="Dropout without dividing by 1 - p",
        why=(
            "With a share p of the elements set to 0 the expected value falls to 1 - p of what it was. Dividing"
            " what is kept by 1 - p keeps the mean."
        ),
        right="y = x * keep / (1 - p)",
        wrong="y = x * keep",
        shows="What is kept is too small by the factor 1 - p; predictions without dropout are too large.",
        look="Take x = 1 everywhere and many elements: the mean of y must be near 1.",
        file="minilm/backend/cpu.py",
        old=("        mask *= 1.0 / (1.0 - p)\n"),
        new="",
    ),
    bug(
        name="dropout-rescaled-by-p",
        title="Dropout divides by p",
        why=(
            "p is the share that is dropped, and 1 - p the share that is kept; what is kept is divided by the latter."
        ),
        right="y = x * keep / (1 - p)",
        wrong="y = x * keep / p",
        shows="Right for p = 0.5 only; too large for smaller p, a division by 0 for p = 0.",
        look="Test with p = 0.1: kept elements are multiplied by 1.111.",
        file="minilm/backend/cpu.py",
        old="mask *= 1.0 / (1.0 - p)",
        new="mask *= 1.0 / p",
    ),
    bug(
        name="dropout-in-evaluation",
        title="Dropout goes on when predicting",
        why="Dropout is a disturbance of training. A prediction uses all elements.",
        right="y = dropout(x, p) if training else x",
        wrong="y = dropout(x, p)",
        shows="Two predictions of the same input differ; the validation loss is worse than it should be.",
        look="Predict twice and compare.",
        file="minilm/nn/dropout.py",
        old="return F.dropout(x, self.p, self.training)",
        new="return F.dropout(x, self.p)",
    ),
    bug(
        name="dropout-mask-drawn-again-in-backward",
        title="The backward pass draws a new dropout mask",
        why=("The gradient passes where the element was kept in the forward pass. A second draw keeps other elements."),
        right="x_bar = y_bar * keep / (1 - p)",
        wrong="x_bar = y_bar * (rng.random(x.shape) >= p) / (1 - p)",
        shows="Gradients at elements that were dropped, and zeros at elements that were kept.",
        look="x_bar must be 0 exactly where y was dropped.",
        file="minilm/ops/random.py",
        old=("        return g * aux\n"),
        new=(
            "        from minilm.backend import cpu\n"
            "\n"
            "        return g * cpu.dropout_mask(aux.shape, p, key ^ 1, aux.dtype)\n"
        ),
    ),
    bug(
        name="dropout-keeps-the-share-p",
        title="The share p is kept, and not dropped",
        why="p is the share that is set to 0, so an element is kept where its number is at least p.",
        right="rng.random(x.shape) >= p",
        wrong="rng.random(x.shape) >= 1 - p",
        shows="Right for p = 0.5 on average; else too many or too few are dropped.",
        look="p = 0: nothing may be dropped.",
    ),
)
