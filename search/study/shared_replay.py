"""Optuna's journal storage with less memory: trials with equal distributions and names share the same objects."""

import sys
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.storages import JournalStorage
from optuna.storages.journal._storage import JournalStorageReplayResult

Distributions = dict[str, BaseDistribution]


class SharingJournalStorage(JournalStorage):
    """Optuna's journal storage with a `SharedReplay` as the study in memory."""

    def _sync_with_backend(self) -> None:
        # Replaced before the first line is read; Optuna has no argument for it.
        if not isinstance(self._replay_result, SharedReplay):
            self._replay_result = SharedReplay(self._worker_id_prefix)
        super()._sync_with_backend()

    @property
    def next_trial(self) -> int:
        """The id that Optuna gives to the trial which is created next."""
        return len(self._replay_result._trials)


class SharedReplay(JournalStorageReplayResult):
    """The study that Optuna replays from a journal's lines; trials with equal distributions share one dictionary.

    Optuna itself makes new objects from JSON for every parameter of every trial.
    """

    def __init__(self, worker_id_prefix: str) -> None:
        super().__init__(worker_id_prefix)
        self._distributions: dict[tuple[str, ...], Distributions] = {}

    def _apply_create_trial(self, log: dict[str, Any]) -> None:
        others = {name: value for name, value in log.items() if name not in ("params", "distributions")}
        count = len(self._trials)
        super()._apply_create_trial(others | {"user_attrs": _named_alike(log.get("user_attrs", {}))})
        if len(self._trials) > count and log.get("params"):
            trial, shared = self._trials[count], self._shared(log["distributions"])
            trial._distributions = shared
            trial._params = {
                name: distribution.to_external_repr(log["params"][name]) for name, distribution in shared.items()
            }

    def _shared(self, texts: dict[str, str]) -> Distributions:
        """The distributions of these JSON texts, by the parameter's name; the same dictionary for equal ones."""
        key = (*texts, *texts.values())
        if key not in self._distributions:
            self._distributions[key] = {sys.intern(name): json_to_distribution(text) for name, text in texts.items()}
        return self._distributions[key]

    def _apply_set_trial_user_attr(self, log: dict[str, Any]) -> None:
        super()._apply_set_trial_user_attr({**log, "user_attr": _named_alike(log["user_attr"])})


def _named_alike(value: Any) -> Any:
    """The value of an attribute with the keys of its dictionaries interned."""
    if isinstance(value, dict):
        return {sys.intern(name): _named_alike(one) for name, one in value.items()}
    return value
