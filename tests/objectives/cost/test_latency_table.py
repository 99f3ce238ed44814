"""Tables as files."""

import pytest

from compress.errors import RunError
from objectives.cost.latency_table import LatencyTable
from tests.objectives.cost import synthetic_latency as synthetic


def test_a_file_holds_all_of_a_table(tmp_path):
    table = synthetic.table("tiny")
    table.write(tmp_path / "latency.json")
    assert LatencyTable.read(tmp_path / "latency.json") == table


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"laws": [], "settings": {"cores": 1}}', '{"laws": [[{}, {}]]}'])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "latency.json"
    path.write_text(text)
    with pytest.raises(RunError, match="latency.json' cannot be read as a latency table: .*; delete it"):
        LatencyTable.read(path)
    with pytest.raises(RunError, match="cannot be read"):
        LatencyTable.read(tmp_path / "none.json")
