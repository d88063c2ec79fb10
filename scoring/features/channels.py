"""Each channel of a layer as a feature."""

from dataclasses import dataclass

import numpy as np

from scoring.explain.base import Attribution, Maps


@dataclass(frozen=True)
class Channels:
    """Each channel is a feature."""

    count: int
    converged: None = None

    @property
    def directions(self) -> Maps:
        return np.eye(self.count, dtype=np.float32)

    def transform(self, attribution: Attribution) -> Maps:
        return attribution.maps
