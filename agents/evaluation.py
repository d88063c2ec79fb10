"""How well an agent plays: completed levels, with an interval."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Evaluation:
    """Completed levels of `episodes` played on [levels[0], levels[1]); the interval is Wilson's, 95 %."""

    levels: tuple[int, int]
    episodes: int
    completed: float
    interval: tuple[float, float]
    mean_return: float
    mean_length: float

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> "Evaluation":
        """What `to_json` gave, after a way through a file; raises `TypeError` or `KeyError` for anything else."""
        pairs = {name: (values[name][0], values[name][1]) for name in ("levels", "interval")}
        return Evaluation(**{**values, **pairs})


def wilson(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion (Wilson 1927)."""
    share = successes / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return max(float(centre - half), 0.0), min(float(centre + half), 1.0)  # rounding may pass 0 and 1
