r"""Writing: articles, which go on with a text, and dialogue, which answers a turn. And how good a language model is, in numbers.

The model is SmolLM2-135M-Instruct (Allal et al. 2025), or the folder of a run of ``minilm train``, which is how a model of one's own is
trained: this application trains nothing. A prompt is continued token by token (`minilm.models.generation`); a conversation is first
written with the marks that the model was taught (`minilm.chat`). `tests/oracle/test_llama.py` and `test_chat.py` hold SmolLM2's
continuations and its conversations against those of the package transformers, token for token.

What is measured is the surprise on text that was held out of Python's manual,

.. math:: \text{nats per character} = -\frac{1}{C} \sum_{t} \ln p(x_t \mid x_{<t})

which compares models whatever their tokens are. Beside it stand n-grams of characters, which count (`minilm.applications.simple.ngrams`).
The parts are those of ``minilm train``: it learns from the first nine tenths of the text, and paragraphs of the last tenth that stand
there, too, are left out here. SmolLM2 was trained on much of the web, where this manual stands: what is held out of our small models it
may have read.

Where the model is a run whose tokens are characters, its surprise is also told by the kind of place (`minilm.applications.surprise`), and
beside it stands the mean of its probabilities and an n-gram's (`mixed`).

How a model writes depends on how its tokens are drawn: `about_samples` compares the samples of several ways, `DRAWS`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from minilm.applications.application import Answer, Application, Baseline, Split, System
from minilm.applications.simple import ngrams as counting
from minilm.applications.surprise import surprise, surprise_scores
from minilm.chat import template_for
from minilm.data import fold_text, load_text
from minilm.evaluation import evaluate, read_documents
from minilm.evaluation.language_model import cuts
from minilm.graph import no_grad
from minilm.metrics import Score
from minilm.metrics.samples import copied, distinct, repeated
from minilm.models.generation import Sampler, generate
from minilm.models.ids import as_ids
from minilm.nn import functional as F
from minilm.text import CharTokenizer
from minilm.training.opening import Opened, open_language_model
from minilm.training.text_task import TRAIN_SHARE
from minilm.types import HostArray

MODEL = "smollm2-135m-instruct"
PUBLISHED, HALF = "SmolLM2-135M", "half ours, half n-gram"
PASSAGE = 1000  # characters of an example, or a paragraph more
ROLES = ("system", "user", "assistant")


class Passage(NamedTuple):
    """A piece of text, whose characters are to be foretold."""

    text: str


class Prompt(NamedTuple):
    """What is to be continued: a text, or the turns of a conversation, each a role and what was said; and how."""

    text: str
    messages: tuple[tuple[str, str], ...] = ()
    tokens: int = 100
    seed: int = 0
    sampler: Sampler = Sampler(temperature=0.8, top_p=0.95)


class Writer:
    """A language model as the system of this application: it foretells passages and continues prompts."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.template = template_for(opened.tokenizer, opened.chat_template)

    def __call__(self, questions: Sequence[Passage | Prompt]) -> list[Answer]:
        foretold = iter(self.foretold([q.text for q in questions if isinstance(q, Passage)]))
        return [next(foretold) if isinstance(q, Passage) else self.continued(q) for q in questions]

    def foretold(self, texts: Sequence[str]) -> list[Answer]:
        """ "nats" and "characters" of each text; and "places", where tokens are characters."""
        if isinstance(self.opened.tokenizer, CharTokenizer):
            return [surprise(text, nats_by_character(self.opened, text)) for text in texts]
        found: list[Answer] = [{"nats": 0.0, "characters": 0} for _ in texts]
        if texts:
            of = evaluate(self.opened.model, self.opened.tokenizer, texts)
            for number, nats, characters in zip(of.numbers, of.nats, of.characters, strict=True):
                found[number] = {"nats": float(nats), "characters": int(characters)}
        return found

    def continued(self, prompt: Prompt) -> Answer:
        """ "text": what follows the prompt, or the answer to its last turn; "ended": whether the model ended it."""
        model, tokenizer = self.opened.model, self.opened.tokenizer
        if prompt.messages:
            ids, ends = self.template.encode(prompt.messages), self.template.ends
        else:
            begin = getattr(tokenizer, "bos_id", None)
            ids = [*([] if begin is None else [begin]), *tokenizer.encode(prompt.text)]
            end = getattr(tokenizer, "eos_id", None)
            ends = frozenset() if end is None else frozenset({end})
        if not ids:
            raise ValueError("a prompt needs at least one character that the model's tokenizer knows.")
        (new,) = generate(
            model, [ids], prompt.tokens, temperature=prompt.sampler.temperature, top_k=prompt.sampler.top_k,
            top_p=prompt.sampler.top_p, repetition_penalty=prompt.sampler.repetition_penalty, seed=prompt.seed,
            stop=[[id] for id in ends],
        )  # fmt: skip
        ended = bool(new) and new[-1] in ends
        return {"text": tokenizer.decode(new[:-1] if ended else new), "tokens": len(new), "ended": ended}


class Generation(Application[Passage]):
    """Text generation."""

    name = "generation"
    title = "Generation: text that goes on with a text, or answers in a conversation"
    datasets = ("python-docs",)
    models = (MODEL,)
    line = '{"messages": [{"role": "user", "content": "What is gravity?"}], "tokens": 60, "temperature": 0.2}'
    file = 'a text file, whose paragraphs are foretold, or JSON lines with a "text"'
    opens_runs: ClassVar[bool] = True

    # -- the data -----------------------------------------------------------------------------------------------------

    def split(self) -> Split[Passage]:
        """Python's manual: nine tenths that ``minilm train`` learns from, their last ninth to validate n-grams, and a tenth as the test."""
        text = load_text("python-docs")
        middle, end = (int(share * len(text)) for share in (TRAIN_SHARE * 8 / 9, TRAIN_SHARE))
        validation, _ = passages(text[middle:end], text[:middle])
        test, removed = passages(text[end:], text[:end])
        about = (
            f"The last tenth of Python's manual, cut at blank lines into passages of about {PASSAGE:,} characters. {removed:,} paragraphs "
            "that stand in the nine tenths before, or came before, were left out."
        )
        return Split([Passage(text[:middle])], validation, test, about)

    def read(self, path: Path) -> list[Passage]:
        """The paragraphs of a text file, or the texts of JSON lines."""
        return [Passage(text) for text in read_documents(path, "paragraphs")]

    def question(self, example: Passage) -> Passage:
        return example

    def parse(self, line: str) -> Prompt:
        r"""A text to go on with; or a JSON object with "prompt" or "messages", and perhaps "tokens", "temperature", "top_p", "top_k",
        "repetition_penalty" and "seed". In a line of plain text, a line end is written as it is in JSON: there it is a character.
        """
        if not line.lstrip().startswith("{"):
            return Prompt(line)
        try:
            given = json.loads(line)
        except ValueError as error:
            raise ValueError(f"expected a JSON object such as {self.line}: {error}") from None
        numbers = {name: given.pop(name) for name in ("tokens", "seed") if name in given}
        for name, value in numbers.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ValueError(f'"{name}" should be an integer of 0 or more, it is {value!r}.')
        drawing: dict[str, Any] = {"temperature": 0.8, "top_p": 0.95}
        drawing |= {k: given.pop(k) for k in ("temperature", "top_p", "top_k", "repetition_penalty") if k in given}
        try:
            sampler = Sampler(**drawing)
        except TypeError as error:
            raise ValueError(str(error)) from None
        if set(given) == {"prompt"} and isinstance(given["prompt"], str):
            return Prompt(given["prompt"], (), **numbers, sampler=sampler)
        if set(given) == {"messages"} and isinstance(given["messages"], list) and given["messages"]:
            return Prompt("", tuple(map(_turn, given["messages"])), **numbers, sampler=sampler)
        raise ValueError(f'expected a JSON object with "prompt" or "messages" and settings, such as {self.line}')

    # -- what answers -------------------------------------------------------------------------------------------------

    def open(self, folder: Path | None, device: str) -> System:
        """SmolLM2, or the model of a run of ``minilm train``."""
        return Writer(open_language_model(MODEL if folder is None else str(folder), device))

    def baselines(self) -> Mapping[str, Baseline]:
        return counting.BASELINES

    def beside(self, folder: Path | None, device: str) -> Mapping[str, Baseline]:
        """Beside a run also half of it and half of an n-gram, where its tokens are characters; and SmolLM2."""
        if folder is None:
            return self.baselines()
        opened = open_language_model(str(folder), device)
        both = {HALF: lambda split: mixed(opened, counting.learned(split))}
        return {
            **self.baselines(),
            **(both if isinstance(opened.tokenizer, CharTokenizer) else {}),
            PUBLISHED: lambda split: lambda questions: self.open(None, device)(questions),  # it learns nothing here
        }

    # -- what it is worth ---------------------------------------------------------------------------------------------

    def measure(self, examples: Sequence[Passage], answers: Sequence[Answer]) -> list[Score]:
        return surprise_scores(answers)

    def limits(self) -> Sequence[str]:
        return (
            "It writes what is likely, not what is true: names, numbers and code look right and may be wrong.",
            "It may copy its training text; how much, `minilm.metrics.samples.copied` counts against a text that is known.",
            "English; 135 million weights know little of the world.",
        )


def _turn(given: Any) -> tuple[str, str]:
    if not isinstance(given, dict) or given.get("role") not in ROLES or not isinstance(given.get("content"), str):
        raise ValueError(f'a turn is {{"role": one of {", ".join(ROLES)}, "content": a text}}, got {str(given)[:80]}')
    return given["role"], given["content"]


def passages(text: str, before: str) -> tuple[list[Passage], int]:
    """The paragraphs of a text that do not stand in another and did not come before, joined to passages; and how many were left out."""
    known = {fold_text(paragraph) for paragraph in before.split("\n\n")}
    found: list[Passage] = []
    kept: list[str] = []
    removed = 0
    for paragraph in text.split("\n\n"):
        folded = fold_text(paragraph)
        if folded in known or not folded:
            removed += bool(folded)
            continue
        known.add(folded)
        kept.append(paragraph)
        if sum(map(len, kept)) >= PASSAGE:
            found.append(Passage("\n\n".join(kept)))
            kept = []
    return [*found, Passage("\n\n".join(kept))] if kept else found, removed


# -- where, and how ---------------------------------------------------------------------------------------------------


@no_grad()
def nats_by_character(opened: Opened, text: str) -> HostArray:
    """The surprise of each character of a text, (n,), by a model whose tokens are characters, each after at least half of a window of those
    before it; NaN for the first, which has nothing before it.

    Raises:
        ValueError: the model's tokens are longer than a character: then no character has a surprise of its own.
    """
    ids = np.asarray(opened.tokenizer.encode(text), np.int64)
    if len(ids) != len(text):
        raise ValueError(f"{opened.name} has tokens that are no characters: {len(ids):,} for {len(text):,} characters.")
    found = np.full(len(ids), np.nan)
    window = opened.model.cache_size.longest
    for start, first, end in cuts(len(ids) - 1, window, max(1, window // 2)):
        logits = opened.model(ids[None, start:end])[0, first - start :]
        targets = as_ids(ids[first + 1 : end + 1], logits)
        found[first + 1 : end + 1] = F.cross_entropy(logits, targets, reduction="none").numpy()
    return found


def mixed(opened: Opened, counts: counting.NGram) -> System:
    r"""A model whose tokens are characters and an n-gram as one system: :math:`p = \frac12 p_{\text{model}} + \frac12 p_{\text{counts}}`.

    Jelinek and Mercer (1980) choose the weight on text that neither has read. A run of ``minilm train`` has read the part that validates
    the n-gram, so there is none: the halves are no choice.
    """

    def answer(questions: Sequence[Passage]) -> list[Answer]:
        found = []
        for question in questions:
            ours, theirs = nats_by_character(opened, question.text), counts.nats(question.text)
            found.append(surprise(question.text, -np.log((np.exp(-ours) + np.exp(-theirs)) / 2)))
        return found

    return answer


DRAWS = {
    "greedy": Sampler(temperature=0.0),
    "temperature 0.7": Sampler(temperature=0.7),
    "temperature 1": Sampler(),
    "top-p 0.9": Sampler(top_p=0.9),
}
"""Ways to draw a token."""


def about_samples(samples: Sequence[str], training: str) -> list[Score]:
    """How varied samples are, how much they repeat themselves, and how much of them stands in a text: by words, and by 20 characters.

    Args:
        samples: of one length, so that they can be compared.
        training: the text that the model learned from.
    """
    words = [sample.split() for sample in samples]
    return [distinct(2, words), repeated(4, words), copied(4, words, training.split()), copied(20, samples, training)]


__all__ = [
    "DRAWS",
    "Generation",
    "Passage",
    "Prompt",
    "Writer",
    "about_samples",
    "mixed",
    "nats_by_character",
    "passages",
]
