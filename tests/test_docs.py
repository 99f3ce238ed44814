"""What the pages show is true: Python runs, configurations are accepted, commands, options and keys exist."""

import importlib
import re
from pathlib import Path

import pytest
import typer.main
import yaml

from configs.load import check_config
from scripts.docs.config_reference import page as config_page
from scripts.docs.config_reference import sections
from scripts.docs.python_reference import PACKAGES
from scripts.docs.python_reference import page as python_page
from search.cli.app import app
from tests.search.fixtures.runs import run_forked
from tests.snippets import ROOT, Snippet, command_lines, inline_codes, merged, snippets, write_tiny

ELSEWHERE = {"docs/examples/detector.md", "docs/examples/own-model.md", "docs/shipping.md"}
"""Need files of their own: run in test_examples.py and in search/test_shipment.py."""
BASE = {"name": "base", "model": {"path": "m.keras"}, "data": {"source": "digits"}, "budget": {"flops": "25%"}}
PYTHON_PAGES = sorted({result.page for result in snippets("python")} - ELSEWHERE)
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
SHELL = [(result, words) for result in snippets("sh") for words in command_lines(result.text)]
INLINE = [(page, text) for page, text in inline_codes() if re.match(r"tuckprune \w", text)]
SECTIONS = {section.path: section for section in sections()}
KEYS = {option.path for section in SECTIONS.values() for option in section.options}
DOTTED = [(page, text) for page, text in inline_codes() if re.fullmatch(r"[a-z]+(\.[a-z_]+)+(: .*)?", text)]
FILES = (".txt", ".json", ".yaml", ".keras", ".py")


def test_there_is_something_to_check() -> None:
    assert {"README.md", "docs/examples/digits.md", "docs/nptk.md"} <= set(PYTHON_PAGES)
    assert {"docs/examples/own-model.md", "docs/examples/widen.md"} <= {result.page for result in snippets("yaml")}
    assert {words[1] for _, words in SHELL if words[0] == "tuckprune"} >= {"inspect", "search", "export", "compress"}


@pytest.mark.parametrize("page", PYTHON_PAGES)
def test_python_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, local_pool: None, small_zoo: None
) -> None:
    source = (ROOT / "configs" / "digits.yaml").read_text(encoding="utf-8")
    write_tiny(
        source, tmp_path / "configs" / "digits.yaml", recipe=["prune"], space={"ranks": False}, finetune={"epochs": 0}
    )
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    for result in snippets("python", page):
        exec(compile("\n" * result.line + result.text, page, "exec"), names)


@pytest.mark.parametrize("result", snippets("yaml"), ids=str)
def test_configuration_is_accepted(result: Snippet) -> None:
    written = yaml.safe_load(result.text)
    own = ":" in str(written.get("task"))
    base = {key: value for key, value in BASE.items() if not (own and key == "data")}
    checked = check_config(merged(base, written), str(result)).model_dump(mode="json")
    assert written.keys() <= checked.keys()


@pytest.mark.parametrize("words", [words for _, words in SHELL if words[0] == "tuckprune"], ids=" ".join)
def test_command_line_is_understood(words: list[str]) -> None:
    _, name, *arguments = words
    context = COMMANDS[name].make_context(name, arguments)
    assert context.params


@pytest.mark.parametrize("words", [words for _, words in SHELL if words[0] != "tuckprune"], ids=" ".join)
def test_other_commands_are_there(words: list[str]) -> None:
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for path in (word for word in words if word.startswith("scripts/")):
        assert (ROOT / path).is_file()


@pytest.mark.parametrize(("page", "text"), INLINE)
def test_command_in_running_text_is_there(page: str, text: str) -> None:
    command = COMMANDS[text.split()[1]]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in text.split() if word.startswith("--")} <= known


@pytest.mark.parametrize(("page", "text"), [result for result in DOTTED if result[1].split(".")[0] in SECTIONS])
def test_key_in_running_text_is_there(page: str, text: str) -> None:
    key = text.split(":")[0]
    assert key in KEYS or key.endswith(FILES) or (ROOT / key.replace(".", "/")).with_suffix(".py").exists()


def test_the_reference_has_every_option() -> None:
    shown = config_page()
    for path, section in SECTIONS.items():
        assert section.description in shown and f"{{ #{path.replace('.', '-') or 'the-file'} }}" in shown
        for option in section.options:
            assert f"| `{option.path.rsplit('.', 1)[-1]}` | {option.type} | {option.default} |" in shown


def test_the_reference_tells_types_and_defaults() -> None:
    options = {option.path: option for section in SECTIONS.values() for option in section.options}
    told = {path: (options[path].type, options[path].default) for path in ("name", "search.trials", "budget.flops")}
    assert told == {
        "name": ("text", "required"),
        "search.trials": ("whole number, at least 1", "`100`"),
        "budget.flops": ("number, above 0 or text or null", "`null`"),
    }
    assert options["pruning.policy"].type == "`average`, `sum`"
    assert options["data.image_size"].type == "list of 2: whole number, at least 1 or null"
    assert options["search.sampler"].type == "[section](#search-sampler)"


def test_an_option_without_description_is_refused() -> None:
    schema = {"description": "all", "properties": {"a": {"type": "integer", "default": 1}}}
    with pytest.raises(ValueError, match="none of a;"):
        sections(schema)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_python_reference_has_every_name_of_the_door(package: str) -> None:
    shown = re.findall(rf"^::: {package}\.(\w+)$", python_page(), re.MULTILINE)
    assert sorted(shown) == sorted(importlib.import_module(package).__all__)


def test_python_on_the_pages_imports_from_the_doors() -> None:
    imported = {
        name
        for snippet in snippets("python")
        for name in re.findall(r"^from ([\w.]+) import", snippet.text, re.MULTILINE)
    }
    assert {name for name in imported if name.split(".")[0] in PACKAGES} <= set(PACKAGES)


def test_what_checks_a_promise_is_there() -> None:
    checks = re.findall(r"`(tests/[\w/]+\.py)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    assert len(set(checks)) >= 8 and all((ROOT / path).is_file() for path in checks)


def test_the_additions_of_contributing_run() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n# ([\w/]+)\.py\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(examples) >= 10 and all((ROOT / path).parent.is_dir() for path, _ in examples)
    # In a process of its own: they register what they make.
    source = "\n".join(f"exec({body!r}, {{'__name__': {path!r}}})" for path, body in examples)
    made = run_forked(source)
    assert made.returncode == 0, made.stderr
