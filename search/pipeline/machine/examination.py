"""The list of all checks of a machine, and running them."""

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
"""The checks by name, in their order: the room for workers is computed from the memory that earlier checks took."""


def examined(checks: Checks = CHECKS) -> Iterator[Check]:
    """The results of all checks, one after the other; an error that a check raises is a failed check."""
    for name, check in checks.items():
        try:
            yield check()
        except Exception as error:  # A broken installation may raise anything.
            yield Check(name, f"failed: {typed_line(error)}", "repair the installation, or report this error")
