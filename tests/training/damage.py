"""Ways in which the files of a run can be damaged, generated from the files themselves.

`pairs` gives (file, name of the damage, what does it); `check` does it to a copy of a run and says what is wrong with what follows:
whoever reads the run either does so with nothing lost, or raises one named error and changes nothing.
"""

import json
import os
import shutil

import numpy as np

from minilm.data import DataError
from minilm.random import get_state
from minilm.text import TokenizerError
from minilm.training.checkpoint import CheckpointError, load_arrays, save_arrays
from minilm.training.loop import Training
from minilm.training.recipes import open_run, resume_run
from minilm.training.run import weights_of

NAMED = (CheckpointError, DataError, TokenizerError, ValueError, FileExistsError)
WRONG = [None, True, "7", -3, 2**70, 1.5, float("inf"), float("-inf"), float("nan"), [], {}]
KEEP = object()


def whole_file_damages(path, other):
    """Of any file: what happens to it as a whole, and to its bytes."""
    content = path.read_bytes()
    n = len(content)
    places = sorted({*range(0, n, max(1, n // 12)), 1, 8, 9, n // 2, n - 1})
    yield "missing", lambda p: p.unlink()
    yield "a folder in its place", lambda p: (p.unlink(), p.mkdir())
    yield "a link to itself", lambda p: (p.unlink(), p.symlink_to(p))
    yield "another run's", lambda p: shutil.copy(other, p)
    yield "twice", lambda p: p.write_bytes(content * 2)
    yield "foreign text", lambda p: p.write_bytes(b"nothing\n")
    for cut in (0, 1, 8, n // 4, n // 2, n - 1):
        yield f"cut at {cut}", lambda p, cut=cut: p.write_bytes(content[:cut])
    for place in places:
        flipped = content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]
        yield f"bit flipped in byte {place}", lambda p, flipped=flipped: p.write_bytes(flipped)


def leaves(value, place=()):
    """The places of all values in JSON, those that hold others included; of a list and of what is numbered the first two."""
    if place:
        yield place
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    for key, part in inner[:2] if inner and str(inner[0][0]).isdigit() else inner:
        yield from leaves(part, (*place, key))


def replaced(value, place, new):
    """A copy of JSON with another value at a place; without it, for `KEEP`."""
    copy = json.loads(json.dumps(value))
    part = copy
    for key in place[:-1]:
        part = part[key]
    if new is KEEP:
        del part[place[-1]]
    else:
        part[place[-1]] = new
    return copy


def at(value, place):
    for key in place:
        value = value[key]
    return value


def believable(value):
    """Another value of the same kind, which only a hash tells from the right one; KEEP where there is none."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return 2 * value if value else 1
    if isinstance(value, str):
        return value[:-1] + chr(ord(value[-1]) + 1) if value else KEEP
    if isinstance(value, list) and value != value[::-1]:
        return value[::-1]
    return KEEP


def believable_damages(value, write):
    """Of a file that holds values: each of them another one of its kind in turn."""
    for place in leaves(value):
        new = believable(at(value, place))
        if new is not KEEP:
            shown = ".".join(map(str, place)) + " another"
            yield shown, lambda p, place=place, new=new: write(p, replaced(value, place, new))


def value_damages(value, write):
    """Of a file that holds values: each of them wrong in turn. `write(path, value)` makes the file."""
    for place in leaves(value):
        for new in [KEEP, *WRONG]:
            old = at(value, place)
            if new is not KEEP and type(new) is type(old) and new == old:
                continue
            shown = "removed" if new is KEEP else f"= {new!r}"
            yield (
                ".".join(map(str, place)) + " " + shown,
                lambda p, place=place, new=new: write(p, replaced(value, place, new)),
            )


def write_json(path, value):
    path.write_text(json.dumps(value), encoding="utf-8")


def pairs(folder, other, files, seal=None):
    """All (file, damage, what does it) of a run; `seal(about, arrays)` makes a changed file consistent with itself again."""
    for name in files:
        path = folder / name
        if not path.exists():
            continue
        for damage, do in whole_file_damages(path, other / name):
            yield name, damage, do
        if name.endswith(".json"):
            value = json.loads(path.read_text(encoding="utf-8"))
            for damages in (value_damages, believable_damages):
                for damage, do in damages(value, write_json):
                    yield name, damage, do
        if name.endswith(".jsonl"):
            lines = [json.loads(line) for line in path.read_text().splitlines()]

            def write(p, value):
                p.write_text("".join(json.dumps(line) + "\n" for line in value["lines"]))

            for damage, do in value_damages({"lines": lines}, write):
                if damage.startswith("lines."):
                    yield name, damage, do
        if name.endswith(".safetensors"):
            arrays, about = load_arrays(path)

            def write_sealed(p, value, arrays=arrays):
                save_arrays(p, arrays, seal(arrays, value) if seal else value)

            later = {**about, "version": 99}
            yield name, "of a later version", lambda p, w=write_sealed, later=later: w(p, later)
            for damage, do in value_damages({k: v for k, v in about.items() if k != "sha256"}, write_sealed):
                if damage not in BELIEVED:
                    yield name, damage, do
            for damage, do in believable_damages(about, lambda p, value, arrays=arrays: save_arrays(p, arrays, value)):
                yield name, damage, do
            for key in arrays:
                for new in (np.nan, np.inf):
                    changed = {k: np.full_like(v, new) if k == key else v for k, v in arrays.items()}
                    yield (
                        name,
                        f"{key} = {new}",
                        lambda p, c=changed, a=about: save_arrays(p, c, seal(c, a) if seal else a),
                    )


def contents(folder):
    """The files of a folder with their bytes; what is no file, by its kind."""
    found = {}
    for name in sorted(os.listdir(folder)):
        path = folder / name
        found[name] = path.read_bytes() if path.is_file() else "link" if path.is_symlink() else "folder"
    return found


def resume(folder):
    """Opens a run to go on with it; returns all that the steps to come depend on."""
    run, text = resume_run(folder)
    training = Training.resume(run, text, "cpu")
    return {**weights_of(training.model), **training.optimizer.state_dict()["arrays"], "train": np.array(text.train),
            "validation": np.array(text.validation), "settings": np.array(repr((run.task.config, run.train_config))),
            "random": np.array(repr(get_state())), "options": np.array(repr(training.optimizer)),
            "counters": np.array([training.step, training.best, training.bad])}  # fmt: skip


def generate(folder):
    """Opens a run to write text with it."""
    run = open_run(folder)
    tokenizer, model = run.task.tokenizer(folder), run.model("cpu")
    ids = np.asarray(tokenizer.encode_array("1 plus 2"), np.int64)
    text = tokenizer.decode(range(tokenizer.vocab_size))
    return {**weights_of(model), "ids": ids, "text": np.array(text), "logits": model(ids[None]).numpy()}


READERS = {"resume": resume, "generate": generate}
MAY_CHANGE = {"metrics.jsonl", "metrics.damaged"}
GONE = (
    "resume",
    "model.safetensors",
    "missing",
)  # the run goes on without a best loss: the next evaluation makes a model again


# A file that is whole, of the run, and says another time than it should is beyond what can be known.
BELIEVED = {f"random.{name} = {2**70}" for name in ("counter", "generator.state.state", "generator.state.inc")}


def check(reader, folder, expected, undamaged, name, damage):
    """What is wrong with how a damaged run is read; None if nothing is."""
    before = contents(folder)
    try:
        found = READERS[reader](folder)
    except NAMED as error:
        if type(error) is UnicodeDecodeError or "\n" in str(error):
            return f"raises a {type(error).__name__}: {error}"
        after = contents(folder)
        return None if after == before else f"says {error}, but changed {changed(before, after)}"
    except BaseException as error:
        return f"raises {type(error).__name__}: {error}"
    if (reader, name, damage) == GONE:
        expected = {**expected, "counters": expected["counters"] * [1, np.inf, 1]}
    for key, value in expected.items():
        if found.keys() != expected.keys() or not np.array_equal(found[key], value):
            return f"accepted, with another {key}"
    after = contents(folder)
    lost = [n for n in changed(before, after) if n not in MAY_CHANGE and after.get(n) != undamaged.get(n)]
    lines = b"".join(after[n] for n in MAY_CHANGE if isinstance(after.get(n), bytes)).split(b"\n")
    old = before.get("metrics.jsonl", b"")
    gone = [line for line in old.split(b"\n") if line not in lines] if isinstance(old, bytes) else []
    return f"accepted, but changed {lost} and dropped {gone}" if lost or any(gone) else None


def changed(before, after):
    return [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
