"""Prunes one model by each method to each budget, and keeps what comes out."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras

from scripts.bench.compress.peers.budgets import within
from scripts.bench.compress.peers.exchange import (
    State,
    check_equal,
    logits,
    resized,
    state_of,
    weights_of_state,
    widths_of,
)
from scripts.bench.compress.peers.kept import ORIGINAL, Case
from scripts.bench.compress.peers.original import Original, cost_of
from scripts.bench.compress.peers.own_methods import OWN, GivenValues, applied

FASTNAS = "FastNAS"
"""The method of NVIDIA's Model Optimizer, which is not installed unless asked for."""
_CALIBRATION = 50
"""Batches by which FastNAS estimates statistics before every score."""
_SHARES = (1, 0.99, 0.97, 0.95, 0.9)
"""Of the budget, which FastNAS is told until its result meets it."""


def prune(original: Original, work: Path, cases: Iterable[Case]) -> None:
    """Prune to every case that the work folder does not hold; the original first, which belongs to none."""
    for case in (Case(original.name, 1.0, ORIGINAL), *cases):
        if case.record(work).exists():
            continue
        if case.method == ORIGINAL:
            keep(original, work, case, original.bench.model, 0.0)
        elif case.method in OWN:
            _prune_by_values(original, work, case)
        else:
            _prune_in_torch(original, work, case)


def _prune_by_values(original: Original, work: Path, case: Case) -> None:
    started = time.perf_counter()
    model = applied(original, OWN[case.method](original, case.budget))
    keep(original, work, case, model, time.perf_counter() - started)


def _prune_in_torch(original: Original, work: Path, case: Case) -> None:
    """Keras to PyTorch, prune, and back; both ways are checked by equal logits."""
    from scripts.bench.compress.peers.torch_resnet import TorchResNet, torch_logits

    template, images = original.bench.model, original.probe
    state = state_of(template)
    check_equal(logits(template, images), torch_logits(TorchResNet(state), images), f"{original.name} in PyTorch")
    pruner = _torch_pruner(original, case, state) if case.method != FASTNAS else _fastnas(original, state)

    def fraction(remaining: State) -> float:
        return original.fraction_of_widths(widths_of(remaining))

    if case.method == FASTNAS:
        # It is told a share of the FLOPs, which it counts in another way, and not of the channels.
        attempt = within(case.budget, pruner, fraction, [1 - share * case.budget for share in _SHARES], halvings=0)
    else:
        attempt = within(case.budget, pruner, fraction)
    if attempt is None:
        return _not_reached(case)
    model = resized(template, weights_of_state(attempt.pruned))
    expected = torch_logits(TorchResNet(attempt.pruned), images)
    difference = check_equal(expected, logits(model, images), f"{case.key} in Keras")
    keep(original, work, case, model, pruner.seconds, ratio=attempt.ratio, difference=difference)


def _torch_pruner(original: Original, case: Case, state: State) -> Any:
    from scripts.bench.compress.peers.torch_pruning_methods import METHODS, TorchPruner, as_batch
    from scripts.bench.compress.peers.torch_resnet import torch_images

    method, count = METHODS[case.method], original.recalibration_batches
    batches = [as_batch(*batch) for batch in original.batches(count)] if method.reads_gradients else []
    return TorchPruner(state, method, torch_images(original.probe[:1]), batches)


def _fastnas(original: Original, state: State) -> Any:
    from scripts.bench.compress.peers.fastnas import FastNas
    from scripts.bench.compress.peers.torch_pruning_methods import as_batch

    parts = (original.batches(_CALIBRATION), original.validation())
    return FastNas(state, *([as_batch(*batch) for batch in part] for part in parts))


def _not_reached(case: Case) -> None:
    print(f"{case.key}: no ratio reaches the budget", flush=True)


def prune_by_given(original: Original, work: Path, given: Iterable[GivenValues]) -> None:
    """Prune by values from elsewhere, those that the work folder does not hold.

    Raises:
        SystemExit: values that do not meet their budget.
    """
    for one in given:
        if one.case.model != original.name or one.case.record(work).exists():
            continue
        model = applied(original, one.parameters)
        fraction = original.fraction(model)
        if fraction > one.case.budget:
            raise SystemExit(f"{one.case.key}: expected at most the budget, received {fraction:.4f} of the FLOPs")
        keep(original, work, one.case, model, one.method_seconds)


def keep(original: Original, work: Path, case: Case, model: keras.Model, seconds: float, **others: Any) -> None:
    """Keep a pruned model, with its cost, and its test accuracy with statistics estimated anew, before any training."""
    proxy, test = original.proxy(original.bench.config.seed), original.bench.data.test
    repair = proxy.start(model)
    if case.method != ORIGINAL:
        repair.recalibrate(proxy.settings.recalibration_images)
    figures = {
        "flops_fraction": original.fraction(model),
        "params": cost_of(model).params,
        "method_seconds": seconds,
        "accuracy": proxy.score(repair, test).figures["accuracy"],
        **others,
    }
    case.keep(work, model, figures)
    print(f"{case.key}: {figures}", flush=True)
