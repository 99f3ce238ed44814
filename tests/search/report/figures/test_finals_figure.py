"""What a short repair said of the finalists, and what the whole recipe made of them."""

from dataclasses import replace

import pytest

from search.report.figures.finals import Reranked, proxy_and_final
from search.study.finalist import RECOMMENDED, Finalist
from tests.search.report.report_runs import COST, PARAMETERS, by_name, record
from zoo.tasks.metric import ACCURACY, LOSS, Score


def finalist(source, accuracy, metric=ACCURACY):
    loss, error = (None, "failed") if accuracy is None else (1 - accuracy, None)
    return Finalist(
        source,
        PARAMETERS,
        COST,
        None if accuracy is None else Score({"accuracy": accuracy, "loss": loss}),
        1.0,
        error,
        metric,
    )


def test_it_holds_the_finalists_that_were_trials():
    trials = [record(0, 0.5), record(1, 0.6), record(2, 0.7), record(3, 0.8)]
    judged = [("trial 3", 0.91), (RECOMMENDED, 0.99), ("trial 0", None), ("trial 2", 0.93), ("trial 1", 0.9)]
    reranked = Reranked.of(trials, [finalist(*one) for one in judged])
    assert reranked == Reranked("accuracy", ("trial 3", "trial 2", "trial 1"), (0.8, 0.7, 0.6), (0.91, 0.93, 0.9))
    figure = proxy_and_final(reranked)
    drawn = by_name(figure)["finalist"]
    assert (list(drawn.x), list(drawn.y), list(drawn.text)) == (
        [0.8, 0.7, 0.6],
        [0.91, 0.93, 0.9],
        list(reranked.sources),
    )
    # Ranks 3 2 1 and 2 3 1: 1 - 6 (1 + 1) / (3 (9 - 1)) = 0.5.
    assert reranked.correlation == pytest.approx(0.5)
    assert figure.layout.title.text == "Proxy against final accuracy: Spearman correlation 0.50 of 3"


def test_it_is_of_what_they_were_ranked_by():
    trials = [replace(record(0, 0.5), score=Score({"accuracy": 0.5, "loss": 0.3}))]
    reranked = Reranked.of(trials, [finalist("trial 0", 0.75, LOSS)])
    assert reranked == Reranked("loss", ("trial 0",), (0.3,), (0.25,))
    assert proxy_and_final(reranked).layout.title.text == "Proxy against final loss: too few to correlate of 1"


def test_equal_figures_do_not_correlate():
    assert Reranked("accuracy", ("a", "b", "c"), (0.5, 0.5, 0.5), (0.1, 0.2, 0.3)).correlation is None


def test_a_run_without_finals():
    assert Reranked.of([record(0, 0.5)], []) is None
