"""``minilm evaluate``, as a user types it."""

import json
import math
import re

import pytest

from minilm import cli
from minilm.cli import main
from minilm.models.llama import Llama, LlamaConfig
from minilm.pretrained.load import save
from minilm.text import BPETokenizer
from tests.tiny import FLAGS, TEXT, text_file

pytestmark = pytest.mark.host  # runs name their device
DOCUMENTS = [TEXT[i : i + 90] for i in range(0, 900, 90)]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A run of characters, one of byte pairs, and a file of ten documents."""
    folder = tmp_path_factory.mktemp("evaluate")
    text = str(text_file(folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minilm.training.loop.plot_losses", lambda run: None)
        patch.setattr(cli, "_sample", lambda *_: "")
        for name, more in (("run", []), ("other", ["--tokenizer", "bpe", "--vocab-size", "270"])):
            assert main(["train", "--data", text, "--out", str(folder / name), "--quiet", *FLAGS, *more]) == 0
    lines = [json.dumps({"text": document}) for document in [*DOCUMENTS, ""]]
    (folder / "ten.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "one.txt").write_text("\n\n".join(DOCUMENTS), encoding="utf-8")
    (folder / "euro.txt").write_text("12 €", encoding="utf-8")
    (folder / "empty.txt").touch()
    (folder / "short.txt").write_text("1", encoding="utf-8")
    return folder


def run(capsys, *arguments):
    status = main(["evaluate", *map(str, arguments), "--device", "cpu"])
    captured = capsys.readouterr()
    assert status == 0, captured.err
    return captured.out


def test_a_table_of_what_was_measured(places, capsys):
    out = run(capsys, places / "run", "--data", places / "ten.jsonl")
    for line in (r"documents +10 +skipped: 1 empty", r"tokens +890", r"characters +890", r"bytes +890",
                 r"nats per token +2\.\d{4} +2\.\d{4} to 2\.\d{4}", r"perplexity +\d+\.\d{4} +\d+\.\d{4} to \d+\.\d{4}",
                 r"bits per character +\d\.\d{4} +\d\.\d{4} to", r"bits per byte", r"context +16 +tokens; windows 8 apart",
                 r"first token +not counted", "With fewer than 20 documents the intervals are too narrow"):  # fmt: skip
        assert re.search(line, out), line


def test_json_says_all_of_it_and_agrees_with_itself(places, capsys):
    found = json.loads(
        run(capsys, places / "run", places / "other", "--data", places / "ten.jsonl", "--json", "--stride", "1")
    )
    first, second = found["models"]
    assert [first["documents"], first["skipped"]["empty"], first["stride"], first["context"]] == [10, 1, 1, 16]
    assert first["nats"] == pytest.approx(sum(document["nats"] for document in first["each_document"]))
    assert first["nats_per_token"]["value"] == pytest.approx(first["nats"] / 890)
    assert first["bits_per_byte"]["value"] == pytest.approx(first["nats"] / 890 / math.log(2))
    assert first["perplexity"]["value"] == pytest.approx(math.exp(first["nats"] / 890))
    assert (
        first["bits_per_byte"]["interval"][0] < first["bits_per_byte"]["value"] < first["bits_per_byte"]["interval"][1]
    )
    assert second["tokens"] < second["characters"]
    difference = next(d for d in found["differences"] if d["measure"] == "bits_per_byte")
    assert difference["difference"] == pytest.approx(first["bits_per_byte"]["value"] - second["bits_per_byte"]["value"])
    assert difference["documents"] == 10


def test_two_models_are_compared(places, capsys):
    out = run(capsys, places / "run", places / "other", "--data", places / "ten.jsonl")
    one, other = str(places / "run"), str(places / "other")
    found = re.search(r"(\S+) needs (\d\.\d{4}) bits per byte less than (\S+?),? \(?", " ".join(out.split()))
    assert {found[1], found[3]} == {one, other}
    assert "95 % interval of the difference" in out
    same = run(capsys, places / "run", places / "run", "--data", places / "ten.jsonl")
    assert "need equally many bits per byte" in same


def test_one_document_and_its_paragraphs(places, capsys):
    whole = run(capsys, places / "run", "--data", places / "one.txt")
    assert re.search(r"documents +1\n", whole)
    assert re.search(r"bits per byte +\d\.\d{4} +none", whole)
    assert "One document has no interval" in whole
    parts = run(capsys, places / "run", "--data", places / "one.txt", "--documents", "paragraphs")
    assert re.search(r"documents +10\n", parts)


def test_a_published_model_in_a_folder(places, tmp_path, capsys):
    tokenizer = BPETokenizer.train([TEXT], vocab_size=300)
    config = LlamaConfig(300, 8, 16, 1, 2, 1, max_position_embeddings=32)
    save(Llama(config), tokenizer, tmp_path / "llama")
    out = run(
        capsys,
        tmp_path / "llama",
        "--data",
        places / "ten.jsonl",
        "--context",
        "12",
        "--stride",
        "3",
        "--batch-size",
        "2",
    )
    assert re.search(r"context +12 +tokens; windows 3 apart", out)
    nats = float(re.search(r"nats per token +(\S+)", out)[1])
    assert nats == pytest.approx(math.log(300), abs=0.5)  # it was not trained


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["{run}", "--data", "{at}/empty.txt"], "--data: .*empty.txt has no document with text in it"),
     (["{run}", "--data", "{at}/euro.txt"], "--data: the tokenizer of .*run cannot read it: document 1: the character '€'"),
     (["{run}", "--data", "{at}/short.txt"], "--data, .*run: there is nothing to predict"),
     (["{run}", "--data", "{at}/none.txt"], "--data: there is no file"), (["{at}/none", "--data", "{at}/one.txt"], "MODEL .*none"),
     (["{at}/ten.jsonl", "--data", "{at}/one.txt"], "MODEL .*ten.jsonl: "),
     (["{run}", "--data", "{at}/one.txt", "--context", "17"], "--context 17 is more than .*run takes: 16 tokens"),
     (["{run}", "--data", "{at}/one.txt", "--stride", "17"], "--stride 17 is more than the context of 16 tokens"),
     (["{run}", "--data", "{at}/one.txt", "--context", "8", "--stride", "9"], "--stride 9 is more than the context of 8")],
)  # fmt: skip
def test_what_cannot_be_evaluated_is_told(places, arguments, told, capsys):
    filled = [word.format(run=places / "run", at=places) for word in arguments]
    assert main(["evaluate", *filled, "--device", "cpu"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert re.match(f"minilm: {told}", err)
    assert len(err.splitlines()) == 1


def test_a_command_line_without_data(places, capsys):
    assert main(["evaluate", str(places / "run")]) == 2
    assert "--data" in capsys.readouterr().err
    assert main(["evaluate", str(places / "run"), "--data", str(places / "one.txt"), "--documents", "lines"]) == 2
    assert "--documents: there is no way to split 'lines'" in capsys.readouterr().err
    assert main(["evaluate", str(places / "run"), "--data", str(places / "one.txt"), "--device", "tpu"]) == 1
    assert "--device: unknown device 'tpu'" in capsys.readouterr().err
