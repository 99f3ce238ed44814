import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from compress.errors import ParameterError
from compress.parameter_files import netspresso_format
from compress.parameter_files.json_format import parsed_object
from compress.parameters import CompressionParameters

names = st.text(min_size=1).filter(lambda name: "\x00" not in name)
channels = st.integers(1, 4096)
AWKWARD = "a'b\"c: [1, 2], # {\\\n\r\t\x85\u2028 é 层 \U0001f600"


def read(text):
    return netspresso_format.load(parsed_object(text))


@st.composite
def limited_ranks(draw):
    limits = draw(st.dictionaries(names, st.tuples(channels, channels)))
    chosen = draw(st.sets(st.sampled_from(sorted(limits)))) if limits else set()
    ranks = {name: tuple(draw(st.integers(1, limit)) for limit in limits[name]) for name in sorted(chosen)}
    return ranks, limits


@given(ratios=st.dictionaries(names, st.floats(0, 1, exclude_max=True)), other=channels)
@example(ratios={AWKWARD: 5e-324}, other=1)
def test_ratios_round_trip(ratios, other):
    text = netspresso_format.dump_ratios(ratios, {**dict.fromkeys(ratios, 64), "other one": other})
    pruned = {name: ratio for name, ratio in ratios.items() if ratio}
    assert read(text) == CompressionParameters(pruned, {})


@given(limited_ranks())
@example(({AWKWARD: (1, 2)}, {AWKWARD: (1, 2), "other": (3, 4)}))
def test_ranks_round_trip(case):
    ranks, limits = case
    assert read(netspresso_format.dump_ranks(ranks, limits)) == CompressionParameters({}, ranks)


def test_layout():
    ratios = netspresso_format.dump_ratios({"add_2": 0.5, "whole": 0.0}, {"conv1": 64, "add_2": 256, "whole": 8})
    assert json.loads(ratios) == {
        "compression_method": "PR_L2",
        "layers": [
            {"name": "conv1", "values": [], "use": False, "channels": [64]},
            {"name": "add_2", "values": [0.5], "use": True, "channels": [256]},
            {"name": "whole", "values": [], "use": False, "channels": [8]},
        ],
    }
    ranks = netspresso_format.dump_ranks({"b": (11, 8)}, {"a": (3, 64), "b": (64, 32)})
    assert json.loads(ranks) == {
        "compression_method": "FD_TK",
        "layers": [
            {"name": "a", "values": [], "use": False, "channels": [3, 64]},
            {"name": "b", "values": [11, 8], "use": True, "channels": [64, 32]},
        ],
    }


def test_what_the_model_does_not_have_is_not_written():
    for dump, values in ((netspresso_format.dump_ratios, {"a": 0.5}), (netspresso_format.dump_ranks, {"a": (1, 1)})):
        with pytest.raises(ParameterError, match="'a': expected a layer of the model"):
            dump(values, {})


def entry(**changes):
    return {"name": "a", "values": [2, 3], "use": True, "channels": [4, 4]} | changes


def test_the_method_follows_from_the_values():
    layers = [entry(), entry(name="b", values=[0.5], channels=[4])]
    assert netspresso_format.load({"layers": layers}) == CompressionParameters({"b": 0.5}, {"a": (2, 3)})


@pytest.mark.parametrize("unused", [entry(use=False), entry(values=[]), {"name": "a"}, entry(values=[], use=False)])
def test_entries_that_are_not_used(unused):
    assert netspresso_format.load({"layers": [unused]}) == CompressionParameters.none()


def test_an_entry_with_values_is_used_unless_it_says_otherwise():
    layer = entry()
    del layer["use"]
    assert netspresso_format.load({"layers": [layer]}).ranks == {"a": (2, 3)}


@pytest.mark.parametrize(
    ("document", "fragment"),
    [
        ({"layers": {}}, "expected a list as layers, received {}"),
        ({"layers": [1]}, "expected layers of the form {'name': str"),
        ({"layers": [entry(name=3)]}, "expected layers of the form {'name': str"),
        ({"layers": [entry(values=0.5)]}, "expected layers of the form {'name': str"),
        ({"layers": [entry(use=1)]}, "expected layers of the form {'name': str"),
        ({"layers": [entry(name="")]}, "expected a layer name, a non-empty string, received ''"),
        ({"layers": [entry(), entry()]}, "'a': expected one entry, received two"),
        ({"layers": [entry(values=[0.0])]}, "'a': expected one ratio in (0, 1), received [0.0]"),
        ({"layers": [entry(values=[1.0])]}, "'a': expected a pruning ratio in [0, 1), received 1.0"),
        ({"layers": [entry(values=["0.5"])]}, "'a': expected a pruning ratio in [0, 1), received '0.5'"),
        ({"layers": [entry(values=[0.5, 0.5])]}, "'a': expected [in rank, out rank]"),
        ({"layers": [entry(values=[1, 2, 3])]}, "'a': expected [in rank, out rank]"),
        ({"layers": [entry(values=[5, 3])]}, "'a': expected ranks of at most its channels [4, 4], received [5, 3]"),
        ({"layers": [entry(channels=[4])]}, "'a': expected the layer's [in, out] channels, received [4]"),
        ({"layers": [entry(channels=[4, "4"])]}, "'a': expected the layer's [in, out] channels, received [4, '4']"),
        (
            {"layers": [entry(values=[1, 2])], "compression_method": "PR_L2"},
            "'a': expected one ratio in (0, 1), received [1, 2]",
        ),
        ({"layers": [], "compression_method": "PR_ID"}, "expected a compression_method of PR_L2, PR_GM, PR_NN, FD_TK"),
    ],
)
def test_refusals(document, fragment):
    with pytest.raises(ParameterError) as caught:
        netspresso_format.load(document)
    assert fragment in str(caught.value) and "\n" not in str(caught.value)
