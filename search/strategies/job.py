"""What a search works with, whatever its strategy."""

from dataclasses import dataclass
from typing import Any

import optuna

from compress.pruning.settings import PruningSettings
from configs.schema.run import RunConfig
from objectives.accuracy.metric import Metric
from objectives.budget.budget import Budget
from search import settings
from search.driver.driver import Driver
from search.driver.finals import Finals
from search.driver.listeners.listener import Listener
from search.samplers.sensitivity import Sensitivity
from search.samplers.starts import START as SENSITIVITY
from search.samplers.starts import equalized, starts
from search.space.levels import Levels
from search.space.space import SearchSpace
from search.strategies.earlier_run import EarlierRun
from search.workers.worker import FinalTask, Task, model_bytes
from zoo.data.dataset import ImageDataset


def trial_task(
    config: RunConfig,
    model: Any,
    data: ImageDataset,
    pruning: PruningSettings,
    metric: Metric,
    *,
    final: FinalTask | None = None,
) -> Task:
    """The task of judging candidates of this model.

    final: how finalists are judged; None where there are none.
    """
    proxy = settings.proxy(config.proxy, config.seed, metric)
    return Task(model_bytes(model), data, proxy, config.recipe, pruning, config.search.threads_per_worker, final)


@dataclass(frozen=True)
class Job:
    """A model to search, what it may cost, and how candidates are judged.

    Attributes:
        config: of the run.
        model: the original.
        data: images and labels.
        space: of the original, under the whole recipe.
        budget: what the result may cost.
        pruning: which channels go.
        metric: what candidates are ranked by.
        listener: who is told of the progress.
        earlier: the run whose best trials are tried first.
        levels: of a front, None without one.
    """

    config: RunConfig
    model: Any
    data: ImageDataset
    space: SearchSpace
    budget: Budget
    pruning: PruningSettings
    metric: Metric
    listener: Listener
    earlier: EarlierRun
    levels: Levels | None = None

    def task(self) -> Task:
        """What workers need to judge candidates of the whole recipe, and finalists."""
        config = self.config
        final = FinalTask(settings.final(config), self.budget) if config.finetune.epochs else None
        return trial_task(config, self.model, self.data, self.pruning, self.metric, final=final)

    def driver(self, study: optuna.Study) -> Driver:
        """Proposes candidates of the whole recipe."""
        return Driver(study, self.space, self.budget, settings.driver(self.config, self.metric), self.levels)

    def starts(
        self, model: Any, space: SearchSpace, budget: Budget, found: Sensitivity | None
    ) -> dict[str, dict[str, float]]:
        """Proposals that know something of this model, that of its sweep first; none where none are wanted."""
        if not self.config.search.starts:
            return {}
        first = {} if found is None else {SENSITIVITY: equalized(found, space, budget)}
        return first | starts(model, space, budget, self.pruning, settings.feature_maps(self.config, self.data))

    def finals(self, study: optuna.Study) -> Finals:
        """The finals of a study's trials; without fine-tuning they could tell no more than the trials do."""
        wanted = self.config.finals.candidates if self.config.finetune.epochs else 0
        return Finals(study, self.space, self.budget, wanted, self.metric)
