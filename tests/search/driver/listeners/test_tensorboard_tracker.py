"""What TensorBoard reads is the study."""

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from search.driver.listeners.tensorboard_tracker import TensorBoardTracker
from search.driver.listeners.tracker import metrics_of, settings_of
from tests.search.driver.tracked import tracked


def test_the_event_files_hold_exactly_the_study(tmp_path):
    folder = tmp_path / "trials"
    # Of a process that was killed while it wrote this trial.
    (folder / ".trial 4").mkdir(parents=True)
    result = tracked(lambda: TensorBoardTracker(folder))
    assert len(result) == 5 and {record.state for record in result} == {"complete", "failed"}
    assert {path.name for path in folder.iterdir()} == {record.source for record in result}
    for record in result:
        events = EventAccumulator(str(folder / record.source))
        events.Reload()
        content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        start = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
        values = {name: value.string_value or value.number_value for name, value in start.hparams.items()}
        assert values == {"state": record.state, **settings_of(record)}
        scalars = {name: events.Tensors(name) for name in events.Tags()["tensors"] if not name.startswith("_")}
        assert {name: [event.step for event in series] for name, series in scalars.items()} == dict.fromkeys(
            metrics_of(record), [record.number]
        )
        shown = {name: tf.make_ndarray(series[0].tensor_proto).item() for name, series in scalars.items()}
        assert shown == pytest.approx(metrics_of(record), rel=1e-6)
