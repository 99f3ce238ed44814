"""The published ResNet50 example, from the listings in tests/data."""

import ast
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"


def listing(name):
    """A listing as a dict, read without tuckprune's own parser; its first line is a comment."""
    text = (DATA / name).read_text(encoding="utf-8")
    return ast.literal_eval("{" + text.split("\n", 1)[1] + "}")


def ratios():
    return listing("resnet50_pruning.txt")


def ranks():
    return {name: tuple(pair) for name, pair in listing("resnet50_ranks.txt").items()}
