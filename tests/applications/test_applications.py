"""What every application keeps, whichever it is."""

import inspect

import pytest

from minilm.applications import PLACES, find
from minilm.applications.trained import Trained
from minilm.data import TABLE
from minilm.pretrained.table import TABLE as MODELS
from minilm.training.settings import TrainConfig


@pytest.mark.parametrize("name", PLACES)
def test_an_application_is_found_and_says_what_it_is(name):
    application = find(name)
    assert application.name == name
    assert 8 < len(application.title) < 110
    assert set(application.datasets) <= set(TABLE)
    assert set(application.models) <= set(MODELS)
    assert inspect.getdoc(type(application))
    application.parse(application.line)
    assert all(sentence.endswith((".", ")")) for sentence in application.limits())


@pytest.mark.parametrize("name", PLACES)
def test_settings_are_those_of_a_training(name):
    application = find(name)
    if isinstance(application, Trained):
        assert application.task.name in PLACES  # two may share a run
        whole = TrainConfig(**application.task.settings)
        brief = TrainConfig(**{**application.task.settings, **application.brief})
        assert brief.steps <= whole.steps
