"""The loss of the GPT of `minilm.models.micro`, written with PyTorch's functions; weights by name, as there."""

import torch
from torch.nn import functional as F


def loss_of(weights, tokens, n_layer, n_head):
    ids, targets = torch.tensor(tokens[:-1]), torch.tensor(tokens[1:])
    T, C = len(ids), weights["wte"].shape[1]

    def norm(x):
        return F.rms_norm(x, (C,), eps=1e-5)

    x = weights["wte"][ids] + weights["wpe"][:T]
    for i in range(n_layer):
        query, key, value, out, up, down = (
            weights[f"blocks.{i}.{name}"] for name in ("query", "key", "value", "out", "up", "down")
        )
        q, k, v = ((norm(x) @ w.T).view(T, n_head, -1).transpose(0, 1) for w in (query, key, value))
        x = x + F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(0, 1).reshape(T, C) @ out.T
        x = x + F.relu(norm(x) @ up.T) @ down.T
    return F.cross_entropy(norm(x) @ weights["head"].T, targets)
