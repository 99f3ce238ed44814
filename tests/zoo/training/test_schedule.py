"""Schedules, against their formulas by hand."""

import math

import numpy as np
import pytest

from compress.errors import ConfigError
from zoo.training.schedule import Schedule, schedule_kinds, schedule_words

STEPS = 200


def rates(name, options, *steps):
    rate = Schedule(name, options).rate(0.4, STEPS)
    return [float(rate(step)) for step in steps]


def test_a_cosine_falls_to_its_end():
    expected = [0.4, 0.4 * (0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2), 0.4 * 0.55, 0.04, 0.04]
    np.testing.assert_allclose(rates("cosine", {"end": 0.1}, 0, 50, 100, 200, 300), expected, rtol=1e-5)


def test_a_warm_up_rises_from_nothing_in_its_share_of_the_steps():
    expected = [0, 0.2, 0.4, 0.2, 0]
    np.testing.assert_allclose(rates("cosine", {"warm_up": 0.1}, 0, 10, 20, 110, 200), expected, atol=1e-7)
    np.testing.assert_allclose(rates("constant", {"warm_up": 0.1}, 0, 10, 20, 199), [0, 0.2, 0.4, 0.4], atol=1e-7)
    assert Schedule("constant").rate(0.4, STEPS) == 0.4


def test_one_cycle_goes_up_and_down():
    expected = [0.016, 0.208, 0.4, 0.2, 0.4 / 25e4]
    np.testing.assert_allclose(rates("one_cycle", {}, 0, 30, 60, 130, 200), expected, rtol=1e-4)


@pytest.mark.parametrize("name", list(schedule_kinds()))
def test_a_training_of_one_step_has_a_rate(name):
    rate = Schedule(name).rate(0.4, 1)
    assert 0 < float(rate(0) if callable(rate) else rate) <= np.float32(0.4)
    assert name in schedule_words()


def test_a_plateau_is_a_callback_of_its_options():
    made = Schedule("plateau", {"factor": 0.5, "patience": 3}).plateau
    assert made is not None and (made.factor, made.patience, made.monitor) == (0.5, 3, "val_loss")
    assert Schedule("cosine").plateau is None


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cosin", {}, "schedule: expected one of constant, cosine, one_cycle, plateau, received 'cosin'"),
        ("plateau", {"warm_up": 0.1}, "schedule.options: plateau takes factor, patience, received warm_up"),
        ("cosine", {"warm_up": 5}, r"schedule.options.warm_up: expected a share of all steps in \[0, 1\), received 5"),
        ("cosine", {"end": 2}, "schedule.options.end: expected at most 1"),
        ("cosine", {"end": "0.1"}, "schedule.options.end: expected a number of at least 0, received '0.1'"),
        ("cosine", {"end": math.nan}, "schedule.options.end: expected a number of at least 0, received nan"),
        ("one_cycle", {"rise": 1}, "schedule.options.rise: expected a share"),
        ("plateau", {"factor": 1}, r"schedule.options.factor: expected a number in \(0, 1\), received 1"),
        ("plateau", {"patience": 1.5}, "schedule.options.patience: expected whole epochs, at least 1, received 1.5"),
        ("plateau", {"patience": True}, "schedule.options.patience: expected a number of at least 0, received True"),
    ],
)
def test_what_is_no_schedule_is_refused(name, options, message):
    with pytest.raises(ConfigError, match=message):
        Schedule(name, options)
