"""Code of users that ends the process, or raises what is no Exception, ends a command by one line and exit code 1."""

import sys

import keras
import pytest

from search.cli.app import _refusing_exits
from tests.search.fixtures.runs import refused, written

_MODULE = """
import multiprocessing, os, sys
from concurrent.futures import ProcessPoolExecutor

class Own(BaseException):
    pass

def leaves():
    sys.exit(0)

def leaves_silently():
    sys.exit()

def closes():
    raise GeneratorExit("no more")

def raises():
    raise Own("of my own")

def loses_a_process():
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(os._exit, 0).result()

def interrupts():
    raise KeyboardInterrupt
"""


@pytest.fixture
def ends(home, monkeypatch):
    (home / "ends_process.py").write_text(_MODULE)
    (home / "ends_at_import.py").write_text("import sys\nsys.exit(0)\n")
    monkeypatch.chdir(home)
    yield
    sys.modules.pop("ends_process", None)


@pytest.mark.usefixtures("ends")
@pytest.mark.parametrize(
    ("source", "received"),
    [
        ("ends_process:leaves", "SystemExit: 0"),
        ("ends_process:leaves_silently", "SystemExit: no message"),
        ("ends_process:closes", "GeneratorExit: no more"),
        ("ends_process:raises", "Own: of my own"),
        ("ends_process:loses_a_process", "BrokenProcessPool: "),
        ("ends_at_import:arrays", "SystemExit: 0"),
    ],
)
def test_a_data_function_that_ends_the_process(tuckprune, home, source, received):
    config = written(home, data={"source": source})
    message = refused(tuckprune, home, "search", config)
    assert f"{source!r}, received {received}" in message


@pytest.mark.usefixtures("ends")
def test_an_interruption_stays_one(tuckprune, home):
    config = written(home, data={"source": "ends_process:interrupts"})
    code, out, err = tuckprune("search", config)
    assert (code, err) == (130, "") and "interrupted; nothing is lost" in out


@pytest.mark.parametrize("ending", [SystemExit(0), GeneratorExit("no more"), type("Own", (BaseException,), {})("mine")])
def test_a_layer_that_ends_the_process(tuckprune, home, ending):
    """Whatever code ends a command, here that of a registered layer as the model is read, is one line."""

    @keras.saving.register_keras_serializable("ends_process")
    class Ends(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    inputs = keras.Input((4, 4, 3))
    keras.Model(inputs, keras.layers.Conv2D(2, 1)(Ends()(inputs))).save(home / "ends.keras")

    def call(self, inputs):
        raise ending

    Ends.call = call
    code, out, err = tuckprune("inspect", home / "ends.keras")
    assert code == 1 and out == "" and err.startswith("error: ") and err.count("\n") == 1
    assert f"received {type(ending).__name__}: " in err and __file__ in err and "before 'inspect' was done" in err


def test_a_reader_of_the_output_that_ends_is_no_error():
    """As in `tuckprune status RUN | head -1`: Rich ends the process where the pipe is broken."""

    def printing():
        try:
            raise BrokenPipeError
        except BrokenPipeError:
            raise SystemExit(1)  # noqa: B904  as Rich does

    with pytest.raises(SystemExit):
        _refusing_exits(printing)()
