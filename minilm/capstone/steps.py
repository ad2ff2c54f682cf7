"""The capstone, step by step: from raw text to a model that answers, in one folder.

::

    raw/            three collections of text, as they are (`minilm.capstone.raw`)
    corpus/         what the pipeline made of them, its manifests and its report (`minilm.data.corpus`)
    pretraining/    a run: weights, curve, model card
    evaluation.json the model beside an n-gram, on documents that neither has read
    fine-tuning/    the run that goes on from these weights with questions and answers
    from-scratch/   the same without pretraining
    answers.json    what each of them needs for answers that it has not read
    samples.md      what they write
    report.html     all of it on one page

Each step is a function that does nothing where its result is there already, and goes on where it was stopped.
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from minilm.applications.simple.ngrams import NGram
from minilm.capstone.corpus import Corpus, make_corpus, open_parts
from minilm.capstone.instructions import Lessons, ids_of, lessons
from minilm.capstone.raw import functions_in, write_raw
from minilm.capstone.surprise import BETWEEN, Measured, Part, by_counting, by_model, tuned_ngram
from minilm.capstone.training import SETTINGS, CapstoneModel, fine_tune, open_or_begin, pretrain, tokens_of
from minilm.files import atomic_write
from minilm.training.checkpoint import RunError
from minilm.training.loop import Outcome
from minilm.training.run import Run
from minilm.training.text_task import TokenizedText

VALIDATION = 40  # documents by which the order of the n-gram is chosen
SAMPLES, ASKED = 3, 6
OURS = "GPT"
T = TypeVar("T")


@dataclass(frozen=True)
class Size:
    """How large the capstone is.

    Attributes:
        vocab_size: tokens.
        shape: of the model: fields of `GPTConfig`.
        pretraining, fine_tuning: settings of `TrainConfig`. The training from scratch has those of fine-tuning with `scratch` besides.
        orders: of n-grams, to be tried.
    """

    vocab_size: int
    shape: Mapping[str, Any]
    pretraining: Mapping[str, Any]
    fine_tuning: Mapping[str, Any]
    scratch: Mapping[str, Any] = field(default_factory=dict)
    orders: tuple[int, ...] = (6, 8, 10)


_SHAPE = {"n_layer": 2, "n_head": 4, "n_embd": 96, "block_size": 64, "bias": False, "position": "rotary", "norm": "rms"}
_PRETRAINING = {"batch_size": 8, "learning_rate": 4e-3, "min_learning_rate": 4e-4, "warmup": 60, "eval_every": 150,
                "checkpoint_every": 300}  # fmt: skip
_TUNING = {"steps": 130, "batch_size": 12, "learning_rate": 1.5e-3, "min_learning_rate": 1.5e-4, "warmup": 13, "eval_every": 65,
           "checkpoint_every": 130}  # fmt: skip
_SCRATCH = {"learning_rate": 4e-3, "min_learning_rate": 4e-4}
SIZES = {
    "quick": Size(1024, _SHAPE, {**_PRETRAINING, "steps": 600}, _TUNING, _SCRATCH, (6, 8)),
    "full": Size(1024, _SHAPE, {**_PRETRAINING, "steps": 2800}, {**_TUNING, "steps": 300}, _SCRATCH),
}


class Stopped(Exception):
    """A training was interrupted; nothing is lost."""


class Capstone:
    """The steps in one folder, which is made if it is not there.

    Args:
        folder: of the results.
        size: a name of `SIZES`.
        say: is told what is done.
        progress: whether the trainings show a bar.

    Attributes:
        seconds: of processor time that this session spent on "corpus" and "pretraining".

    Raises:
        RunError: the folder holds something else, or a capstone of another size.
    """

    def __init__(
        self,
        folder: Path,
        size: str = "full",
        *,
        device: str = "auto",
        say: Callable[[str], None] = lambda _: None,
        progress: bool = False,
    ) -> None:
        self.folder, self.size, self.device, self.say, self.progress = folder, SIZES[size], device, say, progress
        self.seconds: dict[str, float] = {}
        self._settle(size)

    @classmethod
    def resume(cls, folder: Path, **how: Any) -> Capstone:
        """The capstone in a folder, or around one of its trainings; `how` is as when it was made.

        Raises:
            RunError: there is none.
        """
        for place in (folder, folder.absolute().parent):
            if (place / SETTINGS).is_file() and (size := _read(place / SETTINGS).get("size")) in SIZES:
                return cls(place, size, **how)
        raise RunError(f"{folder} holds no capstone: expected a folder that minilm capstone --out has made.")

    def _settle(self, size: str) -> None:
        path = self.folder / SETTINGS
        wanted = {"format": "minilm capstone", "size": size, **json.loads(json.dumps(asdict(self.size)))}
        if path.exists():
            if _read(path) != wanted:
                raise RunError(
                    f"{self.folder} holds a capstone with other settings ({_read(path).get('size')!r}): go on with those, or choose "
                    "another folder."
                )
        elif self.folder.exists() and any(self.folder.iterdir()):
            raise RunError(f"{self.folder} holds something already: choose a new or empty folder.")
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(path, wanted)

    # -- the data -----------------------------------------------------------------------------------------------------

    @functools.cached_property
    def raw(self) -> list[Path]:
        """The places of the raw collections."""
        return write_raw(self.folder / "raw")

    @functools.cached_property
    def corpus(self) -> Corpus:
        """What the pipeline made of them."""
        places = self.raw
        packed = self._timed("corpus", lambda: make_corpus(places, self.folder / "corpus", self.size.vocab_size))
        return open_parts(packed)

    @functools.cached_property
    def lessons(self) -> Lessons:
        """Questions and answers that are not in the corpus."""
        return lessons(functions_in(self.raw), "\n".join([*self.corpus.train_texts, *self.corpus.validation_texts]))

    # -- the trainings ------------------------------------------------------------------------------------------------

    @functools.cached_property
    def pretrained(self) -> Run[CapstoneModel]:
        """The model that has read the corpus."""
        corpus = self.corpus
        data = tokens_of(corpus.train, corpus.validation, sum(map(len, corpus.validation_texts)))
        run = self._open("pretraining", data, self.size.pretraining, "the corpus")
        outcome = self._timed("pretraining", lambda: pretrain(run, data, device=self.device, progress=self.progress))
        self._finish(run, outcome)
        return run

    @functools.cached_property
    def tuned(self) -> Run[CapstoneModel]:
        """The same model after the lessons."""
        run = self._open("fine-tuning", self._lesson_tokens, self.size.fine_tuning, "lessons")
        self._finish(
            run, fine_tune(run, self._lesson_tokens, self.pretrained, device=self.device, progress=self.progress)
        )
        return run

    @functools.cached_property
    def from_scratch(self) -> Run[CapstoneModel]:
        """A model that has read the lessons alone."""
        settings = {**self.size.fine_tuning, **self.size.scratch}
        run = self._open("from-scratch", self._lesson_tokens, settings, "lessons")
        self._finish(run, pretrain(run, self._lesson_tokens, device=self.device, progress=self.progress))
        return run

    @functools.cached_property
    def _lesson_tokens(self) -> TokenizedText:
        found, (tokenizer, end) = self.lessons, self.corpus[:2]
        characters = sum(len(pair.question) + len(pair.answer) for pair in found.validation)
        return tokens_of(ids_of(found.train, tokenizer, end), ids_of(found.validation, tokenizer, end), characters)

    def _open(self, name: str, data: TokenizedText, settings: Mapping[str, Any], source: str) -> Run[CapstoneModel]:
        return open_or_begin(self.folder / name, self.size.shape, settings, self.corpus.tokenizer, data, source)

    def _timed(self, name: str, work: Callable[[], T]) -> T:
        start = time.process_time()
        found = work()
        self.seconds[name] = time.process_time() - start
        return found

    def _finish(self, run: Run[CapstoneModel], outcome: Outcome) -> None:
        if outcome.reason == "interrupted":
            raise Stopped(
                f"stopped in {run.folder.name}, after step {outcome.step} of {run.train_config.steps}; nothing is lost."
            )
        self.say(f"{run.folder.name}: {run.task.result(outcome.validation_loss, outcome.measures)}")

    # -- what they are worth ------------------------------------------------------------------------------------------

    @functools.cached_property
    def evaluation(self) -> list[dict[str, Any]]:
        """The model and an n-gram, on documents that neither has read: a row for each."""
        return self._measured("evaluation.json", [self.pretrained], self._evaluate)

    def _evaluate(self) -> list[dict[str, Any]]:
        corpus, parts = self.corpus, [Part("", text) for text in self.corpus.test_texts]
        ours = self._by_model(OURS, self.pretrained, parts)
        validation = [Part("", text) for text in corpus.validation_texts[:VALIDATION]]
        counts = tuned_ngram(corpus.train_texts, validation, self.size.orders, self.say)
        name = f"{counts.order}-gram"
        return rows([by_counting(name, counts, parts), ours], None)

    @functools.cached_property
    def answers(self) -> list[dict[str, Any]]:
        """What each model needs for answers of the exam: a row for each."""
        return self._measured("answers.json", [self.pretrained, self.tuned, self.from_scratch], self._answer)

    def _answer(self) -> list[dict[str, Any]]:
        exam = [pair.part for pair in self.lessons.exam]
        texts = [*self.corpus.train_texts, *(pair.question + pair.answer for pair in self.lessons.train)]
        order = int(self.evaluation[0]["system"].split("-")[0])
        counts = NGram(BETWEEN.join(["", *texts]), order)
        systems = [
            self._by_model("pretrained, then lessons", self.tuned, exam),
            self._by_model("pretrained alone", self.pretrained, exam),
            self._by_model("lessons alone", self.from_scratch, exam),
            by_counting(f"{order}-gram of corpus and lessons", counts, exam),
        ]
        return rows(systems, [pair.file for pair in self.lessons.exam])

    def _by_model(self, name: str, run: Run[CapstoneModel], parts: list[Part]) -> Measured:
        return by_model(name, run.model(self.device), self.corpus.tokenizer, self.corpus.end, parts)

    def _measured(self, name: str, runs: list[Run[CapstoneModel]], measure: Callable[[], Any]) -> Any:
        """The content of a file that belongs to these weights; it is measured where it is not there, or belongs to others."""
        digest = hashlib.sha256(b"".join((run.folder / "model.safetensors").read_bytes() for run in runs)).hexdigest()
        path = self.folder / name
        if not path.exists() or _read(path)["weights"] != digest:
            _write(path, {"weights": digest, "found": measure()})
        return _read(path)["found"]

    # -- what they write ----------------------------------------------------------------------------------------------

    @functools.cached_property
    def samples(self) -> list[str]:
        """Texts that the pretrained model begins by itself."""
        model, (tokenizer, end) = self.pretrained.model(self.device), self.corpus[:2]
        written = model.generate([[end]] * SAMPLES, 120, temperature=0.7, top_p=0.95, stop=[[end]], seed=0)
        return [tokenizer.decode([id for id in ids if id != end]).strip() for ids in written]

    @functools.cached_property
    def written(self) -> list[dict[str, str]]:
        """Answers to some questions of the exam, the likeliest token each time, beside the real ones."""
        exam = self.lessons.exam
        asked = [exam[(2 * k + 1) * len(exam) // (2 * ASKED)] for k in range(ASKED)]
        found = [{"question": pair.question.strip(), "it says": pair.answer.strip()} for pair in asked]
        for name, run in (("pretrained alone", self.pretrained), ("then lessons", self.tuned)):
            for entry, pair in zip(found, asked, strict=True):
                entry[name] = self.ask(pair.question, run)
        return found

    def ask(self, question: str, run: Run[CapstoneModel] | None = None) -> str:
        """What a model answers to "name(parameters)"; None: the one that was fine-tuned."""
        model, (tokenizer, end) = (run or self.tuned).model(self.device), self.corpus[:2]
        (ids,) = model.generate(
            [[end, *tokenizer.encode(question.rstrip("\n") + "\n")]], 48, temperature=0.0, stop=[[end]]
        )
        return tokenizer.decode([id for id in ids if id != end]).strip().split("\n")[0]


def rows(systems: list[Measured], groups: list[str] | None) -> list[dict[str, Any]]:
    """Bits per character of each system with its interval, and by how much the first needs less than it."""
    first, found = systems[0], []
    for system in systems:
        own, less = system.interval(groups), first.less(system, groups)
        found.append(
            {
                "system": system.name,
                "bits": system.bits,
                "interval": None if own is None else [float(own.low), float(own.high)],
                "more": system.bits - first.bits,
                "more_interval": None if less is None or system is first else [float(less.low), float(less.high)],
            }
        )
    return found


def _read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _write(path: Path, content: Any) -> None:
    with atomic_write(path) as file:
        file.write(json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")


__all__ = ["SIZES", "Capstone", "Size", "Stopped", "rows"]
