"""What decides how a corpus comes out."""

import json
import math

import pytest

from minilm.data.corpus.bands import bands_and_rows
from minilm.data.corpus.quality import RULES
from minilm.data.errors import DataError
from minilm.pipeline.settings import MOST, RULE_NAMES, Settings, differences

CHANGED = Settings(
    "body", 99, 7, ("not English", "short"), 0.6, True, {"b": 2.0, "a": 0.5}, 0.3, 0.2, 9, "0" * 64, 300, 5, 64, 8
)

WRONG = [
    ({"max_bytes": 0}, "max_bytes = 0: expected a number of 1 or more"),
    ({"least": -1}, "least = -1: expected a number of 0 or more"),
    ({"most_share": 1.1}, "most_share = 1.1: expected a number from 0 to 1"),
    ({"most_runs": MOST + 1}, "most_runs = 1000000000000000000: expected a number of 0 or more"),
    ({"vocab_size": 2**32 + 1}, "vocab_size = 4294967297: expected a number from 1 to 4294967296"),
    ({"sample": 0}, "sample = 0"),
    ({"shard": 1}, "shard = 1: expected a number of 2 or more"),
    ({"seed": -1}, "seed = -1"),
    ({"held_out": 1}, "held_out = 1: expected a number from 0 on, below 1; the rest is for training"),
    ({"held_out": math.nan}, "held_out = nan"),
    ({"threshold": 0.0}, "threshold = 0.0: expected a number between 0 and 1"),
    ({"threshold": math.nan}, "threshold = nan"),
    ({"weights": {"a": math.inf}}, "the weight of a is inf: expected a number of 0 or more"),
    ({"without": ("shrot",)}, r"there is no rule 'shrot'; there are short, .* Did you mean short\?"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_what_is_out_of_its_range_is_named(settings, message):
    with pytest.raises(DataError, match=message):
        Settings(**settings)


@pytest.mark.parametrize("settings", [Settings(), CHANGED])
def test_settings_are_json_and_back(settings):
    found = json.loads(json.dumps(settings.to_json(), allow_nan=False))
    assert Settings.from_json(found) == settings
    assert list(found["weights"]) == sorted(settings.weights)


def test_integers_have_as_many_digits_as_are_read():
    settings = Settings(max_bytes=MOST, least=MOST, most_runs=MOST, sample=MOST, shard=MOST, seed=MOST)
    assert all(len(str(value)) <= 18 for value in vars(settings).values() if isinstance(value, int))


def test_rules_that_are_not_asked_are_left_out_and_short_has_its_bound():
    assert [rule.name for rule in Settings().rules] == list(RULE_NAMES) == [rule.name for rule in RULES]
    assert [rule.name for rule in CHANGED.rules] == [name for name in RULE_NAMES if name not in CHANGED.without]
    assert next(rule for rule in Settings(least=7).rules if rule.name == "short").least == 7


def test_bands_are_those_of_the_threshold():
    assert Settings().bands == (9, 13)
    assert CHANGED.bands == bands_and_rows(0.6)


def test_differences_in_words():
    old, new = Settings().to_json(), Settings(seed=1, without=("short",)).to_json()
    assert list(differences(old, new)) == ["without was [], is ['short']", "seed was 0, is 1"]
    assert list(differences(old, old)) == []
    assert list(differences({}, {"seed": 1})) == ["seed was None, is 1"]
