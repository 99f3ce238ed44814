"""The preferences of trials, as a study keeps them."""

import optuna

from search.preferences import PREFERENCE, share_names, suggested

NAMES = ("keep:a", "keep:b")


def asked(study, names):
    trial = study.ask()
    suggested(trial, names)
    return study.get_trials(deepcopy=False)[trial.number]


def test_trials_share_names_and_distributions_and_keep_their_values():
    study = optuna.create_study()
    trials = [asked(study, NAMES) for _ in range(2)]
    before = [dict(trial.params) for trial in trials]
    share_names(trials, NAMES)
    assert [trial.params for trial in trials] == before
    assert trials[0].distributions is trials[1].distributions
    assert trials[0].distributions == dict.fromkeys(NAMES, PREFERENCE)
    for trial in trials:
        assert all(mine is given for mine, given in zip(trial.params, NAMES, strict=True))


def test_other_parameters_are_left_as_they_are():
    study = optuna.create_study()
    trial = asked(study, (*NAMES, "lr"))
    before = trial.params, trial.distributions
    share_names([trial], NAMES)
    assert (trial.params, trial.distributions) == before
