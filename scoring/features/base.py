"""Features: linear maps of a layer's channels, fixed on one set of frames and applied to any other."""

from typing import Protocol

import numpy as np

from scoring.explain.base import Attribution, Maps


class FeatureSet(Protocol):
    """A basis of K features for attributions to C channels; `directions` is (K, C)."""

    @property
    def directions(self) -> Maps: ...

    @property
    def converged(self) -> bool | None:
        """Whether fitting them ended before the most iterations allowed; None for features that are not fitted."""
        ...

    def transform(self, attribution: Attribution) -> Maps:
        """Signed maps (N, K, H, W) of an attribution to channels, in the units of the attribution."""
        ...


def along(maps: Maps, directions: Maps) -> Maps:
    """Maps (N, C, H, W) of channels -> maps (N, K, H, W) along directions (K, C)."""
    return np.einsum("kc,nchw->nkhw", directions, maps, optimize=True)


def residual(attribution: Attribution, features: Maps) -> Maps:
    """What maps (N, K, H, W) of features leave over of the channels' (N, H, W); both together sum to the channels'."""
    return np.asarray(attribution.maps.sum(axis=1) - features.sum(axis=1))
