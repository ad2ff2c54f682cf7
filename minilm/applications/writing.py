"""What the applications share that read one text and write another: tokens, batches of like length, the loss, the search, the choice.

The model is an encoder-decoder with the head that copies (`minilm.models.seq2seq`, `minilm.models.pointer`). Both texts are cut into the
same tokens, so that what stands in the source can be pointed at in the target.

What it writes is not yet the answer. Beside it stand the drafts of a simple method, and what was written for texts of the training part
that are like this one (`minilm.applications.memory`). Of all these the answer is chosen (`minilm.applications.choice`), and there the
model has a say once more: how probable it holds each of them to be.
"""

from __future__ import annotations

import gzip
import json
import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from minilm.applications.application import Answer, Split, System
from minilm.applications.choice import DRAFT, NEIGHBOR, NETWORK, Candidate, best, distinct, features, learn_weights
from minilm.applications.memory import Memory
from minilm.applications.trained import ApplicationTask, Trained
from minilm.data import DataError
from minilm.data.files import MAX_BYTES
from minilm.data.plain_text import iter_lines
from minilm.files import shown
from minilm.graph import no_grad
from minilm.models.seq2seq import Seq2Seq, Seq2SeqConfig, relative_buckets
from minilm.tensor import Tensor
from minilm.text import BPETokenizer
from minilm.training.run import Run
from minilm.training.task import RunFile
from minilm.types import HostArray

START, PAD, END, UNKNOWN = SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
ROWS = 64  # sources that are answered at a time
EMBEDDING, READ, LIKING = 0.02, 0.3, 4.0
"""How a `Writer` begins: factors of two matrices of T5's deviations, and scores of its heads for neighbors."""
MEMORY = "memory.json.gz"
NEAREST = 3  # neighbors that are candidates
GRAIN = 8  # tokens: lengths of sources that are searched for together
JITTER = 2.0  # tokens: how far apart lengths may be that meet in a batch


class Pair(NamedTuple):
    """A text, and what is to be written for it."""

    source: str
    target: str


class Ids:
    """Pairs as the model takes them.

    Args:
        sources, targets: a list of ids for each; a target ends with the end token.

    Attributes:
        lengths: how many tokens each pair has, (n,).
    """

    def __init__(self, sources: list[list[int]], targets: list[list[int]]) -> None:
        self.sources, self.targets = sources, targets
        self.lengths = np.array([len(s) + len(t) for s, t in zip(sources, targets, strict=True)])


class Codec:
    """Texts to ids and back.

    Some words of a source are copied whole or not at all, as the placeholder "%(name)s". They have ids beyond the vocabulary's, which
    are their own in that example only (`minilm.models.pointer`).

    Args:
        tokenizer: its last special tokens are `SPECIAL`.
        unit: what such a word looks like; None: there are none.
        memory: what was written for which text of the training part; None: nothing.
    """

    def __init__(
        self, tokenizer: BPETokenizer, unit: re.Pattern[str] | None = None, memory: Memory | None = None
    ) -> None:
        self.tokenizer, self.unit, self.memory = tokenizer, unit, memory or Memory([], [], str.split)

    def source(self, text: str) -> tuple[list[int], list[str]]:
        """The ids of a source, and its units: the words that the ids beyond the vocabulary stand for.

        It begins with the token that a target begins with, so that a copy can begin behind it.
        """
        units = self.units(text)
        return [self.tokenizer.special_tokens[START], *self.ids(text, units)], units

    def units(self, text: str) -> list[str]:
        """The units of a source, each once."""
        return list(dict.fromkeys(self.unit.findall(text))) if self.unit else []

    def target(self, text: str, units: Sequence[str]) -> list[int]:
        """The ids of a target with the end token, given its source's units."""
        return [*self.ids(text, units), self.tokenizer.special_tokens[END]]

    def text(self, ids: Sequence[int], units: Sequence[str]) -> str:
        """The text of a target's ids; special tokens are nothing."""
        size, out = self.tokenizer.vocab_size, b""
        for id in ids:
            if id >= size:
                out += units[id - size].encode()
            elif id < size - len(SPECIAL):
                out += self.tokenizer.id_to_bytes(id)
        return out.decode("utf-8", "replace")

    def lost(self, question: str, text: str) -> int:
        """How many units of a question an answer lacks, or has too much."""
        wanted, kept = (Counter(self.unit.findall(each) if self.unit else ()) for each in (question, text))
        return ((wanted - kept) + (kept - wanted)).total()

    def ids(self, text: str, units: Sequence[str]) -> list[int]:
        """The ids of a text, with those of units where they stand."""
        out, end = list[int](), 0
        for found in self.unit.finditer(text) if self.unit else ():
            if found[0] in units:
                out += self.tokenizer.encode(text[end : found.start()])
                out.append(self.tokenizer.vocab_size + units.index(found[0]))
                end = found.end()
        return [*out, *self.tokenizer.encode(text[end:])]


class Writer(Seq2Seq):
    """An encoder-decoder that begins to copy early, and whose loss in training smooths the labels.

    T5 begins with embeddings of deviation 1, which take long to move. Here they begin smaller, and the encoder's first heads with a
    liking for the token before, the one behind, and those around, from which a copy goes on.

    Args:
        label_smoothing: the share of each target that is spread evenly over the vocabulary (Szegedy et al. 2016, section 7).
    """

    def __init__(self, config: Seq2SeqConfig, label_smoothing: float) -> None:
        super().__init__(config)
        self.label_smoothing = label_smoothing
        with no_grad():
            self.shared.weight.copy_(self.shared.weight * EMBEDDING)
            if self.read is not None:
                self.read.project.weight.copy_(self.read.project.weight * READ)
            if self.copy is not None and self.copy.behind is not None:
                self.copy.behind.copy_(Tensor(np.float32(LIKING)))
            positions = self.encoder.positions
            for head, distances in zip(range(config.num_heads), ([-1], [1], [-2, -1, 0, 1, 2]), strict=False):
                buckets = relative_buckets(np.array(distances), True, positions.num_buckets, positions.max_distance)
                liking = positions.embedding.weight.numpy().copy()
                liking[buckets, head] += LIKING
                positions.embedding.weight.copy_(Tensor(liking))

    def learn(self, source: HostArray, targets: HostArray) -> Tensor:
        """The loss that is minimized: that of `Seq2Seq.loss` with smoothed labels."""
        return self.loss(source, targets, label_smoothing=self.label_smoothing)


@dataclass(frozen=True)
class WritingTask(ApplicationTask):
    """An encoder-decoder, and the tokens of both its texts. The data are an `Examples` of `Ids`.

    Attributes:
        vocab_size: how many tokens there are, the special ones included.
        d_model, num_heads, d_ff, num_layers: the shape, of T5's kind; as many layers in the decoder as in the encoder.
        dropout, label_smoothing: shares, from 0 to 1.
        longest_source, longest_target: in tokens. A longer source is cut; of a longer target the beginning is learned.
    """

    vocab_size: int
    d_model: int
    num_heads: int
    d_ff: int
    num_layers: int
    dropout: float
    label_smoothing: float
    longest_source: int
    longest_target: int

    unit = "nats per token"
    method = "learn"
    files = (
        RunFile("tokenizer.json", "the tokens of both texts; written once", ("resume", "generate"), True),
        RunFile(MEMORY, "the training part, for the neighbors of a text; written once", ("resume", "generate"), True),
    )

    def make_model(self) -> Writer:
        start, pad, end, unknown = range(self.vocab_size - len(SPECIAL), self.vocab_size)
        config = Seq2SeqConfig(
            self.vocab_size,
            d_model=self.d_model,
            d_kv=self.d_model // self.num_heads,
            d_ff=self.d_ff,
            num_layers=self.num_layers,
            num_heads=self.num_heads,
            dropout_rate=self.dropout,
            pad_token_id=pad,
            eos_token_id=end,
            decoder_start_token_id=start,
            scale_decoder_outputs=False,
            copy_head=True,
            selective_read=True,
            unk_token_id=unknown,
        )
        return Writer(config, self.label_smoothing)

    @property
    def pad(self) -> int:
        """The id that fills up."""
        return self.vocab_size - 3

    def batch(self, data: Any, batch_size: int, rng: np.random.Generator) -> tuple[HostArray, HostArray]:
        """Pairs of about one length: `batch_size` of those of mean length, fewer of longer ones, so that all batches cost alike.

        The pairs are sorted by their lengths with some chance in it; a batch is a stretch of as many tokens as others. Every pair is
        equally likely.
        """
        lengths: HostArray = data.train.lengths
        order = np.argsort(lengths + rng.uniform(0.0, JITTER, len(lengths)), kind="stable")
        batch_of = np.floor(np.cumsum(lengths[order]) / (batch_size * lengths.mean())).astype(int)
        rows = order[batch_of == rng.integers(batch_of[-1] + 1)]
        return self._arrays(data.train, rows if len(rows) else order[:1])

    def evaluate(self, model: Writer, data: Any, most: int | None) -> float:
        """The mean cross-entropy of the targets, without smoothing."""
        total = count = 0.0
        for rows in in_order(data.validation.lengths, most):
            source, targets = self._arrays(data.validation, rows)
            n = int((targets != self.pad).sum())
            total, count = total + n * model.loss(source, targets).item(), count + n
        return total / count

    def _arrays(self, ids: Ids, rows: HostArray) -> tuple[HostArray, HostArray]:
        return self.filled([ids.sources[i] for i in rows]), self.filled([ids.targets[i] for i in rows])

    def filled(self, rows: Sequence[Sequence[int]]) -> HostArray:
        """(B, T), the short ones filled up at the end."""
        out = np.full((len(rows), max(1, *map(len, rows))), self.pad, np.int64)
        for row, ids in zip(out, rows, strict=True):
            row[: len(ids)] = ids
        return out


class Writing(Trained[Pair]):
    """An application that writes a text for a text.

    Attributes:
        task: the class of its task.
        written: the name of what is written, in the answers: "translation".
        shape: the fields of its `WritingTask` but the size of the vocabulary.
        width, length_penalty, no_repeat_ngram: of the beam that searches for what the model writes (`minilm.models.beam`).
        longest: tokens of what it writes, at most so many, and about twice those of its source.
        weights: of the choice (`minilm.applications.choice`), as `learn_choice` found them with a run on the published examples.
    """

    task: ClassVar[type[WritingTask]]
    written: ClassVar[str]
    shape: ClassVar[dict[str, Any]]
    width: ClassVar[int] = 4
    length_penalty: ClassVar[float] = 1.0
    no_repeat_ngram: ClassVar[int] = 0
    longest: ClassVar[int] = 100
    weights: ClassVar[Mapping[str, float]]

    @abstractmethod
    def codec(self, folder: Path) -> Codec:
        """What makes ids of texts, from the files of a run."""

    @abstractmethod
    def make_codec(self, pairs: Sequence[Pair]) -> tuple[Codec, dict[str, bytes]]:
        """The same, learned from the training part, and the files that a run keeps of it."""

    @abstractmethod
    def drafts(self, codec: Any, question: str) -> Sequence[str]:
        """What the simple method writes, one text or several."""

    @abstractmethod
    def worth_of(self, target: str, text: str) -> tuple[float, float]:
        """What a text is worth as an answer, 0 to 1, and how much it counts: what the weights of the choice are learned by."""

    def question(self, example: Pair) -> str:
        return example.source

    def parse(self, line: str) -> str:
        if not line.strip():
            raise ValueError("the line is empty: expected a text.")
        return line

    def learn(self, split: Split[Pair], sha256: str) -> tuple[ApplicationTask, dict[str, bytes]]:
        codec, files = self.make_codec(split.train)
        return self.task(examples_sha256=sha256, vocab_size=codec.tokenizer.vocab_size, **self.shape), files

    def encode(self, task: ApplicationTask, folder: Path, examples: Sequence[Pair]) -> Ids:
        codec = self.codec(folder)
        return ids_of(task, examples, [codec] * len(examples))

    # -- what answers -------------------------------------------------------------------------------------------------

    @property
    def rules(self) -> tuple[int, int, float, int]:
        """Of the search, in the order in which `search` and `write` take them."""
        return self.longest, self.width, self.length_penalty, self.no_repeat_ngram

    def system(self, model: Any, task: ApplicationTask, folder: Path) -> System:
        """Chooses by `weights`. An answer has who brought it, too: {"translation": ..., "from": "neighbor"}."""
        codec = self.codec(folder)

        def answer(questions: Sequence[str]) -> list[Answer]:
            return self.chosen(*self.considered(codec, questions, model, task), self.weights)

        return answer

    def network_alone(self, model: Any, task: ApplicationTask, folder: Path) -> System:
        """What the model writes, as it stands."""
        codec = self.codec(folder)

        def answer(questions: Sequence[str]) -> list[Answer]:
            return [{self.written: text} for text in write(model, task, codec, questions, *self.rules)]

        return answer

    def without_network(self, split: Split[Pair]) -> System:
        """The same choice among drafts and neighbors alone, its weights learned from the validation part: a simple method."""
        codec, _ = self.make_codec(split.train)
        weights = self._weights(split.validation, *self.considered(codec, [pair.source for pair in split.validation]))

        def answer(questions: Sequence[str]) -> list[Answer]:
            return self.chosen(*self.considered(codec, questions), weights)

        return answer

    def learn_choice(self, folder: Path, device: str = "cpu") -> dict[str, float]:
        """The weights of the choice, learned from the validation part with the model of a run; such as `weights`:

        ``python -c "from minilm.applications import find; print(find('translation').learn_choice('runs/translation-1'))"``
        """
        run = Run(Path(folder), self.task)
        known = self.examples_of(run).validation
        with no_grad():
            asked = [pair.source for pair in known]
            found = self.considered(self.codec(run.folder), asked, run.model(device).eval(), run.task)
        return self._weights(known, *found)

    def considered(
        self, codec: Codec, questions: Sequence[str], model: Any = None, task: Any = None
    ) -> tuple[list[list[Candidate]], list[HostArray]]:
        """The candidates of each question, and their features; without a model those that need none."""
        found = []
        for question in questions:
            drafts = [Candidate(text, DRAFT) for text in self.drafts(codec, question)]
            near = [
                Candidate(each.written, NEIGHBOR, each.likeness) for each in codec.memory.nearest(question, NEAREST)
            ]
            found.append([*drafts, *near])
        if model is not None:
            for known, texts in zip(found, search(model, task, codec, questions, *self.rules), strict=True):
                known += [Candidate(text, NETWORK) for text in texts]
        found = [distinct(candidates) for candidates in found]
        targets = [
            [codec.target(each.text, codec.units(question)) for each in candidates]
            for question, candidates in zip(questions, found, strict=True)
        ]
        judged = [None] * len(found) if model is None else judge(model, task, codec, questions, targets)
        rows = [
            features(question, each, [*map(len, ids)], [codec.lost(question, c.text) for c in each], log_p)
            for question, each, ids, log_p in zip(questions, found, targets, judged, strict=True)
        ]
        return found, rows

    def chosen(
        self, found: Sequence[Sequence[Candidate]], rows: Sequence[HostArray], weights: Mapping[str, float]
    ) -> list[Answer]:
        """The best candidate of each question, as an answer."""
        picked = [each[best(row, weights)] for each, row in zip(found, rows, strict=True)]
        return [{self.written: text, "from": origin} for text, origin, _ in picked]

    def _weights(
        self, pairs: Sequence[Pair], found: Sequence[Sequence[Candidate]], rows: Sequence[HostArray]
    ) -> dict[str, float]:
        worth = [
            [self.worth_of(pair.target, c.text) for c in candidates]
            for pair, candidates in zip(pairs, found, strict=True)
        ]
        return learn_weights(rows, [[value for value, _ in each] for each in worth], [each[0][1] for each in worth])


def ids_of(task: Any, pairs: Sequence[Pair], codecs: Sequence[Codec]) -> Ids:
    """Pairs as the model takes them, each with its codec."""
    sources, targets = [], []
    for pair, codec in zip(pairs, codecs, strict=True):
        source, units = codec.source(pair.source)
        sources.append(source := source[: task.longest_source])
        targets.append(readable(task, codec, {*source}, codec.target(pair.target, units)[: task.longest_target]))
    return Ids(sources, targets)


def readable(task: Any, codec: Codec, source: Set[int], target: Sequence[int]) -> list[int]:
    """A target's ids, in which a unit that its source lacks, after the end of that was cut, is unknown."""
    unknown = codec.tokenizer.special_tokens[UNKNOWN]
    return [id if id < task.vocab_size or id in source else unknown for id in target]


def write(model: Writer, task: Any, codec: Codec, texts: Sequence[str], *rules: Any) -> list[str]:
    """What the model writes for each text: the best that `search` finds, whose arguments these are."""
    return [found[0] for found in search(model, task, codec, texts, *rules)]


def search(
    model: Writer,
    task: Any,
    codec: Codec,
    texts: Sequence[str],
    longest: int,
    width: int,
    length_penalty: float,
    no_repeat_ngram: int = 0,
) -> list[list[str]]:
    """What the model could write for each text, the best first. Texts of about one length are searched for together.

    Args:
        longest, width, length_penalty, no_repeat_ngram: as in `Writing`; of width 1 the likeliest token is taken each time.
    """
    read = [codec.source(text) for text in texts]
    sources = [ids[: task.longest_source] or [task.pad] for ids, _ in read]
    limits = np.array([min(longest, 2 * GRAIN * -(-len(ids) // GRAIN) + 10) for ids in sources])  # of each text alone
    written: list[list[str]] = [[] for _ in texts]
    for most in np.unique(limits).tolist():
        alike = np.flatnonzero(limits == most)
        for rows in (alike[i : i + ROWS] for i in range(0, len(alike), ROWS)):
            found = model.search(
                [sources[i] for i in rows],
                most,
                width=width,
                n_best=width,
                length_penalty=length_penalty,
                no_repeat_ngram=no_repeat_ngram,
            )
            for i, hypotheses in zip(rows, found, strict=True):
                written[i] = [codec.text(each.tokens, read[i][1]) for each in hypotheses]
    return written


def judge(
    model: Writer, task: Any, codec: Codec, texts: Sequence[str], targets: Sequence[Sequence[Sequence[int]]]
) -> list[list[float]]:
    """log p(y | x) of some targets y for each text x. A source is read once for all of its targets.

    Args:
        targets: of each text, as the codec makes them.
    """
    sources = [codec.source(text)[0][: task.longest_source] or [task.pad] for text in texts]
    found = [[0.0] * len(each) for each in targets]
    for rows in in_order(np.array([len(ids) for ids in sources]), None):
        encoded = model.encode(task.filled([sources[i] for i in rows]))
        there = [{*sources[i]} for i in rows]
        asked = [(place, j) for place, i in enumerate(rows) for j in range(len(targets[i]))]
        asked.sort(key=lambda each: len(targets[rows[each[0]]][each[1]]))
        for some in (asked[i : i + ROWS] for i in range(0, len(asked), ROWS)):
            known = [readable(task, codec, there[place], targets[rows[place]][j]) for place, j in some]
            log_p = model.log_probabilities(task.filled(known), encoded.rows(np.array([place for place, _ in some])))
            for (place, j), value in zip(some, log_p.tolist(), strict=True):
                found[rows[place]][j] = value
    return found


def read_pairs(path: Path, expected: str) -> list[Pair]:
    r"""The pairs of a file: one per line, parted by a tab; "\n" in a text is written for a new line.

    Raises:
        DataError: the file cannot be read, is not in UTF-8, or a line has not two texts; empty lines are passed over.
    """
    pairs = []
    for number, line in enumerate("".join(iter_lines(path, MAX_BYTES)).split("\n"), 1):
        parts = [part.strip().replace("\\n", "\n") for part in line.split("\t")]
        if parts != [""]:
            if len(parts) != 2 or not all(parts):
                raise DataError(f"{shown(path)}, line {number}: expected {expected}; it has {len(parts)} parts.")
            pairs.append(Pair(*parts))
    return pairs


def packed(pairs: Sequence[Pair]) -> bytes:
    """Pairs as a run keeps them for its memory, in `MEMORY`."""
    return gzip.compress(file_of(pairs), mtime=0)


def unpacked(folder: Path) -> list[Pair]:
    """Those of a run."""
    return [Pair(*pair) for pair in json.loads(gzip.decompress((folder / MEMORY).read_bytes()))]


def in_order(lengths: HostArray, most: int | None) -> Iterator[HostArray]:
    """The numbers of texts (`most` of them, evenly spread over the lengths), the shortest first, some at a time."""
    order = np.argsort(lengths, kind="stable")
    if most is not None and most < len(order):
        order = order[np.linspace(0, len(order) - 1, max(most, 1)).astype(int)]
    yield from (order[i : i + ROWS] for i in range(0, len(order), ROWS))


def file_of(document: Any) -> bytes:
    """A JSON document, as a run keeps it."""
    return (json.dumps(document, ensure_ascii=False) + "\n").encode()


__all__ = [
    "END",
    "MEMORY",
    "PAD",
    "SPECIAL",
    "START",
    "UNKNOWN",
    "Codec",
    "Ids",
    "Pair",
    "Writer",
    "Writing",
    "WritingTask",
    "file_of",
    "ids_of",
    "in_order",
    "judge",
    "packed",
    "read_pairs",
    "search",
    "unpacked",
    "write",
]
