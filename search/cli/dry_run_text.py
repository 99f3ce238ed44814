"""A rehearsal as lines for people, and as an entry for machines."""

from typing import Any

from compress.parameters import CompressionParameters
from configs.schema.run import RunConfig
from configs.schema.search import STAGED
from objectives.cost.cost import Cost
from search.pipeline.dry_run import DryRun
from search.study.judgement import Judgement


def lines(found: DryRun) -> list[str]:
    """What was found, from the model to how long it takes."""
    job = found.job
    config, data, space = job.config, job.data, job.space
    images = f"{len(data.train)} training, {len(data.validation)} validation and {len(data.test)} test images"
    shape = "x".join(map(str, data.image_shape))
    left = len(space.graph.excluded) + len(space.graph.undecomposable)
    return [
        _model(found),
        f"data: {images} of {shape}, {data.classes} classes",
        f"space: {len(space.groups)} groups and {len(space.layers)} pairs of ranks, {len(space.dimensions)} "
        f"dimensions, 10^{found.points:.0f} candidates on the grid; {left} left whole, which tuckprune inspect names",
        *_budget(found),
        *_strategy(config),
        f"workers: {found.workers} of {config.search.cpus_per_worker:g} CPUs and "
        f"{config.search.gpus_per_worker:g} GPUs",
        f"a trial: {_trial(found.first)} on a new worker, {_trial(found.next)} afterwards",
        f"estimated: {_durations(found)}",
    ]


def entry(found: DryRun) -> dict[str, Any]:
    """The same for machines; FLOPs, parameters, bytes, microseconds; durations in seconds."""
    job, (original, smallest) = found.job, _ends(found)
    return {
        "run": job.config.name,
        "trained": found.trained,
        "groups": len(job.space.groups),
        "rank_pairs": len(job.space.layers),
        "dimensions": len(job.space.dimensions),
        "candidates_log10": found.points,
        "budget": {
            limit.quantity.name: {
                "most": limit.most,
                "original": limit.quantity.of(original),
                "smallest": limit.quantity.of(smallest),
            }
            for limit in found.job.budget.limits
        },
        "trials": job.config.search.trials,
        "workers": found.workers,
        "trial_seconds": [found.first.seconds, found.next.seconds],
        "strategy": job.config.search.strategy,
        "sweep_seconds": found.sweep_seconds,
        "search_seconds": found.search_seconds,
        "middle_seconds": found.middle_seconds,
        "finals_seconds": found.finals_seconds,
    }


def _strategy(config: RunConfig) -> list[str]:
    if len(config.recipe) == 1:
        return []
    first, second = config.recipe
    if config.search.strategy == STAGED:
        return [f"search: first {first}, then {second} on the fine-tuned winner of that"]
    return [f"search: {first} and {second} together"]


def _model(found: DryRun) -> str:
    model = found.job.config.model
    if found.trained:
        return f"model: {model.path or model.zoo}"
    return f"model: {model.zoo}, not trained yet: its weights here are random, and so are its accuracies"


def _ends(found: DryRun) -> tuple[Cost, Cost]:
    space = found.job.space
    return space.cost.cost(CompressionParameters.none()), space.smallest()


def _budget(found: DryRun) -> list[str]:
    original, smallest = _ends(found)
    return [
        f"budget: {limit.text}, at most {limit.quantity.shown.format(limit.most / limit.quantity.scale)} of "
        f"{limit.quantity.text(original)}; the smallest candidate has {limit.quantity.text(smallest)}"
        for limit in found.job.budget.limits
    ]


def _trial(judged: Judgement) -> str:
    if judged.score is None:
        return f"failed after {judged.seconds:.1f} s"
    return f"{judged.seconds:.1f} s (accuracy {judged.score.accuracy:.4f})"


def _durations(found: DryRun) -> str:
    count = found.job.config.search.trials
    trials = f"{count} trial{'s' if count > 1 else ''} {_minutes(found.search_seconds)}"
    sweep = [f"sweep {_minutes(found.sweep_seconds)}"] if found.sweep_seconds else []
    middle = _training("fine-tuning between the stages", found.middle_seconds)
    return ", ".join([*sweep, trials, *middle, *_training("finals", found.finals_seconds)])


def _training(what: str, seconds: float | None) -> list[str]:
    if seconds is None:
        return [f"{what} of unknown length"]
    return [f"{what} at most {_minutes(seconds)}"] if seconds else []


def _minutes(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )
