"""The comparison table, against figures worked out by hand."""

import json
from dataclasses import replace

import pytest

from compress.errors import ConfigError, RunError
from search.runs.results import check_names, columns, markdown_table, read_results, table_rows, write_result
from tests.search.fixtures.results import classified
from zoo.tasks.metric import Metric

ORIGINAL = classified("original", 0.7803, 2_596_060_000, 23_710_000, 95_550_000)
SIMPLE = classified("simple", 0.7692, 613_430_000, 2_640_000, 10_720_000)
SEARCH = classified("search", 0.7813, 224_700_000, 2_170_000, 9_190_000)


def test_rows_hold_differences_and_factors():
    # 2596.06 / 613.43 = 4.232; 23.71 / 2.64 = 8.981; 95.55 / 10.72 = 8.913; 2596.06 / 224.70 = 11.553;
    # 23.71 / 2.17 = 10.926; 95.55 / 9.19 = 10.397; accuracies in points.
    assert table_rows([ORIGINAL, SIMPLE, SEARCH]) == [
        ("Original", "78.03 %", "2596.06 M", "23.71 M", "95.55 MB"),
        ("Simple", "76.92 % (-1.11)", "613.43 M (4.23x)", "2.64 M (8.98x)", "10.72 MB (8.91x)"),
        ("Search", "78.13 % (+0.10)", "224.70 M (11.55x)", "2.17 M (10.93x)", "9.19 MB (10.40x)"),
    ]


def test_without_an_original_there_is_nothing_to_compare_with():
    assert table_rows([SEARCH]) == [("Search", "78.13 %", "224.70 M", "2.17 M", "9.19 MB")]


def test_accuracy_that_nobody_measured():
    row = table_rows([ORIGINAL, classified("search", None, 1_298_030_000, 23_710_000, 95_550_000)])[1]
    assert row == ("Search", "not measured", "1298.03 M (2.00x)", "23.71 M (1.00x)", "95.55 MB (1.00x)")


def by_f1(result, value):
    """Ranked by F1Score, which was measured beside accuracy and loss."""
    figures, metrics = {**result.figures, "F1Score": value}, (*result.metrics, Metric("F1Score"))
    return replace(result, figures=figures, metrics=metrics, ranked_by="F1Score")


def test_the_loss_is_shown_where_it_ranks():
    rows = [replace(ORIGINAL, ranked_by="loss"), replace(SEARCH, ranked_by="loss")]
    assert columns(rows)[:3] == ("Model", "Accuracy (delta)", "Loss (delta)")
    assert table_rows(rows)[1][2] == "0.2187 (-0.0010)"
    assert rows[0].text == "loss 0.2197, accuracy 78.03 %"


def test_a_metric_of_keras_has_a_column():
    rows = [by_f1(ORIGINAL, 0.75), SIMPLE, by_f1(SEARCH, 0.7201)]
    assert columns(rows)[:3] == ("Model", "Accuracy (delta)", "F1Score (delta)")
    assert [row[2] for row in table_rows(rows)] == ["0.7500", "not measured", "0.7201 (-0.0299)"]
    assert [row[:2] + row[3:] for row in table_rows(rows)] == table_rows([ORIGINAL, SIMPLE, SEARCH])
    assert markdown_table(rows).splitlines()[1].count("---") == 6


def test_markdown():
    assert markdown_table([ORIGINAL]) == (
        "| Model | Accuracy (delta) | FLOPs (factor) | Params (factor) | Size (factor) |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| Original | 78.03 % | 2596.06 M | 23.71 M | 95.55 MB |\n"
    )


def test_results_come_back_with_the_original_first(tmp_path):
    for result in (SEARCH, SIMPLE, ORIGINAL):
        write_result(result, tmp_path / "results")
    assert read_results(tmp_path / "results") == [ORIGINAL, SIMPLE, SEARCH]
    assert read_results(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("content", ["", "{", "[1]", json.dumps({"label": "search"}), "\xff"])
def test_a_broken_result_file_is_named(tmp_path, content):
    (tmp_path / "search.json").write_text(content, encoding="latin-1")
    with pytest.raises(RunError) as error:
        read_results(tmp_path)
    assert str(tmp_path / "search.json") in str(error.value)
    assert "\n" not in str(error.value)


def test_memory_and_latency_have_columns_where_they_are_limited(tmp_path):
    # 3 MB / 1.5 MB = 2, 12 ms / 2.4 ms = 5; a file of before has neither.
    original = replace(ORIGINAL, memory=3_000_000, latency=12_000.0)
    limited = replace(SEARCH, memory=1_500_000, latency=2_400.0)
    assert columns([original, SIMPLE]) == (*columns([SIMPLE]), "Memory (factor)", "Latency (factor)")
    assert [row[5:] for row in table_rows([original, SIMPLE, limited])] == [
        ("3000.0 kB", "12.000 ms"),
        ("not measured", "not measured"),
        ("1500.0 kB (2.00x)", "2.400 ms (5.00x)"),
    ]
    assert columns([ORIGINAL, limited])[5:] == ("Memory (factor)", "Latency (factor)")
    assert table_rows([ORIGINAL, limited])[1][5:] == ("1500.0 kB", "2.400 ms")
    write_result(limited, tmp_path)
    assert read_results(tmp_path) == [limited]


def test_metrics_of_users_must_not_be_called_as_columns_are():
    check_names([Metric("mAP")])
    with pytest.raises(ConfigError, match="do not use already, received flops, label; rename them"):
        check_names([Metric("flops"), Metric("mAP"), Metric("label")])
