"""What a run's original model tells a report: its layers, their cost, and what stays whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from compress.channel_step import ChannelStep
from compress.graph import ChannelGraph
from compress.parameters import CompressionParameters
from compress.parts import without_parts
from objectives.budget import Budget
from objectives.cost import Cost, CostModel
from search import settings
from search.points import RunPoints


@dataclass(frozen=True)
class RunLayers:
    """The layers of a run's original model.

    Attributes:
        graph: the analysed model.
        cost: cost model of it, without latency.
        original: its cost.
        budget: of the run, in figures of this model.
        step: what kept channels are rounded to.
    """

    graph: ChannelGraph
    cost: CostModel
    original: Cost
    budget: Budget
    step: ChannelStep

    @classmethod
    def of(cls, run: Path) -> "RunLayers":
        """Those of a run folder.

        Raises:
            TuckpruneError: the model is missing, cannot be read, or is another one than the one that was searched.
        """
        found = RunPoints.of(run)
        budget = settings.budget(found.config.budget, found.original)
        step = settings.channel_step(found.config.pruning)
        return cls(found.graph, CostModel(found.graph), found.original, budget, step)

    @property
    def group_channels(self) -> dict[str, int]:
        """Channels of every prunable group."""
        return {group.name: group.channels for group in self.graph.groups}

    @property
    def layer_channels(self) -> dict[str, tuple[int, int]]:
        """Input and output channels of every decomposable layer."""
        return {layer.layer: (layer.in_channels, layer.out_channels) for layer in self.graph.decomposable}

    def costs(self, parameters: CompressionParameters) -> Mapping[str, Cost]:
        """Cost of every layer after compression, by its name in the original model."""
        return self.cost.layer_costs(without_parts(parameters, self.step), self.step)
