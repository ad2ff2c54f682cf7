"""Layers, losses and initialisers, under PyTorch's names."""

from minilm.nn import functional, init
from minilm.nn.activation import (
    CELU,
    ELU,
    GELU,
    GLU,
    SELU,
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    Identity,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softmin,
    Softplus,
    Softshrink,
    Softsign,
    Tanh,
    Tanhshrink,
)
from minilm.nn.attention import MultiHeadAttention
from minilm.nn.conv import (
    AvgPool1d,
    AvgPool2d,
    CircularPad1d,
    CircularPad2d,
    ConstantPad1d,
    ConstantPad2d,
    Conv1d,
    Conv2d,
    ConvTranspose1d,
    ConvTranspose2d,
    Flatten,
    MaxPool1d,
    MaxPool2d,
    ReflectionPad1d,
    ReflectionPad2d,
    ReplicationPad1d,
    ReplicationPad2d,
    Upsample,
    ZeroPad1d,
    ZeroPad2d,
)
from minilm.nn.crf import LinearChainCRF, allowed_transitions
from minilm.nn.dropout import DropConnect, Dropout
from minilm.nn.embedding import Embedding
from minilm.nn.graph import GraphConv, MessagePassing
from minilm.nn.linear import Linear
from minilm.nn.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
)
from minilm.nn.module import Module, ModuleList, Parameter, Sequential
from minilm.nn.norm import BatchNorm1d, BatchNorm2d, LayerNorm, RMSNorm
from minilm.nn.position import LearnedPositions, RotaryPositions, SinusoidalPositions
from minilm.nn.recurrent import GRU, LSTM, RNN
from minilm.nn.transformer import FeedForward, TransformerDecoderLayer, TransformerEncoderLayer

__all__ = ["CELU", "ELU", "GELU", "GLU", "GRU", "LSTM", "RNN", "SELU", "AvgPool1d", "AvgPool2d", "BCELoss",
           "BCEWithLogitsLoss", "BatchNorm1d", "BatchNorm2d", "CircularPad1d", "CircularPad2d", "ConstantPad1d",
           "ConstantPad2d", "Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d", "CrossEntropyLoss", "DropConnect",
           "Dropout", "Embedding", "FeedForward", "Flatten", "GraphConv", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh",
           "HuberLoss", "Identity", "KLDivLoss", "L1Loss", "LayerNorm", "LeakyReLU", "LearnedPositions", "Linear",
           "LinearChainCRF", "LogSigmoid", "LogSoftmax", "MSELoss", "MaxPool1d", "MaxPool2d", "MessagePassing", "Mish", "Module",
           "ModuleList", "MultiHeadAttention", "NLLLoss", "PReLU", "Parameter", "RMSNorm", "ReLU", "ReLU6", "ReflectionPad1d",
           "ReflectionPad2d", "ReplicationPad1d", "ReplicationPad2d", "RotaryPositions", "Sequential", "SiLU",
           "Sigmoid", "SinusoidalPositions", "Softmax", "Softmin", "Softplus", "Softshrink", "Softsign", "Tanh",
           "Tanhshrink", "TransformerDecoderLayer", "TransformerEncoderLayer", "Upsample", "ZeroPad1d", "ZeroPad2d",
           "allowed_transitions", "functional", "init"]  # fmt: skip
