"""How far the finals are, where a run that had held them goes on with more trials."""

from dataclasses import replace

import pytest

from search.runs.status import status_of
from search.strategies.joint import run_joint
from search.study.judgement import Judgement
from tests.search.fixtures.nets import PRUNE_FIRST, trained_like
from tests.search.strategies.staged_runs import RECOMMENDED, FakePoolFactory, staged
from zoo.tasks.metric import Score

NET = trained_like((12, 16))


class Rising(FakePoolFactory):
    """Every judgement is better than all before it, in whatever pool; so are those of later trials."""

    def __init__(self, before, stop_at=None):
        super().__init__(stop_at)
        self.before = before

    def _judge(self, parameters):
        if self.judged == self.stop_at:
            raise KeyboardInterrupt
        self.judged += 1
        score = Score({"accuracy": (self.before + self.judged) / 100, "loss": 0.5})
        return Judgement(score, 1.0, parameters=RECOMMENDED if parameters is None else None)


def go_on(home, trials, open_pool):
    search = staged(home, NET, PRUNE_FIRST, open_pool, trials=trials)
    joint = search.job.config.with_strategy("joint")
    job = replace(search.job, config=joint)
    with search.folder.opened(joint):
        run_joint(job, search.study, open_pool)


def told(home):
    status = status_of(home / "runs" / "run")
    return status.finalists, status.finals, status.finished


def test_finalists_of_fewer_trials_do_not_finish_a_run(tmp_path):
    go_on(tmp_path, 8, Rising(0))
    assert told(tmp_path) == (3, 3, True)
    # Interrupted behind the last trial, when the best of all are others.
    with pytest.raises(KeyboardInterrupt):
        go_on(tmp_path, 12, Rising(20, stop_at=4))
    assert told(tmp_path) == (1, 3, False)
    with pytest.raises(KeyboardInterrupt):
        go_on(tmp_path, 12, Rising(40, stop_at=1))
    assert told(tmp_path) == (2, 3, False)
    go_on(tmp_path, 12, Rising(60))
    assert told(tmp_path) == (3, 3, True)
    go_on(tmp_path, 12, Rising(80))
    assert told(tmp_path) == (3, 3, True)
