"""Bugs in optimizers, schedules, clipping and initialization."""

from __future__ import annotations

from functools import partial

from minilm.exercises.bugs.record import Bug

bug = partial(Bug, family="optimizers")

BUGS = (
    bug(
        name="momentum-without-memory",
        title="Momentum that forgets the steps before",
        why="The velocity is mu * (old velocity) + gradient. Here the old velocity is not used or not stored.",
        right="v = mu * v + g",
        wrong="v = g",
        shows="The first step is right; afterwards each step is as long as without momentum.",
        look="With a constant gradient of 1 and mu = 0.9 the velocities are 1, 1.9, 2.71.",
        file="minilm/optim/sgd.py",
        old=("                b *= mu\n"),
        new=("                b *= 0.0\n"),
    ),
    bug(
        name="velocity-reset",
        title="The velocity is set to zero in every step",
        why="The velocity must live between the calls of step. Here it is made anew, inside the step.",
        right="v = state.setdefault(p, np.zeros_like(p))",
        wrong="v = np.zeros_like(p)",
        shows="The first step is right; the second is as long as the first, where it should be longer.",
        look="Where is the velocity created? Once per parameter, not once per step.",
        file="minilm/optim/sgd.py",
        old='b = state.get("momentum_buffer")',
        new="b = None",
    ),
    bug(
        name="learning-rate-inside-the-velocity",
        title="The learning rate stands inside the velocity",
        why=(
            "Here v = mu v + lr g and p = p - v. With a constant rate that is the same as v = mu v + g, p = p -"
            " lr v; when the rate changes, old gradients keep their old rate."
        ),
        right="v = mu * v + g; p -= lr * v",
        wrong="v = mu * v + lr * g; p -= v",
        shows="Nothing differs until the schedule changes the rate; the step after the change is another.",
        look="Change lr between two steps and compute both by hand.",
    ),
    bug(
        name="update-with-plus",
        title="The update adds the gradient",
        why="The gradient points uphill. To lower the loss a step goes against it.",
        right="p -= lr * g",
        wrong="p += lr * g",
        shows="The loss rises from the first step, and overflows later.",
        look="Minimize p**2 from p = 1: after one step p must be smaller.",
        file="minilm/optim/sgd.py",
        old='p -= xp.multiply(direction, group["lr"], out=scratch)',
        new='p += xp.multiply(direction, group["lr"], out=scratch)',
    ),
    bug(
        name="adam-without-correction",
        title="Adam without the correction of its averages",
        why="Both averages begin at 0 and are too small at first. Dividing by 1 - beta**t corrects this.",
        right="m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)",
        wrong="m_hat, v_hat = m, v",
        shows=(
            "With betas 0.9 and 0.999 the first step is 0.1 / sqrt(0.001) = 3.16 times too long; the difference fades."
        ),
        look="The first step of Adam has the length lr in every element (up to eps).",
        file="minilm/backend/cpu.py",
        old="root = math.sqrt(1.0 - beta2**step)",
        new="root = 1.0",
    ),
    bug(
        name="adam-correction-off-by-one",
        title="Adam's step count is off by one",
        why="The first step is t = 1. With t = 0 the correction divides by 0, with t = 2 it corrects too little.",
        right="t += 1; m_hat = m / (1 - beta1**t)",
        wrong="m_hat = m / (1 - beta1**t); t += 1",
        shows="NaN or infinity in the first step, or a first step that is not lr long.",
        look="Print t in the first call: 1.",
        file="minilm/backend/cpu.py",
        old=("        root = math.sqrt(1.0 - beta2**step)\n"),
        new=("        step += 1\n        root = math.sqrt(1.0 - beta2**step)\n"),
    ),
    bug(
        name="adam-root-before-epsilon",
        title="Epsilon stands under Adam's root",
        why=(
            "The formula divides by sqrt(v_hat) + eps. Here by sqrt(v_hat + eps), in which eps = 1e-8 acts like 1e-4."
        ),
        right="p -= lr * m_hat / (np.sqrt(v_hat) + eps)",
        wrong="p -= lr * m_hat / np.sqrt(v_hat + eps)",
        shows="Almost right for gradients above 0.001; for smaller ones the steps are too short.",
        look="Test with a gradient of 1e-6: the first step must still be about lr long.",
        file="minilm/backend/cpu.py",
        old=("            s += shift\n"),
        new=("            s = xp.sqrt(s * s + shift * root)\n"),
    ),
    bug(
        name="adam-moments-swapped",
        title="Adam's two averages, or their betas, are exchanged",
        why="beta1 (0.9) belongs to the average of the gradients, beta2 (0.999) to that of their squares.",
        right="m = beta1 * m + (1 - beta1) * g",
        wrong="m = beta2 * m + (1 - beta2) * g",
        shows="With the corrections the first step is right; from the second on the steps differ.",
        look="Compute two steps by hand, with gradients 1 and -1.",
        file="minilm/backend/cpu.py",
        old="xp, (beta1, beta2) = self.xp, betas",
        new="xp, (beta2, beta1) = self.xp, betas",
    ),
    bug(
        name="adam-square-forgotten",
        title="Adam's second average holds gradients, not their squares",
        why=(
            "v averages g**2; its root has the size of a gradient. Here g is not squared, and the root of a "
            "negative number is NaN."
        ),
        right="v = beta2 * v + (1 - beta2) * g**2",
        wrong="v = beta2 * v + (1 - beta2) * g",
        shows="NaN for negative gradients; otherwise the step's length depends on the gradient's size.",
        look="A gradient 100 times as large must give the same first step.",
        file="minilm/backend/cpu.py",
        old=("            xp.multiply(g, g, out=s)\n"),
        new=("            xp.multiply(g, 1.0, out=s)\n"),
    ),
    bug(
        name="decay-in-the-gradient",
        title="Weight decay is added to the gradient where it should act apart",
        why=(
            "AdamW shrinks the parameters directly: p -= lr * decay * p. Added to the gradient, the decay "
            "passes through Adam's division, and all parameters shrink by about the same amount."
        ),
        right="p -= lr * decay * p",
        wrong="g = g + decay * p",
        shows="With a gradient of 0 each step is lr long, instead of lr * decay * p.",
        look="Give a gradient of 0: p must be multiplied by 1 - lr * decay.",
        file="minilm/optim/adam.py",
        old=("    decoupled_decay = True\n"),
        new=("    decoupled_decay = False\n"),
    ),
    bug(
        name="decay-not-times-rate",
        title="Decoupled weight decay without the learning rate",
        why=(
            "The parameters shrink by lr * decay per step. Here by decay alone, which is many times as much and"
            " does not follow the schedule."
        ),
        right="p *= 1 - lr * decay",
        wrong="p *= 1 - decay",
        shows="The weights shrink too fast, by the factor 1 / lr.",
        look="Give a gradient of 0, lr = 0.1, decay = 0.1: p = 1 becomes 0.99.",
        file="minilm/backend/cpu.py",
        old="p *= 1.0 - lr * weight_decay",
        new="p *= 1.0 - weight_decay",
    ),
    bug(
        name="decay-on-biases",
        title="Weight decay of biases and norms",
        why="Decay is meant for matrices. Pulling biases and the weights of norms to 0 only hinders them.",
        right="decay = weight_decay if p.ndim >= 2 else 0.0",
        wrong="decay = weight_decay",
        shows="Vectors shrink although their gradient is 0.",
        look="Give every parameter a gradient of 0: only matrices may change.",
        file="minilm/optim/groups.py",
        old='"weight_decay": 0.0',
        new='"weight_decay": weight_decay',
    ),
    bug(
        name="nesterov-as-momentum",
        title="Nesterov's momentum is plain momentum",
        why="Nesterov's step looks ahead: it goes along g + mu * v. Here it goes along v.",
        right="p -= lr * (g + mu * v)",
        wrong="p -= lr * v",
        shows="The first step should be 1 + mu times as long as that of plain momentum; here both are the same.",
        look="First step with g = 1, mu = 0.9, lr = 1: p moves by 1.9.",
        file="minilm/optim/sgd.py",
        old="direction = xp.multiply(b, mu, out=scratch)",
        new="direction = b.copy()",
    ),
    bug(
        name="schedule-without-warmup",
        title="The schedule lacks its warm-up",
        why="In the first steps the rate must rise from near 0. Here it begins at its maximum.",
        right="if t < warmup: return lr * (t + 1) / warmup",
        wrong="pass",
        shows="The first rates are those of the decay; the values after the warm-up are right or shifted.",
        look="Print the rates of the first steps.",
        file="minilm/optim/schedules.py",
        old=("        if t < self.warmup_steps:\n"),
        new=("        if False:\n"),
    ),
    bug(
        name="schedule-off-by-one",
        title="The schedule is shifted by one step",
        why=(
            "Counting begins at 0 or at 1, and the last step reaches the end or not: here it is the other way "
            "than the formula says."
        ),
        right="lr * (t + 1) / warmup",
        wrong="lr * t / warmup",
        shows="A first step with rate 0, or a last one that does not reach the minimum.",
        look="Print the rates of step 0, of the last warm-up step, and of the last step.",
        file="minilm/optim/schedules.py",
        old="return base * (t + 1) / (self.warmup_steps + 1)",
        new="return base * t / self.warmup_steps",
    ),
    bug(
        name="cosine-without-half",
        title="The cosine schedule without its factor 1/2",
        why="1 + cos runs from 2 to 0. With 0.5 it runs from 1 to 0, and the rate from the maximum to the minimum.",
        right="low + 0.5 * (high - low) * (1 + np.cos(np.pi * share))",
        wrong="low + (high - low) * (1 + np.cos(np.pi * share))",
        shows="The rate begins at twice the maximum (less the minimum) and ends at the minimum.",
        look="Put in share = 0: the result is the maximum.",
        file="minilm/optim/schedules.py",
        old="return last + 0.5 * (first - last)",
        new="return last + (first - last)",
    ),
    bug(
        name="cosine-below-minimum",
        title="The cosine schedule goes below its minimum, or rises again",
        why=(
            "After the last step of the decay the rate stays at the minimum. Here the cosine goes on, and the "
            "rate rises again; or the minimum is left out of the formula."
        ),
        right="share = min(1.0, (t - warmup) / (steps - warmup))",
        wrong="share = (t - warmup) / (steps - warmup)",
        shows="Right up to the last step, wrong after it.",
        look="Ask for the rate at twice the number of steps: the minimum.",
        file="minilm/optim/schedules.py",
        old="return _cosine(base, lowest, min(share, 1.0))",
        new="return _cosine(base, lowest, share)",
    ),
    bug(
        name="clip-per-tensor-not-global",
        title="Each gradient is clipped by its own norm",
        why=(
            "Clipping by the global norm scales all gradients by one factor, so the direction stays. Clipped "
            "one by one, the direction changes."
        ),
        right="norm = np.sqrt(sum((g**2).sum() for g in grads))",
        wrong="grads = [g * min(1, limit / np.linalg.norm(g)) for g in grads]",
        shows="The ratio between two gradients' sizes changes; the joint norm may still exceed the limit.",
        look="Take gradients [3] and [4] and the limit 1: they become [0.6] and [0.8].",
        file="minilm/optim/clip.py",
        old=("    for a in arrays:\n        xp.multiply(a, scale, out=a)\n"),
        new=(
            "    for a in arrays:\n"
            "        xp.multiply(a, xp.minimum(limit / (xp.sqrt((a * a).sum()) + 1e-6), 1.0), out=a)\n"
        ),
    ),
    bug(
        name="clip-scales-up",
        title="Clipping makes short gradients longer",
        why=(
            "The factor limit / norm is used only where it is below 1. Here short gradients are stretched to "
            "the limit, too."
        ),
        right="scale = min(1.0, limit / norm)",
        wrong="scale = limit / norm",
        shows="Every gradient has exactly the norm of the limit.",
        look="A gradient of norm 0.5 and a limit of 1: nothing may change.",
        file="minilm/optim/clip.py",
        old="scale = xp.minimum(limit / (norm + 1e-6), 1.0)",
        new="scale = limit / (norm + 1e-6)",
    ),
    bug(
        name="init-variance-not-std",
        title="A variance is passed where a standard deviation is expected",
        why="normal(0, s) takes the standard deviation. For the variance 1/n that is 1 / sqrt(n), not 1/n.",
        right="w = rng.normal(0, np.sqrt(1 / n), (n, m))",
        wrong="w = rng.normal(0, 1 / n, (n, m))",
        shows="The weights are too small by the factor sqrt(n), and activations shrink from layer to layer.",
        look="Compare w.std() ** 2 with the variance you want.",
        file="minilm/nn/init.py",
        old="_generator(rng).normal(mean, std, tensor.shape)",
        new="_generator(rng).normal(mean, std**2, tensor.shape)",
    ),
    bug(
        name="init-fan-out-for-fan-in",
        title="fan-out is taken for fan-in",
        why=(
            "What keeps the size of activations is the number of inputs each output sums over. Here the number "
            "of outputs was used."
        ),
        right="w = rng.normal(0, np.sqrt(2 / n_in), (n_in, n_out))",
        wrong="w = rng.normal(0, np.sqrt(2 / n_out), (n_in, n_out))",
        shows="Right for square layers; off by the factor sqrt(n_in / n_out) otherwise.",
        look="Test with a layer of 100 inputs and 4 outputs.",
        file="minilm/nn/init.py",
        old='fans(tensor)[mode == "fan_out"]',
        new='fans(tensor)[mode == "fan_in"]',
    ),
    bug(
        name="init-all-zero",
        title="All weights begin at 0",
        why=(
            "Units with equal weights get equal gradients and stay equal; with zeros in two layers there is no "
            "gradient at all."
        ),
        right="w = rng.normal(0, scale, shape)",
        wrong="w = np.zeros(shape)",
        shows="The loss stays at that of an even guess, or all hidden units compute the same.",
        look="Compare two hidden units after some steps: they must differ.",
    ),
    bug(
        name="init-gain-forgotten",
        title="The gain of the activation is left out",
        why=(
            "ReLU sets about half of its inputs to 0 and halves the mean square; He's initialization makes up "
            "for it with the variance 2/n in place of 1/n."
        ),
        right="std = np.sqrt(2 / n)",
        wrong="std = np.sqrt(1 / n)",
        shows="Too small by the factor sqrt(2); after 20 layers the activations are a thousandth.",
        look="Print the deviation of the activations after each layer: it should stay about the same.",
        file="minilm/nn/init.py",
        old="return calculate_gain(nonlinearity, a) / math.sqrt(",
        new="return 1.0 / math.sqrt(",
    ),
    bug(
        name="parameters-rebound-not-updated",
        title="The parameters are bound anew, not updated",
        why=(
            "p = p - lr * g makes a new array and names it p inside the function. The array that the model "
            "holds stays as it was."
        ),
        right="p -= lr * g  # or p[...] = p - lr * g",
        wrong="p = p - lr * g",
        shows="Nothing is learned, though everything runs.",
        look="Print the caller's parameter before and after the step.",
        file="minilm/optim/sgd.py",
        old='p -= xp.multiply(direction, group["lr"], out=scratch)',
        new='p = p - xp.multiply(direction, group["lr"], out=scratch)',
    ),
    bug(
        name="clip-by-value",
        title="Each element is clipped, where the norm is to be",
        why=(
            "Cutting every element to [-c, c] changes the gradient's direction. Clipping by the norm scales "
            "all elements by one factor."
        ),
        right="g *= min(1, c / norm)",
        wrong="np.clip(g, -c, c, out=g)",
        shows="The elements' ratios change; the norm may still be above the limit.",
        look="Divide the gradient before by the gradient after: one number, or several?",
    ),
    bug(
        name="norms-summed",
        title="The norms of the parts are added",
        why=(
            "The norm of all gradients as one vector is the root of the sum of their squared norms; norms "
            "themselves do not add."
        ),
        right="np.sqrt(sum((g**2).sum() for g in gradients))",
        wrong="sum(np.sqrt((g**2).sum()) for g in gradients)",
        shows="Right for one array, too large for several.",
        look="[3] and [4] have the common norm 5, not 7.",
    ),
    bug(
        name="momentum-dampened",
        title="The new gradient is weighed with 1 - momentum",
        why=(
            "Here the velocity is a sum, mu b + g. With (1 - mu) g it is a mean, and every step is shorter by "
            "that factor."
        ),
        right="b = mu * b + g",
        wrong="b = mu * b + (1 - mu) * g",
        shows="With a momentum of 0.9 the first step is a tenth of what it should be.",
        look="The first step must be the learning rate times the gradient.",
    ),
    bug(
        name="average-weights-swapped",
        title="The weights of old and new have changed places",
        why=(
            "A moving average keeps one share of the old value and takes the other of the new. Which is which "
            "is a convention; here it is the other one."
        ),
        right="m = beta * m + (1 - beta) * x",
        wrong="m = (1 - beta) * m + beta * x",
        shows="The average follows much too fast, or hardly at all; right for a half.",
        look="What remains for a share of 0, and for a share of 1?",
    ),
    bug(
        name="corrected-mean-kept",
        title="The corrected mean is fed back",
        why=(
            "The division by 1 - beta^t is for use only. The running mean goes on without it; else it is "
            "corrected again in each step."
        ),
        right="m_hat = m / (1 - beta**t)",
        wrong="m = m / (1 - beta**t)",
        shows="The first step is right; from the second on the values grow.",
        look="How many names are there: one for the mean that goes on, one for the corrected one.",
    ),
    bug(
        name="uniform-bound-for-std",
        title="The bound of an even distribution is taken for its standard deviation",
        why="Numbers drawn evenly between -a and a have the standard deviation a / sqrt(3).",
        right="a = std * np.sqrt(3)",
        wrong="a = std",
        shows="All weights are too small, by the root of 3.",
        look="Print the standard deviation of a large draw.",
    ),
    bug(
        name="clip-of-the-mean",
        title="The batch's gradient is clipped instead of each example's",
        why=(
            "DP-SGD bounds what one example can move. The sum of a batch may be short and still hold one example's long gradient whole."
        ),
        right="sum(g * clip / max(norm(g), clip) for g in rows)",
        wrong="total * clip / max(norm(total), clip)",
        shows="The training runs as well as before; privacy is what is missing, and no loss shows it.",
        look="Make one example's gradient ten times as long: by how much does the clipped sum move?",
        file="minilm/privacy/private.py",
        old="weights(norms, clip)",
        new="weights((norms * 0 + norms.max()), clip)",
    ),
    bug(
        name="noise-without-clip",
        title="The noise does not grow with the clipping norm",
        why="The noise multiplier is in units of C, since one example moves the sum by C. The noise must be sigma times C.",
        right="noise * clip * z",
        wrong="noise * z",
        shows="With C = 1 nothing; with C = 0.1 ten times too much noise, with C = 10 a tenth of what the accountant believes.",
        look="Double C and sigma stays: does the noise double?",
        file="minilm/privacy/private.py",
        old="(noise * clip * rng",
        new="(noise * rng",
    ),
    bug(
        name="noise-after-the-division",
        title="The noise is added to the mean, not to the sum",
        why="One example moves the sum by C, the mean by C / L. Noise of sigma C on the mean is L times too much.",
        right="(total + noise * clip * z) / expected",
        wrong="total / expected + noise * clip * z",
        shows="Nothing is learned: the noise is as many times too large as there are examples in a batch.",
        look="What is divided by the batch's size: the sum with its noise.",
        file="minilm/privacy/private.py",
        old="(noise * clip * rng.standard_normal(p.shape))",
        new="(noise * clip * expected * rng.standard_normal(p.shape))",
    ),
    bug(
        name="noise-for-each-example",
        title="Each example brings noise of its own",
        why="One example is to be hidden at a time, so one draw of the noise is enough for the whole sum.",
        right="sum(rows) + noise * clip * z",
        wrong="sum(g + noise * clip * z_i for g, z_i in zip(rows, z))",
        shows="The larger the batch, the more noise: larger batches help less than they should.",
        look="The deviation of the noise in a sum of 1 and of 100 examples: the same.",
        file="minilm/privacy/private.py",
        old="(noise * clip * rng",
        new="(noise * clip * max(1, len(batch[0])) ** 0.5 * rng",
    ),
    bug(
        name="real-batch-size",
        title="A private sum is divided by how many examples there really were",
        why="With Poisson sampling a batch's size tells whether one example more was there. Divide by the expected size, rate times n.",
        right="total / expected",
        wrong="total / len(batch)",
        shows="Almost nothing in the loss; an empty batch divides by zero.",
        look="Two batches with the same sum and different sizes must give the same gradient.",
        file="minilm/privacy/private.py",
        old="p.dtype.type(expected)",
        new="p.dtype.type(max(1, len(batch[0])))",
    ),
)
