"""A command's arguments as a user would type them again."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from configs.storage import hide_passwords


def arguments(config: Path, overrides: Sequence[str] | None) -> str:
    """The configuration and its overrides, quoted for a shell; passwords are left out."""
    shown = [hide_passwords(override) for override in overrides or ()]
    return shlex.join([str(config), *(word for override in shown for word in ("--set", override))])
