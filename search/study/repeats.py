"""Trials whose parameters have been judged before: they take the figures of the earlier one, and no worker's time."""

from collections import defaultdict
from collections.abc import Iterable

import optuna

from compress.parameter_files.json_format import loads
from search.study.ranking import parameters_hash
from search.study.trial_record import LEVEL, PARAMETERS, TrialRecord, record_of


class Repeats:
    """Finds the judged trial that has the parameters of another: of a front, at the same level, where rungs are alike.

    Failed trials are judged again: what failed may have been the machine.

    Args:
        study: holds the trials.
        settled: trials that were settled before; only their numbers are held.
    """

    def __init__(self, study: optuna.Study, settled: Iterable[TrialRecord]) -> None:
        self._study = study
        self._numbers: defaultdict[tuple[int | None, int], list[int]] = defaultdict(list)
        for record in settled:
            self.add(record)

    def add(self, record: TrialRecord) -> None:
        """Know a trial that has just been settled."""
        if record.score is not None and record.repeats is None:
            self._numbers[record.level, parameters_hash(record.parameters)].append(record.number)

    def of(self, trial: optuna.Trial) -> TrialRecord | None:
        """The trial that a described one would repeat; None where it has to be judged."""
        parameters = loads(trial.user_attrs[PARAMETERS]).parameters
        for number in self._numbers.get((trial.user_attrs.get(LEVEL), parameters_hash(parameters)), ()):
            earlier = record_of(self._study.get_trials(deepcopy=False)[number])
            if earlier.parameters == parameters:
                return earlier
        return None
