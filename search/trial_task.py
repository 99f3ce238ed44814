"""What the workers of a run get, from its configuration."""

from typing import Any

from compress.pruning_settings import PruningSettings
from configs.schema import RunConfig
from objectives.metric import Metric
from search import settings
from search.worker import FinalTask, Task, model_bytes
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
