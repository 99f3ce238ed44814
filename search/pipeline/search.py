"""The search of a run, from preparation to its outcome."""

from dataclasses import replace
from functools import partial

from compress.model_files.files import load_model
from compress.parameters import CompressionParameters
from configs.schema.run import RunConfig
from configs.schema.search import AUTO, STAGED
from search.driver.listeners.listener import Listener, Listeners
from search.driver.listeners.ray_metrics import RayMetrics
from search.driver.listeners.run_log import RunLog
from search.driver.listeners.status_writer import StatusWriter
from search.driver.listeners.trackers import trackers
from search.runs.original_graph import keep_graph
from search.runs.outcome import SearchOutcome, outcome_of
from search.runs.run_folder import RunFolder, model_path
from search.runs.shared_study import tie_to_config
from search.strategies.choice import decided
from search.strategies.joint import run_joint
from search.strategies.preparation import check_original, keep_latency_table, prepared
from search.strategies.staged import run_staged
from search.study.identity import keep_image_size, keep_original, tie_to_data, tie_to_model, warn_of_changed_code
from search.study.storage import has_study, opened_study
from search.workers.idle_workers import IdleWorkers
from search.workers.pool_factory import ray_pool
from search.workers.shutdown import Shutdown


def run_search(config: RunConfig, listener: Listener | None = None, shutdown: Shutdown | None = None) -> SearchOutcome:
    """Search a run to its planned number of trials; goes on where an earlier search was interrupted.

    Args:
        config: of the run.
        listener: follows the search; None for nobody.
        shutdown: by which the search can be asked to end soon; None for one by the configuration.

    Raises:
        TuckpruneError: bad model, data, budget or run folder; or no trial that can be used.
        KeyboardInterrupt: the run is left resumable.
    """
    folder, model = RunFolder.of(config), load_model(model_path(config), config.model.custom_objects)
    listener = listener or Listener()
    job = prepared(folder.with_kept_strategy(config), model, listener)
    is_new = not has_study(folder.path, config.name, config.search.storage)
    if is_new:
        check_original(model, job.data, config.seed, listener.warned)
    if is_new or job.config.search.strategy == AUTO:
        job = decided(job)
    config = job.config
    with (
        folder.opened(config),
        opened_study(folder.path, config.name, config.search.storage, front=job.levels is not None) as study,
    ):
        keep_latency_table(job.budget.table, folder)
        tie_to_config(study, config)
        tie_to_model(study, model)
        tie_to_data(study, job.data)
        warn_of_changed_code(study, config.model.custom_objects, listener.warned)
        keep_image_size(study, job.space.graph.image_size)
        keep_graph(job.space.graph, folder, config, study)
        keep_original(study, job.space.cost.cost(CompressionParameters.none()))
        tracked = trackers(config, folder.path, listener.warned)
        own = (RunLog(folder.logs), StatusWriter(folder.path), RayMetrics(config.name))
        listeners = Listeners(listener, *own, *tracked)
        job = replace(job, listener=listeners)
        shutdown, idle = shutdown or Shutdown(config.search.grace), IdleWorkers()
        open_pool = partial(ray_pool, config.search, listeners.warned, shutdown, idle=idle)
        try:
            if config.search.strategy == STAGED:
                run_staged(job, folder, study, open_pool)
            else:
                run_joint(job, study, open_pool)
        finally:
            idle.close()
        return outcome_of(folder, config, study)
