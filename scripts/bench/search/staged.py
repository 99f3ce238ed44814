"""Whether ratios and ranks are better searched in one trial or stage by stage, at equal trials and equal budget.

python -m scripts.bench.search.staged configs/digits.yaml --seeds 0 1 2

For every seed and recipe order both strategies search the same model with the same data; each winner is then compressed
with the configuration's fine-tuning and scored on the test split. Runs are kept in folders of their own, so that an
interrupted benchmark goes on where it stopped; figures that are there already are kept.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import search  # noqa: F401  isort: skip  before TensorFlow, for the environment that it needs
from compress.model_files.files import load_model
from configs.load import load_config
from configs.schema.run import RunConfig
from configs.schema.search import JOINT, STAGED, Strategy
from search.pipeline.compression import compress_own, cost_of
from search.pipeline.search import run_search
from search.pipeline.training import train_model
from search.runs.outcome import SearchOutcome
from search.runs.run_folder import model_path

ROOT = Path(__file__).parents[3]
STRATEGIES: tuple[Strategy, ...] = (JOINT, STAGED)
ORDERS = (("prune", "decompose"), ("decompose", "prune"))


@dataclass(frozen=True)
class Row:
    """One search.

    Attributes:
        model: the configuration's name.
        strategy: joint or staged.
        recipe: order of the stages.
        seed: of model, data and search.
        trials: of the whole search.
        seconds: wall time of the search, finals included.
        flops_fraction: of the original's.
        validation_loss: of the winner in the finals.
        accuracy: top-1 on the test split after compression with the configuration's fine-tuning.
    """

    model: str
    strategy: Strategy
    recipe: tuple[str, ...]
    seed: int
    trials: int
    seconds: float = 0.0
    flops_fraction: float = 0.0
    validation_loss: float = 0.0
    accuracy: float = 0.0

    @property
    def case(self) -> tuple[object, ...]:
        """What was run, without what came of it."""
        return (self.model, self.strategy, self.recipe, self.seed, self.trials)

    @property
    def name(self) -> str:
        """Of the run folder."""
        return f"{self.model}-{self.strategy}-{self.recipe[0]}-first-{self.seed}"


def trained(config: RunConfig) -> Path:
    """The original model of one seed, trained if need be."""
    if config.model.zoo is not None:
        train_model(config)
    return model_path(config)


def measure(row: Row, path: Path, overrides: Sequence[str]) -> Row:
    """Search and compress one case, and fill in what came of it."""
    original = trained(load_config(path, [*overrides, f"seed={row.seed}", f"name={row.model}-original-{row.seed}"]))
    own = [f"name={row.name}", f"seed={row.seed}", f"search.strategy={row.strategy}", f"recipe={list(row.recipe)}"]
    config = load_config(path, [*overrides, *own, f"model={{path: {original}}}"])
    started = time.perf_counter()
    outcome = run_search(config)
    seconds = time.perf_counter() - started
    made = compress_own(model_path(config), outcome.winner.parameters, config)
    whole = cost_of(load_model(original)).flops
    return replace(
        row,
        seconds=round(seconds, 1),
        flops_fraction=round(made.result.flops / whole, 4),
        validation_loss=round(winning_loss(outcome), 4),
        accuracy=round(made.result.figures["accuracy"], 4),
    )


def winning_loss(outcome: SearchOutcome) -> float:
    """Validation loss of the winner, after the finals."""
    return outcome.winner.score.loss


def merged(rows: Sequence[Row], row: Row) -> list[Row]:
    """The rows with one of them added or renewed, in order."""
    others = [other for other in rows if other.case != row.case]
    return sorted([*others, row], key=lambda other: (other.model, other.recipe[::-1], other.seed, other.strategy))


def read(path: Path) -> list[Row]:
    """The rows of a file; none where there is no file."""
    if not path.exists():
        return []
    return [Row(**{**fields, "recipe": tuple(fields["recipe"])}) for fields in json.loads(path.read_text("utf-8"))]


def main() -> None:
    """Measure every case that the file lacks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="a run's configuration, of a recipe of two stages")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--first", nargs="+", choices=["prune", "decompose"], default=["prune"], help="first stages")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="as of tuckprune")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "staged.json")
    arguments = parser.parse_args()
    config = load_config(arguments.config, arguments.overrides)
    recipes = [order for order in ORDERS if order[0] in arguments.first]
    cases = [
        Row(config.name, strategy, recipe, seed, config.search.trials)
        for recipe in recipes
        for seed in arguments.seeds
        for strategy in STRATEGIES
    ]
    for row in cases:
        known = read(arguments.out)
        if row.case in {other.case for other in known}:
            continue
        measured = measure(row, arguments.config, arguments.overrides)
        rows = [asdict(other) for other in merged(read(arguments.out), measured)]
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        print(measured, flush=True)


if __name__ == "__main__":
    main()
