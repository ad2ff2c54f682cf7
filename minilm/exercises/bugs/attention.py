"""Bugs in attention, its masks, positions and the KV cache."""

from __future__ import annotations

from functools import partial

from minilm.exercises.bugs.record import Bug

bug = partial(Bug, family="attention")

BUGS = (
    bug(
        name="scale-forgotten",
        title="The scores are not divided by the root of the head's width",
        why=(
            "A score is a sum of d products, and its spread grows with sqrt(d). Undivided, the softmax "
            "saturates and its gradients vanish."
        ),
        right="scores = q @ k.T / np.sqrt(d)",
        wrong="scores = q @ k.T",
        shows="The weights are too close to 0 and 1; right for d = 1.",
        look="Compare the scores with the formula for d = 4: they must be halved.",
        file="minilm/ops/attention.py",
        old="1.0 / math.sqrt(max(1, shape_of(q)[-1]))",
        new="1.0",
    ),
    bug(
        name="scale-by-d-not-its-root",
        title="The scores are divided by d, not by its root",
        why=(
            "The spread of a score grows with sqrt(d). Dividing by d makes the scores too small, and the "
            "weights almost even."
        ),
        right="scores = q @ k.T / np.sqrt(d)",
        wrong="scores = q @ k.T / d",
        shows="The scores are too small by the factor sqrt(d); right for d = 1.",
        look="For d = 4 divide by 2.",
        file="minilm/ops/attention.py",
        old="1.0 / math.sqrt(max(1, shape_of(q)[-1]))",
        new="1.0 / max(1, shape_of(q)[-1])",
    ),
    bug(
        name="scale-by-the-wrong-size",
        title="The scores are divided by the root of another size",
        why=(
            "What is summed in a score is the width of one head. Here the model's whole width, the length or "
            "the number of heads was taken."
        ),
        right="scores = q @ k.T / np.sqrt(head_width)",
        wrong="scores = q @ k.T / np.sqrt(model_width)",
        shows="The scores are off by a constant factor, the root of a ratio of sizes; right for one head.",
        look="Which axis do the products run over? Its size stands under the root.",
        file="minilm/ops/attention.py",
        old="math.sqrt(max(1, shape_of(q)[-1]))",
        new="math.sqrt(max(1, shape_of(q)[-2]))",
    ),
    bug(
        name="mask-after-softmax",
        title="The mask is applied after the softmax",
        why=(
            "Masked weights are set to 0 after the shares were computed, so the masked scores still count in "
            "the denominator and the rows no longer sum to 1."
        ),
        right="p = softmax(np.where(mask, scores, -np.inf))",
        wrong="p = softmax(scores) * mask",
        shows="The rows sum to less than 1.",
        look="Print p.sum(axis=-1): it must be all ones.",
        file="minilm/backend/cpu.py",
        old=(
            "                    s += bias[..., rows, seen]\n"
            "                if shift:\n"
            "                    s -= self.max_axis(s, s.ndim - 1)\n"
            "                xp.exp(s, out=s)\n"
            "                total = self.sum_last(s)\n"
        ),
        new=(
            "                    pass\n"
            "                if shift:\n"
            "                    s -= self.max_axis(s, s.ndim - 1)\n"
            "                xp.exp(s, out=s)\n"
            "                total = self.sum_last(s)\n"
            "                s *= 1.0 if bias is None else xp.exp(bias[..., rows, seen])\n"
        ),
    ),
    bug(
        name="mask-transposed",
        title="The mask is the wrong way round",
        why=(
            "Query i may see the keys j <= i: row i, column j. Here the mask is transposed (or its values are "
            "negated), and positions see what comes after them."
        ),
        right="mask = np.tril(np.ones((T, T), bool))",
        wrong="mask = np.triu(np.ones((T, T), bool))",
        shows="The first position sees everything, the last only itself.",
        look="The first row must have its whole weight on the first key.",
        file="minilm/nn/attention.py",
        old="open_ = (~padding)",
        new="open_ = padding",
    ),
    bug(
        name="mask-off-by-one",
        title="The causal mask is shifted by one",
        why="Query i sees the keys up to i, itself included. Here one more or one fewer is open.",
        right="mask = np.tril(np.ones((T, T), bool))",
        wrong="mask = np.tril(np.ones((T, T), bool), k=-1)",
        shows=(
            "With one fewer the first row has nothing to see, and is NaN; with one more each position sees the next."
        ),
        look="Print the mask for T = 3: its diagonal is open, and what is right of it is closed.",
        file="minilm/backend/reference.py",
        old="keys - queries + 1)",
        new="keys - queries)",
    ),
    bug(
        name="mask-zero-for-minus-infinity",
        title="Masked scores are set to 0, not to minus infinity",
        why="exp(0) = 1: a score of 0 still gets weight. Only minus infinity gives exactly 0.",
        right="np.where(mask, scores, -np.inf)",
        wrong="np.where(mask, scores, 0.0)",
        shows="Closed positions have positive weights.",
        look="Print the weights of closed positions.",
        file="minilm/backend/reference.py",
        old="bias = xp.where(mask, 0.0, -math.inf).astype(dtype)",
        new="bias = xp.where(mask, 0.0, -1.0).astype(dtype)",
    ),
    bug(
        name="keys-not-transposed",
        title="The keys are not transposed in Q K^T",
        why=("A score is the inner product of a query and a key, so the product runs over the width: (T, d) @ (d, T)."),
        right="scores = q @ k.swapaxes(-1, -2)",
        wrong="scores = q @ k",
        shows="An error of shapes; where T = d no error, and wrong numbers.",
        look="Test with a length that differs from the width.",
    ),
    bug(
        name="values-of-the-queries",
        title="The wrong one of queries, keys and values is used",
        why=(
            "Weights come from queries and keys, and what is averaged are the values. Here one of the three "
            "stands in another's place."
        ),
        right="y = softmax(q @ k.T / np.sqrt(d)) @ v",
        wrong="y = softmax(q @ k.T / np.sqrt(d)) @ k",
        shows="Right where the two that were confused are equal, as in a test with q = k = v.",
        look="Test with three different arrays, and with values of a width of their own.",
    ),
    bug(
        name="sees-the-future",
        title="Positions see what comes after them",
        why=(
            "The causal mask is missing. In training the answer stands in the input then, and the loss falls "
            "far below what is possible."
        ),
        right="p = softmax(np.where(mask, scores, -np.inf))",
        wrong="p = softmax(scores)",
        shows="Training loss near 0, and nonsense when text is written.",
        look="Change the last token: the outputs before it may not change.",
        file="minilm/models/gpt.py",
        old="scaled_dot_product_attention(q, k, v, causal=True,",
        new="scaled_dot_product_attention(q, k, v, causal=False,",
    ),
    bug(
        name="cache-overwritten",
        title="The KV cache keeps the newest token only",
        why=(
            "The new keys and values must be appended to those of the tokens before. Here they replace some or "
            "all of them."
        ),
        right="cache = np.concatenate([cache, k], axis=-2)",
        wrong="cache = k",
        shows="The first token is right; from the second on the results differ from those of the full pass.",
        look="After t tokens the cache must hold t keys.",
        file="minilm/models/cache.py",
        old="start, self.length = self.length, self.length + k.shape[2]",
        new="start, self.length = max(0, self.length - 1), max(0, self.length - 1) + k.shape[2]",
    ),
    bug(
        name="cache-position-wrong",
        title="Positions begin at 0 again behind a cache",
        why=(
            "The token that comes after t cached ones has position t. Here its position embedding or rotation "
            "is that of position 0 (or one too many)."
        ),
        right="positions = np.arange(start, start + T)",
        wrong="positions = np.arange(T)",
        shows="The first step is right; all later ones differ from the full pass.",
        look="Compare step by step with the full pass, and print the positions used.",
        file="minilm/models/gpt.py",
        old="x = self.wpe(x, start)",
        new="x = self.wpe(x)",
    ),
    bug(
        name="cache-on-the-wrong-axis",
        title="The cache grows along the wrong axis",
        why="Keys are appended along the axis of positions. Here along another one (batch, heads or width).",
        right="np.concatenate([cache, k], axis=2)  # (B, h, T, d)",
        wrong="np.concatenate([cache, k], axis=-1)",
        shows="A wrong shape after the second token, or an error there.",
        look="Print the cache's shape after each token: only T may grow.",
    ),
    bug(
        name="residual-forgotten",
        title="The residual connection is missing",
        why=(
            "A block adds its result to its input: x + f(x). Without the input, gradients must pass through "
            "every block, and deep models hardly learn."
        ),
        right="x = x + attend(norm(x))",
        wrong="x = attend(norm(x))",
        shows="The result lacks exactly the input.",
        look="Set the block's weights to 0: the output must be the input.",
        file="minilm/models/gpt.py",
        old="return x + self.mlp(self.ln_2(x))",
        new="return self.mlp(self.ln_2(x))",
    ),
    bug(
        name="positions-added-twice",
        title="The position embedding is added more than once, or not at all",
        why="Positions are added once, to the token embeddings, before the first block.",
        right="x = wte[ids] + wpe[:T]",
        wrong="x = wte[ids] + 2 * wpe[:T]",
        shows="The difference from the right result is the position embedding itself.",
        look="Set the token embedding to 0: what remains is wpe, once.",
        file="minilm/nn/position.py",
        old="return x + rows(self, self.table, x, start)",
        new="return x + 2.0 * rows(self, self.table, x, start)",
    ),
    bug(
        name="sinusoid-sine-cosine-swapped",
        title="Sines and cosines of the positions are exchanged",
        why=(
            "In the paper's formula even columns are sines and odd columns cosines. Here they are the other way"
            " round (or in two halves)."
        ),
        right="p[:, 0::2], p[:, 1::2] = np.sin(a), np.cos(a)",
        wrong="p[:, 0::2], p[:, 1::2] = np.cos(a), np.sin(a)",
        shows="Position 0 must be 0, 1, 0, 1, ...; here it is 1, 0, 1, 0, ...",
        look="Print the row of position 0.",
        file="minilm/nn/position.py",
        old="np.stack([np.sin(angle), np.cos(angle)], axis=-1)",
        new="np.stack([np.cos(angle), np.sin(angle)], axis=-1)",
    ),
    bug(
        name="sinusoid-exponent-off",
        title="The exponent of the sinusoids' frequency is off",
        why=(
            "The frequency of the pair i is 10000 ** (-2 i / d). Here the 2, the sign or the index is another "
            "(the column's number in place of the pair's)."
        ),
        right="a = t / 10000 ** (2 * i / d)",
        wrong="a = t / 10000 ** (i / d)",
        shows="The first pair of columns is right, the others turn too fast or too slowly.",
        look="The first pair has the frequency 1; for d = 4 the second has 0.01.",
        file="minilm/nn/position.py",
        old="base ** (-np.arange(0, width, 2) / width)",
        new="base ** (-np.arange(0, width // 2) / width)",
    ),
    bug(
        name="maximum-not-carried",
        title="Online softmax: the old sum is not rescaled when the maximum rises",
        why=(
            "The running sum holds exponentials relative to the old maximum. When a larger one arrives they "
            "must be multiplied by exp(old - new)."
        ),
        right="total = total * np.exp(old - new) + np.exp(block - new).sum()",
        wrong="total = total + np.exp(block - new).sum()",
        shows="Right when the largest score comes first, wrong when a later block has a larger one.",
        look="Test with rising scores, one block each.",
    ),
    bug(
        name="mask-finite",
        title="A moderate number for minus infinity",
        why=(
            "A masked score of -10 still gets a weight, and a large one against scores below it. Only minus "
            "infinity gives exactly 0."
        ),
        right="np.where(seen, S, -np.inf)",
        wrong="np.where(seen, S, -10.0)",
        shows="Masked places have small weights; with very negative scores they have all.",
        look="Try scores of -1000 at the places that may be seen.",
    ),
    bug(
        name="output-projection-forgotten",
        title="The heads' outputs are not mixed",
        why="After the heads stand side by side they go through one more weight, W_o.",
        right="return Y @ W_o.T",
        wrong="return Y",
        shows="Right for W_o = 1 only; W_o gets no gradient.",
        look="Which weights does your code use?",
    ),
)
