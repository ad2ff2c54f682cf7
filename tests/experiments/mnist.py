"""The program of the article's fifth section on all of MNIST, and what a bend and another rate make of it (chapter 5)."""

import numpy as np

from minilm.data import DataLoader, mnist
from minilm.graph import no_grad
from minilm.models import MLP
from minilm.nn import functional as F
from minilm.optim import SGD
from minilm.random import manual_seed
from minilm.tensor import Tensor
from tests.experiments._cells import of_mean

SEEDS, EPOCHS, HELD_OUT = 3, 10, 10_000
NETWORKS = {
    "as printed: two linear layers, rate 0.001": ((784, 128, 10), "none", 0.001),
    "two linear layers, rate 0.02": ((784, 128, 10), "none", 0.02),
    "one linear layer, rate 0.02": ((784, 10), "none", 0.02),
    "ReLU between two layers, rate 0.02": ((784, 128, 10), "relu", 0.02),
}


def prepared(images):
    """The article's transform: -1 (paper) to 1 (ink), a row per image."""
    return (images.reshape(len(images), -1).astype(np.float32) / 255 - 0.5) / 0.5


def right(model, images, labels):
    """1 for each image that the model names correctly, else 0."""
    with no_grad():
        return (model(Tensor(images)).numpy().argmax(axis=1) == labels).astype(float)


def learned(sizes, bend, rate, parts, seed):
    """Which test images are right at the epoch that is best on the validation part, and which epoch that is."""
    learn, choose, test = parts
    manual_seed(seed)
    model, best = MLP(sizes, bend), (0.0, 0, np.zeros(0))
    optimizer = SGD(model.parameters(), lr=rate, momentum=0.9)
    batches = DataLoader(learn, batch_size=64, shuffle=True, seed=seed)
    for epoch in range(1, EPOCHS + 1):
        for images, labels in batches:
            optimizer.zero_grad()
            F.cross_entropy(model(Tensor(images)), Tensor(labels)).backward()
            optimizer.step()
        share = float(right(model, *choose).mean())
        if share > best[0]:
            best = share, epoch, right(model, *test)
    return best


def measure():
    (images, labels), (test_images, test_labels) = mnist()
    order = np.random.default_rng(0).permutation(len(images))
    held, rest = order[:HELD_OUT], order[HELD_OUT:]
    pixels = prepared(images)
    parts = (pixels[rest], labels[rest]), (pixels[held], labels[held]), (prepared(test_images), test_labels)
    for name, (sizes, bend, rate) in NETWORKS.items():
        found = [learned(sizes, bend, rate, parts, seed) for seed in range(SEEDS)]
        epochs = ", ".join(str(epoch) for _, epoch, _ in found)
        yield {"network": name, "best epochs": epochs, "accuracy": of_mean(np.mean([r for *_, r in found], axis=0))}
