"""FastNAS of NVIDIA's Model Optimizer: a search over channels by the drop that each layer alone causes.

Model Optimizer counts FLOPs by torchprofile, which would install torchvision and does not need it:

    pip install nvidia-modelopt==0.47.0 huggingface_hub && pip install --no-deps torchprofile==0.0.4
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import modelopt.torch.prune
import torch
from torch import Tensor, nn

from scripts.bench.compress.peers.exchange import State
from scripts.bench.compress.peers.torch_pruning_methods import Batch
from scripts.bench.compress.peers.torch_resnet import TorchResNet, state_of_module

DIVISOR = 8
"""Channels are kept in multiples of it: the smallest layers have 16."""

_CHOICES = (
    "fastnas",
    {
        "nn.Conv2d": {"*": {"channel_divisor": DIVISOR}},
        "nn.BatchNorm2d": {"*": {"feature_divisor": DIVISOR}},
        "nn.Linear": {"*": {"feature_divisor": DIVISOR}},
    },
)


class FastNas:
    """FastNAS on one network.

    Args:
        state: the network's weights.
        calibration: training batches that estimate the normalizations' statistics before every score.
        scored: validation batches; the share of right answers is the score.

    Attributes:
        seconds: wall time of all searches.
    """

    def __init__(self, state: State, calibration: Sequence[Batch], scored: Sequence[Batch]) -> None:
        self._state, self._calibration, self._scored = state, calibration, scored
        self._folder = tempfile.TemporaryDirectory(prefix="peers-fastnas-")
        self.seconds = 0.0

    def __call__(self, ratio: float) -> dict[str, Any]:
        """The weights that remain where this share of the FLOPs, as Model Optimizer counts them, goes.

        The drops of the layers are measured in the first call. Where the search space has nothing so small, the
        weights are those of the whole network.
        """
        started = time.perf_counter()
        module = TorchResNet(self._state)
        config = {
            "data_loader": self._calibration,
            "collect_func": _images_of,
            "score_func": self._score,
            "checkpoint": str(Path(self._folder.name) / "drops.pth"),
            "verbose": False,
        }
        limits = {"flops": f"{100 * (1 - ratio)}%"}
        try:
            module, _ = modelopt.torch.prune.prune(module, [_CHOICES], limits, self._scored[0][0][:1], config)
        except ValueError as error:
            if "NOT all constraints can be satisfied" not in str(error):
                raise
            return dict(self._state)
        finally:
            self.seconds += time.perf_counter() - started
        return state_of_module(module)

    def _score(self, module: nn.Module) -> float:
        module.eval()
        with torch.no_grad():
            right = sum(int((module(images).argmax(1) == labels).sum()) for images, labels in self._scored)
        return right / sum(len(labels) for _, labels in self._scored)


def _images_of(batch: Batch) -> Tensor:
    return batch[0]
