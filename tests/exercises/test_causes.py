"""Causes: from known wrong answers, from general relations, and from what went wrong in running."""

import time

import numpy as np
import pytest

from minilm.exercises import causes
from minilm.exercises.causes import magnitude, relations
from minilm.exercises.causes.running import unable
from minilm.exercises.code import define
from minilm.exercises.grade import Result, grade, judge
from minilm.exercises.perform import Ran, Trouble, perform
from minilm.exercises.run import Answer
from minilm.exercises.task import Task, Test, Wrong, with_bug
from minilm.exercises.tasks import find
from minilm.exercises.verdict import SHOWN


def task(solution: str, *tests: Test, wrong: tuple[Wrong, ...] = (), kind: str = "code") -> Task:
    stub = solution.split("\n")[0] + "\n    raise NotImplementedError\n"
    return Task("9.1", "a task", kind, 10, 1, "", "", solution, "f", stub, tests=tests, wrong=wrong)


def numbers(*shape: int, dtype: str = "float64") -> object:
    return lambda rng: (rng.standard_normal(shape).astype(dtype),)


# A solution whose steps no small change turns into another: what is said comes from the relation alone.
IDENTITY = "def f(x):\n    return x + 0.5\n"


def cause(solution: str, answer: str, *tests: Test) -> str:
    result = grade(task(solution, *tests), Answer("import math\nimport numpy as np\n" + answer))
    assert not result.passed
    return result.cause.name if result.cause else ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("-y", "sign"),
        ("y * len(x)", "sum-for-mean"),
        ("y / len(x)", "mean-for-sum"),
        ("y * len(x) ** 0.5", "factor root of a size"),
        ("y * len(x) / (len(x) - 1)", "n-minus-one-for-n"),
        ("y * (len(x) - 1) / len(x)", "n-for-n-minus-one"),
        ("y * math.log(2)", "log base"),
        ("y * 2", "factor two"),
        ("y / 2", "factor-two-missing"),
        ("y * len(x) / 7", "hard-coded-size"),
        ("1 - y", "complement"),
        ("1 / y", "reciprocal"),
        ("np.exp(y)", "logarithm forgotten"),
        ("y**2", "root forgotten"),
        ("abs(y)", "absolute value"),
        ("np.floor(y)", "integer-division"),
        ("np.clip(y, 0, 1)", "clipped"),
        ("y + x", "added twice"),
        ("y * x", "a factor too many"),
        ("y.T.copy()", "transposed-result"),
        ("y.T.reshape(y.shape)", "reshape-for-transpose"),
        ("y[::-1]", "reversed"),
        ("np.roll(y, 1, axis=0)", "off-by-one-shift"),
        ("np.concatenate([np.zeros((1, y.shape[1])), y[:-1]])", "off-by-one-shift"),
        ("y[:-1]", "range-off-by-one"),
        ("y[1:]", "range-off-by-one"),
        ("y[None]", "keepdims-forgotten"),
        ("y.ravel()", "other shape"),
        ("y.sum(axis=0)", "reduced too far"),
        ("np.sort(y.ravel()).reshape(y.shape)", "permuted"),
        ("np.concatenate([y[:1], 0 * y[1:]])", "loop-returns-early"),
        ("x", "returns its input"),
        ("y.tolist()[:-1] + [[0.5]]", "wrong type"),
        ("y.astype(int).astype(float) * 0 + 3", ""),
        ("np.sin(y) + 7 * np.cos(3 * y)", ""),
    ],
)
def test_relations_of_a_matrix(body: str, name: str) -> None:
    solution = "def f(x):\n    return np.cosh(0.7 * x) * np.sign(x + 0.2) + 0.013\n"
    answer = f"def f(x):\n    y = np.cosh(0.7 * x) * np.sign(x + 0.2) + 0.013\n    return {body}\n"
    tests = [Test("small", numbers(3, 4)), Test("larger", numbers(5, 3))]
    found = cause(solution, answer, *tests)
    assert found == name or (not name and found == "constant result")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("solution", "answer", "name"),
    [
        ("def f(x):\n    return x.sum(axis=0)\n", "def f(x):\n    return x\n", "sum-of-a-broadcast-missing"),
        ("def f(x):\n    return x.max(axis=1)\n", "def f(x):\n    return int(x.argmax())\n", ""),
        ("def f(x):\n    return x.argmax(axis=1)\n", "def f(x):\n    return x.argmax(1) + 1\n", "off by one"),
        ("def f(x):\n    return x + 0.25\n", "def f(x):\n    x += 0.25\n    return x\n", "input-changed-in-place"),
        ("def f(x):\n    return np.tanh(x), np.cos(x)\n", "def f(x):\n    return np.cos(x), np.tanh(x)\n", "returned in another order"),
        ("def f(x):\n    return x * 0.5\n",
         "n = 0\ndef f(x):\n    global n\n    n += 1\n    return x * 0.5 + n - 1\n", "state-kept-between-calls"),
        ("def f(x):\n    return np.tanh(x)\n", "def f(x):\n    return np.tanh(x) if len(x) == x.shape[1] else x @ x.T\n", ""),
        ("def f(x):\n    return x @ x.T\n", "def f(x):\n    return x * x[:, :1]\n", ""),
    ],
)  # fmt: skip
def test_relations_of_the_whole_answer(solution: str, answer: str, name: str) -> None:
    found = cause(solution, answer, Test("small", numbers(2, 3)), Test("larger", numbers(4, 5)))
    assert found == name or (not name and found in ("", "index for value", "works-for-square-only"))


def test_a_size_is_named_as_the_test_names_it() -> None:
    tests = [Test(str(n), numbers(n, 3), labels={"the batch": n}) for n in (1, 4, 6)]
    result = grade(
        task("def f(x):\n    return np.tanh(x).mean(axis=0)\n", *tests),
        Answer("def f(x):\n    return np.tanh(x).sum(axis=0)\n"),
    )
    best = next(c for c in result.causes if "batch" in c.evidence)
    assert best.evidence == "The result is exactly 4.000 times too large, and the batch is 4."


def test_a_factor_must_hold_in_the_tests_that_passed_too() -> None:
    tests = [Test("passes", lambda rng: (np.ones(3),)), Test("fails", lambda rng: (rng.standard_normal(3),))]
    assert cause(IDENTITY, "def f(x):\n    return (x + 0.5) * (1 if x[0] == 1 else 2)\n", *tests) == ""


def test_what_is_right_for_small_inputs_alone_is_not_stable() -> None:
    solution = "def f(x):\n    return np.logaddexp(0, x)\n"
    tests = [Test("small", numbers(3)), Test("large", lambda rng: (np.array([1000.0, -1000.0]),))]
    assert cause(solution, "def f(x):\n    return np.log(1 + np.exp(x))\n", *tests) == "softmax-not-stable"


def test_a_mask_that_comes_after_the_softmax() -> None:
    rows = "e / e.sum(axis=1, keepdims=True)"
    solution = f"def f(x):\n    s = np.where(np.tri(len(x)) == 1, x, -np.inf)\n    e = np.exp(s)\n    return {rows}\n"
    late = "def f(x):\n    e = np.exp(x)\n    return np.tril(e / e.sum(axis=1, keepdims=True))\n"
    assert cause(solution, late, Test("three", numbers(3, 3)), Test("five", numbers(5, 5))) == "mask-after-softmax"


def test_float64_out_of_float32() -> None:
    test = Test("float32", numbers(3, dtype="float32"))
    assert (
        cause("def f(x):\n    return x * 2\n", "def f(x):\n    return x * np.full(3, 2.0)\n", test)
        == "float64-from-float32"
    )


@pytest.mark.slow
@pytest.mark.parametrize("wrong", find("4.9").wrong, ids=lambda wrong: wrong.bug)
def test_each_known_wrong_answer_is_recognized(wrong: Wrong) -> None:
    known = find("4.9")
    result = grade(known, Answer(with_bug(known.solution, wrong)))
    assert result.cause.name == wrong.bug or (not wrong.bug and result.cause.name.startswith("4.9: "))
    assert result.cause.source == "wrong answer"
    assert result.cause.confidence > 0.9


def test_two_known_wrong_answers_at_once() -> None:
    known = find("4.9")
    result = grade(known, Answer(with_bug(with_bug(known.solution, known.wrong[0]), known.wrong[2])))
    assert result.cause.name == "mean-taken-for-a-constant + mean-over-the-batch"


def here(exercise: Task, answer: str) -> str:
    """The cause that is given, without a process for the answer."""
    text = with_bug(exercise.solution, Wrong("", *answer.split(" -> "))) if " -> " in answer else answer
    result = judge(exercise, perform(exercise, define(exercise, text, "<answer>")), text=text)
    return result.cause.name if result.cause else ""


SUM = "def f(x):\n    total = np.zeros(3)\n    for row in x:\n        total += np.tanh(row)\n    return total\n"
RUNS = "def f(x, n):\n    return np.array([x[i : i + n].sum() for i in range(len(x))])\n"


@pytest.mark.parametrize(
    ("solution", "answer", "name"),
    [
        (RUNS, "i + n] -> i + n + 1]", "off by one"),
        (RUNS, "i + n] -> i + 3]", "hard-coded-size"),
        (RUNS, "in range(len(x)) -> in range(1, len(x))", "range-off-by-one"),
        (SUM, "in x: -> in x[:1]:", "loop-returns-early"),
        (SUM, "in x: -> in x[:-1]:", "range-off-by-one"),
        (SUM, "+= -> -=", "sign"),
    ],
)
def test_one_change_of_the_solution(solution: str, answer: str, name: str) -> None:
    if solution is SUM:
        tests = [Test("two", numbers(2, 3)), Test("five", numbers(5, 3))]
    else:
        tests = [Test(str(n), lambda rng, n=n: (rng.standard_normal(9), n)) for n in (3, 4)]
    assert here(task(solution, *tests), answer) == name


def test_arguments_that_are_exchanged() -> None:
    tests = [Test(str(n), lambda rng, n=n: (rng.standard_normal(n), rng.standard_normal(n))) for n in (2, 5)]
    right, turned = (f"def f(x, y):\n    return np.tanh({a}) * 3 + np.cosh({b}) * {b}\n" for a, b in ("xy", "yx"))
    assert here(task(right, *tests), turned) == "wrong variable"


def test_words_of_a_text_are_not_cut_at_single_spaces() -> None:
    tests = [Test(text, lambda rng, text=text: (text,)) for text in ("a b", "a  b", "to\tbe\nor ")]
    assert here(task("def f(x):\n    return x.split()\n", *tests), 'split() -> split(" ")') == "split at one space"


def test_where_nothing_is_left_nothing_agrees() -> None:
    tests = [Test(str(n), lambda rng, n=n: (rng.standard_normal(n),)) for n in (1, 2)]
    solution = "def f(x):\n    return np.tanh(x)\n"
    assert here(task(solution, tests[0]), "def f(x):\n    return x[:0]\n") == ""
    assert here(task(solution, *tests), "def f(x):\n    return np.tanh(x)[: len(x) // 2]\n") == ""


def test_numbers_in_another_order() -> None:
    tests = [Test(str(i), use=lambda answer, i=i: answer[i]) for i in range(3)]
    three = Task("9.1", "a task", "number", 10, 1, "", "", "answer = (0.25, 7.5, 31.0)\n", tests=tuple(tests))
    assert here(three, "answer = (7.5, 0.25, 31.0)\n") == "returned in another order"
    assert here(three, "answer = (7.5, 31.0, 0.25)\n") == "returned in another order"
    assert here(three, "answer = (7.5, 0.5, 31.0)\n") != "returned in another order"


def test_of_the_numbers_that_are_given_another_one() -> None:
    tests = [Test(str(i), use=lambda answer, i=i: answer[i], rtol=1e-3) for i in range(2)]
    given = Task("9.1", "a task", "number", 10, 1, "", "", "a = 1.7**k\nanswer = (a, 3 * a)\n", tests=tuple(tests),
                 data=lambda rng: {"k": 11, "m": 4})  # fmt: skip
    assert here(given, "**k -> **m") == "wrong variable"
    assert here(given, "**k -> ** (k - 1)") == "off by one"


def test_a_known_wrong_answer_that_agrees_in_some_tests_only_is_none() -> None:
    wrong = Wrong("sum-for-mean", "x.mean()", "x.sum()")
    tests = [Test("two", numbers(2)), Test("three", numbers(3))]
    exercise = task("def f(x):\n    return x.mean()\n", *tests, wrong=(wrong,))
    result = grade(exercise, Answer("def f(x):\n    return x.sum() if len(x) == 2 else x.sum() + 0.1\n"))
    assert result.cause is None


def test_nan_that_equals_nan_is_no_evidence() -> None:
    """Neither a known wrong answer nor a change of the solution may claim an answer that gives NaN everywhere."""
    wrong = Wrong("sign", "x + 2", "x - 200")
    tests = [Test("two", numbers(2)), Test("three", numbers(3))]
    exercise = task("def f(x):\n    return np.sqrt(x + 2)\n", *tests, wrong=(wrong,))
    result = grade(exercise, Answer("import numpy as np\ndef f(x):\n    return np.log(-np.abs(x))\n"))
    assert "wrong answer" not in {cause.source for cause in result.causes}
    assert result.cause is not None
    assert result.cause.confidence < 0.9
    assert "invalid value encountered in log" in result.cause.evidence
    assert "line 3: return np.log(-np.abs(x))" in result.cause.evidence


def test_nan_in_one_test_of_two_is_little_evidence() -> None:
    wrong = Wrong("sign", "np.sqrt(np.abs(x))", "np.sqrt(x)")
    tests = [
        Test(name, lambda rng, x=x: (np.array(x),)) for name, x in (("above", [1.0, 4.0]), ("below", [-2.0, -3.0]))
    ]
    exercise = task("def f(x):\n    return np.sqrt(np.abs(x))\n", *tests, wrong=(wrong,))
    answer = "import numpy as np\ndef f(x):\n    return np.where(x > 0, np.abs(x) ** 0.5, np.nan)\n"
    (found,) = (cause for cause in grade(exercise, Answer(answer)).causes if cause.source == "wrong answer")
    assert found.confidence < 0.6


@pytest.mark.parametrize(
    ("answer", "says"), [("0 * x", "0"), ("np.zeros(len(x))", "0"), ("np.full(len(x), 2.5)", "2.5")]
)
def test_a_constant_is_told_as_such_and_matches_nothing_else(answer: str, says: str) -> None:
    wrong = Wrong("sign", "x * np.tanh(x)", "x * 0")
    tests = [Test("two", numbers(2)), Test("three", numbers(3))]
    exercise = task("def f(x):\n    return x * np.tanh(x)\n", *tests, wrong=(wrong,))
    result = grade(exercise, Answer(f"import numpy as np\ndef f(x):\n    return {answer}\n"))
    assert result.cause.name == "constant result"
    assert result.cause.says == f"It returns {says} whatever the input."


def test_an_iterator_that_is_gone_through_twice() -> None:
    use = lambda f, rows: f(iter(rows))  # noqa: E731
    inputs = lambda rng: ([rng.standard_normal(3) for _ in range(4)],)  # noqa: E731
    exercise = task(
        "def f(rows):\n    return sum(r.max() for r in rows)\n",
        Test("a", inputs, use=use, call="f(iter(rows))"),
        Test("b", inputs, use=use),
    )
    result = grade(
        exercise, Answer("def f(rows):\n    n = sum(len(r) for r in rows)\n    return sum(r.max() for r in rows) * n\n")
    )
    assert result.cause.name == "iterator read twice"
    assert "line 2 and line 3" in result.cause.evidence


def test_a_relation_must_hold_relative_to_the_size_of_the_numbers() -> None:
    test = Test("tiny", lambda rng: (rng.random(3) * 1e-11,), atol=0.0, rtol=1e-6)
    assert (
        cause("def f(x):\n    return x * (1 + x)\n", "def f(x):\n    return x * 0 + 4e-24\n", test, test)
        != "root forgotten"
    )


def test_an_import_that_takes_long_is_no_endless_loop() -> None:
    found = unable(find("4.9"), Trouble("time", "", (1, "import torch")))
    assert found[0].name == "slow import"


def test_a_second_call_that_took_too_long_is_no_other_result() -> None:
    exercise = task(IDENTITY, Test("one", numbers(2)))
    rans = [Ran(o.expected, again_trouble=Trouble("time")) for o in _outcomes(exercise)]
    assert judge(exercise, rans).passed


LAYERS = "def f(x):\n    y = np.tanh(x)\n    z = y * x.mean()\n    return y, z\n"


def test_a_known_wrong_answer_beside_another_slip_is_likely() -> None:
    wrong = Wrong("mean-for-sum", "x.sum()", "x.mean()")
    tests = [Test(str(n), numbers(n)) for n in (2, 3, 4, 5)]
    exercise = task("def f(x):\n    return np.tanh(x) * x.sum()\n", *tests, wrong=(wrong,))
    answer = "import numpy as np\ndef f(x):\n    return np.tanh(x) * x.mean() + (np.sin(x) if len(x) == 4 else 0)\n"
    result = grade(exercise, Answer(answer))
    assert result.cause.name == "mean-for-sum"
    assert 0.6 <= result.cause.confidence < 0.9
    assert "In 3 of the 4 failing tests" in result.cause.evidence


def test_one_part_of_a_known_wrong_answer_is_likely() -> None:
    wrong = Wrong("", "x.mean()", "x.max()", why="The largest was taken, not the mean.")
    tests = [Test(str(n), numbers(n)) for n in (2, 3, 4)]
    exercise = task(LAYERS, *tests, wrong=(wrong,))
    answer = "import numpy as np\ndef f(x):\n    return np.sin(3 * x), np.tanh(x) * x.max()\n"
    result = grade(exercise, Answer(answer))
    assert result.cause.name == "9.1: the largest was taken"
    assert "In all 3 tests your second value" in result.cause.evidence
    assert result.cause.confidence < 0.9


def test_a_part_that_is_right_where_the_wrong_answer_is_wrong_speaks_against_it() -> None:
    wrong = Wrong("mean-for-sum", "x.sum()", "x.mean()")
    tests = [Test(str(n), numbers(n)) for n in (2, 3, 4, 5)]
    exercise = task("def f(x):\n    return np.tanh(x) * x.sum()\n", *tests, wrong=(wrong,))
    answer = "import numpy as np\ndef f(x):\n    return np.tanh(x) * (x.sum() if len(x) == 3 else x.mean())\n"
    result = grade(exercise, Answer(answer))
    assert result.cause is None or result.cause.source != "wrong answer"


def test_the_same_answer_gets_the_same_cause_however_slow_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from minilm.exercises.causes import wrong_answers

    exercise = task("def f(x):\n    return np.tanh(x).mean() * x\n", Test("two", numbers(2)), Test("five", numbers(5)))
    answer = Answer("import numpy as np\ndef f(x):\n    return np.tanh(x).mean() * x * 2 + x * 0\n")
    left = wrong_answers.budget(exercise, None)
    assert left.each == 10 * left.ran + wrong_answers.EACH
    assert left.ran > 0
    first = grade(exercise, answer).causes
    assert [c.name for c in grade(exercise, answer).causes] == [c.name for c in first]


def test_a_known_wrong_answer_without_end_does_not_stop_the_grader() -> None:
    wrong = Wrong("", "return x + 0.5", "while True:\n        x = x + 1")
    begin = time.perf_counter()
    result = grade(task(IDENTITY, Test("one", numbers(2)), wrong=(wrong,)), Answer("def f(x):\n    return x - 0.5\n"))
    assert result.cause is not None
    assert time.perf_counter() - begin < 3


def test_the_bug_of_a_find_the_bug_is_not_told() -> None:
    exercise = task(
        IDENTITY, Test("one", numbers(2)), wrong=(Wrong("sign", "+", "-", why="The secret."),), kind="find the bug"
    )
    result = grade(exercise, Answer(exercise.start))
    assert "still in it" in result.cause.says
    assert "secret" not in str(result)


@pytest.mark.slow
def test_what_nothing_explains_has_no_cause_and_the_message_says_so() -> None:
    result = grade(
        find("4.9"), Answer("def layer_norm_backward(x, w, y_bar, eps):\n    return np.sin(9 * x), w**3, np.cos(w)\n")
    )
    assert result.cause is None
    assert "I do not know" in str(result)


def test_where_it_is_wrong_is_told_but_is_not_called_a_cause() -> None:
    answer = "import numpy as np\ndef f(x):\n    y = np.tanh(x)\n    y[1:] = np.sin(7 * x[1:]) + 2\n    return y\n"
    result = grade(
        task("def f(x):\n    return np.tanh(x)\n", Test("four", numbers(4, 3)), Test("five", numbers(5, 3))),
        Answer(answer),
    )
    assert result.cause is None
    assert "What the numbers show: Only the first row is right." in str(result)
    assert "I do not know" in str(result)
    assert "What the numbers show:" in result._repr_html_()


def test_a_known_wrong_answer_tells_the_numbers_too() -> None:
    known = find("4.9")
    result = grade(known, Answer(with_bug(known.solution, known.wrong[2])))
    assert result.cause.evidence.startswith(
        "The result is exactly 4.000 times too small, and the number of rows of x is 4."
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "name", "says"),
    [
        ("def f(x):\n    return xx\n", "NameError", "Did you mean x?"),
        ("def f(x):\n    return x @ np.ones((7, 2))\n", "shapes of a product", "inner sizes are 3 and 7"),
        ("def f(x):\n    return x + np.ones(7)\n", "shapes do not broadcast", "(2,3) (7,)"),
        ("def f(x):\n    return x[5]\n", "index out of range", "axis 0 has 2 elements"),
        ("def f(x):\n    return None.real\n", "None used as a value", "None"),
        ("def f(x):\n    return {}[3]\n", "KeyError", "3"),
        ("def f(x):\n    return 1 // 0\n", "ZeroDivisionError", "zero"),
        ("def f():\n    return 1\n", "wrong signature", "f(x) is called"),
        ("def f(x):\n    if x > 0:\n        return x\n", "truth of an array", "True or False"),
        ("def f(x):\n    return x.foo\n", "AttributeError", "no foo"),
        ("def f(x):\n    sum = 1\n    return sum(x)\n", "name-shadowed", "int"),
        ("def f(x):\n    return x.reshape(4, 2)\n", "reshape does not fit", "6 elements"),
        ("def f(x):\n    print(x + 0.5)\n", "print-instead-of-return", "prints"),
        ("def f(x):\n    y = x + 0.5\n", "none-returned", "no return"),
        ("def f(x):\n    return x.sum\n", "function not called", "method"),
        ("def f(x):\n    return (a for a in x)\n", "generator returned", "generator"),
        ("def f(x):\n    raise NotImplementedError\n", "stub untouched", "Nothing is written"),
        ("def f(x):\n    return ...\n", "stub untouched", "..."),
        ("def g(x):\n    return x\n", "no name", "does not define f"),
        ("def f(x:\n    return x\n", "SyntaxError", "no Python yet"),
        ("def f(x):\n    return f(x)\n", "recursion-without-end", "calls itself"),
    ],
)
def test_what_went_wrong_in_running(answer: str, name: str, says: str) -> None:
    result = grade(task(IDENTITY, Test("one", numbers(2, 3))), Answer(answer))
    assert (result.cause.name, result.cause.source) == (name, "running")
    assert says in result.cause.says


def test_a_close_name_is_told() -> None:
    known = find("4.9")
    result = grade(known, Answer("def layernorm_backward(x, w, y_bar, eps):\n    return x\n"))
    assert result.cause.name == "wrong name"
    assert result.cause.says == "It defines layernorm_backward, and layer_norm_backward is asked."


@pytest.mark.parametrize("kind", ["time", "memory", "exit", "input", "output", "killed", "recursion"])
def test_each_trouble_of_the_runners_own_has_a_cause(kind: str) -> None:
    found = unable(find("4.9"), Trouble(kind, "", (3, "while True:")))
    assert found[0].confidence >= SHOWN
    assert "line 3: while True:" in found[0].evidence


def test_random_numbers_from_elsewhere() -> None:
    inputs = lambda rng: (rng.standard_normal(4), np.random.default_rng(3))  # noqa: E731
    solution = "def f(x, rng):\n    return x + rng.random(4)\n"
    assert (
        cause(solution, "def f(x, rng):\n    return x + np.random.random(4)\n", Test("a", inputs))
        == "random-not-from-the-generator"
    )


def test_a_right_answer_has_no_cause() -> None:
    exercise = task(IDENTITY, Test("one", numbers(2)))
    assert (
        causes.diagnose(
            exercise, judge(exercise, [Ran(o.expected, again=o.expected) for o in _outcomes(exercise)]).outcomes
        )
        == []
    )


def _outcomes(exercise: Task) -> list[object]:
    return grade(exercise, Answer(exercise.solution)).outcomes


def test_the_table_of_relations_names_each_once_and_each_says_its_formula() -> None:
    assert len(set(relations.LAWS)) == len(relations.LAWS)
    assert all(law.__doc__ for law in relations.LAWS)
    assert magnitude.factor.__doc__.startswith("got = r * expected")


def test_the_result_says_what_it_is() -> None:
    assert isinstance(grade(task(IDENTITY, Test("one", numbers(2))), Answer(IDENTITY)), Result)
