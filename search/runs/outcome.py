"""The outcome of a run: its trials, its finalists and its winner, and the winner's parameter files."""

from dataclasses import dataclass
from pathlib import Path

import optuna

from compress.errors import RunError
from compress.parameter_files.files import write_parameters
from configs.schema.run import RunConfig
from configs.schema.search import STAGED
from search import settings
from search.runs.original_graph import original_graph
from search.runs.run_folder import RunFolder
from search.study.finalist import RECOMMENDED, Finalist, finalists
from search.study.identity import first_study
from search.study.ranking import Winner, winner_of
from search.study.storage import find_study
from search.study.trial_record import TrialRecord, records


@dataclass(frozen=True)
class SearchOutcome:
    """The outcome of a run.

    Attributes:
        folder: of the run.
        trials: all finished trials; of a staged search those of its first stage, then those of its second.
        finalists: the judged finalists.
        winner: the best finalist, or without finalists the best trial.
    """

    folder: RunFolder
    trials: list[TrialRecord]
    finalists: list[Finalist]
    winner: Winner

    @property
    def remark(self) -> str:
        """A sentence that says what won where it was no proposal of the sampler; else empty."""
        start = next((trial.start for trial in self.trials if trial.source == self.winner.source), None)
        if start is None and self.winner.source != RECOMMENDED:
            return ""
        won = RECOMMENDED if start is None else f"the start '{start}'"
        return f"No proposal of the sampler came out ahead of {won}: more trials or longer ones (proxy.steps) may."


def find_run(path: Path) -> SearchOutcome:
    """The outcome of an existing run, finished or not.

    Raises:
        RunError: no run folder, no study, or no usable trial in it.
    """
    folder = RunFolder(path)
    config = folder.config()
    return outcome_of(folder, config, find_study(path, config.name, config.search.storage))


def export_run(path: Path, out: Path | None = None) -> list[Path]:
    """Write the winner's parameter files (text, JSON, NetsPresso's) and return their paths.

    Args:
        path: the run folder.
        out: folder for the files; None for the run folder.

    Raises:
        RunError: no run folder, no usable trial, or another model than the one that was searched.
        ModelError: the original model, which the files describe, cannot be read.
    """
    outcome = find_run(path)
    config = outcome.folder.config()
    graph = original_graph(outcome.folder, config, find_study(path, config.name, config.search.storage))
    step = settings.channel_step(config.pruning)
    return write_parameters(outcome.winner.parameters, out or path, graph, config.recipe, step)


def outcome_of(folder: RunFolder, config: RunConfig, study: optuna.Study) -> SearchOutcome:
    """The outcome of a run whose main study is open.

    Raises:
        RunError: no trial can be used; with the last error.
    """
    earlier, trials, judged = first_trials(folder, config), records(study), finalists(study)
    winner = winner_of(trials, judged)
    if winner is None and not trials:
        settled = f"{len(earlier)} trials of its first stage, and none of the second" if earlier else "no settled trial"
        raise RunError(f"'{folder.path}' has {settled} yet: run 'tuckprune search' again")
    if winner is None:
        failed = next((record for record in reversed(trials) if record.error), None)
        reason = f"the last error was: {failed.error}" if failed else "none met the budget; set search.projection: true"
        raise RunError(f"none of the {len(trials)} trials in '{folder.path}' can be used: {reason}")
    return SearchOutcome(folder, earlier + trials, judged, winner)


def first_trials(folder: RunFolder, config: RunConfig) -> list[TrialRecord]:
    """The trials of the first stage of a run; none where its search is not staged.

    Raises:
        RunError: no study, or it cannot be read.
    """
    if config.search.strategy != STAGED:
        return []
    return records(find_study(folder.path, first_study(config), config.search.storage))
