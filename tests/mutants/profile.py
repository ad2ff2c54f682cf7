from tests.mutants.record import Mutant

MUTANTS = [
    Mutant("time of the ops inside a rule counted twice", "minilm/profile/recorder.py",
           "                call.outer.own -= spent\n", "                pass\n",
           "tests/profile/test_recorder.py::TestTime::test_of_a_rule_inside_a_rule_is_not_counted_twice"),
    Mutant("a rule that is made of ops counted beside them", "minilm/profile/recorder.py",
           "if not call.inner:", "if True:",
           "tests/profile/test_recorder.py::TestTime::test_of_a_rule_inside_a_rule_is_not_counted_twice"),
    Mutant("backward rules counted for the Module in which backward() was called", "minilm/profile/recorder.py",
           "call.origin = self._made_by.get(node.seq)", "call.origin = self._within[-1]",
           "tests/profile/test_recorder.py::TestModules::test_a_backward_rule_belongs_to_the_module_that_ran_its_op"),
    Mutant("the profile's own work in its times", "minilm/profile/clock.py",
           "return self._at - self.own", "return self._at",
           "tests/profile/test_clock.py::TestCpuClock::test_no_time_passes_in_a_pause"),
    Mutant("an event read before the device came to it", "minilm/profile/clock.py",
           "            self._latest.synchronize()\n", "            pass\n",
           "tests/profile/test_clock.py::TestCudaClock::test_two_events_a_rule_and_one_wait_at_the_end"),
    Mutant("a product counted without its additions", "minilm/profile/cost.py",
           "    return 2 * s.y * left[-1]\n", "    return s.y * left[-1]\n",
           "tests/profile/test_cost.py::TestGPT::test_six_operations_for_each_weight_and_token"
           " tests/profile/test_cost.py::test_operations_by_hand[matmul]"),
    Mutant("both gradients of a product counted where one is needed", "minilm/profile/cost.py",
           "batch = matmul(s) * sum(s.needs), _batch(a, b)", "batch = matmul(s) * 2, _batch(a, b)",
           "tests/profile/test_cost.py::TestNeeds::test_a_product_with_a_constant_has_one_gradient"),
    Mutant("arrays that are gone counted as alive", "minilm/profile/memory.py",
           "            self.live -= size\n", "            pass\n",
           "tests/profile/test_memory.py::TestHighWater::test_of_a_chain"),
]  # fmt: skip
