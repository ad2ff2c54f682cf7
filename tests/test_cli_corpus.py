"""``minilm corpus`` as users type it, and as they mistype it: every error is a line or two that says what to do."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from minilm.cli import main
from minilm.data.packed import open_corpus
from minilm.text import BPETokenizer, CharTokenizer, WordPieceTokenizer
from tests.data.corpus.texts import words
from tests.pipeline.collections import everything_in, texts_in
from tests.tiny import FLAGS

pytestmark = pytest.mark.host  # runs name their device


@pytest.fixture(autouse=True)
def _only_learns(monkeypatch):
    """No picture and no sample of a trained model: they take longer than all the rest."""
    monkeypatch.setattr("minilm.training.loop.plot_losses", lambda run: None)
    monkeypatch.setattr("minilm.cli._sample", lambda *_: "")


LOOSE = ["--least", "20", "--without", "not English", "--without", "length of words", "--held-out", "0.3", "--vocab-size", "270",
         "--processes", "1", "--quiet"]  # fmt: skip
TEXT = " ".join(words(60, 99))


def texts(count, seed=0):
    return [" ".join(words(60, 1000 * seed + k)) for k in range(count)]


def line(text):
    return json.dumps({"text": text}) + "\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with an input, in which the command is typed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "base.jsonl").write_text("".join(map(line, texts(8))))
    (tmp_path / "b.txt").write_text(TEXT)
    return tmp_path


def corpus(*words):
    """The exit status of the command."""
    return main(["corpus", *LOOSE, *map(str, words)])


def refused(capsys, *words, status=1):
    """What it complains about, in a line or two; nothing else is said, and there is no corpus."""
    assert corpus(*words) == status
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("minilm: ")
    assert told.err.count("\n") <= 2
    assert len(told.err) < 1000
    return told.err


# -- as it is meant ------------------------------------------------------------------------------------------------------


def test_a_corpus_and_how_to_learn_from_it(here, capsys):
    assert corpus("a", "more=b.txt", "--out", "out", "--licence", "a=CC0", "--weight", "a=2") == 0
    told = capsys.readouterr()
    about = open_corpus("out").about
    counts = about["splits"]["train"]
    assert (
        f"train       {counts['documents']:,} documents, {counts['characters']:,} characters, {counts['tokens']:,} tokens"
        in told.out
    )
    assert "what was left out, and why: out/report.html" in told.out
    assert "learn from it: minilm train --data out" in told.out
    assert about["sources"] == [{"name": "a", "licence": "CC0"}, {"name": "more", "licence": "not stated"}]
    assert "CC0" in (here / "out" / "card.md").read_text()
    assert "minilm corpus a=A more=MORE --out CORPUS --licence a=CC0" in (here / "out" / "report.html").read_text()
    assert sorted(path.name for path in here.iterdir()) == ["a", "b.txt", "out"]
    assert (
        corpus("./a", f"more={here}/b.txt", "--out", "out/", "--licence", "a=CC0", "--weight", "a=2") == 0
    )  # it is there already


def test_the_name_is_the_last_part_of_the_path_unless_it_is_given(here, monkeypatch):
    (here / "x=y").mkdir()
    (here / "x=y" / "t.txt").write_text(TEXT)
    monkeypatch.chdir(here / "a")
    assert corpus("../x=y", "../b.txt", ".", "--out", "../out") == 0
    assert [source["name"] for source in open_corpus(here / "out").about["sources"]] == ["a", "b.txt", "x=y"]


def test_progress_is_a_line_for_each_stage(here, capsys):
    words = [word for word in LOOSE if word != "--quiet"]
    assert main(["corpus", *words, "a", "--out", "out"]) == 0
    told = capsys.readouterr().err
    assert "reading, rules, signatures: 100%" in told
    assert "report: 100%" in told


# -- as it is mistyped ---------------------------------------------------------------------------------------------------

MISTAKES = {
    "an input that is not there": (["nope"], "there is no file nope: it does not exist in the folder"),
    "an empty folder": (["empty"], "the folder empty holds no .txt or .jsonl file"),
    "a folder without texts": (["pictures"], "the folder pictures holds no .txt or .jsonl file"),
    "a named pipe": (["fifo.txt"], "fifo.txt cannot be read: it is not a regular file but a named pipe"),
    "a link to nothing": (["dead.txt"], "there is no file dead.txt: it is a link to nowhere"),
    "a device": (["/dev/zero"], "not a regular file but a device"),
    "one name twice": (["x=a", "x=b.txt"], "two inputs are called x: give them names, as in first=x second="),
    "one path twice": (["a", "a"], "two inputs are called a: give them names"),
    "a name that acts on the terminal": (["x\x1b[31m=a", "x\x1b[31m=b.txt"], r"two inputs are called x\x1b[31m"),
    "the input itself": (["a", "--out", "a"], "--out: a holds something else already"),
    "within the input": (["a", "--out", "a/out"], "--out: a/out lies in the input a, and would be read as a part of it: choose"),
    "within the folder above": ([".", "--out", "deep/out"], "--out: deep/out lies in the input ."),
    "within it behind a link": (["a", "--out", "link/out"], "--out: link/out lies in the input a"),
    "within an evaluation set": (["b.txt", "--evaluation", "a", "--out", "a/out"], "--out: a/out lies in --evaluation a"),
    "around the input": (["pictures/only.jsonl", "--out", "pictures"], "--out: pictures holds something else already"),
    "a file": (["a", "--out", "b.txt"], "--out: b.txt holds something else already"),
    "below a file": (["a", "--out", "b.txt/out"], "--out: b.txt/out: Not a directory"),
    "no tokenizer": (["a", "--tokenizer", "nope.json"], "--tokenizer: there is no file nope.json"),
    "a tokenizer that is none": (["a", "--tokenizer", "b.txt"], "--tokenizer: tokenizer file b.txt"),
    "a tokenizer without an end": (["a", "--tokenizer", "char.json"], "--tokenizer: the tokenizer has no special token '<|endoftext|>'"),
    "no evaluation set": (["a", "--evaluation", "nope"], "--evaluation: there is no file nope"),
    "only what is asked": (["a", "--evaluation", "a"], "hold what is held out or asked (--evaluation, --most-share, --most-runs)"),
    "a field that is not there": (["a", "--field", "body"], "8 pieces of the input are no documents (--field, --max-bytes)"),
    "no weight": (["a", "--weight", "a=0"], "are taken no time (--weight)"),
}  # fmt: skip

TYPING = {
    "a weight for nothing": (["a", "--weight", "A=1"], "--weight: there is no input 'A'; there are a."),
    "a licence for nothing": (["a", "--licence", "q=MIT"], "--licence: there is no input 'q'; there are a."),
    "a weight without a name": (["a", "--weight", "2"], "--weight: expected the name of an input and its weight, NAME=WEIGHT, found '2'"),
    "a weight that is none": (["a", "--weight", "a=nan"], "NAME=WEIGHT, found 'a=nan'"),
    "everything held out": (["a", "--held-out", "1"], "--held-out: expected a number from 0 on, below 1, got '1'"),
    "a rule that is not there": (["a", "--without", "not Englisch"], "--without: there is no rule 'not Englisch'; there are short,"),
    "nothing": ([""], "[NAME=]PATH: expected a path, got ''"),
    "a name for nothing": (["x="], "[NAME=]PATH: expected a path, got ''"),
    "a NUL in a path": (["a\0b"], r"[NAME=]PATH: expected a path, got 'a\x00b'"),
    "a name that is no text": (["x\udcff=a"], "expected text, got bytes that are none"),
    "a licence that is no text": (["a", "--licence", "a=\udcff"], "--licence: expected"),
    "two who compute": (["a", "--scheduler", "tcp://h:1"], "--scheduler and --processes exclude each other"),
    "a number with too many digits": (["a", "--seed", "1" + "0" * 18], "--seed: expected an integer of at most 999999999999999999"),
}  # fmt: skip


@pytest.fixture
def odd(here):
    """Beside the input what cannot be one."""
    for name in ("empty", "pictures", "deep"):
        (here / name).mkdir()
    (here / "pictures" / "x.png").write_bytes(b"\x89PNG")
    os.mkfifo(here / "fifo.txt")
    (here / "dead.txt").symlink_to("nowhere")
    (here / "link").symlink_to(here / "a")
    CharTokenizer.train(["abc"]).save(here / "char.json")
    return here


@pytest.mark.parametrize("case", [*MISTAKES, *TYPING])
def test_a_mistake_is_named_with_what_to_do(odd, capsys, case):
    words, message = {**MISTAKES, **TYPING}[case]
    if case == "around the input":
        (odd / "pictures" / "only.jsonl").write_text(line(TEXT))
    out = [] if "--out" in words else ["--out", "out"]
    assert message in refused(capsys, *words, *out, status=2 if case in TYPING else 1)
    assert not (odd / "out" / "corpus.json").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_what_may_not_be_read_or_written(here, capsys):
    (here / "b.txt").chmod(0)
    (here / "closed").mkdir(mode=0o500)
    assert "b.txt cannot be read (Permission denied); check its permissions" in refused(capsys, "b.txt", "--out", "out")
    assert "--out: closed cannot be written (Permission denied)" in refused(capsys, "a", "--out", "closed")
    assert "--out: closed/out: Permission denied" in refused(capsys, "a", "--out", "closed/out")


def test_a_folder_that_may_not_be_written_is_named(here, capsys, monkeypatch):
    """As above, also for root, who may do everything: the system's answer is put in its place."""
    real = os.open

    def deny(path, *rest):
        if str(path).endswith("corpus.lock"):
            raise PermissionError(13, "Permission denied")
        return real(path, *rest)

    monkeypatch.setattr(os, "open", deny)
    assert "--out: out cannot be written (Permission denied): give a folder that may be changed" in refused(
        capsys, "a", "--out", "out"
    )


def test_a_full_disk_is_named_with_the_file(here, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", str(here / "out" / "work" / "plan.json"))

    monkeypatch.setattr("minilm.pipeline.work.atomic_write", full)
    told = refused(capsys, "a", "--out", here / "out")
    assert "--out: " in told
    assert "plan.json: No space left on device" in told


# -- texts of all kinds --------------------------------------------------------------------------------------------------

OTHERS = texts(2, 50)
ODD = {
    "nul": (line(TEXT + "\0x") + '{"text": "' + TEXT + '\0"}\n', [TEXT + "\0x"], ["bad JSON"]),
    "lone": ('{"text": "' + TEXT + '\\ud800"}\n' + line(OTHERS[0] + "\U0001f600"), [OTHERS[0] + "\U0001f600"], ["bad encoding"]),
    "control": (line(OTHERS[1] + "\x1b[31m\x07"), [OTHERS[1] + "\x1b[31m\x07"], []),
    "one": (line("x") + line("é") + line(" "), ["x", "é"], ["empty"]),
}  # fmt: skip


def test_texts_of_all_kinds(here):
    for name, (content, _, _) in ODD.items():
        (here / "a" / f"{name}.jsonl").write_text(content)
    assert corpus("a", "--out", "out", "--least", "0", "--threshold", "0.99") == 0
    found = [document for split in ("train", "validation") for document in texts_in(open_corpus("out"), split)]
    asides = [json.loads(row) for row in (here / "out" / "asides.jsonl").read_text().splitlines()]
    for name, (_, whole, reasons) in ODD.items():
        assert sorted(document.text for document in found if document.name.startswith(name)) == sorted(whole)
        assert [each["reason"] for each in asides if each["file"] == f"{name}.jsonl"] == reasons
    for page in ("report.html", "card.md"):
        assert not set((here / "out" / page).read_text()) & set("\x1b\x07\0")


def test_utf_16_and_damaged_files_are_aside_with_the_reason(here):
    (here / "a" / "wide.txt").write_text(TEXT, encoding="utf-16")
    (here / "a" / "cut.jsonl.gz").write_bytes(gzip.compress(line(TEXT).encode())[:-9])
    (here / "a" / "loop").symlink_to(here / "a")
    os.mkfifo(here / "a" / "fifo.txt")
    assert corpus("a", "--out", "out") == 0
    asides = [json.loads(row) for row in (here / "out" / "asides.jsonl").read_text().splitlines()]
    assert {each["file"]: each["reason"] for each in asides} == {
        "cut.jsonl.gz": "cut short or damaged", "fifo.txt": "file that is not read", "loop": "file that is not read",
        "wide.txt": "bad encoding",
    }  # fmt: skip


def test_names_that_act_on_a_terminal_or_are_no_text(here, capsys):
    (here / "a" / "red\x1b[31m\n.txt").write_text(TEXT)
    try:
        (here / "a" / os.fsdecode(b"caf\xe9.txt")).write_text(" ".join(words(60, 5)))
    except OSError:
        pytest.skip("this file system wants text")
    assert corpus("a", "b\x1b[31m=b.txt", "--out", "out\x1b[31m") == 0
    assert "\x1b" not in "".join(capsys.readouterr())
    assert "\x1b" not in (here / "out\x1b[31m" / "report.html").read_text()
    assert corpus("a", "b\x1b[31m=b.txt", "--out", "out\x1b[31m", "--seed", "1") == 1
    assert "\x1b" not in "".join(capsys.readouterr())


@pytest.mark.slow
def test_a_document_of_megabytes_in_one_line(here):
    (here / "a" / "long.jsonl").write_text(line(" ".join(words(400_000, 7))))
    assert corpus("a", "--out", "out", "--sample", "50000", "--held-out", "0") == 0
    assert max(len(document.text) for document in texts_in(open_corpus("out"), "train")) > 2_500_000


# -- learning from it ----------------------------------------------------------------------------------------------------

TRAIN = ["train", *FLAGS, "--steps", "4", "--quiet"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A corpus that is there already."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "a").mkdir()
    (folder / "a" / "base.jsonl").write_text("".join(map(line, texts(8))))
    assert corpus(folder / "a", "--out", folder / "packed", "--licence", "a=CC0 (made here)") == 0
    return folder / "packed"


@pytest.fixture
def packed(here, made):
    return shutil.copytree(made, here / "packed")


def losses(run):
    return [
        {key: value for key, value in json.loads(row).items() if "loss" in key}
        for row in (run / "metrics.jsonl").read_text().splitlines()
    ]


def test_files_of_any_length_give_the_same_model_bit_for_bit(here, packed):
    assert corpus("a", "--out", "many", "--shard", "1024", "--licence", "a=CC0 (made here)") == 0
    assert len(open_corpus("many").about["splits"]["train"]["shards"]) > 1
    for name in ("packed", "many"):
        assert main([*TRAIN, "--data", name, "--out", f"run-{name}"]) == 0
    assert losses(here / "run-packed") == losses(here / "run-many") != []
    model = "model.safetensors"
    assert len({(here / f"run-{name}" / model).read_bytes()[-2000:] for name in ("packed", "many")}) == 1


def test_a_run_on_a_corpus_and_what_it_tells(here, packed, capsys):
    assert main([*TRAIN, "--data", "packed", "--out", "run"]) == 0
    card = (here / "run" / "card.md").read_text()
    assert "a: CC0 (made here)" in card
    assert "whole documents were held out" in card
    assert not list((here / "run").glob("*.tokens"))  # they are the corpus's
    assert main(["generate", "run", "--tokens", "3", "--device", "cpu"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "run", "--data", "packed", "--device", "cpu", "--json"]) == 0
    (evaluated,) = json.loads(capsys.readouterr().out)["models"]
    held_out = [len(document.text) for document in texts_in(open_corpus("packed"), "validation")]
    assert [
        each["characters"] + 1 for each in evaluated["each_document"]
    ] == held_out  # each one's first token has no prediction
    assert main(["train", "--resume", "run", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    capsys.readouterr()

    def resumed():
        assert main(["train", "--resume", "run", "--steps", "8", "--device", "cpu", "--quiet"]) == 1
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        return told

    shutil.move("packed", "elsewhere")
    assert "--resume: there is no file, folder or data set" in resumed()
    assert corpus("a", "--out", "packed", "--seed", "5") == 0
    capsys.readouterr()
    assert "is not the one that run was trained on (its SHA-256 differs)" in resumed()
    shutil.rmtree("packed")
    shutil.move("elsewhere", "packed")
    assert main(["train", "--resume", "run", "--steps", "8", "--device", "cpu", "--quiet"]) == 0


LEARNING = {
    "a tokenizer": ([], ["--tokenizer", "bpe"], "has its own tokenizer, in which its tokens are: ask for no other"),
    "masked words": ([], ["--recipe", "masked"], "lacks [PAD], [UNK], [CLS], [SEP], [MASK]: take --tokenizer wordpiece, or for a corpus"),
    "nothing held out": (["--held-out", "0"], [], "nothing is in the part 'validation': make the corpus again, with a larger --held-out"),
    "a context that is too long": ([], ["--block-size", "50000"], "a context of 50000 needs at least 50001: use more text"),
}  # fmt: skip


@pytest.mark.parametrize("case", LEARNING)
def test_what_cannot_be_learned_is_told(here, capsys, case):
    making, learning, message = LEARNING[case]
    assert corpus("a", "--out", "packed", *making) == 0
    capsys.readouterr()
    assert (
        main(["train", "--data", "packed", "--out", "run", "--quiet", "--device", "cpu", "--steps", "1", *learning])
        == 1
    )
    told = capsys.readouterr()
    assert message in told.err
    assert told.err.count("\n") == 1
    assert not (here / "run").exists()


def test_a_tokenizer_that_is_another_one_s_is_refused(packed, capsys):
    BPETokenizer.train(["other"], vocab_size=270, special_tokens=["<|endoftext|>"]).save(packed / "tokenizer.json")
    assert main([*TRAIN, "--data", "packed", "--out", "run"]) == 1
    assert "tokenizer.json is not the file that was written when this corpus was made" in capsys.readouterr().err


@pytest.mark.slow
def test_masked_words_can_be_learned_from_a_corpus_with_their_tokenizer(here, capsys):
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<|endoftext|>"]
    WordPieceTokenizer.train(texts(8), vocab_size=200, special_tokens=special).save(here / "wordpiece.json")
    assert corpus("a", "--out", "packed", "--tokenizer", "wordpiece.json") == 0
    assert main([*TRAIN, "--recipe", "masked", "--data", "packed", "--out", "run"]) == 0


# -- as a process --------------------------------------------------------------------------------------------------------


def started(*words, **options):
    """The command as a process, the first of a group of its own."""
    command = [sys.executable, "-m", "minilm", "corpus", *LOOSE, *map(str, words)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, text=True, **options
    )


def of_group(group):
    """The processes that are in it."""
    found = subprocess.run(
        ["ps", "-eo", "pid,pgid,stat"], stdout=subprocess.PIPE, check=True, text=True
    ).stdout.splitlines()[1:]
    rows = [row.split() for row in found]
    return [int(pid) for pid, its, state in rows if int(its) == group and not state.startswith("Z")]


@pytest.fixture
def much(here):
    """An input that takes two processes some seconds, in many parts."""
    (here / "much.jsonl").write_text("".join(map(line, texts(600, 3))))
    return here


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP)]
)
def test_a_signal_to_all_its_processes_ends_them_and_it_goes_on(much, number, status):
    words = ["much.jsonl", "--out", "out", "--processes", "2", "--partition", "2048"]
    process = started(*words)
    end = time.monotonic() + 60
    while not list((much / "out" / "work" / "read").glob("*.json")) and time.monotonic() < end:
        time.sleep(0.02)
    os.killpg(process.pid, number)
    told = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in told[1]) == (status, False), told
    if number == signal.SIGINT:
        assert told[1].strip() == "minilm: stopped."
    while of_group(process.pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert of_group(process.pid) == []
    parts = list((much / "out" / "work" / "read").glob("*.json"))
    assert parts
    assert not (much / "out" / "corpus.json").exists()
    assert corpus(*words[:3], "--processes", "1", "--partition", "2048") == 0
    assert corpus("much.jsonl", "--out", "again", "--processes", "1") == 0
    assert everything_in(much / "out") == everything_in(much / "again")


@pytest.mark.slow
@pytest.mark.parametrize("wait", [0, 0.05, 0.15])
def test_a_signal_while_its_processes_begin(much, wait):
    """They have not yet said that such a signal is not for them."""
    process = started("much.jsonl", "--out", "out", "--processes", "2", "--partition", "2048")
    end = time.monotonic() + 60
    while len(of_group(process.pid)) < 3 and process.poll() is None and time.monotonic() < end:
        pass
    time.sleep(wait)
    os.killpg(process.pid, signal.SIGINT)
    told = process.communicate(timeout=60)
    assert (process.returncode, told[1].strip()) == (130, "minilm: stopped.")
    assert of_group(process.pid) == []


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no such device")
def test_an_output_that_is_full_or_gone(here):
    with open("/dev/full", "w") as full:
        process = subprocess.run([sys.executable, "-m", "minilm", "corpus", *LOOSE, "a", "--out", "out"], stdout=full,
                                 stderr=subprocess.PIPE, text=True, check=False)  # fmt: skip
    assert (process.returncode, process.stderr) == (
        1,
        "minilm: the output cannot be written: No space left on device.\n",
    )
    assert open_corpus("out").documents("train") > 0


def test_the_help_fits_into_eighty_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as end:
        main(["corpus", "--help"])
    assert end.value.code == 0
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= 80
    assert "Stopped, in any way, it goes on with the same" in " ".join(told.split())
