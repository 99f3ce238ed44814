"""VGG-19 with batch normalisation for small images (Simonyan & Zisserman 2015, configuration E)."""

import keras

from zoo.models.units import classifier, convolution, normalized_relu

# (width, convolutions) of each stage; a 2x2 max-pool ends every one.
_STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))


def vgg19(name: str, input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """Biased 3x3 convolutions `layerS.convC` and one dense layer: images (N, *input_shape) to (N, classes)."""
    inputs = x = keras.Input(input_shape, name="input")
    for stage, (width, depth) in enumerate(_STAGES, start=1):
        for index in range(1, depth + 1):
            x = convolution(x, f"layer{stage}.conv{index}", width, 3, bias=True)
            x = normalized_relu(x, f"layer{stage}.", index)
        x = keras.layers.MaxPooling2D(name=f"layer{stage}.pool")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    return keras.Model(inputs, classifier(x, classes), name=name)
