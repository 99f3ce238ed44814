"""Asks PyNetsPresso whether it accepts tuckprune's NetsPresso files; runs where `netspresso` is installed.

    python scripts/dev/check_netspresso.py runs/mine/netspresso-PR_L2.json runs/mine/netspresso-FD_TK.json

Releases up to 1.11 hold the validator of values; later ones hold only the request that carries the layers.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

VALIDATOR = "netspresso.clients.compressor.utils.validator"
SCHEMAS = "netspresso.clients.compressor.v2.schemas.compression"


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        return None  # this release has no such module


def check(document: dict[str, Any]) -> list[str]:
    """Names of the classes that accepted the file.

    Raises whatever they raise for a file that they refuse.
    """
    accepted = []
    schemas, validator = _module(SCHEMAS), _module(VALIDATOR)
    if schemas is not None:
        base = importlib.import_module(f"{SCHEMAS}.base")
        layers = [base.Layer(**entry) for entry in document["layers"]]
        schemas.RequestUpdateCompression(available_layers=layers)
        accepted.append(f"{SCHEMAS}.RequestUpdateCompression")
    if validator is not None:
        entry_type = importlib.import_module("netspresso.compressor.core.compression").AvailableLayer
        layers = [entry_type(**entry) for entry in document["layers"]]
        validator.CompressionParamsValidator(document["compression_method"], layers).validate()
        accepted.append(f"{VALIDATOR}.CompressionParamsValidator")
    return accepted


def main(paths: list[str]) -> int:
    """Print one line for each file; 1 where one is refused."""
    refused = 0
    for path in paths:
        try:
            accepted = check(json.loads(Path(path).read_text(encoding="utf-8")))
            print(f"{path}: accepted by {', '.join(accepted) or 'nothing: this release has no known check'}")
            refused += not accepted
        except Exception as error:  # Whatever PyNetsPresso raises for a file that it does not accept.
            print(f"{path}: refused: {type(error).__name__}: {error}")
            refused += 1
    return int(refused > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
