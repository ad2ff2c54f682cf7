"""Seq2Seq against transformers' T5 with the same weights: encoder, logits, loss, every gradient, and what is written, token for token.

Where the rules of writing differ: transformers divides log P by n^α (here Wu et al.'s ((5 + n) / 6)^α, or any function), with α = 1
unless told otherwise (here 0); its early_stopping=False guesses when to stop, "never" is the rule here; and where everything is
equally likely it leaves the order to PyTorch.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (pip install 'minilm[oracle]')")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

import minilm as ml
from minilm.formats import safetensors
from minilm.models import Seq2Seq
from minilm.models.seq2seq import relative_buckets
from minilm.pretrained.t5 import from_huggingface, layout, to_huggingface

T5LayerNorm = transformers.models.t5.modeling_t5.T5LayerNorm
T5Attention = transformers.models.t5.modeling_t5.T5Attention

KINDS = {
    "T5": {"feed_forward_proj": "relu", "tie_word_embeddings": True},
    "T5 1.1": {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
}
SOURCE = np.array([[3, 4, 8, 7, 3, 9, 1], [5, 5, 1, 0, 0, 0, 0], [2, 10, 4, 4, 1, 0, 0]])
LEFT = np.array([[3, 4, 8, 7, 3, 9, 1], [0, 0, 0, 0, 5, 5, 1], [0, 0, 2, 10, 4, 4, 1]])
TARGETS = np.array([[6, 4, 3, 1], [2, 1, 0, 0], [5, 9, 1, 0]])


@pytest.fixture(autouse=True)
def _root_mean_square_in_the_models_dtype(monkeypatch):
    """T5LayerNorm computes it in float32 even where the model is float64, so that float64 could not be compared in its digits."""

    def forward(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)

    monkeypatch.setattr(T5LayerNorm, "forward", forward)


def theirs(kind, seed=0, spread=0.5, dtype="float64", **options):
    config = transformers.T5Config(
        **{"vocab_size": 11, "d_model": 8, "d_kv": 3, "d_ff": 10, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 2,
           "dropout_rate": 0.0, "relative_attention_num_buckets": 8, "relative_attention_max_distance": 10,
           "decoder_start_token_id": 0, **KINDS[kind], **options}
    )  # fmt: skip
    config._attn_implementation = "eager"
    model = transformers.T5ForConditionalGeneration(config).eval()
    if kind == "T5 1.1":  # version 5 ties the output in any case, unless a file of weights has two matrices
        model.lm_head.weight = torch.nn.Parameter(torch.zeros(model.lm_head.weight.shape))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * spread + (1.0 if "norm" in name else 0.0))
    return model.to(getattr(torch, dtype))


def ours(model):
    arrays = {name: p.detach().numpy() for name, p in model.state_dict().items()}
    return from_huggingface(model.config.to_dict(), arrays)


def close(got, want, dtype, **how):
    tolerance = {"rtol": 1e-9, "atol": 1e-11} if dtype == "float64" else {"rtol": 1e-4, "atol": 2e-5}
    got, want = (x.numpy() if isinstance(x, ml.Tensor) else x.detach().numpy() for x in (got, want))
    assert got.dtype == want.dtype == dtype
    np.testing.assert_allclose(got, want, **tolerance, **how)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("source", [SOURCE, LEFT, SOURCE[:1]], ids=["padded", "padded on the left", "not padded"])
def test_encoder_logits_loss_and_all_gradients(kind, dtype, source):
    oracle, targets = theirs(kind, dtype=dtype), TARGETS[: len(source)]
    model = ours(oracle)
    labels = torch.tensor(np.where(targets == 0, -100, targets))
    want = oracle(torch.tensor(source), attention_mask=torch.tensor((source != 0) * 1), labels=labels)
    encoded, there = model.encode(source), torch.tensor(source != 0)
    close(encoded.states[ml.Tensor(source != 0)], want.encoder_last_hidden_state[there], dtype)
    close(model(source, model.shift_right(targets)), want.logits, dtype)
    loss = model.loss(source, targets)
    close(loss, want.loss, dtype)
    loss.backward()
    want.loss.backward()
    their_parameters, our_parameters = dict(oracle.named_parameters()), dict(model.named_parameters())
    places = layout(model.config)
    assert {place.ours for place in places.values()} == our_parameters.keys()
    assert places.keys() == their_parameters.keys()
    for name, place in places.items():
        close(our_parameters[place.ours].grad, their_parameters[name].grad, dtype, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_label_smoothing(kind):
    oracle = theirs(kind)
    model = ours(oracle)
    logits = oracle(
        torch.tensor(SOURCE),
        attention_mask=torch.tensor((SOURCE != 0) * 1),
        decoder_input_ids=torch.tensor(model.shift_right(TARGETS).numpy()),
    ).logits
    want = torch.nn.functional.cross_entropy(
        logits.reshape(-1, 11), torch.tensor(TARGETS).reshape(-1), ignore_index=0, label_smoothing=0.2
    )
    close(model.loss(SOURCE, TARGETS, label_smoothing=0.2), want, "float64")


@pytest.mark.parametrize("buckets", [(32, 128), (32, 256), (8, 20), (16, 64), (64, 128), (5, 9), (12, 96)], ids=str)
@pytest.mark.parametrize("bidirectional", [True, False])
def test_buckets(buckets, bidirectional):
    distances = np.arange(-400, 401)
    want = T5Attention._relative_position_bucket(torch.tensor(distances), bidirectional, *buckets).numpy()
    np.testing.assert_array_equal(relative_buckets(distances, bidirectional, *buckets), want)


def written(oracle, source, **options):
    """What transformers writes after the start token, up to the end token or the padding that follows it."""
    with torch.no_grad():
        out = oracle.generate(
            torch.tensor(source), attention_mask=torch.tensor((source != 0) * 1), do_sample=False,
            return_dict_in_generate=True, output_scores=True, pad_token_id=0,
            use_cache=False, **options,  # its cache has as many layers as the encoder
        )  # fmt: skip
    rows = [row[1:] for row in out.sequences.tolist()]
    return [row[: row.index(1) + 1] if 1 in row else row for row in rows], getattr(out, "sequences_scores", None)


def rows_of(source):
    return [row[row != 0].tolist() for row in source]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_greedy_is_the_same_token_for_token(kind, seed):
    oracle = theirs(kind, seed, spread=1.0)
    got = ours(oracle).generate(rows_of(SOURCE), 12)
    want, _ = written(oracle, SOURCE, num_beams=1, max_new_tokens=12)
    assert got == want


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [2, 4])
@pytest.mark.parametrize("alpha", [0.0, 1.0, 2.0])
def test_beams_are_the_same_token_for_token_with_the_same_scores(kind, width, alpha):
    """The n best, with transformers' length penalty and its exact rule for stopping."""
    for seed in range(3):
        oracle = theirs(kind, seed, spread=1.0)
        with torch.no_grad():
            oracle.shared.weight[1] *= 0.3
        options = {"num_beams": width, "num_return_sequences": width, "length_penalty": alpha, "max_new_tokens": 7}
        want, scores = written(oracle, SOURCE, early_stopping="never", **options)
        got = ours(oracle).search(rows_of(SOURCE), 7, width=width, n_best=width, length_penalty=lambda n: n**alpha)
        assert [h.tokens for best in got for h in best] == want
        np.testing.assert_allclose([h.score for best in got for h in best], scores.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "options", [{"no_repeat_ngram_size": 2}, {"min_new_tokens": 3}, {"early_stopping": True}], ids=str
)
def test_the_other_rules_are_the_same(options):
    ours_of = {"no_repeat_ngram_size": "no_repeat_ngram"}
    for seed in range(5):
        oracle = theirs("T5", seed, spread=1.0)
        want, _ = written(
            oracle,
            SOURCE,
            **{"early_stopping": "never", "num_beams": 3, "length_penalty": 0.0, "max_new_tokens": 7, **options},
        )
        got = ours(oracle).search(rows_of(SOURCE), 7, width=3, **{ours_of.get(k, k): v for k, v in options.items()})
        assert [best[0].tokens for best in got] == want


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_that_is_written_here_is_read_there(kind, tmp_path):
    oracle = theirs(kind, dtype="float32")
    model = ours(oracle)
    config, arrays = to_huggingface(model)
    safetensors.write(tmp_path / "model.safetensors", arrays, metadata={"format": "pt"})
    transformers.T5Config(**config).save_pretrained(tmp_path)
    again = transformers.T5ForConditionalGeneration.from_pretrained(tmp_path).eval()
    inputs = {"attention_mask": torch.tensor((SOURCE != 0) * 1), "decoder_input_ids": torch.tensor(TARGETS)}
    with torch.no_grad():
        want = again(torch.tensor(SOURCE), **inputs).logits
    assert (again.lm_head.weight is again.shared.weight) == (kind == "T5")
    close(model(SOURCE, TARGETS), want, "float32")
    again.save_pretrained(tmp_path / "theirs")
    state = safetensors.read(tmp_path / "theirs" / "model.safetensors")
    back = from_huggingface(again.config.to_dict(), state)
    np.testing.assert_array_equal(back(SOURCE, TARGETS).numpy(), model(SOURCE, TARGETS).numpy())
    assert isinstance(back, Seq2Seq)
