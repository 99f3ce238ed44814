"""The zoo's residual networks for small images as modules of PyTorch, with the names of their Keras layers."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from scripts.bench.compress.peers.exchange import State


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is a 1x1 convolution where the state has one."""

    def __init__(self, state: State, prefix: str, stride: int) -> None:
        super().__init__()
        self.conv1 = _convolution(state, f"{prefix}conv1", stride)
        self.bn1 = _normalization(state, f"{prefix}bn1")
        self.conv2 = _convolution(state, f"{prefix}conv2", 1)
        self.bn2 = _normalization(state, f"{prefix}bn2")
        self.shortcut = nn.Sequential()
        if f"{prefix}shortcut.0.weight" in state:
            self.shortcut.append(_convolution(state, f"{prefix}shortcut.0", stride))
        if f"{prefix}shortcut.1.weight" in state:
            self.shortcut.append(_normalization(state, f"{prefix}shortcut.1"))

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, C, H, W) to features (N, filters, H / stride, W / stride)."""
        out = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(out + self.shortcut(x))


class TorchResNet(nn.Module):
    """A residual network with the widths, the depth and the weights of a state.

    Args:
        state: as `exchange.state_of` makes it of a zoo's resnet20, 32, 44 or 56; a key that is left over is refused.
    """

    def __init__(self, state: State) -> None:
        super().__init__()
        self.conv1 = _convolution(state, "conv1", 1)
        self.bn1 = _normalization(state, "bn1")
        self.stages = list(_stages(state))
        for stage in self.stages:
            self.add_module(stage, nn.Sequential(*_blocks(state, stage)))
        self.linear = nn.Linear(*reversed(state["linear.weight"].shape))
        counted = [name for name in self.state_dict() if name.endswith("num_batches_tracked")]
        arrays = {**{name: np.zeros((), np.int64) for name in counted}, **state}
        self.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, 3, H, W), normalized, to logits (N, classes)."""
        x = torch.relu(self.bn1(self.conv1(x)))
        for stage in self.stages:
            x = self.get_submodule(stage)(x)
        return self.linear(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


def _stages(state: State) -> Iterator[str]:
    number = 1
    while f"layer{number}.0.conv1.weight" in state:
        yield f"layer{number}"
        number += 1


def _blocks(state: State, stage: str) -> Iterator[Block]:
    number = 0
    while f"{stage}.{number}.conv1.weight" in state:
        yield Block(state, f"{stage}.{number}.", stride=2 if stage != "layer1" and number == 0 else 1)
        number += 1


def _convolution(state: State, name: str, stride: int) -> nn.Conv2d:
    filters, channels, size, _ = state[f"{name}.weight"].shape
    return nn.Conv2d(channels, filters, size, stride, size // 2, bias=False)


def _normalization(state: State, name: str) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(len(state[f"{name}.weight"]))


def state_of_module(module: nn.Module) -> dict[str, NDArray[np.float32]]:
    """The weights of a module as arrays, without its counters of batches."""
    state = module.state_dict()
    return {name: value.numpy().copy() for name, value in state.items() if value.ndim}


def torch_images(images: NDArray[np.float32]) -> Tensor:
    """Images (N, H, W, C) as PyTorch has them: (N, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def torch_logits(module: nn.Module, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a module gives for images (N, H, W, C): (N, classes)."""
    with torch.no_grad():
        return module(torch_images(images)).numpy()
