"""Torch-Pruning's methods (Fang et al. 2023, "DepGraph: Towards Any Structural Pruning") on one network."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
import torch_pruning
from torch import Tensor, nn
from torch_pruning.pruner import importance

from scripts.bench.compress.peers.exchange import State
from scripts.bench.compress.peers.torch_resnet import TorchResNet, state_of_module, torch_images

Batch = tuple[Tensor, Tensor]
"""Normalized images (N, C, H, W) and labels (N,)."""

LOCAL = MappingProxyType({"global_pruning": False})
GLOBAL = MappingProxyType({"global_pruning": True})
ISOMORPHIC = MappingProxyType({"global_pruning": True, "isomorphic": True})


@dataclass(frozen=True)
class Method:
    """An importance and where channels are compared by it.

    Attributes:
        importance: makes the estimator.
        scope: options of the pruner: one ratio for every layer, one threshold, or one for groups of the same shape.
        keeps_streams: whether the channels that residual blocks add to keep whole: stem, second convolutions and
            shortcuts are ignored.
        reads_gradients: whether the importance needs the loss's gradients.
    """

    importance: Callable[[], Any]
    scope: Mapping[str, bool]
    keeps_streams: bool = False
    reads_gradients: bool = False


def _l2() -> Any:
    return importance.MagnitudeImportance(p=2)


def _taylor() -> Any:
    return importance.TaylorImportance()


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "L2 local": Method(_l2, LOCAL),
        "L2 global": Method(_l2, GLOBAL),
        "L2 isomorphic": Method(_l2, ISOMORPHIC),
        "L2 local, streams kept": Method(_l2, LOCAL, keeps_streams=True),
        "L2 global, streams kept": Method(_l2, GLOBAL, keeps_streams=True),
        # In one layer LAMP orders channels as L2 does.
        "LAMP global": Method(importance.LAMPImportance, GLOBAL),
        "LAMP isomorphic": Method(importance.LAMPImportance, ISOMORPHIC),
        "BN scale local": Method(importance.BNScaleImportance, LOCAL),
        "BN scale global": Method(importance.BNScaleImportance, GLOBAL),
        "BN scale isomorphic": Method(importance.BNScaleImportance, ISOMORPHIC),
        "Taylor local": Method(_taylor, LOCAL, reads_gradients=True),
        "Taylor global": Method(_taylor, GLOBAL, reads_gradients=True),
        "Taylor isomorphic": Method(_taylor, ISOMORPHIC, reads_gradients=True),
        "Taylor global, streams kept": Method(_taylor, GLOBAL, keeps_streams=True, reads_gradients=True),
    }
)


class TorchPruner:
    """One method on one network.

    Args:
        state: the network's weights.
        method: how it is pruned.
        example: images (1, C, H, W), with which dependencies are traced.
        batches: for the gradients.

    Attributes:
        seconds: wall time of all ratios that were tried, gradients included.
    """

    def __init__(self, state: State, method: Method, example: Tensor, batches: Sequence[Batch]) -> None:
        self._state, self._method, self._example = state, method, example
        started = time.perf_counter()
        self._gradients = gradients(TorchResNet(state), batches) if method.reads_gradients else {}
        self.seconds = time.perf_counter() - started

    def __call__(self, ratio: float) -> dict[str, Any]:
        """The weights that remain at a pruning ratio, as a state dict of arrays."""
        started = time.perf_counter()
        module = TorchResNet(self._state)
        for name, parameter in module.named_parameters():
            parameter.grad = self._gradients[name].clone() if name in self._gradients else None
        torch_pruning.pruner.BasePruner(
            module,
            self._example,
            importance=self._method.importance(),
            pruning_ratio=ratio,
            ignored_layers=ignored_layers(module, self._method.keeps_streams),
            **self._method.scope,
        ).step()
        self.seconds += time.perf_counter() - started
        return state_of_module(module)


def ignored_layers(module: nn.Module, keeps_streams: bool) -> list[nn.Module]:
    """The classifier, and whatever writes to the sums of residual blocks where these are to stay whole."""
    streams = ("conv2", "shortcut.0")
    return [
        layer
        for name, layer in module.named_modules()
        if name == "linear" or keeps_streams and (name == "conv1" or name.endswith(streams))
    ]


def gradients(module: nn.Module, batches: Sequence[Batch]) -> dict[str, Tensor]:
    """Gradients of the mean cross-entropy over all batches, by parameter, in inference mode."""
    module.eval()
    for images, labels in batches:
        loss = nn.functional.cross_entropy(module(images), labels) / len(batches)
        loss.backward()
    return {name: parameter.grad.clone() for name, parameter in module.named_parameters() if parameter.grad is not None}


def as_batch(images: Any, labels: Any) -> Batch:
    """A batch of images (N, H, W, C) and labels, as the loss takes them."""
    return torch_images(images), torch.as_tensor(labels, dtype=torch.int64)
