"""Peers on the same weights: Torch-Pruning's methods against tuckprune's values, after the same fine-tune.

python -m scripts.bench.compress.peers.run prune configs/resnet20_cifar10.yaml --models MODEL.keras ... --work DIR
python -m scripts.bench.compress.peers.run add configs/resnet20_cifar10.yaml --models ... --work DIR --values FILE
python -m scripts.bench.compress.peers.run fine-tune configs/resnet20_cifar10.yaml --models ... --work DIR
python -m scripts.bench.compress.peers.run summarize --work DIR

`prune` takes the weights of a residual network of the zoo from Keras to PyTorch, prunes by every method to every
budget, FLOPs counted by tuckprune, and takes what remains back; both ways are checked by equal logits. It runs in an
environment of its own, the only one with PyTorch, all else in either:

    python -m venv DIR && DIR/bin/pip install -e '.[report]' -r scripts/bench/compress/peers/requirements.txt

FastNAS is one more method for `prune --methods`, and takes packages of its own, see `fastnas.py`.
`add` prunes by values that were found before, such as a search's; FILE is a JSON list, see `own_methods.given_values`.
`fine-tune` brings every model through the same recipe in the order of images of several seeds, and scores it on the
test split. What is measured is kept in the work folder, so that an interrupted benchmark goes on; models, budgets,
methods, steps and seeds may be divided between processes.
"""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as in a worker, for models like these

import search  # noqa: F401  isort: skip  before TensorFlow, for the environment that it needs
import tensorflow as tf

from scripts.bench.compress.peers.kept import Case, Chosen, cases, write
from scripts.bench.compress.peers.original import Original
from scripts.bench.compress.peers.own_methods import OWN, given_values
from scripts.bench.compress.peers.page import figure, markdown, rows
from scripts.bench.compress.peers.pruning import FASTNAS, prune, prune_by_given
from scripts.bench.objectives.proxy import fine_tuned
from search.report.pictures import write_pictures

ROOT = Path(__file__).parents[4]
BUDGETS = (0.5, 0.35, 0.2, 0.1)


def prune_all(arguments: argparse.Namespace) -> None:
    """Prune every model by every method to every budget."""
    import torch

    from scripts.bench.compress.peers.torch_pruning_methods import METHODS

    torch.set_num_threads(1)
    methods, known = arguments.methods or (*OWN, *METHODS), (*OWN, *METHODS, FASTNAS)
    unknown = set(methods) - set(known)
    if unknown:
        raise SystemExit(f"--methods: expected some of {'; '.join(known)}, received {'; '.join(unknown)}")
    for path in arguments.models:
        original = Original.of(arguments.config, path)
        chosen = [Case(original.name, budget, method) for method in methods for budget in arguments.budgets]
        prune(original, arguments.work, chosen)


def add(arguments: argparse.Namespace) -> None:
    """Prune by the values of a file."""
    given = given_values(arguments.values)
    for path in arguments.models:
        prune_by_given(Original.of(arguments.config, path), arguments.work, given)


def fine_tune(arguments: argparse.Namespace) -> None:
    """Bring every kept model through the fine-tune."""
    first, _, last = arguments.seeds.partition("-")
    for path in arguments.models:
        chosen = Chosen({path.stem}, arguments.budgets, arguments.methods)
        for steps in arguments.steps:
            original = Original.of(arguments.config, path, steps)
            for seed in range(int(first), int(last or first) + 1):
                _fine_tune(original, arguments.work, [case for case in cases(arguments.work) if case in chosen], seed)


def _fine_tune(original: Original, work: Path, chosen: Sequence[Case], seed: int) -> None:
    proxy, steps = original.proxy(seed), original.bench.long_steps
    for case in chosen:
        file = case.tuned(work, steps, seed)
        if file.exists():
            continue
        model = case.load(work)
        result = fine_tuned(original.bench, proxy, lambda model=model: proxy.start(model))
        write(file, result)
        print(f"{case.key}, {steps} steps, seed {seed}: {result['test_accuracy']:.4f}", flush=True)


def summarize(arguments: argparse.Namespace) -> None:
    """Write the rows, print the tables, and draw the picture."""
    measured = rows(arguments.work)
    arguments.out.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    print(markdown(measured))
    if arguments.picture is not None:
        write_pictures({arguments.picture: figure(measured)})


def main() -> None:
    """Prune, add, fine-tune, or summarize."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    for name, action in (("prune", prune_all), ("add", add), ("fine-tune", fine_tune), ("summarize", summarize)):
        sub = actions.add_parser(name, help=action.__doc__)
        sub.set_defaults(run=action)
        sub.add_argument("--work", type=Path, required=True, help="where everything is kept")
        if name != "summarize":
            sub.add_argument("config", type=Path, help="data, and settings of the fine-tune")
            sub.add_argument("--models", type=Path, nargs="+", required=True, help="trained .keras files")
        if name in ("prune", "fine-tune"):
            sub.add_argument("--budgets", type=float, nargs="+", default=BUDGETS, help="fractions of the FLOPs")
            sub.add_argument("--methods", nargs="+", help="all if not given, but FastNAS")
    actions.choices["add"].add_argument("--values", type=Path, required=True, help="the JSON list")
    actions.choices["fine-tune"].add_argument("--steps", type=int, nargs="+", default=(1000, 5000))
    actions.choices["fine-tune"].add_argument("--seeds", default="0-2", help="first and last")
    actions.choices["summarize"].add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "peers.json")
    actions.choices["summarize"].add_argument("--picture", type=Path, help="a PNG to draw, which takes Chromium")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    arguments.run(arguments)


if __name__ == "__main__":
    main()
