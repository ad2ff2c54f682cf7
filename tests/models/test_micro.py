"""The GPT in plain Python: by hand, by differences, and against the engine's layers."""

import ast
import math
import random
import sys
from pathlib import Path

import numpy as np
import pytest

import minilm as ml
from minilm import optim
from minilm.models import micro
from minilm.models.micro import Adam, Letters, MicroGPT, Value, attention, rmsnorm, sample, softmax, train, words_of
from minilm.models.micro_tensor import MicroTensorGPT, gradients, numbers

pytestmark = pytest.mark.host  # one side is plain Python

TEXTS = [[4, 0, 1, 2, 4], [4, 3, 3, 0, 4], [4, 2, 4], [4, 1, 1, 1, 0, 4], [4, 2, 0, 3, 4]]


def small(seed=0, deviation=0.4, **sizes):
    """Weights so large that attention has something to choose."""
    sizes = {"block_size": 5, "n_layer": 2, "n_head": 2, "n_embd": 4, **sizes}
    return MicroGPT(5, **sizes, rng=random.Random(seed), deviation=deviation)


def test_it_imports_nothing_but_the_standard_library_and_has_about_200_lines_of_code():
    tree = ast.parse(Path(micro.__file__).read_text())
    nodes = list(ast.walk(tree))
    imported = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    assert {str(name).split(".")[0] for name in imported} <= sys.stdlib_module_names
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            node.body[0] = ast.Pass()
    assert sum(bool(line.strip()) for line in ast.unparse(tree).splitlines()) < 210


# Numbers that know how they were made


def test_a_number_that_is_used_twice_gets_both_parts():
    x = Value(3.0)
    y = x * x + x
    y.backward()
    assert (y.data, x.grad) == (12.0, 7.0)


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (lambda x: x.exp(), math.exp(0.7)),
        (lambda x: x.log(), 1 / 0.7),
        (lambda x: x**3, 3 * 0.49),
        (lambda x: x**-0.5, -0.5 * 0.7**-1.5),
        (lambda x: x.relu() * 2, 2.0),
        (lambda x: (x * -1).relu(), 0.0),
        (lambda x: x + x * x, 2.4),
        (lambda x: micro.dot([x, x * 2], [x, Value(3.0)]), 1.4 + 6),
        (lambda x: micro.total([x, x, x * x]), 3.4),
    ],
)
def test_slopes_by_hand(f, slope):
    x = Value(0.7)
    f(x).backward()
    assert x.grad == pytest.approx(slope)


def test_backward_twice_adds_to_weights_once_more_and_to_nothing_else():
    x = Value(2.0)
    y = x * 3
    z = y * y
    z.backward()
    assert (y.grad, x.grad) == (12.0, 36.0)
    z.backward()
    assert (y.grad, x.grad) == (12.0, 72.0)


def test_a_number_passes_on_what_it_got_only_when_it_has_got_all():
    """A long way and a short one from the same number: it stands in the order before both."""
    x = Value(1.0)
    y = x * 2
    far = y
    for _ in range(4):
        far = far * 3
    (y + far).backward()
    assert x.grad == 2 + 2 * 81


def test_each_number_comes_after_those_that_it_was_made_from():
    order = small().loss(TEXTS[0]).history()
    place = {value: i for i, value in enumerate(order)}
    assert len(place) == len(order)
    assert all(place[parent] < place[value] for value in order for parent in value.parents)


def test_a_chain_is_longer_than_python_may_nest_calls():
    x = y = Value(1.0)
    for _ in range(sys.getrecursionlimit() + 100):
        y = y + 1
    y.backward()
    assert x.grad == 1.0


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda: Value(0.0).log(), "a probability that is asked for must be above 0"),
        (lambda: Value(0.0) ** -0.5, "has no slope"),
        (lambda: Value(-1.0) ** 0.5, "has no slope"),
        (lambda: Value(800.0).exp(), "softmax takes the largest logit off first"),
        (lambda: micro.dot([Value(1.0)], []), "of one length, got 1 and 0"),
        (lambda: small(n_head=3), "3 heads on a width of 4"),
        (lambda: small(n_layer=0), "0 layers"),
        (lambda: small().loss([4]), "2 to 6 tokens, got 1"),
        (lambda: small().loss([4] * 7), "2 to 6 tokens, got 7"),
        (lambda: small().loss([5, 4]), "token 5 is not in the vocabulary"),
        (lambda: small().loss([4, 5]), "token 5 is not in the vocabulary"),
        (lambda: small().loss([-1, 4]), "token -1 is not in the vocabulary"),
        (lambda: next(train(small(), [], 1, random.Random(0))), "nothing to learn from"),
        (lambda: Letters(["ab"]).encode("cab"), "'c' is not among the letters 'ab'"),
        (lambda: sample(small(), 4, random.Random(0), temperature=0), "must be above 0, got 0"),
        (lambda: Adam([Value(1.0)], betas=(1.0, 0.9)), "at least 0 and below 1"),
    ],
)  # fmt: skip
def test_errors_that_teach(f, message):
    with pytest.raises(ValueError, match=message):
        f()


def test_a_full_block_is_an_error_and_a_new_cache_is_not():
    model = small()
    cache = model.new_cache()
    for _ in range(5):
        model.forward(0, cache)
    with pytest.raises(ValueError, match=r"begin a new text with new_cache\(\)"):
        model.forward(0, cache)
    model.forward(0, model.new_cache())


# Vectors


def test_softmax_of_large_numbers():
    p = softmax([Value(1000.0), Value(1000.0 + math.log(3))])
    assert [v.data for v in p] == pytest.approx([0.25, 0.75])


def test_rmsnorm_by_hand_and_of_zeros():
    assert [v.data for v in rmsnorm([Value(3.0), Value(4.0)], 0.0)] == pytest.approx([3 / 12.5**0.5, 4 / 12.5**0.5])
    assert [v.data for v in rmsnorm([Value(0.0)] * 3)] == [0.0] * 3


def test_attention_by_hand():
    """One head as wide as 4: the scores are q · k / 2."""
    vectors = [[Value(v) for v in row] for row in np.eye(4).tolist()]
    (found, *_) = attention([Value(2.0 * math.log(3)), *[Value(0.0)] * 3], vectors[:2], vectors[:2], 1)
    assert found.data == pytest.approx(3 / 4)


# The model


def test_4192_parameters():
    model = MicroGPT(27, rng=random.Random(0))
    assert len(model.parameters()) == len(set(model.parameters())) == 4192


def test_each_weight_by_central_differences():
    model, tokens, h = small(), TEXTS[0], 1e-6
    model.loss(tokens).backward()
    for w in random.Random(1).sample(model.parameters(), 60):
        was, ends = w.data, []
        for w.data in (was + h, was - h):
            ends.append(model.loss(tokens).data)
        w.data = was
        assert w.grad == pytest.approx((ends[0] - ends[1]) / (2 * h), abs=1e-8)


def test_loss_and_every_gradient_are_the_engines():
    for tokens in TEXTS:
        model = small()
        twin = MicroTensorGPT(model)
        ours, theirs = model.loss(tokens), twin.loss(np.array([tokens[:-1]]), np.array([tokens[1:]]))
        assert ours.data == pytest.approx(float(theirs.detach()), rel=1e-12)
        ours.backward()
        theirs.backward()
        weights = dict(twin.named_parameters())
        for name, matrix in model.weights.items():
            np.testing.assert_allclose(gradients(matrix), weights[f"{name}.weight"].grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.fused  # how many steps the engine takes
def test_both_can_be_stepped_through_and_the_engine_takes_fewer_steps():
    """Two letters, forward and backward: numbers of the one, operations of the other."""
    model = MicroGPT(3, 2, n_head=1, n_embd=4, rng=random.Random(0), deviation=0.5)
    loss, twin = model.loss([2, 0, 1]), MicroTensorGPT(model)
    with ml.trace(tokens=["edge", "a"]) as steps:
        other = twin.loss([[2, 0]], [[0, 1]])
        other.backward()
    loss.backward()
    made = [value for value in loss.history() if value.parents]
    assert 2 * len(made) > 8 * len(steps)  # each of them goes forward and back
    np.testing.assert_allclose(gradients(model.weights["wte"]), twin.wte.weight.grad.numpy(), rtol=1e-9)


def test_the_logits_of_each_token_with_a_cache_are_those_of_all_at_once():
    model, tokens = small(), [4, 0, 1, 2, 3]
    cache = model.new_cache()
    ours = [[v.data for v in model.forward(token, cache)] for token in tokens]
    np.testing.assert_allclose(ours, MicroTensorGPT(model)(np.array([tokens])).numpy()[0], rtol=1e-9)


def test_five_steps_of_adam_are_the_engines():
    model = small()
    twin = MicroTensorGPT(model)
    ours, theirs = Adam(model.parameters()), optim.Adam(twin.parameters(), lr=0.01, betas=(0.9, 0.99))
    for tokens in TEXTS:
        loss = model.loss(tokens)
        loss.backward()
        ours.step()
        theirs.zero_grad()
        other = twin.loss(np.array([tokens[:-1]]), np.array([tokens[1:]]))
        other.backward()
        theirs.step()
        assert loss.data == pytest.approx(float(other.detach()), rel=1e-9)
    weights = dict(twin.named_parameters())
    for name, matrix in model.weights.items():
        np.testing.assert_allclose(numbers(matrix), weights[f"{name}.weight"].numpy(), rtol=1e-9, atol=1e-12)


def test_the_first_step_of_adam_is_the_learning_rate_long():
    p = Value(1.0)
    p.grad = 1e-3
    Adam(
        [p], lr=0.01, betas=(0.9, 0.999)
    ).step()  # with 0.9 and 0.99 it would be so without corrections: 0.1 / sqrt(0.01)
    assert (p.data, p.grad) == (pytest.approx(0.99, abs=1e-6), 0.0)


@pytest.mark.parametrize("temperature", [0.6, 1.0])
def test_the_same_draws_give_the_same_letters_as_the_engine(temperature):
    model = small(seed=1, deviation=0.3)
    twin = MicroTensorGPT(model)
    seen = set()
    for seed in range(8):
        rng, tokens = random.Random(seed), [4]
        while len(tokens) <= 5:
            logits = twin(np.array([tokens])).numpy()[0, -1] / temperature
            p = np.exp(logits - logits.max())
            tokens += rng.choices(range(5), (p / p.sum()).tolist())
            if tokens[-1] == 4:
                tokens.pop()
                break
        assert sample(model, 4, random.Random(seed), temperature) == tokens[1:]
        seen.add(tuple(tokens))
    assert len(seen) == 8


def test_it_learns_a_word_by_heart_and_says_it():
    letters = Letters(["abc"])
    model = MicroGPT(letters.vocab_size, 4, n_embd=8, n_head=2, rng=random.Random(0))
    losses = list(train(model, [letters.encode("abc")], 60, random.Random(1), lr=0.05))
    assert losses[0] == pytest.approx(math.log(4), abs=0.3)
    assert losses[-1] < 0.1
    assert letters.decode(sample(model, letters.edge, random.Random(0), 0.2)) == "abc"


def test_the_learning_rate_falls_to_0_and_the_seed_decides():
    runs = [list(train(small(seed), TEXTS, 4, random.Random(seed))) for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


def test_words_and_letters():
    words = words_of("The cat's hat; a Cat, x86 and incomprehensibilities")
    assert words == ["and", "cat", "hat", "the"]
    letters = Letters(words)
    assert (letters.letters, letters.edge) == (["a", "c", "d", "e", "h", "n", "t"], 7)
    assert letters.encode("cat") == [7, 1, 0, 6, 7]
    assert letters.decode([7, 1, 0, 6, 7]) == "cat"


@pytest.mark.parametrize("ids", [np.zeros(3, int), np.zeros((1, 6), int), np.zeros((1, 0), int)])
def test_the_engines_model_reads_texts_that_fit(ids):
    with pytest.raises(ValueError, match="expected ids of shape"):
        MicroTensorGPT(small())(ids)
