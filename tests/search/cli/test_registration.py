"""One new file adds a command, an export format, a figure or a section: it is found by lying in the folder."""

import sys
from importlib import import_module

import pytest

from compress.registration import registered
from search.cli.commands import commands
from search.pipeline.formats.format import formats
from search.report.blocks import Paragraph
from search.report.figures.figure import figures_in
from search.report.run_view import RunView
from search.report.sections.section import sections_of
from tests.search.report.report_runs import made_up


@pytest.fixture
def add_module(monkeypatch, tmp_path):
    """Lays a module named ``added`` into a package for the time of a test."""
    added = []

    def add(package, source):
        (tmp_path / "added.py").write_text(source)
        monkeypatch.setattr(import_module(package), "__path__", [*import_module(package).__path__, str(tmp_path)])
        added.append(package)

    yield add
    for package in added:
        sys.modules.pop(f"{package}.added", None)
        vars(import_module(package)).pop("added", None)


def test_an_object_of_two_modules_is_registered_once(monkeypatch, tmp_path):
    folder = tmp_path / "rooms"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "a.py").write_text("first, second, other = 7, 8, 'x'")
    (folder / "b.py").write_text("from rooms.a import first\nthird = 9")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert registered("rooms", int) == [7, 8, 9]
    finally:
        for name in ("rooms", "rooms.a", "rooms.b"):
            del sys.modules[name]


def test_a_new_file_is_a_new_command(add_module):
    before = [command.run.__name__ for command in commands()]
    source = "from search.cli.commands import command\n\n@command(order=1)\ndef hello() -> None:\n    'Greet.'\n"
    add_module("search.cli.commands", source)
    assert [command.run.__name__ for command in commands()] == ["hello", *before]


def test_a_new_file_is_a_new_format(add_module):
    before = list(formats())
    source = "from search.pipeline.formats import Format\nNEW = Format('new', '.new', print, print, order=1)\n"
    add_module("search.pipeline.formats", source)
    assert list(formats()) == ["new", *before]


def test_a_new_file_is_a_new_figure_of_a_section(add_module):
    assert figures_in("sections-have-names", None) == []
    source = """
from search.report.blocks import Paragraph
from search.report.figures.figure import figure

@figure(section="sections-have-names", order=1)
def drawn(view):
    return [Paragraph("drawn")]
"""
    add_module("search.report.figures", source)
    assert figures_in("sections-have-names", None) == [Paragraph("drawn")]


def test_a_new_file_is_a_new_section_of_the_report(add_module, home):
    view = RunView.of(made_up(home, trials=3))
    names = [section.name for section in sections_of(view)]
    assert names == [
        *("result", "accuracy", "ship", "finals", "history"),
        *("layers", "importance", "workers", "trials", "configuration"),
    ]
    source = """
from search.report.blocks import Paragraph
from search.report.sections.section import section

@section("new", "New", order=55)
def new(view):
    return [Paragraph(view.config.name)]
"""
    add_module("search.report.sections", source)
    sections = sections_of(view)
    assert [section.name for section in sections] == [*names[:5], "new", *names[5:]]
    assert (sections[5].title, sections[5].blocks) == ("New", [Paragraph("run")])
