"""Scoring one agent on one bank, start to finish."""

import importlib.metadata
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.checkpoint import Agent, fingerprint
from agents.networks import ActorCritic
from rollouts.bank import FrameBank
from rollouts.errors import InputError
from rollouts.masks import dilate
from scoring import features as feature_sets
from scoring import projection as projections
from scoring.attribution import Attribution, attribute
from scoring.evidence import CONTROLLED, NAMES, SCORED, Evidence
from scoring.geometry import LayerGeometry, layer_geometry
from scoring.metrics import (
    SENSE,
    Cutoffs,
    Energies,
    causal_effect,
    distinct_classes,
    eligible,
    graded,
    interpretable,
    orbay2020,
    threshold,
)
from scoring.statistics import (
    benjamini_hochberg,
    best_class_lift,
    bootstrap_multiplicities,
    interval,
    permutation_p_values,
)

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]

DILATIONS = (0, 2, 4)
"""Pixels by which masks are widened; the score uses `ScoreConfig.dilation`, the others are reported."""
LIFT_DRAWS = 200
"""Bootstrap draws for the interval of lift and localisation, each with 20 splits of its own."""


@dataclass(frozen=True)
class ScoreConfig:
    """How an agent is scored; the defaults are the score, version 0 (cut-offs not settled yet)."""

    layer: str = "default"
    features: str = "nmf"
    projection: str = "none"
    target: str = "value"
    attribution: str = "integrated_gradients"
    steps: int = 32
    components: int = 8
    rotations: int = 5
    refits: int = 5
    dilation: int = 2
    tau: float = 0.1
    bootstrap: int = 2000
    permutations: int = 9999
    seed: int = 0

    def __post_init__(self) -> None:
        for name, choices in (("features", ("channels", "nmf", "rotated")), ("projection", ("none", "rf_box", "erf"))):
            if getattr(self, name) not in choices:
                raise InputError(f"{name} is '{getattr(self, name)}'; it can be {', '.join(choices)}.")
        for name in ("steps", "components", "rotations", "bootstrap", "permutations"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.dilation not in DILATIONS:
            raise InputError(f"dilation is {self.dilation}; it can be 0, 2 or 4 pixels.")
        if not 0 <= self.tau < 1:
            raise InputError(f"tau is {self.tau}; it must be in [0, 1).")


@dataclass(frozen=True)
class FeatureScores:
    """Everything known of K features and C classes (`NAMES`); nan where there is no number.

    `causal_control` is T of a silhouette cut out of the background instead; `value_drop` (C,) is the mean of
    F(x) - F(x without c) over frames with c. `which` (K,) is the class a feature is interpreted as, or -1.
    """

    energy: FloatArray
    chance_between: FloatArray
    chance_within: FloatArray
    lift: FloatArray
    localisation: FloatArray
    kappa: FloatArray
    kappa_interval: FloatArray
    sign: FloatArray
    causal: FloatArray
    causal_control: FloatArray
    p: FloatArray
    significant: BoolArray
    share: FloatArray
    interpretable: BoolArray
    which: NDArray[np.int64]
    graded: FloatArray


@dataclass(frozen=True)
class Score:
    """The result: `headline` and the rest as JSON can hold it, per-feature scores, and the maps for pictures."""

    summary: dict[str, Any]
    features: FeatureScores
    maps: FloatArray
    kept: BoolArray
    outputs: FloatArray
    config: ScoreConfig = field(default_factory=ScoreConfig)


Progress = Callable[[int], None]


class _Extractor:
    """From frames to signed feature maps in a fixed basis, the same for the bank and for changed frames."""

    def __init__(self, network: ActorCritic, layer: str, config: ScoreConfig) -> None:
        self.network, self.layer, self.config = network, layer, config
        self.basis: feature_sets.FeatureSet | None = None

    def attribute(self, frames: NDArray[np.uint8], progress: Progress | None = None) -> Attribution:
        config = self.config
        return attribute(
            self.network, self.layer, frames, config.target, config.attribution, config.steps, progress=progress
        )

    def features(self, attribution: Attribution) -> FloatArray:
        assert self.basis is not None
        return self.basis.transform(attribution)


def work(bank: FrameBank, evidence: Evidence, config: ScoreConfig) -> int:
    """Frames that `score` attributes, for a progress bar."""
    changed = sum(len(c.index) for group in (evidence.removed, evidence.control) for c in group.values())
    return len(bank) + changed + (len(bank.pool) if config.features == "nmf" else 0)
