"""The zoo's networks with few blocks of few filters: every kind of layer and of coupling, quickly built."""

from unittest.mock import patch

import keras

from zoo.models import mobilenet, vgg
from zoo.models.registry import build_model
from zoo.models.resnet import ResNet

REPEATED = ("resnet32", "resnet56")
"""Models that repeat the blocks of resnet20 more often, and are the same in all else."""

_RESNETS = {
    "digits_resnet": ResNet((8, 16), (2, 2), bottleneck=False, shortcut_normalization=True),
    "resnet20": ResNet((8, 16), (2, 2), bottleneck=False, shortcut_normalization=False),
    "resnet50": ResNet((8, 16), (2, 2), bottleneck=True, shortcut_normalization=True),
}


_SMALL_IMAGES = {"unet": (24, 12, 3), "edsr": (8, 8, 3)}


def thin_model(name: str, classes: int = 10) -> keras.Model:
    """A thin model of this name, or one of the zoo's as it is for small images; its weights are always the same."""
    keras.utils.set_random_seed(0)
    if name in _RESNETS:
        return _RESNETS[name](name, (16, 16, 3), classes)
    stages = [(width // 8, min(depth, 2)) for width, depth in vgg._STAGES]
    blocks = [(width // 8, stride) for width, stride in mobilenet._BLOCKS[:4]]
    with patch.object(vgg, "_STAGES", stages), patch.object(mobilenet, "_BLOCKS", blocks):
        return build_model(name, input_shape=_SMALL_IMAGES.get(name), classes=classes)
