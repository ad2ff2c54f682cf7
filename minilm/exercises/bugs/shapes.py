"""Bugs in shapes: axes, order of elements, windows."""

from __future__ import annotations

from functools import partial

from minilm.exercises.bugs.record import Bug

bug = partial(Bug, family="shapes")

BUGS = (
    bug(
        name="reshape-for-transpose",
        title="reshape where the axes must be swapped",
        why=(
            "reshape keeps the elements in their order in memory and cuts them anew; transpose moves them. The "
            "shape is right, the elements stand in wrong places."
        ),
        right="x.T",
        wrong="x.reshape(n, m)",
        shows="Right shape, the same numbers, another order.",
        look=(
            "Try [[1, 2, 3], [4, 5, 6]]: the transpose is [[1, 4], [2, 5], [3, 6]], the reshape [[1, 2], [3, "
            "4], [5, 6]]."
        ),
        file="minilm/ops/linalg.py",
        old="y = dev.matmul(x, weight.T)",
        new="y = dev.matmul(x, weight.reshape(*weight.shape[::-1]))",
    ),
    bug(
        name="transposed-result",
        title="The result is transposed",
        why="Rows and columns are exchanged: the indices were written in the other order.",
        right="scores[i, j]  # query i, key j",
        wrong="scores[j, i]",
        shows="Shape (m, n) instead of (n, m); for a square result the same shape, mirrored at the diagonal.",
        look="Test with sizes that differ, and say which index is the row.",
    ),
    bug(
        name="heads-merged-without-transpose",
        title="Heads are joined without bringing the positions to the front",
        why=(
            "The array (B, h, T, d) must become (B, T, h, d) before h and d are joined. Without the swap, a "
            "position's row holds pieces of other positions."
        ),
        right="y.swapaxes(1, 2).reshape(B, T, h * d)",
        wrong="y.reshape(B, T, h * d)",
        shows="Right shape, mixed contents; right for one head or one position.",
        look="Fill y[:, :, t] with the number t: after merging, row t must hold only t.",
        file="minilm/nn/attention.py",
        old="y.swapaxes(1, 2).reshape(query.shape)",
        new="y.reshape(query.shape)",
    ),
    bug(
        name="heads-split-by-reshape-only",
        title="Heads are cut out of the sequence, not out of the width",
        why=(
            "(B, T, n) must first become (B, T, h, d) and then (B, h, T, d). A reshape straight to (B, h, T, d)"
            " gives each head some of the positions instead of a part of each."
        ),
        right="x.reshape(B, T, h, d).swapaxes(1, 2)",
        wrong="x.reshape(B, h, T, d)",
        shows="Right shape, mixed contents; right for one head.",
        look="Fill x[:, t] with the number t: every head must then hold 0, 1, ..., T - 1 along its positions.",
        file="minilm/nn/attention.py",
        old="return x.reshape(batch, length, self.num_heads, width // self.num_heads).swapaxes(1, 2)",
        new="return x.reshape(batch, self.num_heads, length, width // self.num_heads)",
    ),
    bug(
        name="off-by-one-shift",
        title="Everything is shifted by one place",
        why="An index begins or ends one place too early or too late.",
        right="y[t] = x[t - 1]",
        wrong="y[t] = x[t]",
        shows=("The right numbers stand one place to the left or right; the first or last one is missing or repeated."),
        look="Write down the first and the last element by hand.",
        file="minilm/ops/shape.py",
        old="slice(end - n, end)",
        new="slice(end - n + (end > n), end + (end > n))",
    ),
    bug(
        name="flattened-in-wrong-order",
        title="Flattened in another order of axes",
        why=(
            "A flat index is row * width + column (the last axis runs fastest). Here the axes were joined in "
            "another order."
        ),
        right="x.reshape(N, -1)",
        wrong="x.T.reshape(N, -1)",
        shows=("The same numbers in another order; a weight that was learned for one order is useless for the other."),
        look="Number the elements 0, 1, 2, ... and read them off after flattening.",
    ),
    bug(
        name="batch-axis-lost",
        title="The batch's axis got lost",
        why="One example was handled where a batch came in, or a sum or index removed the first axis.",
        right="x.mean(axis=-1)  # (N,)",
        wrong="x.mean()  # ()",
        shows="The result has an axis too few, or all examples get the same value.",
        look="Give it a batch of 2 with different examples, and look whether both results are there.",
    ),
    bug(
        name="works-for-square-only",
        title="Right for square arrays only",
        why=(
            "Two sizes were confused that are equal in the first example. With other sizes it fails or gives "
            "wrong numbers."
        ),
        right="np.zeros((m, n))",
        wrong="np.zeros((n, n))",
        shows="The tests with equal sizes pass, those with different ones do not.",
        look="Run it with sizes 2, 3 and 5, no two of them equal.",
    ),
    bug(
        name="broadcast-by-accident",
        title="(n, 1) against (n,) becomes (n, n)",
        why=(
            "Broadcasting pairs every element of one with every element of the other. A difference of two "
            "vectors of n numbers became a table of n * n."
        ),
        right="predictions[:, 0] - targets  # (n,) - (n,)",
        wrong="predictions - targets  # (n, 1) - (n,)",
        shows="No error; the mean over the table is a wrong loss, and the model learns the mean of the targets.",
        look="Print the shape of the difference before the mean is taken.",
    ),
    bug(
        name="convolution-flipped",
        title="The kernel is flipped",
        why=(
            'Deep learning\'s "convolution" is a cross-correlation: y[i] = sum of x[i + k] * w[k]. The signal-'
            "processing convolution turns the kernel round."
        ),
        right="y[i] = (x[i : i + k] * w).sum()",
        wrong="y[i] = (x[i : i + k] * w[::-1]).sum()",
        shows="Right for symmetric kernels, otherwise the result of the mirrored kernel.",
        look="Use the kernel [1, 0]: it must give the left neighbor of each pair.",
        file="minilm/ops/conv.py",
        old="        return correlate(dev, x, weight.reshape(",
        new="        return correlate(dev, x, weight[:, :, ::-1, ::-1].reshape(",
    ),
    bug(
        name="padding-forgotten",
        title="The padding is left out",
        why=(
            "With padding p the input has p more places on each side. Without it the result is shorter, and the"
            " borders are missing."
        ),
        right="x = np.pad(x, p)",
        wrong="x = x",
        shows="The output is smaller than (n + 2 p - k) / s + 1.",
        look="Compute the output's size with the formula and compare.",
        file="minilm/nn/conv.py",
        old="(n - 1) * s - 2 * p + d * (k - 1) + 1",
        new="(n - 1) * s + d * (k - 1) + 1",
    ),
    bug(
        name="stride-ignored",
        title="The stride is not used",
        why="The window must move s places from one output to the next. Here it moves 1.",
        right="start = i * stride",
        wrong="start = i",
        shows="The first output is right, the second is that of the neighboring window.",
        look="With stride 2 the second output belongs to the window that begins at place 2.",
        file="minilm/ops/conv.py",
        old="row * sh, column * sw)",
        new="row, column)",
    ),
    bug(
        name="im2col-overwrites-overlaps",
        title="Overlapping windows overwrite each other's gradient",
        why=(
            "An input element that lies in several windows gets a gradient from each, and they add up. Here "
            "each window sets its part, and the last one wins."
        ),
        right="x_bar[i : i + k] += window_bar",
        wrong="x_bar[i : i + k] = window_bar",
        shows="Right where windows do not overlap (stride >= kernel); elsewhere too small.",
        look="Set all windows' gradients to 1: each element must get the number of windows it lies in.",
        file="minilm/ops/conv.py",
        old=("            frame[tap] += part\n"),
        new=("            frame[tap] = part\n"),
    ),
    bug(
        name="channels-not-summed",
        title="The channels are not summed",
        why=(
            "A filter reaches over all input channels, and its output is the sum over channels and places. Here"
            " the channels were kept apart, or only the first counts."
        ),
        right="(window * w).sum()  # over channels and places",
        wrong="(window * w)[0].sum()",
        shows="Right for one channel.",
        look="Give two channels, the second filled with ones: the output must change by the sum of its weights.",
    ),
    bug(
        name="weight-not-transposed",
        title="The weight is not transposed",
        why=(
            "Weights are stored (out, in), so a row x goes through a layer as x @ W.T. For square matrices x "
            "@ W has the right shape too."
        ),
        right="x @ W.T",
        wrong="x @ W",
        shows="For square weights wrong values in the right shape; for others an error.",
        look="Try a weight that is not square, or not symmetric.",
    ),
    bug(
        name="bias-not-added",
        title="The bias is not added",
        why="A layer computes W x + b. Here the bias takes no part in the result.",
        right="x @ W.T + b",
        wrong="x @ W.T",
        shows="Right while all biases are 0, as they are at first.",
        look="Change b: does the output change?",
    ),
)
