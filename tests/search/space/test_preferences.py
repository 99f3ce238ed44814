"""The preferences of trials, as a sampler suggests them."""

import optuna

from search.space.preferences import PREFERENCE, suggested

NAMES = ("keep:b", "keep:a")


def test_preferences_are_in_the_order_of_the_dimensions_and_within_their_bounds():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    row = suggested(trial, NAMES)
    assert row.tolist() == [trial.params["keep:b"], trial.params["keep:a"]]
    assert trial.distributions == dict.fromkeys(NAMES, PREFERENCE)
    assert row.shape == (2,) and (row >= 0.1).all() and (row <= 1).all()
