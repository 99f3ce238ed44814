"""Optuna's journal storage, in whose memory trials share what they have in common: distributions, and names."""

import sys
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.storages import JournalStorage
from optuna.storages.journal._storage import JournalStorageReplayResult

Distributions = dict[str, BaseDistribution]


class SharingJournalStorage(JournalStorage):
    """Optuna's, with a `SharedReplay` for the study in memory."""

    def _sync_with_backend(self) -> None:
        # Before the first line is read; Optuna has no argument for it.
        if not isinstance(self._replay_result, SharedReplay):
            self._replay_result = SharedReplay(self._worker_id_prefix)
        super()._sync_with_backend()

    @property
    def next_trial(self) -> int:
        """The id that Optuna gives to the trial which is created next."""
        return len(self._replay_result._trials)


class SharedReplay(JournalStorageReplayResult):
    """Optuna's replay of a journal's lines, of whose trials those with equal distributions hold one dictionary of them.

    By itself every trial has an object for each of its parameters, and makes it anew from JSON.
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
        """The distributions of these texts; for equal ones the same dictionary."""
        key = (*texts, *texts.values())
        if key not in self._distributions:
            self._distributions[key] = {sys.intern(name): json_to_distribution(text) for name, text in texts.items()}
        return self._distributions[key]

    def _apply_set_trial_user_attr(self, log: dict[str, Any]) -> None:
        super()._apply_set_trial_user_attr({**log, "user_attr": _named_alike(log["user_attr"])})


def _named_alike(value: Any) -> Any:
    """The value of an attribute, in whose dictionaries equal names are one object."""
    if isinstance(value, dict):
        return {sys.intern(name): _named_alike(one) for name, one in value.items()}
    return value
