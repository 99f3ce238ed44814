"""Several listeners hear what one would."""

import inspect

from search.driver.listeners.listener import Listener, Listeners


class Recorder:
    """Keeps every call."""

    def __init__(self, name, said):
        self.name, self.said = name, said

    def __getattr__(self, method):
        return lambda *arguments: self.said.append((self.name, method, arguments))


def test_every_method_reaches_all_in_order():
    said = []
    both = Listeners(Recorder("first", said), Recorder("second", said))
    methods = [name for name, value in vars(Listener).items() if inspect.isfunction(value) and name[0] != "_"]
    assert len(methods) == 9
    for method in methods:
        arguments = tuple(range(len(inspect.signature(getattr(both, method)).parameters)))
        getattr(both, method)(*arguments)
        assert said[-2:] == [("first", method, arguments), ("second", method, arguments)]
    assert len(said) == 2 * len(methods)
