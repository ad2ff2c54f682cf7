"""Bugs in floating point, integers and the count of bytes."""

from __future__ import annotations

from functools import partial

from minilm.exercises.bugs.record import Bug

bug = partial(Bug, family="numbers")

BUGS = (
    bug(
        name="float64-from-float32",
        title="float64 comes out of a float32 computation",
        why=(
            "Somewhere a float64 array or a NumPy scalar of float64 took part, and the result was promoted. It "
            "needs twice the memory, and in a network all that follows is float64, too."
        ),
        right="x * 2.0  # a Python number keeps x's dtype",
        wrong="x * np.float64(2.0)",
        shows="The values are right, the dtype is not the input's.",
        look=(
            "Print the dtype after each line; np.zeros, np.array([...]) and rng.normal give float64 unless told"
            " otherwise."
        ),
        file="minilm/ops/arithmetic.py",
        old="return g / (y * 2.0)",
        new="return g / (y * np.float64(2.0))",
    ),
    bug(
        name="integer-division",
        title="// or integers where a fraction is meant",
        why="// rounds down, and an integer array cannot hold a fraction: what is stored in it is cut off.",
        right="mean = total / n",
        wrong="mean = total // n",
        shows="Right for whole quotients, otherwise too small by less than 1; averages come out as whole numbers.",
        look="Test with 1 and 2: the mean is 1.5.",
    ),
    bug(
        name="integer-overflow",
        title="An integer type is too small",
        why="int8 holds -128 to 127, int32 about 2.1e9. NumPy wraps around silently in arrays.",
        right="counts = np.zeros(n, np.int64)",
        wrong="counts = np.zeros(n, np.int8)",
        shows="Right for small numbers; negative numbers where a count grew large.",
        look="Print the dtype, and test with 200.",
        file="minilm/backend/reference.py",
        old='return dtype if dtype.kind == "f" or dtype == np.uint64 else np.dtype(np.int64)',
        new="return dtype",
    ),
    bug(
        name="overflow-in-exp",
        title="exp of a large number",
        why=(
            "exp overflows to infinity above 709 (float64) or 88 (float32). A form that takes exp of negative "
            "numbers only is always possible here."
        ),
        right="top + np.log(np.exp(x - top).sum())",
        wrong="np.log(np.exp(x).sum())",
        shows="Right for small inputs; infinity or NaN and a warning for large ones.",
        look="Add 1000 to all inputs, and look for the first value that is not finite.",
        file="minilm/ops/reduce.py",
        old=(
            "base = xp.where(xp.isfinite(top), top, 0)  # infinity minus infinity is not a number\n"
            "        total = dev.sum(xp.exp(xp.minimum(x - base, 0)), axis, True)\n"
            "        y = top + xp.log(xp.where(total == 0, 1, total))"
        ),
        new=("total = dev.sum(xp.exp(x), axis, True)\n        y = xp.log(total)"),
    ),
    bug(
        name="cancellation",
        title="Two large numbers that are nearly equal are subtracted",
        why=(
            "The leading digits cancel, and what remains is rounding error. The mean of squares less the "
            "squared mean is the classic case."
        ),
        right="((x - x.mean()) ** 2).mean()",
        wrong="(x**2).mean() - x.mean() ** 2",
        shows="Right for small numbers; far off, or negative, for numbers with a large common part.",
        look="Add 1e8 to all values: a variance does not change.",
        file="minilm/ops/reduce.py",
        old=("        return over(dev.sum(d * d, axis, keepdims), n - correction)\n"),
        new=(
            "        m = over(dev.sum(x, axis, keepdims), n)\n"
            "        return over(dev.sum(x * x, axis, keepdims) - m * m * n, n - correction)\n"
        ),
    ),
    bug(
        name="equality-of-floats",
        title="== between computed floats",
        why=("Two ways to the same number differ in the last digits: 0.1 + 0.2 is not 0.3. Compare with a tolerance."),
        right="np.allclose(a, b)",
        wrong="(a == b).all()",
        shows="The comparison fails though the values agree to 15 digits, or a loop never meets its end.",
        look="Print the difference.",
    ),
    bug(
        name="nan-hidden",
        title="NaN is passed over",
        why=(
            'Every comparison with NaN is False, so a check such as "if error > limit" lets it pass. Functions '
            "like nanmean hide it."
        ),
        right="assert abs(a - b) <= limit",
        wrong="assert not abs(a - b) > limit",
        shows="A test passes although the result is NaN.",
        look="Put a NaN in: the check must fail.",
        file="minilm/gradcheck.py",
        old=("    wrong = ~(np.abs(analytic - numeric) <= atol + rtol * np.abs(numeric))\n"),
        new=("    wrong = np.abs(analytic - numeric) > atol + rtol * np.abs(numeric)\n"),
    ),
    bug(
        name="random-seed-global",
        title="The global seed is set inside a function",
        why=(
            "np.random.seed inside a function makes each call draw the same, and changes the draws of everyone "
            "else. A generator of one's own does neither."
        ),
        right="rng = np.random.default_rng(seed)",
        wrong="np.random.seed(seed)",
        shows="Other parts of the program draw the same numbers again and again.",
        look="Search for np.random.seed.",
    ),
    bug(
        name="log-of-zero",
        title="The logarithm of 0",
        why="log 0 is minus infinity, and 0 * log 0 is NaN, where the limit of p log p is 0.",
        right="np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0)",
        wrong="p * np.log(p)",
        shows="NaN as soon as one probability is 0.",
        look="Test with p = [1, 0]: the entropy is 0.",
    ),
    bug(
        name="bytes-per-parameter-forgotten",
        title="The number of parameters is taken for bytes",
        why="A float32 parameter takes 4 bytes, one of float16 or bfloat16 takes 2.",
        right="memory = 4 * parameters",
        wrong="memory = parameters",
        shows="Too small by the factor 4 (or 2).",
        look="Write the unit behind every number.",
    ),
    bug(
        name="bits-for-bytes",
        title="Bits and bytes are confused",
        why="A byte has 8 bits: float32 is 32 bits or 4 bytes.",
        right="memory = parameters * bits / 8",
        wrong="memory = parameters * bits",
        shows="Off by exactly 8.",
        look="Write the unit behind every number.",
    ),
    bug(
        name="optimizer-state-forgotten",
        title="The optimizer's averages are left out of the memory",
        why=(
            "Adam keeps two numbers per parameter. Together with parameter and gradient these are 4 per "
            "parameter: 16 bytes in float32."
        ),
        right="4 * (1 + 1 + 2) * parameters",
        wrong="4 * (1 + 1) * parameters",
        shows="8 instead of 16 bytes per parameter.",
        look="List all that is kept per parameter: itself, its gradient, m and v.",
    ),
    bug(
        name="activations-forgotten",
        title="The activations are left out of the memory",
        why=(
            "What the backward pass needs is kept during the forward pass, and grows with batch and length. It "
            "is often more than the parameters."
        ),
        right="parameters + gradients + averages + activations",
        wrong="parameters + gradients + averages",
        shows="The estimate does not depend on the batch size; the measured memory does.",
        look="Double the batch: what must grow?",
    ),
    bug(
        name="gradients-forgotten",
        title="The gradients are left out of the memory",
        why="Each parameter has a gradient of the same size.",
        right="4 * (1 + 1 + 2) * parameters",
        wrong="4 * (1 + 2) * parameters",
        shows="12 instead of 16 bytes per parameter (Adam, float32).",
        look="List all that is kept per parameter: itself, its gradient, m and v.",
    ),
    bug(
        name="nats-for-bits",
        title="Nats where bits are asked",
        why="The natural logarithm measures in nats, the one to base 2 in bits. A nat is 1 / ln 2 = 1.4427 bits.",
        right="bits = loss / np.log(2)",
        wrong="bits = loss",
        shows="All values are 0.693 times what they should be.",
        look="An event of probability 1/2 costs 1 bit.",
    ),
    bug(
        name="ratio-inverted",
        title="A ratio the wrong way round",
        why=("The two quantities of a ratio have changed places: characters per token, and not tokens per character."),
        right="bits * tokens / characters",
        wrong="bits * characters / tokens",
        shows="Right where both are equal; else off by the square of the ratio.",
        look="Write the units of both sides: they must cancel to what is asked.",
    ),
    bug(
        name="root-forgotten",
        title="A square is returned where its root is asked",
        why="The norm is the root of the sum of squares, as the standard deviation is the root of the variance.",
        right="np.sqrt((g**2).sum())",
        wrong="(g**2).sum()",
        shows="Right for 0 and 1, too small below 1, too large above.",
        look="A vector (3, 4) has the norm 5.",
    ),
    bug(
        name="where-computes-both",
        title="np.where is taken for an if",
        why=(
            "np.where(c, a, b) computes a and b for every element and only then chooses. What overflows in "
            "the unused branch overflows still."
        ),
        right="e = np.exp(-np.abs(z)); np.where(z >= 0, 1, e) / (1 + e)",
        wrong="np.where(z >= 0, 1 / (1 + np.exp(-z)), np.exp(z) / (1 + np.exp(z)))",
        shows="Right values with RuntimeWarning: overflow, or an error where warnings are errors; nan in gradients.",
        look="Which branch is harmless for every element? Make the argument safe before the function is called.",
    ),
    bug(
        name="bias-not-counted",
        title="The biases are left out of the count",
        why="A linear layer from n to m has n m weights and m biases.",
        right="n * m + m",
        wrong="n * m",
        shows="Too few parameters, by the sum of the layers' widths.",
        look="A layer from 1 to 1 has two parameters.",
    ),
    bug(
        name="tied-weights-counted-twice",
        title="A matrix that is used twice is counted twice",
        why="With tied weights the output layer is the table of embeddings: one array, one set of parameters.",
        right="vocabulary * d",
        wrong="2 * vocabulary * d",
        shows="Too many parameters, by vocabulary times width.",
        look="Count arrays, not layers.",
    ),
    bug(
        name="position-table-forgotten",
        title="The table of positions is left out of the count",
        why="Learned positions are parameters, a row of the width for each place of the context.",
        right="(vocabulary + positions) * d",
        wrong="vocabulary * d",
        shows="Too few parameters, by context times width.",
        look="Which tables does the input pass through?",
    ),
)
