"""A recorded trial judged again: whether its parameters, its seed and its conditions give the same figures."""

from dataclasses import dataclass, replace
from pathlib import Path

from compress.errors import RunError
from compress.model_file import load_model
from search import settings
from search.fingerprint import check_same_model
from search.pipeline import model_path
from search.run_folder import RunFolder
from search.storage import find_study
from search.trial_record import Judgement, TrialRecord, figures_of, records
from search.trial_task import trial_task
from search.worker import TrialWorker


@dataclass(frozen=True)
class Comparison:
    """A trial as recorded, and as it was judged again.

    Attributes:
        record: the trial.
        again: what it gets now.
    """

    record: TrialRecord
    again: Judgement

    @property
    def lines(self) -> list[str]:
        """Both, as text."""
        return [f"recorded: {figures_of(self.record)}", f"again:    {figures_of(self._judged_now)}"]

    @property
    def _judged_now(self) -> TrialRecord:
        now = self.again
        return replace(self.record, accuracy=now.accuracy, loss=now.loss, value=now.value)

    def check(self) -> None:
        """Refuse other figures than those recorded; on the same kind of CPU they are the same to the last digit.

        Raises:
            RunError: names the conditions that are not as they were.
        """
        if self._judged_now == self.record:
            return
        before, here = self.record.conditions, self.again.conditions
        if before is None or here is None:
            reason = "it was recorded without its conditions"
        else:
            changed = before.differences(here)
            reason = ", ".join(changed) if changed else "the conditions are the same: check that the images are, too"
        raise RunError(f"{self.record.source} gets other figures than those recorded: {reason}")


def judged_again(path: Path, number: int) -> Comparison:
    """Judge a trial of a run in this process as a worker did.

    TensorFlow must have been loaded as ``search.conditions.recorded_conditions`` of the trial says.

    Raises:
        RunError: no run, no such trial, one without figures, or one that cannot be judged.
        TuckpruneError: the model or the data cannot be read.
    """
    folder = RunFolder(path)
    config = folder.config()
    study = find_study(path, config.name)
    record = next((record for record in records(study) if record.number == number), None)
    if record is None or record.accuracy is None:
        said = "no such trial" if record is None else f"a trial that is {record.state}"
        raise RunError(
            f"trial {number} of '{path}': expected one with figures, received {said}; see 'tuckprune report'"
        )
    model = load_model(model_path(config, folder))
    check_same_model(study, model)
    data = settings.dataset(config.data, config.seed)
    metric = settings.metric(config.search.metric, data.classes)
    threads = None if record.conditions is None else record.conditions.threads
    task = trial_task(config, model, data, settings.pruning(config, data), metric, threads=threads)
    worker = TrialWorker(task)
    again = worker.judge(record.parameters)
    for rung in record.rungs[1:]:
        again = again if again.error is not None else worker.go_on(rung.steps)
    if again.error is not None:
        raise RunError(f"trial {number} of '{path}' cannot be judged again: {again.error}")
    return Comparison(record, again)
