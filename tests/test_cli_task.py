"""``minilm task``, as a user types it, with applications that are made up."""

import io
import json
import os
import re
import subprocess
import sys
import threading

import pytest

from minilm import terminal
from minilm.applications import PLACES
from minilm.cli import main
from minilm.cli_task import LONGEST
from tests.applications.made_up import Color, place

pytestmark = pytest.mark.host  # runs name their device


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("task")
    with pytest.MonkeyPatch.context() as patch:
        place(patch)
        patch.setattr("minilm.training.loop.plot_losses", lambda run: None)
        assert main(["task", "color", "train", "--out", str(folder / "run"), "--quiet", "--device", "cpu"]) == 0
    return folder / "run"


@pytest.fixture(autouse=True)
def _placed(monkeypatch, tmp_path):
    place(monkeypatch)
    monkeypatch.setattr("minilm.training.loop.plot_losses", lambda run: None)
    monkeypatch.chdir(tmp_path)


def run(capsys, *arguments, status=0):
    found = main(["task", *map(str, arguments)])
    captured = capsys.readouterr()
    assert found == status, captured.err
    return captured


def piped(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))


# -- what there is ------------------------------------------------------------------------------------------------------


def test_a_list_of_what_there_is(capsys, monkeypatch):
    monkeypatch.setattr("minilm.applications.PLACES", {name: PLACES[name] for name in ("color", "length")})
    out = run(capsys, "list").out
    assert run(capsys).out == out
    assert re.search(r"color +Which color a line names +python-docs \(here\) +no\n", out)
    assert re.search(r"length +How many words a line has +none +not needed", out)
    run(capsys, "color", "train", "--quiet", "--device", "cpu")
    assert re.search(r"color .* runs/color-1\n", run(capsys, "list").out.replace(os.sep, "/"))


def test_a_description(capsys):
    out = run(capsys, "color").out
    for told in ("python-docs (here)", "the small house is red", "a line for each example", "most frequent",
                 "steps 12, batch size 8", "steps 6", "minilm task color train\n", "minilm task color predict FILE"):  # fmt: skip
        assert told in out
    assert "task length train" not in run(capsys, "length").out


# -- train --------------------------------------------------------------------------------------------------------------


def test_train_ends_with_what_a_user_wants_to_know(capsys):
    out = run(capsys, "color", "train", "--quiet", "--steps", "4", "--device", "cpu").out.replace(os.sep, "/")
    for told in (r"80 examples to learn from, 20 to validate, 40 to test on", r"4 steps on cpu; run folder runs/color-1",
                 r"finished after step 4, \d+ s", r"validation loss \d\.\d{4} nats", r"model card: runs/color-1/card\.md",
                 r"test part +value +95 % interval\naccuracy +0\.\d{4} +\d\.\d{4} to \d\.\d{4}",
                 r"minilm task color evaluate --run runs/color-1 --baselines",
                 r"minilm task color predict --run runs/color-1 FILE"):  # fmt: skip
        assert re.search(told, out), told
    again = run(capsys, "color", "train", "--quiet", "--resume", "runs/color-1").out
    assert "finished after step 4" in again
    assert "test part" not in again
    assert (
        "phase 2, begun after step 4: steps 6"
        in run(capsys, "color", "train", "--quiet", "--resume", "runs/color-1", "--steps", "6").out
    )
    assert "6 steps" in run(capsys, "color", "train", "--quiet", "--brief").out
    assert "2 steps" in run(capsys, "color", "train", "--quiet", "--brief", "--steps", "2").out
    assert (os.path.isdir("runs/color-2"), os.path.isdir("runs/color-3")) == (True, True)


def test_licences_are_told_before_something_is_fetched(trained, capsys, monkeypatch):
    """Of models; those of data sets are told where they are fetched."""
    monkeypatch.setattr(Color, "models", ("all-minilm-l6-v2",))
    monkeypatch.setattr("minilm.pretrained.table.is_here", lambda name: False)
    for arguments in (
        ["train", "--quiet", "--steps", "1"],
        ["evaluate", "--run", trained],
        ["predict", "--run", trained, os.devnull],
    ):
        err = run(capsys, "color", *arguments, status=int(arguments[-1] == os.devnull)).err
        assert re.match(r"minilm: all-minilm-l6-v2: .*; \d+\.\d MB to fetch\. Licence: Apache-2\.0", err)


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ("task colr train", 2, "NAME: there is no task 'colr'.*Did you mean color"),
        ("task list train", 2, "`minilm task list` takes no train"),
        ("task color tran", 2, "there is no COMMAND 'tran'.*Did you mean train"),
        ("task color train --steps", 2, "--steps needs a value"),
        ("task length train", 1, "length has nothing to train"),
        ("task color train --resume {run} --out x", 1, "--resume .* takes neither --out nor --brief"),
        ("task color train --resume {run} --brief", 1, "--resume .* takes neither"),
        ("task color train --resume {tmp}", 1, "--resume: .*config.json"),
        ("task color train --resume {run} --seed 9", 1, "--resume does not take --seed"),
        ("task color train --out {run}", 1, ".* not empty: choose another --out"),
        ("task color train --device tpu", 1, "--device: unknown"),
        (
            "task color train --min-learning-rate 3",
            1,
            "--min-learning-rate 3.* is above --learning-rate 0.3 .the default.",
        ),
        ("task color train --processes 9", 1, "--processes 9 is more than --batch-size 8 .the default."),
        ("task color train --batch-size 81", 1, "--batch-size 81 is more than there is to learn from"),
        ("task color train --data {tmp}/none", 1, "--data: .*none"),
        ("task color evaluate --run {run} --data {tmp}/none", 1, "--data: .*none"),
        ("task color evaluate", 1, "there is no run of color that has ended .*minilm task color train"),
        ("task color evaluate --run {tmp}", 1, "--run: .*config.json"),
        ("task length evaluate --run {run}", 1, "--run: length is not trained"),
        ("task color predict --run {run} {tmp}/none", 1, "FILE: there is no file"),
        ("task color predict --run {run} {tmp}", 1, "FILE: .* folder"),
        ("task color predict", 1, "there is no run of color"),
        ("train --resume {run}", 1, ".*is a run of the task color: minilm task color train --resume"),
        ("generate {run}", 1, "RUN: .*task is 'color'"),
    ],
)
def test_errors_are_a_sentence(trained, tmp_path, capsys, arguments, status, told):
    assert main([word.format(run=trained, tmp=tmp_path) for word in arguments.split()]) == status
    out, err = capsys.readouterr()
    assert re.match(f"minilm: {told}", err), err
    assert out == ""
    assert len(err.splitlines()) <= 2
    assert list(tmp_path.iterdir()) == []


# -- evaluate -----------------------------------------------------------------------------------------------------------


def test_a_table_of_what_was_measured(trained, capsys):
    out = run(capsys, "color", "evaluate", "--run", trained).out
    assert "40 examples of the test part" in out
    assert re.search(r"number +value +95 % interval\naccuracy +0\.\d{4} +\d\.\d{4} to \d\.\d{4}", out)


def test_simple_methods_beside_it(trained, capsys):
    out = run(capsys, "color", "evaluate", "--run", trained, "--baselines").out
    assert re.search(
        r"accuracy +minilm +0\.\d{4} +\d\.\d{4} to \d\.\d{4}\n +most frequent +0\.\d{4} .*\+0\.\d{4} \(", out
    )
    assert re.search(r"seconds +minilm +\d\.\d to answer\n +most frequent +\d\.\d to learn, \d\.\d to answer", out)


def test_json_says_all_of_it(trained, capsys):
    found = json.loads(run(capsys, "color", "evaluate", "--run", trained, "--baselines", "--json", "--errors", "2").out)
    ours, other = found["systems"]
    assert (found["task"], found["examples"], ours["system"], other["system"]) == (
        "color",
        40,
        "minilm",
        "most frequent",
    )
    accuracy = ours["numbers"]["accuracy"]
    assert accuracy["interval"][0] < accuracy["value"] < accuracy["interval"][1]
    (less,) = found["ours_less"]
    assert less["difference"] == pytest.approx(accuracy["value"] - other["numbers"]["accuracy"]["value"])
    assert sum(ours["details"]["answered"].values()) == 40
    assert len(found["errors"]) == 2
    for error in found["errors"]:
        assert error["example"]["color"] != error["answer"]["color"]
        assert error["example"] == Color.parts[2][error["number"] - 1]._asdict()


def test_errors_are_shown(trained, capsys):
    out = run(capsys, "color", "evaluate", "--run", trained, "--errors", "1").out
    (shown,) = re.findall(r'\n(\d+)\. \{"text": "[^"]*", "color": "(\w+)"\}\n   answered: \{"color": "(\w+)"\}', out)
    assert shown[1] != shown[2]


def test_errors_that_simple_methods_share_are_told(trained, capsys):
    found = run(capsys, "color", "evaluate", "--run", trained, "--baselines", "--errors", "40").out
    errors = re.findall(r'"color": "(\w+)"\}\n   answered: .*(\n   wrong, too: most frequent)?', found)
    colors = [example.color for example in Color.parts[0]]
    frequent = max(set(colors), key=colors.count)
    shared = sum(truth != frequent for truth, _ in errors)
    assert 0 < shared < len(errors)
    assert [bool(told) for _, told in errors] == [truth != frequent for truth, _ in errors]
    assert (
        f"{len(errors)} of 40 answers are not wholly right. Neither is the answer of most frequent in {shared} of these."
        in found
    )


def test_a_file_is_measured_on(trained, tmp_path, capsys):
    (tmp_path / "mine.tsv").write_text("the car blue\tblue\na door red\tred\n", "utf-8")
    out = run(capsys, "color", "evaluate", "--run", trained, "--data", tmp_path / "mine.tsv", "--errors", "9").out
    assert "2 examples of " in out
    (tmp_path / "mine.tsv").write_text("the car blue\n", "utf-8")
    assert "--data: " in run(capsys, "color", "evaluate", "--run", trained, "--data", "mine.tsv", status=1).err
    (tmp_path / "mine.tsv").write_text("", "utf-8")
    assert "holds no examples" in run(capsys, "color", "evaluate", "--run", trained, "--data", "mine.tsv", status=1).err


def test_of_the_file_that_it_learned_from_only_the_test_part_is_measured(tmp_path, capsys):
    lines = [f"{each.text}\t{each.color}\n" for each in Color.parts[0]]
    (tmp_path / "mine.tsv").write_text("".join(lines), "utf-8")
    run(capsys, "color", "train", "--quiet", "--data", "mine.tsv", "--device", "cpu")
    for more in ([], ["--data", "mine.tsv"]):
        assert "8 examples of " in run(capsys, "color", "evaluate", *more).out


def test_the_last_run_that_ended_is_taken(capsys, monkeypatch):
    for _ in range(2):
        run(capsys, "color", "train", "--quiet", "--steps", "1")
    os.rename("runs/color-1", "runs/color-9")
    os.rename("runs/color-2", "runs/color-12")
    os.mkdir("runs/color-13")
    Color().begin("runs/color-14")
    assert "run runs/color-12" in run(capsys, "color", "evaluate").out.replace(os.sep, "/")


# -- predict ------------------------------------------------------------------------------------------------------------


def test_a_line_in_an_answer_out(trained, tmp_path, capsys):
    (tmp_path / "lines.txt").write_text("the car is blue\r\na red door", "utf-8")
    out = run(capsys, "color", "predict", "--run", trained, "lines.txt").out
    assert [json.loads(line) for line in out.splitlines()] == [
        {"line": 1, "color": "blue"}, {"line": 2, "color": "red"}]  # fmt: skip


def test_bad_lines_are_reported_and_passed_over(trained, monkeypatch, capsys):
    lines = [
        b"\xef\xbb\xbfblue",
        b"",
        b"a \xff",
        b"red",
        b"x" * (LONGEST + 1),
        b"refuse it",
        "green \u2028 \u00e9".encode(),
        b"blue",
    ]
    piped(monkeypatch, b"\n".join(lines))
    captured = run(capsys, "color", "predict", "--run", trained)
    assert [json.loads(line)["line"] for line in captured.out.splitlines()] == [1, 4, 7, 8]
    told = captured.err.splitlines()
    assert [re.match(r"minilm: line (\d)", line)[1] for line in told[:-1]] == ["2", "3", "5", "6"]
    assert "byte 0xff at offset 2" in told[1]
    assert "more than 1,048,576 bytes" in told[2]
    assert "this word is refused" in told[3]
    assert told[-1] == "minilm: 4 of 8 lines were passed over."


def test_nothing_is_lost_where_blocks_end(trained, monkeypatch, capsys):
    monkeypatch.setattr("minilm.cli_task.AT_ONCE", 7)
    piped(monkeypatch, b"blue car\n\nred\n" * 40)
    out = run(capsys, "color", "predict", "--run", trained).out
    answers = [(answer["line"], answer["color"]) for answer in map(json.loads, out.splitlines())]
    assert answers == [(n, "blue" if n % 3 else "red") for n in range(1, 121) if n % 3 != 2]


def test_an_empty_input_and_one_of_bad_lines_alone(trained, monkeypatch, capsys):
    piped(monkeypatch, b"")
    assert run(capsys, "color", "predict", "--run", trained) == ("", "")
    piped(monkeypatch, b"\n\n")
    assert "2 of 2 lines were passed over" in run(capsys, "color", "predict", "--run", trained, status=1).err


def test_an_answer_acts_on_no_terminal_and_can_be_read_by_every_program(monkeypatch, capsys):
    class Echo(type(Color())):
        def open(self, folder, device):
            return lambda questions: [{"text": question} for question in questions]

    monkeypatch.setattr("minilm.applications.find", lambda name: Echo())
    monkeypatch.setattr("minilm.cli_task._which_run", lambda application, given: None)
    text = "\x1b[31m\x9b \u4e2d \U0001f600 \x7f"
    piped(monkeypatch, text.encode())
    out = run(capsys, "color", "predict").out
    assert json.loads(out)["text"] == text
    assert "\u4e2d" in out
    assert terminal.visible(out) == out
    monkeypatch.setattr("minilm.terminal.cannot_show", lambda text: True)
    piped(monkeypatch, text.encode())
    out = run(capsys, "color", "predict").out
    assert json.loads(out)["text"] == text
    assert out.isascii()


def test_a_pipe_gets_its_answer_before_it_ends(trained):
    """Somebody types a line and waits for the answer."""
    program = ("import sys, pytest\nfrom minilm.cli import main\nfrom tests.applications.made_up import place\n"
               f"place(pytest.MonkeyPatch())\nsys.exit(main(['task', 'color', 'predict', '--run', {str(trained)!r}]))\n")  # fmt: skip
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
    limit = threading.Timer(20, process.kill)  # it would wait for ever
    limit.start()
    try:
        for number in (1, 2):
            process.stdin.write(b"a blue car\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline() or "{}") == {"line": number, "color": "blue"}
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait() == 0
    finally:
        limit.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
