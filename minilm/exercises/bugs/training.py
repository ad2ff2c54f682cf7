"""Bugs in the training loop and its evaluation."""

from __future__ import annotations

from functools import partial

from minilm.exercises.bugs.record import Bug

bug = partial(Bug, family="training")

BUGS = (
    bug(
        name="validation-on-training-data",
        title="Validated on the training data",
        why=(
            "The validation loss must be measured on data that the model has not seen. Here it is measured on "
            "those it learned."
        ),
        right="loss = evaluate(model, valid)",
        wrong="loss = evaluate(model, train)",
        shows="Training and validation loss fall together, and overfitting is never seen.",
        look="Which array does the evaluation get?",
        file="minilm/training/language_model.py",
        old=("block, ids = self.config.block_size, data.validation\n"),
        new=("block, ids = self.config.block_size, data.train\n"),
    ),
    bug(
        name="best-on-test-data",
        title="The best model is chosen on the test data",
        why=(
            "What is chosen by the test data has been fitted to it, and its test result is too good. Choose on "
            "validation data, and look at the test data once."
        ),
        right="best = min(models, key=validation_loss)",
        wrong="best = min(models, key=test_loss)",
        shows="The test result is better than that of new data.",
        look="How often is the test data looked at?",
    ),
    bug(
        name="best-step-not-kept",
        title="The last weights are kept, not the best",
        why=(
            "After the minimum of the validation loss the model gets worse again. The weights of the minimum "
            "must be copied when it is reached."
        ),
        right="if loss < best: best, kept = loss, copy(weights)",
        wrong="if loss < best: best, kept = loss, weights",
        shows='The weights that come back belong to the last step; "kept" is another name for the same arrays.',
        look="Is it a copy, or the same array?",
        file="minilm/training/loop.py",
        old=("        training.save()\n        training.save_best()\n"),
        new=("        training.save()\n    training.save_best()\n"),
    ),
    bug(
        name="patience-off-by-one",
        title="Early stopping waits one evaluation too long or too short",
        why="With patience k, training ends when k evaluations in a row brought no improvement.",
        right="if bad >= patience: stop",
        wrong="if bad > patience: stop",
        shows="It stops one evaluation later (or earlier) than it should.",
        look="Count by hand with patience 1: it stops at the first evaluation that is not better.",
        file="minilm/training/loop.py",
        old="self.bad >= self.config.patience",
        new="self.bad > self.config.patience",
    ),
    bug(
        name="patience-not-reset",
        title="The count of bad evaluations is not reset",
        why="Patience counts evaluations in a row without improvement. After an improvement the count begins anew.",
        right="if loss < best: best, bad = loss, 0",
        wrong="if loss < best: best = loss",
        shows="It stops too early on losses that go up and down while they fall.",
        look="Try the losses 3, 4, 2, 3, 1 with patience 2: it may not stop.",
        file="minilm/training/loop.py",
        old="training.bad = 0 if loss < training.best else training.bad + 1",
        new="training.bad += int(loss >= training.best)",
    ),
    bug(
        name="loss-of-last-batch-only",
        title="The loss of the last batch is reported for the epoch",
        why="The epoch's loss is the mean over all of its examples. Here each batch overwrites the one before.",
        right="total += loss * len(batch)",
        wrong="total = loss * len(batch)",
        shows="The curve jumps; the numbers depend on which batch comes last.",
        look="Add up the batches by hand for two of them.",
        file="minilm/training/language_model.py",
        old='total = sum(F.cross_entropy(*pair, reduction="sum").item() for pair in self._predictions(model, ids, rows))',
        new='*_, total = (F.cross_entropy(*pair, reduction="sum").item() for pair in self._predictions(model, ids, rows))',
    ),
    bug(
        name="update-before-backward",
        title="The step comes before the backward pass",
        why=(
            "The update needs the gradients of this step. Here it uses those of the one before (in the first "
            "step none)."
        ),
        right="loss.backward(); optimizer.step()",
        wrong="optimizer.step(); loss.backward()",
        shows="The first step changes nothing, the others come one step late.",
        look="Are the weights changed after one step?",
    ),
    bug(
        name="epochs-for-steps",
        title="Epochs and steps are confused",
        why=("A step is one update with one batch; an epoch is one pass over all data, that is ceil(n / batch) steps."),
        right="steps = epochs * math.ceil(n / size)",
        wrong="steps = epochs",
        shows='Training ends too early, or a schedule over "steps" runs out in the first epoch.',
        look="Count the updates of one epoch.",
    ),
    bug(
        name="evaluation-mode-forgotten",
        title="The model is not switched to evaluation, or not back",
        why=(
            "Dropout and BatchNorm behave differently in training. An evaluation switches to prediction, and "
            "back afterwards."
        ),
        right="model.eval(); loss = evaluate(model); model.train()",
        wrong="loss = evaluate(model)",
        shows="Two evaluations of the same model differ; or training goes on without dropout.",
        look="Print model.training before, during and after the evaluation.",
        file="minilm/training/loop.py",
        old=("        self.model.eval()\n"),
        new="",
    ),
    bug(
        name="accuracy-counts-batches",
        title="The accuracy is a mean over batches, or divided by their number",
        why="The accuracy is the number of right answers divided by the number of examples.",
        right="right / examples",
        wrong="right / batches",
        shows="Values above 1; or, as a mean of batch accuracies, off where the last batch is smaller.",
        look="Count by hand for 3 examples in batches of 2.",
    ),
    bug(
        name="ring-one-round-short",
        title="All-reduce: one round too few",
        why="In a ring of p ranks a sum needs p - 1 rounds to go by all of them, and p - 1 more to come back to all. Here one is missing.",
        right="for step in range(ranks - 1)",
        wrong="for step in range(ranks - 2)",
        shows="Each rank has some chunks without the summand of one other; with two ranks nothing is added at all.",
        look="Two ranks: one round to add, one to spread.",
    ),
    bug(
        name="neighbors-own-chunk-sent",
        title="All-reduce: a rank passes on its own numbers, not the running sum",
        why=(
            "A rank adds what it receives and sends that sum on. Here it sends its own chunk as it was, so that each sum has two summands, "
            "however many ranks there are."
        ),
        right="chunks[k] += received; send(chunks[k])",
        wrong="chunks[k] += received; send(own[k])",
        shows="Right for two ranks, too small for three and more.",
        look="Three ranks with 1, 10, 100: the sum is 111.",
    ),
    bug(
        name="averaged-twice",
        title="Gradients are divided by the number of ranks twice",
        why="Each rank's gradient was divided by the number of ranks, and their sum once more. Divide once: before the sum or behind it.",
        right="all_reduce(g) / ranks",
        wrong="all_reduce(g / ranks) / ranks",
        shows="Right for one rank; with p ranks the steps are p times too short.",
        look="Equal gradients on all ranks: the mean is the same gradient.",
    ),
)
