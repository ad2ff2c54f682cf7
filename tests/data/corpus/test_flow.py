"""Shares that add up, and steps from what came in to what came out."""

import random
from dataclasses import replace

import pytest

from minilm.data.corpus.flow import counted, per_cent, steps
from minilm.data.corpus.summary import Weighed
from tests.data.corpus.summaries import summary_of


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([1, 1, 1], ["33.4 %", "33.3 %", "33.3 %"]),
        ([2, 1], ["66.7 %", "33.3 %"]),
        ([0, 5], ["0.0 %", "100.0 %"]),
        ([1, 999_999], ["< 0.1 %", "> 99.9 %"]),
        ([0, 0], ["–", "–"]),
        ([], []),
    ],
)
def test_shares_by_hand(counts, expected):
    assert per_cent(counts) == expected


def test_shares_add_up_to_a_hundred():
    rng = random.Random(0)
    for _ in range(300):
        counts = [rng.choice([0, 1, rng.randrange(10**6), rng.randrange(10**15)]) for _ in range(rng.randint(1, 9))] + [
            7
        ]
        shares = per_cent(counts)
        known = {"< 0.1 %": "0.0", "> 99.9 %": "100.0"}
        tenths = [round(10 * float(known.get(share, share).removesuffix(" %"))) for share in shares]
        assert sum(tenths) == 1000
        assert all(abs(tenth / 1000 - count / sum(counts)) < 0.001 for tenth, count in zip(tenths, counts, strict=True))


def test_steps_lead_from_what_was_read_to_what_is_in_the_splits(summary):
    found = steps(summary)
    assert [step.name for step in found] == ["kept aside", "rules", "exact copies", "near copies", "contaminated"]
    left = summary.before.documents + 3
    for step in found:
        left -= step.gone
        assert step.left == left
    assert left == summary.after.documents == sum(split.documents for split in summary.splits)


def test_what_weights_leave_out_is_a_step_where_they_do(summary):
    weighed = replace(summary, weighed=Weighed({"web": 0.5}, {"web": 2}))
    assert steps(weighed)[-1][2:] == (2, summary.after.documents - 2)


def test_steps_of_nothing():
    assert all(step.gone == step.left == 0 for step in steps(summary_of([])))


def test_one_and_many():
    assert [counted(n, "document") for n in (0, 1, 2000)] == ["0 documents", "1 document", "2,000 documents"]
