from tests.mutants.record import Mutant

IN_CAPSTONE = "tests/capstone/"
MUTANTS = [
    Mutant("what stands before an answer counts, too", "minilm/capstone/surprise.py",
           "first = max(first, len(before))", "first = max(first, 0)",
           IN_CAPSTONE + "test_surprise.py::test_a_model_is_asked_for_each_token_of_the_text_once_and_for_none_of_what_stands_before"),
    Mutant("an n-gram sees nothing before an answer", "minilm/capstone/surprise.py",
           "counts.nats(BETWEEN + before + text)", "counts.nats(BETWEEN + text)",
           IN_CAPSTONE + "test_surprise.py::test_counting_sees_what_stands_before"),
    Mutant("an answer of the lessons stands in the exam", "minilm/capstone/instructions.py",
           "if (key := fold_text(pair.answer)) not in seen:", "if (key := fold_text(pair.question)) not in seen:",
           IN_CAPSTONE + "test_instructions.py::test_parts_share_no_file_and_no_answer"),
    Mutant("what the pretraining has read is asked in the exam", "minilm/capstone/instructions.py",
           'if pair.answer.rstrip("\\n") in read:', 'if pair.answer in read:',
           IN_CAPSTONE + "test_instructions.py::test_what_was_read_makes_no_pair_nor_does_a_class_nor_a_long_answer"),
    Mutant("raw text is written anew under a pipeline that reads it", "minilm/capstone/raw.py",
           "if (folder / COMPLETE).exists():", "if False:",
           IN_CAPSTONE + "test_raw.py::test_functions_are_read_back_and_writing_again_gives_the_same_bytes"),
    Mutant("a capstone goes on with other settings", "minilm/capstone/steps.py",
           "if _read(path) != wanted:", "if not _read(path):",
           IN_CAPSTONE + "test_steps.py::test_a_folder_with_other_settings_or_other_things_is_refused"),
    Mutant("a diagram is painted for light pages", "minilm/book/diagram/svg.py",
           'fill="currentColor" font-family', 'fill="black" font-family',
           "tests/book/test_diagram.py::test_it_takes_the_colors_of_the_page"),
]  # fmt: skip
