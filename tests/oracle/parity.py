"""The Transformer family beside transformers and PyTorch with the same weights: the largest difference, as a table.

``python -m tests.oracle.parity``. A difference is the largest of an array divided by the array's largest number; the gradients of all
parameters count as one array, since some are 0 but for rounding (of BERT's key biases, say). The tests of this folder hold the same
comparisons to a tolerance, number by number.
"""

import itertools

import numpy as np
import torch

import minilm as ml
from minilm.pretrained import bert, t5
from tests.oracle import test_bert, test_llama, test_t5


def gradients(pairs):
    """`difference` of all pairs as one array."""
    got, want = zip(*pairs, strict=True)
    return difference(
        *(np.concatenate([np.ravel(x.numpy() if hasattr(x, "numpy") else x) for x in side]) for side in (got, want))
    )


def difference(got, want):
    """The largest of an array, relative to the array's largest number."""
    got, want = (
        x.numpy() if isinstance(x, ml.Tensor) else np.asarray(x.detach() if torch.is_tensor(x) else x)
        for x in (got, want)
    )
    return float(np.abs(got - want).max() / np.abs(want).max())


def encoder(padded, dtype):
    """BERT: a hidden vector for each token, and the loss of a masked language model."""
    oracle = test_bert.theirs("BertForMaskedLM", dtype)
    model, (ids, mask, segments) = test_bert.ours(oracle), test_bert.batch(padded)
    given = "BertForMaskedLM", ids, mask, segments
    (got,), (want,) = test_bert.our_outputs(model, *given), test_bert.their_outputs(oracle, *given)
    test_bert.our_loss(model, *given).backward()
    test_bert.their_loss(oracle, *given).backward()
    named = dict(model.named_parameters())
    theirs = {name.removeprefix("bert."): p.grad for name, p in oracle.named_parameters()}
    places = bert.layout(model.config, "BertForMaskedLM", 2)
    return difference(got.numpy()[mask], want.detach().numpy()[mask]), gradients(
        (named[place.ours].grad, theirs[name]) for name, place in places.items()
    )


def pytorchs_encoder(padded, dtype):
    """The same layers as `torch.nn.TransformerEncoder`."""
    model = test_bert.ours(test_bert.theirs("BertModel")).to(dtype)
    stack, (ids, mask, _) = test_bert.as_pytorch(model.to("float64")).to(getattr(torch, dtype)), test_bert.batch(padded)
    model.to(dtype)
    x = model.norm(model.positions(model.words(ids) + model.segments(np.zeros_like(ids)))).numpy()
    there, y = torch.tensor(x, requires_grad=True), (start := ml.Tensor(x, requires_grad=True))
    want = stack(there, src_key_padding_mask=torch.from_numpy(~mask))
    for layer in model.layers:
        y = layer(y, key_padding_mask=~mask)
    up = (np.random.default_rng(2).standard_normal(y.shape) * mask[..., None]).astype(dtype)
    (y * ml.Tensor(up)).sum().backward()
    (want * torch.from_numpy(up)).sum().backward()
    return difference(y.numpy()[mask], want.detach().numpy()[mask]), difference(start.grad, there.grad)


def decoder(padded, dtype):
    """Llama with two query heads for each head of keys and values; padded: rows of several lengths, whose ends are not learned from."""
    oracle = test_llama.theirs(num_key_value_heads=3, tie_word_embeddings=True)
    model = test_llama.ours(oracle).to(dtype)
    oracle = oracle if dtype == "float32" else test_llama.in_float64(oracle)
    ids, lengths = test_llama.IDS, np.array([10, 6, 2] if padded else [10, 10, 10])
    mask = np.arange(10) < lengths[:, None]
    targets = np.where(mask, ids[:, 1:], -100)
    got, want = model(ids[:, :-1]), oracle(torch.tensor(ids[:, :-1]), attention_mask=torch.tensor(mask * 1)).logits
    ml.nn.functional.cross_entropy(got.reshape(-1, 19), targets.reshape(-1), ignore_index=-100).backward()
    torch.nn.functional.cross_entropy(want.reshape(-1, 19), torch.tensor(targets).reshape(-1)).backward()
    grads, theirs = test_llama.ours_as_theirs(model), dict(oracle.named_parameters())
    return difference(got.numpy()[mask], want.detach().numpy()[mask]), gradients(
        (grads[name], p.grad) for name, p in theirs.items()
    )


def encoder_decoder(padded, dtype):
    """T5 1.0: logits with teacher forcing."""
    oracle, source = test_t5.theirs("T5", dtype=dtype), test_t5.SOURCE if padded else test_t5.SOURCE[:1]
    model, targets = test_t5.ours(oracle), test_t5.TARGETS[: len(source)]
    labels = torch.tensor(np.where(targets == 0, -100, targets))
    want = oracle(torch.tensor(source), attention_mask=torch.tensor((source != 0) * 1), labels=labels)
    got = model(source, model.shift_right(targets))
    model.loss(source, targets).backward()
    want.loss.backward()
    named, theirs = dict(model.named_parameters()), dict(oracle.named_parameters())
    return difference(got, want.logits), gradients(
        (named[place.ours].grad, theirs[name].grad) for name, place in t5.layout(model.config).items()
    )


ROWS = {
    "BERT, transformers": encoder,
    "encoder layers, torch.nn": pytorchs_encoder,
    "Llama, transformers": decoder,
    "T5, transformers": encoder_decoder,
}


def main():
    def root_mean_square(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)

    test_t5.T5LayerNorm.forward = root_mean_square  # theirs computes in float32 whatever the dtype
    print(
        f"{'':26}{'':14}{'float32':>20}{'float64':>22}\n{'':40}{'output':>10}{'gradient':>10}{'output':>12}{'gradient':>10}"
    )
    for (name, compare), padded in itertools.product(ROWS.items(), (False, True)):
        found = [figure for dtype in ("float32", "float64") for figure in compare(padded, dtype)]
        print(f"{name:26}{'padded' if padded else 'not padded':14}" + "  ".join(f"{figure:10.1e}" for figure in found))


if __name__ == "__main__":
    main()
