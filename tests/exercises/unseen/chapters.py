"""Wrong answers to the book's own exercises. Those that a task knows are not among them."""

from __future__ import annotations

from itertools import chain

from minilm.exercises import tasks
from minilm.exercises.task import Task, with_bug
from tests.exercises.unseen import Unseen

Entry = tuple[str, str, tuple[str, ...], "str | tuple[tuple[str, str], ...]"]
SUM = ("sum-for-mean", "gradient-not-divided-by-batch", "divisor forgotten")
AXIS = ("wrong-axis", "softmax-over-wrong-axis", "norm-over-the-batch")

ENTRIES: tuple[Entry, ...] = (
    ("1.2", "surprise, not perplexity", ("perplexity-without-exp", "exponent forgotten"),
     (("float(np.exp(-np.mean(np.log(p))))", "float(-np.mean(np.log(p)))"),)),
    ("1.2", "the two exchanged", ("returned in another order",),
     (("return perplexity(forward), perplexity(backward)", "return perplexity(backward), perplexity(forward)"),)),
    ("1.3", "the sign", ("sign", "cross-entropy-sign"), (("np.log(share / q)", "np.log(q / share)"),)),
    ("1.5", "the rate twice", ("factor of an input", "a factor too many"), (("lr * grad", "lr * lr * grad"),)),
    ("1.6", "no table of positions", ("summand forgotten",), (("(vocabulary + positions) * d", "vocabulary * d"),)),
    ("1.8", "largest in place of smallest", ("max for min",),
     (("hashes[:, a].min(axis=1)", "hashes[:, a].max(axis=1)"), ("hashes[:, b].min(axis=1)", "hashes[:, b].max(axis=1)"))),
    ("1.10", "columns sum to one", AXIS,
     (("N.sum(axis=1, keepdims=True)", "N.sum(axis=0, keepdims=True)"),)),
    ("1.12", "float64 in the middle", ("float64-from-float32",), (("np.zeros_like(W)", "np.zeros(W.shape)"),)),
    ("1.13", "one character too few", ("off by one", "n-minus-one-for-n"), (("bits / characters", "bits / (characters - 1)"),)),
    ("2.1", "printed", ("print-instead-of-return",),
     "def count(sizes):\n    total = 0\n    for i in range(len(sizes) - 1):\n        total += (sizes[i] + 1) * "
     "sizes[i + 1]\n    print(total)\n"),
    ("2.1", "an index too far", ("index out of range",),
     "def count(sizes):\n    total = 0\n    for i in range(len(sizes)):\n        total += sizes[i] * sizes[i + "
     "1] + sizes[i + 1]\n    return total\n"),
    ("2.2", "the square forgotten", ("tanh-derivative-without-square",),
     "def tanh_and_slope(z):\n    a = np.tanh(z)\n    return a, 1 - a\n"),
    ("2.11", "downhill taken twice", ("sign", "update-with-plus"), (("return p - self.lr * self.b", "return p + self.lr * self.b"),)),
    ("2.12", "the root is missing", ("root forgotten",), (("(np.sqrt(v_hat) + self.eps)", "(v_hat + self.eps)"),)),
    ("2.14", "no pi", ("factor forgotten",), (("math.cos(math.pi * share)", "math.cos(share)"),)),
    ("2.19", "not divided by the norm", ("divisor forgotten", "factor per row", "factor forgotten"),
     (("g *= max_norm / norm", "g *= max_norm"),)),
    ("2.20", "in percent", ("constant factor",), (("return right / rows", "return 100 * right / rows"),)),
    ("2.21", "n - 1", ("n-minus-one-for-n", "n-for-n-minus-one", "unbiased-variance"), (("seen.std(axis=0)",
     "seen.std(axis=0, ddof=1)"),)),
    ("3.4", "dW1 transposed", ("transposed-result",), (("return D1.T @ X,", "return X.T @ D1,"),)),
    ("3.9", "without the half", ("factor two", "divisor forgotten"), ((".sum() / 2", ".sum()"),)),
    ("3.10", "a list comprehension", ("float64-from-float32", "TypeError", "wrong type"),
     "import math\n\ndef sigmoid(z):\n    def one(t):\n        return 1 / (1 + math.exp(-t)) if t >= 0 else "
     "math.exp(t) / (1 + math.exp(t))\n"
     "    return np.array([one(t) for t in z.ravel()]).reshape(z.shape)\n"),
    ("3.13", "the bias as a row", ("keepdims-forgotten",), (("D.sum(axis=0)", "D.sum(axis=0, keepdims=True)"),)),
    ("3.13", "W first", ("returned in another order",), (("return A_bar, W_bar, b_bar", "return W_bar, A_bar, b_bar"),)),
    ("3.13", "W @ D", ("shapes of a product", "products-swapped-in-backward"), (("A_bar = D @ W", "A_bar = W @ D"),)),
    ("3.16", "a mean for the bias", ("mean-for-sum", "mean-over-the-batch"), (("z_bar.sum(axis=0)", "z_bar.mean(axis=0)"),)),
    ("4.9", "sums in place of means", SUM, (("along = (g * x_hat).mean(axis=1, keepdims=True)",
     "along = (g * x_hat).sum(axis=1, keepdims=True)"),)),
    ("4.11", "the exponent turned", ("sign",), (("np.exp(M - new)", "np.exp(new - M)"),)),
    ("4.12", "divided by the largest", ("max for sum", "not normalized"),
     (("return e / e.sum(axis=axis, keepdims=True)", "return e / e.max(axis=axis, keepdims=True)"),)),
    ("4.13", "brackets", ("brackets", "factor forgotten"), (("p * (p_bar - mean)", "p * p_bar - mean"),)),
    ("4.17", "the mean of everything", AXIS, (("centered = x - x.mean(axis=-1, "
    "keepdims=True)", "centered = x - x.mean()"),)),
    ("4.18", "the weight forgotten", ("factor forgotten", "local-derivative-only"), (("return w * x_hat,", "return x_hat,"),)),
    ("4.19", "weights first", ("returned in another order",), (("return P @ V, P", "return P, P @ V"),)),
    ("4.19", "keys for values", ("argument-ignored", "name-shadowed", "wrong variable"), (("return P @ V, P", "return P @ K, P"),)),
    ("4.24", "a base of 1000", ("constant",), (("10000.0", "1000.0"),)),
    ("4.24", "degrees", ("unit", "factor of a constant"), (("np.sin(angles)", "np.sin(np.deg2rad(angles))"),
     ("np.cos(angles)", "np.cos(np.deg2rad(angles))"))),
    ("5.9", "the rarest pair", ("sign", "max for min", "min for max"), (("(-counts[pair], pair)", "(counts[pair], pair)"),)),
    ("5.14", "the sum over the batch", AXIS, (("e / e.sum(axis=1, keepdims=True)", "e / e.sum(axis=0, keepdims=True)"),)),
    ("5.23", "six axes", ("other shape",), (("return windows.reshape(N * rows * columns, C * k * "
    "k)", "return windows"),)),
    ("5.29", "a decimal logarithm", ("log base", "constant factor"), (("np.log(2)", "np.log(10)"),)),
    ("5.17", "nothing returned", ("none-returned",),
     "def draw(p, u):\n    c = np.cumsum(p, axis=1)\n    i = (c <= u[:, None]).sum(axis=1)\n    np.minimum(i, "
     "p.shape[1] - 1)\n"),
    ("5.13", "starts too early", ("off by one", "window-off-by-one", "off-by-one-shift"), (("ids[places + 1]", "ids[places + 2]"),)),
)  # fmt: skip

LATER: tuple[Entry, ...] = (
    ("1.9", "OR for NAND", ("constant", "off by one", "sign"), (("neuron(a, b, -2, -2, 3)", "neuron(a, b, 2, 2, -1)"),)),
    ("2.8", "the loss of the last epoch", ("wrong variable", "best-step-not-kept"), (("return best, epochs", "return loss, epochs"),)),
    ("2.13", "the decay on the new weights", ("order of steps", "decay-not-times-rate"),
     (("        p = p - lr * decay * p\n", "        pass\n"), ("return p - lr * m_hat / (np.sqrt(v_hat) + 1e-8), m, v",
      "p = p - lr * m_hat / (np.sqrt(v_hat) + 1e-8)\n    return (p - lr * decay * p if decoupled else p), m, v"))),
    ("2.18", "best is never set", ("step forgotten", "case forgotten"),
     (("            self.best, self.best_epoch = loss, self.epoch\n", "            self.best_epoch = self.epoch\n"),)),
    ("2.21", "a typing mistake", ("NameError",), (("return (X[train] - mean) / std,", "return (X[train] - maen) / std,"),)),
    ("3.17", "the ones in front are not seen", ("keepdims-forgotten", "other shape", "summand forgotten"),
     "def sum_to(g, shape):\n    while g.ndim > len(shape):\n        g = g.sum(axis=0)\n    for axis, size in "
     "enumerate(shape):\n"
     "        if size == 1:\n            g = g.sum(axis=axis, keepdims=True)\n    return g[0] if g.ndim > 1 else g\n"),
    ("4.5", "the softmax of the targets", ("softmax of the wrong one", "wrong variable"), (("np.exp(x - x.max())",
     "np.exp(y - y.max())"),)),
    ("4.15", "targets turned", ("complement", "sign", "complement of an input"),
     "def binary_cross_entropy(x, y):\n    y = 1 - y\n    small = np.exp(-np.abs(x))\n    losses = np.maximum(x, "
     "0) - x * y + np.log1p(small)\n"
     "    sigma = np.where(x > 0, 1 / (1 + small), small / (1 + small))\n    return losses.mean(), (sigma - y) / "
     "len(x)\n"),
    ("5.12", "sorted from the end", ("not sorted", "permuted", "reversed"), (('["?"] + sorted(set(training))',
     '["?"] + sorted(set(training), reverse=True)'),)),
    ("5.15", "the others are 0 and the best too", ("constant result", "constant added", "step forgotten"),
     (("    np.put_along_axis(kept, best, np.take_along_axis(logits, best, axis=1), axis=1)\n", ""),)),
    ("5.19", "keys for values", ("values-of-the-queries", "wrong variable", "name-shadowed"), (("p @ np.array(self.values)",
     "p @ np.array(self.keys)"),)),
    ("5.26", "the mean of each square", ("mean for max", "max for sum", "mean for maximum"),
     (("    return squares.max(axis=-1),", "    return squares.mean(axis=-1),"),)),
    ("5.28", "beta for 1 - beta", ("complement of an input",), (("m = beta * m + (1 - beta) * loss",
     "m = (1 - beta) * m + beta * loss"), ("beta**t", "(1 - beta) ** t"))),
    ("3.5", "the outer product turned", ("transposed-result", "products-swapped-in-backward", "shapes do not broadcast"),
     (("np.outer(delta1, x)", "np.outer(x, delta1)"),)),
)  # fmt: skip
"""Written after the grader was tuned on those above."""


def there(id: str) -> Task | None:
    """The task of this id; None while its chapter has none of that number."""
    try:
        return tasks.find(id)
    except (KeyError, ModuleNotFoundError):
        return None


def unseen(*sets: tuple[Entry, ...]) -> list[Unseen]:
    """The answers to tasks of the book, by default of chapters 1 to 5, without those that their tasks have come to know."""
    found = []
    for id, what, causes, answer in chain(*(sets or (ENTRIES, LATER))):
        task = there(id)
        if task is not None:
            text, edits = (answer, ()) if isinstance(answer, str) else ("", answer)
            found.append(Unseen(task, what, causes, text, edits))
    return [one for one in found if one.answer.text not in [with_bug(one.task.solution, w) for w in one.task.wrong]]
