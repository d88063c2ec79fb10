"""Every number about a feature and a kind of thing: a new metric is a function of arrays and a line here.

The features' parquet, their table and cards, and the study's table iterate over `METRICS`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rollouts.masks import dilate
from scoring.explain.geometry import average_over_cells
from scoring.features.base import FeatureSet, along
from scoring.metrics.arrays import BoolArray, FloatArray, Maps
from scoring.metrics.dissection import detection
from scoring.metrics.statistics import benjamini_hochberg, best_class_lift, permutation_p_values
from scoring.metrics.unions import Description, describe
from scoring.settings import ScoreConfig
from scoring.subject import Measured, Subject
from scoring.verdict import Verdict


@dataclass(frozen=True)
class Judged:
    """What a metric may look at: K features of a basis on a bank, with C kinds, and the rule's verdict."""

    subject: Subject
    basis: FeatureSet
    measured: Measured
    verdict: Verdict
    config: ScoreConfig

    @cached_property
    def detected(self) -> tuple[FloatArray, FloatArray]:
        """Intersection over union and average precision (K, C) along each direction, of eligible kinds."""
        activations, allowed = self.subject.own.activations, self.subject.eligible
        iou, precision = (np.full(self.verdict.kappa.shape, np.nan) for _ in range(2))
        if activations is not None and allowed.any():
            shares = self.subject.masks(self.config.dilation).shares[:, allowed]
            iou[:, allowed], precision[:, allowed] = detection(along(activations, self.basis.directions), shares)
        return iou, precision

    @cached_property
    def p(self) -> FloatArray:
        """Of the permutation test (K, C); nan where the environments are too few."""
        if not self.subject.resamples:
            return np.full(self.verdict.kappa.shape, np.nan)
        return permutation_p_values(self.measured.energies, self.config.permutations, self.config.seed)


@dataclass(frozen=True)
class Metric:
    """A number (K, C) for every feature and kind, nan where there is none.

    It is told with `digits` (a format) and `unit`. `term` is what a feature's card calls it and `anchor` where the page
    defines it, `heading` its column in the terminal's table; without one it is not shown there. `interval` gives its
    95 % limits (2, K, C). The study keeps the highest of any feature for each kind where `best` says so.
    """

    name: str
    of: Callable[[Judged], FloatArray]
    term: str | None = None
    anchor: str = ""
    heading: str | None = None
    digits: str = ".2f"
    unit: str = ""
    interval: Callable[[Judged], FloatArray] | None = None
    best: bool = False


METRICS: tuple[Metric, ...] = (
    Metric("energy", lambda j: j.measured.energies.energy()),
    Metric("chance_between", lambda j: j.measured.energies.chance_between()),
    Metric("chance_within", lambda j: j.measured.energies.chance_within()),
    Metric("lift", lambda j: j.measured.energies.lift(), heading="lift, bits"),
    Metric("localisation", lambda j: j.measured.energies.localisation(), "localisation", "lift", unit=" bits"),
    Metric(
        "kappa",
        lambda j: j.verdict.kappa,
        "κ",
        "kappa",
        "κ (95 % interval)",
        interval=lambda j: j.verdict.kappa_interval,
        best=True,
    ),
    Metric("sign", lambda j: j.verdict.sign, "sign", "sign", "sign", "+.2f"),
    Metric("causal", lambda j: j.verdict.causal, "causal effect T", "causal", "T"),
    Metric("causal_control", lambda j: j.measured.control.causal(), "T of the control", "causal", "T control"),
    Metric("outline", lambda j: j.verdict.values.outline, "T of the outline", "causal", "T outline"),
    Metric("agreement", lambda j: j.measured.removal.agreement.of(), "agreement", "sign", digits="+.2f"),
    Metric("stability", lambda j: j.measured.stability, "stability", "stability"),
    Metric("iou", lambda j: j.detected[0], "IoU", "iou"),
    Metric("average_precision", lambda j: j.detected[1]),
    Metric("p", lambda j: j.p),
)


@dataclass(frozen=True)
class FeatureScores:
    """Everything about K features and C kinds: `of` holds each of `METRICS` (K, C) by name, `intervals` (2, K, C).

    `significant` (K, C) is the permutation test's outcome after Benjamini-Hochberg over living features and eligible
    kinds of the headline. Of each feature (K,): its `share` of all attribution, its held-out `best_lift`, and the
    union of kinds that describes it best, if it is alive and not interpretable.
    """

    of: Mapping[str, FloatArray]
    intervals: Mapping[str, FloatArray]
    significant: BoolArray
    share: FloatArray
    best_lift: FloatArray
    descriptions: Sequence[Description | None]

    @property
    def mixtures(self) -> int:
        """How many features are described by more than one kind."""
        return sum(one is not None and one.mixture for one in self.descriptions)


def feature_scores(judged: Judged) -> FeatureScores:
    """All numbers, with permutation tests and held-out lift where there are environments enough."""
    subject, verdict, energies = judged.subject, judged.verdict, judged.measured.energies
    best_lift = np.full(len(verdict.kappa), np.nan)
    if subject.resamples:
        best_lift, _ = best_class_lift(energies, subject.headline, verdict.alive, judged.config.seed)
    tested = np.where(subject.headline & verdict.alive[:, None], judged.p, np.nan)
    return FeatureScores(
        {metric.name: metric.of(judged) for metric in METRICS},
        {metric.name: metric.interval(judged) for metric in METRICS if metric.interval is not None},
        benjamini_hochberg(tested),
        energies.share(),
        best_lift,
        descriptions(judged),
    )


def descriptions(judged: Judged) -> list[Description | None]:
    """Of living features that are not interpretable: the union of up to three kinds that may name a feature.

    None for the others, and for all where there are too few environments. Kinds that are still are left out: a union
    with them has a higher kappa whatever the feature is.
    """
    subject, verdict, dilation = judged.subject, judged.verdict, judged.config.dilation
    wanted = verdict.alive & ~verdict.interpretable
    allowed = subject.headline & ~subject.game.flags("still")
    if not subject.resamples or not allowed.any():
        return [None] * len(wanted)
    in_pixels = judged.config.projection != "none"

    def shares(masks: BoolArray) -> Maps:
        return masks.astype(np.float32) if in_pixels else average_over_cells(masks, subject.geometry)

    masks = dilate(subject.evidence.masks, dilation)
    return describe(judged.measured.maps, masks, shares, subject.environment, allowed, wanted, judged.config.seed)
