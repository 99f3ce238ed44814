"""Every file format of a model against the Keras model: size, outputs on real images, latency.

python -m scripts.bench.search.exports MODEL.keras CONFIG.yaml [--set KEY=VALUE]

Writes docs/results/exports.json, one entry a format. ``agreement`` is the fraction of at most 1,000 test images of the
same answer, ``max_difference`` the largest of any output. After ``make demo`` anybody can run it on
runs/digits/search.keras and configs/digits.yaml.

Latency is the median of one image, from array to array, on one thread. All formats are timed in turn, round after
round, so that other work on the machine falls on all alike.
"""

import argparse
import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from search.environment import import_tensorflow

JSON_FILE = Path(__file__).parents[3] / "docs" / "results" / "exports.json"


def measured(model_path: Path, config_path: Path, overrides: list[str], rounds: int) -> list[dict[str, Any]]:
    """An entry of every format.

    Raises:
        TuckpruneError: bad model, configuration or data, or a format that failed.
    """
    from compress.model_files.files import load_model
    from configs.load import load_config
    from scripts.bench.timing import timed_in_turn
    from search import settings
    from search.pipeline.formats.format import formats
    from search.pipeline.shipment import Sample, write_formats

    config, known = load_config(config_path, overrides), formats()
    sample = Sample.of(settings.dataset(config), config.seed)
    with tempfile.TemporaryDirectory() as folder:
        made = write_formats(load_model(model_path), model_path.stem, list(known), sample, Path(folder) / "exports")
        made.check()
        print(f"{made.images} test images", flush=True)
        runs = [known[row.format].load(Path(folder) / row.file) for row in made.exports]
        timed = timed_in_turn([partial(run, sample.compared[:1]) for run in runs], rounds)
    return [
        {
            "format": row.format,
            "bytes": row.bytes,
            "agreement": row.agreement,
            "max_difference": row.max_difference,
            "latency_ms": round(latency.median / 1e3, 4),
        }
        for row, latency in zip(made.exports, timed, strict=True)
    ]


def main() -> None:
    """Measure every format and write the entries."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="the Keras model")
    parser.add_argument("config", type=Path, help="configuration with its data")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="override a key of it")
    parser.add_argument("--rounds", type=int, default=50, help="of ten passes of every format")
    parser.add_argument("--out", type=Path, default=JSON_FILE)
    arguments = parser.parse_args()
    import_tensorflow(threads=1)
    entries = measured(arguments.model, arguments.config, arguments.overrides, arguments.rounds)
    arguments.out.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(entries, indent=1))


if __name__ == "__main__":
    main()
