"""The commands of ``tuckprune``, one file each. A new file with a function that is decorated with ``@command`` is a
new command; those that are given the folder of a run lie in ``runs``.
"""

from search.cli.command import Command, command, commands

__all__ = ["Command", "command", "commands"]
