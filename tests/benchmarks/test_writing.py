"""The benchmark of writing: what it makes of its measurements."""

import time

import pytest

from tests.benchmarks import writing


def run(**changes):
    measured = {"first": 2.0, "first_cpu": 1.0, "rate": 10.0, "step_cpu": 0.1, "prompt": 3.0, "prompt_cpu": 2.0}
    measured |= {"ids": [1], "peak": 5.0, "held": 4.0}
    return {**measured, **changes}


def test_of_several_runs_the_best_counts_and_of_memory_the_most():
    one = writing.best([run(rate=8.0, peak=9.0), run(first=1.5)])
    assert (one["rate"], one["first"], one["peak"]) == (10.0, 1.5, 9.0)


def test_ratios_are_to_the_faster_peer_on_as_many_threads():
    table = writing.rows({
        (1, "blocks"): [run()], (1, "torch"): [run(rate=5.0, prompt=6.0)],
        (1, "transformers"): [run(rate=4.0, step_cpu=0.05)], (2, "torch"): [run(rate=100.0)],
    })  # fmt: skip
    assert [len(row) for row in table] == [len(writing.COLUMNS)] * 5
    assert table[1][:10] == ("1", "blocks", "2.00", "1.00", "10.0", "2.00", "100.0", "0.50", "3.00", "1.00")
    assert table[2][5] == ""


def test_a_measurement_begins_with_the_process():
    stamps = []

    def write(prompt, count, told):
        for _ in range(count):
            time.sleep(0.001)
            told()
        return list(range(count))

    measured = writing.measure(lambda: (write, stamps.append), time.time() - 1, 4, 7)
    assert measured["first"] > 1
    assert 0 < measured["rate"] < 1000
    assert measured["ids"] == [0, 1, 2, 3, 4]
    assert [len(prompt) for prompt in stamps] == [7] * 3
    assert measured["peak"] == pytest.approx(measured["peak"])
