"""Hands candidates to the proxy: as weights alone where they differ from the original in nothing else, else built."""

from collections.abc import Sequence
from typing import Any

from compress.cloning.walk import as_functional
from compress.decomposition.kernel_bases import BasesCache
from compress.graph.analysis import analyse
from compress.parameters import DECOMPOSE, DEFAULT_RECIPE, CompressionParameters, Stage
from compress.pruning.pruning import prune
from compress.pruning.settings import DEFAULT_PRUNING, PruningSettings
from compress.recipe import apply_parameters, compressed_values, used_values
from objectives.network.elastic_layer import LayerWeights
from objectives.network.network import weights_of
from objectives.network.signature import signature
from objectives.score.proxy import ScoreProxy
from objectives.score.repair import Repair

_SAMPLE_RATIO = 0.5
"""A pruning ratio that removes channels of every group of two or more."""


class CandidateRepairs:
    """Starts the repair of candidates of one model.

    Args:
        original: the model to compress; it is not modified.
        proxy: judges the candidates.
        recipe: order of the stages.
        pruning: which channels go; measured on the original where pruning comes first.
        calibration: normalized images by which pruned layers are fitted, or None.
    """

    def __init__(
        self,
        original: Any,
        proxy: ScoreProxy,
        recipe: Sequence[Stage] = DEFAULT_RECIPE,
        pruning: PruningSettings = DEFAULT_PRUNING,
        calibration: Any = None,
    ) -> None:
        self._original, self._proxy = as_functional(original), proxy
        self._recipe, self._pruning, self._calibration = tuple(recipe), pruning, calibration
        self._graph = analyse(self._original, pruning.across_normalization)
        self._cache = BasesCache()
        # XLA compiles both forms of a layer that may be decomposed, and one of them has no fitting weights.
        self._shares = not proxy.settings.jit_compile and self._only_counts_change() and self._share()

    def _share(self) -> bool:
        names = [layer.layer for layer in self._graph.decomposable] if DECOMPOSE in self._recipe else []
        return self._proxy.share(self._original, frozenset(names))

    def _only_counts_change(self) -> bool:
        """Whether pruning changes nothing but channel counts, which a network takes any of."""
        name = signature(self._original)
        if name is None:
            return False
        ratios = {group.name: _SAMPLE_RATIO for group in self._graph.groups}
        settings = PruningSettings(across_normalization=self._pruning.across_normalization)
        return signature(prune(self._original, ratios, settings)) == name

    def start(self, parameters: CompressionParameters) -> Repair:
        """Begin the repair of a candidate; it is valid until the next candidate is started.

        Raises:
            ModelError: a kernel is not finite.
            ParameterError: parameters that do not fit the model.
        """
        parameters = used_values(parameters, self._recipe)
        if not self._shares:
            return self._proxy.start(self._model(parameters))
        # Ranks of an unpruned model are found before its channels go, from other kernels.
        prunes_first = self._recipe == DEFAULT_RECIPE or not parameters.ranks or not parameters.ratios
        direct = prunes_first and self._calibration is None
        weights = self._weights(parameters) if direct else weights_of(self._model(parameters))
        return self._proxy.start_from_weights(weights)

    def _weights(self, parameters: CompressionParameters) -> LayerWeights:
        return compressed_values(
            self._original,
            self._graph,
            parameters.ratios,
            parameters.ranks,
            pruning=self._pruning,
            cache=self._cache,
        )

    def _model(self, parameters: CompressionParameters) -> Any:
        return apply_parameters(
            self._original,
            parameters,
            self._recipe,
            pruning=self._pruning,
            cache=self._cache,
            calibration=self._calibration,
        )
