"""The tasks that Keras's fit trains built models for, by name, made of a configuration's options."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress.errors import ConfigError
from compress.model_files.compiled import CompiledModel
from objectives.fitting.compiled import CompiledTraining
from objectives.fitting.outputs import OutputsTraining, OutputTask
from zoo.data.own_function import OwnFunction
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.own_class import BuiltIn
from zoo.tasks.own_task import OwnTask
from zoo.tasks.registry import BUILT, make_task, tasks
from zoo.training.training import TrainingSettings

COMPILED, OUTPUTS = BUILT
_KEYS = ("name", "options", "weight")


@dataclass(frozen=True)
class FittedTask:
    """Makes the tasks that Keras's fit trains.

    Attributes:
        model: file of the original, also where another model is trained.
        custom_objects: module of the user's own classes and functions in it.
        source: ``module:function``, which returns the splits.
        seed: draws the held-out examples.
        validation: share of the training arrays that is held out, where the data have no validation split.
        training: settings of final models; None where only trials are trained.
    """

    model: Path
    custom_objects: str | None
    source: str
    seed: int
    validation: float
    training: TrainingSettings | None

    def make(self, name: str, options: Mapping[str, Any], optimizer: KerasClass) -> OwnTask:
        """The task of this name.

        Args:
            name: of the task.
            options: of the task.
            optimizer: of trials, unless the model's file has one.

        Raises:
            ConfigError: options that the task does not take; or as ``compiled`` and ``outputs`` do.
        """
        known = {OUTPUTS} if name == OUTPUTS else set()
        unknown = sorted(set(options) - known)
        if unknown:
            raise ConfigError(
                f"task.options: {name} takes {' '.join(known) or 'none'}, received {', '.join(unknown)}; leave it out"
            )
        return self.outputs(options.get(OUTPUTS), optimizer) if name == OUTPUTS else self.compiled()

    def compiled(self) -> OwnTask:
        """The task as the file was compiled.

        Raises:
            ConfigError: a model that was not compiled.
            ModelError: a file that cannot be read so.
            DataError: no such function.
        """
        compiled = CompiledModel.read(self.model, self.custom_objects)
        if not compiled.config or compiled.config.get("loss") is None:
            raise ConfigError(
                f"task: expected a model that was compiled with a loss for {COMPILED}, received '{self.model}' "
                "without; call model.compile(...) and save it again, or choose another task"
            )
        return self._task(COMPILED, CompiledTraining, compiled=compiled)

    def outputs(self, given: Any, optimizer: KerasClass) -> OwnTask:
        """A task for each output.

        Args:
            given: ``name``, ``options`` and ``weight`` of each, by the name of the output.
            optimizer: of trials.

        Raises:
            ConfigError: tasks that cannot be made so.
            ModelError: a file that cannot be read.
            DataError: no such function.
        """
        made = {name: _output(name, one) for name, one in _mapping(given).items()}
        names = CompiledModel.read(self.model, self.custom_objects).output_names
        return self._task(OUTPUTS, OutputsTraining, outputs=made, names=names, optimizer=optimizer)

    def _task(self, name: str, kind: type, **options: Any) -> OwnTask:
        common = {"training": self.training, "validation": self.validation, "seed": self.seed}
        made = OwnTask(BuiltIn(name, kind), {"data": OwnFunction.load(self.source), **options, **common})
        made.user  # noqa: B018  Loads the data, whose errors are raised here.
        return made


def _mapping(given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping) or not given:
        raise ConfigError(
            "task.options.outputs: expected a task for each output, such as {kind: classification}, received "
            f"{given!r}"
        )
    return given


def _output(name: str, given: Any) -> OutputTask:
    """The task of one output, of its name or a section."""
    key = f"task.options.outputs.{name}"
    section: Any = {"name": given} if isinstance(given, str) else given
    if not isinstance(section, Mapping) or not isinstance(section.get("name"), str):
        raise ConfigError(
            f"{key}: expected the name of a task, or a section with name, options, weight; received {given!r}"
        )
    unknown = sorted(set(section) - set(_KEYS))
    if unknown:
        raise ConfigError(f"{key}: expected {', '.join(_KEYS)}, received {', '.join(unknown)}; leave it out")
    weight = section.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
        raise ConfigError(f"{key}.weight: expected a number of at least 0, received {weight!r}")
    if section["name"] not in tasks():
        raise ConfigError(f"{key}.name: expected one of {', '.join(tasks())}, received {section['name']!r}")
    try:
        return OutputTask(make_task(section["name"], section.get("options", {})), float(weight))
    except ConfigError as error:
        raise ConfigError(f"{key}.{str(error).removeprefix('task.')}") from None
