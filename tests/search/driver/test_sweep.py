"""The sweep: what is judged, what is kept of it, and that it goes on after an interruption."""

import pytest

from compress.parameters import CompressionParameters
from search.driver.sweep import Sweep
from search.samplers.probes import UNPRUNED, Part, Probe, parts_of, probes
from search.samplers.sensitivity import Loss, Sensitivity, sensitivity_of
from search.samplers.starts import least_loss
from search.study.judgement import Judgement
from search.study.storage import open_study
from tests.search.fixtures.fake_pool import FakePool
from tests.search.fixtures.nets import DECOMPOSE_ONLY, PRUNE_ONLY, RECIPES, flops_budget, space
from tests.search.fixtures.recorder import Recorder
from zoo.tasks.metric import ACCURACY, LOSS, Score

SPACE = space("tiny")


def judge(parameters):
    """Groups lose a tenth of their ratio, layers 0.2."""
    return Judgement(
        Score({"accuracy": 0.9 - 0.1 * sum(parameters.ratios.values()) - 0.2 * len(parameters.ranks), "loss": 0.5}), 2.0
    )


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_part_is_made_smaller_alone(recipe):
    result = space("tiny", recipe)
    parts = parts_of(result)
    assert sorted(dimension for part in parts for dimension in part.dimensions) == sorted(result.dimensions)
    for part in parts:
        parameters = part.parameters(result)
        assert list(parameters.ratios.values()) in ([], [0.5])
        assert len(parameters.ratios) + len(parameters.ranks) == 1
        assert part.name.endswith(next(iter(parameters.ratios or parameters.ranks)))


def test_ranks_are_three_tenths():
    layer = next(part for part in parts_of(space("tiny", DECOMPOSE_ONLY)) if "conv2" in part.dimensions[0])
    nodes = {layer.layer: layer for layer in SPACE.layers}
    (name, pair), *_ = layer.parameters(space("tiny", DECOMPOSE_ONLY)).ranks.items()
    # ceil(16 x 0.3) = 5 and, of conv2 with 24 filters, ceil(24 x 0.3) = 8.
    assert pair == (5, {16: 5, 24: 8}[nodes[name].out_channels])


def test_layers_of_uneven_channels_are_made_smaller_as_well():
    """0.3 of a 1x1 convolution from 64 to 256 channels costs more than the whole: 20 x 64 + 20 x 77 + 77 x 256."""
    result = space("resnet50", DECOMPOSE_ONLY)
    parts = {part.name: part for part in parts_of(result)}
    assert len(parts) == len(result.layers)
    layer = "layer1.0.conv3"
    assert parts[f"ranks of {layer}"].kept == 0.2
    assert parts[f"ranks of {layer}"].parameters(result).ranks == {layer: (13, 52)}


def test_the_smallest_of_a_part():
    """Of 16 channels the largest ratio, 0.9, leaves 2, and ranks of a tenth are 2 of 16 and 3 of 24."""
    parts = {part.name: part for part in parts_of(SPACE)}
    assert parts["add"].smallest(SPACE) == Part("add", ("keep:add",), pytest.approx(0.1))
    ranks = parts["ranks of conv2"].smallest(SPACE)
    assert ranks.parameters(SPACE).ranks == {"conv2": (2, 3)}
    assert ranks.kept == pytest.approx((2 / 16 + 3 / 24) / 2)
    assert ranks.smallest(SPACE) is None and parts["add"].smallest(SPACE).smallest(SPACE) is None


def sweep(study, metric=ACCURACY, result=SPACE, share=0.9):
    """Of a budget so wide that nothing is judged twice, unless a share is given."""
    flops = result.cost.cost(CompressionParameters.none()).flops
    return Sweep(study, result, flops_budget(share * flops, str(share)), metric)


def test_the_sweep_is_told_and_kept(tmp_path):
    study, listener = open_study(tmp_path, "run", "journal"), Recorder()
    pool = FakePool(2, judge)
    sweep(study).run(pool, listener)
    assert listener.sweeps == [7]
    assert pool.submitted[0] == CompressionParameters.none()
    assert pool.most_running == 2
    assert list(probes(study).values()) == listener.probes
    assert listener.probes[0] == Probe(UNPRUNED, (), 1.0, 0.9, 2.0)
    result = sensitivity_of(open_study(tmp_path, "run", "journal"))
    assert result.losses == {
        name: Loss(pytest.approx(0.05), 0.5) if name[:4] == "keep" else Loss(pytest.approx(0.1), 0.3)
        for name in SPACE.dimensions
    }


def steep(parameters):
    """A group loses the fourth power of its ratio, a tenth of that for the block; ranks 0.3."""
    lost = {name: ratio**4 * (0.1 if "block" in name else 1.0) for name, ratio in parameters.ratios.items()}
    return Judgement(Score({"accuracy": 0.9 - sum(lost.values()) - 0.3 * len(parameters.ranks), "loss": 0.5}), 2.0)


def test_what_would_be_made_still_smaller_is_judged_as_small_as_it_can_be(tmp_path):
    study, listener, pool = open_study(tmp_path, "run", "journal"), Recorder(), FakePool(1, steep)
    sweep(study, share=0.4).run(pool, listener)
    assert listener.sweeps[0] == 7 and len(listener.sweeps) > 1
    again = [probe for probe in listener.probes if probe.kept < 0.3]
    assert sum(listener.sweeps) == 7 + len(again) and 0 < len(again) < 6
    assert again[0].part == "block.conv1" and again[0].kept == pytest.approx(0.1)
    assert not any(probe.part.startswith("ranks") for probe in again)
    result = sensitivity_of(study)
    assert result.losses["keep:block.conv1"].power == pytest.approx(4)
    # What is wanted now is within what was judged.
    wanted = least_loss(result, SPACE, sweep(study, share=0.4).budget)
    judged = {name: min(one.kept for one in listener.probes if name in one.dimensions) for name in wanted}
    assert all(wanted[name] >= judged[name] - 0.03 for name in wanted)


def test_an_interrupted_sweep_goes_on(tmp_path):
    """In the middle of either pass; what is then judged is the same as without an interruption."""
    whole = open_study(tmp_path, "whole", "journal")
    sweep(whole, share=0.1).run(FakePool(1, steep), Recorder())
    for after in (3, 8):
        name = f"run{after}"
        with pytest.raises(KeyboardInterrupt):
            sweep(open_study(tmp_path, name, "journal"), share=0.1).run(
                FakePool(1, steep, stop_after=after), Recorder()
            )
        study, pool, listener = open_study(tmp_path, name, "journal"), FakePool(1, steep), Recorder()
        sweep(study, share=0.1).run(pool, listener)
        assert len(pool.submitted) == len(probes(whole)) - after
        assert probes(study) == probes(whole)
        again = Recorder()
        sweep(study, share=0.1).run(FakePool(1, steep), again)
        assert (again.sweeps, again.probes) == ([], [])


def test_what_cannot_be_judged_is_told_and_left_out(tmp_path):
    def failing(parameters):
        return Judgement.failed(1.0, "its worker was lost") if "add" in parameters.ratios else judge(parameters)

    study, listener = open_study(tmp_path, "run", "journal"), Recorder()
    sweep(study).run(FakePool(1, failing), listener)
    assert [(probe.part, probe.error) for probe in listener.probes if probe.error] == [("add", "its worker was lost")]
    assert set(sensitivity_of(study).losses) == set(SPACE.dimensions) - {"keep:add"}


def without_whole(parameters):
    return judge(parameters) if parameters.ratios or parameters.ranks else Judgement.failed(1.0, "its worker was lost")


def test_a_whole_model_that_could_not_be_judged_is_tried_again_at_the_next_start(tmp_path):
    study, listeners = open_study(tmp_path, "run", "journal"), [Recorder(), Recorder(), Recorder()]
    for listener, answer in zip(listeners, (without_whole, judge, judge), strict=True):
        sweep(study).run(FakePool(1, answer), listener)
    assert [listener.sweeps for listener in listeners] == [[7], [1], []]
    assert sensitivity_of(study).losses["keep:add"] == Loss(pytest.approx(0.05), 0.5)
    (told,) = listeners[0].warnings
    assert "the unchanged model could not be judged: its worker was lost; the next start judges it again" in told
    assert listeners[1].warnings == listeners[2].warnings == []


def test_a_whole_model_that_can_never_be_judged_is_tried_three_times(tmp_path):
    study, told = open_study(tmp_path, "run", "journal"), []
    pools = [FakePool(1, without_whole) for _ in range(5)]
    for pool in pools:
        listener = Recorder()
        sweep(study).run(pool, listener)
        told += [line.rpartition("; ")[2] for line in listener.warnings]
    assert [len(pool.submitted) for pool in pools] == [7, 1, 1, 0, 0]
    assert told == ["the next start judges it again"] * 2 + ["it was tried 3 times"] * 3


def test_figures_that_are_not_finite_are_none(tmp_path):
    study = open_study(tmp_path, "run", "journal")
    sweep(study).run(
        FakePool(1, lambda given: Judgement(Score({"accuracy": 0.5, "loss": float("nan")}), 1.0)), Recorder()
    )
    assert all(probe.score is None for probe in probes(study).values())
    assert sensitivity_of(study) is None


def test_the_metric_decides(tmp_path):
    """The study maximizes: a loss that rises is a drop."""
    study, result = open_study(tmp_path, "run", "journal"), space("tiny", PRUNE_ONLY)
    sweep(study, LOSS, result).run(
        FakePool(1, lambda given: Judgement(Score({"accuracy": 0.5, "loss": 1.0 + len(given.ratios)}), 1.0)), Recorder()
    )
    assert sensitivity_of(study) == Sensitivity(dict.fromkeys(result.dimensions, Loss(1.0, 0.5)))


def test_a_study_without_a_sweep(tmp_path):
    assert sensitivity_of(open_study(tmp_path, "run", "journal")) is None
