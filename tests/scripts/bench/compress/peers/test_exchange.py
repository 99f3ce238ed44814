"""Names and shapes of weights on their way to PyTorch, and Keras models of the channels that come back."""

import numpy as np
import pytest

from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from scripts.bench.compress.peers.exchange import check_equal, logits, resized, state_of, weights_of_state
from tests.compress.fixtures.models import images
from tests.compress.fixtures.oracles import assert_same_outputs
from tests.scripts.bench.compress.peers.small_resnet import small_resnet


def with_kept_filters(state, prefix, kept):
    """A state of which a block keeps these filters of its first convolution."""
    made = dict(state)
    for name in (f"{prefix}conv1.weight", *(key for key in state if key.startswith(f"{prefix}bn1."))):
        made[name] = state[name][kept]
    made[f"{prefix}conv2.weight"] = np.ascontiguousarray(state[f"{prefix}conv2.weight"][:, kept])
    return made


@pytest.fixture(scope="module")
def model():
    return small_resnet(shortcut_normalization=True)


def test_names_and_shapes_are_those_of_pytorch(model):
    shapes = {name: value.shape for name, value in state_of(model).items()}
    block = {f"layer2.0.bn1.{name}": (8,) for name in ("weight", "bias", "running_mean", "running_var")}
    wanted = {
        "conv1.weight": (4, 3, 3, 3),
        "layer2.0.conv1.weight": (8, 4, 3, 3),
        "layer2.0.shortcut.0.weight": (8, 4, 1, 1),
        "layer2.0.shortcut.1.running_mean": (8,),
        "linear.weight": (3, 8),
        "linear.bias": (3,),
        **block,
    }
    assert {name: shapes[name] for name in wanted} == wanted
    # 7 convolutions, as many normalizations of four weights, and a dense layer of two.
    assert len(shapes) == 6 + 4 * 6 + 2


def test_a_filter_keeps_its_values(model):
    state = state_of(model)
    kernel = np.asarray(model.get_layer("layer2.0.conv1").kernel)
    np.testing.assert_array_equal(state["layer2.0.conv1.weight"][5, 2], kernel[:, :, 2, 5])
    np.testing.assert_array_equal(state["linear.weight"][1], np.asarray(model.get_layer("linear").kernel)[:, 1])


def test_weights_come_back(model):
    back = weights_of_state(state_of(model))
    assert set(back) == {layer.name for layer in model.layers if layer.weights}
    for name, weights in back.items():
        assert set(weights) == {weight.name for weight in model.get_layer(name).weights}
        for attribute, value in weights.items():
            np.testing.assert_array_equal(value, np.asarray(getattr(model.get_layer(name), attribute)))


def test_a_model_of_the_channels_that_are_kept_is_what_pruning_makes(model):
    pruned = apply_parameters(model, CompressionParameters({"layer1.0.conv1": 0.5, "layer2.0.conv1": 0.25}, {}))
    state = state_of(model)
    for prefix, count in (("layer1.0.", 2), ("layer2.0.", 6)):
        left, whole = (np.asarray(one.get_layer(f"{prefix}conv1").kernel[0, 0, 0]) for one in (pruned, model))
        kept = np.flatnonzero(np.isin(whole, left))
        assert len(kept) == count
        state = with_kept_filters(state, prefix, kept)
    assert_same_outputs(resized(model, weights_of_state(state)), pruned, images(model), tolerance=1e-6)


def test_weights_that_do_not_fit_each_other_are_refused(model):
    state = {**state_of(model), "layer2.0.bn1.weight": np.ones(7, np.float32)}
    with pytest.raises(ValueError, match="shape"):
        resized(model, weights_of_state(state))


def test_logits_are_what_the_softmax_reads(model):
    x = images(model)
    powers = np.exp(logits(model, x))
    np.testing.assert_allclose(powers / powers.sum(-1, keepdims=True), np.asarray(model(x)), rtol=1e-5)


def test_models_with_other_logits_are_refused():
    values = np.float32([[1, 20], [3, -4]])
    assert check_equal(values, values + np.float32(0.01), "near") == pytest.approx(0.01 / 20, rel=1e-3)
    with pytest.raises(SystemExit, match="far: expected logits that differ by less than 0.001, received 0.005"):
        check_equal(values, values + np.float32(0.1), "far")
