"""Models of other packages for the zoo benchmark: each with random weights, at the smallest images that it takes."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from compress.cloning.user_rules import rule

Build = Callable[[], Any]


def _of(module: str, name: str, *arguments: Any, **options: Any) -> Build:
    """A call of a function or class of another package, which is imported only then."""
    return lambda: getattr(import_module(module), name)(*arguments, **options)


def _hub(name: str, **options: Any) -> Build:
    return _of("keras_hub.models", name, **{"image_shape": (64, 64, 3), **options})


def _kimm(name: str, side: int = 64, **options: Any) -> Build:
    return _of("kimm.models", name, input_shape=(side, side, 3), weights=None, include_preprocessing=False, **options)


def _cv(name: str, **options: Any) -> Build:
    return _of("keras_cv.models", name, input_shape=(64, 64, 3), include_rescaling=False, **options)


def _yolo(family: str, name: str) -> Build:
    return _of(f"kyolo.models.{family}", name, nc=4, input_shape=(64, 64, 3))


def _unet(name: str, **options: Any) -> Build:
    return _of("keras_unet_collection.models", name, (64, 64, 3), filter_num=[8, 16, 32, 64], n_labels=2, **options)


def _resnet(block: str, filters: tuple[int, ...] = (64, 64, 96, 128), **options: Any) -> Build:
    return _hub(
        "ResNetBackbone",
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=list(filters),
        stackwise_num_blocks=[2, 2, 2, 2],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type=block,
        **options,
    )


def _efficientnet(kind: str) -> Build:
    return _of(
        "keras_hub.models",
        "EfficientNetBackbone",
        stackwise_kernel_sizes=[3, 3, 5, 3],
        stackwise_num_repeats=[1, 2, 2, 2],
        stackwise_input_filters=[32, 16, 24, 40],
        stackwise_output_filters=[16, 24, 40, 80],
        stackwise_expansion_ratios=[1, 6, 6, 6],
        stackwise_squeeze_and_excite_ratios=[0.25] * 4,
        stackwise_strides=[1, 2, 2, 2],
        stackwise_block_types=[kind] * 4,
        stackwise_width_coefficients=[1.0] * 4,
        stackwise_depth_coefficients=[1.0] * 4,
        stackwise_force_input_filters=[0] * 4,
        stackwise_nores_option=[False] * 4,
        input_shape=(64, 64, 3),
    )


def _mit() -> Any:
    return _hub(
        "MiTBackbone",
        layerwise_depths=[1, 1, 1, 1],
        num_layers=4,
        layerwise_num_heads=[1, 2, 4, 4],
        layerwise_sr_ratios=[8, 4, 2, 1],
        max_drop_path_rate=0.1,
        layerwise_patch_sizes=[7, 3, 3, 3],
        layerwise_strides=[4, 2, 2, 2],
        hidden_dims=[16, 32, 64, 128],
    )()


def _retinanet() -> Any:
    backbone = _hub(
        "RetinaNetBackbone", image_encoder=_resnet("bottleneck_block")(), min_level=3, max_level=6, use_p5=False
    )()
    return _of("keras_hub.models", "RetinaNetObjectDetector", backbone, num_classes=4)()


def _deeplab() -> Any:
    backbone = _hub(
        "DeepLabV3Backbone",
        image_encoder=_resnet("bottleneck_block")(),
        spatial_pyramid_pooling_key="P4",
        upsampling_size=4,
        dilation_rates=[2, 4, 6],
        low_level_feature_key="P2",
    )()
    return _of("keras_hub.models", "DeepLabV3ImageSegmenter", backbone, num_classes=4)()


def _segformer() -> Any:
    backbone = _of("keras_hub.models", "SegFormerBackbone", image_encoder=_mit(), projection_filters=64)()
    return _of("keras_hub.models", "SegFormerImageSegmenter", backbone, num_classes=4)()


def _tcn(**options: Any) -> Any:
    import keras

    inputs = keras.Input((32, 6))
    return keras.Model(
        inputs, keras.layers.Dense(4)(import_module("tcn").TCN(32, dilations=(1, 2, 4), **options)(inputs))
    )


def _cv_resnet() -> Any:
    return _cv(
        "ResNetV2Backbone",
        stackwise_filters=[32, 64, 96, 128],
        stackwise_blocks=[2, 2, 2, 2],
        stackwise_strides=[1, 2, 2, 2],
    )


def _cv_deeplab() -> Any:
    return _of("keras_cv.models", "DeepLabV3Plus", backbone=_cv_resnet()(), num_classes=4)()


def _cv_yolo() -> Any:
    backbone = _cv("YOLOV8Backbone", stackwise_channels=[16, 32, 64, 128], stackwise_depth=[1, 2, 2, 1])()
    options = {"num_classes": 4, "bounding_box_format": "xywh", "fpn_depth": 1}
    return _of("keras_cv.models", "YOLOV8Detector", backbone=backbone, **options)()


def _cct() -> Any:
    return _of(
        "k3im.cct",
        "CCT",
        (32, 32, 3),
        num_heads=2,
        projection_dim=64,
        kernel_size=3,
        stride=1,
        padding=1,
        transformer_units=[128, 64],
        stochastic_depth_rate=0.1,
        transformer_layers=2,
        num_classes=4,
    )()


RULES: Mapping[str, Sequence[tuple[str, str, Mapping[str, tuple[str, ...]]]]] = {
    "keras-hub": (
        ("keras_hub.src.models.hgnetv2.hgnetv2_layers", "HGNetV2LearnableAffineBlock", {"scale": (), "bias": ()}),
        ("keras_hub.src.models.mit.mit_layers", "DropPath", {}),
    ),
    "kimm": (
        ("kimm.layers", "LayerScale", {"gamma": ("out",)}),
        ("kimm.layers", "LearnableAffine", {"scale": (), "bias": ()}),
    ),
    "k3im": (("k3im.cct", "StochasticDepth", {}),),
}
"""What a user of a package tells of its layer classes: module, class, and what the axes of their weights follow."""


PACKAGES: Mapping[str, Mapping[str, Build]] = {
    "keras-hub": {
        "EfficientNet (MBConv)": _efficientnet("unfused"),
        "EfficientNet (fused)": _efficientnet("fused"),
        "HGNetV2": _hub(
            "HGNetV2Backbone",
            depths=[1, 2, 4],
            embedding_size=32,
            hidden_sizes=[64, 128, 256],
            stem_channels=[3, 16, 32],
            hidden_act="relu",
            use_learnable_affine_block=True,
            stackwise_stage_filters=[(32, 16, 64, 1, 2, 3), (64, 32, 128, 2, 2, 3), (128, 64, 256, 4, 2, 3)],
            apply_downsample=[False, True, True],
            use_lightweight_conv_block=[False, False, True],
        ),
        "RetinaNet": _retinanet,
        "DeepLabV3Plus": _deeplab,
        "MiT": _mit,
        "SegFormer": _segformer,
        "ResNet": _resnet("bottleneck_block"),
        "CSPDarkNet": _hub(
            "CSPNetBackbone",
            stem_filters=32,
            stem_kernel_size=3,
            stem_strides=1,
            stackwise_depth=[1, 2, 4],
            stackwise_strides=[1, 2, 2],
            stackwise_num_filters=[32, 64, 128],
            block_type="dark_block",
            stage_type="dark",
        ),
        "DenseNet": _hub("DenseNetBackbone", stackwise_num_repeats=[2, 4, 4, 2]),
        "VGG": _hub("VGGBackbone", stackwise_num_repeats=[1, 1, 2], stackwise_num_filters=[32, 64, 128]),
        "Xception": _hub(
            "XceptionBackbone",
            stackwise_conv_filters=[[32, 64], [64, 128], [256, 256]],
            stackwise_pooling=[True, True, False],
        ),
    },
    "kimm": {
        **{name: _kimm(name) for name in ("ConvNeXtAtto", "EfficientNetB0", "EfficientNetLiteB0", "EfficientNetV2B0")},
        **{name: _kimm(name) for name in ("TinyNetE", "GhostNetW050", "GhostNetV2W100", "HGNetTiny")},
        **{name: _kimm(name) for name in ("HGNetV2B0", "InceptionNeXtTiny", "MobileNetV2W050", "MobileNetV3W050Small")},
        **{name: _kimm(name) for name in ("MobileOneS0", "RegNetY002", "RepVGGA0", "ResNet18", "DenseNet121")},
        "MobileViTV2W050": _kimm("MobileViTV2W050"),
    },
    "keras-cv": {
        "YOLOV8Detector": _cv_yolo,
        "DeepLabV3Plus": _cv_deeplab,
        "ResNetV2": _cv_resnet(),
        "CSPDarkNet": _cv("CSPDarkNetBackbone", stackwise_channels=[32, 64, 128, 256], stackwise_depth=[1, 2, 2, 1]),
        "DenseNet": _cv("DenseNetBackbone", stackwise_num_repeats=[2, 4, 4, 2]),
        "EfficientNetV1": _cv(
            "EfficientNetV1Backbone",
            width_coefficient=1.0,
            depth_coefficient=1.0,
            stackwise_kernel_sizes=[3, 3, 5, 3],
            stackwise_num_repeats=[1, 2, 2, 2],
            stackwise_input_filters=[32, 16, 24, 40],
            stackwise_output_filters=[16, 24, 40, 80],
            stackwise_expansion_ratios=[1, 6, 6, 6],
            stackwise_strides=[1, 2, 2, 2],
            stackwise_squeeze_and_excite_ratios=[0.25] * 4,
        ),
        "MobileNetV3": _cv(
            "MobileNetV3Backbone",
            stackwise_expansion=[1, 4.5, 3.6, 4, 6],
            stackwise_filters=[16, 24, 24, 40, 40],
            stackwise_kernel_size=[3, 3, 3, 5, 5],
            stackwise_stride=[2, 2, 1, 2, 1],
            stackwise_se_ratio=[0.25, None, None, 0.25, 0.25],
            stackwise_activation=["relu", "relu", "relu", "hard_swish", "hard_swish"],
        ),
    },
    "kyolo": {
        "yolov5n": _yolo("yolov5", "yolov5n"),
        "yolov8n": _yolo("yolov8", "yolov8n"),
        "yolov10n": _yolo("yolov10", "yolov10n"),
        "yolo11n": _yolo("yolo11", "yolo11n"),
        "yolo26n": _yolo("yolo26", "yolo26n"),
    },
    "k3im": {"CCT": _cct, "ConvMixer": _of("k3im.convmixer", "ConvMixer", filters=64, depth=4)},
    "keras-unet-collection": {
        "unet_2d": _unet("unet_2d"),
        "att_unet_2d": _unet("att_unet_2d"),
        "r2_unet_2d": _unet("r2_unet_2d"),
        "unet_plus_2d": _unet("unet_plus_2d"),
    },
    "keras-tcn": {"TCN": _tcn, "TCN (normalized)": lambda: _tcn(use_batch_norm=True, use_skip_connections=False)},
}
"""How each model is made, by package and name."""


def build(package: str, name: str) -> Any:
    """A model of a package, the rules of whose layers are registered first."""
    for module, kind, weights in RULES.get(package, ()):
        rule(getattr(import_module(module), kind), weights=weights)
    return PACKAGES[package][name]()
