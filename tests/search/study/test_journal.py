"""A journal in batches: the same study, fewer waits for the disk, and nothing of a batch without the rest."""

import os

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from search.study.journal import BatchedJournal, one_batch
from search.study.shared_replay import SharingJournalStorage


def batched(path):
    return SharingJournalStorage(BatchedJournal(path))


def plain(path):
    return JournalStorage(JournalFileBackend(str(path)))


def study_in(path, storage=batched):
    return optuna.create_study(storage=storage(path), study_name="run", load_if_exists=True)


def trials_in(path):
    """What another process reads."""
    return optuna.load_study(storage=plain(path), study_name="run").trials


def propose(study):
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    trial.suggest_float("y", 0, 1)
    trial.set_user_attr("pair", (1, 2))
    return trial


def test_a_batch_waits_for_the_disk_once(tmp_path, monkeypatch):
    study, calls = study_in(tmp_path / "journal"), []
    monkeypatch.setattr(os, "fsync", lambda descriptor: calls.append(descriptor))
    with one_batch(study):
        trial = propose(study)
        # What the batch holds is in the study already, as it will be read again.
        assert study.trials[0].params == trial.params and study.trials[0].user_attrs == {"pair": [1, 2]}
        assert trials_in(tmp_path / "journal") == []
    assert len(calls) == 1
    assert trials_in(tmp_path / "journal") == study.trials


def test_batches_and_single_lines_make_the_same_study(tmp_path):
    paths = [tmp_path / name for name in ("batched", "plain")]
    for path, storage in zip(paths, (batched, plain), strict=True):
        study = study_in(path, storage)
        study.sampler = optuna.samplers.RandomSampler(seed=0)
        for _ in range(5):
            with one_batch(study):
                trial = propose(study)
            with one_batch(study):
                study.tell(trial, trial.params["x"])
        study.enqueue_trial({"x": 0.5})

    def told(path):
        return [(trial.number, trial.state, trial.params, trial.value) for trial in trials_in(path)]

    assert told(paths[0]) == told(paths[1])
    # The study, what is queued, and of each trial one line for its outcome and one, or four, for what was proposed.
    assert [path.read_bytes().count(b"\n") for path in paths] == [5 * 2 + 2, 5 * 5 + 2]
    assert [trial.user_attrs for trial in study_in(paths[0]).trials[:5]] == [{"pair": [1, 2]}] * 5


def test_what_is_said_of_other_trials_stays_apart(tmp_path):
    """A batch in which an earlier trial gets an attribute, and one that is queued a parameter."""
    path = tmp_path / "journal"
    study = study_in(path)
    study.enqueue_trial({"x": 0.5})
    first = study.ask()
    with one_batch(study):
        first.set_user_attr("of", "the first")
        second = propose(study)
        first.suggest_float("x", 0, 1)
        study.tell(second, state=optuna.trial.TrialState.PRUNED)
    for read in (batched, plain):
        trials = optuna.load_study(storage=read(path), study_name="run").trials
        assert trials == study.trials
        assert [trial.user_attrs for trial in trials] == [{"of": "the first"}, {"pair": [1, 2]}]
        assert trials[0].params == {"x": 0.5} and list(trials[1].params) == ["x", "y"]
        assert trials[1].state == optuna.trial.TrialState.PRUNED


def test_trials_share_their_distributions_when_they_are_read(tmp_path):
    path = tmp_path / "journal"
    study = study_in(path)
    for _ in range(2):
        with one_batch(study):
            propose(study)
    with one_batch(study):
        study.ask().suggest_float("x", 0, 1)
    first, second, third = study_in(path).get_trials(deepcopy=False)
    assert first._distributions is second._distributions
    assert list(third.distributions) == ["x"] and third.distributions["x"] == first.distributions["x"]
    assert next(iter(first.params)) is next(iter(third.params))


def test_reading_goes_on_where_a_batch_ended(tmp_path):
    """Another object of the same file sees all of it, line by line, and so does this one after it is opened again."""
    path = tmp_path / "journal"
    study = study_in(path)
    for _ in range(3):
        with one_batch(study):
            propose(study)
        propose(study)
    again = study_in(path)
    with one_batch(again):
        propose(again)
    assert len(again.trials) == 7
    assert again.trials == trials_in(path)


def test_lines_before_a_batch_are_not_read_again(tmp_path):
    """Else every trial would cost as much as all before it: they may as well be gone by then."""
    path = tmp_path / "journal"
    study = study_in(path)
    with one_batch(study):
        propose(study)
    path.write_bytes(b"?" * (path.stat().st_size - 1) + b"\n")
    with one_batch(study):
        propose(study)
    propose(study)
    assert len(study.trials) == 3


def test_trials_share_the_names_of_their_attributes(tmp_path):
    study = study_in(tmp_path / "journal")
    for _ in range(2):
        with one_batch(study):
            propose(study).set_user_attr("of a trial", {"in it": 1})
    first, second = (trial.user_attrs for trial in study.get_trials(deepcopy=False))
    assert first == second == {"pair": [1, 2], "of a trial": {"in it": 1}}
    assert all(one is other for one, other in zip(first, second, strict=True))
    assert next(iter(first["of a trial"])) is next(iter(second["of a trial"]))


def test_an_error_loses_nothing_that_the_study_has(tmp_path):
    study = study_in(tmp_path / "journal")
    with pytest.raises(ZeroDivisionError), one_batch(study):
        propose(study)
        1 / 0  # noqa: B018
    assert trials_in(tmp_path / "journal") == study.trials != []


def test_a_batch_that_never_ends_leaves_the_study_as_it_was(tmp_path):
    path = tmp_path / "journal"
    study = study_in(path)
    propose(study)
    before = path.read_bytes()
    child = os.fork()
    if child == 0:
        with one_batch(study):
            propose(study)
            os._exit(9)
    os.waitpid(child, 0)
    assert path.read_bytes() == before


def test_a_study_elsewhere_is_left_alone():
    study = optuna.create_study()
    with one_batch(study):
        propose(study)
    assert len(study.trials) == 1
