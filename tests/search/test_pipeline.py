"""What a run comes to when no trial can be used, and what workers get of the model."""

import numpy as np
import pytest

from compress.errors import RunError
from compress.model_file import load_model
from compress.parameters import CompressionParameters
from objectives.cost import Cost
from search.pipeline import find_run
from search.run_folder import RunFolder
from search.storage import open_study
from search.trial_record import Judgement, describe, finish, reject
from search.worker import model_bytes
from tests.search.nets import model
from tests.search.runs import config


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("loss is nan", "none of the 2 trials in '{folder}' can be used: the last error was: loss is nan"),
        (None, "none of the 2 trials in '{folder}' can be used: none met the budget; set search.projection: true"),
    ],
)
def test_a_run_without_a_usable_trial_says_why(tmp_path, error, expected):
    given = config(tmp_path)
    folder = RunFolder.of(given)
    with folder.opened(given):
        study = open_study(folder.path, given.name, "journal")
        for _ in range(2):
            trial = study.ask()
            describe(trial, CompressionParameters.none(), Cost(1, 1, 4), 0.1)
            if error:
                finish(study, trial, Judgement.failed(1.0, error))
            else:
                reject(study, trial)
    with pytest.raises(RunError) as raised:
        find_run(folder.path)
    assert str(raised.value) == expected.format(folder=folder.path)


def test_workers_get_the_model_as_it_is(tmp_path):
    images = np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype(np.float32)
    (tmp_path / "packed.keras").write_bytes(model_bytes(model("tiny")))
    unpacked = load_model(tmp_path / "packed.keras")
    np.testing.assert_array_equal(unpacked(images), model("tiny")(images))
