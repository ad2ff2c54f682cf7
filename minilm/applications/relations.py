r"""Which relation does a sentence state between two things? "glottis: the vocal apparatus of the larynx" says part-of.

The sentences are WordNet's definitions (Miller 1995). The head is the word that is defined, the tail another concept that the
definition mentions, and WordNet's own pointer from the one to the other is the answer: is-a, instance-of, part-of, topic-of or
member-of, equally many of each. Heads and tails are given; only their relation is asked.

Our system is the encoder MiniLM, fine-tuned. Two things tell it what is asked, and it lacks both:

- *Where head and tail are.* Zeng et al. (2014, *Relation Classification via Convolutional Deep Neural Network*, 3.4) gave each word its
  distance to both. Baldini Soares et al. (2019, *Matching the Blanks*, 3.2) put marks around them, and read the relation off the marks.
- *Capitals*, which MiniLM's tokenizer drops: in "a river of France" they tell the country from the class.

BERT has a vector that is added to each token of the first text, and another for the second: the segments. Ours has six (`KINDS`): for the
definition, the tail and the head, each with and without a capital. So nothing is put into the sentence, and it stays as short as it was.
With h the last layer's vectors,

.. math::
    p = \operatorname{softmax}(W\,[h_\text{CLS};\ \bar h_\text{head};\ \bar h_\text{tail}] + b)

where :math:`\bar h` is the mean over the tokens of the head, or of the tail.

Some of WordNet's pointers could as well be others, so no label is learned as certain (Szegedy et al. 2016, *Rethinking the Inception
Architecture*, section 7).

A linear model on words and their endings is nearly as good (`minilm.applications.simple.relations`): the two are not told apart on the test
part. What a definition's tail is called gives five of six answers away. To add the scores of a logistic regression on the same features
(Cheng et al. 2016, *Wide & Deep Learning*, learn such a sum) gained one of 1,370 sentences on the validation part: so there is none here.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from minilm import nn, random
from minilm.applications.application import Answer, Baseline, Split, System
from minilm.applications.labels import label_answers
from minilm.applications.published import (
    MINILM,
    PublishedTask,
    by_length,
    neighbors,
    tokenizer_file,
    tokenizer_of,
    weights_sha256,
)
from minilm.applications.records import lines_of
from minilm.applications.simple import relations as simple
from minilm.applications.trained import ApplicationTask, Examples, Trained
from minilm.data import DataError, GlossRelation, gloss_relations, three_parts, without_copies
from minilm.graph import no_grad
from minilm.metrics.score import Score
from minilm.models.bert import Bert
from minilm.models.ids import as_ids
from minilm.nn import functional as F
from minilm.ops.shape import concat
from minilm.tensor import Tensor
from minilm.text import Tokenizer
from minilm.types import HostArray, Ids

RELATIONS = ("is-a", "instance-of", "part-of", "topic-of", "member-of")
KINDS = ("definition", "Definition", "tail", "Tail", "head", "Head")
"""What a token is part of; the capital says that its word begins with one."""
DEFINITION, TAIL, HEAD = 0, 2, 4
LONGEST, LONGEST_HEAD = 64, 16  # tokens
AT_ONCE = 64  # examples that are answered in one pass


class Encoded(NamedTuple):
    """Examples as the model takes them: `ids` and `kinds` (n, T), padded with 0; `lengths` and `labels` (n,)."""

    ids: HostArray
    kinds: HostArray
    lengths: HostArray
    labels: HostArray


class RelationModel(nn.Module):
    """The relation between head and tail, from their vectors and that of the whole.

    Args:
        bert: with a segment for each of `KINDS`.
        smoothing: this share of a label is spread over all relations in the loss (label smoothing).
    """

    def __init__(self, bert: Bert, smoothing: float = 0.0) -> None:
        super().__init__()
        self.bert, self.smoothing = bert, smoothing
        self.dropout = nn.Dropout(0.1)
        self.classifier = nn.Linear(3 * bert.config.hidden_size, len(RELATIONS))

    def forward(self, ids: Ids, kinds: Ids) -> Tensor:
        """The logits of the relations, (B, 5), of token ids and their kinds, (B, T); id 0 is padding."""
        ids, kinds = np.asarray(ids), np.asarray(kinds)
        hidden = self.bert(ids, ids != 0, kinds)  # (B, T, C)
        seen = [hidden[:, 0], mean_where(hidden, kinds // 2 == HEAD // 2), mean_where(hidden, kinds // 2 == TAIL // 2)]
        return self.classifier(self.dropout(concat(*seen, axis=-1)))

    def loss(self, ids: Ids, kinds: Ids, labels: Ids) -> Tensor:
        """The mean cross-entropy of the relations `labels`, (B,), in nats."""
        logits = self(ids, kinds)
        return F.cross_entropy(logits, as_ids(labels, logits, "labels"), label_smoothing=self.smoothing)


def mean_where(x: Tensor, keep: HostArray) -> Tensor:
    """The mean of the vectors x, (B, T, C), at the places that are kept, (B, T): (B, C); zero where none is."""
    weights = keep / np.maximum(keep.sum(axis=1, keepdims=True), 1)
    return (Tensor(weights[:, None].astype(x.dtype), device=x.device) @ x)[:, 0]


@dataclass(frozen=True)
class RelationTask(PublishedTask):
    """MiniLM, fine-tuned: all but the embeddings of words and positions.

    Attributes:
        smoothing: of `RelationModel`.
    """

    name: ClassVar[str] = "relations"
    unit: ClassVar[str] = "nats"
    counted: ClassVar[str] = "sentences"
    glance: ClassVar[int | None] = 500
    resting: ClassVar[tuple[str, ...]] = ("words", "positions")
    settings: ClassVar[Mapping[str, Any]] = {
        "steps": 1020,
        "batch_size": 32,
        "learning_rate": 1.5e-4,
        "min_learning_rate": 0.0,
        "warmup": 50,
        "weight_decay": 0.01,
        "beta2": 0.999,
        "eval_every": 255,
        "checkpoint_every": 255,
    }

    smoothing: float = 0.1

    def make_model(self) -> RelationModel:
        """The published encoder with more segments, each beginning near the published one of a first text, and a new classifier."""
        bert = self.encoder()
        first = bert.segments.weight.numpy()[:1]
        segments = nn.Embedding(len(KINDS), bert.config.hidden_size)
        drawn = random.generator().normal(0.0, bert.config.initializer_range, segments.weight.shape)
        segments.load_state_dict({"weight": first + drawn})
        bert.segments, bert.config = segments, replace(bert.config, type_vocab_size=len(KINDS))
        return RelationModel(bert, self.smoothing)

    def batch(self, data: Examples, batch_size: int, rng: np.random.Generator) -> tuple[HostArray, ...]:
        """Sentences of about one length, any of them as likely as any other, so that little is padding."""
        part: Encoded = data.train
        rows = neighbors(part.lengths, batch_size, rng)
        longest = part.lengths[rows].max()
        return part.ids[rows, :longest], part.kinds[rows, :longest], part.labels[rows]

    def losses(self, model: RelationModel, part: Encoded, most: int | None) -> HostArray:
        part = Encoded(*(array[:most] for array in part))
        return F.cross_entropy(Tensor(logits_of(model, part)), Tensor(part.labels), reduction="none").numpy()

    def measures(self, model: RelationModel, data: Examples, loss: float) -> dict[str, float]:
        return {"accuracy": float((logits_of(model, data.validation).argmax(axis=1) == data.validation.labels).mean())}


@no_grad()
def logits_of(model: RelationModel, part: Encoded) -> HostArray:
    """The logits of all examples, (n, 5), those of like length together."""
    found = np.zeros((len(part.ids), len(RELATIONS)), np.float32)
    for rows in by_length(part.lengths, AT_ONCE):
        longest = part.lengths[rows].max()
        found[rows] = model(part.ids[rows, :longest], part.kinds[rows, :longest]).numpy()
    return found


class Reader:
    """From a question to token ids and their kinds: [CLS] head [SEP] definition [SEP]."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.cls, self.sep = (tokenizer.special_tokens[mark] for mark in ("[CLS]", "[SEP]"))
        self.known: dict[str, list[int]] = {}

    def __call__(self, q: Question) -> tuple[list[int], list[int]]:
        """The ids and the kinds. Where the sentence is too long, its end goes, or its beginning where the tail stands late."""
        head = self.pieces(q.head, HEAD)[:LONGEST_HEAD]
        before = self.pieces(q.sentence[: q.tail_start], DEFINITION)
        tail = self.pieces(q.sentence[q.tail_start : q.tail_end], TAIL)
        sentence = [*before, *tail, *self.pieces(q.sentence[q.tail_end :], DEFINITION)]
        room = LONGEST - 3 - len(head)
        skipped = max(0, len(before) + len(tail) - room)
        sentence = sentence[skipped : skipped + room]
        row = [(self.cls, DEFINITION), *head, (self.sep, DEFINITION), *sentence, (self.sep, DEFINITION)]
        return [id for id, _ in row], [kind for _, kind in row]

    def pieces(self, text: str, kind: int) -> list[tuple[int, int]]:
        """The ids of a text's words, each with its kind."""
        found = []
        for word in text.split():
            if word not in self.known:
                self.known[word] = self.tokenizer.encode(word)
            found += [(id, kind + word[:1].isupper()) for id in self.known[word]]
        return found


class Question(NamedTuple):
    """What is given: the tail is ``sentence[tail_start:tail_end]``."""

    head: str
    sentence: str
    tail_start: int
    tail_end: int


def padded(rows: Sequence[tuple[list[int], list[int]]], labels: Sequence[int]) -> Encoded:
    """Rows of ids and kinds as arrays."""
    lengths = np.array([len(ids) for ids, _ in rows], np.int64)
    ids, kinds = (np.zeros((len(rows), max(lengths, default=1)), np.int64) for _ in range(2))
    for i, (row, of) in enumerate(rows):
        ids[i, : len(row)], kinds[i, : len(of)] = row, of
    return Encoded(ids, kinds, lengths, np.array(labels, np.int64))


class Relations(Trained[GlossRelation]):
    """Relation extraction on WordNet's definitions."""

    name = "relations"
    title = "Relations between two concepts in a definition: is-a, instance-of, part-of, topic-of, member-of"
    datasets = ("wordnet",)
    models = (MINILM,)
    line = '{"head": "glottis", "tail": "larynx", "sentence": "the vocal apparatus of the larynx"}'
    task = RelationTask
    brief: ClassVar[Mapping[str, Any]] = {"steps": 30, "warmup": 6, "eval_every": 30, "checkpoint_every": 30}

    # -- the data -----------------------------------------------------------------------------------------------------

    def split(self) -> Split[GlossRelation]:
        """As many of each relation as the rarest has; the definitions of one text are in one part."""
        left = without_copies(gloss_relations(), lambda r: f"{r.sentence} {r.tail_start}", label=lambda r: r.relation)
        by_relation: dict[str, list[GlossRelation]] = defaultdict(list)
        for i in np.random.default_rng(0).permutation(len(left.kept)):
            if left.kept[i].relation in RELATIONS:
                by_relation[left.kept[i].relation].append(left.kept[i])
        n = min(len(by_relation[relation]) for relation in RELATIONS)
        chosen = [example for relation in RELATIONS for example in by_relation[relation][:n]]
        parts = three_parts(len(chosen), groups=[r.sentence.casefold() for r in chosen])
        return Split.of(
            chosen,
            parts,
            f"{left.copies:,} pairs of a definition and a place in it that occurred before were removed, and {left.contradictions:,} with "
            f"two answers; then {n:,} of each of the five relations were drawn (seed 0). All pairs of one definition are in one part.",
        )

    def read(self, path: Path) -> list[GlossRelation]:
        """JSON lines: a line of ``predict`` and its "relation"."""
        found = lines_of(path, self._labeled)
        if not found:
            raise DataError(f'{path} has no line: expected JSON objects, as {self.line[:-1]}, "relation": "part-of"}}')
        return found

    def _labeled(self, line: str) -> GlossRelation:
        q, relation = self.parse(line), json.loads(line).get("relation")
        if relation not in RELATIONS:
            raise ValueError(f'"relation" should be one of {", ".join(RELATIONS)}, it is {relation!r}.')
        return GlossRelation(relation, q.head, q.sentence[q.tail_start : q.tail_end], *q[1:])

    def question(self, example: GlossRelation) -> Question:
        return Question(example.head, example.sentence, example.tail_start, example.tail_end)

    def parse(self, line: str) -> Question:
        """A JSON object with "head", "sentence" and "tail"; where the tail occurs more than once, the first is meant, or "tail_start"."""
        try:
            given = json.loads(line)
        except ValueError as error:
            raise ValueError(f"expected a JSON object such as {self.line}: {error}") from None
        if not isinstance(given, dict) or any(
            not isinstance(given.get(k), str) or not given[k].strip() for k in ("head", "tail", "sentence")
        ):
            raise ValueError(
                f'expected a JSON object with the texts "head", "tail" and "sentence", such as {self.line}'
            )
        tail, sentence = given["tail"], given["sentence"]
        start = given.get("tail_start")
        if start is None:
            found = re.search(rf"(?<!\w){re.escape(tail)}(?!\w)", sentence) or re.search(re.escape(tail), sentence)
            if not found:
                raise ValueError(f"the tail {tail!r} does not stand in the sentence {sentence!r}.")
            start = found.start()
        if isinstance(start, bool) or not isinstance(start, int) or start < 0 or not sentence.startswith(tail, start):
            raise ValueError(
                f'the tail {tail!r} does not begin at "tail_start" {start!r} of the sentence, counted from 0.'
            )
        return Question(given["head"], sentence, start, start + len(tail))

    # -- what answers -------------------------------------------------------------------------------------------------

    def learn(self, split: Split[GlossRelation], sha256: str) -> tuple[RelationTask, dict[str, bytes]]:
        return RelationTask(sha256, MINILM, weights_sha256()), tokenizer_file()

    def encode(self, task: ApplicationTask, folder: Path, examples: Sequence[GlossRelation]) -> Encoded:
        rows = list(map(Reader(tokenizer_of(folder)), map(self.question, examples)))
        return padded(rows, [RELATIONS.index(example.relation) for example in examples])

    def system(self, model: RelationModel, task: ApplicationTask, folder: Path) -> System:
        reader = Reader(tokenizer_of(folder))

        def answer(questions: Sequence[Question]) -> list[Answer]:
            logits = logits_of(model, padded([reader(q) for q in questions], [0] * len(questions)))
            return label_answers(RELATIONS, F.softmax(Tensor(logits), axis=-1).numpy())

        return answer

    def baselines(self) -> Mapping[str, Baseline]:
        return simple.BASELINES

    # -- what it is worth ---------------------------------------------------------------------------------------------

    def measure(self, examples: Sequence[GlossRelation], answers: Sequence[Answer]) -> list[Score]:
        right = np.array([answer["label"] == e.relation for e, answer in zip(examples, answers, strict=True)], float)
        return [Score.mean("accuracy", right)]

    def wrong(self, examples: Sequence[GlossRelation], answers: Sequence[Answer]) -> list[int]:
        """Which answers are wrong, those first that were most sure; the simple methods' answers are all as sure."""
        wrong = [i for i, example in enumerate(examples) if answers[i]["label"] != example.relation]
        return sorted(wrong, key=lambda i: -answers[i].get("probability", 1.0))

    def limits(self) -> Sequence[str]:
        return (
            "It knows definitions of a dictionary, whose form gives much away: news and speech state relations in other words.",
            "It always answers with one of the five relations, also where there is none.",
            "It is surer than it says: as its labels were smoothed while it learned, its probabilities are too near to one another.",
        )
