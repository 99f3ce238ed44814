"""Checks of a machine apart from its processors: versions, ports, disk, shared memory, the temporary folder."""

import platform
import shutil
import socket
import tempfile
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import keras

from search.pipeline.machine.check import Check

_LIBRARIES = ("tuckprune", "tensorflow", "keras", "ray", "optuna", "numpy")
_HEAD_PORTS = {6379: "--port", 8265: "--dashboard-port", 10001: "--ray-client-server-port"}
"""The ports of `ray start --head`, and the options that change them."""

_SHARED = Path("/dev/shm")
_LEAST_GB = 1.0


def versions() -> Check:
    """Report the versions of Python and of the main libraries, and check that Keras runs on TensorFlow."""
    line = ", ".join([f"Python {platform.python_version()}", *(f"{name} {_version(name)}" for name in _LIBRARIES)])
    backend = keras.config.backend()
    advice = "" if backend == "tensorflow" else f"Keras runs on {backend}: set KERAS_BACKEND=tensorflow"
    return Check("versions", line, advice)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed as a package)"


def ports() -> Check:
    """Check that a process can listen on 127.0.0.1, and report which ports of a cluster's head are taken."""
    with closing(socket.socket()) as server:
        try:
            server.bind(("127.0.0.1", 0))
        except OSError as error:
            return Check(
                "ports", f"nothing can listen on 127.0.0.1 ({error.strerror})", "allow it, as Ray's processes must talk"
            )
    taken = [f"{port} ({option})" for port, option in _HEAD_PORTS.items() if _is_taken(port)]
    if not taken:
        return Check("ports", f"free on 127.0.0.1, also those of ray start --head: {', '.join(map(str, _HEAD_PORTS))}")
    return Check(
        "ports",
        f"free on 127.0.0.1, but of ray start --head {', '.join(taken)}: a cluster may run here already, which "
        "tuckprune search --address auto joins",
    )


def _is_taken(port: int) -> bool:
    with closing(socket.socket()) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def disk() -> Check:
    """Check the disk of the working directory, where run folders are by default."""
    return _room("disk", Path(), "free some, or put run folders on another disk: runs: /another/disk")


def shared_memory() -> Check:
    """Check the shared memory, in which Ray's workers share the images."""
    if not _SHARED.is_dir():
        return Check("shared memory", f"this system has no {_SHARED}: Ray takes the temporary folder")
    return _room("shared memory", _SHARED, "give a container more: docker run --shm-size=8g; else Ray uses the disk")


def temporary_folder() -> Check:
    """Check the temporary folder, where Ray keeps its sockets and logs."""
    folder = Path(tempfile.gettempdir())
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"1")
            file.flush()
    except OSError as error:
        return Check("temporary folder", f"{folder} takes no file ({error.strerror})", "set TMPDIR to one that does")
    return _room("temporary folder", folder, "free some, or set TMPDIR to a folder of another disk")


def _room(name: str, folder: Path, advice: str) -> Check:
    free = shutil.disk_usage(folder).free / 1e9
    line = f"{folder.resolve()} has {free:.1f} GB free"
    return Check(name, line) if free >= _LEAST_GB else Check(name, f"{line}, less than {_LEAST_GB:g} GB", advice)
