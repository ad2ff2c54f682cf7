"""The tiny GPT of "Attention by hand": its file is what the engine loads, JavaScript computes the same numbers, the texts are as told."""

import base64
import json
import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from chapters.tools.attention import page, sentences, tiny
from tests.book import by_hand

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def file():
    return json.loads(tiny.FILE.read_text("utf-8"))


def test_the_file_is_what_the_engine_loads(file):
    model = tiny.load()
    assert tiny.packed(model) == file["weights"]
    assert tuple(file["words"]) == sentences.WORDS
    assert file["parameters"] == model.num_parameters()
    assert all(w.numpy().dtype == np.float64 for w in model.parameters())
    for weight in file["weights"].values():
        assert len(base64.b64decode(weight["float16"])) == 2 * math.prod(weight["shape"])


def test_the_file_says_what_it_was_trained_with_and_to_which_loss(file):
    loss, best = tiny.losses(tiny.load(), 300)
    assert file["training"]["steps"] == tiny.STEPS
    assert file["training"]["texts"] == tiny.STEPS * tiny.BATCH
    assert file["training"]["loss"] == pytest.approx(loss, abs=0.02)
    assert file["training"]["best"] == pytest.approx(best, abs=0.02)
    assert loss < best + 0.05


def test_what_the_file_holds_is_written_again_to_the_letter(file):
    assert tiny.text_of(file) == tiny.FILE.read_text("utf-8")


def test_training_is_the_same_each_time():
    assert tiny.packed(tiny.train(3)) == tiny.packed(tiny.train(3))


def test_the_page_is_small():
    files = [*by_hand.STATIC.iterdir()]
    size = len(page.filled().encode()) + sum(path.stat().st_size for path in files)
    assert tiny.FILE.stat().st_size < 200_000
    assert size + page.OPS.stat().st_size < 300_000


def test_the_place_is_filled_with_a_picture_and_the_model(file):
    html = page.filled()
    assert html.startswith('<div id="by-hand"><figure><svg')
    assert "it, gives 0.80 of its attention to cat" in html
    assert "gold, gives 1.00 of its attention to blue" in html
    assert html.endswith("</script>")
    data = html.split('id="by-hand-model">')[1].split("</script>")[0]
    assert json.loads(data) == file


def test_a_chapter_has_the_place_once():
    texts = [path.read_text("utf-8") for path in sorted((ROOT / "chapters" / "en").glob("*.md"))]
    assert sum(text.count(page.MARK) for text in texts) == 1
    assert page.placed(f"a\n\n{page.MARK}\n\nb") == f"a\n\n{page.PLACE}\n\nb"


def test_the_chapter_says_what_the_file_says(file):
    text = (ROOT / "chapters" / "en" / "04-mathematics.md").read_text("utf-8")
    section = text[text.index("### Attention by hand") : text.index(page.MARK)]
    training = file["training"]
    for number in (
        f"{file['parameters']:,}",
        f"{training['texts']:,}",
        f"{training['best']:.2f}",
        f"{training['loss']:.2f}",
        "46 words",
    ):
        assert number in section


def test_each_sentence_can_be_told_by_looking_back():
    rng = np.random.default_rng(0)
    for _ in range(300):
        drawn = sentences.sentence(rng)
        words = [word for word, _ in drawn]
        assert words[-1] == "."
        assert set(words) <= set(sentences.WORDS)
        assert all(nats >= 0 for _, nats in drawn)
        if "again" in words:
            half = words.index("again")
            assert words[:half] == words[half + 1 : -1]
            assert len(set(words[:half])) == half >= 2
        elif "it" in words:
            animal = next(word for word in words if word in sentences.SOUNDS)
            assert words[words.index("it") + 1] == sentences.SOUNDS[animal]
        else:
            assert sentences.NAMES[words[0]] == words[-3]


def test_the_least_surprise_is_that_of_counting():
    """Words of a kind that follow the same word: of many texts, as often as their surprise says."""
    rng = np.random.default_rng(1)
    firsts = [sentences.sentence(rng)[0] for _ in range(4000)]
    for word in ("the", "mia", "red"):
        (nats,) = {nats for first, nats in firsts if first == word}
        share = sum(first == word for first, _ in firsts) / len(firsts)
        assert share == pytest.approx(math.exp(-nats), abs=0.02)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_javascript_computes_the_engines_numbers(file):
    """Logits, scores, weights, loss, and the gradients of all of them and of the parameters."""
    texts = [[file, *given] for given in by_hand.TEXTS]
    program = f"globalThis.minilmOps = require({str(page.OPS)!r});\nrequire({str(by_hand.STATIC / 'gpt.js')!r});\n" + (
        "let given = '';\nprocess.stdin.on('data', (piece) => { given += piece; });\n"
        f"process.stdin.on('end', () => console.log(JSON.stringify(JSON.parse(given).map({by_hand.SCRIPT.strip()}))));"
    )
    done = subprocess.run(["node", "-e", program], input=json.dumps(texts), capture_output=True, text=True, check=True)
    for found, (text, right) in zip(json.loads(done.stdout), by_hand.TEXTS, strict=True):
        by_hand.compare(found, text, right)
