import numpy as np

from minilm.capstone.instructions import ids_of, lessons
from minilm.data.sets.python_text import Documented
from minilm.text import BPETokenizer


def functions(file, *answers, parameters="self, a: int=1, *rest, key=None, **more"):
    return [Documented(f"{file}:C.f{i}", parameters, text) for i, text in enumerate(answers)]


def made(found):
    return [pair for part in found[:3] for pair in part]


def test_a_question_is_a_name_with_parameters_and_an_answer_the_first_paragraph():
    (pair,) = made(lessons(functions("a/b/__init__.py", "Give it\n  back.\n\nMore of it."), ""))
    assert pair.question == "a.b.C.f0(a, *rest, key, **more)\n"
    assert pair.answer == "Give it back.\n"
    (pair,) = made(lessons(functions("a.py", "Go.", parameters="x, /, y"), ""))
    assert pair.question == "a.C.f0(x, y)\n"


def test_what_was_read_makes_no_pair_nor_does_a_class_nor_a_long_answer():
    there = [*functions("a.py", "Known.", "New.", "x" * 121), Documented("a.py", None, "A module.")]
    found = lessons(there, "It was Known. before")
    assert [pair.answer for pair in made(found)] == ["New.\n"]
    assert found.known == 1


def test_parts_share_no_file_and_no_answer():
    there = [each for k in range(60) for each in functions(f"{k}.py", f"Only {k}.", "Everywhere.", f"Also {k}.")]
    found = lessons(there, "")
    files = [{pair.file for pair in part} for part in found[:3]]
    assert all(files)
    assert not files[0] & files[1] and not files[0] & files[2] and not files[1] & files[2]  # noqa: PT018
    answers = [pair.answer for pair in made(found)]
    assert len(answers) == len(set(answers))
    assert found.copies == 59
    assert len(files[2]) < len(files[0])


def test_ids_are_all_pairs_in_some_order_with_the_end_behind_each():
    pairs = lessons([each for k in range(9) for each in functions(f"{k}.py", f"Number {k}.")], "").train
    tokenizer = BPETokenizer.train("abc", vocab_size=257, special_tokens=["<end>"])
    ids = ids_of(pairs, tokenizer, 256)
    texts = [tokenizer.decode(each[each != 256]) for each in np.split(ids, np.flatnonzero(ids == 256) + 1)[:-1]]
    assert sorted(texts) == sorted(pair.question + pair.answer for pair in pairs)
    assert ids.dtype == np.uint16
