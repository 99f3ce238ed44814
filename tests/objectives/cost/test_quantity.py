"""What may be limited, how it reads, and that one more takes a file of its own and nothing else."""

import json
from pathlib import Path

import pytest

from compress.errors import RunError
from configs.schema.run import BudgetConfig
from objectives.cost.cost import Cost
from objectives.cost.quantities.standard import FLOPS, LATENCY
from objectives.cost.quantity import Quantity, quantities, register
from tests.search.fixtures.runs import run_forked

ROOT = Path(__file__).parents[3]
WIDTH = """
from objectives.cost.quantity import Quantity, register

WIDTH = register(
    Quantity(
        name="width", description="channels that stay: 0.5, 50%, or a whole number", unit="channels", single="channel",
        examples="2k, 500", shown="{:.0f} channels", header="Width", column="{:.0f}", scale=1,
        values=lambda costs: costs.kept.sum(axis=1),
    )
)
"""
USES = """
import json, pickle
import numpy as np
import objectives.cost.quantities as room
room.__path__.append(FOLDER)
from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from configs.load import check_config
from compress.errors import RunError
from configs.schema.run import BudgetConfig
from objectives.budget.budget import Budget
from objectives.cost.cost import Cost
from objectives.cost.cost_model import CostModel
from scripts.docs.config_reference import page
from search.runs.results import Result, columns, table_rows
from tests.search.fixtures import nets

model = CostModel(analyse(nets.model("tiny")))
original = model.cost(CompressionParameters.none())
kept, ranks = model.candidate(CompressionParameters.none())
budget = pickle.loads(pickle.dumps(Budget.parse(BudgetConfig(width="50%").amounts, original)))
results = [Result("original", 4, 2, 8, others={"width": 6}), Result("search", 2, 1, 4, others={"width": 3})]
print(json.dumps({
    "kept": [int(kept.sum()), original.others["width"], Cost.restored(original.stored()).others["width"]],
    "limit": [budget.limits[0].most, budget.violation(original), float(budget.violations(model, kept, ranks)[0])],
    "columns": columns(results), "row": table_rows(results)[1],
    "restored": Result.restored(results[1].stored()) == results[1],
    "documented": "channels that stay" in page(),
}))
"""


def test_figures_in_words() -> None:
    cost = Cost(1_500_000, 43_210, 2_500_000, 700_000, 1_234_567, 1234.56)
    assert [quantity.text(cost) for quantity in quantities().values()] == [
        "1.50 MFLOPs",
        "0.043 M parameters",
        "2.500 MB",
        "1234.6 kB of memory",
        "1.235 ms",
    ]
    figures = [quantity.of(cost) for quantity in quantities().values()]
    assert figures == [1_500_000, 43_210, 2_500_000, 1_234_567, 1234.56]
    assert (FLOPS.exact(cost), LATENCY.exact(cost)) == ("1500000", "1234.6")


def test_a_configuration_has_a_key_for_each() -> None:
    assert list(quantities()) == list(BudgetConfig.model_fields)


def test_a_quantity_is_added_in_one_file(tmp_path: Path) -> None:
    """Schema, reference, cost, budget, pickles, files and tables know it, and no other file is touched."""
    (tmp_path / "width.py").write_text(WIDTH, encoding="utf-8")
    code = USES.replace("FOLDER", repr(str(tmp_path)))
    made = run_forked(code)
    assert made.returncode == 0, made.stderr
    known = json.loads(made.stdout.splitlines()[-1])
    width = known["kept"][0]
    assert known["kept"] == [width] * 3 and known["limit"] == [width / 2, 1.0, 1.0]
    assert known["columns"][-1] == "Width (factor)" and known["row"][-1] == "3 (2.00x)"
    assert known["restored"] and known["documented"]


def test_a_name_is_taken_once() -> None:
    assert register(FLOPS) is FLOPS
    other = Quantity(**{**vars(FLOPS), "unit": "operations"})
    with pytest.raises(ValueError, match="'flops': expected a name of its own"):
        register(other)


def test_a_cost_from_before_a_quantity_was_registered_is_refused() -> None:
    with pytest.raises(RunError, match="expected costs with 'width'"):
        Cost(1, 2, 3).figure("width")
