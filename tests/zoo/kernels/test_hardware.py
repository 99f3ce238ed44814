"""What is said of hardware, from the texts and details that describe it."""

from typing import Any

import pytest

from zoo.kernels import hardware

WITH = "processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 amx_tile\nflags\t\t: fpu\n"
WITHOUT = "processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16x\nbugs\t\t: amx_bf16\n"


@pytest.mark.parametrize(
    ("description", "answer"),
    [(WITH, True), (WITHOUT, False), ("flags : amx_bf16", True), ("", False), ("flags", False)],
)
def test_a_cpu_by_its_flags(description: str, answer: bool) -> None:
    assert hardware.cpu_has_bfloat16(description) is answer


@pytest.mark.parametrize(("capability", "answer"), [((8, 0), True), ((9, 0), True), ((7, 5), False)])
def test_a_gpu_by_its_compute_capability(capability: tuple[int, int], answer: bool) -> None:
    assert hardware.gpu_has_bfloat16({"compute_capability": capability}) is answer


def test_a_gpu_without_a_compute_capability_has_none() -> None:
    assert not hardware.gpu_has_bfloat16({"device_name": "other"})


@pytest.mark.parametrize(
    ("variable", "answer"), [("1", True), ("True", True), (None, True), ("0", False), ("false", False), ("", False)]
)
def test_onednn_by_its_variable(variable: str | None, answer: bool) -> None:
    assert hardware.uses_onednn(variable) is answer


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretends a machine: its GPUs' compute capabilities, its CPU, and whether oneDNN is on."""

    def pretend(*gpus: tuple[int, int], cpu: str = WITH, onednn: str = "1") -> None:
        details = dict(enumerate({"compute_capability": gpu} for gpu in gpus))
        monkeypatch.setattr(hardware.tf.config, "list_physical_devices", lambda kind: list(details))
        monkeypatch.setattr(hardware.tf.config.experimental, "get_device_details", details.__getitem__)
        monkeypatch.setattr(hardware, "_cpu_description", lambda: cpu)
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", onednn)

    return pretend


def test_the_cpu_counts_where_there_is_no_gpu(machine: Any) -> None:
    for changes, answer in (({}, True), ({"onednn": "false"}, False), ({"cpu": WITHOUT}, False)):
        machine(**changes)
        assert not hardware.has_gpu()
        assert hardware.computes_bfloat16() is answer


def test_gpus_count_where_there_are_any_and_all_of_them(machine: Any) -> None:
    for gpus, answer in (([(8, 6)], True), ([(8, 6), (7, 0)], False), ([(7, 0)], False)):
        machine(*gpus, cpu=WITHOUT if answer else WITH)
        assert hardware.has_gpu()
        assert hardware.computes_bfloat16() is answer
