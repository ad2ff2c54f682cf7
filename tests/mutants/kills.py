from tests.mutants.record import Mutant

K = "tests/exercises/test_kills.py::"
MUTANTS = [
    Mutant("a test that refuses the right function earns its kills", "minilm/exercises/kills.py",
           "there = self.tests if self.refusal is None else []", "there = self.tests",
           K + "test_a_test_that_refuses_the_right_function_earns_nothing "
           + K + "test_a_test_that_passes_at_one_time_only_is_noticed"),
    Mutant("the right function is asked once", "minilm/exercises/kills.py",
           "refused = next((trouble for trouble in right if trouble), None)", "refused = right[0]",
           K + "test_a_test_that_passes_at_one_time_only_is_noticed"),
    Mutant("versions that were not asked count as found", "minilm/exercises/kills.py",
           'return None if trouble and trouble.message.startswith("not asked") else trouble', "return trouble",
           K + "test_versions_that_were_not_asked_any_more_are_not_found"),
    Mutant("two versions of one bug share a name and a point", "minilm/exercises/kills.py",
           'given.append(name if name not in given else f"{name}-{i + 1}")', "given.append(name)",
           K + "test_names_are_different_where_a_bug_stands_twice"),
    Mutant("a bug that lives on is named", "minilm/exercises/kills.py",
           "            if not killed and not told:\n                continue\n", "",
           K + "test_one_that_lives_on_is_hinted_at_not_named"),
]  # fmt: skip
