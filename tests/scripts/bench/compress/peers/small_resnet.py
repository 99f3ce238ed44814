"""A residual network of the zoo's that is quickly built."""

from tests.compress.fixtures.models import randomized
from zoo.models.resnet import ResNet


def small_resnet(channels=3, classes=3, shortcut_normalization=False):
    """Two stages of 4 and 8 filters, the second one with a shortcut, for images of 8x8 pixels."""
    shape = ResNet((4, 8), (1, 1), bottleneck=False, shortcut_normalization=shortcut_normalization)
    return randomized(shape("small", (8, 8, channels), classes))
