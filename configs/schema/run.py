"""The typed contents of a configuration file: one class per section, `RunConfig` for the whole."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, create_model, field_validator, model_validator

from compress.pruning.registry import criterion_names
from configs.schema.data import DataConfig, TaskConfig
from configs.schema.own_task import check_fitted, check_own
from configs.schema.search import STAGED, FinalsConfig, FrontConfig, RungsConfig, SearchConfig, Strategy, obstacle
from configs.schema.section import Amount, Count, OneOf, Text, not_empty
from configs.schema.section import Section as _Section
from configs.schema.space import SpaceConfig
from configs.schema.training import FinetuneConfig, ProxyConfig, TrainingConfig
from objectives.cost.quantity import quantities


def _folder_safe(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise ValueError(
            "expected a folder name of 1 to 64 letters, digits, dots, dashes or underscores, starting with a letter or"
            f" digit, received {name!r}"
        )
    return name


FolderName = Annotated[str, AfterValidator(_folder_safe)]
Stage = Literal["prune", "decompose"]
# Files have lists where Python has tuples.
Loggers = Annotated[tuple[Literal["tensorboard", "mlflow"], ...], Field(strict=False)]
Stages = Annotated[tuple[Stage, ...], Field(strict=False), AfterValidator(not_empty)]


class ModelConfig(_Section):
    """The model to compress: exactly one of zoo and path."""

    zoo: Text | None = Field(default=None, description="name of a model of the zoo, to be trained")
    path: Text | None = Field(
        default=None, description="a trained model: .keras, .h5 or SavedModel, relative to the working directory"
    )
    custom_objects: Text | None = Field(
        default=None,
        description="module that defines layers of your own which the model holds, imported before it is loaded, here "
        "and in workers; it may lie in the working directory",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.zoo is None) == (self.path is None):
            raise ValueError(f"expected exactly one of zoo and path, received zoo={self.zoo!r} and path={self.path!r}")
        return self


def _a_key_for_each_quantity(section: type[_Section]) -> type[_Section]:
    """The section with an optional amount for every registered quantity."""
    keys: dict[str, Any] = {
        name: (Amount | None, Field(default=None, description=quantity.description))
        for name, quantity in quantities().items()
    }
    return create_model(
        section.__name__, __base__=section, __module__=section.__module__, __doc__=section.__doc__, **keys
    )


@_a_key_for_each_quantity
class BudgetConfig(_Section):
    """What the compressed model may cost: at least one of the keys; all that are given are met."""

    @property
    def amounts(self) -> dict[str, float | int | str]:
        """The amounts that are given, by the name of their quantity."""
        return self.model_dump(exclude_none=True)

    @model_validator(mode="after")
    def _at_least_one(self) -> Self:
        if not self.amounts:
            raise ValueError(f"expected at least one of {', '.join(type(self).model_fields)}, received none of them")
        return self


class LatencyConfig(_Section):
    """How latency is measured, for a budget that limits it: once, on the machine that drives the search."""

    runtime: Literal["litert", "keras"] = Field(
        default="litert", description="the model as LiteRT (TensorFlow Lite) runs it in float32, or as Keras does"
    )
    threads: Count = Field(
        default=1, description="of LiteRT; Keras takes those of the process, TF_NUM_INTRAOP_THREADS in the environment"
    )
    batch: Count = Field(default=1, description="images of one forward pass")
    warm_up: int = Field(default=5, ge=0, description="passes that are not timed")
    runs: Count = Field(default=50, description="passes that are timed; their first quartile counts")


class PruningConfig(_Section):
    """Which channels go, once a ratio says how many; for a search and for simple compression alike."""

    criterion: Annotated[str, OneOf(criterion_names)] = Field(
        default="l2_norm",
        description="what makes a channel important: its filter's norm, its filter's distance to the"
        " others, or its feature maps",
    )
    images: Count = Field(
        default=64, description="training images for a criterion that looks at feature maps, as nuclear_norm does"
    )
    layer_norm: Literal["none", "standard_score", "tss_norm", "linear_scaling", "softmax_norm"] = Field(
        default="none", description="scaling of each layer's scores before the layers of a group are combined"
    )
    group_policy: Literal["average", "sum"] = Field(
        default="average", description="how channels of one layer that go together are combined"
    )
    policy: Literal["average", "sum"] = Field(default="average", description="how the layers of a group are combined")
    step: Count = Field(default=1, description="kept channels are rounded to a multiple of this")
    rounding: Literal["up", "down", "nearest", "none"] = Field(default="up", description="how they are rounded")
    across_normalization: bool = Field(
        default=False,
        description="whether channels may go over which a layer normalizes, as layer normalization does; what stays is "
        "normalized with statistics of its own, so that pruning is not exact there",
    )


class SimpleConfig(_Section):
    """Simple compression by recommended values, for comparison: ratios by a method without a search, VBMF's ranks."""

    method: Literal["slamp", "inner", "sensitivity"] = Field(
        default="slamp",
        description="of the ratios; slamp: NPTK's, by the weights alone; inner: one ratio for the layers within "
        "residual blocks, whose sums stay whole; sensitivity: ratios and ranks that the sweep of a search suggests at "
        "the budget, without a trial",
    )
    ratio: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="global ratio of slamp, or of inner, or null for the one that meets the budget",
    )
    calibration: float = Field(
        default=0.0, ge=-1, le=1, description="shifts VBMF ranks: 1 keeps all channels, -1 removes most"
    )

    @model_validator(mode="after")
    def _budget_alone(self) -> Self:
        if self.method == "sensitivity" and (self.ratio is not None or self.calibration):
            raise ValueError(
                "expected no ratio and no calibration with method sensitivity, which meets the budget, received ratio "
                f"{self.ratio} and calibration {self.calibration}; leave them out"
            )
        return self


class RunConfig(_Section):
    """Everything that one run depends on."""

    name: FolderName = Field(description="of the run folder")
    seed: int = Field(default=0, ge=0, lt=2**31, description="of every random choice")
    model: ModelConfig
    task: TaskConfig | None = Field(
        default=None, description="what the model is for, or null for classification, or what the data say"
    )
    data: DataConfig | None = Field(
        default=None,
        validate_default=True,
        description="where the images come from, or null with a task of your own, which has its data",
    )
    training: TrainingConfig = TrainingConfig()
    finetune: FinetuneConfig = Field(default=FinetuneConfig(), validate_default=True)
    budget: BudgetConfig
    front: FrontConfig | None = Field(default=None, description="budgets to search at once, or null for one")
    latency: LatencyConfig = LatencyConfig()
    space: SpaceConfig = SpaceConfig()
    pruning: PruningConfig = PruningConfig()
    recipe: Stages = Field(default=("prune", "decompose"), description="the stages in their order, each once")
    proxy: ProxyConfig = ProxyConfig()
    rungs: RungsConfig = RungsConfig()
    search: SearchConfig = SearchConfig()
    finals: FinalsConfig = FinalsConfig()
    simple: SimpleConfig = SimpleConfig()
    runs: Text = Field(default="runs", description="parent of the run folder")
    log_to: Loggers = Field(
        default=(), description="tensorboard: trials and training epochs, in the run folder; mlflow: trials"
    )

    @field_validator("data")
    @classmethod
    def _data_unless_own(cls, value: DataConfig | None, info: ValidationInfo) -> DataConfig | None:
        task = info.data.get("task")
        if value is None and (task is None or not task.is_own):
            raise ValueError("expected a value, received nothing")
        return value

    @field_validator("finetune", mode="before")
    @classmethod
    def _inherit_training(cls, value: Any, info: ValidationInfo) -> Any:
        """Fill keys left out from `training`, which is absent from `info` if it is itself in error."""
        given = value.model_dump(exclude_unset=True) if isinstance(value, FinetuneConfig) else value
        if not isinstance(given, dict) or "training" not in info.data:
            return value
        training = info.data["training"]
        return {**training.model_dump(), "learning_rate": training.learning_rate / 10, **given}

    @model_validator(mode="after")
    def _own_task_fits(self) -> Self:
        if self.own_task is not None:
            check_own(self.own_task.name, self.model.zoo, self.data, self.proxy, self.finetune)
        if self.task is not None and self.task.is_fitted:
            check_fitted(self.task.name, self.model.zoo, self.data, self.proxy, self.finetune)
        return self

    @property
    def own_task(self) -> TaskConfig | None:
        """The task, where it is a class of the user's."""
        return self.task if self.task is not None and self.task.is_own else None

    @property
    def source(self) -> str:
        """Where the data come from: ``data.source``, or the class of the user's own."""
        return self.data.source if self.data is not None else "" if self.task is None else self.task.name

    @model_validator(mode="after")
    def _recipe_fits(self) -> Self:
        if len(set(self.recipe)) < len(self.recipe):
            raise ValueError(f"expected each stage of recipe once, received {list(self.recipe)}")
        if self.space.ranks != ("decompose" in self.recipe):
            raise ValueError(
                "expected 'decompose' in recipe exactly when space.ranks is true, received"
                f" recipe {list(self.recipe)} and space.ranks {self.space.ranks}; change one of them"
            )
        return self

    @model_validator(mode="after")
    def _choices_fit(self) -> Self:
        for pattern, choice in self.space.layers.items():
            needed = {"prune": choice.ratio is not None, "decompose": choice.has_ranks}
            missing = [stage for stage, is_needed in needed.items() if is_needed and stage not in self.recipe]
            if missing and not choice.is_kept:
                raise ValueError(
                    f"space.layers.{pattern}: expected '{missing[0]}' in recipe, received recipe {list(self.recipe)};"
                    " change one of them"
                )
        return self

    @model_validator(mode="after")
    def _front_fits(self) -> Self:
        if self.front is None:
            return self
        if getattr(self.budget, self.front.quantity) is None:
            raise ValueError(
                f"front: expected a quantity that the budget limits, received {self.front.quantity}; "
                f"add budget.{self.front.quantity}, the tightest limit of the front"
            )
        if not self.search.projection:
            raise ValueError(
                "front: expected search.projection true, which meets the budget of each trial, received false; "
                "change one of them"
            )
        if self.front.levels > self.search.trials:
            raise ValueError(
                f"front: expected at most as many levels as search.trials = {self.search.trials}, received "
                f"{self.front.levels}, of which some would get no trial; change one of them"
            )
        return self

    @model_validator(mode="after")
    def _rungs_go_on(self) -> Self:
        first, steps = self.proxy.steps, self.rungs.steps
        if steps and steps[0] <= first:
            raise ValueError(
                f"expected rungs.steps to go on from the first rung, proxy.steps = {first}, received {list(steps)};"
                " leave out what is not above it"
            )
        return self

    @model_validator(mode="after")
    def _strategy_fits(self) -> Self:
        if self.search.strategy == STAGED and self.staged_obstacle is not None:
            raise ValueError(f"{self.staged_obstacle}; change it, or set search.strategy: joint")
        return self

    @property
    def staged_obstacle(self) -> str | None:
        """Why the run cannot be searched in two stages, as far as the configuration tells; None where it can."""
        return obstacle(self.recipe, self.finetune.epochs, self.search.trials, self.front is not None)

    def with_strategy(self, strategy: Strategy) -> Self:
        """This run, searched in that way."""
        return self.model_copy(update={"search": self.search.model_copy(update={"strategy": strategy})})
