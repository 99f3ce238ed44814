"""Networks in PyTorch and what Torch-Pruning leaves of them; skipped where neither is installed."""

import numpy as np
import pytest

from scripts.bench.compress.peers.exchange import check_equal, logits, resized, state_of, weights_of_state
from tests.compress.fixtures.models import images
from tests.scripts.bench.compress.peers.small_resnet import small_resnet

_REASON = "PyTorch and Torch-Pruning are installed in the environment of the benchmark of peers alone"
torch_resnet = pytest.importorskip("scripts.bench.compress.peers.torch_resnet", reason=_REASON)
pruning = pytest.importorskip("scripts.bench.compress.peers.torch_pruning_methods", reason=_REASON)


@pytest.mark.parametrize("shortcut_normalization", [False, True])
def test_logits_are_equal_in_pytorch_and_back(shortcut_normalization):
    model = small_resnet(shortcut_normalization=shortcut_normalization)
    module, x = torch_resnet.TorchResNet(state_of(model)), images(model)
    check_equal(logits(model, x), torch_resnet.torch_logits(module, x), "there")
    back = resized(model, weights_of_state(torch_resnet.state_of_module(module)))
    np.testing.assert_array_equal(logits(back, x), logits(model, x))


@pytest.mark.parametrize("name", pruning.METHODS)
def test_what_a_method_leaves_is_the_same_in_keras(name):
    model, method = small_resnet(), pruning.METHODS[name]
    x = images(model, count=4)
    batches = [pruning.as_batch(x, [0, 1, 2, 1])] if method.reads_gradients else []
    pruner = pruning.TorchPruner(state_of(model), method, torch_resnet.torch_images(x[:1]), batches)
    remaining = pruner(0.5)
    made = resized(model, weights_of_state(remaining))
    check_equal(torch_resnet.torch_logits(torch_resnet.TorchResNet(remaining), x), logits(made, x), name)
    assert made.count_params() < model.count_params() and pruner.seconds > 0
    widths = {layer: remaining[f"{layer}.weight"].shape[0] for layer in ("conv1", "layer2.0.conv2", "layer2.0.conv1")}
    if method.keeps_streams:
        assert (widths["conv1"], widths["layer2.0.conv2"]) == (4, 8) and widths["layer2.0.conv1"] < 8


def test_local_pruning_keeps_the_filters_of_the_largest_norm():
    model = small_resnet()
    state, example = state_of(model), torch_resnet.torch_images(images(model)[:1])
    pruner = pruning.TorchPruner(state, pruning.METHODS["L2 local, streams kept"], example, [])
    remaining = pruner(0.5)
    # Torch-Pruning's group norm: filters that make a channel, the normalization's factor, and what reads it.
    squares = (state["layer2.0.conv1.weight"] ** 2).sum((1, 2, 3)) + state["layer2.0.bn1.weight"] ** 2
    squares += (state["layer2.0.conv2.weight"] ** 2).sum((0, 2, 3))
    kept = np.sort(np.argsort(squares)[4:])
    np.testing.assert_array_equal(remaining["layer2.0.conv1.weight"], state["layer2.0.conv1.weight"][kept])
