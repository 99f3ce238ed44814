"""The sweep: what is judged, what is kept of it, and that it goes on after an interruption."""

import pytest

from compress.parameters import CompressionParameters
from search.driver.listeners.listener import Listener
from search.driver.sweep import Sweep
from search.samplers.sensitivity import UNPRUNED, Probe, Sensitivity, parts_of, probes, sensitivity_of
from search.study.judgement import Judgement
from search.study.storage import open_study
from tests.search.fixtures.fake_pool import FakePool
from tests.search.fixtures.nets import DECOMPOSE_ONLY, PRUNE_ONLY, RECIPES, space
from zoo.tasks.metric import ACCURACY, LOSS, Score

SPACE = space("tiny")


class Recorder(Listener):
    def __init__(self):
        self.planned, self.told = [], []

    def sweep_started(self, count, metric):
        self.planned.append(count)

    def probed(self, probe):
        self.told.append(probe)


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


def test_the_sweep_is_told_and_kept(tmp_path):
    study, listener = open_study(tmp_path, "run", "journal"), Recorder()
    pool = FakePool(2, judge)
    Sweep(study, SPACE, ACCURACY).run(pool, listener)
    assert listener.planned == [7]
    assert pool.submitted[0] == CompressionParameters.none()
    assert pool.most_running == 2
    assert probes(study) == {probe.part: probe for probe in listener.told}
    assert listener.told[0] == Probe(UNPRUNED, (), 1.0, 0.9, 2.0)
    result = sensitivity_of(open_study(tmp_path, "run", "journal"))
    assert result.drops == pytest.approx({name: 0.05 if name[:4] == "keep" else 0.2 for name in SPACE.dimensions})
    assert result.kept == {name: 0.5 if name[:4] == "keep" else 0.3 for name in SPACE.dimensions}


def test_an_interrupted_sweep_goes_on(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        Sweep(open_study(tmp_path, "run", "journal"), SPACE, ACCURACY).run(FakePool(1, judge, stop_after=3), Recorder())
    study, pool, listener = open_study(tmp_path, "run", "journal"), FakePool(1, judge), Recorder()
    Sweep(study, SPACE, ACCURACY).run(pool, listener)
    assert (listener.planned, len(pool.submitted)) == ([4], 4)
    assert len(sensitivity_of(study).drops) == len(SPACE.dimensions)
    again = Recorder()
    Sweep(study, SPACE, ACCURACY).run(FakePool(1, judge), again)
    assert (again.planned, again.told) == ([], [])


def test_what_cannot_be_judged_is_told_and_left_out(tmp_path):
    def failing(parameters):
        return Judgement.failed(1.0, "its worker was lost") if "add" in parameters.ratios else judge(parameters)

    study, listener = open_study(tmp_path, "run", "journal"), Recorder()
    Sweep(study, SPACE, ACCURACY).run(FakePool(1, failing), listener)
    assert [(probe.part, probe.error) for probe in listener.told if probe.error] == [("add", "its worker was lost")]
    assert set(sensitivity_of(study).drops) == set(SPACE.dimensions) - {"keep:add"}


def test_figures_that_are_not_finite_are_none(tmp_path):
    study = open_study(tmp_path, "run", "journal")
    Sweep(study, SPACE, ACCURACY).run(
        FakePool(1, lambda given: Judgement(Score({"accuracy": 0.5, "loss": float("nan")}), 1.0)), Recorder()
    )
    assert all(probe.score is None for probe in probes(study).values())
    assert sensitivity_of(study) is None


def test_the_metric_decides(tmp_path):
    """The study maximizes: a loss that rises is a drop."""
    study, result = open_study(tmp_path, "run", "journal"), space("tiny", PRUNE_ONLY)
    Sweep(study, result, LOSS).run(
        FakePool(1, lambda given: Judgement(Score({"accuracy": 0.5, "loss": 1.0 + len(given.ratios)}), 1.0)), Recorder()
    )
    assert sensitivity_of(study) == Sensitivity(
        dict.fromkeys(result.dimensions, 1.0),
        dict.fromkeys(result.dimensions, 0.5),
        dict.fromkeys(result.dimensions, 1),
    )


def test_a_study_without_a_sweep(tmp_path):
    assert sensitivity_of(open_study(tmp_path, "run", "journal")) is None
