"""The layered sampler on a problem whose best candidate is known."""

import itertools
from collections import deque
from dataclasses import dataclass

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from search.samplers.kinds.layered import RANDOM_TRIALS, LayeredSampler, remembered
from search.samplers.surrogate import PriorLosses
from search.space.projection import filled, scaled_to_fit

WEIGHTS = np.array([1.0, 8.0, 2.0, 0.5, 4.0])
NAMES = [f"x{index}" for index in range(5)]


def snapped(rows):
    return np.clip(np.floor(rows / 0.2 + 1e-9), 1, 5) * 0.2


def fits(rows):
    return snapped(rows).sum(axis=1) <= 2.2 + 1e-9


def accuracy(kept):
    return 90 - 5 * (1 - kept) ** 2 @ WEIGHTS


@dataclass(frozen=True)
class Sums:
    """Five dimensions on a grid of five points; what is kept adds up to 2.2 at most, to less for trials ``tight``."""

    tight: frozenset[int] = frozenset()
    dimensions: tuple[str, ...] = tuple(NAMES)

    @property
    def prior(self):
        return PriorLosses.squares(np.ones((1, 5)))

    def project(self, wanted, trial, fill):
        scaled = scaled_to_fit(fits, wanted)
        return snapped(filled(fits, scaled, np.full(5, 0.2)) if fill else scaled)

    def is_decoded(self, trial):
        return "kept" in trial.user_attrs

    def kept(self, trial):
        return np.array(trial.user_attrs["kept"])

    def allows(self, done, trial):
        return trial.number not in self.tight or done.user_attrs["kept"][1] < 0.5

    def score(self, trial):
        return trial.value if trial.state == TrialState.COMPLETE else None


def study_of(view=None, seed=0):
    return optuna.create_study(direction="maximize", sampler=LayeredSampler(view or Sums(), 0.1, seed))


def ask(study):
    trial = study.ask()
    wanted = np.array([[trial.suggest_float(name, 0.1, 1.0) for name in NAMES]])
    kept = Sums().project(wanted, None, True)[0]
    trial.set_user_attr("kept", kept.tolist())
    return trial, kept


def run(study, trials):
    result = []
    for _ in range(trials):
        trial, kept = ask(study)
        study.tell(trial, float(accuracy(kept)))
        result.append(kept)
    return np.array(result)


def test_the_best_of_the_whole_grid_is_found_soon():
    grid = np.array(list(itertools.product((0.2, 0.4, 0.6, 0.8, 1.0), repeat=5)))
    best = accuracy(grid[grid.sum(axis=1) <= 2.2 + 1e-9]).max()
    result = run(study_of(), 25)
    assert accuracy(result).max() == pytest.approx(best)
    assert accuracy(result[:RANDOM_TRIALS]).max() < best


def test_the_first_trials_are_random_and_the_same_for_the_same_seed():
    one, same, other = (run(study_of(seed=seed), RANDOM_TRIALS) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert len(np.unique(one, axis=0)) > RANDOM_TRIALS / 2


def test_a_sampler_made_anew_proposes_what_the_old_one_does():
    """What it knows is in the study."""
    study = study_of()
    run(study, 14)
    again = optuna.create_study(direction="maximize", sampler=LayeredSampler(Sums(), 0.1, 0))
    again.add_trials(study.trials)
    assert ask(study)[0].params == ask(again)[0].params


def test_nothing_is_tried_twice_nor_while_it_is_running():
    study = study_of()
    result = run(study, 14)
    running = [ask(study)[1] for _ in range(4)]
    assert len(np.unique(np.concatenate([result[RANDOM_TRIALS:], running]), axis=0)) == 14 - RANDOM_TRIALS + 4


def test_where_trials_fail_no_more_are_made():
    """All that keep most of dimension 1, the most worthwhile one, fail: the others are tried."""
    study = study_of()
    run(study, RANDOM_TRIALS)
    tried = []
    for _ in range(12):
        trial, kept = ask(study)
        tried.append(kept[1])
        fails = kept[1] > 0.5
        study.tell(trial, None if fails else float(accuracy(kept)), TrialState.FAIL if fails else TrialState.COMPLETE)
    assert np.mean(np.array(tried[-4:]) > 0.5) < np.mean(np.array(tried[:4]) > 0.5)


def test_the_target_is_the_best_within_the_budget_of_the_trial(monkeypatch):
    targets = []

    def spy(surrogate, project, seen, target, lowest, rng, count):
        targets.append((target, surrogate.mean(seen), seen))
        return np.full((1, 5), 0.5)

    monkeypatch.setattr("search.samplers.kinds.layered.propose", spy)
    study = study_of(Sums(tight=frozenset({12})))
    run(study, 12)
    ask(study)
    (target, expected, _), (tight, expected_then, seen) = targets[-2:]
    assert target == expected.max()
    assert tight == expected_then[seen[:, 1] < 0.5].max() < expected_then.max()


def test_optuna_may_ask_for_other_parameters():
    study = study_of()
    run(study, RANDOM_TRIALS + 1)
    assert 0 <= study.ask().suggest_float("other", 0, 1) <= 1


def test_few_trials_are_all_remembered():
    np.testing.assert_array_equal(remembered(np.array([3.0, 1.0, 2.0]), 3), [0, 1, 2])


def test_of_many_the_best_half_and_the_rest_evenly():
    """Of ten, best last: the better three of six, 9, 8 and 7, and of 6 to 0 the first, the middle and the last."""
    np.testing.assert_array_equal(remembered(np.arange(10.0), 6), [0, 3, 6, 7, 8, 9])


def test_many_workers_get_proposals_that_were_made_together():
    """Of 64 running trials three are made at once; the next two trials are given what was made with the first."""
    ahead = deque()
    study = optuna.create_study(direction="maximize", sampler=LayeredSampler(Sums(), 0.1, 0, ahead=ahead))
    run(study, 12)
    for _ in range(64):
        study.ask(dict.fromkeys(NAMES, optuna.distributions.FloatDistribution(0.1, 1.0))).set_user_attr(
            "kept", [0.2, 0.6, 0.4, 0.4, 0.6]
        )
        ahead.clear()  # Until all run, each is made anew.
    proposals = []
    for left in (2, 1, 0):
        proposals.append(ask(study)[1])
        assert len(ahead) == left
    assert len(np.unique(proposals, axis=0)) == 3


def test_few_workers_get_each_proposal_anew():
    one_by_one, ahead = study_of(), deque()
    together = optuna.create_study(direction="maximize", sampler=LayeredSampler(Sums(), 0.1, 0, ahead=ahead))
    np.testing.assert_array_equal(run(one_by_one, 14), run(together, 14))
    assert not ahead


def test_of_very_many_only_what_is_remembered_and_the_latest_are_looked_at(monkeypatch):
    """Of 40 trials, whose scores fall: the better half of four, the ends of the rest, and the latest three."""
    monkeypatch.setattr("search.samplers.kinds.layered._RECENT", 3)
    monkeypatch.setattr("search.samplers.kinds.layered.remembered", lambda scores: remembered(scores, 4))
    study = study_of()
    for number in range(40):
        trial, _ = ask(study)
        study.tell(trial, -float(number))
    looked_at, kept = [], Sums.kept
    monkeypatch.setattr(Sums, "kept", lambda self, trial: looked_at.append(trial.number) or kept(self, trial))
    ask(study)
    assert sorted(set(looked_at)) == [0, 1, 2, 37, 38, 39]
