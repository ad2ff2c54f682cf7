"""Chapter 10's model solutions against the plain versions of the corpus, and the known wrong answers: each is named first."""

import numpy as np
import pytest

from minilm.data.components import connected_components_plain
from minilm.data.corpus.bands import probability
from minilm.data.corpus.decontaminate import overlap_plain
from minilm.data.corpus.minhash import expected_error
from minilm.data.corpus.normalize import bare_text
from minilm.data.corpus.packing import windows_plain
from minilm.data.corpus.shingles import shingles_plain, text_hash
from minilm.exercises import tasks
from minilm.exercises.causes.wrong_answers import name_of
from minilm.exercises.code import define, solution_of
from minilm.exercises.grade import judge
from minilm.exercises.perform import perform
from minilm.exercises.task import with_bug
from minilm.exercises.tasks.chapter10.given import in_a_ring, sentence
from minilm.exercises.tasks.chapter10.minhash import P

rng = np.random.default_rng(10)
KNOWN = [pytest.param(t, w, id=f"{t.id}-{i}") for t in tasks.of_chapter(10) for i, w in enumerate(t.wrong)]


def solution(id):
    return solution_of(tasks.find(id))


@pytest.mark.parametrize("text", ["", "Hi!", "A - b,\tc", "Don't  panic. Read on\nand on (by_hand)!"])
@pytest.mark.parametrize("n", [1, 5, 13])
def test_shingles(text, n):
    assert {text_hash(run) for run in solution("10.1")(text, n)} == set(shingles_plain(bare_text(text), n))


def test_the_estimate_is_as_good_as_theory_says():
    k, shared, own = 2000, 60, 20
    x = rng.choice(P, shared + 2 * own, replace=False).tolist()
    first, second = x[: shared + own], x[:shared] + x[shared + own :]
    signatures, likeness = solution("10.2")([first, second], rng.integers(1, P, k), rng.integers(0, P, k))
    assert signatures.dtype.kind == "i"
    jaccard = shared / (shared + 2 * own)
    assert abs(likeness[0, 1] - jaccard) < 4 * expected_error(jaccard, k)


def test_the_s_curve():
    for seed in range(5):
        task = tasks.find("10.3")
        given = task.values(seed)
        compared, missed, half = solution_of(task, seed)
        assert compared == pytest.approx(float(probability(given["J"], given["bands"], given["rows"])))
        assert missed == pytest.approx(given["pairs"] * (1 - compared))
        assert float(probability(half, given["bands"], given["rows"])) == pytest.approx(0.5)


def test_groups():
    for n, links in (1, 0), (6, 4), (50, 45):
        pairs = [(int(i), int(j)) for i, j in rng.integers(0, n, (links, 2))]
        assert solution("10.4")(n, pairs) == connected_components_plain(n, pairs)


def test_decontamination():
    train, held_out = [sentence(rng, n) for n in (0, 1, 2, 9, 40)], [sentence(rng, n) for n in (1, 30, 30)]
    stay, shares = solution("10.5")(train, held_out, 2, 0.3)
    assert shares.tolist() == [overlap_plain(text, held_out, 2)[0] for text in train]
    assert stay == [i for i, share in enumerate(shares) if share <= 0.3]
    assert 0 < shares[-1] < 1


@pytest.mark.parametrize("size", [1, 3, 8, 100])
def test_packing(size):
    documents = [list(range(1, n + 1)) for n in (4, 0, 1, 9, 2)]
    windows = windows_plain(documents, size + 1, 0, overlap=1)
    inputs, targets = solution("10.6")(documents, size, 0)
    assert inputs == [window[:-1] for window in windows]
    assert targets == [window[1:] for window in windows]


def other_way_round(rank, ranks, x):
    """Right, too: each rank begins with the chunk of the next one, and divides the sum that is complete at it."""
    chunks = np.array_split(x, ranks)
    for step in range(ranks - 1):
        received = yield chunks[(rank + 1 - step) % ranks]
        chunks[(rank - step) % ranks] = chunks[(rank - step) % ranks] + received
    chunks[(rank + 2) % ranks] = chunks[(rank + 2) % ranks] / ranks
    for step in range(ranks - 1):
        chunks[(rank + 1 - step) % ranks] = yield chunks[(rank + 2 - step) % ranks]
    return np.concatenate(chunks)


@pytest.mark.parametrize("program", [solution("10.7"), other_way_round])
@pytest.mark.parametrize(("ranks", "n"), [(1, 4), (2, 5), (3, 12), (6, 4)])
def test_the_all_reduce_is_the_mean_and_sends_no_more_than_it_must(program, ranks, n):
    arrays = rng.standard_normal((ranks, n))
    before = arrays.copy()
    results, sent = in_a_ring(program, arrays)
    assert np.allclose(results, np.tile(arrays.mean(axis=0), (ranks, 1)))
    assert sent == 2 * (ranks - 1) * n
    assert np.array_equal(arrays, before)


def test_in_a_ring_a_rank_hears_of_the_one_before_only():
    def program(rank, ranks, x):
        received = yield x
        x += 100  # what was sent was sent
        return received

    results, sent = in_a_ring(program, [np.array([float(i)]) for i in range(3)])
    assert [float(x[0]) for x in results] == [2, 0, 1]
    assert sent == 3


def no_yield(rank, ranks, x):
    return x


def a_number_is_sent(rank, ranks, x):
    yield 1.0
    return x


def nothing_returned(rank, ranks, x):
    yield x


def rounds_differ(rank, ranks, x):
    for _ in range(1 + rank):
        yield x
    return x


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (no_yield, "sends with `yield`: this one has none"),
        (a_number_is_sent, "a rank sends arrays, and one has sent float: 1.0"),
        (nothing_returned, "rank 0 has ended and returned None"),
        (rounds_differ, "rank 0 has ended, and rank 1 still sends"),
    ],
)
def test_in_a_ring_says_what_is_wrong(program, says):
    with pytest.raises((TypeError, ValueError), match=says.replace("`", ".")):
        in_a_ring(program, [np.zeros(2), np.zeros(2)])


@pytest.mark.slow
@pytest.mark.parametrize(("task", "wrong"), KNOWN)
def test_each_known_wrong_answer_is_named_first(task, wrong):
    text = with_bug(task.solution, wrong)
    result = judge(task, perform(task, define(task, text, "<answer>")), text=text)
    assert result.cause.source == "wrong answer"
    assert result.cause.name == (wrong.bug or name_of(task, wrong))


@pytest.mark.parametrize("task", tasks.of_chapter(10), ids=lambda task: task.id)
def test_known_wrong_answers_have_names_of_their_own(task):
    names = [name_of(task, wrong) for wrong in task.wrong]
    assert len(names) >= 4
    assert len(set(names)) == len(names)
