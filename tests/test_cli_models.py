"""``minilm models``"""

import re

import pytest

import minilm as ml
from minilm.cli import main
from minilm.formats.gguf import write
from minilm.models import GPT, GPTConfig
from minilm.pretrained import save, table
from minilm.pretrained.table import TABLE
from tests.tiny import FLAGS, text_file

pytestmark = pytest.mark.host


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("MINILM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def told(capsys):
    def of(*arguments, status=0):
        assert main(["models", *map(str, arguments)]) == status
        out, err = capsys.readouterr()
        return err if status else out

    return of


def test_list(told):
    head, *rows = told("list").splitlines()
    assert head.split() == ["name", "state", "kind"]
    assert [row.split()[0] for row in rows] == list(TABLE)
    assert "83.5 MB to fetch" in rows[0]


@pytest.mark.parametrize("name", TABLE)
def test_show_a_published_model(told, name):
    assert told("show", name.upper()).startswith(f"{name}: {TABLE[name].title}")


def test_show_a_run_prints_its_card(told, tmp_path, capsys):
    assert main(["train", "--data", str(text_file(tmp_path)), "--out", "run", "--quiet", *FLAGS]) == 0
    capsys.readouterr()
    assert told("show", "run") == (tmp_path / "run" / "card.md").read_text(encoding="utf-8")
    (tmp_path / "run" / "card.md").unlink()
    assert "the run run has no card.md yet" in told("show", "run", status=1)
    assert main(["train", "--resume", "run", "--quiet"]) == 0  # finished already: only the card is made anew
    capsys.readouterr()
    assert told("show", "run").startswith("# Model card: run\n")


def test_show_a_folder(told):
    ml.random.manual_seed(0)
    model = GPT(GPTConfig(11, 8, 2, 2, 4))
    save(model, None, "folder", "F16")
    out = told("show", "folder")
    assert re.search(r"^family +gpt2$", out, re.MULTILINE)
    assert re.search(rf"^weights +{model.num_parameters()}$", out, re.MULTILINE)
    assert re.search(r"^arrays +28 F16$", out, re.MULTILINE)
    assert "its files do not say" in out


def test_show_a_gguf_file(told, tmp_path):
    import numpy as np

    write(tmp_path / "tiny.gguf", {"general.architecture": "llama", "general.license": "mit", "llama.block_count": 1},
          {"token_embd.weight": np.zeros((4, 32), np.float32)})  # fmt: skip
    out = told("show", "tiny.gguf")
    assert "license 'mit'" in out
    assert "block_count 1" in out
    assert re.search(r"^weights +128$", out, re.MULTILINE)


def test_get_prints_what_load_opens(told, monkeypatch):
    monkeypatch.setattr(table.package, "fetch", lambda package: package.folder)
    assert told("get", "smollm2-135m-instruct").endswith(
        "models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf\n"
    )


@pytest.mark.parametrize(("arguments", "message"), [
    (["show", "smollm2"], "Did you mean smollm2-135m-instruct?"),
    (["get", "minilm"], "Did you mean all-minilm-l6-v2?"),
    (["get", "qqq"], "there is no model called 'qqq'"),
    (["show", "."], "config.json"),
    (["show", "text.txt"], "is no GGUF file"),
])  # fmt: skip
def test_what_is_not_there_is_named(told, tmp_path, arguments, message):
    text_file(tmp_path)
    assert message in told(*arguments, status=1)
