"""What is printed of a user's names and errors is what they are: no markup, no emoji, nothing that a terminal obeys."""

import io
import os
import shutil
import sys
from io import BytesIO, TextIOWrapper

import keras
import pytest
from rich.table import Table

from search.cli.app import main
from search.cli.console import PlainConsole
from tests.search.fixtures.runs import refused

NAMES = ["a:x:b", "a[red]b", "[/]", "a[link=x]b", ":smile:", "1.5", "'x'"]
HOSTILE = {
    "\x1b[31mred": r"\x1b[31mred",
    "\x9b31m": r"\x9b31m",
    "\u202egpj": r"\u202egpj",
    "\udcff": r"\udcff",
    "\a": r"\x07",
}


def printed(shown, **options):
    console = PlainConsole(**options)
    console.file = io.StringIO()
    console._force_terminal = True
    console.print(shown)
    return console.file.getvalue()


@pytest.mark.parametrize("text", NAMES)
def test_text_is_printed_as_it_is(text):
    assert printed(text) == f"{text}\n"
    table = Table("Name", title=text, caption=text)
    table.add_row(text)
    assert printed(table, soft_wrap=False).count(text) == 3


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_terminal_obeys_is_escaped(text):
    assert printed(f"a {text}\nb") == f"a {HOSTILE[text]}\nb\n"
    table = Table("Name")
    table.add_row(text)
    assert HOSTILE[text] in printed(table, soft_wrap=False)


@pytest.mark.parametrize("name", ["a:x:b", "[red]", "a[/]b", "\x1b[31mred"])
def test_a_user_s_names_in_all_that_a_command_prints(tuckprune, home, name):
    shown = HOSTILE.get(name, name)
    missing = home / f"{name}.keras"
    line = refused(tuckprune, home, "inspect", missing)
    assert f"'{home}/{shown}.keras'" in line
    inputs = keras.Input((8, 8, 1))
    named = keras.layers.Conv2D(4, 3, name=name.replace("/", "|"))(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(named)))
    folder = home / name.replace("/", "|")
    folder.mkdir()
    model.save(folder / "m.keras")
    code, out, err = tuckprune("inspect", folder / "m.keras")
    assert (code, err) == (0, "") and out.count(shown.replace("/", "|")) >= 2 and "\x1b" not in out
    code, out, err = tuckprune("recommend", folder / "m.keras", "--ratio", 0.5, "--out", folder / "values")
    assert (code, err) == (0, "") and f"{home}/{shown.replace('/', '|')}/values/pruning.txt" in out


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
def test_a_terminal_that_lacks_characters(home, encoding, monkeypatch):
    """They are escaped, in what is printed and in errors; JSON is ASCII anyway."""
    for name in ("größe 层.keras", os.fsdecode(b"\xff.keras")):
        path = home / name
        shutil.copyfile(home / "tiny.keras", path)
        streams = {stream: TextIOWrapper(BytesIO(), encoding=encoding) for stream in ("stdout", "stderr")}
        arguments = ["tuckprune", "recommend", str(path), "--ratio", "0.5", "--out", str(home / f"{name} values")]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", arguments)
            for stream, terminal in streams.items():
                patch.setattr(sys, stream, terminal)
            with pytest.raises(SystemExit) as ended:
                main()
        out, err = (terminal.detach().getvalue() for terminal in streams.values())
        assert (ended.value.code or 0, err) == (0, b"")
        assert (r"\u5c42" if "层" in name else r"\udcff") in out.decode(encoding)
        assert b"Traceback" not in out


def test_a_model_without_layers(tuckprune, home):
    """It costs nothing, and has nothing that could be compressed."""
    with pytest.warns(UserWarning, match="not yet been built"):
        keras.Sequential([keras.Input((8, 8, 1))]).save(home / "sequential.keras")
    refused(tuckprune, home, "inspect", home / "sequential.keras")
    inputs = keras.Input((8, 8, 1))
    keras.Model(inputs, inputs).save(home / "empty.keras")
    code, out, err = tuckprune("inspect", home / "empty.keras")
    assert (code, err) == (0, "") and "total" in out
    code, out, err = tuckprune("recommend", home / "empty.keras")
    assert (code, err) == (0, "")
    (home / "own.txt").write_text("'a' : 0.5\n")
    made = home / "out.keras"
    line = refused(tuckprune, home, "compress", home / "empty.keras", "--params", home / "own.txt", "--out", made)
    assert "'a'" in line


def test_standard_output_that_is_no_file(tuckprune, home, monkeypatch):
    """As a notebook has it: there is no encoding to be minded."""
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert tuckprune("inspect", home / "tiny.keras")[0] == 0
