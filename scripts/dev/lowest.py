"""Print the lower bounds of pyproject.toml's dependencies, and of what its extras add, as pip constraints to test."""

import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def lowest(requirements: list[str]) -> list[str]:
    """``name==bound`` for every ``name>=bound``; requirements without a bound are left free."""
    bounds = [re.fullmatch(r"([A-Za-z0-9_.-]+)(?:\[.*\])?>=([0-9.]+)", text) for text in requirements]
    return [f"{match[1]}=={match[2]}" for match in bounds if match]


if __name__ == "__main__":
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    # Development tools are those of the day.
    tools = ("dev", "tests")
    extras = [text for name, own in project["optional-dependencies"].items() if name not in tools for text in own]
    print("\n".join(dict.fromkeys(lowest([*project["dependencies"], *extras]))))
