"""What MLflow answers is the study, from a real database."""

import pytest

from compress.parameters import CompressionParameters
from search.driver.listeners.tracker import metrics_of, settings_of
from tests.search.driver.listeners.test_tracking import record
from tests.search.driver.tracked import tracked

mlflow = pytest.importorskip("mlflow", reason="needs the extra mlflow")

# SQLAlchemy says of MLflow's own tables that they will need another loader one day.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")


def test_the_runs_are_exactly_the_study(tmp_path, monkeypatch):
    from search.driver.listeners.mlflow_tracker import URI, MlflowTracker

    monkeypatch.delenv(URI, raising=False)
    file = tmp_path / "mlflow.db"
    client = mlflow.MlflowClient(f"sqlite:///{file}")
    experiment = client.create_experiment("digits")
    # Of a process that was killed while it wrote this trial: it is handed over again.
    client.create_run(experiment, tags={"tuckprune.trial": "trial 0"})
    result = tracked(lambda: MlflowTracker("digits", file))
    many = record(5, parameters=CompressionParameters({f"layer{i}.conv(1)": i / 200 for i in range(150)}, {}))
    MlflowTracker("digits", file).add(many)
    runs = client.search_runs([experiment], "attributes.status = 'FINISHED'", order_by=["attributes.start_time ASC"])
    assert [run.info.run_name for run in runs] == [record.source for record in [*result, many]]
    for run, expected in zip(runs, [*result, many], strict=True):
        assert run.data.metrics == metrics_of(expected)
        names = {name.replace("(", "_").replace(")", "_"): value for name, value in settings_of(expected).items()}
        assert {name: float(value) for name, value in run.data.params.items()} == names
        error = {"error": expected.error} if expected.error else {}
        tags = {"tuckprune.trial": expected.source, "state": expected.state, "mlflow.runName": expected.source, **error}
        assert run.data.tags == tags
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlflow.db"]
