from tests.mutants.record import Mutant

P = "tests/models/test_pointer.py::"
MUTANTS = [
    Mutant("p_gen is the probability of copying", "minilm/models/pointer.py",
           "where(something, logsigmoid(z), 0.0), where(something, logsigmoid(-z), -math.inf)",
           "where(something, logsigmoid(-z), 0.0), where(something, logsigmoid(z), -math.inf)",
           P + "test_the_head_is_equation_8"),
    Mutant("a source's padding is copied", "minilm/models/pointer.py",
           "masked_fill(scores, ~mask[:, None, :], value=-math.inf)", "scores",
           P + "test_the_head_is_equation_8"),
    Mutant("a source of padding alone keeps a share", "minilm/models/pointer.py",
           "where(something, logsigmoid(z), 0.0), where(something, logsigmoid(-z), -math.inf)", "logsigmoid(z), logsigmoid(-z)",
           P + "test_padding_is_never_copied_and_a_source_of_padding_gives_nothing"),
    Mutant("only the first of a token's places is copied", "minilm/models/pointer.py",
           "mass = logsumexp(where(same[:, None], self.attention[:, :, None, :], -math.inf), axis=-1)", "mass = self.attention",
           P + "test_all_probabilities_are_equation_9_as_printed_and_sum_to_1"),
    Mutant("unknown words are generated as the first token", "minilm/models/pointer.py",
           "where(known, self.generate + generated, -math.inf), self.copy", "self.generate + generated, self.copy",
           P + "test_one_token_has_the_probability_that_it_has_among_all"),
    Mutant("the logarithm of a sum of probabilities", "minilm/models/pointer.py",
           "return logsumexp(concat(*parts, axis=-1), axis=-1)",
           "from minilm.ops.arithmetic import log\n        return log(exp(parts[0]) + exp(parts[1]))[..., 0]",
           P + "test_probabilities_too_small_for_a_float_still_have_logarithms_and_gradients"),
    Mutant("a word that comes twice gets two numbers", "minilm/models/pointer.py",
           "dict.fromkeys(w for w in words if w not in vocabulary)", "[w for w in words if w not in vocabulary]",
           P + "test_unknown_words_get_numbers_of_their_own"),
]  # fmt: skip
