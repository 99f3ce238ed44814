"""The checks of `tuckprune doctor`, on a machine that is well and on ones that are not."""

import json
import socket
from collections import namedtuple

import keras
import numpy as np
import pytest

from search.pipeline.machine import arithmetic, devices, surroundings
from search.pipeline.machine.check import Check
from search.pipeline.machine.examination import CHECKS, examined

Usage = namedtuple("Usage", "free")


@pytest.fixture
def small(monkeypatch):
    """What is timed is not what is tested."""
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(keras.layers.GlobalMaxPooling2D()(inputs)))
    monkeypatch.setattr(devices, "build_model", lambda *_, **__: model)


def test_this_machine_is_well(small):
    results = list(examined())
    assert [check.name for check in results] == list(CHECKS)
    assert [(check.line, check.advice) for check in results if not check.ok] == []


def test_a_convolution_is_its_definition():
    images, kernel = arithmetic._random((1, 5, 6, 2), 0), arithmetic._random((3, 3, 2, 4), 1)
    seen = images[0, 0:3, 3:6]  # around row 1, column 4
    by_hand = (seen * kernel[..., 3]).sum()
    assert arithmetic._convolved(images, kernel)[0, 1, 4, 3] == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("values", [0.0, np.nan])
def test_a_wrong_result_is_told(values):
    check = arithmetic._compared("convolution", "it is right", np.full(3, values), np.ones(3))
    assert "expected that it is right" in check.line and "do not trust" in check.advice


def test_a_gpu_that_tensorflow_does_not_see(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "_present_gpus", lambda: ["GPU 0: H200"])
    assert "TensorFlow sees none of GPU 0: H200" in devices.gpus().line and "tuckprune[gpu]" in devices.gpus().advice
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert devices.gpus().ok and "hidden by CUDA_VISIBLE_DEVICES" in devices.gpus().line


def test_a_gpu_holds_as_many_workers_as_its_memory(monkeypatch):
    monkeypatch.setattr(devices, "_nvidia", lambda *_: ["15260"])
    monkeypatch.setattr(devices.tf.config.experimental, "get_memory_info", lambda _: {"peak": 3.4e9})
    assert devices._gpu_share(8) == "4 of them on a GPU of 16 GB at 4.0 GB each (search.gpus_per_worker: 0.25)"
    assert devices._gpu_share(2).startswith("2 of them")


def test_a_port_that_is_taken_is_named(monkeypatch):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        monkeypatch.setattr(surroundings, "_HEAD_PORTS", {port: "--port"})
        check = surroundings.ports()
    assert check.ok and f"{port} (--port)" in check.line
    assert f"{port} (--port)" not in surroundings.ports().line


@pytest.mark.parametrize("check", [surroundings.disk, surroundings.shared_memory, surroundings.temporary_folder])
def test_a_full_disk(monkeypatch, check):
    monkeypatch.setattr(surroundings.shutil, "disk_usage", lambda _: Usage(5e8))
    assert "0.5 GB free, less than 1 GB" in check().line and check().advice


def test_a_check_that_fails_is_told_with_the_others(tuckprune, monkeypatch):
    def broken():
        raise OSError("no such device")

    checks = {"first": broken, "second": lambda: Check("second", "it is well")}
    monkeypatch.setattr("search.pipeline.machine.examination.examined", lambda: examined(checks))
    code, out, _ = tuckprune("doctor")
    assert code == 1
    assert [line.split()[:2] for line in out.splitlines()][::2] == [["WRONG", "first:"], ["ok", "second:"]]
    assert "failed: OSError: no such device" in out and "repair the installation" in out.splitlines()[1]
    code, out, _ = tuckprune("doctor", "--json")
    assert [entry["ok"] for entry in json.loads(out)] == [False, True]
