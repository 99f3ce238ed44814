"""A search space compiled to arrays: many proposals are decoded at once."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from compress.graph.choices import ANY_RANK, NO_CHOICES, Bounds, Choices, RankPair
from compress.graph.group import Decomposable, Group, Node, positions
from compress.parameters import SINGLE_CHANNELS, ChannelStep, CompressionParameters, kept_channels
from objectives.cost.cost_model import CostModel


@dataclass(frozen=True)
class SpaceSettings:
    """Grid and bounds of a search space.

    Attributes:
        ratio_max: largest pruning ratio.
        ratio_step: grid step of the ratios.
        rank_step: grid step of the ranks, as a fraction of the layer's channels.
        step: what the kept channels are rounded to.
        choices: bounds of single groups and layers; the bounds themselves can be chosen even off the grid.
    """

    ratio_max: float = 0.9
    ratio_step: float = 0.1
    rank_step: float = 0.1
    step: ChannelStep = SINGLE_CHANNELS
    choices: Choices = NO_CHOICES


Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROUNDING = 1e-9
"""Absorbs the rounding error of a division by the grid step."""


@dataclass(frozen=True)
class Candidates:
    """Candidates on the grid.

    Attributes:
        ratio_steps: pruning ratio of every searched group, in steps of the grid, shape (N, groups).
        kept: channels that stay in every subgroup of the graph, shape (N, subgroups).
        ranks: rank pair of every decomposable layer of the graph, 0 where it stays whole, shape (N, layers, 2).
    """

    ratio_steps: Ints
    kept: Ints
    ranks: Ints


@dataclass(frozen=True)
class SpaceArrays:
    """Decodes arrays of preferences (N, D), in the order of a ``SearchSpace``'s dimensions.

    Values that choices fix have no dimension; they are equal in all candidates.

    Attributes:
        cost: cost model of the original model.
        settings: grid and bounds.
        groups: groups whose ratios are searched: all of the graph, or none.
        layers: layers whose ranks are searched: all decomposable ones of the graph, or none.
        prunes_first: whether ranks are fractions of the channels that pruning leaves.
    """

    cost: CostModel
    settings: SpaceSettings
    groups: tuple[Group, ...]
    layers: tuple[Decomposable, ...]
    prunes_first: bool

    def decode(self, wanted: Floats) -> Candidates:
        """Candidates on the grid that keep at most the wanted fractions (N, D); fractions above 1 count as 1.

        A layer whose ranks would not make it cheaper stays whole (ranks 0), unless both ranks are fixed.
        """
        groups, wanted = len(self.groups), self.with_fixed(wanted)
        steps = self.ratio_steps(wanted[:, :groups])
        kept = self.kept(steps)
        ranks = np.zeros((len(wanted), len(self.cost.graph.decomposable), 2), dtype=np.int64)
        if self.layers:
            fractions = wanted[:, groups:].reshape(len(wanted), len(self.layers), 2)
            left = self.channels_left(kept)
            bases = self._bases(left)
            on_grid = self._ranks(fractions, bases)
            decomposed = self._saves(left, on_grid)
            if self.always_decomposed.any():
                decomposed |= self.always_decomposed & (on_grid < bases).any(axis=-1)
            ranks = np.where(decomposed[..., None], on_grid, 0)
        return Candidates(steps, kept, ranks)

    @cached_property
    def ratio_bounds(self) -> tuple[Bounds, ...]:
        """Bounds of the ratio of every group: as chosen, else from 0 to the last grid point within ``ratio_max``."""
        step = self.settings.ratio_step
        most = round(math.floor(self.settings.ratio_max / step + _ROUNDING) * step, 10)
        return tuple(self.settings.choices.ratio(group) or Bounds(0.0, most) for group in self.groups)

    @cached_property
    def rank_bounds(self) -> tuple[RankPair, ...]:
        """Bounds of the ranks of every layer: as chosen, else none."""
        return tuple(self.settings.choices.ranks(layer.layer) or (ANY_RANK, ANY_RANK) for layer in self.layers)

    @cached_property
    def is_free(self) -> NDArray[np.bool_]:
        """Which values are dimensions and not fixed, (groups + 2 layers,): ratios of groups, then ranks of layers."""
        bounds = [*self.ratio_bounds, *(side for pair in self.rank_bounds for side in pair)]
        return np.array([not bound.is_fixed for bound in bounds], dtype=np.bool_)

    @cached_property
    def always_decomposed(self) -> NDArray[np.bool_]:
        """Which layers have two fixed ranks that are not those of the whole layer, (layers,)."""
        return np.array([self.settings.choices.decomposes(layer.layer) for layer in self.layers], dtype=np.bool_)

    def with_fixed(self, wanted: Floats) -> Floats:
        """Preferences (N, D) with columns of 1 for fixed values, (N, groups + 2 layers)."""
        if self.is_free.all():
            return wanted
        values = np.ones((len(wanted), self.is_free.size))
        values[:, self.is_free] = wanted
        return values

    def ratio_steps(self, keep: Floats) -> Ints:
        """Pruning ratios in grid steps, (N, groups), for fractions of channels to keep, (N, groups)."""
        steps = np.ceil((1.0 - np.minimum(keep, 1.0)) / self.settings.ratio_step - _ROUNDING)
        return np.clip(steps, *self.step_bounds).astype(np.int64)

    @cached_property
    def step_bounds(self) -> tuple[Ints, Ints]:
        """Smallest and largest ratio of every group in grid steps, (groups,) each; equal where it is fixed."""
        step, bounds = self.settings.ratio_step, self.ratio_bounds
        most = [math.ceil(bound.most / step - _ROUNDING) for bound in bounds]
        least = [
            last if bound.is_fixed else math.floor(bound.least / step + _ROUNDING)
            for bound, last in zip(bounds, most, strict=True)
        ]
        return np.array(least, dtype=np.int64), np.array(most, dtype=np.int64)

    @cached_property
    def ratios(self) -> tuple[tuple[float, ...], ...]:
        """Ratios of every group by the number of grid steps, within its bounds; 0.3, not 0.30000000000000004."""
        grid = [round(steps * self.settings.ratio_step, 10) for steps in range(max(self.step_bounds[1], default=0) + 1)]
        return tuple(tuple(map(bounds.clipped, grid)) for bounds in self.ratio_bounds)

    def parameters(self, candidates: Candidates, index: int = 0) -> CompressionParameters:
        """The parameters of one of the candidates."""
        steps, ranks = candidates.ratio_steps[index].tolist(), candidates.ranks[index].tolist()
        values = [ratios[n] for ratios, n in zip(self.ratios, steps, strict=True)]
        ratios = {group.name: ratio for group, ratio in zip(self.groups, values, strict=True) if ratio}
        pairs = zip(self.layers, ranks, strict=False)
        return CompressionParameters(ratios, {layer.layer: (a, b) for layer, (a, b) in pairs if a})

    def fractions(self, kept: Ints, ranks: Ints) -> Floats:
        """Fractions of channels and ranks that candidates keep, (N, D) in (0, 1]; 1 for whole layers.

        Args:
            kept: channels that stay in every subgroup of the graph, (N, subgroups).
            ranks: rank pairs, 0 where a layer stays whole, (N, layers, 2).
        """
        keep = kept @ self._group_sums[0] / self._group_sums[1]
        if not self.layers:
            return np.asarray(keep[:, self.is_free])
        share = np.where(ranks > 0, ranks / self._bases(self.channels_left(kept)), 1.0)
        values = np.concatenate([keep, np.minimum(share, 1.0).reshape(len(kept), -1)], axis=1)
        return values if self.is_free.all() else values[:, self.is_free]

    def channels_left(self, kept: Ints) -> Ints:
        """Input and output channels of every searched layer after pruning, shape (N, layers, 2)."""
        constants, columns = self._channel_forms
        # Unlike int64, float64 is multiplied by BLAS; it is exact for integers below 2^53.
        left = constants + kept.astype(np.float64) @ columns
        return left.astype(np.int64).reshape(len(kept), len(self.layers), 2)

    @cached_property
    def grid(self) -> Floats:
        """Grid step of every dimension, (D,)."""
        groups, ranks = len(self.groups), 2 * len(self.layers)
        return np.array([self.settings.ratio_step] * groups + [self.settings.rank_step] * ranks)[self.is_free]

    def by_group(self, flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether any subgroup of each group is flagged, (groups,), for flags (subgroups,)."""
        return np.bincount(self._group_of, weights=flags, minlength=len(self.groups)) > 0

    def kept(self, steps: Ints) -> Ints:
        """Channels that stay in every subgroup, (N, subgroups), at ratios in grid steps (N, groups)."""
        if not self.groups:
            return np.tile(self.cost.counts.sizes, (len(steps), 1))
        return np.asarray(self._kept_table[np.arange(self.cost.counts.sizes.size), steps[:, self._group_of]])

    @cached_property
    def _group_of(self) -> Ints:
        """Group of every subgroup, shape (subgroups,)."""
        subgroups = [len(group.subgroups) for group in self.cost.graph.groups]
        return np.repeat(np.arange(len(subgroups)), subgroups)

    @cached_property
    def _group_sums(self) -> tuple[Floats, Floats]:
        """A matrix (subgroups, groups) that sums subgroups to groups, and the channels of the groups, (groups,)."""
        member = self._group_of[:, None] == np.arange(len(self.groups))
        return member.astype(np.float64), self.cost.counts.sizes @ member.astype(np.float64)

    @cached_property
    def _kept_table(self) -> Ints:
        """Channels that stay of every subgroup at every number of grid steps, (subgroups, steps)."""
        rows: dict[tuple[int, tuple[float, ...]], list[int]] = {}
        sized = [
            (size, self.ratios[group])
            for size, group in zip(self.cost.counts.sizes.tolist(), self._group_of, strict=True)
        ]
        for size, ratios in sized:
            if (size, ratios) not in rows:
                rows[size, ratios] = [kept_channels(size, ratio, self.settings.step) for ratio in ratios]
        return np.array([rows[key] for key in sized], dtype=np.int64)

    @cached_property
    def _channel_forms(self) -> tuple[Floats, Floats]:
        """Constants (2 layers,) and columns (subgroups, 2 layers) of the input and output channels of every layer."""
        counts = self.cost.counts
        forms = [counts.form(labels) for node in self._nodes for labels in (node.inputs[0], node.output)]
        constants = np.array([constant for constant, _ in forms], dtype=np.float64)
        rows = np.array([row for _, row in forms], dtype=np.float64).reshape(len(forms), counts.sizes.size)
        return constants, rows.T

    @cached_property
    def _nodes(self) -> list[Node]:
        return [self.cost.graph.node(layer.layer) for layer in self.layers]

    def _bases(self, left: Ints) -> Ints:
        """Channels that ranks are fractions of, (N or 1, layers, 2): those left by pruning where it comes first."""
        if self.prunes_first:
            return left
        return np.array([[(layer.in_channels, layer.out_channels) for layer in self.layers]], dtype=np.int64)

    def _ranks(self, fractions: Floats, bases: Ints) -> Ints:
        step = self.settings.rank_step
        points = np.maximum(1, np.floor(fractions / step + _ROUNDING)) * step
        # All channels are a choice with any step: only so can a layer stay whole.
        wanted = np.where(fractions >= 1, 1.0, points)
        ranks = np.minimum(bases, np.ceil(bases * wanted - _ROUNDING).astype(np.int64))
        if self._rank_limits is None:
            return np.asarray(ranks)
        least, most = (self._rank_limit(bound, bases) for bound in self._rank_limits)
        return np.asarray(np.clip(ranks, least, most))

    @cached_property
    def _rank_limits(self) -> tuple[Floats, Floats] | None:
        """Lower and upper bounds of the ranks of every layer, (layers, 2) each; None where no choice bounds any."""
        if all(pair == (ANY_RANK, ANY_RANK) for pair in self.rank_bounds):
            return None
        least = [[side.least for side in pair] for pair in self.rank_bounds]
        return np.array(least), np.array([[side.most for side in pair] for pair in self.rank_bounds])

    @staticmethod
    def _rank_limit(bounds: Floats, bases: Ints) -> Ints:
        """Bounds (layers, 2) as ranks (N, layers, 2) for these numbers of channels, by the rule of ``Bounds.ranks``."""
        ranks = np.where(bounds <= 1, np.ceil(bases * np.minimum(bounds, 1) - _ROUNDING), bounds)
        return np.clip(ranks, 1, bases).astype(np.int64)

    @cached_property
    def _windows(self) -> tuple[Ints, Ints, Ints]:
        """Kernel height x width of every layer, and its positions before and after, shape (layers,) each."""
        kernels = [node.weight("kernel") for node in self._nodes]
        windows = [1 if kernel is None else math.prod(kernel.shape[:2]) for kernel in kernels]
        before = [positions(node.input_shapes[0]) for node in self._nodes]
        after = [positions(node.output_shape) for node in self._nodes]
        return np.array(windows), np.array(before), np.array(after)

    def _saves(self, left: Ints, ranks: Ints) -> NDArray[np.bool_]:
        """Where ranks need fewer multiply-accumulates and weights, by the rule of ``tucker_saves``, (N, layers)."""
        window, before, after = self._windows
        ins, outs, rank_in, rank_out = left[..., 0], left[..., 1], ranks[..., 0], ranks[..., 1]
        first, rest = ins * rank_in, window * rank_in * rank_out + rank_out * outs
        whole = window * ins * outs
        return np.asarray((first + rest < whole) & (first * before + rest * after < whole * after))
