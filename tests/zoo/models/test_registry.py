"""The zoo's architectures against published figures and NPTK's layer names, with a counter of the test's own."""

import keras
import numpy as np
import pytest

from compress.errors import ConfigError
from tests.zoo.originals import original
from zoo.models.registry import MODEL_NAMES, build_model, task_of


def _flops(model: keras.Model) -> int:
    """docs/design.md: 2 x MAC + bias additions + pooling windows x outputs (inputs for global pooling)."""
    total = 0
    for layer in model.layers:
        match layer:
            case keras.layers.DepthwiseConv2D() | keras.layers.Conv2D() | keras.layers.Dense():
                kernel = layer.weights[0].shape
                positions = int(np.prod(layer.output.shape[1:-1]))
                total += 2 * positions * int(np.prod(kernel)) + (positions * layer.output.shape[-1] * layer.use_bias)
            case keras.layers.MaxPooling2D():
                total += int(np.prod(layer.pool_size)) * int(np.prod(layer.output.shape[1:]))
            case keras.layers.GlobalAveragePooling2D():
                total += int(np.prod(layer.input.shape[1:]))
    return total


def _trainable(model: keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def _published(model: keras.Model) -> tuple[str, str]:
    return f"{_flops(model) / 1e6:.2f}", f"{_trainable(model) / 1e6:.2f}"


@pytest.mark.parametrize(
    ("name", "megaflops", "million_params"),
    [("resnet50", "2596.06", "23.71"), ("vgg19", "796.79", "20.09"), ("mobilenetv1", "92.90", "3.31")],
)
def test_cifar100_models_have_the_published_cost(name: str, megaflops: str, million_params: str) -> None:
    assert _published(original(name)) == (megaflops, million_params)


# He et al. 2016, table 6: 0.27 M, 0.46 M and 0.85 M parameters; the 1x1 shortcuts add 2,560.
@pytest.mark.parametrize(("name", "params"), [("resnet20", 272_282), ("resnet32", 466_714), ("resnet56", 855_578)])
def test_cifar_resnets_have_the_paper_s_parameters(name: str, params: int) -> None:
    assert _trainable(original(name)) == params


def test_resnet20_counts_its_moving_statistics_too() -> None:
    assert original("resnet20").count_params() == 273_658


def test_resnet20_has_the_names_of_the_common_weights() -> None:
    names = [layer.name for layer in original("resnet20").layers]
    assert names[:11] == [
        *("input", "conv1", "bn1", "relu1", "layer1.0.conv1", "layer1.0.bn1", "layer1.0.relu1"),
        *("layer1.0.conv2", "layer1.0.bn2", "add", "layer1.0.relu2"),
    ]
    block = [name for name in names if name.startswith("layer2.0.")]
    assert block == [
        *("layer2.0.conv1.pad", "layer2.0.conv1", "layer2.0.bn1", "layer2.0.relu1"),
        *("layer2.0.conv2", "layer2.0.bn2", "layer2.0.shortcut.0", "layer2.0.relu2"),
    ]
    assert [name for name in names if name.startswith("add")] == ["add", *(f"add_{i}" for i in range(1, 9))]
    assert names[-2:] == ["avgpool", "linear"]


def test_resnet50_has_nptk_s_names() -> None:
    resnet50 = original("resnet50")
    convolutions = [layer.name for layer in resnet50.layers if isinstance(layer, keras.layers.Conv2D)]
    expected = {"conv1"}
    for stage, depth in enumerate((3, 4, 6, 3), start=1):
        expected |= {f"layer{stage}.{block}.conv{i}" for block in range(depth) for i in (1, 2, 3)}
        expected.add(f"layer{stage}.0.shortcut.0")
    assert set(convolutions) == expected and len(convolutions) == len(expected)
    merges = [layer.name for layer in resnet50.layers if isinstance(layer, keras.layers.Add)]
    assert merges == ["add", *(f"add_{i}" for i in range(1, 16))]
    assert resnet50.get_layer("layer3.0.conv2").strides == (2, 2)
    assert resnet50.get_layer("layer3.0.conv1").strides == (1, 1)


def test_digits_resnet_has_normalised_shortcuts_and_three_stages() -> None:
    model = original("digits_resnet")
    assert model.input_shape == (None, 8, 8, 1) and model.output_shape == (None, 10)
    sizes = [model.get_layer(f"layer{stage}.1.relu2").output.shape[1:] for stage in (1, 2, 3)]
    assert sizes == [(8, 8, 16), (4, 4, 32), (2, 2, 64)]
    shortcut = model.get_layer("layer2.0.shortcut.0")
    assert shortcut.kernel_size == (1, 1)
    assert isinstance(model.get_layer("layer2.0.shortcut.1"), keras.layers.BatchNormalization)
    assert [layer.name for layer in model.layers if isinstance(layer, keras.layers.Add)] == [
        *("add", "add_1", "add_2", "add_3", "add_4", "add_5")
    ]


def test_a_strided_convolution_pads_symmetrically() -> None:
    """One bright corner pixel reaches the first output of a strided 3x3 only through top-left padding."""
    model = build_model("resnet20")
    layers = ("layer2.0.conv1.pad", "layer2.0.conv1")
    kernel = np.zeros((3, 3, 16, 32), np.float32)
    kernel[1, 1, 0, 0] = 1.0
    model.get_layer(layers[1]).set_weights([kernel])
    x = np.zeros((1, 32, 32, 16), np.float32)
    x[0, 0, 0, 0], x[0, 2, 2, 0] = 5.0, 7.0
    for name in layers:
        x = keras.ops.convert_to_numpy(model.get_layer(name)(x))
    assert x.shape == (1, 16, 16, 32)
    assert x[0, 0, 0, 0] == 5.0 and x[0, 1, 1, 0] == 7.0


def test_other_shapes_and_class_counts() -> None:
    model = build_model("mobilenetv1", input_shape=(17, 20, 1), classes=4)
    probabilities = np.asarray(model(np.ones((2, 17, 20, 1), np.float32)))
    np.testing.assert_allclose(probabilities.sum(axis=1), [1.0, 1.0], rtol=1e-5)
    assert probabilities.shape == (2, 4)


def test_a_segmenter_has_as_many_pixels_out_as_in() -> None:
    model = build_model("unet", input_shape=(36, 24, 1), classes=3)
    assert model.output_shape == (None, 36, 24, 3)
    assert task_of("unet") == "segmentation" and task_of("resnet20") == "classification"
    with pytest.raises(ConfigError, match="height and width that 12 divides for unet, received 36 by 20"):
        build_model("unet", input_shape=(36, 20, 1))


@pytest.mark.skipif(not hasattr(keras.ops, "depth_to_space"), reason="this Keras has no such operation")
def test_a_super_resolver_begins_at_the_image_enlarged() -> None:
    """Untrained it is bilinear interpolation: a ramp stays one, twice as fine."""
    model = build_model("edsr", input_shape=(6, 8, 3), classes=2)
    assert task_of("edsr") == "super_resolution" and model.output_shape == (None, 12, 16, 3)
    ramp = np.broadcast_to(np.arange(8, dtype=np.float32)[:, None] / 8, (1, 6, 8, 3))
    row = np.asarray(model(ramp))[0, 5, :, 0]
    np.testing.assert_allclose(row[1:-1], (np.arange(1, 15) - 0.5) / 16, atol=1e-6)


def test_an_unknown_name_lists_the_choices_nearest_first() -> None:
    with pytest.raises(ConfigError, match="one of resnet50, .*received 'ResNet-50'") as error:
        build_model("ResNet-50")
    assert all(name in str(error.value) for name in MODEL_NAMES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_shape": (16, 32, 3)}, r"at least 32 pixels for vgg19, received \(16, 32, 3\)"),
        ({"input_shape": (32, 32)}, r"received \(32, 32\)"),
        ({"classes": 1}, "at least 2 classes for vgg19, received 1"),
    ],
)
def test_an_impossible_shape_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_model("vgg19", **options)
