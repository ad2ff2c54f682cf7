"""Layers, losses and initialisers, under PyTorch's names."""

from minilm.nn.module import Module, ModuleList, Parameter, Sequential

__all__ = ["Module", "ModuleList", "Parameter", "Sequential"]
