"""Trials as MLflow shows them: a run each, in the experiment of the run's name."""

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import time

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from search.driver.listeners.tracker import metrics_of, settings_of
from search.study.trial_record import TrialRecord

URI = "MLFLOW_TRACKING_URI"
"""MLflow's own environment variable. The address of a server may hold a password, so no configuration does."""
_TRIAL = "tuckprune.trial"
_BATCH = 100
"""Parameters that MLflow takes at a time."""


@dataclass(frozen=True)
class MlflowTracker:
    """Keeps trials on the server that the environment names, or else in an SQLite file.

    Attributes:
        experiment: name of the MLflow experiment.
        file: the SQLite database.
    """

    experiment: str
    file: Path

    @property
    def place(self) -> str:
        """What messages call it."""
        return f"MLflow's server of {URI}" if URI in os.environ else f"MLflow's file '{self.file}'"

    def known(self) -> set[str]:
        """The sources of the trials that it holds already.

        Raises:
            MlflowException: the server cannot be asked.
        """
        numbers, token = set[str](), ""
        while True:
            page = self._client.search_runs([self._id], "attributes.status = 'FINISHED'", page_token=token or None)
            numbers |= {run.data.tags[_TRIAL] for run in page if _TRIAL in run.data.tags}
            if not page.token:
                return numbers
            token = page.token

    def add(self, record: TrialRecord) -> None:
        """Keep one more, its figures at the step of its number.

        Raises:
            MlflowException: the server does not take it.
        """
        tags = {_TRIAL: record.source, "state": record.state, **({"error": record.error} if record.error else {})}
        run = self._client.create_run(self._id, run_name=record.source, tags=tags).info.run_id
        now = int(1000 * time())
        metrics = [Metric(_safe(name), value, now, record.number) for name, value in metrics_of(record).items()]
        self._client.log_batch(run, metrics=metrics)
        params = [Param(_safe(name), str(value)) for name, value in settings_of(record).items()]
        for first in range(0, len(params), _BATCH):
            self._client.log_batch(run, params=params[first : first + _BATCH])
        # Last: a run without an end was cut off by a kill, and is sent again.
        self._client.set_terminated(run)

    @cached_property
    def _client(self) -> MlflowClient:
        return MlflowClient(os.environ.get(URI, f"sqlite:///{self.file.absolute()}"))

    @cached_property
    def _id(self) -> str:
        experiment = self._client.get_experiment_by_name(self.experiment)
        return str(self._client.create_experiment(self.experiment) if experiment is None else experiment.experiment_id)


def _safe(name: str) -> str:
    """A name of characters that MLflow takes."""
    return re.sub(r"[^\w\-. /]", "_", name, flags=re.ASCII)
