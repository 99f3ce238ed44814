"""What a machine is fastest in."""

import pytest

from objectives.network.precision import fast_precision


@pytest.mark.parametrize(
    ("bfloat16", "gpu", "jit_compile", "expected"),
    [
        (True, False, False, "mixed_bfloat16"),
        (True, True, True, "mixed_bfloat16"),
        (True, False, True, "float32"),
        (False, True, False, "float32"),
        (False, False, False, "float32"),
    ],
)
def test_bfloat16_is_taken_where_hardware_multiplies_it(
    monkeypatch: pytest.MonkeyPatch, bfloat16: bool, gpu: bool, jit_compile: bool, expected: str
) -> None:
    monkeypatch.setattr("zoo.training.precision.computes_bfloat16", lambda: bfloat16)
    monkeypatch.setattr("zoo.training.precision.has_gpu", lambda: gpu)
    assert fast_precision(jit_compile).name == expected
