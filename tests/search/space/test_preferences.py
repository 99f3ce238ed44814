"""The preferences of trials, as a study keeps them."""

import optuna

from search.space.preferences import PREFERENCE, Packing, suggested

NAMES = ("keep:a", "keep:b")


def asked(study, names):
    trial = study.ask()
    suggested(trial, names)
    return study.get_trials(deepcopy=False)[trial.number]


def test_trials_share_names_and_distributions_and_keep_their_values():
    study = optuna.create_study()
    trials = [asked(study, NAMES) for _ in range(2)]
    before = [dict(trial.params) for trial in trials]
    pack = Packing(NAMES)
    for trial in trials:
        pack([trial])
    assert [trial.params for trial in trials] == before
    assert [list(trial.params) for trial in trials] == [list(NAMES)] * 2
    assert trials[0].distributions is trials[1].distributions
    assert trials[0].distributions == dict.fromkeys(NAMES, PREFERENCE)
    for trial in trials:
        assert all(mine is given for mine, given in zip(trial.params, NAMES, strict=True))


def test_a_study_with_packed_trials_goes_on_and_gives_copies_as_ever():
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0, multivariate=True, n_startup_trials=2))
    other = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0, multivariate=True, n_startup_trials=2))
    pack = Packing(NAMES)
    for number in range(6):
        for one in (study, other):
            trial = one.ask()
            wanted = suggested(trial, NAMES)
            if one is study:
                pack([one.get_trials(deepcopy=False)[number]])
            one.tell(trial, sum(wanted.values()))
    assert [trial.params for trial in study.trials] == [trial.params for trial in other.trials]
    assert all(type(trial.params) is dict for trial in study.trials)
    assert study.best_params == other.best_params


def test_other_parameters_are_left_as_they_are():
    study = optuna.create_study()
    trial = asked(study, (*NAMES, "lr"))
    before = trial.params, trial.distributions
    Packing(NAMES)([trial])
    assert (trial.params, trial.distributions) == before
