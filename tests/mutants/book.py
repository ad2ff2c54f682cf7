from tests.mutants.record import Mutant

MUTANTS = [
    Mutant("the last cell that defines a name, not the first", "minilm/book/missing.py",
           "for k, source in enumerate(cells) if", "for k, source in reversed(list(enumerate(cells))) if",
           "tests/book/test_missing.py::test_the_first_of_two_cells_that_define_a_name"),
    Mutant("names inside functions are taken for the notebook's", "minilm/book/missing.py",
           "    return {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}\n",
           "    tables = [table, *table.get_children()]\n"
           "    return {s.get_name() for t in tables for s in t.get_symbols() if s.is_assigned() or s.is_imported() or s.is_parameter()}\n",
           "tests/book/test_missing.py::test_the_cell_that_defines_a_name"),
    Mutant("every NameError is explained, the reader's own too", "minilm/book/missing.py",
           "if word and kind is NameError and", "if word and",
           "tests/book/test_missing.py::test_only_names_that_the_notebook_defines_are_explained"),
    Mutant("a word where a box is", "minilm/book/diagram/grid.py",
           "not any(box.overlaps(other, 1) for other in taken)", "not any(box.overlaps(other, 1) for other in taken[:0])",
           "tests/book/test_diagram.py::test_no_text_covers_another_one_or_leaves_its_box_or_the_picture[word]"),
    Mutant("a picture cut off above", "minilm/book/diagram/grid.py", "if up < 0:", "if up > 0:",
           "tests/book/test_diagram.py::test_the_picture_is_as_high_as_its_highest_box"),
]  # fmt: skip
