"""The Ray actor that judges candidates: it holds the model and the data once and never sees the study."""

import gc
import os
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from compress.errors import RunError, TuckpruneError, typed_line
from compress.graph.analysis import analyse
from compress.graph.choices import NO_CHOICES, Choices
from compress.graph.frozen import unfrozen
from compress.model_files.custom_objects import register_custom_objects
from compress.parameters import PRUNE, CompressionParameters, Stage
from compress.pruning.settings import PruningSettings
from compress.recipe import SimpleCompression, Values, compress_in_stages, own_values, used_values
from objectives.budget.budget import Budget
from objectives.budget.recommended import BudgetValues, stage_values
from objectives.cost.cost_model import CostModel
from objectives.score.candidate_repairs import CandidateRepairs
from objectives.score.fine_tuning import FineTuning
from objectives.score.own_trials import OwnTrial, OwnTrials
from objectives.score.proxy import ProxySettings, ScoreProxy
from objectives.score.repair import Repair
from search.environment import use_threads
from search.study.judgement import Conditions, Judgement
from search.workers.shared_images import check_files, with_shared_images
from zoo.data.dataset import Data
from zoo.data.split import drawn
from zoo.tasks.own_task import OwnTask
from zoo.training.evaluation import score_on


@dataclass(frozen=True)
class Middle:
    """The fine-tuned model between the two stages of a search.

    Attributes:
        parameters: of the first stage alone.
        model: as ``model_bytes`` packs it.
    """

    parameters: CompressionParameters
    model: bytes


@dataclass(frozen=True)
class FinalTask:
    """How finalists are judged.

    Attributes:
        tuning: the fine-tuning after each stage.
        budget: that recommended values must meet.
        choices: the choices per layer that recommended values respect.
        middle: a model that was fine-tuned so after the first stage, from which finalists with its parameters go on;
            None for finalists that all begin with the original.
    """

    tuning: FineTuning
    budget: Budget
    choices: Choices = NO_CHOICES
    middle: Middle | None = None


@dataclass(frozen=True)
class Task:
    """What workers need to judge candidates, sent to each of them once.

    Attributes:
        model: the original model as ``model_bytes`` packs it.
        dataset: images and their targets, or a task of the user's own.
        proxy: how a candidate is repaired and scored.
        recipe: order of the stages.
        pruning: which channels go, and what the kept ones are rounded to.
        threads: TensorFlow threads per worker.
        final: how finalists are judged; None where there are none.
        teacher: the model that candidates learn from by distillation, as ``model_bytes`` packs it; None for ``model``.
        custom_objects: module of the user's own classes in the models, which a worker imports.
        unfreeze: frozen layers that these stages can change are trained; of the whole recipe, also where a task has one
            stage of it.
        rungs: steps after which a trial may be judged.
    """

    model: bytes
    dataset: Data
    proxy: ProxySettings
    recipe: tuple[Stage, ...]
    pruning: PruningSettings
    threads: int
    final: FinalTask | None = None
    teacher: bytes | None = None
    custom_objects: str | None = None
    unfreeze: tuple[Stage, ...] = ()
    rungs: tuple[int, ...] = ()

    def shared(self) -> "Task":
        """The task with images in files decoded, as far as trials read them: once, instead of by every worker.

        Raises:
            DataError: a file that cannot be decoded, by its name.
        """
        steps = max((self.proxy.steps, *self.rungs))
        return replace(self, dataset=with_shared_images(self.dataset, self.proxy, steps))


@dataclass(frozen=True)
class _Held:
    """The candidate that was judged last, and its repair, which can be continued."""

    parameters: CompressionParameters
    repair: Repair | OwnTrial


class TrialWorker:
    """Judges candidates, one at a time, in a process of its own; raised errors become failed judgements."""

    def __init__(self, task: Task) -> None:
        # More threads than cores slow every worker down.
        use_threads(task.threads)
        self._begin(task)

    def take(self, task: Task, warm_up: bool) -> float | None:
        """Replace the task by another one with the same number of threads.

        Returns:
            Seconds of the warm-up where one is asked for, else None.
        """
        vars(self).clear()
        gc.unfreeze()
        gc.collect()
        self._begin(task)
        if warm_up:
            return self.warm_up()
        self.ready()
        return None

    def _begin(self, task: Task) -> None:
        check_files(task.dataset)
        self._task = task
        register_custom_objects(task.custom_objects)
        self._original = model_of(task.model)
        if task.unfreeze:
            self._original = unfrozen(self._original, task.unfreeze, task.pruning.across_normalization)
        # Where pruning comes first, every trial prunes the original, whose channels need to be scored only once.
        pruning = task.pruning.measured(self._original) if task.recipe[0] == PRUNE else task.pruning
        teacher = self._original if task.teacher is None else model_of(task.teacher)
        images = task.proxy.reconstruction_images
        calibration = drawn(task.dataset, images, task.proxy.seed) if images else None
        self._proxy: Any
        self._candidates: CandidateRepairs | OwnTrials
        if isinstance(task.dataset, OwnTask):
            self._proxy = self._candidates = OwnTrials(
                self._original, task.dataset, task.proxy, task.recipe, pruning, calibration, task.rungs, teacher
            )
        else:
            self._proxy = ScoreProxy(task.dataset, task.proxy, teacher)
            self._candidates = CandidateRepairs(self._original, self._proxy, task.recipe, pruning, calibration)
        self._conditions = Conditions.here(task.proxy.seed, self._proxy.precision.name, task.threads)
        self._held: _Held | None = None

    def ready(self) -> None:
        """Return when everything is loaded, and take all of it out of the garbage collector's care."""
        gc.collect()
        gc.freeze()

    def warm_up(self) -> float | None:
        """Trace and compile the network that trials share, by one training step of the original model.

        Returns:
            The seconds that it took; None for a task of the user's own, whose trials share no network.
        """
        if isinstance(self._task.dataset, OwnTask):
            self.ready()
            return None
        warmed = self.judge(CompressionParameters.none(), min(1, self._task.proxy.steps))
        self._held = None
        self.ready()
        return warmed.seconds

    def judge(self, parameters: CompressionParameters, steps: int | None = None) -> Judgement:
        """Compress, repair and score one candidate.

        Args:
            parameters: the candidate.
            steps: of training; None for those of the first rung.
        """
        total = self._task.proxy.steps if steps is None else steps
        return self._with_conditions(lambda: self._repair_and_score(parameters, total))

    def go_on(self, parameters: CompressionParameters, steps: int) -> Judgement:
        """Train a candidate until it has taken ``steps`` steps in all, and score it again.

        The candidate that was judged last takes the missing steps, any other one all of them. Training never reads the
        statistics that scoring estimates, so that the result is the same.
        """
        held = self._held
        if held is None or held.parameters != parameters or held.repair.steps >= steps:
            return self.judge(parameters, steps)
        return self._with_conditions(lambda: self._score_after(held.repair, steps))

    def probe(self, parameters: CompressionParameters) -> Judgement:
        """Compress, recalibrate and score one candidate of the sweep, without a step of training, on few images."""
        return _judgement(lambda: self._probed(parameters))

    def fine_tune(self, parameters: CompressionParameters | None) -> Judgement:
        """Compress one candidate, or recommended values for None, with fine-tuning after each stage, and score it.

        The judgement holds the model.
        """
        return _judgement(lambda: self._fine_tune_and_score(parameters))

    def _with_conditions(self, work: Callable[[], Judgement]) -> Judgement:
        return replace(_judgement(work), conditions=self._conditions, worker=f"{socket.gethostname()}:{os.getpid()}")

    def _repair_and_score(self, parameters: CompressionParameters, steps: int) -> Judgement:
        self._held = None  # Frees the last candidate's network before the next one is made.
        self._held = _Held(parameters, self._candidates.start(parameters))
        return self._score_after(self._held.repair, steps)

    def _probed(self, parameters: CompressionParameters) -> Judgement:
        self._held = None
        scored = self._proxy.probe(self._candidates.start(parameters))
        return Judgement(scored.score, scored.seconds)

    def _score_after(self, repair: Repair | OwnTrial, steps: int) -> Judgement:
        scored = self._proxy.rung(repair, steps)
        return Judgement(scored.score, scored.seconds)

    def _fine_tune_and_score(self, parameters: CompressionParameters | None) -> Judgement:
        self._held = None
        task, final = self._task, self._task.final
        if final is None:
            raise RunError("expected a task with settings for finalists, received one without; set Task.final")
        made = self._compressed(final, parameters)
        data, proxy = task.dataset, task.proxy
        score = score_on("validation", made.model, data, proxy.metric, proxy.batch_size)
        return Judgement(score, 0.0, parameters=made.parameters, model=model_bytes(made.model))

    def _compressed(self, final: FinalTask, parameters: CompressionParameters | None) -> SimpleCompression:
        """A finalist after its fine-tuning; one that begins as the model between the stages goes on from there."""
        task, middle = self._task, final.middle
        model, recipe = self._original, task.recipe
        values = self._recommended(final) if parameters is None else own_values(parameters)
        if middle is not None and parameters is not None and used_values(parameters, recipe[:1]) == middle.parameters:
            model, recipe = model_of(middle.model), recipe[1:]

        def train_stage(model: Any, stage: Stage) -> None:
            final.tuning(model, task.dataset, self._original)

        made = compress_in_stages(model, values, recipe, fine_tune=train_stage, pruning=task.pruning)
        return made if parameters is None else replace(made, parameters=used_values(parameters, task.recipe))

    def _recommended(self, final: FinalTask) -> Values:
        size = self._task.dataset.image_size
        graph = analyse(self._original, image_size=size)
        original = CostModel(graph, final.budget.table).cost(CompressionParameters.none())
        recommended = BudgetValues(
            self._task.recipe, final.budget, original, self._task.pruning, final.choices, image_size=size
        )
        return stage_values(recommended)


def _judgement(work: Callable[[], Judgement]) -> Judgement:
    """The judgement that ``work`` returns, with its duration, or a failed one with the error that it raises."""
    started = time.perf_counter()
    try:
        judgement = work()
    except TuckpruneError as error:
        return Judgement.failed(time.perf_counter() - started, str(error))
    except Exception as error:  # No error of one candidate may end the run; the study stores the reason.
        return Judgement.failed(time.perf_counter() - started, typed_line(error, 500))
    finally:
        gc.collect()
    return replace(judgement, seconds=time.perf_counter() - started)


def model_bytes(model: Any) -> bytes:
    """The model as the bytes of a ``.keras`` file, without the state of its optimizer."""
    from compress.model_files.files import save_model

    with tempfile.TemporaryDirectory() as folder:
        return save_model(model, Path(folder) / "model.keras").read_bytes()


def model_of(content: bytes) -> Any:
    """The model from the bytes that ``model_bytes`` returned."""
    from compress.model_files.files import load_model

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(content)
        return load_model(path)
