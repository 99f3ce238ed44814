"""Randomly grown graphs: what is drawn, and how a model is made of it."""

import sys
from collections import Counter

import keras
import numpy as np
from keras import layers

from tests.compress.fixtures.models import randomized

WIDTHS = (1, 2, 3, 4, 6)
SIDE = 4


class Decks:
    """Draws as from a shuffled deck of cards: each place in the code sees all its alternatives before one comes again.

    Few graphs cover every alternative then, where independent draws would need many.

    Attributes:
        drawn: times that each alternative was drawn, by the line of code that asked and the alternative's place.
    """

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.drawn = {}
        self._decks = {}

    def index(self, place, count):
        """A number below count."""
        deck = self._decks.get((place, count)) or [int(card) for card in self.rng.permutation(count)]
        card = deck.pop()
        self._decks[place, count] = deck
        self.drawn.setdefault((place, count), Counter())[card] += 1
        return card


class RandomGraph:
    """Grows a graph on images: each step reads one or two of the tensors so far and adds one.

    Args:
        decks: what is drawn from.
        kinds: steps to draw from, functions of the graph and a tensor; they answer with one tensor, several, or None
            where it does not fit.
    """

    def __init__(self, decks, kinds):
        self._decks, self._kinds = decks, kinds
        self.inputs = [keras.Input((SIDE, SIDE, width)) for width in self.some((2,), (3,), (2, 4))]
        self._tensors = [*self.inputs, *(layers.Conv2D(4, 1)(x) for x in self.inputs)]
        self._shared = {}

    def some(self, *choices):
        """One of the alternatives of the line that asks."""
        frame = sys._getframe(1)
        return choices[self._decks.index(f"{frame.f_code.co_qualname}:{frame.f_lineno}", len(choices))]

    def any_of(self, choices):
        """One of what depends on the graph, such as its tensors."""
        return choices[self._decks.rng.integers(len(choices))]

    def model(self, steps):
        """A model of so many steps, with one or two outputs and random weights."""
        for _ in range(steps):
            step = self.some(*self._kinds)
            made = step(self, self.any_of(self._tensors))
            self._tensors += [x for x in (made if isinstance(made, list) else [made]) if x is not None]
        ends = [self.end(x) for x in self._tensors[-3:]]
        outputs = [layers.Dense(2)(layers.Concatenate()(ends))]
        if self.some(True, False, False):
            outputs.append(self._tensors[-1])
        model = keras.Model(*(ends if len(ends) > 1 else ends[0] for ends in (self.inputs, outputs)))
        return randomized(model, seed=int(self._decks.rng.integers(100)))

    def end(self, x):
        pooled = self.some(layers.GlobalAveragePooling2D(), layers.GlobalMaxPooling2D(), layers.Flatten())(x)
        return self.some(lambda y: y, layers.Dense(self.width(), activation="relu"))(pooled)

    def width(self):
        return int(self.some(*WIDTHS))

    def conv(self, x, width=None, size=1, **options):
        return layers.Conv2D(width or self.width(), size, padding="same", **options)(x)

    def alike(self, x, *, channels):
        """A tensor that may be joined with x, made by a convolution where there is none."""
        axes = (1, 2, 3) if channels else (1, 2)
        fitting = [t for t in self._tensors if t is not x and all(t.shape[axis] == x.shape[axis] for axis in axes)]
        made = self.any_of([None, *fitting])
        return self.conv(x, x.shape[-1] if channels else None) if made is None else made

    def shared(self, key, make):
        if key not in self._shared:
            self._shared[key] = make()
        return self._shared[key]
