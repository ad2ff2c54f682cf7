"""The windowed loss against the loop of transformers' guide to perplexity, on one of its models with the same weights."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from minilm.evaluation import evaluate
from minilm.pretrained import gpt2
from minilm.text import CharTokenizer

CONTEXT, STRIDE = 16, 5


def their_loss(model, ids):
    """Labels of -100 are those of tokens that an earlier window counted."""
    nats, before = 0.0, 0
    for begin in range(0, len(ids), STRIDE):
        end = min(begin + CONTEXT, len(ids))
        labels = torch.tensor([ids[begin:end]])
        labels[:, : max(0, before - begin)] = -100
        with torch.no_grad():
            logits = model(torch.tensor([ids[begin:end]])).logits[0, :-1]
        nats += torch.nn.functional.cross_entropy(logits, labels[0, 1:], reduction="sum", ignore_index=-100).item()
        before = end
        if end == len(ids):
            break
    return nats


def test_the_same_windows_give_the_same_loss():
    """Their windows hold the target, too: 16 tokens of which 15 are seen. A document that they fill exactly is cut alike by both."""
    torch.manual_seed(0)
    tokenizer = CharTokenizer.train("abcdefgh")
    config = transformers.GPT2Config(
        vocab_size=8, n_positions=CONTEXT, n_embd=8, n_layer=2, n_head=2, initializer_range=0.5
    )
    theirs = transformers.GPT2LMHeadModel(config).eval()
    arrays = {name: p.detach().numpy() for name, p in theirs.state_dict().items()}
    ours = gpt2.from_huggingface(config.to_dict(), arrays)
    rng = np.random.default_rng(0)
    for length in (7, CONTEXT, CONTEXT + STRIDE, CONTEXT + 6 * STRIDE):
        text = "".join(rng.choice(list("abcdefgh"), length))
        found = evaluate(ours, tokenizer, [text], context=CONTEXT - 1, stride=STRIDE)
        assert found.tokens.tolist() == [length - 1]
        np.testing.assert_allclose(found.nats[0], their_loss(theirs, tokenizer.encode(text)), rtol=1e-5)
