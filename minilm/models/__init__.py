"""Models: one file, one model."""

from minilm.models.beam import Hypothesis, PromptScorer, Rules, beam_search, exhaustive_search, greedy_search
from minilm.models.bert import (
    Bert,
    BertBiEncoder,
    BertConfig,
    BertForMaskedLM,
    BertForNextSentencePrediction,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from minilm.models.cache import KVCache
from minilm.models.generation import Sampler, generate
from minilm.models.gpt import GPT, GPTConfig
from minilm.models.llama import Llama, LlamaConfig
from minilm.models.mlp import MLP
from minilm.models.seq2seq import Seq2Seq, Seq2SeqConfig

__all__ = [
    "GPT",
    "MLP",
    "Bert",
    "BertBiEncoder",
    "BertConfig",
    "BertForMaskedLM",
    "BertForNextSentencePrediction",
    "BertForQuestionAnswering",
    "BertForSequenceClassification",
    "BertForTokenClassification",
    "GPTConfig",
    "Hypothesis",
    "KVCache",
    "Llama",
    "LlamaConfig",
    "PromptScorer",
    "Rules",
    "Sampler",
    "Seq2Seq",
    "Seq2SeqConfig",
    "beam_search",
    "exhaustive_search",
    "generate",
    "greedy_search",
]
