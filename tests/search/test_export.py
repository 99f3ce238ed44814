"""Exported files hold the winner, and make the model that was promised."""

from compress.analysis import analyse
from compress.model_channels import check_made_for
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
    assert [path.name for path in paths] == [
        "pruning.txt",
        "ranks.txt",
        "parameters.json",
        "netspresso-PR_L2.json",
        "netspresso-FD_TK.json",
    ]
    assert all(path.parent == run.folder for path in paths)
    for some in (paths[:2], paths[2:3], paths):
        assert read_parameters(some).parameters == winner.parameters
    pruned = {name: ratio for name, ratio in winner.parameters.ratios.items() if ratio}
    assert read_parameters(paths[3:]).parameters == CompressionParameters(pruned, winner.parameters.ranks)
    check_made_for(analyse(model("tiny")), read_parameters(paths).made_for)
    assert not winner.parameters.is_empty

    built = apply_parameters(model("tiny"), read_parameters(paths).parameters, config(run.home).recipe)
    assert CostModel(analyse(built)).cost(NONE) == winner.cost
    assert winner.cost.flops <= 0.5 * cost("tiny").cost(NONE).flops
    assert winner.accuracy == max(trial.accuracy for trial in find_run(run.folder).trials)
