"""The journal of very many trials that the benchmark writes from that of a few."""

import json

import optuna
from optuna.storages.journal import JournalFileBackend, JournalStorage

from scripts.bench.search.large_study import multiplied, write


def test_trials_come_again_with_numbers_of_their_own_each_time_a_little_better(tmp_path):
    real, large = tmp_path / "real", tmp_path / "large"
    study = optuna.create_study(study_name="run", storage=JournalStorage(JournalFileBackend(str(real))))
    for ratio in (0.1, 0.2):
        trial = study.ask()
        trial.suggest_float("keep", ratio, 1.0)
        trial.set_user_attr("parameters", json.dumps({"ratios": {"conv": ratio}}))
        trial.set_user_attr("figures", {"accuracy": ratio})
        study.tell(trial, ratio)
    write(multiplied(real, 5), large)
    trials = optuna.load_study(study_name="run", storage=JournalStorage(JournalFileBackend(str(large)))).trials
    assert [trial.number for trial in trials] == [0, 1, 2, 3, 4]
    assert [trial.values for trial in trials] == [[0.1], [0.2], [0.1], [0.2], [0.1]]
    accuracies = [trial.user_attrs["figures"]["accuracy"] for trial in trials]
    ratios = [json.loads(trial.user_attrs["parameters"])["ratios"]["conv"] for trial in trials]
    assert accuracies == ratios == [0.1, 0.2, 0.1 + 1e-9, 0.2 + 1e-9, 0.1 + 2e-9]
    begins = [json.loads(line)["at"] for line in large.read_bytes().splitlines()]
    assert begins[:2] == [0, large.read_bytes().index(b"\n") + 1]
