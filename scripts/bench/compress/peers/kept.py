"""What is kept of the benchmark in its work folder: pruned models, and what they score after fine-tuning."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from compress.disk.whole_file import write_whole
from compress.model_files.files import load_model, save_model

ORIGINAL = "original"
"""The method that changes nothing."""


@dataclass(frozen=True)
class Case:
    """One model that is pruned by one method.

    Attributes:
        model: name of the original, of its file without the suffix.
        budget: fraction of its FLOPs that may stay.
        method: as the results call it.
    """

    model: str
    budget: float
    method: str

    @property
    def key(self) -> str:
        """For names of files."""
        return f"{self.model} {100 * self.budget:g} {self.method}"

    def record(self, work: Path) -> Path:
        """What is known of it; written last, so that a case that has one is complete."""
        return work / "pruned" / f"{self.key}.json"

    def tuned(self, work: Path, steps: int, seed: int) -> Path:
        """What it scores after so many steps."""
        return work / "tuned" / f"{self.key}, {steps} steps, seed {seed}.json"

    def all_tuned(self, work: Path) -> list[Path]:
        """What is known of it after any number of steps; not of a method whose name goes on behind a comma."""
        name = re.compile(re.escape(self.key) + r", \d+ steps, seed \d+")
        return sorted(file for file in (work / "tuned").glob("*.json") if name.fullmatch(file.stem))

    def keep(self, work: Path, model: keras.Model, figures: Mapping[str, Any]) -> None:
        """Keep the pruned model and its figures."""
        self.record(work).parent.mkdir(parents=True, exist_ok=True)
        save_model(model, self._weights(work))
        named = {"model": self.model, "budget": self.budget, "method": self.method}
        write(self.record(work), {**named, **figures})

    def load(self, work: Path) -> keras.Model:
        """The pruned model."""
        return load_model(self._weights(work))

    def _weights(self, work: Path) -> Path:
        return self.record(work).with_suffix(".keras")


def cases(work: Path) -> Iterator[Case]:
    """All complete cases, by model, from the largest budget to the smallest."""
    records = [read(file) for file in sorted((work / "pruned").glob("*.json"))]
    kept = [Case(one["model"], one["budget"], one["method"]) for one in records]
    yield from sorted(kept, key=lambda case: (case.model, -case.budget))


@dataclass(frozen=True)
class Chosen:
    """Which cases a command is for; None stands for all.

    Attributes:
        models: names.
        budgets: fractions.
        methods: names.
    """

    models: Collection[str] | None = None
    budgets: Collection[float] | None = None
    methods: Collection[str] | None = None

    def __contains__(self, case: Case) -> bool:
        pairs = ((self.models, case.model), (self.budgets, case.budget), (self.methods, case.method))
        return all(wanted is None or value in wanted for wanted, value in pairs)


def read(file: Path) -> dict[str, Any]:
    """A record."""
    record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return record


def write(file: Path, record: Mapping[str, Any]) -> None:
    """Write a record, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps(record))
