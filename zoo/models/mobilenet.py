"""MobileNetV1 for small images (Howard et al. 2017, arXiv:1704.04861, table 1, with a stem of stride 1)."""

import keras

from zoo.models.units import classifier, convolution, depthwise, normalized_relu

# (pointwise width, depthwise stride) of each separable block.
_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))


def mobilenetv1(name: str, input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """Separable blocks `layerB.depthwise`, `layerB.pointwise`: images (N, *input_shape) to (N, classes)."""
    inputs = keras.Input(input_shape, name="input")
    x = normalized_relu(convolution(inputs, "conv1", 32, 3), "", 1)
    for block, (width, stride) in enumerate(_BLOCKS, start=1):
        prefix = f"layer{block}."
        x = normalized_relu(depthwise(x, f"{prefix}depthwise", stride), prefix, 1)
        x = normalized_relu(convolution(x, f"{prefix}pointwise", width, 1), prefix, 2)
    x = keras.layers.GlobalAveragePooling2D(name="avgpool")(x)
    return keras.Model(inputs, classifier(x, classes), name=name)
