"""All checks of a machine, one after the other."""

from collections.abc import Callable, Iterator, Mapping

from compress.errors import typed_line
from search.pipeline.machine.arithmetic import compressed_layer, convolution, shared_network
from search.pipeline.machine.check import Check
from search.pipeline.machine.devices import gpus, precision, speed, workers
from search.pipeline.machine.surroundings import disk, ports, shared_memory, temporary_folder, versions

Checks = Mapping[str, Callable[[], Check]]

CHECKS: Checks = {
    "versions": versions,
    "GPUs": gpus,
    "convolution": convolution,
    "compressed layer": compressed_layer,
    "shared network": shared_network,
    "precision": precision,
    "speed": speed,
    "workers": workers,
    "ports": ports,
    "disk": disk,
    "shared memory": shared_memory,
    "temporary folder": temporary_folder,
}
"""By name; workers are counted by the memory that the checks before have taken."""


def examined(checks: Checks = CHECKS) -> Iterator[Check]:
    """The result of every check, as soon as there is one; a check that raises an error has found something."""
    for name, check in checks.items():
        try:
            yield check()
        except Exception as error:  # Whatever a broken installation raises is what was looked for.
            yield Check(name, f"failed: {typed_line(error)}", "correct this, or report it if it is no fault of yours")
