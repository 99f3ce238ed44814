"""Staged searches without Ray: fake pools, one after another, that can be stopped anywhere."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters, Stage
from compress.pruning.settings import DEFAULT_PRUNING
from compress.recipe import apply_parameters
from objectives.cost.cost_model import CostModel
from search import settings
from search.runs.run_folder import RunFolder
from search.space.space import SearchSpace
from search.strategies.earlier_run import EarlierRun
from search.strategies.job import Job
from search.strategies.staged import Staged
from search.study.identity import first_study
from search.study.judgement import Judgement
from search.study.storage import open_study
from search.workers.worker import Task, model_bytes, model_of
from tests.search.fixtures.fake_pool import FakePool, judged
from tests.search.fixtures.nets import flops_budget
from tests.search.fixtures.recorder import Recorder
from tests.search.fixtures.runs import config
from zoo.tasks.metric import ACCURACY, Score

RECOMMENDED = CompressionParameters({"add": 0.9}, {})
"""What finals without workers take for the recommended values: far below any budget of these tests."""


MAKING = "making"
"""To stop at when the model between the stages is made."""


class FakePoolFactory:
    """Makes fake pools of one worker; the judgement of this number, counted over all pools, is interrupted.

    What it makes of the first stage's winner has been "fine-tuned": its biases are larger by one.
    """

    def __init__(self, stop_at: int | str | None = None) -> None:
        self.stop_at = stop_at
        self.tasks: list[Task] = []
        self.pools: list[FakePool] = []
        self.judged = 0

    @contextmanager
    def __call__(self, model: Any, task: Task, candidates: int) -> Iterator[Any]:
        self.tasks.append(task)
        between_stages = len(task.recipe) == 1
        self.pools.append(FakePool(judge=self._judge, make=partial(self._make, task) if between_stages else None))
        yield self.pools[-1]

    def _make(self, task: Task, parameters: CompressionParameters) -> Judgement:
        if self.stop_at == MAKING:
            raise KeyboardInterrupt
        made = apply_parameters(model_of(task.model), parameters, task.recipe, pruning=task.pruning)
        bias = made.layers[-1].bias
        bias.assign_add([1.0] * bias.shape[0])
        return replace(judged(parameters), model=model_bytes(made))

    def _judge(self, parameters: CompressionParameters | None) -> Judgement:
        if self.judged == self.stop_at:
            raise KeyboardInterrupt
        self.judged += 1
        if parameters is None:
            return Judgement(Score({"accuracy": 0.1, "loss": 2.0}), 1.0, parameters=RECOMMENDED)
        return judged(parameters)


def staged(
    home: Path,
    model: Any,
    recipe: tuple[Stage, ...],
    open_pool: FakePoolFactory,
    *,
    budget: float = 0.4,
    finetune: Mapping[str, Any] = MappingProxyType({}),
    **search: Any,
) -> Staged:
    """A staged search of a model, in a run folder below ``home``; 6 trials, 2 finalists and no sweep by default."""
    given = {"trials": 6, "strategy": "staged", "sensitivity": False, **search}
    run = config(home, recipe=list(recipe), search=given, finetune={"epochs": 1, **finetune}, finals={"candidates": 2})
    space = SearchSpace(CostModel(analyse(model)), settings.space(run), run.recipe)
    limit = flops_budget(budget * space.cost.cost(CompressionParameters.none()).flops, str(budget))
    data = settings.dataset(run)
    job = Job(run, model, data, space, limit, DEFAULT_PRUNING, ACCURACY, Recorder(), EarlierRun("", ()))
    folder = RunFolder.of(run)
    folder.path.mkdir(parents=True, exist_ok=True)
    study, first = (open_study(folder.path, name, "journal") for name in (run.name, first_study(run)))
    return Staged.of(job, folder, study, first, open_pool)
