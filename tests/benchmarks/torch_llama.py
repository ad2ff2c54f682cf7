"""Llama's kind of decoder in plain PyTorch, as fast on a CPU as we could make it: the yardstick beside transformers.

What makes it faster than the modules: matrices with the same input are one; the cache has its room from the start; fused norms and
attention; no checks. Names and rows are Hugging Face's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F


class TorchLlama:
    """Weights in float32, one sequence at a time.

    Args:
        config: the fields of Hugging Face's config.json.
        w: the weights by Hugging Face's names; what is put together here is taken out of it.
        room: the longest context, in tokens.
    """

    def __init__(self, config: dict[str, Any], w: dict[str, torch.Tensor], room: int = 1024) -> None:
        self.heads, self.keys = config["num_attention_heads"], config["num_key_value_heads"]
        self.width, self.eps = config["head_dim"], config["rms_norm_eps"]
        self.embedding, self.last = w["model.embed_tokens.weight"], w["model.norm.weight"]
        self.head = w.get("lm_head.weight", self.embedding)
        self.layers = []
        for i in range(config["num_hidden_layers"]):
            at = f"model.layers.{i}."
            attend = torch.cat([w.pop(f"{at}self_attn.{name}_proj.weight") for name in "qkv"])
            feed = torch.cat([w.pop(f"{at}mlp.{name}_proj.weight") for name in ("gate", "up")])
            cache = torch.empty(2, 1, self.keys, room, self.width)
            self.layers.append((w[at + "input_layernorm.weight"], attend, w[at + "self_attn.o_proj.weight"],
                                w[at + "post_attention_layernorm.weight"], feed, w[at + "mlp.down_proj.weight"], cache))  # fmt: skip
        speed = config["rope_theta"] ** (-torch.arange(0, self.width, 2) / self.width)
        angle = torch.arange(room)[:, None] * torch.cat([speed, speed])
        self.cos, self.sin = angle.cos(), angle.sin()

    @classmethod
    def open(cls, folder: Path) -> TorchLlama:
        """The model of a folder with config.json and model.safetensors."""
        from safetensors.torch import load_file

        return cls(json.loads((folder / "config.json").read_text()), load_file(folder / "model.safetensors"))

    def logits(self, ids: torch.Tensor, start: int) -> torch.Tensor:
        """After the last of `ids`, which follow `start` tokens in the cache."""
        T, stop = len(ids), start + len(ids)
        cos, sin = self.cos[start:stop, None], self.sin[start:stop, None]
        x = self.embedding[ids]
        for norm_1, attend, project, norm_2, feed, down, cache in self.layers:
            qkv = F.linear(F.rms_norm(x, norm_1.shape, norm_1, self.eps), attend).view(T, -1, self.width)
            qk, v = qkv[:, : self.heads + self.keys], qkv[:, self.heads + self.keys :]
            a, b = qk.chunk(2, -1)
            qk = qk * cos + torch.cat([-b, a], -1) * sin
            cache[0, 0, :, start:stop] = qk[:, self.heads :].transpose(0, 1)
            cache[1, 0, :, start:stop] = v.transpose(0, 1)
            q = qk[:, : self.heads].transpose(0, 1)[None]
            y = F.scaled_dot_product_attention(
                q, cache[0, :, :, :stop], cache[1, :, :, :stop], is_causal=T > 1, enable_gqa=True
            )
            x = x + F.linear(y[0].transpose(0, 1).reshape(T, -1), project)
            gate, up = F.linear(F.rms_norm(x, norm_2.shape, norm_2, self.eps), feed).chunk(2, -1)
            x = x + F.linear(F.silu(gate) * up, down)
        return F.linear(F.rms_norm(x[-1:], self.last.shape, self.last, self.eps), self.head)[0]

    def write(self, prompt: list[int], count: int, told: Callable[[], None]) -> list[int]:
        """The likeliest tokens after a prompt."""
        written: list[int] = []
        ids, start = torch.tensor(prompt), 0
        for _ in range(count):
            token = int(self.logits(ids, start).argmax())
            start += len(ids)
            ids = torch.tensor([token])
            written.append(token)
            told()
        return written

    def read(self, prompt: list[int]) -> None:
        """The prompt alone."""
        self.logits(torch.tensor(prompt), 0)
