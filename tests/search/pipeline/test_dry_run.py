"""A dry run tells what a search begins with and how long it takes, and writes nothing."""

import json
import math
from dataclasses import replace

import pytest

from compress.errors import ConfigError, RunError
from compress.parameters import CompressionParameters
from configs.load import load_config
from search.cli.dry_run_text import entry, lines
from search.driver.listeners.listener import Listener
from search.pipeline.dry_run import DryRun
from search.runs.run_folder import RunFolder
from search.settings import source
from search.strategies.preparation import prepared
from search.study.judgement import Judgement
from tests.search.fixtures.nets import cost, model, space
from tests.search.fixtures.runs import config, tree, written
from zoo.data.load import load_dataset
from zoo.tasks.metric import Score


def judged(seconds: float) -> Judgement:
    return Judgement(Score({"accuracy": 0.5, "loss": 1.0}), seconds)


def half() -> CompressionParameters:
    """Half of every group and of every rank."""
    return space("tiny").decode(space("tiny").row(dict.fromkeys(space("tiny").dimensions, 0.5)))


def dry(job, seconds: tuple[float, float, float, float, float], workers: int = 1) -> DryRun:
    """Seconds of the first trial, of others, of scoring these without a step and the original, and of a probe."""
    first, following, untrained, whole, probe = map(judged, seconds)
    return DryRun(job, True, workers, first, half(), following, untrained, whole, probe)


@pytest.fixture
def tried(home) -> DryRun:
    """Of three workers; steps of 1.5 s of a candidate and of 4.5 s of the original."""
    loaded = config(
        home,
        proxy={"steps": 4, "batch_size": 32, "recalibration_images": 64},
        rungs={"steps": [12, 28], "one_in": 2},
        search={"trials": 10, "workers": 3},
        finetune={"epochs": 5, "batch_size": 64},
        finals={"candidates": 3, "epochs": 2},
    )
    job = prepared(loaded, model("tiny"), Listener())
    return dry(job, (20.0, 8.0, 2.0, 6.0, 1.25), 3)


def test_the_grid_is_counted(tried):
    groups, layers = len(space("tiny").groups), len(space("tiny").layers)
    # Ratios 0 to 0.9 and ranks 0.1 to 1 of both sides: ten each.
    assert tried.candidates_log10 == pytest.approx(groups + 2 * layers)


def test_choices_leave_fewer_candidates_or_none(home):
    layers = {"*": "keep", "conv2": {"ratio": [0, 0.3], "rank_in": [0.1, 1], "rank_out": 12}}
    job = prepared(config(home, budget={"flops": "90%"}, space={"layers": layers}), model("tiny"), Listener())
    # Ratios of conv2 from 0 to 0.3, and ten In Ranks.
    assert dry(job, (1.0,) * 5).candidates_log10 == pytest.approx(math.log10(4 * 10))
    assert job.task.final is None or job.task().final.choices == job.space.settings.choices
    for wrong, message in (
        ({"*": "keep"}, "space.layers: expected something left to search"),
        ({"con2": "keep"}, "space.layers: unknown layer or group 'con2'; nearest: 'conv2'"),
    ):
        with pytest.raises(ConfigError, match=message):
            prepared(config(home, budget={"flops": "90%"}, space={"layers": wrong}), model("tiny"), Listener())


def training_seconds(tried: DryRun, epochs: int, flops: int) -> float:
    """Of a model of so many FLOPs in batches of 64: tracing, and in every epoch steps and scoring, by the line."""
    small, large = (cost("tiny").cost(parameters).flops for parameters in (half(), CompressionParameters.none()))
    part = (flops - small) / (large - small)
    steps = math.ceil(len(tried.job.data.train) / 64)
    return 12.0 + epochs * (steps * 2 * (1.5 + 3.0 * part) + 2.0 + 4.0 * part)


def test_a_training_validates_on_all_images_and_a_trial_on_some(home):
    proxy = {"steps": 4, "batch_size": 32}
    few, every = (
        dry(
            prepared(config(home, proxy={**proxy, "validation_images": most}), model("tiny"), Listener()),
            (20, 8, 2, 6, 1),
        )
        for most in (10, None)
    )
    images, epochs = len(every.job.data.validation), every.job.config.finetune.epochs
    stages = (cost("tiny").cost(given).flops for given in (CompressionParameters(half().ratios, {}), half()))
    small, large = (cost("tiny").cost(given).flops for given in (half(), CompressionParameters.none()))
    scoring = sum(2 + 4 * (flops - small) / (large - small) for flops in stages)
    more = epochs * scoring * (images / 10 - 1)
    assert few.compression_seconds == pytest.approx(every.compression_seconds + more)
    said = [next(line for line in lines(run) if "a trial" in line) for run in (few, every)]
    assert said[0].startswith(f"a trial, scored on 10 of {images} validation images: 20.0 s")
    assert said[1].startswith("a trial: 20.0 s")


LONG = {"finetune": {"epochs": 5}, "finals": {"epochs": 2}}
"""A final fine-tuning that is longer than that of the finals."""


def compression_seconds(tried: DryRun, epochs: int) -> float:
    """Of both stages: the first leaves ranks whole."""
    stages = (CompressionParameters(half().ratios, {}), half())
    return sum(training_seconds(tried, epochs, cost("tiny").cost(parameters).flops) for parameters in stages)


def test_durations_are_those_of_the_slowest_worker(tried):
    parts = len(space("tiny").groups) + len(space("tiny").layers)
    assert tried.sweep_seconds == 1.25 * math.ceil((1 + 1.5 * parts) / 3)
    # 4 steps and scoring: 8 s. Half of the trials take 8 steps more, 14 s with scoring, a quarter 16 more in 26 s.
    # Of 10 trials the busiest of three workers has 4.
    assert tried.search_seconds == 12.0 + 4 * (8.0 + 14.0 / 2 + 26.0 / 4)
    # Four finalists on three workers: two rounds.
    assert tried.finals_seconds == pytest.approx(2 * compression_seconds(tried, 2))


def test_training_and_compression_are_estimated_besides(tried):
    original = cost("tiny").cost(CompressionParameters.none()).flops
    assert tried.training_seconds == 0.0
    assert tried.compression_seconds == pytest.approx(compression_seconds(tried, 5))
    untrained = replace(tried, trained=False)
    assert untrained.training_seconds == pytest.approx(training_seconds(tried, 1, original))
    steps = math.ceil(len(tried.job.data.train) / 64)
    assert untrained.training_seconds == pytest.approx(12.0 + steps * 9.0 + 6.0)
    assert lines(tried)[-1].startswith("besides: each compression at most ")
    assert lines(untrained)[-1].startswith("besides: training at most ")


@pytest.mark.parametrize(
    ("epochs", "candidates", "kept"), [((3, 3), 1, True), ((3, 4), 1, True), ((4, 3), 1, False), ((3, 3), 0, False)]
)
def test_compressions_that_take_the_models_of_the_finals_take_no_time(home, epochs, candidates, kept):
    """Finals take the epochs of the final fine-tuning at most."""
    final, longest = epochs
    sections = {"finetune": {"epochs": final}, "finals": {"epochs": longest, "candidates": candidates}}
    tried = dry(prepared(config(home, **sections), model("tiny"), Listener()), (3.0, 1.0, 1.5, 2.0, 0.5))
    assert (tried.compression_seconds == 0.0, tried.keeps_final_models) == (kept, kept)
    assert (lines(tried)[-1] == "besides: compressions take the models of the finals") is kept


def test_steps_that_scoring_hides_cost_nothing(home):
    """Of a network so small that a trial takes no longer than its scoring, by noise."""
    job = prepared(config(home, proxy={"steps": 4}, **LONG), model("tiny"), Listener())
    assert dry(job, (3.0, 1.0, 1.5, 2.0, 0.5)).compression_seconds == pytest.approx(
        sum(
            2.0 + 5 * (1.5 + 0.5 * (cost("tiny").cost(stage).flops - low) / (high - low))
            for low, high in [[cost("tiny").cost(one).flops for one in (half(), CompressionParameters.none())]]
            for stage in (CompressionParameters(half().ratios, {}), half())
        )
    )


def test_finals_cannot_be_told_from_trials_without_steps(home):
    search = {"trials": 4, "sensitivity": False}
    loaded = config(home, proxy={"steps": 0, "recalibration_images": 64}, search=search, **LONG)
    job = prepared(loaded, model("tiny"), Listener())
    tried = dry(job, (3.0, 1.0, 1.0, 2.0, 0.5), 2)
    assert tried.finals_seconds is None
    assert (tried.sweep_seconds, tried.search_seconds) == (0.0, 4.0)
    assert lines(tried)[-2:] == [
        "estimated: 4 trials 4 s, finals of unknown length",
        "besides: each compression of unknown length",
    ]


def test_a_staged_search_has_one_more_training_and_one_more_part(tried):
    """A stage of a finalist, and the model as it is for the second sweep."""
    tried = replace(tried, workers=1)
    job = tried.job
    joint = replace(tried, job=replace(job, config=job.config.with_strategy("joint")))
    staged = replace(tried, job=replace(job, config=job.config.with_strategy("staged")))
    parts = len(space("tiny").groups) + len(space("tiny").layers)
    assert (joint.sweep_seconds, staged.sweep_seconds) == (1.25 * (1 + 1.5 * parts), 1.25 * (2 + 1.5 * parts))
    ratios = cost("tiny").cost(CompressionParameters(half().ratios, {})).flops
    assert joint.middle_seconds == 0.0
    assert staged.middle_seconds == pytest.approx(training_seconds(tried, 2, ratios))
    # A finalist goes on from the model between the stages, the recommended values from the original.
    assert joint.finals_seconds == pytest.approx(4 * compression_seconds(tried, 2))
    rest = compression_seconds(tried, 2) - training_seconds(tried, 2, ratios)
    assert staged.finals_seconds == pytest.approx(compression_seconds(tried, 2) + 3 * rest)
    assert "search: prune and decompose together" in lines(joint)
    assert "search: first prune, then decompose on the fine-tuned winner of that" in lines(staged)
    assert ", fine-tuning between the stages at most " in lines(staged)[-2]
    assert "between" not in lines(joint)[-2]


def test_a_trial_that_fails_is_told(tried):
    broken = replace(tried, next=Judgement.failed(1.5, "loss is nan"))
    with pytest.raises(RunError, match="a trial of this search would fail: loss is nan"):
        broken.check()
    assert "20.0 s (accuracy 0.5000, loss 1.0000) on a new worker, failed after 1.5 s afterwards" in "\n".join(
        lines(broken)
    )


def test_entry_and_lines_have_the_budget(tried):
    original = (
        cost("tiny").cost(space("tiny").decode(space("tiny").row(dict.fromkeys(space("tiny").dimensions, 1.0)))).flops
    )
    smallest = space("tiny").smallest().flops
    assert entry(tried)["budget"] == {"flops": {"most": original // 2, "original": original, "smallest": smallest}}
    line = next(line for line in lines(tried) if line.startswith("budget"))
    assert line == (
        f"budget: 0.5, at most {original // 2 / 1e6:.2f} MFLOPs of {original / 1e6:.2f} MFLOPs; "
        f"the smallest candidate has {smallest / 1e6:.2f} MFLOPs"
    )


def test_the_command_writes_nothing_and_speaks_to_machines(tuckprune, home, ray_cluster):
    path = written(home)
    before = tree(home)
    code, out, err = tuckprune("search", path, "--dry-run", "--json")
    assert code == 0, err
    assert tree(home) == before
    said = json.loads(out)
    assert (said["run"], said["trained"], said["trials"], said["workers"]) == ("run", True, 4, 2)
    assert said["dimensions"] == len(space("tiny").dimensions)
    assert len(said["trial_seconds"]) == 2 and all(seconds > 0 for seconds in said["trial_seconds"])
    assert f"nothing was written. Start with: tuckprune search {path}" in err


def test_what_the_folder_of_the_run_would_refuse_is_refused(tuckprune, home):
    path = written(home)
    with RunFolder.of(load_config(path)).opened(load_config(path)):
        pass
    before = tree(home)
    dry, real = (tuckprune("search", path, "--set", "proxy.steps=9", *flags) for flags in (["--dry-run"], []))
    assert dry[::2] == real[::2] and dry[0] == 1 and "belongs to another configuration (proxy.steps: " in dry[2]
    assert tree(home) == before


def test_a_zoo_model_need_not_be_trained(tuckprune, tmp_path, local_pool, small_zoo, monkeypatch):
    reads = []
    monkeypatch.setattr(source, "load_dataset", lambda *given, **more: reads.append(1) or load_dataset(*given, **more))
    path = written(tmp_path, model={"zoo": "digits_resnet"}, search={"trials": 2, "workers": 1, "sensitivity": False})
    code, out, err = tuckprune("search", path, "--dry-run")
    assert code == 0, err
    assert "model: digits_resnet, not trained yet" in out
    assert reads == [1]
    assert sorted(tree(tmp_path)) == ["config.yaml"]
