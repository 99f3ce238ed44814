"""One folder, one configuration, one driver."""

import subprocess
import sys

import pytest

from compress.errors import ConfigError, RunError
from search.runs.run_folder import CONFIG_FILE, RunFolder
from tests.search.fixtures.runs import ROOT, config, tree

HOLDER = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


def opened(given):
    with RunFolder.of(given).opened(given):
        pass
    return RunFolder.of(given)


def test_a_new_folder_holds_its_configuration(tmp_path):
    folder = opened(config(tmp_path))
    assert folder.path == tmp_path / "runs" / "run"
    assert folder.config() == config(tmp_path)
    assert {path.name for path in folder.path.iterdir()} <= {CONFIG_FILE, ".lock"}


@pytest.mark.parametrize(
    "changes",
    [
        {"search": {"trials": 40, "workers": "max", "cpus_per_worker": 2.0, "trial_timeout": 60.0, "niceness": 9}},
        {"search": {"trials": 4, "workers": 2, "gpus_per_worker": 0.5, "address": "auto", "trials_per_worker": 5}},
        {"finetune": {"epochs": 3, "optimizer": "Adam", "learning_rate": 0.5, "distillation": {"temperature": 3.0}}},
        {"simple": {"ratio": 0.5}},
        {"log_to": ["tensorboard", "mlflow"]},
    ],
)
def test_what_does_not_change_a_trial_may_change(tmp_path, changes):
    opened(config(tmp_path))
    folder = opened(config(tmp_path, **changes))
    assert folder.config() == config(tmp_path, **changes)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"budget": {"flops": 0.25}}, "budget.flops: 0.5 -> 0.25"),
        ({"seed": 1}, "seed: 0 -> 1"),
        ({"search": {"trials": 4, "workers": 2, "sampler": "random"}}, 'search.sampler: "layered" -> "random"'),
        ({"space": {"ratio_max": 0.8}}, "space.ratio_max: 0.9 -> 0.8"),
        ({"space": {"layers": {"conv1": "keep"}}}, 'space.layers: {} -> {"conv1": "keep"}'),
        ({"recipe": ["decompose", "prune"]}, "recipe: "),
        ({"proxy": {"steps": 3}}, "proxy.steps: 2 -> 3"),
        ({"data": {"source": "digits", "validation": 0.2}}, "data.validation: 0.1 -> 0.2"),
        ({"finetune": {"epochs": 3, "unfreeze": False}}, "(finetune.unfreeze: true -> false)"),
    ],
)
def test_another_configuration_is_refused_by_key(tmp_path, changes, line):
    folder = opened(config(tmp_path))
    before = tree(tmp_path)
    with pytest.raises(RunError) as error:
        opened(config(tmp_path, **changes))
    assert str(error.value).startswith(f"run folder '{folder.path}' belongs to another configuration (")
    assert line in str(error.value)
    assert "restore these values to resume" in str(error.value)
    assert tree(tmp_path) == before


STAGES = {"finetune": {"epochs": 1}}


def with_strategy(home, strategy, **changes):
    return config(home, **{**STAGES, **changes}, search={"trials": 4, "workers": 2, "strategy": strategy})


@pytest.mark.parametrize("strategy", ["joint", "staged"])
def test_a_run_keeps_the_strategy_that_it_was_begun_with(tmp_path, strategy):
    opened(with_strategy(tmp_path, "auto"))  # As `train` leaves it.
    begun = with_strategy(tmp_path, strategy)
    assert opened(begun).config() == begun
    left_open = with_strategy(tmp_path, "auto")
    assert RunFolder.of(left_open).with_kept_strategy(left_open) == begun
    assert opened(left_open).config() == begun
    other = with_strategy(tmp_path, "staged" if strategy == "joint" else "joint")
    assert RunFolder.of(other).with_kept_strategy(other) == other
    with pytest.raises(RunError, match=f'search.strategy: "{strategy}" -> '):
        opened(other)


def test_a_staged_run_does_not_go_on_without_fine_tuning(tmp_path):
    opened(with_strategy(tmp_path, "staged"))
    before = tree(tmp_path)
    with pytest.raises(RunError) as error:
        opened(with_strategy(tmp_path, "auto", finetune={"epochs": 0}))
    assert str(error.value) == (
        f"run folder '{tmp_path / 'runs' / 'run'}' holds a staged search: expected finetune.epochs of at least 1 for a "
        "staged search, received 0; restore it to resume, or give this run another name:"
    )
    assert tree(tmp_path) == before


def test_a_second_driver_is_refused_and_changes_nothing(tmp_path):
    folder = opened(config(tmp_path))
    command = [sys.executable, "-c", HOLDER, str(folder.path / ".lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        before = tree(tmp_path)
        with pytest.raises(RunError, match="is in use by another tuckprune process; wait for it to end"):
            opened(config(tmp_path, search={"trials": 99, "workers": 2}))
        assert tree(tmp_path) == before
        # A killed holder leaves nothing locked.
        holder.kill()
    opened(config(tmp_path))


def test_the_lock_is_given_back_after_an_error(tmp_path):
    given = config(tmp_path)
    with pytest.raises(KeyError), RunFolder.of(given).opened(given):
        raise KeyError
    opened(given)


@pytest.mark.parametrize("blocked", ["runs", "runs/run"])
def test_a_file_in_the_folders_place(tmp_path, blocked):
    (tmp_path / blocked).parent.mkdir(exist_ok=True)
    (tmp_path / blocked).write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(RunError) as error:
        opened(config(tmp_path))
    assert f"run folder '{tmp_path / 'runs' / 'run'}' cannot be written (" in str(error.value)
    assert "choose another with runs:" in str(error.value)
    assert "\n" not in str(error.value)
    assert tree(tmp_path) == before


def test_a_folder_in_the_configurations_place(tmp_path):
    given = config(tmp_path)
    (RunFolder.of(given).path / CONFIG_FILE).mkdir(parents=True)
    with pytest.raises((RunError, ConfigError)) as error:
        opened(given)
    assert "\n" not in str(error.value)


def test_no_run_folder(tmp_path):
    with pytest.raises(RunError, match=r"is not a run folder: expected config.yaml in it"):
        RunFolder(tmp_path).config()
