"""The benchmark of exports: an entry of every format."""

import json
import sys

import pytest

from scripts.bench.search import exports
from search.pipeline.formats.format import formats
from tests.search.fixtures.nets import tiny
from tests.search.fixtures.runs import written


@pytest.mark.skipif(any(format.missing() for format in formats().values()), reason="needs the extra ship")
def test_every_format_has_an_entry(tmp_path, monkeypatch):
    tiny().save(tmp_path / "tiny.keras")
    arguments = [tmp_path / "tiny.keras", written(tmp_path), "--rounds", 1, "--out", tmp_path / "exports.json"]
    monkeypatch.setattr(sys, "argv", ["bench_exports", *map(str, [*arguments, "--set", "data.test_limit=60"])])
    monkeypatch.setattr(exports, "import_tensorflow", lambda threads: None)
    exports.main()
    entries = json.loads((tmp_path / "exports.json").read_text())
    assert [entry["format"] for entry in entries] == list(formats())
    for entry in entries:
        assert list(entry) == ["format", "bytes", "agreement", "max_difference", "latency_ms"]
        assert entry["agreement"] == 1.0 or entry["format"] == "tflite-int8"
        assert entry["bytes"] > 1000 and entry["latency_ms"] > 0
