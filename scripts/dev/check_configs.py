"""Takes the CIFAR-100 configurations through a dry run and one real trial, on synthetic images of the right shape.

    python -m scripts.dev.check_configs configs/resnet50_cifar100.yaml configs/vgg19_cifar100.yaml --work /tmp/check

What is seen is that model, data, budget, space, workers, export and report work together: where the images are, the
same commands begin the real run at once. The accuracy is that of random images.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

COUNT = 1000
"""Training images: ten of each class, so that every class is in the validation split."""

CHANGES = (
    "data.source=scripts.dev.check_configs:synthetic_cifar100",
    "training.epochs=1",
    "finetune.epochs=0",
    "proxy.batch_size=16",
    "proxy.recalibration_images=64",
    "search.trials=1",
    "search.workers=1",
    "search.gpus_per_worker=0",
    "search.sensitivity=false",
)
"""As little work as there can be, on a machine without a GPU."""


def synthetic_cifar100() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Images (N, 32, 32, 3) of bytes and labels (N,) of 100 classes, for training and for testing."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, size=(COUNT + 100, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(COUNT + 100) % 100
    return (images[:COUNT], labels[:COUNT]), (images[COUNT:], labels[COUNT:])


def check(config: Path, work: Path) -> None:
    """Run the commands; the first that fails ends it, as CalledProcessError."""
    overrides = [word for change in (*CHANGES, f"runs={work}") for word in ("--set", change)]
    run = work / config.stem
    commands = (
        ("search", config, "--dry-run", *overrides),
        ("train", config, *overrides),
        ("search", config, *overrides),
        ("export", run),
        ("report", run),
    )
    for command in commands:
        began = time.monotonic()
        subprocess.run([Path(sys.executable).with_name("tuckprune"), *map(str, command)], check=True)
        print(f"{config.stem}: {command[0]} took {time.monotonic() - began:.0f} s", flush=True)


def main() -> None:
    """Check the configurations that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", type=Path, nargs="+")
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs")
    arguments = parser.parse_args()
    for config in arguments.configs:
        check(config, arguments.work)


if __name__ == "__main__":
    main()
