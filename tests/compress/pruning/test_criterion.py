import keras
import numpy as np
import pytest
from keras import layers

from compress.errors import ConfigError
from compress.graph.analysis import analyse
from compress.pruning import criteria
from compress.pruning.criteria.geometric_median import GeometricMedian
from compress.pruning.criteria.l2_norm import L2Norm
from compress.pruning.pruning import prune
from compress.pruning.registry import criterion_names, make_criterion
from compress.pruning.settings import MeasuredScores, PruningSettings
from tests.compress.fixtures import models
from tests.compress.fixtures.models import randomized


def measured(criterion, model):
    """Scores of every layer, by name."""
    graph = analyse(model)
    return {result.layer: result for result in criterion.scores(model, graph, np.ones(graph.labels, dtype=bool))}


def wide(filters):
    """One 1x1 convolution on two channels, a filter a row."""
    inputs = keras.Input((2, 2, 2))
    conv = layers.Conv2D(len(filters), 1, name="conv1")
    model = keras.Model(inputs, models.head(conv(inputs)))
    conv.kernel.assign(np.transpose(filters)[None, None])
    return model


def test_l2_norm():
    model = wide([[3.0, 4], [0, 0], [1, 0], [5, 12]])
    np.testing.assert_allclose(measured(L2Norm(), model)["conv1"].values, [5, 0, 1, 13])


def test_geometric_median():
    # Distances on a line: 0, 3, 4 and 10 are 17, 11, 11 and 23 from the others together.
    model = wide([[0.0, 0], [0, 3], [0, 4], [0, 10]])
    np.testing.assert_allclose(measured(GeometricMedian(), model)["conv1"].values, [17, 11, 11, 23])
    # A right triangle of sides 3, 4, 5.
    model = wide([[0.0, 0], [3, 0], [0, 4]])
    np.testing.assert_allclose(measured(GeometricMedian(), model)["conv1"].values, [7, 8, 9])


def test_geometric_median_against_pairs_of_filters():
    model = randomized(models.depthwise(2))
    result = measured(GeometricMedian(), model)
    assert set(result) == {"conv1", "depthwise", "pointwise", "linear"}
    kernels = {name: np.asarray(model.get_layer(name).kernel, dtype=np.float64) for name in result}
    for name, kernel in kernels.items():
        # Depthwise filters of all multipliers go with their input channel.
        axis = 2 if name == "depthwise" else kernel.ndim - 1
        filters = [kernel.take(index, axis) for index in range(kernel.shape[axis])]
        pairs = [sum(np.linalg.norm(np.ravel(a - b)) for b in filters) for a in filters]
        np.testing.assert_allclose(result[name].values, pairs, rtol=1e-9)


def test_redundant_filters_go_by_geometric_median_and_weak_ones_by_norm():
    model = wide([[10.0, 0], [10, 0.1], [10, -0.1], [0.5, 0.5]])
    for criterion, kept in ((L2Norm(), [10, 10, 10]), (GeometricMedian(), [10, 10, 0.5])):
        small = prune(model, {"conv1": 0.25}, PruningSettings(criterion))
        np.testing.assert_allclose(np.asarray(small.get_layer("conv1").kernel)[0, 0, 0], kept)


def test_only_wanted_layers_are_scored():
    model = randomized(models.chain())
    graph = analyse(model)
    wanted = np.zeros(graph.labels, dtype=bool)
    wanted[graph.node("conv2").output[:1]] = True
    for criterion in (L2Norm(), GeometricMedian(), MeasuredScores.of(L2Norm(), model, graph)):
        (result,) = criterion.scores(model, graph, wanted)
        assert result.layer == "conv2"
        assert result.values.shape == result.labels.shape == (6,)


@pytest.mark.parametrize("criterion", [L2Norm(), GeometricMedian()])
def test_measured_scores_prune_alike(criterion):
    model = randomized(models.residual())
    settings, ratios = PruningSettings(criterion), {"add_1": 0.5, "b0.conv1": 0.3}
    small, again = prune(model, ratios, settings), prune(model, ratios, settings.measured(model))
    for one, other in zip(small.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_criterion_is_one_file(tmp_path, monkeypatch):
    (tmp_path / "constant.py").write_text("def criterion(images):\n    return ('constant', images())\n")
    monkeypatch.setattr(criteria, "__path__", [*criteria.__path__, str(tmp_path)])
    assert criterion_names() == ("constant", "geometric_median", "l2_norm", "nuclear_norm")
    assert make_criterion("constant", lambda: (1, 2)) == ("constant", (1, 2))


def test_criteria_by_name():
    def no_images():
        raise AssertionError("images are not needed")

    assert make_criterion("l2_norm", no_images) == L2Norm()
    assert make_criterion("geometric_median", no_images) == GeometricMedian()
    assert make_criterion("nuclear_norm", lambda: (np.ones((1, 2, 2, 2)),)).images[0].shape == (1, 2, 2, 2)
    with pytest.raises(ConfigError, match="one of geometric_median, l2_norm, nuclear_norm; received 'l1_norm'"):
        make_criterion("l1_norm", no_images)
