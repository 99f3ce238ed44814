"""Latency as a limit: of proposals, of recommended values, and alone or with all the others."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.errors import BudgetError
from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from compress.recipe import compress_in_stages
from configs.load import load_config
from objectives.budget.budget import Budget, Limit
from objectives.budget.recommended import BudgetValues, stage_values
from objectives.cost.cost_model import CostModel
from objectives.cost.latency import LatencySettings
from objectives.cost.latency_fit import measured_table
from objectives.cost.quantities.standard import LATENCY
from objectives.cost.quantity import quantities
from search.runs.run_folder import RunFolder
from search.space.projection import Projection
from search.space.space import SearchSpace, SpaceSettings
from search.strategies import preparation
from tests.objectives.cost import synthetic_latency as synthetic
from tests.search.fixtures import nets
from tests.search.fixtures.nets import DECOMPOSE_FIRST, DECOMPOSE_ONLY, PRUNE_FIRST, PRUNE_ONLY, RECIPES

NONE = CompressionParameters.none()
NETS = ("chain", "tiny", "digits_resnet")


@pytest.fixture(scope="module")
def tables():
    """Measured before `problems` asks for them: a strategy must not build models."""
    for name in NETS:
        synthetic.table(name)


def space(name, recipe=PRUNE_FIRST, grid=None):
    return SearchSpace(CostModel(analyse(nets.model(name)), synthetic.table(name)), grid or SpaceSettings(), recipe)


def slow_parts(table):
    """The same with parts so slow that most layers are faster whole."""
    laws = tuple(
        (geometry, replace(law, base=law.base + 20.0) if set(geometry.window) == {1} else law)
        for geometry, law in table.laws
    )
    return replace(table, laws=laws)


@st.composite
def problems(draw):
    """A space, some limits that are each reachable, and preferences."""
    name = draw(st.sampled_from(NETS))
    table = synthetic.table(name) if draw(st.booleans()) else slow_parts(synthetic.table(name))
    searched = SearchSpace(CostModel(analyse(nets.model(name)), table), SpaceSettings(), draw(st.sampled_from(RECIPES)))
    smallest, original = searched.smallest(), searched.cost.cost(NONE)
    limited = draw(st.sets(st.sampled_from([*quantities().values()]), max_size=4)) | {LATENCY}
    limits = []
    for quantity in [quantity for quantity in quantities().values() if quantity in limited]:
        low, high = quantity.of(smallest), quantity.of(original)
        limits.append(Limit(quantity, low + (high - low) * draw(st.floats(0.001, 1)), "drawn"))
    size = len(searched.dimensions)
    values = draw(st.lists(st.floats(0, 1), min_size=size, max_size=size))
    return searched, Budget(tuple(limits), table), dict(zip(searched.dimensions, values, strict=True))


@pytest.mark.usefixtures("tables")
@given(problems())
@settings(max_examples=50, deadline=None)
def test_proposals_meet_all_limits_or_these_cannot_be_met_together(problem):
    searched, budget, wanted = problem
    try:
        parameters = Projection(searched, budget)(searched.row(wanted)).parameters
    except BudgetError as error:
        assert len(budget.limits) > 1 and "within the other limits" in str(error)
    else:
        assert budget.violation(searched.cost.cost(parameters, searched.settings.step)) <= 0


@pytest.mark.parametrize("recipe", [PRUNE_FIRST, DECOMPOSE_FIRST, PRUNE_ONLY])
def test_latency_is_used_where_it_binds(recipe):
    searched = space("digits_resnet", recipe)
    original = searched.cost.cost(NONE)
    wanted = {name: 1.0 if index % 3 == 0 else 0.3 for index, name in enumerate(searched.dimensions)}
    for amounts in ({"latency": "50%"}, {"latency": "40%", "flops": "90%", "params": "1x", "size": 1.0, "memory": 1.0}):
        budget = Budget.parse(amounts, original, synthetic.table("digits_resnet"))
        assert (
            -0.03
            < budget.violation(searched.cost.cost(Projection(searched, budget)(searched.row(wanted)).parameters))
            <= 0
        )


@pytest.mark.parametrize("name", ["chain", "tiny"])
@pytest.mark.parametrize("recipe", [PRUNE_FIRST, DECOMPOSE_FIRST, DECOMPOSE_ONLY])
def test_the_smallest_latency_is_that_of_all_candidates(name, recipe):
    grid = SpaceSettings(ratio_max=0.5, ratio_step=0.5, rank_step=0.5)
    for table in (synthetic.table(name), slow_parts(synthetic.table(name))):
        searched = SearchSpace(CostModel(analyse(nets.model(name)), table), grid, recipe)
        corners = product(*[(0.0, 1.0)] * len(searched.dimensions))
        candidates = [
            searched.decode(searched.row(dict(zip(searched.dimensions, corner, strict=True)))) for corner in corners
        ]
        smallest = min(searched.cost.cost(candidate).latency for candidate in candidates)
        assert searched.smallest().latency == pytest.approx(smallest)


def test_layers_that_are_faster_whole_are_left_so_where_latency_asks_for_it():
    table = slow_parts(synthetic.table("digits_resnet"))
    searched = SearchSpace(CostModel(analyse(nets.model("digits_resnet")), table), SpaceSettings(), PRUNE_FIRST)
    original = searched.cost.cost(NONE)
    low = dict.fromkeys(searched.dimensions, 0.3)
    loose = Budget.parse({"flops": "20%"}, original, table)
    tight = Budget.parse({"latency": "50%"}, original, table)
    assert Projection(searched, loose)(searched.row(low)).parameters.ranks
    for name, pair in Projection(searched, tight)(searched.row(low)).parameters.ranks.items():
        parameters = Projection(searched, tight)(searched.row(low)).parameters
        without = {other: ranks for other, ranks in parameters.ranks.items() if other != name}
        whole = searched.cost.cost(CompressionParameters(parameters.ratios, without)).latency
        assert pair and whole >= searched.cost.cost(parameters).latency


def test_unreachable_latency_names_the_smallest():
    searched = space("tiny")
    smallest = searched.smallest().latency
    budget = Budget.parse({"latency": f"{smallest / 2000:.6f}ms"}, searched.cost.cost(NONE), synthetic.table("tiny"))
    with pytest.raises(BudgetError, match=f"budget.latency: expected at least {smallest:.1f} microseconds, the smalle"):
        Projection(searched, budget).check_reachable()


@pytest.fixture(scope="module")
def measured():
    """The table of `trained_like`."""
    return measured_table(nets.trained_like(), LatencySettings(), synthetic.microseconds)


@pytest.mark.parametrize("recipe", [PRUNE_FIRST, DECOMPOSE_FIRST, PRUNE_ONLY, DECOMPOSE_ONLY])
def test_recommended_values_meet_latency_and_use_it(measured, recipe):
    model, table = nets.trained_like(), measured
    original = CostModel(analyse(model), table).cost(NONE)
    share = "60%" if recipe == DECOMPOSE_ONLY else "40%"
    budget = Budget.parse({"latency": share}, original, table)
    made = compress_in_stages(model, stage_values(BudgetValues(recipe, budget, original)), recipe)
    assert -0.12 < budget.violation(CostModel(analyse(made.model), table).cost(NONE)) <= 0
    assert synthetic.microseconds(made.model) <= budget.limits[0].most * 1.001


def test_a_run_measures_its_table_once(tmp_path, monkeypatch):
    config = load_config("configs/digits.yaml", [f"runs={tmp_path}", "budget.latency=50%", "latency.threads=2"])
    asked = []

    def measure(model, settings, across_normalization):
        asked.append(settings)
        return synthetic.table("tiny")

    monkeypatch.setattr(preparation, "measured_table", measure)
    table = preparation.latency_table(config, nets.model("tiny"))
    folder = RunFolder.of(config)
    folder.path.mkdir()
    preparation.keep_latency_table(table, folder)
    assert preparation.latency_table(config, nets.model("tiny")) == table == synthetic.table("tiny")
    assert asked == [LatencySettings(threads=2)]
    unlimited = load_config("configs/digits.yaml", [f"runs={tmp_path}"])
    assert preparation.latency_table(unlimited, nets.model("tiny")) is None
