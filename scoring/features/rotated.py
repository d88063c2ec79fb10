"""The control of features along the axes: randomly rotated channels."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import ortho_group

from scoring.explain.base import Attribution, Maps
from scoring.features.base import along


@dataclass(frozen=True)
class Rotated:
    """The control: features along the rows of orthogonal matrices U (C, C), one below the other.

    Attribution along them is (U h) * (U grad), which sums to what h * grad sums to; U = 1 gives the channels. Maps that
    are no such product are rotated themselves.
    """

    directions: Maps
    converged: None = None

    def transform(self, attribution: Attribution) -> Maps:
        if attribution.direct is not None:
            return along(attribution.direct, self.directions)
        assert attribution.activations is not None
        assert attribution.gradients is not None
        return along(attribution.activations, self.directions) * along(attribution.gradients, self.directions)


def rotated(channels: int, draws: int, seed: int) -> Rotated:
    """Features along the axes of `draws` Haar-random rotations."""
    generator = np.random.default_rng(seed)
    draw = [ortho_group.rvs(channels, random_state=generator) for _ in range(draws)]
    return Rotated(np.concatenate(draw).astype(np.float32))
