from tests.mutants.record import Mutant

MUTANTS = [
    Mutant("T5's gate and value changed places", "minilm/pretrained/t5.py",
           '{"wi_0": ("gate", up), "wi_1": ("up", up)', '{"wi_1": ("gate", up), "wi_0": ("up", up)',
           "tests/pretrained/test_t5.py::test_the_gate_is_wi_0"),
    Mutant("T5 1.1 taken for tied, as version 5 of transformers says", "minilm/pretrained/t5.py",
           "tie_word_embeddings=tied and scaled", "tie_word_embeddings=tied",
           "tests/pretrained/test_t5.py::test_version_5_of_transformers_calls_both_kinds_tied"),
]  # fmt: skip
