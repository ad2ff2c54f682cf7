"""Bugs in softmax, cross-entropy and perplexity."""

from __future__ import annotations

from functools import partial

from minilm.exercises.bugs.record import Bug

bug = partial(Bug, family="softmax and losses")

BUGS = (
    bug(
        name="softmax-not-stable",
        title="softmax without subtracting the maximum",
        why=(
            "exp overflows above 709 in float64 (88 in float32), and infinity divided by infinity is NaN. "
            "Subtracting the maximum changes no probability and keeps every exponent at 0 or below."
        ),
        right="e = np.exp(z - z.max(axis=-1, keepdims=True))",
        wrong="e = np.exp(z)",
        shows="Right for small logits; NaN and a warning of overflow for logits such as 1000.",
        look="Test with z + 1000: softmax must give the same as for z.",
        file="minilm/backend/cpu.py",
        old="y = self.xp.subtract(x, self.max_axis(x, axis), out=out)",
        new="y = self.xp.subtract(x, 0.0, out=out)",
    ),
    bug(
        name="softmax-over-wrong-axis",
        title="softmax over the wrong axis",
        why=(
            "The probabilities of one example must sum to 1. Here they sum to 1 over the batch (or over another axis)."
        ),
        right="e / e.sum(axis=-1, keepdims=True)",
        wrong="e / e.sum(axis=0, keepdims=True)",
        shows="Rows do not sum to 1, columns do; for a single row every probability is 1.",
        look="Print p.sum(axis=-1): it must be all ones.",
        file="minilm/backend/cpu.py",
        old="y /= self.xp.maximum(self.sum_axis(y, axis), 1.0)",
        new="y /= self.xp.maximum(self.sum_axis(y, 0), 1.0)",
    ),
    bug(
        name="softmax-of-softmax",
        title="softmax is applied twice",
        why=(
            "The loss contains the softmax already, and gets probabilities where it expects logits. A second "
            "softmax makes the distribution almost even."
        ),
        right="loss = cross_entropy(logits, targets)",
        wrong="loss = cross_entropy(softmax(logits), targets)",
        shows="The loss falls slowly and stays above a bound; with 2 classes no probability exceeds 0.73.",
        look="Which of the two gives probabilities, the model or the loss? Only one may.",
    ),
    bug(
        name="log-of-softmax-not-stable",
        title="log(softmax(z)) computed in two steps",
        why=(
            "A probability that underflows to 0 has the logarithm minus infinity. log softmax = z - max - "
            "log(sum(exp(z - max))) never takes the logarithm of 0."
        ),
        right="z - top - np.log(np.exp(z - top).sum(axis=-1, keepdims=True))",
        wrong="np.log(softmax(z))",
        shows="Right for small logits; minus infinity where one logit lies some hundreds below the largest.",
        look="Test with z = [0, 1000]: the result is [-1000, 0].",
        file="minilm/backend/cpu.py",
        old=("        y -= self.xp.log(self.xp.maximum(self.sum_axis(self.xp.exp(y), axis), 1.0))\n        return y\n"),
        new=("        return self.xp.log(self.softmax(x, axis))\n"),
    ),
    bug(
        name="softmax-backward-diagonal-only",
        title="softmax's backward pass uses the diagonal of the Jacobian only",
        why="Every probability depends on every logit: dp_i/dz_j = p_i (1[i = j] - p_j). Here only i = j is used.",
        right="z_bar = p * (p_bar - (p_bar * p).sum(axis=-1, keepdims=True))",
        wrong="z_bar = p_bar * p * (1 - p)",
        shows=(
            "The gradient does not sum to 0 over the classes, as the right one does; a class whose p_bar is 0 "
            "gets no gradient at all."
        ),
        look="Print z_bar.sum(axis=-1): adding one number to all logits changes nothing, so it must be 0.",
        file="minilm/backend/cpu.py",
        old=("dx = g - self.sum_axis(g * y, axis)\n"),
        new=("dx = g * (1.0 - y)\n"),
    ),
    bug(
        name="softmax-backward-sign",
        title="A wrong sign in softmax's backward pass",
        why=(
            "z_bar = p * (p_bar - sum(p_bar * p)): the sum is subtracted. Here it was added, or the whole turned round."
        ),
        right="z_bar = p * (p_bar - (p_bar * p).sum(axis=-1, keepdims=True))",
        wrong="z_bar = p * (p_bar + (p_bar * p).sum(axis=-1, keepdims=True))",
        shows="Summed over the classes the gradient is not 0 (or it is the right one times -1).",
        look="Take p_bar = [1, 1, 1]: the result must be 0.",
        file="minilm/backend/cpu.py",
        old=("dx = g - self.sum_axis(g * y, axis)\n"),
        new=("dx = g + self.sum_axis(g * y, axis)\n"),
    ),
    bug(
        name="cross-entropy-sign",
        title="The cross-entropy without its minus sign",
        why=(
            "log p is negative or 0, so the loss -log p is positive or 0. Without the minus, descent makes the "
            "right class less likely."
        ),
        right="loss = -np.log(p[target])",
        wrong="loss = np.log(p[target])",
        shows="A negative loss that runs to minus infinity; the accuracy falls.",
        look="A perfect prediction has loss 0, every other one a loss above 0.",
        file="minilm/backend/reference.py",
        old="loss = share * (log_total - xp.where(",
        new="loss = -share * (log_total - xp.where(",
    ),
    bug(
        name="cross-entropy-log-base-two",
        title="Bits where nats are meant",
        why="The cross-entropy uses the natural logarithm; log2 gives it in bits.",
        right="loss = -np.log(p[target])",
        wrong="loss = -np.log2(p[target])",
        shows="Everything is 1 / ln 2 = 1.4427 times too large.",
        look="For p = 0.5 the loss is 0.6931, not 1.",
    ),
    bug(
        name="gradient-not-divided-by-batch",
        title="The gradient of a mean loss without the 1/N",
        why=(
            "The loss is the mean over N examples, so each example's gradient carries the factor 1/N. Here it "
            "is missing."
        ),
        right="z_bar = (p - one_hot) / N",
        wrong="z_bar = p - one_hot",
        shows="Too large by exactly the batch size; training behaves as with N times the learning rate.",
        look="Repeat the batch once: the gradient of the weights may not change.",
        file="minilm/ops/loss.py",
        old="g = xp.where(count == 0, 0.0, g / (count + (count == 0)))",
        new="g = xp.where(count == 0, 0.0, g)",
    ),
    bug(
        name="probabilities-for-logits",
        title="Probabilities are taken where logits are expected, or the other way round",
        why=(
            "Logits are any real numbers, probabilities lie between 0 and 1 and sum to 1. The formula was given"
            " the wrong one of the two."
        ),
        right="z_bar = softmax(logits) - one_hot",
        wrong="z_bar = logits - one_hot",
        shows="The gradient does not sum to 0 over the classes; or the logarithm of a negative number is taken.",
        look="Print the sums over the classes of what you pass on: all ones means probabilities.",
    ),
    bug(
        name="sigmoid-overflows",
        title="sigmoid overflows for large negative inputs",
        why=(
            "1 / (1 + exp(-z)) takes exp of a large number when z is far below 0. Compute exp(-|z|) and choose "
            "the form by the sign of z."
        ),
        right="e = np.exp(-abs(z)); y = np.where(z >= 0, 1, e) / (1 + e)",
        wrong="y = 1 / (1 + np.exp(-z))",
        shows=(
            "The values are right, a warning of overflow appears below z = -709 (float64) or -88 (float32), and"
            " what is built on exp(-z) becomes infinite."
        ),
        look="Test with z = -1000 and z = 1000, with warnings shown.",
        file="minilm/backend/cpu.py",
        old="return xp.exp(xp.minimum(x, 0)) / (1.0 + xp.exp(-xp.abs(x)))",
        new="return 1.0 / (1.0 + xp.exp(-x))",
    ),
    bug(
        name="target-not-subtracted",
        title="The target is not subtracted in p - y",
        why=(
            "The gradient of the cross-entropy with respect to the logits is p - y, where y is 1 at the target."
            " Here it is p alone."
        ),
        right="p[np.arange(N), targets] -= 1",
        wrong="pass",
        shows=(
            "Every element of the gradient is positive: all logits are pushed down. Only the targets' elements "
            "are wrong, each by 1 (before the division by N)."
        ),
        look="Print z_bar.sum(axis=-1): it must be 0, here it is 1 (or 1/N).",
        file="minilm/backend/cpu.py",
        old=("        dx[xp.arange(x.shape[0]), safe] -= hit\n"),
        new="",
    ),
    bug(
        name="epsilon-in-the-log",
        title="A small number added inside the logarithm",
        why=(
            "log(p + eps) is not log p: it hides a probability of 0 and biases all others. Computed from the "
            "logits, log p needs no eps."
        ),
        right="loss = logsumexp(z) - z[target]",
        wrong="loss = -np.log(p[target] + 1e-8)",
        shows="Losses are a little too small, and never exceed -log(eps): 18.4 for 1e-8.",
        look="Compare for a very unlikely target: z = [0, 100], target 0, has the loss 100.",
    ),
    bug(
        name="perplexity-without-exp",
        title="The perplexity is the mean loss itself, without exp",
        why=(
            "The perplexity is exp of the mean negative log-likelihood (in nats). Here the exponential is "
            "missing, or taken before the mean."
        ),
        right="np.exp(losses.mean())",
        wrong="losses.mean()",
        shows="An even guess among V tokens must have perplexity V; here it is log V (or a mean of perplexities).",
        look="Test with p = 1/4 everywhere: the perplexity is 4.",
    ),
    bug(
        name="ignored-targets-counted",
        title="Targets that are to be ignored are counted",
        why=(
            "Padded targets (such as -100 or a mask of 0) take no part in the loss: neither in the sum nor in "
            "the count it is divided by."
        ),
        right="losses[kept].sum() / kept.sum()",
        wrong="(losses * kept).sum() / len(losses)",
        shows="The loss gets smaller the more padding there is.",
        look="Append ignored targets to a batch: loss and gradient may not change.",
        file="minilm/backend/reference.py",
        old=("return counts, safe, counts.astype(dtype)\n"),
        new=("return counts, safe, self.xp.ones(counts.shape, dtype)\n"),
    ),
    bug(
        name="maximum-of-the-whole-array",
        title="softmax subtracts one maximum for the whole array",
        why=(
            "The maximum of the whole array may lie far above a row's own. All exponentials of such a row "
            "underflow to 0, and 0 divided by 0 is NaN."
        ),
        right="z - z.max(axis=-1, keepdims=True)",
        wrong="z - z.max()",
        shows="Right where the rows are alike; NaN in a row that lies some hundreds below another.",
        look="Test with the rows [0, 1] and [1000, 1001]: both have the same probabilities.",
        file="minilm/backend/cpu.py",
        old="y = self.xp.subtract(x, self.max_axis(x, axis), out=out)",
        new="y = self.xp.subtract(x, x.max(initial=0.0), out=out)",
    ),
    bug(
        name="power-of-two-for-exp",
        title="2**x where exp(x) is meant",
        why=(
            "Powers of 2 also give positive numbers that sum to 1 after division, but they are the "
            "probabilities of the logits times ln 2 = 0.693."
        ),
        right="e = np.exp(z)",
        wrong="e = 2.0**z",
        shows="The distribution is flatter than it should be; the order of the classes is right.",
        look="For z = [0, 1] the ratio of the two probabilities is e = 2.718.",
    ),
    bug(
        name="epsilon-in-the-denominator",
        title="A small number added to a sum that cannot be 0",
        why=(
            "After subtracting the maximum the sum of exponentials is at least 1. Adding eps makes the shares "
            "sum to less than 1."
        ),
        right="e / e.sum(axis=-1, keepdims=True)",
        wrong="e / (e.sum(axis=-1, keepdims=True) + 1e-6)",
        shows="All values too small by the same tiny factor.",
        look="Print the sums of the rows with all their digits.",
    ),
    bug(
        name="clip-in-the-log",
        title="Probabilities are clipped before the logarithm",
        why=(
            "np.clip(p, eps, 1 - eps) hides log(0), but every loss above -log(eps) becomes the same number, "
            "and tiny losses lose their digits."
        ),
        right="log_p = z - lse(z)",
        wrong="np.log(np.clip(p, 1e-12, 1))",
        shows="Right for moderate logits; the loss of a very wrong answer stops at 27.6 (1e-12) or 16.1 (1e-7).",
        look="Compute the logarithm of the probability from the logits, without the probability.",
    ),
    bug(
        name="gradient-divided-by-all",
        title="The loss is a mean over some rows, its gradient over all",
        why="Loss and gradient belong together: both are divided by the number of rows that count.",
        right="loss / counted, g / counted",
        wrong="loss / counted, g / N",
        shows="The loss is right; the gradient is too small as soon as a row is ignored.",
        look="A numeric gradient on a batch with one ignored row.",
    ),
)
