"""Exported files hold the winner, and make the model that was promised."""

from compress.analysis import analyse
from compress.parameter_files import read_parameters
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from objectives.cost import CostModel
from search.pipeline import export_run, find_run
from tests.search.nets import cost, model
from tests.search.runs import config

NONE = CompressionParameters.none()


def test_exported_files_make_the_winner(run):
    paths = export_run(run.folder)
    winner = find_run(run.folder).winner
    assert [path.name for path in paths] == ["pruning.txt", "ranks.txt", "parameters.json"]
    assert all(path.parent == run.folder for path in paths)
    assert read_parameters(paths[:2]) == read_parameters(paths[2:]) == winner.parameters
    assert not winner.parameters.is_empty

    built = apply_parameters(model("tiny"), read_parameters(paths), config(run.home).recipe)
    assert CostModel(analyse(built)).cost(NONE) == winner.cost
    assert winner.cost.flops <= 0.5 * cost("tiny").cost(NONE).flops
