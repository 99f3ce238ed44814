"""The key ``search.sampler``: a name or a section."""

import pytest
from pydantic import ValidationError

from configs.schema.search import SamplerConfig


@pytest.mark.parametrize("name", ["gp", "optunahub:samplers/auto_sampler", "optunahub:samplers/cma:Other"])
def test_a_name_alone(name: str) -> None:
    sampler = SamplerConfig.model_validate(name)
    assert sampler == SamplerConfig.model_validate({"name": name})
    assert sampler.model_dump() == name


def test_a_section() -> None:
    section = {"name": "tpe", "options": {"n_startup_trials": 20}}
    assert SamplerConfig.model_validate(section).model_dump() == section
    for wrong in ({"name": ""}, {"options": None}, {"seed": 3}):
        with pytest.raises(ValidationError):
            SamplerConfig.model_validate({**section, **wrong})
