"""The commands of ``tuckprune`` that are given the folder of a run, one file each."""

from search.cli.command import Command, command, commands

__all__ = ["Command", "command", "commands"]
