"""Values of the sweep alone: those that a search tries first, without the search."""

import pytest

from compress.errors import ConfigError
from compress.model_files.files import load_model
from compress.parameter_files.files import read_parameters
from compress.parameter_files.json_format import loads
from search.driver.listeners.listener import Listener
from search.pipeline.search import run_search
from search.runs.results import read_results
from search.strategies.sensitivity_values import sensitivity_values
from search.study.trial_record import SENSITIVITY_START
from tests.search.fixtures.runs import config, written

SWEPT = {"search": {"trials": 1, "workers": 1}}


class Counter(Listener):
    def __init__(self):
        self.probes = 0

    def probed(self, probe):
        self.probes += 1


def test_they_are_those_of_the_first_trial_and_its_sweep_is_not_made_again(home, local_pool):
    first = run_search(config(home, **SWEPT)).trials[0]
    assert first.start == SENSITIVITY_START
    original, again, anew = load_model(home / "tiny.keras"), Counter(), Counter()
    kept = sensitivity_values(config(home, **SWEPT), original, again)
    other = sensitivity_values(config(home, name="another", **SWEPT), original, anew)
    assert kept.parameters == other.parameters == first.parameters
    assert again.probes == 0
    assert anew.probes >= 7  # Six parts and the whole, as in the tests of the sweep, and some parts once more.


def test_a_run_of_another_configuration_has_no_sweep_for_this_one(home, local_pool):
    run_search(config(home, **SWEPT))
    listener = Counter()
    sensitivity_values(config(home, budget={"flops": 0.6}, **SWEPT), load_model(home / "tiny.keras"), listener)
    assert listener.probes >= 7


@pytest.mark.parametrize("recipe", [["prune", "decompose"], ["decompose", "prune"]])
def test_commands_recommend_and_compress_with_them(home, local_pool, tuckprune, recipe):
    path = written(home, recipe=recipe, **SWEPT)
    code, out, err = tuckprune("recommend", home / "tiny.keras", "--config", path, "--method", "sensitivity", "--json")
    assert code == 0 and "sensitivity sweep: 7 evaluations" in err and "[7/7] " in err
    values = loads(out).parameters
    code, out, err = tuckprune(
        "compress", home / "tiny.keras", "--recommend", "--config", path, "--method", "sensitivity"
    )
    assert (code, err) == (0, "") and "sensitivity.keras: test accuracy" in out
    run = home / "runs" / "run"
    assert read_parameters([run / "sensitivity-parameters" / "parameters.json"]).parameters == values
    original, swept = read_results(run / "results")
    assert (original.label, swept.label) == ("original", "sensitivity")
    assert 0.4 * original.flops < swept.flops <= 0.5 * original.flops


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("recommend", "--method", "sensitivity"), "at the budget of a configuration; give --config alone"),
        (("recommend", "--config", "c.yaml", "--ratio", "0.5", "--method", "sensitivity"), "give --config alone"),
        (("compress", "--params", "p.txt", "--config", "c.yaml", "--method", "slamp"), "give --recommend"),
        (("recommend", "--method", "lamp"), "expected slamp, inner, sensitivity, received 'lamp'"),
    ],
)
def test_the_option_is_for_recommended_values_that_it_can_make(tuckprune, home, arguments, message):
    code, _, err = tuckprune(arguments[0], home / "tiny.keras", *arguments[1:])
    assert code == 2 and message in " ".join(err.split())


def test_other_knobs_are_refused(home):
    with pytest.raises(ConfigError, match="no ratio and no calibration with method sensitivity.*ratio 0.5"):
        config(home, simple={"method": "sensitivity", "ratio": 0.5})
