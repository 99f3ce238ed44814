"""Starts that projection makes one candidate: a search tries it once, by either strategy."""

from search.strategies.joint import run_joint
from search.study.trial_record import records
from tests.search.fixtures.nets import PRUNE_FIRST, trained_like
from tests.search.strategies.staged_runs import FakePoolFactory, staged

NET = trained_like((12, 16))


def test_a_joint_search_tries_each_candidate_once(tmp_path):
    for _ in range(2):  # Once more when it is resumed.
        search = staged(tmp_path, NET, PRUNE_FIRST, FakePoolFactory(), budget=0.6, trials=5)
        run_joint(search.job, search.study, search.open_pool)
        names = [record.start for record in records(search.study)]
        assert names == ["uniform pruning", "SLAMP", "SLAMP on feature maps", "uniform", "uniform pruning + VBMF"]
        assert len({repr(record.parameters) for record in records(search.study)}) == 5
    assert len(search.study.trials) == 5


def test_each_stage_tries_each_candidate_once(tmp_path):
    search = staged(tmp_path, NET, PRUNE_FIRST, FakePoolFactory(), budget=0.9, trials=8)
    search.run()
    for study in (search.first, search.study):
        named = [repr(record.parameters) for record in records(study) if record.start is not None]
        assert len(set(named)) == len(named)
