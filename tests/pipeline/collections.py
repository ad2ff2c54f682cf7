"""Small collections on disk, with everything in them that a corpus leaves out."""

import gzip
import json
import random

from minilm.data.corpus.documents import Document
from minilm.pipeline import Settings
from tests.data.corpus.texts import families, words

SETTINGS = Settings(
    least=100, without=("not English", "length of words"), held_out=0.2, vocab_size=300, sample=20_000, shard=5_000,
    weights={"b": 1.5, "c": 0.6}, most_share=0.5,
)  # fmt: skip
KEPT = ("corpus.json", "tokenizer.json", "removed.jsonl", "copies.jsonl", "contaminated.jsonl", "asides.jsonl")


def texts_of(seed=0, count=24):
    """Families of near copies, exact copies, short ones, repetitions, and texts that hold another one."""
    rng = random.Random(seed)
    found = families(count, seed)
    found += [text.upper() + "!" for text in rng.sample(found, 5)] + ["short", "", "again " * 40]
    found += [f"{' '.join(words(30, seed + k))} {text}" for k, text in enumerate(rng.sample(found[:count], 10))]
    rng.shuffle(found)
    return found


def write_collections(folder, seed=0, count=24):
    """Three collections: lines in several files, packed and not; texts beside lines; a single file. Returns their places by name."""
    texts, rng = texts_of(seed, count), random.Random(seed)
    thirds = [texts[k::3] for k in range(3)]
    (folder / "a" / "deep").mkdir(parents=True)
    lines = [json.dumps({"text": text, "n": k}) for k, text in enumerate(thirds[0])]
    lines.insert(rng.randrange(len(lines)), '{"text": 5}')
    half = len(lines) // 2
    (folder / "a" / "one.jsonl").write_text("\n".join(lines[:half]))
    (folder / "a" / "deep" / "two.jsonl.gz").write_bytes(gzip.compress("\n".join([*lines[half:], "{"]).encode()))
    (folder / "b").mkdir()
    for k, text in enumerate(thirds[1][:4]):
        (folder / "b" / f"{k}.txt").write_text(text)
    (folder / "b" / "rest.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in thirds[1][4:]))
    (folder / "b" / "picture.png").write_bytes(b"\x89PNG")
    (folder / "c.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in thirds[2]) + "\n")
    return {"a": folder / "a", "b": folder / "b", "c": folder / "c.jsonl"}


def everything_in(folder):
    """The content of all files of a corpus, by their paths."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "work" not in path.relative_to(folder).parts and path.name != "corpus.lock"
    }


def texts_in(corpus, split):
    """The documents of a part, in their order."""
    lines = [
        line
        for file in corpus.about["splits"][split]["texts"]
        for line in gzip.decompress((corpus.folder / split / file["file"]).read_bytes()).splitlines()
    ]
    return [Document(**json.loads(line)) for line in lines]
