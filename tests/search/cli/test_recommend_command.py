"""``tuckprune recommend``: its tables, its files, and that ``compress`` takes them back."""

import re

import pytest

from compress.graph.analysis import analyse
from compress.model_files.files import load_model
from compress.parameter_files.files import read_parameters
from compress.parameter_files.json_format import loads
from compress.parameters import CompressionParameters
from objectives.cost.cost_model import CostModel
from search.runs.results import read_results
from tests.search.fixtures.nets import trained_like
from tests.search.fixtures.runs import tree, unwrapped, written

FILES = ("pruning.txt", "ranks.txt", "parameters.json", "netspresso-PR_L2.json", "netspresso-FD_TK.json")


@pytest.fixture
def small(tmp_path):
    """A model that ranks can be found for, in a folder of its own."""
    trained_like().save(tmp_path / "small.keras")
    return tmp_path / "small.keras"


def flops(path):
    return CostModel(analyse(load_model(path))).cost(CompressionParameters.none()).flops


def rows(out):
    """Cells of the lines of all tables, without their frames."""
    lines = [re.split(r"\s*[│┃]\s*", line)[1:-1] for line in out.splitlines() if line[:1] in "│┃"]
    return [cells for cells in lines if cells]


def test_what_is_recommended_can_be_fed_back(tuckprune, small):
    code, out, err = tuckprune("recommend", small, "--out", small.parent / "values")
    assert (code, err) == (0, "")
    assert [line.rsplit("/")[-1] for line in out.splitlines()[-5:]] == sorted(FILES)
    assert "the ranks are for the model with these ratios" in out
    texts = [small.parent / "values" / name for name in FILES]
    assert read_parameters(texts[:2]).parameters == read_parameters(texts[2:3]).parameters
    predicted = float(re.search(r"([\d.]+) -> ([\d.]+) MFLOPs", out)[2])
    for name, files in (("a", texts[:2]), ("b", texts[2:])):
        params = [word for file in files for word in ("--params", file)]
        code, out, err = tuckprune("compress", small, *params, "--out", small.parent / f"{name}.keras")
        assert (code, err) == (0, "")
        assert flops(small.parent / f"{name}.keras") / 1e6 == pytest.approx(predicted, abs=0.005)


def test_tables(tuckprune, small):
    code, out, err = tuckprune("recommend", small, "--ratio", 0.5, "--calibration", 0)
    assert (code, err) == (0, "")
    table = rows(out)
    values = loads(tuckprune("recommend", small, "--json")[1]).parameters
    kept = {cells[0]: cells[1:] for cells in table if len(cells) == 4}
    assert kept["add_2"] == [f"{values.ratios['add_2']:.4g}", str(round(48 * (1 - values.ratios["add_2"]))), "48"]
    ranks = {cells[0]: cells[1:] for cells in table if len(cells) == 5}
    assert [int(ranks["layer3.0.conv2"][i]) for i in (0, 2)] == list(values.ranks["layer3.0.conv2"])
    assert ["conv1", "decomposed", "it reads the model's input, of only 1 channels"] in table
    assert ["linear", "pruned", "the softmax of 'linear' mixes channels"] in table
    assert any("would not make it cheaper" in cells[-1] for cells in table)


def test_json_is_a_parameter_file(tuckprune, small):
    code, out, err = tuckprune("recommend", small, "--flops", "25%", "--json")
    assert code == 0
    assert "MFLOPs" in err
    (small.parent / "own.json").write_text(out)
    made = small.parent / "made.keras"
    assert tuckprune("compress", small, "--params", small.parent / "own.json", "--out", made)[0] == 0
    assert 0.9 * 0.25 * flops(small) < flops(made) <= 0.25 * flops(small)


@pytest.mark.parametrize(("option", "pruned", "decomposed"), [("--ratio", True, False), ("--calibration", False, True)])
def test_one_knob_alone_is_one_stage_alone(tuckprune, small, option, pruned, decomposed):
    code, out, err = tuckprune("recommend", small, option, 0.3, "--json")
    assert code == 0
    assert (bool(loads(out).parameters.ratios), bool(loads(out).parameters.ranks)) == (pruned, decomposed)
    assert "the ranks are for" not in err


def test_a_configuration_sets_the_criterion_the_step_and_the_budget(tuckprune, home):
    pruning = {"criterion": "nuclear_norm", "images": 8, "layer_norm": "standard_score", "step": 4}
    config = written(home, pruning=pruning, recipe=["prune"], space={"ranks": False})
    before = tree(home)
    code, out, _ = tuckprune("recommend", home / "tiny.keras", "--config", config, "--json")
    assert code == 0
    assert tree(home) == before
    ratios = loads(out).parameters.ratios
    assert ratios and all(16 * (1 - ratio) % 4 == 0 for name, ratio in ratios.items() if name != "conv2")
    code, out, _ = tuckprune("recommend", home / "tiny.keras", "--config", config, "--set", "simple.ratio=0", "--json")
    assert (code, loads(out).parameters.ratios) == (0, {})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ratio", 0.5, "--flops", "4x"], "either --flops, which sets both, or --ratio and --calibration"),
        (["--set", "pruning.step=8"], "give one with --config"),
        (["--ratio", -0.1], "--ratio"),
        (["--calibration", 1.5], "--calibration"),
    ],
)
def test_wrong_usage(tuckprune, home, arguments, message):
    code, _, err = tuckprune("recommend", home / "tiny.keras", *arguments)
    assert code == 2
    assert message in unwrapped(err)


@pytest.mark.parametrize(
    ("option", "absent"), [("--ratio", {"ranks.txt", "netspresso-FD_TK.json"}), ("--calibration", set(FILES[::3]))]
)
def test_a_recipe_of_one_stage_has_no_files_of_the_other(tuckprune, small, option, absent):
    code, out, err = tuckprune("recommend", small, option, 0.5, "--out", small.parent / "values")
    assert (code, err) == (0, "")
    written = {path.name for path in (small.parent / "values").iterdir()}
    assert written == set(FILES) - absent
    assert {line.rsplit("/")[-1] for line in out.splitlines()[-3:]} == written


def test_ranks_that_the_recipe_does_not_have(tuckprune, home):
    config = written(home, recipe=["prune"], space={"ranks": False})
    code, _, err = tuckprune("recommend", home / "tiny.keras", "--config", config, "--calibration", 0.1)
    assert code == 2
    assert "needs 'decompose' in the recipe" in unwrapped(err)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ratio", 1], "expected a pruning ratio in [0, 1), received 1.0"),
        (["--flops", 10], "the fewest that recommended values reach"),
        (["--flops", "lots"], "lots"),
        (["--flops", "200%"], "200%"),
    ],
)
def test_impossible_values(tuckprune, home, arguments, message):
    before = tree(home)
    code, out, err = tuckprune("recommend", home / "tiny.keras", *arguments, "--out", home / "values")
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert message in err
    assert tree(home) == before


@pytest.mark.parametrize("by_config", [False, True])
def test_one_ratio_within_blocks_meets_the_budget(tuckprune, small, home, by_config):
    config = written(home, budget={"flops": 0.6}, recipe=["prune"], space={"ranks": False})
    options = ("--config", config, "--set", f"model.path={small}") if by_config else ("--flops", "60%")
    code, out, err = tuckprune("recommend", small, *options, "--method", "inner", "--json")
    assert code == 0, err
    values, graph = loads(out).parameters, analyse(load_model(small))
    inner = {group.name for group in graph.groups if not group.name.startswith("add")}
    assert values.ratios.keys() == inner and len({round(ratio, 1) for ratio in values.ratios.values()}) == 1
    cost = CostModel(graph)
    assert bool(values.ranks) is not by_config
    assert 0.54 * flops(small) < cost.cost(values).flops <= 0.6 * flops(small)
    slamp = loads(tuckprune("recommend", small, *options, "--json")[1]).parameters
    assert slamp.ratios != values.ratios


def test_compression_by_one_ratio_within_blocks_has_a_row_of_its_own(tuckprune, home):
    config = written(home, recipe=["prune"], space={"ranks": False})
    command = ("compress", home / "tiny.keras", "--recommend", "--config", config)
    assert [tuckprune(*command, *more)[0] for more in ((), ("--method", "inner"))] == [0, 0]
    run = home / "runs" / "run"
    assert [result.label for result in read_results(run / "results")] == ["original", "simple", "inner"]
    ratios = read_parameters([run / "inner-parameters" / "parameters.json"]).parameters.ratios
    assert ratios and "add" not in ratios
    assert flops(run / "inner.keras") <= 0.5 * flops(home / "tiny.keras")
