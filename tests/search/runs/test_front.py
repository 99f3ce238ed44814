"""The front of a run, against a count of every pair, and what a run offers once it had finals."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from compress.parameters import CompressionParameters
from objectives.budget.budget import Limit
from objectives.cost.cost import Cost
from objectives.cost.quantities.standard import FLOPS, MEMORY, PARAMS
from search.runs.outcome import SearchOutcome
from search.runs.points import best_within, front, points
from search.runs.run_folder import RunFolder
from search.study.finalist import RECOMMENDED, Finalist
from search.study.judgement import Rung
from search.study.ranking import select_finalists, winner_of
from search.study.trial_record import SENSITIVITY_START, TrialRecord
from zoo.tasks.metric import ACCURACY, LOSS, Score


def record(number, flops, accuracy, *, loss=0.5, params=10, level=None, metric=ACCURACY, ratio=None):
    state = "failed" if accuracy is None else "complete"
    parameters = CompressionParameters({"add": 0.001 * (number if ratio is None else ratio)}, {})
    spent = Cost(flops, params, 4 * params, memory=100 * params)
    return TrialRecord(
        number,
        state,
        parameters,
        spent,
        None if accuracy is None else Score({"accuracy": accuracy, "loss": loss}),
        1.0,
        None,
        None,
        metric,
        level=level,
    )


def finalist(source, flops, accuracy):
    cost = None if accuracy is None else Cost(flops, 10, 40)
    return Finalist(
        source,
        CompressionParameters({"add": 0.5}, {}),
        cost,
        None if accuracy is None else Score({"accuracy": accuracy, "loss": 0.1}),
        1.0,
        None,
        ACCURACY,
    )


TRIALS = st.lists(
    st.tuples(st.integers(1, 8), st.integers(1, 8), st.none() | st.integers(0, 6), st.integers(0, 2)), max_size=25
)


@given(TRIALS, st.sampled_from([FLOPS, PARAMS, MEMORY]), st.sampled_from([ACCURACY, LOSS]))
def test_nothing_on_the_front_is_dominated_and_all_else_is(rows, quantity, metric):
    candidates = [
        record(number, flops, score, loss=loss, params=params, metric=metric)
        for number, (flops, params, score, loss) in enumerate(rows)
    ]

    def dominates(one, other):
        cheap, good = quantity.of(one.cost) - quantity.of(other.cost), one.objective - other.objective
        if (cheap, good) == (0, 0):
            return (one.score.loss, one.number) < (other.score.loss, other.number)
        return cheap <= 0 <= good

    judged = [one for one in candidates if one.score is not None]
    expected = [one for one in judged if not any(dominates(other, one) for other in judged if other is not one)]
    assert front(candidates, quantity) == sorted(expected, key=lambda one: quantity.of(one.cost))


def test_a_higher_rung_is_ahead_of_a_higher_score():
    low, high = (
        Rung(30, Score({"accuracy": 0.5, "loss": 0.5}), 0.5),
        Rung(90, Score({"accuracy": 0.5, "loss": 0.5}), 0.5),
    )
    candidates = [
        replace(record(0, 100, 0.6), rungs=(low,)),
        replace(record(1, 200, 0.5), rungs=(low, high)),
        replace(record(2, 300, 0.9), rungs=(low,)),
        replace(record(3, 400, 0.7), rungs=(low, high)),
    ]
    assert [point.number for point in front(candidates, FLOPS)] == [0, 1, 3]
    assert [chosen.number for chosen in select_finalists(candidates, 4)] == [3, 1, 2, 0]


def test_points_by_hand():
    candidates = [
        record(0, 100, 0.5),
        record(1, 200, 0.4),  # dearer and worse than trial 0
        record(2, 200, 0.6),
        record(3, 300, None),
        record(4, 310, 0.7),
        record(5, 300, 0.7),  # as good as trial 4 and cheaper
        record(6, 400, 0.8),
    ]
    assert [one.number for one in front(candidates, FLOPS)] == [0, 2, 5, 6]
    # Trial 4 comes out ahead of trial 5 and of the recommended values; trial 6 failed there.
    tuned = [
        finalist("trial 4", 310, 0.92),
        finalist("trial 5", 300, 0.9),
        finalist(RECOMMENDED, 305, 0.89),
        finalist("trial 6", 400, None),
    ]
    offered = points(candidates, tuned, FLOPS)
    assert [(one.source, one.score.figures["accuracy"]) for one in offered] == [
        ("trial 0", 0.5),
        ("trial 2", 0.6),
        ("trial 5", 0.9),
        ("trial 4", 0.92),
        ("trial 6", 0.8),
    ]
    for most, source in (
        (99, None),
        (100, "trial 0"),
        (299, "trial 2"),
        (309, "trial 5"),
        (399, "trial 4"),
        (1e9, "trial 6"),
    ):
        best = best_within(offered, Limit(FLOPS, most, ""))
        assert (best and best.source) == source
    assert points([record(0, 100, None)], [], FLOPS) == []


def test_of_equal_costs_what_was_fine_tuned_is_taken():
    offered = points([record(0, 100, 0.5)], [finalist(RECOMMENDED, 100, 0.4)], FLOPS)
    assert [one.source for one in offered] == ["trial 0", RECOMMENDED]
    assert best_within(offered, Limit(FLOPS, 100, "")).source == RECOMMENDED


LEVELS = [
    record(0, 100, 0.5, level=0),
    record(1, 200, 0.9, level=1),
    record(2, 400, 0.8, level=2),
    record(3, 100, 0.6, level=0),
    record(4, 200, 0.7, level=1),
    record(5, 400, 0.99, level=2, ratio=1),  # the parameters of trial 1, which makes way
    record(6, 100, None, level=0),
    record(7, 100, 0.55, level=0),
]


def test_the_best_of_every_level_take_part_in_the_finals():
    assert [one.number for one in select_finalists(LEVELS, 1)] == [3, 4, 5]
    assert [one.number for one in select_finalists(LEVELS, 4)] == [3, 4, 5, 7]
    assert [one.number for one in select_finalists(LEVELS, 99)] == [3, 4, 5, 7, 2, 0]
    assert select_finalists([], 3) == []
    plain = [record(number, 100, accuracy) for number, accuracy in enumerate([0.5, 0.9, 0.7, 0.8])]
    assert [one.number for one in select_finalists(plain, 3)] == [1, 3, 2]


def test_the_start_of_the_sweep_has_the_last_place_of_the_finals():
    plain = [record(number, 100, accuracy) for number, accuracy in enumerate([0.5, 0.9, 0.7, 0.8])]
    plain[0] = replace(plain[0], start=SENSITIVITY_START)
    chosen = {count: [one.number for one in select_finalists(plain, count)] for count in (1, 2, 3, 4)}
    assert chosen == {1: [1], 2: [1, 0], 3: [1, 3, 0], 4: [1, 3, 2, 0]}
    best = [replace(plain[1], start=SENSITIVITY_START), plain[2], plain[3]]
    assert [one.number for one in select_finalists(best, 2)] == [1, 3]
    failed = [record(0, 100, None), *plain[1:]]
    assert [one.number for one in select_finalists(failed, 2)] == [1, 3]
    # Of a front the run's own level alone, and no level's best makes way for it.
    wider = [replace(one, start=SENSITIVITY_START) if one.number in (0, 2) else one for one in LEVELS]
    assert [one.number for one in select_finalists(wider, 3)] == [3, 4, 5]
    assert [one.number for one in select_finalists(wider, 4)] == [3, 4, 5, 0]


def test_a_search_says_where_none_of_its_proposals_won():
    plain = [replace(record(0, 100, 0.8), start=SENSITIVITY_START), record(1, 100, 0.9)]

    def remark(*finalists):
        return SearchOutcome(RunFolder(Path("run")), plain, list(finalists), winner_of(plain, finalists)).remark

    assert remark() == ""
    assert "ahead of the start 'sensitivity': " in remark(finalist("trial 0", 100, 0.9), finalist("trial 1", 100, 0.8))
    assert "ahead of recommended values: " in remark(finalist(RECOMMENDED, 100, 0.9), finalist("trial 1", 100, 0.8))


def test_only_the_budgets_own_level_can_win():
    assert winner_of(LEVELS, []).source == "trial 3"
    judged = [finalist("trial 2", 400, 0.99), finalist("trial 7", 100, 0.8), finalist("trial 3", 100, 0.7)]
    assert winner_of(LEVELS, judged).source == "trial 7"
    assert winner_of(LEVELS, [*judged, finalist(RECOMMENDED, 90, 0.85)]).source == RECOMMENDED
    assert winner_of(LEVELS, judged[:1]).source == "trial 3"
    assert winner_of([one for one in LEVELS if one.level], judged[:1]) is None
