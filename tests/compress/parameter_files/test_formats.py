import ast
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from compress.errors import ParameterError
from compress.graph.model_channels import ModelChannels
from compress.parameter_files import json_format, text_format
from compress.parameter_files.format import ParameterFile
from compress.parameters import CompressionParameters

DATA = Path(__file__).parents[2] / "data"

names = st.text(min_size=1)
parameters = st.builds(
    CompressionParameters,
    st.dictionaries(names, st.floats(0, 1, exclude_max=True)),
    st.dictionaries(names, st.tuples(st.integers(1), st.integers(1))),
)
AWKWARD = "a'b\"c: [1, 2], # {\\\n\r\t\x00\x85\u2028 é 层 \U0001f600"


models = st.none() | st.builds(
    ModelChannels,
    st.dictionaries(names, st.integers(1)),
    st.dictionaries(names, st.tuples(st.integers(1), st.integers(1))),
)


@given(parameters=parameters)
@example(parameters=CompressionParameters({AWKWARD: 5e-324}, {AWKWARD: (1, 10**30)}))
def test_text_round_trip(parameters):
    read = text_format.loads(text_format.dumps(parameters))
    assert read == parameters
    assert list(read.ratios) == list(parameters.ratios)


@given(parameters=parameters, model=models)
@example(
    parameters=CompressionParameters({AWKWARD: 5e-324}, {AWKWARD: (1, 10**30)}), model=ModelChannels({AWKWARD: 1}, {})
)
def test_json_round_trip(parameters, model):
    read = json_format.loads(json_format.dumps(parameters, model))
    assert read == ParameterFile(parameters, model)
    assert list(read.parameters.ratios) == list(parameters.ratios)


def test_text_layout():
    parameters = CompressionParameters({"layer1.0.conv1": 0.9}, {"layer1.0.conv3": (11, 8)})
    assert text_format.dumps(parameters) == (
        "# layer name : Pruning Ratio\n'layer1.0.conv1' : 0.9\n\n"
        "# layer name : [In Rank, Out Rank]\n'layer1.0.conv3': [11, 8]\n"
    )


def test_json_layout():
    parameters = CompressionParameters({"a": 0.9}, {"b": (11, 8)})
    layout = {"format": "tuckprune", "version": 2, "model": None, "ratios": {"a": 0.9}, "ranks": {"b": [11, 8]}}
    assert json.loads(json_format.dumps(parameters)) == layout
    model = ModelChannels({"a": 16}, {"b": (16, 32)})
    assert json.loads(json_format.dumps(parameters, model)) == layout | {
        "model": {"groups": {"a": 16}, "layers": {"b": [16, 32]}}
    }


def test_json_of_version_1():
    text = '{"format": "tuckprune", "version": 1, "ratios": {"a": 0.9}, "ranks": {"b": [11, 8]}}'
    assert json_format.loads(text) == ParameterFile(CompressionParameters({"a": 0.9}, {"b": (11, 8)}), None)


def test_published_pruning_ratios():
    text = (DATA / "resnet50_pruning.txt").read_text()
    read = text_format.loads(text)
    assert read.ratios == ast.literal_eval("{" + text + "}") and len(read.ratios) == 37
    assert (read.ratios["conv1"], read.ratios["add_12"], read.ratios["layer4.2.conv2"]) == (0.7, 0.2, 0.3)
    assert read.ranks == {}


def test_published_ranks():
    text = (DATA / "resnet50_ranks.txt").read_text()
    read = text_format.loads(text)
    listed = ast.literal_eval("{" + text + "}")
    assert read.ranks == {name: tuple(pair) for name, pair in listed.items()} and len(read.ranks) == 31
    assert (read.ranks["layer1.2.conv2"], read.ranks["layer4.0.shortcut.0"]) == ((4, 8), (144, 177))
    assert read.ratios == {}


@pytest.mark.parametrize(
    "text",
    [
        "'a' : 0.5\n'b': [2, 3]",
        '"a": 0.5, "b": (2, 3),',
        "{'a': 0.5, 'b': [2, 3]}",
        "{\n  'a' : .5,\n  'b' : [\n    2,\n    3,\n  ],\n}\n",
        "\r\n\r\n# note\r\n'a':0.5 # half\r\n,'b':[2,3]",
        "'a':5e-1\r'b':[2 , 3]",
        "  'b' : [ 2 , 3 ] , 'a' : +0.50",
        "{'a': 0.5}\n{'b': [2, 3]}",
    ],
)
def test_text_tolerates(text):
    assert text_format.loads(text) == CompressionParameters({"a": 0.5}, {"b": (2, 3)})


def test_empty_text():
    assert text_format.loads("\n# nothing\n") == text_format.loads("") == CompressionParameters.none()


def test_one_layer_may_have_a_ratio_and_ranks():
    assert text_format.loads("'a': 0.5\n'a': [2, 3]") == CompressionParameters({"a": 0.5}, {"a": (2, 3)})


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("'a' : 0.5\n'b' 0.5", ["line 2: expected 'layer name' : ratio", "\"'b' 0.5\"", "correct '0.5'"]),
        ("conv1 : 0.5", ["line 1", "conv1 : 0.5"]),
        ("\n'a : 0.5", ["line 2", "'a : 0.5"]),
        ("'a' : 0.5 'b' : 0.5", ["line 1", "correct \"'b'\""]),
        ("'a' : 0.5,,'b' : 0.5", ["line 1", "correct ','"]),
        (", 'a' : 0.5", ["line 1", "correct ','"]),
        ("'a' : half", ["line 1: expected a number", "correct 'half'"]),
        ("'a' : 'b'", ["line 1: expected 'layer name' : ratio"]),
        ("'a' :", ["line 1", "received the end"]),
        ("'a' : [1, 2", ["line 1", "received the end"]),
        ("'a' : [1, 2)", ["line 1", "correct ')'"]),
        ("'a' : [1 2]", ["line 1", "correct '2'"]),
        ("'a' : []", ["line 1", "correct ']'"]),
        ("{'a' : 0.5", ["line 1: expected a closing brace"]),
        ("{{'a' : 0.5}}", ["line 1", "correct '{'"]),
        ("'a' : 0.5}", ["line 1", "correct '}'"]),
        ("'a' : 0.5 {}", ["line 1", "correct '{'"]),
        ("'a' : 0.5 ?", ["line 1", "correct '?'"]),
        (r"'a\d' : 0.5", ["line 1: expected a quoted layer name with valid escapes"]),
        (r"'a\xz' : 0.5", ["line 1: expected a quoted layer name with valid escapes"]),
        ("'a\0' : 0.5", ["line 1: expected a quoted layer name with valid escapes"]),
        ("'' : 0.5", ["a non-empty string"]),
        ("\n\n'a' : 1.0", ["line 3: 'a': expected a pruning ratio in [0, 1), received 1.0"]),
        ("'a' : nan", ["line 1: 'a': expected a pruning ratio in [0, 1), received nan"]),
        ("'a' : " + "9" * 5000, ["line 1: 'a': expected a pruning ratio in [0, 1), received inf"]),
        ("'a' : [1]", ["line 1: 'a': expected [in rank, out rank]", "received [1]"]),
        ("'a' : [1.5, 2]", ["line 1: 'a': expected [in rank, out rank]", "received [1.5, 2]"]),
        ("'a' : [0, 2]", ["line 1: 'a': expected [in rank, out rank]", "received [0, 2]"]),
        ("'a' : 0.5\n\n'b' : 0.1, \"a\" : 0.5", ["one value for 'a'", "one on line 1 and one on line 3"]),
        ("'a' : [1, 2]\n'a' : [1, 2]", ["one value for 'a'", "one on line 1 and one on line 2"]),
        ("'a\\n' 0.5 " + "x" * 500, ["line 1", "..."]),
    ],
)
def test_text_rejects(text, fragments):
    with pytest.raises(ParameterError) as caught:
        text_format.loads(text)
    message = str(caught.value)
    assert all(fragment in message for fragment in fragments), message
    assert "\n" not in message and len(message) < 400


@given(st.text(alphabet="'\"ab:,[](){}#\\ \n0.5nN") | st.text())
def test_text_reads_or_rejects_in_one_line(text):
    try:
        text_format.loads(text)
    except ParameterError as error:
        assert len(str(error).splitlines()) == 1


def document(**changes):
    return json.dumps({"format": "tuckprune", "version": 2, "model": None, "ratios": {}, "ranks": {}} | changes)


def model_document(**changes):
    return document(model={"groups": {}, "layers": {}} | changes)


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("{\n'a'", ["expected valid JSON", "line 2 column 1"]),
        ("", ["expected valid JSON"]),
        ("[" * 100_000, ["expected valid JSON"]),
        ("[1]", ["expected a JSON object, received [1]"]),
        ('{"ratios": {}}', ["add ['format', 'version', 'model', 'ranks'], remove []"]),
        (document(version=1), ["expected the keys format, version, ratios, ranks", "add [], remove ['model']"]),
        (document(rank={}), ["add [], remove ['rank']"]),
        (document(version=3), ["expected format 'tuckprune' version 1 or 2, received 'tuckprune' version 3"]),
        (document(version=True), ["version True"]),
        (document(format="other"), ["received 'other' version 2"]),
        (document(model=[]), ["expected null or {'groups': {}, 'layers': {}} as model, received []"]),
        (document(model={"groups": {}}), ["expected null or {'groups': {}, 'layers': {}} as model"]),
        (model_document(groups={"a": 0}), ["'a': expected channels, a whole number >= 1, received 0"]),
        (model_document(groups={"a": True}), ["'a': expected channels, a whole number >= 1, received True"]),
        (model_document(layers={"a": [1]}), ["'a': expected [in channels, out channels], received [1]"]),
        (model_document(layers={"a": [1, 0.5]}), ["'a': expected channels, a whole number >= 1, received 0.5"]),
        (document(ratios=[0.5]), ["expected ratios to map layer names to values, received [0.5]"]),
        (document(ratios={"a": 1}), ["'a': expected a pruning ratio in [0, 1), received 1"]),
        (document(ratios={"a": float("nan")}), ["'a': expected a pruning ratio in [0, 1), received nan"]),
        (document(ranks={"a": [1, 0]}), ["'a': expected [in rank, out rank]", "received [1, 0]"]),
        (document().replace('"ratios": {}', '"ratios": {"a": 0.1, "a": 0.1}'), ["one value for 'a', received 2"]),
    ],
)
def test_json_rejects(text, fragments):
    with pytest.raises(ParameterError) as caught:
        json_format.loads(text)
    message = str(caught.value)
    assert all(fragment in message for fragment in fragments), message
    assert "\n" not in message and len(message) < 400
