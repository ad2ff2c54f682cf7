"""Evaluation of language models in one place: the same documents, the same sums, whatever the model and its tokens are."""

from minilm.evaluation.documents import SPLITS, read_documents
from minilm.evaluation.language_model import MEASURES, Difference, Evaluation, compare, evaluate

__all__ = [
    "MEASURES",
    "SPLITS",
    "Difference",
    "Evaluation",
    "compare",
    "evaluate",
    "read_documents",
]
