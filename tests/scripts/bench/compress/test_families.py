import json

import pytest

from compress.cloning.walk import as_functional
from compress.graph.analysis import analyse
from scripts.bench.compress.families import FAMILIES, JSON_FILE, TABLE_FILE, TOLERANCE, Row, build, measure, table


@pytest.mark.parametrize(("family", "groups"), [("MobileNet", 14), ("EfficientNetB0", 40)])
def test_groups_of_small_families(family, groups):
    graph = analyse(as_functional(build(family, FAMILIES[family])))
    assert (len(graph.groups), len(graph.excluded)) == (groups, 1)


def test_a_small_family():
    # Within measure: the pruned model computes what the masked original does, and costs what was predicted.
    row = measure("MobileNetV3Small", FAMILIES["MobileNetV3Small"])
    assert (row.groups, len(row.frozen)) == (27, 1)
    assert row.flops_after < 0.75 * row.flops_before and row.decomposed == 3


def test_the_committed_figures():
    rows = [Row(**row) for row in json.loads(JSON_FILE.read_text(encoding="utf-8"))]
    assert [row.family for row in rows] == list(FAMILIES)
    for row in rows:
        assert row.groups > 0 and all(set(group) == {"name", "reason"} for group in row.frozen)
        assert 0 < row.flops_after < row.flops_before and 0 <= row.max_rel_error <= TOLERANCE and row.seconds > 0
    assert TABLE_FILE.read_text(encoding="utf-8") == table(rows)
