"""What people measured on the original CoinRun (Hilton et al. 2020)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from scoring.metrics.arrays import FloatArray


@dataclass(frozen=True)
class Published:
    """Shares by number of training levels: `levels` (7,), `completed` (agents, 7) on `training` and on `unseen` levels.

    `interpretable` (ratings, 7): the features that a rater called so, of two agents a rung by two raters.
    """

    source: str
    levels: tuple[int, ...]
    completed: Mapping[str, FloatArray]
    interpretable: FloatArray


@cache
def published() -> Published:
    document = json.loads(files("scoring.study").joinpath("published.json").read_text())
    ratings = [run for rater in document["interpretable"].values() for run in rater.values()]
    return Published(
        document["source"],
        tuple(document["levels"]),
        {name: np.array(list(document[f"{name}_completed"].values())) / 100 for name in ("training", "unseen")},
        np.array(ratings) / 100,
    )
