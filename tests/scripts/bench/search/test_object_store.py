"""What the benchmark of the object stores tells of the nodes."""

from dataclasses import replace

import numpy as np
import pytest

from scripts.bench.search.object_store import figures
from zoo.data.dataset import Split
from zoo.data.load import load_dataset

STORES = {"b": {"in_store_gb": 2.0, "written_gb": 2.0}, "a": {"in_store_gb": 2.5, "written_gb": 4.5}}


def images():
    """Three splits of a million pixels each, all of them 2: six million in sum."""
    part = Split(np.full((1, 1000, 1000, 1), 2, np.uint8), np.zeros(1, int))
    return replace(load_dataset("digits"), train=part, validation=part, test=part)


def said(pixels=6_000_000, nodes=("a", "a", "b")):
    return [{"node": node, "pixels": pixels, "own_gb": 0.1 * place} for place, node in enumerate(nodes)]


def test_of_every_node_the_worker_that_grew_most_is_told_the_putting_node_first():
    assert figures(images(), said(), STORES, "b") == {
        "images_gb": 0.003,
        "nodes": [
            {"in_store_gb": 2.0, "written_gb": 2.0, "workers": 1, "worker_own_gb": 0.2},
            {"in_store_gb": 2.5, "written_gb": 4.5, "workers": 2, "worker_own_gb": 0.1},
        ],
    }


@pytest.mark.parametrize("wrong", [said(pixels=5), said(nodes=("a", "a"))])
def test_other_images_or_a_node_without_a_worker_are_refused(wrong):
    with pytest.raises(ValueError, match="expected workers on 2 nodes that read 6000000"):
        figures(images(), wrong, STORES, "b")
