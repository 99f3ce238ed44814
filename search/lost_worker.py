"""Why a worker is gone."""

import re

from ray.exceptions import RayError

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST = 300


def reason_of(error: RayError) -> str:
    """What Ray says in one line: its beginning tells what was lost, its end the error that was raised there, if any."""
    text = " ".join(_COLOUR.sub("", str(error)).split())
    shown = text if len(text) <= _LONGEST else f"{text[: _LONGEST // 3]} ... {text[-2 * _LONGEST // 3 :]}"
    return f"{shown} ({type(error).__name__})"
