"""Layers, losses and initialisers, under PyTorch's names."""

from minilm.nn import functional, init
from minilm.nn.dropout import DropConnect, Dropout
from minilm.nn.embedding import Embedding
from minilm.nn.linear import Linear
from minilm.nn.module import Module, ModuleList, Parameter, Sequential
from minilm.nn.norm import BatchNorm1d, BatchNorm2d, LayerNorm, RMSNorm

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "DropConnect",
    "Dropout",
    "Embedding",
    "LayerNorm",
    "Linear",
    "Module",
    "ModuleList",
    "Parameter",
    "RMSNorm",
    "Sequential",
    "functional",
    "init",
]
