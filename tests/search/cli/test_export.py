"""Exported files hold the winner, and make the model that was promised."""

from compress.graph.analysis import analyse
from compress.graph.model_channels import check_made_for
from compress.parameter_files.files import read_parameters
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from objectives.cost.cost_model import CostModel
from search.runs.outcome import export_run, find_run
from tests.search.fixtures.nets import cost, model
from tests.search.fixtures.runs import config

NONE = CompressionParameters.none()


def test_exported_files_make_the_winner(run):
    names = ["pruning.txt", "ranks.txt", "parameters.json", "netspresso-PR_L2.json", "netspresso-FD_TK.json"]
    paths = [run.folder / name for name in names]
    assert export_run(run.folder) == sorted(paths)
    winner = find_run(run.folder).winner
    for some in (paths[:2], paths[2:3], paths):
        assert read_parameters(some).parameters == winner.parameters
    pruned = {name: ratio for name, ratio in winner.parameters.ratios.items() if ratio}
    assert read_parameters(paths[3:]).parameters == CompressionParameters(pruned, winner.parameters.ranks)
    check_made_for(analyse(model("tiny")), read_parameters(paths).made_for)
    assert winner.parameters != CompressionParameters.none()

    built = apply_parameters(model("tiny"), read_parameters(paths).parameters, config(run.home).recipe)
    assert CostModel(analyse(built)).cost(NONE) == winner.cost
    assert winner.cost.flops <= 0.5 * cost("tiny").cost(NONE).flops
