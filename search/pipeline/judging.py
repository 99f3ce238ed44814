"""Judges a recorded trial again, to check that the same candidate, seed and conditions give the same figures."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna

from compress.errors import RunError
from compress.model_files.files import load_model
from compress.parameters import CompressionParameters, Stage
from compress.staged_parameters import separated
from configs.schema.run import RunConfig
from objectives.network.precision import Precision
from search import settings
from search.runs.run_folder import RunFolder, model_path
from search.strategies.job import trial_task
from search.study.identity import check_same_model, study_name
from search.study.judgement import Conditions, Judgement
from search.study.storage import find_study
from search.study.trial_record import TrialRecord, records
from search.workers.worker import Task, TrialWorker, model_bytes
from zoo.tasks.metric import Score


@dataclass(frozen=True)
class Comparison:
    """A recorded trial and its new judgement.

    Attributes:
        record: the trial.
        again: the judgement now.
    """

    record: TrialRecord
    again: Judgement

    @property
    def lines(self) -> list[str]:
        """The recorded and the new figures, as two lines of text."""
        return [f"recorded: {self._text(self.record.score)}", f"again:    {self._text(self.again.score)}"]

    @property
    def entry(self) -> dict[str, dict[str, float]]:
        """The recorded and the new figures, as ``--json`` prints them."""
        both = {"recorded": self.record.score, "again": self.again.score}
        return {name: dict(score.figures) for name, score in both.items() if score is not None}

    def _text(self, score: Score | None) -> str:
        return "none" if score is None else score.text

    def check(self) -> None:
        """Refuse figures that differ from the recorded ones; on the same kind of CPU they agree to the last digit.

        Raises:
            RunError: names the conditions that have changed.
        """
        if self.again.score == self.record.score:
            return
        before, here = self.record.conditions, self.again.conditions
        if before is None or here is None:
            reason = "it was recorded without its conditions"
        else:
            changed = before.differences(here)
            reason = ", ".join(changed) if changed else "the conditions are the same: check that the images are, too"
        raise RunError(f"{self.record.source} gets other figures than those recorded: {reason}")


def judged_again(path: Path, number: int, stage: Stage | None = None) -> Comparison:
    """Judge a trial of a run again, in this process.

    TensorFlow must have been loaded under the trial's ``search.study.judgement.recorded_conditions``.

    Args:
        path: folder of the run.
        number: of the trial.
        stage: of a staged search; None for the second stage.

    Raises:
        RunError: no run, no such trial, one without figures, or one that cannot be judged.
        TuckpruneError: the model or the data cannot be read.
    """
    folder = RunFolder(path)
    config = folder.config()
    study = find_study(path, study_name(config, stage), config.search.storage)
    record = _judged(study, number, path)
    model = load_model(model_path(config, folder), config.model.custom_objects)
    check_same_model(study, model)
    task, parameters = _task(config, model, record.conditions), record.parameters
    if record.stage == config.recipe[0]:
        task = replace(task, recipe=config.recipe[:1])
    elif record.stage is not None:
        middle = model_bytes(load_model(folder.middle_model))
        task = replace(task, model=middle, recipe=config.recipe[1:], teacher=task.model)
        parameters = separated(parameters, config.recipe[1])
    again = _climbed(TrialWorker(task), record, parameters)
    if again.error is not None:
        raise RunError(f"trial {number} of '{path}' cannot be judged again: {again.error}")
    return Comparison(record, again)


def _judged(study: optuna.Study, number: int, path: Path) -> TrialRecord:
    record = next((record for record in records(study) if record.number == number), None)
    if record is None or record.score is None:
        received = "no such trial" if record is None else f"a trial that is {record.state}"
        raise RunError(
            f"trial {number} of '{path}': expected a trial with figures, received {received}; choose another --trial"
        )
    return record


def _task(config: RunConfig, model: Any, before: Conditions | None) -> Task:
    data = settings.data(config, model)
    metric = settings.metric(config.search.metric, data.task, model)
    task = trial_task(config, model, data, settings.pruning(config, data), metric)
    if before is None:
        return task
    proxy = replace(task.proxy, precision=Precision(before.precision))
    return replace(task, threads=before.threads, proxy=proxy)


def _climbed(worker: TrialWorker, record: TrialRecord, parameters: CompressionParameters) -> Judgement:
    """The worker's judgement at the trial's last rung, after all rungs before it."""
    again = worker.judge(parameters)
    for rung in record.rungs[1:]:
        again = again if again.error is not None else worker.go_on(parameters, rung.steps)
    return again
