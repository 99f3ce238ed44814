"""Cross-entropy with class numbers, of outputs (N, classes)."""

import keras

from zoo.training.loss import loss


@loss("softmax", "softmax")
def of_probabilities() -> keras.losses.Loss:
    """For a model that ends in a softmax."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=False)


@loss("linear", "logits (no activation)")
def of_logits() -> keras.losses.Loss:
    """For a model that ends without an activation."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
