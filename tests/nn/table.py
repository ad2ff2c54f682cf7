"""Every layer once: how it is made and what it is called with. A new layer is tested by being entered here."""

import numpy as np

from minilm import nn
from minilm.ops.op import distinct, integer, real, simplex

PADDING = np.array([[False, False, True], [False, False, False]])


class Row:
    """A layer, its inputs (as an op's samples state theirs), and the inputs that are passed by name as they are."""

    def __init__(self, name, make, *inputs, train=True, **named):
        self.name, self.make, self.inputs, self.train, self.named = name, make, inputs, train, named

    def __repr__(self):
        return self.name


ROWS = [
    Row("Linear", lambda: nn.Linear(3, 2), real(4, 3)),
    Row("Linear, no bias, 3 axes", lambda: nn.Linear(3, 2, bias=False), real(2, 2, 3)),
    Row("Linear, a vector", lambda: nn.Linear(3, 2), real(3)),
    Row("Embedding", lambda: nn.Embedding(5, 3), integer(2, 4, high=5)),
    Row("Embedding, padding", lambda: nn.Embedding(5, 3, padding_idx=-1), integer(2, 4, high=4)),
    Row("Dropout", lambda: nn.Dropout(0.4), real(4, 3)),
    Row("Dropout, predicting", lambda: nn.Dropout(0.4), real(4, 3), train=False),
    Row("DropConnect", lambda: nn.DropConnect(nn.Linear(3, 2), 0.4), real(4, 3)),
    Row("DropConnect, predicting", lambda: nn.DropConnect(nn.Linear(3, 2), 0.4), real(4, 3), train=False),
    Row("LayerNorm", lambda: nn.LayerNorm(4), real(2, 3, 4)),
    Row("LayerNorm, no bias", lambda: nn.LayerNorm(4, bias=False), real(3, 4)),
    Row("LayerNorm, nothing learnt", lambda: nn.LayerNorm(4, eps=0.1, elementwise_affine=False), real(3, 4)),
    Row("RMSNorm", lambda: nn.RMSNorm(4), real(2, 3, 4)),
    Row("RMSNorm, nothing learnt", lambda: nn.RMSNorm(4, elementwise_affine=False), real(2, 4)),
    Row("BatchNorm1d", lambda: nn.BatchNorm1d(3), real(4, 3)),
    Row("BatchNorm1d, sequences", lambda: nn.BatchNorm1d(2, momentum=None), real(3, 2, 2)),
    Row("BatchNorm1d, predicting", lambda: nn.BatchNorm1d(3), real(4, 3), train=False),
    Row("BatchNorm1d, nothing learnt", lambda: nn.BatchNorm1d(3, affine=False), real(4, 3)),
    Row("BatchNorm2d", lambda: nn.BatchNorm2d(2), real(2, 2, 2, 3)),
    Row("BatchNorm2d, predicting", lambda: nn.BatchNorm2d(2), real(2, 2, 2, 3), train=False),
    Row("Conv1d", lambda: nn.Conv1d(2, 3, 2, padding=1), real(2, 2, 4)),
    Row("Conv1d, groups", lambda: nn.Conv1d(4, 2, 2, stride=2, groups=2, bias=False), real(1, 4, 5)),
    Row("Conv2d", lambda: nn.Conv2d(2, 3, 2), real(2, 2, 3, 3)),
    Row("Conv2d, options", lambda: nn.Conv2d(2, 2, (2, 1), stride=(1, 2), padding=(1, 0), dilation=2), real(1, 2, 3, 3)),
    Row("MaxPool2d", lambda: nn.MaxPool2d(2), distinct(1, 2, 4, 4)),
    Row("AvgPool2d", lambda: nn.AvgPool2d(2, stride=1, padding=1), real(1, 2, 3, 3)),
    Row("Flatten", lambda: nn.Flatten(), real(2, 3, 2)),
    Row("RNN", lambda: nn.RNN(3, 2), real(3, 2, 3)),
    Row("RNN, relu, no bias", lambda: nn.RNN(3, 2, nonlinearity="relu", bias=False), real(3, 2, 3)),
    Row("RNN, from a state", lambda: nn.RNN(3, 2, batch_first=True), real(2, 3, 3), real(1, 2, 2)),
    Row("RNN, lengths", lambda: nn.RNN(3, 2, bidirectional=True), real(3, 2, 3), lengths=[3, 1]),
    Row("LSTM", lambda: nn.LSTM(3, 2), real(3, 2, 3)),
    Row("LSTM, 2 layers, both ways", lambda: nn.LSTM(2, 2, 2, bidirectional=True), real(2, 2, 2), lengths=[2, 1]),
    Row("LSTM, dropout", lambda: nn.LSTM(2, 2, 2, dropout=0.5), real(2, 2, 2)),
    Row("GRU", lambda: nn.GRU(3, 2), real(3, 2, 3)),
    Row("GRU, 2 layers, from a state", lambda: nn.GRU(2, 2, 2, batch_first=True), real(2, 2, 2), real(2, 2, 2)),
    Row("Tanh", nn.Tanh, real(2, 3)),
    Row("Sigmoid", nn.Sigmoid, real(2, 3)),
    Row("ReLU", nn.ReLU, real(2, 3, kinks=(0.0,))),
    Row("LeakyReLU", lambda: nn.LeakyReLU(0.2), real(2, 3, kinks=(0.0,))),
    Row("GELU", nn.GELU, real(2, 3)),
    Row("GELU, tanh", lambda: nn.GELU("tanh"), real(2, 3)),
    Row("SiLU", nn.SiLU, real(2, 3)),
    Row("Softplus", nn.Softplus, real(2, 3)),
    Row("Softmax", nn.Softmax, real(2, 3)),
    Row("LogSoftmax", lambda: nn.LogSoftmax(axis=0), real(2, 3)),
    Row("MultiHeadAttention", lambda: nn.MultiHeadAttention(4, 2), real(2, 3, 4)),
    Row("MultiHeadAttention, causal, no bias", lambda: nn.MultiHeadAttention(4, 2, bias=False), real(1, 3, 4), causal=True),
    Row("MultiHeadAttention, cross", lambda: nn.MultiHeadAttention(4, 1), real(2, 2, 4), real(2, 3, 4)),
    Row("MultiHeadAttention, padding", lambda: nn.MultiHeadAttention(4, 2), real(2, 3, 4), key_padding_mask=PADDING),
    Row("MultiHeadAttention, scores added", lambda: nn.MultiHeadAttention(4, 2), real(2, 3, 4), real(2, 3, 4), real(2, 3, 4),
        real(3, 3), key_padding_mask=PADDING),
    Row("MultiHeadAttention, dropout", lambda: nn.MultiHeadAttention(4, 2, dropout=0.4), real(1, 3, 4)),
    Row("FeedForward", lambda: nn.FeedForward(3, 4, "tanh", dropout=0.3), real(2, 3)),
    Row("TransformerEncoderLayer, post-norm", lambda: nn.TransformerEncoderLayer(4, 2, 3, 0.0, "gelu"), real(2, 3, 4),
        key_padding_mask=PADDING),
    Row("TransformerEncoderLayer, pre-norm", lambda: nn.TransformerEncoderLayer(4, 2, 3, 0.2, "tanh", norm_first=True),
        real(1, 3, 4), causal=True),
    Row("TransformerDecoderLayer, post-norm", lambda: nn.TransformerDecoderLayer(4, 2, 3, 0.0, "silu"), real(1, 2, 4), real(1, 3, 4)),
    Row("TransformerDecoderLayer, pre-norm", lambda: nn.TransformerDecoderLayer(4, 1, 3, 0.0, "tanh", norm_first=True, bias=False),
        real(2, 2, 4), real(2, 3, 4), memory_key_padding_mask=PADDING),
    Row("SinusoidalPositions", lambda: nn.SinusoidalPositions(5, 4), real(2, 3, 4), start=1),
    Row("LearnedPositions", lambda: nn.LearnedPositions(5, 4), real(2, 3, 4), start=1),
    Row("RotaryPositions", lambda: nn.RotaryPositions(4), real(2, 3, 4), start=2),
    Row("CrossEntropyLoss", nn.CrossEntropyLoss, real(4, 3), integer(4, high=3)),
    Row("CrossEntropyLoss, options", lambda: nn.CrossEntropyLoss(np.array([1.0, 2.0, 0.5], np.float32), 1, 0.1, "sum"), real(4, 3),
        integer(4, high=3)),
    Row("CrossEntropyLoss, distributions", lambda: nn.CrossEntropyLoss(reduction="none"), real(4, 3), simplex(4, 3)),
    Row("NLLLoss", lambda: nn.NLLLoss(np.array([1.0, 2.0, 0.5], np.float32)), real(4, 3), integer(4, high=3)),
    Row("BCELoss", nn.BCELoss, real(2, 3, low=0.1, high=0.9), real(2, 3, low=0.1, high=0.9)),
    Row("BCEWithLogitsLoss", lambda: nn.BCEWithLogitsLoss(np.array([1.0, 2.0, 0.5], np.float32)), real(2, 3),
        real(2, 3, low=0.0, high=1.0)),
    Row("MSELoss", nn.MSELoss, real(2, 3), real(2, 3)),
    Row("L1Loss", lambda: nn.L1Loss("sum"), distinct(2, 3), real(2, 3, low=-0.1, high=0.1)),
    Row("HuberLoss", lambda: nn.HuberLoss(0.7), real(2, 3), real(2, 3)),
    Row("KLDivLoss", lambda: nn.KLDivLoss(reduction="batchmean"), real(2, 3), simplex(2, 3)),
    Row("KLDivLoss, log target", lambda: nn.KLDivLoss(log_target=True), real(2, 3), real(2, 3)),
    Row("Sequential", lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), real(2, 3)),
]  # fmt: skip
