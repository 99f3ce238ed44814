"""Records and run folders for tests of the report: made-up trials of every kind on the tiny model, nothing trained."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna

from compress.graph.analysis import analyse
from compress.model_files.files import load_model
from compress.parameters import CompressionParameters
from objectives.cost.cost import Cost
from objectives.cost.cost_model import CostModel
from search import settings
from search.runs.results import write_result
from search.runs.run_folder import RunFolder
from search.space.space import SearchSpace, suggested
from search.study.finalist import RECOMMENDED, Finalist, store
from search.study.identity import tie_to_model
from search.study.journal import one_batch
from search.study.judgement import Judgement, Rung, keep_rung
from search.study.ranking import best
from search.study.storage import open_study
from search.study.trial_record import TrialRecord, describe, finish, records, reject
from tests.search.fixtures.results import classified
from tests.search.fixtures.runs import config
from zoo.tasks.metric import ACCURACY, Metric, Score

HOSTILE = "ValueError: <script>alert(1)</script> " + "of_a_very_long_word" * 20
LOST = "its node died"
RESULTS = [
    classified("original", 0.9, 4_000_000, 100_000, 1000),
    classified("simple", 0.85, 1_000_000, 20_000, 200),
    classified("search", 0.88, 1_000_000, 10_000, 100),
]
COST = Cost(1_000_000, 10, 40)
PARAMETERS = CompressionParameters({"conv1": 0.3, "add": 0.9}, {"conv2": (3, 7)})


def record(number: int, accuracy: float | None, start: str | None = None) -> TrialRecord:
    """A trial, failed where it has no accuracy."""
    state, error = ("complete", None) if accuracy is not None else ("failed", "out of memory")
    return TrialRecord(
        number,
        state,
        PARAMETERS,
        COST,
        None if accuracy is None else Score({"accuracy": accuracy, "loss": 0.5}),
        1.0,
        error,
        start,
    )


def drawn(page):
    """Every figure of a page: its traces by their names."""
    data = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, re.DOTALL)
    figures = json.loads(data.group(1))
    return {name: {trace["name"]: trace for trace in figure["data"]} for name, figure in figures.items()}


def by_name(figure):
    """The traces of a figure, by the name in its legend."""
    return {trace.name: trace for trace in figure.data}


def made_up(home: Path, trials: int = 50, metric: Metric = ACCURACY, **changes: Any) -> Path:
    """A run of so many trials; of every ten one fails, one is stopped, and one is over the budget."""
    changes = {"search": {"trials": trials, "workers": 2}, **changes}
    run = config(home, **changes)
    folder = RunFolder.of(run)
    model = load_model(home / "tiny.keras")
    space = SearchSpace(CostModel(analyse(model)), settings.space(run), run.recipe)
    with folder.opened(run):
        study = open_study(folder.path, run.name, "journal", front=run.front is not None)
        tie_to_model(study, model)
        study.sampler = optuna.samplers.RandomSampler(seed=0)
        for number in range(trials):
            with one_batch(study):
                settle(study, space, number, metric)
        hold_finals(study, metric)
    return folder.path


def settle(study: optuna.Study, space: SearchSpace, number: int, metric: Metric = ACCURACY) -> None:
    """One trial, whose number tells its kind."""
    trial = study.ask()
    parameters = space.decode(suggested(trial, space.dimensions))
    describe(trial, parameters, space.cost.cost(parameters), None)
    if len(study.directions) > 1:
        trial.set_user_attr("level", number % 2)
        trial.set_user_attr("allowed", 0.5)
    worker = f"host:{100 + number % 2}"
    accuracy = 0.5 + 0.4 * trial.params[space.dimensions[0]]
    score = score_of(accuracy, metric)
    said = Judgement(score, 3.0, worker=worker)
    kind = number % 10
    if kind not in (7, 9):
        keep_rung(trial, Rung(30, score, score.objective(metric)))
    if kind == 7:
        finish(study, trial, replace(Judgement.failed(1.0, HOSTILE), worker=worker), metric)
    elif kind == 9:
        reject(study, trial)
    elif kind == 3:
        finish(study, trial, said, metric, stopped=True)
    else:
        lost = (LOST,) if kind == 5 else ()
        finish(study, trial, replace(said, lost=lost), metric)


def score_of(accuracy: float, metric: Metric) -> Score:
    """Figures of this accuracy, with those of a metric that is another."""
    return Score({metric.name: 1 - accuracy, "accuracy": accuracy, "loss": 1 - accuracy})


def hold_finals(study: optuna.Study, metric: Metric = ACCURACY) -> None:
    """The best trial, the last one judged, another one, and recommended values, which failed."""
    judged = [record for record in records(study) if record.state == "complete"]
    first = best(judged)
    assert first is not None
    for place, record in enumerate([first, judged[-1], judged[0]]):
        accuracy = 0.91 - 0.01 * place
        said = Judgement(score_of(accuracy, metric), 10.0)
        store(study, Finalist.of(record.source, record.parameters, record.cost, said, metric))
    said = Judgement.failed(5.0, "they are over the budget")
    store(study, Finalist.of(RECOMMENDED, judged[1].parameters, judged[1].cost, said, metric))


def compared(run: Path) -> None:
    """Add the results of the three models."""
    for result in RESULTS:
        write_result(result, run / "results")
