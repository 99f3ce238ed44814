"""The layers that the zoo's networks repeat: convolution, batch normalisation and ReLU under PyTorch's names."""

import keras
from keras import KerasTensor


def convolution(
    x: KerasTensor,
    name: str,
    filters: int,
    kernel: int,
    stride: int = 1,
    *,
    bias: bool = False,
    explicit_padding: bool = True,
) -> KerasTensor:
    """A square convolution that maps (N, H, W, C) to (N, ceil(H / stride), ceil(W / stride), filters).

    A strided 3x3 gets explicit symmetric padding: TensorFlow's "same" would pad only the lower right edge, and the
    published networks and weights were trained with the symmetric kind. Without `explicit_padding` it is "same".
    """
    padding = "valid" if kernel == 1 else "same"
    if stride > 1 and kernel > 1 and explicit_padding:
        x, padding = keras.layers.ZeroPadding2D(kernel // 2, name=f"{name}.pad")(x), "valid"
    return keras.layers.Conv2D(
        filters, kernel, stride, padding, use_bias=bias, kernel_initializer="he_normal", name=name
    )(x)


def depthwise(x: KerasTensor, name: str, stride: int = 1) -> KerasTensor:
    """A 3x3 depthwise convolution without bias, padded as `convolution` pads."""
    padding = "same"
    if stride > 1:
        x, padding = keras.layers.ZeroPadding2D(1, name=f"{name}.pad")(x), "valid"
    return keras.layers.DepthwiseConv2D(
        3, stride, padding, use_bias=False, depthwise_initializer="he_normal", name=name
    )(x)


def normalization(x: KerasTensor, name: str) -> KerasTensor:
    """Batch normalisation with PyTorch's constants (epsilon 1e-5; its momentum 0.1 is Keras's 0.9)."""
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)


def normalized_relu(x: KerasTensor, prefix: str, index: int) -> KerasTensor:
    """Batch normalisation and ReLU, named `<prefix>bn<index>` and `<prefix>relu<index>`."""
    return keras.layers.ReLU(name=f"{prefix}relu{index}")(normalization(x, f"{prefix}bn{index}"))


def classifier(x: KerasTensor, classes: int) -> KerasTensor:
    """The dense softmax layer `linear`; float32 whatever the policy, so that probabilities do not underflow."""
    return keras.layers.Dense(classes, activation="softmax", dtype="float32", name="linear")(x)
