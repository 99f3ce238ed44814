"""The section ``space`` of a configuration: choices per layer."""

import pytest
import yaml

from compress.errors import ConfigError
from compress.graph.choices import ANY_RANK, UNPRUNED, WHOLE, Bounds, LayerChoice
from configs.load import check_config, difference, dump_config
from search.space.layer_choices import layer_choices

BASE = {"name": "x", "model": {"zoo": "vgg19"}, "data": {"source": "cifar10"}, "budget": {"flops": "50%"}}
CHOICES = {
    "stage4*": {"ratio": [0, 0.5]},
    "stem*": "keep",
    "fc1": {"ratio": 0.25},
    "block.conv5": {"rank": [0.1, 0.5]},
    "conv6": {"rank_in": 16, "rank_out": [2, 8]},
    "conv7": {"rank_out": 0.5},
}


def config(layers, **others):
    return check_config({**BASE, "space": {"layers": layers}, **others}, "file")


def test_what_choices_mean():
    assert layer_choices(config(CHOICES).space).layers == (
        LayerChoice("stage4*", ratio=Bounds(0.0, 0.5)),
        LayerChoice("stem*", UNPRUNED, (WHOLE, WHOLE)),
        LayerChoice("fc1", ratio=Bounds(0.25, 0.25)),
        LayerChoice("block.conv5", ranks=(Bounds(0.1, 0.5), Bounds(0.1, 0.5))),
        LayerChoice("conv6", ranks=(Bounds(16, 16), Bounds(2, 8))),
        LayerChoice("conv7", ranks=(ANY_RANK, Bounds(0.5, 0.5))),
    )


def test_they_are_written_as_they_are_read_in_their_order():
    given = config(CHOICES)
    written = yaml.safe_load(dump_config(given))
    assert written["space"]["layers"] == CHOICES and list(written["space"]["layers"]) == list(CHOICES)
    assert check_config(written, "file") == given


def test_other_choices_or_another_order_are_a_difference():
    given, other = {"a": "keep", "b": {"ratio": 0.5}}, {"b": {"ratio": 0.5}, "a": "keep"}
    assert difference(config(given), config(dict(given))) == []
    assert difference(config(given), config({"a": "keep"})) == [
        'space.layers: {"a": "keep", "b": {"ratio": 0.5}} -> {"a": "keep"}'
    ]
    assert difference(config(given), config(other)) == [
        'space.layers: {"a": "keep", "b": {"ratio": 0.5}} -> {"b": {"ratio": 0.5}, "a": "keep"}'
    ]


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("kep", "expected keep, or a section with one of ratio, rank, rank_in, rank_out, received 'kep'"),
        ({}, "expected keep, or one of ratio, rank, rank_in, rank_out, received none of them"),
        (None, "expected keep, or a section with one of ratio, rank, rank_in, rank_out, received None"),
        ({"ratoi": 0.5}, "ratoi: unknown key, did you mean ratio? expected one of ratio, rank, rank_in, rank_out"),
        ({"ratio": 1}, "ratio: expected a ratio of at least 0 and below 1, or [least, most] of them, received 1.0"),
        ({"ratio": [0.5, 0.2]}, "ratio: expected a ratio of at least 0 and below 1, or [least, most] of them"),
        ({"ratio": [0.5]}, "expected a value, received nothing"),
        ({"ratio": "half"}, "ratio: expected a number or a list, received 'half'"),
        (
            {"rank": 2.5},
            "rank: expected a rank, which is a fraction of the layer's channels above 0 and up to 1, or a ",
        ),
        ({"rank": 0}, "rank: expected a rank, "),
        ({"rank": [0.1, 32]}, "[least, most] of one of both kinds, received [0.1, 32.0]"),
        ({"rank": 0.5, "rank_in": 3}, "expected rank, or rank_in and rank_out, received rank, rank_in"),
    ],
)
def test_malformed_choices_are_refused(choice, message):
    with pytest.raises(ConfigError) as error:
        config({"a.b*": choice})
    assert str(error.value).startswith("file: space.layers.a.b*") and message in str(error.value)


def test_choices_of_a_stage_that_the_recipe_lacks():
    ranks_off = {"layers": {"a": "keep", "b": {"rank": 0.5}}, "ranks": False}
    with pytest.raises(ConfigError, match="space.layers.b: expected 'decompose' in recipe, received recipe"):
        check_config({**BASE, "space": ranks_off, "recipe": ["prune"]}, "file")
    del ranks_off["layers"]["b"]
    assert check_config({**BASE, "space": ranks_off, "recipe": ["prune"]}, "file").space.layers["a"].is_kept
