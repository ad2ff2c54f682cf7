"""The models of the benchmarks in PyTorch, written as PyTorch's users write them: its layers, fused attention, minilm's names."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

# -- GPT ----------------------------------------------------------------------------------------------------------------


class Attention(nn.Module):
    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        C = options["n_embd"]
        self.n_head = options["n_head"]
        self.c_attn, self.c_proj = nn.Linear(C, 3 * C, bias=False), nn.Linear(C, C, bias=False)

    def heads(self, x: Any) -> tuple[Any, ...]:
        B, T, C = x.shape
        return tuple(part.view(B, T, self.n_head, -1).transpose(1, 2) for part in self.c_attn(x).split(C, dim=2))

    def forward(self, x: Any) -> Any:
        q, k, v = self.heads(x)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).reshape(x.shape))

    def append(self, x: Any, keys: Any, values: Any, start: int) -> Any:
        """The same for the tokens after `start`, whose keys and values are written to the caches (B, H, room, D)."""
        q, k, v = self.heads(x)
        end = start + x.shape[1]
        keys[:, :, start:end], values[:, :, start:end] = k, v
        y = F.scaled_dot_product_attention(q, keys[:, :, :end], values[:, :, :end], is_causal=start == 0)
        return self.c_proj(y.transpose(1, 2).reshape(x.shape))


class Feed(nn.Module):
    def __init__(self, C: int) -> None:
        super().__init__()
        self.c_fc, self.c_proj = nn.Linear(C, 4 * C, bias=False), nn.Linear(4 * C, C, bias=False)

    def forward(self, x: Any) -> Any:
        return self.c_proj(F.gelu(self.c_fc(x)))


class Block(nn.Module):
    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        C = options["n_embd"]
        self.ln_1, self.ln_2 = nn.LayerNorm(C, bias=False), nn.LayerNorm(C, bias=False)
        self.attn, self.mlp = Attention(options), Feed(C)

    def forward(self, x: Any) -> Any:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))

    def append(self, x: Any, keys: Any, values: Any, start: int) -> Any:
        x = x + self.attn.append(self.ln_1(x), keys, values, start)
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        C = options["n_embd"]
        self.wte, self.wpe = nn.Embedding(options["vocab_size"], C), nn.Embedding(options["block_size"], C)
        self.blocks = nn.ModuleList([Block(options) for _ in range(options["n_layer"])])
        self.ln_f = nn.LayerNorm(C, bias=False)
        self.register_buffer("positions", torch.arange(options["block_size"]))

    def loss(self, ids: Any, targets: Any) -> Any:
        x = self.wte(ids) + self.wpe(self.positions[: ids.shape[1]])
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.ln_f(x), self.wte.weight)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.reshape(-1))

    def append(self, ids: Any, caches: list[tuple[Any, Any]], start: int) -> Any:
        """The logits (B, vocab_size) after the last of the `ids`, which follow `start` tokens that the caches hold."""
        x = self.wte(ids) + self.wpe(self.positions[start : start + ids.shape[1]])
        for block, (keys, values) in zip(self.blocks, caches, strict=True):
            x = block.append(x, keys, values, start)
        return F.linear(self.ln_f(x[:, -1]), self.wte.weight)


# -- the other models ---------------------------------------------------------------------------------------------------


class Perceptron(nn.Module):
    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(m, n) for m, n in itertools.pairwise(widths)])

    def forward(self, x: Any) -> Any:
        *hidden, last = self.layers
        for layer in hidden:
            x = F.relu(layer(x))
        return last(x)


class SelfAttention(nn.Module):
    def __init__(self, C: int, n_head: int) -> None:
        super().__init__()
        self.n_head = n_head
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(C, C) for _ in range(4))

    def forward(self, x: Any, keep: Any) -> Any:
        B, T, C = x.shape
        q, k, v = (f(x).view(B, T, self.n_head, -1).transpose(1, 2) for f in (self.q_proj, self.k_proj, self.v_proj))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=keep)
        return self.out_proj(y.transpose(1, 2).reshape(B, T, C))


class TwoLinear(nn.Module):
    def __init__(self, C: int, hidden: int, activation: Callable[[Any], Any] = F.relu, bias: bool = True) -> None:
        super().__init__()
        self.up, self.down, self.activation = nn.Linear(C, hidden, bias), nn.Linear(hidden, C, bias), activation

    def forward(self, x: Any) -> Any:
        return self.down(self.activation(self.up(x)))


class EncoderLayer(nn.Module):
    def __init__(self, options: dict[str, Any], activation: Callable[[Any], Any] = F.relu, eps: float = 1e-5) -> None:
        super().__init__()
        C = options["n_embd"]
        self.self_attn = SelfAttention(C, options["n_head"])
        self.feed_forward = TwoLinear(C, options["hidden"], activation)
        self.norm1, self.norm2 = nn.LayerNorm(C, eps), nn.LayerNorm(C, eps)

    def forward(self, x: Any, keep: Any) -> Any:
        x = self.norm1(x + self.self_attn(x, keep))
        return self.norm2(x + self.feed_forward(x))


class Bert(nn.Module):
    """MiniLM's shape of BERT, and a vector of length 1 for each text: the mean over its tokens."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        C, eps = options["n_embd"], options["eps"]
        self.words, self.segments = nn.Embedding(options["vocab_size"], C), nn.Embedding(2, C)
        self.positions, self.norm = nn.Embedding(options["block_size"], C), nn.LayerNorm(C, eps)
        self.layers = nn.ModuleList([EncoderLayer(options, F.gelu, eps) for _ in range(options["n_layer"])])

    def embed(self, ids: Any, mask: Any) -> Any:
        x = self.norm(self.words(ids) + self.segments.weight[0] + self.positions.weight[: ids.shape[1]])
        seen = mask[:, None, None, :]
        for layer in self.layers:
            x = layer(x, seen)
        kept = mask[..., None].float()
        return F.normalize((x * kept).sum(1) / kept.sum(1), dim=-1)


# -- the encoder-decoder ------------------------------------------------------------------------------------------------


def buckets(queries: int, keys: int, bidirectional: bool, count: int, longest: int) -> Any:
    """The class of each distance between two tokens (Raffel et al. 2020, section 2.1): (queries, keys)."""
    distances = torch.arange(keys) - torch.arange(queries)[:, None]
    n = count // 2 if bidirectional else count
    away, m = distances.abs() if bidirectional else (-distances).clamp(min=0), n // 2
    growing = (n - m) * torch.log(away.clamp(min=1).double() / m) / math.log(longest / m)
    far = (m + (growing + 1e-9).floor().long()).clamp(
        max=n - 1
    )  # where the logarithm is whole, rounding must not decide
    return torch.where(away < m, away, far) + (n * (distances > 0) if bidirectional else 0)


class RelativePositions(nn.Module):
    def __init__(self, options: dict[str, Any], length: int, bidirectional: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(options["buckets"], options["n_head"])
        found = buckets(length, length, bidirectional, options["buckets"], options["longest"])
        self.register_buffer("classes", found, persistent=False)

    def forward(self) -> Any:
        return self.embedding(self.classes).permute(2, 0, 1)[None]


class T5Attention(nn.Module):
    """Scores are not scaled, and there are no biases."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        C, self.n_head, inner = options["n_embd"], options["n_head"], options["n_head"] * options["head"]
        self.q, self.k, self.v = (nn.Linear(C, inner, bias=False) for _ in range(3))
        self.o = nn.Linear(inner, C, bias=False)

    def heads(self, x: Any) -> Any:
        return x.view(*x.shape[:2], self.n_head, -1).transpose(1, 2)

    def forward(self, x: Any, memory: Any, mask: Any) -> Any:
        q, k, v = self.heads(self.q(x)), self.heads(self.k(memory)), self.heads(self.v(memory))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=1.0)
        return self.o(y.transpose(1, 2).reshape(*x.shape[:2], -1))


class T5Block(nn.Module):
    """A block of the encoder, or with `cross` of the decoder."""

    def __init__(self, options: dict[str, Any], cross: bool) -> None:
        super().__init__()
        C, eps = options["n_embd"], options["eps"]
        self.ln_1, self.attn, self.ln_2 = nn.RMSNorm(C, eps), T5Attention(options), nn.RMSNorm(C, eps)
        if cross:
            self.cross, self.ln_3 = T5Attention(options), nn.RMSNorm(C, eps)
        self.mlp = TwoLinear(C, options["hidden"], bias=False)

    def forward(self, x: Any, bias: Any, memory: Any = None, mask: Any = None) -> Any:
        h = self.ln_1(x)
        x = x + self.attn(h, h, bias)
        if memory is None:
            return x + self.mlp(self.ln_2(x))
        x = x + self.cross(self.ln_2(x), memory, mask)
        return x + self.mlp(self.ln_3(x))


class T5Stack(nn.Module):
    def __init__(self, options: dict[str, Any], length: int, decoder: bool) -> None:
        super().__init__()
        self.positions = RelativePositions(options, length, bidirectional=not decoder)
        self.blocks = nn.ModuleList([T5Block(options, decoder) for _ in range(options["n_layer"])])
        self.ln_f = nn.RMSNorm(options["n_embd"], options["eps"])

    def forward(self, x: Any, allowed: Any, memory: Any = None, mask: Any = None) -> Any:
        """`allowed`: True where the stack's own tokens may be attended to."""
        bias = self.positions().masked_fill(~allowed, -math.inf)
        for block in self.blocks:
            x = block(x, bias, memory, mask)
        return self.ln_f(x)


class Seq2Seq(nn.Module):
    """T5's first version: ReLU, one matrix for the tokens and the output layer."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        C, T = options["n_embd"], options["target"]
        self.shared, self.scale = nn.Embedding(options["vocab_size"], C), C**-0.5
        self.encoder, self.decoder = T5Stack(options, options["source"], False), T5Stack(options, T, True)
        self.register_buffer("causal", torch.ones(T, T, dtype=torch.bool).tril(), persistent=False)

    def loss(self, source: Any, targets: Any) -> Any:
        mask = (source != 0)[:, None, None, :]
        states = self.encoder(self.shared(source), mask)
        inputs = F.pad(targets[:, :-1], (1, 0))  # the start token is 0, as padding is
        y = self.decoder(self.shared(inputs), self.causal, states, mask)
        logits = F.linear(y * self.scale, self.shared.weight)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.reshape(-1), ignore_index=0)
