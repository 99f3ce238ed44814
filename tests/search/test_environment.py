"""The environment is prepared before TensorFlow is loaded, in this process and in any that imports the package."""

import os
import subprocess
import sys

import pytest

from tests.search.fixtures.runs import PATIENCE, ROOT

SHOW = "import search, os, sys; print(os.environ['TF_ENABLE_ONEDNN_OPTS'], 'tensorflow' in sys.modules)"

TRAIN = """
import search.workers.worker
import keras, numpy as np
from compress.recipe import apply_parameters
from compress.parameters import CompressionParameters
from zoo.models.registry import build_model
from zoo.kernels.replacement import own_kernels
ratios = {"layer1.0.conv1": 0.7, "layer1.1.conv1": 0.8, "layer1.2.conv1": 0.4, "add_2": 0.3, "layer2.0.conv1": 0.3,
          "layer2.1.conv1": 0.8, "layer2.2.conv1": 0.8, "add_5": 0.2, "layer3.0.conv1": 0.3, "layer3.1.conv1": 0.1}
model = apply_parameters(build_model("resnet20"), CompressionParameters(ratios, {}))
model.compile("sgd", "sparse_categorical_crossentropy")
model.optimizer.build(model.trainable_variables)  # or the step is traced twice
images = np.random.default_rng(0).random((125, 32, 32, 3), dtype=np.float32)
with own_kernels(model):
    model.fit(images, np.arange(125) % 10, batch_size=125, verbose=0)
print("trained")
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    of_tests = ("TF_ENABLE_ONEDNN_OPTS", "TF_NUM_INTRAOP_THREADS")
    inherited = {name: value for name, value in os.environ.items() if name not in of_tests}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**inherited, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize(("given", "seen"), [({}, "false"), ({"TF_ENABLE_ONEDNN_OPTS": "1"}, "1")])
def test_users_values_win_and_nothing_heavy_is_imported(given, seen):
    assert run(SHOW, **given).stdout.split() == [seen, "False"]


def test_a_pruned_network_trains_with_onednn_at_a_batch_size_that_crashed():
    made = run(TRAIN, TF_ENABLE_ONEDNN_OPTS="1")
    assert (made.returncode, made.stdout) == (0, "trained\n")
