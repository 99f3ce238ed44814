"""What a search needs before its first trial, found and checked without training and without writing anything."""

from typing import Any

from compress.analysis import analyse
from compress.parameters import CompressionParameters
from configs.schema import RunConfig
from objectives.cost import CostModel
from search import settings
from search.driver import Listener
from search.earlier_run import earlier_run
from search.front_levels import front_levels
from search.job import Job
from search.latency import latency_table
from search.projection import Projection
from search.sampler_check import check_sampler
from search.samplers import SamplerContext
from search.space import SearchSpace
from search.tracking import check_trackers
from zoo.data.dataset import check_model_fits


def prepared(config: RunConfig, model: Any, listener: Listener) -> Job:
    """The job of searching a model as a configuration says.

    Raises:
        TuckpruneError: bad data, an impossible budget, a sampler that does not fit the space, or an earlier run that
            cannot be reused.
    """
    check_trackers(config.log_to)
    table = latency_table(config, model)
    space = SearchSpace(CostModel(analyse(model), table), settings.space(config), config.recipe)
    original = space.cost.cost(CompressionParameters.none())
    budget = settings.budget(config.budget, original, table)
    levels = front_levels(config, budget, original)
    Projection(space, budget).check_reachable()
    data = settings.dataset(config.data, config.seed)
    check_model_fits(data, model)
    metric = settings.metric(config.search.metric, data.classes)
    sampler = config.search.sampler
    context = SamplerContext(config.seed, space, budget, levels)
    check_sampler(sampler.name, sampler.options, context, front=levels is not None)
    pruning = settings.pruning(config, data)
    return Job(config, model, data, space, budget, pruning, metric, listener, earlier_run(config, model), levels)
