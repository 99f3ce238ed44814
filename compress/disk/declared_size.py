"""How much data a file may declare, so that a few bytes on disk cannot fill a machine's memory."""

import os
from collections.abc import Callable

_ALWAYS = 2**30
_RATIO = 100
"""Weights and photos hardly compress; what is below `_ALWAYS` may compress as well as it likes."""


def check_declared(declared: int, on_disk: int | None, what: str, error: Callable[[str], Exception]) -> None:
    """Refuse data that is larger than memory, or far larger than its file.

    declared: bytes that a file says its contents have, once they are read.
    on_disk: bytes of the file; None where the data is made of no single file.
    what: names the data in the message.
    Raises what `error` makes of one line: above the machine's memory, or above 1 GiB and 100 times the file.
    """
    memory = _memory()
    if declared > memory:
        raise error(
            f"expected {what} of at most {_amount(memory)}, this machine's memory, received {_amount(declared)}"
        )
    if on_disk is not None and declared > max(_ALWAYS, _RATIO * on_disk):
        raise error(
            f"expected {what} of at most {_amount(max(_ALWAYS, _RATIO * on_disk))}, {_RATIO} times the file of "
            f"{_amount(on_disk)} or 1 GiB, received {_amount(declared)}"
        )


def _memory() -> int:
    """Bytes of the machine, whatever of it is free."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _amount(size: int) -> str:
    value, unit = float(size), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:,.4g} {unit}"
