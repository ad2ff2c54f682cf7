"""What is measured of a model's answers: numbers and strings go in, numbers come out. Nothing here knows of tensors or models.

Everywhere what is true comes first, and what a system said second, with one entry per example. A metric is a `Score`: its value, its
interval by the bootstrap, and its paired difference from that of another system. Its docstring has the formula, where it comes from, and
what it is of degenerate input. By hand, and compared in `tests/oracle` with scikit-learn, sacrebleu, rouge-score and seqeval.
"""

from minilm.metrics.answers import exact_match, normalized, token_f1
from minilm.metrics.association import Association, effect_size, leanings, weat
from minilm.metrics.bleu import bleu, sentence_bleu
from minilm.metrics.calibration import Reliability, brier, calibration_error, reliability
from minilm.metrics.chrf import chrf
from minilm.metrics.classification import Confusion, accuracy, confusion_matrix, f1, per_class, precision, recall
from minilm.metrics.correlation import mean_absolute_error, pearson, spearman
from minilm.metrics.direction import along, neighbor_share, pair_direction, without
from minilm.metrics.fairness import (
    Shares,
    demographic_parity_difference,
    equal_opportunity_difference,
    equal_opportunity_thresholds,
    equalized_odds_difference,
    false_positive_difference,
    group_scores,
    group_shares,
    implied_false_positive_rate,
    predictive_parity_difference,
    reweighting,
)
from minilm.metrics.interval import Interval, difference_interval, ratio_interval
from minilm.metrics.language_model import bits_per_byte, bits_per_character, loss_per_token, perplexity, text_size
from minilm.metrics.ranking import (
    PrecisionRecallCurve,
    RocCurve,
    auc,
    average_precision,
    precision_recall_curve,
    roc_curve,
    true_positive_rate_at,
)
from minilm.metrics.retrieval import mrr, ndcg, ranks, recall_at
from minilm.metrics.rouge import rouge
from minilm.metrics.score import Score
from minilm.metrics.spans import Span, span_f1, span_precision, span_recall, spans, tags_of
from minilm.metrics.student import mean_interval, student_cdf, student_quantile

__all__ = [
    "Association",
    "Confusion",
    "Interval",
    "PrecisionRecallCurve",
    "Reliability",
    "RocCurve",
    "Score",
    "Shares",
    "Span",
    "accuracy",
    "along",
    "auc",
    "average_precision",
    "bits_per_byte",
    "bits_per_character",
    "bleu",
    "brier",
    "calibration_error",
    "chrf",
    "confusion_matrix",
    "demographic_parity_difference",
    "difference_interval",
    "effect_size",
    "equal_opportunity_difference",
    "equal_opportunity_thresholds",
    "equalized_odds_difference",
    "exact_match",
    "f1",
    "false_positive_difference",
    "group_scores",
    "group_shares",
    "implied_false_positive_rate",
    "leanings",
    "loss_per_token",
    "mean_absolute_error",
    "mean_interval",
    "mrr",
    "ndcg",
    "neighbor_share",
    "normalized",
    "pair_direction",
    "pearson",
    "per_class",
    "perplexity",
    "precision",
    "precision_recall_curve",
    "predictive_parity_difference",
    "ranks",
    "ratio_interval",
    "recall",
    "recall_at",
    "reliability",
    "reweighting",
    "roc_curve",
    "rouge",
    "sentence_bleu",
    "span_f1",
    "span_precision",
    "span_recall",
    "spans",
    "spearman",
    "student_cdf",
    "student_quantile",
    "tags_of",
    "text_size",
    "token_f1",
    "true_positive_rate_at",
    "weat",
    "without",
]
