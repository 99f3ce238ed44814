"""A dry run as text and as JSON."""

from typing import Any

from compress.parameters import CompressionParameters
from configs.schema.run import RunConfig
from configs.schema.search import STAGED
from objectives.cost.cost import Cost
from search.pipeline.dry_run import DryRun
from search.pipeline.durations import time_text
from search.study.judgement import Judgement
from zoo.data.dataset import Data
from zoo.tasks.own_task import OwnTask


def lines(run: DryRun) -> list[str]:
    """Lines on the model, the data, the space, the budget, and the estimated durations."""
    job = run.job
    config, data, space = job.config, job.data, job.space
    left = len(space.graph.excluded) + len(space.graph.undecomposable)
    return [
        _model(run),
        f"data: {_data(data)}",
        f"space: {len(space.groups)} groups and {len(space.layers)} pairs of ranks, {len(space.dimensions)} "
        f"dimensions, 10^{run.candidates_log10:.0f} candidates on the grid; {left} left whole, "
        "which tuckprune inspect names",
        *_budget(run),
        *_strategy(config),
        f"workers: {run.workers} of {config.search.cpus_per_worker:g} CPUs and {config.search.gpus_per_worker:g} GPUs",
        f"a trial{_scored(run)}: {_trial(run.first)} on a new worker, {_trial(run.next)} afterwards",
        f"estimated: {_durations(run)}",
        *_besides(run),
    ]


def _data(data: Data) -> str:
    if isinstance(data, OwnTask):
        return f"of {data.name}, which measures {', '.join(metric.name for metric in data.metrics)}"
    kind = "series" if data.is_series else "images"
    images = f"{len(data.train)} training, {len(data.validation)} validation and {len(data.test)} test {kind}"
    return f"{images} of {'x'.join(map(str, data.image_shape))}, {data.task.label}"


def entry(run: DryRun) -> dict[str, Any]:
    """What ``--json`` prints: costs in FLOPs, parameters, bytes or microseconds, durations in seconds."""
    job, (original, smallest) = run.job, _extremes(run)
    return {
        "run": job.config.name,
        "trained": run.trained,
        "groups": len(job.space.groups),
        "rank_pairs": len(job.space.layers),
        "dimensions": len(job.space.dimensions),
        "candidates_log10": run.candidates_log10,
        "not_exact": list(job.space.graph.not_exact),
        "budget": {
            limit.quantity.name: {
                "most": limit.most,
                "original": limit.quantity.of(original),
                "smallest": limit.quantity.of(smallest),
            }
            for limit in run.job.budget.limits
        },
        "trials": job.config.search.trials,
        "workers": run.workers,
        "scored_images": run.scored_images,
        "trial_seconds": [run.first.seconds, run.next.seconds],
        "strategy": job.config.search.strategy,
        "sweep_seconds": run.sweep_seconds,
        "search_seconds": run.search_seconds,
        "middle_seconds": run.middle_seconds,
        "finals_seconds": run.finals_seconds,
        "training_seconds": run.training_seconds,
        "compression_seconds": run.compression_seconds,
    }


def _strategy(config: RunConfig) -> list[str]:
    if len(config.recipe) == 1:
        return []
    first, second = config.recipe
    if config.search.strategy == STAGED:
        return [f"search: first {first}, then {second} on the fine-tuned winner of that"]
    return [f"search: {first} and {second} together"]


def _model(run: DryRun) -> str:
    model = run.job.config.model
    if run.trained:
        return f"model: {model.path or model.zoo}"
    return f"model: {model.zoo}, not trained yet: its weights here are random, and so are its accuracies"


def _extremes(run: DryRun) -> tuple[Cost, Cost]:
    space = run.job.space
    return space.cost.cost(CompressionParameters.none()), space.smallest()


def _budget(run: DryRun) -> list[str]:
    original, smallest = _extremes(run)
    return [
        f"budget: {limit.text}, at most {limit.quantity.shown.format(limit.most / limit.quantity.scale)} of "
        f"{limit.quantity.text(original)}; the smallest candidate has {limit.quantity.text(smallest)}"
        for limit in run.job.budget.limits
    ]


def _scored(run: DryRun) -> str:
    """On how many validation images, where these are not all."""
    data = run.job.data
    if isinstance(data, OwnTask) or run.scored_images == len(data.validation):
        return ""
    return f", scored on {run.scored_images} of {len(data.validation)} validation images"


def _trial(judged: Judgement) -> str:
    if judged.score is None:
        return f"failed after {judged.seconds:.1f} s"
    return f"{judged.seconds:.1f} s ({judged.score.text})"


def _durations(run: DryRun) -> str:
    count = run.job.config.search.trials
    trials = f"{count} trial{'s' if count > 1 else ''} {time_text(run.search_seconds)}"
    sweep = [f"sweep {time_text(run.sweep_seconds)}"] if run.sweep_seconds else []
    middle = _training("fine-tuning between the stages", run.middle_seconds)
    return ", ".join([*sweep, trials, *middle, *_training("finals", run.finals_seconds)])


def _besides(run: DryRun) -> list[str]:
    """A line on training the original, and on compressing it with the result of the search."""
    before = _training("training", run.training_seconds)
    kept = ["compressions take the models of the finals"] if run.keeps_final_models else []
    after = kept or _training("each compression", run.compression_seconds)
    return [f"besides: {', '.join([*before, *after])}"] if before or after else []


def _training(name: str, seconds: float | None) -> list[str]:
    if seconds is None:
        return [f"{name} of unknown length"]
    return [f"{name} at most {time_text(seconds)}"] if seconds else []
