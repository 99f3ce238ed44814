"""A converted model computes what Keras does: its weights are in it."""

import numpy as np
import pytest
import tensorflow as tf

from objectives.cost.litert import litert_content, litert_converter, litert_interpreter
from tests.compress.fixtures import models


@pytest.mark.parametrize("build", [models.residual, models.flatten])
def test_outputs_are_the_models(build):
    model = models.randomized(build())
    x = models.images(model, count=1)
    function = tf.function(lambda images: model(images, training=False))
    content = litert_content(litert_converter(model, function.get_concrete_function(tf.TensorSpec(x.shape))))
    interpreter = litert_interpreter(content, 1)
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(source["index"], x)
    interpreter.invoke()
    np.testing.assert_allclose(
        interpreter.get_tensor(target["index"]), models.outputs(model, x)[0], rtol=1e-5, atol=1e-5
    )
    assert len(content) > 4 * sum(np.prod(layer.kernel.shape) for layer in model.layers if hasattr(layer, "kernel"))
