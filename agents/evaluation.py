"""How well an agent plays: completed levels, with an interval."""

from dataclasses import asdict, dataclass

import numpy as np

from rollouts.sealing import Positive, Share, Whole


@dataclass(frozen=True)
class Evaluation:
    """Completed levels of `episodes` played on [levels[0], levels[1]); the interval is Wilson's, 95 %."""

    levels: tuple[Whole, Whole]
    episodes: Positive
    completed: Share
    interval: tuple[Share, Share]
    mean_return: float
    mean_length: float

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def wilson(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion (Wilson 1927)."""
    share = successes / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return max(float(centre - half), 0.0), min(float(centre + half), 1.0)  # rounding may pass 0 and 1
