"""The zoo's models with an eighth of the filters where they are wide: every layer and every coupling, quickly built."""

from unittest.mock import patch

import keras

from zoo.models import vgg
from zoo.models.registry import build_model
from zoo.models.resnet import ResNet

REPEATED = ("resnet32", "resnet56")
"""Models that repeat the blocks of resnet20 more often, and are the same in all else."""

_THIN_RESNET50 = ResNet((8, 16, 32, 64), (3, 4, 6, 3), bottleneck=True, shortcut_normalization=True)


def thin_model(name: str, classes: int = 10) -> keras.Model:
    """The model of this name, thin if it is a wide one: images (N, height, width, channels) to (N, classes)."""
    if name == "resnet50":
        return _THIN_RESNET50(name, (32, 32, 3), classes)
    with patch.object(vgg, "_STAGES", [(width // 8, depth) for width, depth in vgg._STAGES]):
        return build_model(name, classes=classes)
