"""An agent on a bank: attributions of a layer, what features make of them, and the verdict about each feature."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from agents.networks import ActorCritic
from rollouts.bank import FrameBank
from rollouts.masks import dilate
from scoring.attribution import Attribution, attribute, normalise
from scoring.dissection import stability
from scoring.evidence import NAMES, SCORED, Counterfactual, Evidence
from scoring.features import FeatureSet
from scoring.geometry import LayerGeometry, average_over_cells, layer_geometry
from scoring.metrics import (
    FIXED,
    BoolArray,
    Cutoffs,
    Energies,
    FloatArray,
    IntArray,
    causal_effect,
    eligible,
    graded,
    interpretable,
)
from scoring.projection import push_forward
from scoring.statistics import bootstrap_multiplicities, interval

Maps = NDArray[np.float32]
MIN_ENVIRONMENTS = 4
"""For intervals and tests: chance needs two environments in each half."""
NO_NUMBER: dict[str, Any] = {"value": None, "interval": None}


@dataclass(frozen=True)
class Measured:
    """What a basis yields: normalised maps, energies, and unnormalised attribution on each class, with it and without.

    `cells` (N, K, H, W) are the signed maps on the layer's cells, `maps` the same normalised, projected if asked for.
    `original`, `removed`, `control_original` and `control` are sums over frames (K, C, E). `stability` (K, C) is the
    correlation of signed attribution on the same object in a frame and in the next one.
    """

    cells: Maps
    maps: Maps
    kept: BoolArray
    energies: Energies
    original: FloatArray
    removed: FloatArray
    control_original: FloatArray
    control: FloatArray
    stability: FloatArray


@dataclass(frozen=True)
class Subject:
    """An agent's attributions at one layer on a bank, before any choice of features.

    `own` is of the bank's frames, `pool` of the frames that features are fitted on (None where none are), `following`
    (None where the bank has no next frames), `removed` and `control` of the evidence's frames.
    """

    bank: FrameBank
    evidence: Evidence
    geometry: LayerGeometry
    own: Attribution
    following: Attribution | None
    pool: Attribution | None
    removed: dict[str, Attribution]
    control: dict[str, Attribution]

    @cached_property
    def environment(self) -> NDArray[np.int64]:
        """Each frame's environment (N,), counted from 0."""
        return np.unique(self.bank.environment, return_inverse=True)[1].reshape(-1)

    @property
    def environments(self) -> int:
        return int(self.environment.max()) + 1

    @cached_property
    def eligible(self) -> BoolArray:
        """Classes (C,) that the bank shows often enough."""
        return eligible(self.evidence.pixels, self.bank.episode)

    @property
    def headline(self) -> BoolArray:
        """Classes (C,) that the headline may name."""
        return self.eligible & np.isin(NAMES, SCORED)

    @property
    def resamples(self) -> bool:
        """Whether there are environments enough for intervals, tests and chance between frames."""
        return self.environments >= MIN_ENVIRONMENTS

    @cached_property
    def _masks(self) -> dict[tuple[int, bool], Maps]:
        return {}

    def masks(self, dilation: int, in_pixels: bool = False) -> Maps:
        """Widened masks (N, C, H, W), as shares of cells or as pixels."""
        if (dilation, in_pixels) not in self._masks:
            self._masks[dilation, in_pixels] = self._widened(self.evidence.masks, dilation, in_pixels)
        return self._masks[dilation, in_pixels]

    def _widened(self, masks: BoolArray, dilation: int, in_pixels: bool) -> Maps:
        wide = dilate(masks, dilation)
        return wide.astype(np.float32) if in_pixels else average_over_cells(wide, self.geometry)

    def placed(self, basis: FeatureSet, attribution: Attribution, kernel: Maps | None = None) -> Maps:
        """Signed maps (N, K, H, W) of a basis, on the layer's cells, or spread over pixels by a kernel."""
        maps = basis.transform(attribution)
        return maps if kernel is None else push_forward(maps, kernel, self.geometry)

    def measure(self, basis: FeatureSet, kernel: Maps | None, dilations: Sequence[int]) -> list[Measured]:
        """What a basis yields, for each number of pixels by which masks are widened."""
        cells = basis.transform(self.own)
        raw = cells if kernel is None else push_forward(cells, kernel, self.geometry)
        maps, kept = normalise(raw)
        masks = [self.masks(dilation, kernel is not None) for dilation in dilations]
        removed, control = (
            self._on_class(raw, basis, kernel, group, changed, masks)
            for group, changed in ((self.removed, self.evidence.removed), (self.control, self.evidence.control))
        )
        steady = self._stability(raw, basis, kernel, dilations)
        together = Energies.from_maps(maps, np.concatenate(masks, axis=1), self.bank.environment, self.bank.time)
        return [
            Measured(cells, maps, kept, energies, *removed[number], *control[number], steady[number])
            for number, energies in enumerate(together.split(len(masks)))
        ]

    def _on_class(
        self,
        raw: Maps,
        basis: FeatureSet,
        kernel: Maps | None,
        group: dict[str, Attribution],
        changed: dict[str, Counterfactual],
        masks: Sequence[Maps],
    ) -> list[tuple[FloatArray, FloatArray]]:
        """For each of `masks`: attribution that falls on each class (K, C, E), in the original frames and after."""
        shape = (raw.shape[1], len(NAMES), self.environments)
        found = [(np.zeros(shape), np.zeros(shape)) for _ in masks]
        for name, attribution in group.items():
            index, c = changed[name].index, NAMES.index(name)
            on_class = np.logical_or.reduce([y[index, c] > 0 for y in masks])
            before = np.moveaxis(raw[index], 1, -1)[on_class]
            if kernel is None:
                after = basis.transform(attribution.at(on_class))[:, :, 0, 0]
            else:
                after = np.moveaxis(self.placed(basis, attribution, kernel), 1, -1)[on_class]
            environment = self.environment[index][np.nonzero(on_class)[0]]
            for sums, y in zip(found, masks, strict=True):
                share = y[index, c][on_class].astype(np.float64)
                adds = csr_array((share, (environment, np.arange(len(share)))), shape=(shape[2], len(share)))
                for total, w in zip(sums, (before, after), strict=True):
                    total[:, c] = (adds @ np.abs(w)).T
        return found

    def _stability(
        self, raw: Maps, basis: FeatureSet, kernel: Maps | None, dilations: Sequence[int]
    ) -> list[FloatArray]:
        """Correlation (K, C) of signed attribution on the same object in a frame and in the next one."""
        evidence = self.evidence
        if evidence.tracks is None or evidence.following is None or self.following is None:
            return [np.full((raw.shape[1], len(NAMES)), np.nan) for _ in dilations]
        tracks, found = evidence.tracks, []
        before = raw[evidence.following.index]
        after = self.placed(basis, self.following, kernel)
        for dilation in dilations:
            on_object = []
            for maps, masks in ((before, tracks.before), (after, tracks.after)):
                y = self._widened(masks, dilation, kernel is not None)
                on_object.append(np.einsum("mkhw,mhw->km", maps[tracks.index], y, optimize=True, dtype=np.float64))
            found.append(stability(on_object[0], on_object[1], tracks.kind, len(NAMES)))
        return found

    def classes(self) -> dict[str, Any]:
        """For each class: frames and episodes that show it, whether it is eligible, and what its removal costs."""
        pixels, found = self.evidence.pixels, {}
        for c, name in enumerate(NAMES):
            shown = pixels[:, c] > 0
            found[name] = {
                "frames": int(shown.sum()),
                "episodes": len(np.unique(self.bank.episode[shown])),
                "eligible": bool(self.eligible[c]),
                "prevalence": self.evidence.prevalence[name],
            }
            for key, group, changed in (
                ("target_drop", self.removed, self.evidence.removed),
                ("target_drop_control", self.control, self.evidence.control),
            ):
                if name in group:
                    drop = self.own.outputs[changed[name].index] - group[name].outputs
                    found[name][key] = float(drop.mean(dtype=np.float64))
        return found


def frames_to_explain(bank: FrameBank, evidence: Evidence, pool: bool) -> int:
    """Frames that `explain` attributes, the total of its progress."""
    changed = sum(len(c.index) for group in (evidence.removed, evidence.control) for c in group.values())
    following = 0 if evidence.following is None else len(evidence.following.index)
    return len(bank) + following + changed + (len(bank.pool) if pool else 0)


def explain(
    network: ActorCritic,
    layer: str,
    bank: FrameBank,
    evidence: Evidence,
    target: str = "value",
    method: str = "integrated_gradients",
    steps: int = 32,
    pool: bool = True,
    progress: Callable[[int], None] = lambda frames: None,
) -> Subject:
    """Attribute a layer of a network on a bank's frames, on the changed ones, and on the pool where that is asked for.

    `progress` is told the frames attributed.
    """
    done = 0

    def of(frames: NDArray[np.uint8]) -> Attribution:
        nonlocal done
        base = done
        result = attribute(network, layer, frames, target, method, steps, lambda n: progress(base + n))
        done += len(frames)
        return result

    return Subject(
        bank,
        evidence,
        layer_geometry(network, layer),
        of(bank.frames),
        None if evidence.following is None else of(evidence.following.frames),
        of(bank.pool) if pool else None,
        {name: of(changed.frames) for name, changed in evidence.removed.items()},
        {name: of(changed.frames) for name, changed in evidence.control.items()},
    )


@dataclass(frozen=True)
class Verdict:
    """The rule of design section 4 applied to every feature, and over bootstrap draws of environments.

    `fraction_draws` and `graded_draws` (draws,) are the headline's two numbers in each draw, None without draws.
    """

    kappa: FloatArray
    kappa_interval: FloatArray
    sign: FloatArray
    causal: FloatArray
    alive: BoolArray
    found: BoolArray
    which: IntArray
    grades: FloatArray
    fraction: dict[str, Any]
    graded: dict[str, Any]
    fraction_draws: FloatArray | None = None
    graded_draws: FloatArray | None = None


def judge(measured: Measured, subject: Subject, cutoffs: Cutoffs, draws: int, seed: int) -> Verdict:
    """Which features are interpretable; no number for the agent where environments or eligible classes are too few.

    Within a bootstrap draw the lower limit of kappa is the whole bank's. With the same seed, draw i has the same
    environments for every agent and basis on a bank, so that differences between them can be taken draw by draw.
    """
    energies = measured.energies
    kappa, sign = energies.kappa(), energies.sign()
    causal = causal_effect(measured.original, measured.removed)
    alive = energies.share() >= cutoffs.dead
    judged = (subject.eligible, alive, NAMES)
    weights = bootstrap_multiplicities(subject.environments, draws, seed) if subject.resamples else None
    kappa_draws = energies.kappa(weights) if weights is not None else None
    kappa_interval = interval(kappa_draws) if kappa_draws is not None else np.full((2, *kappa.shape), np.nan)
    found, which = interpretable(kappa, kappa_interval[0], sign, causal, *judged, cutoffs)
    grades = graded(kappa, sign, causal, *judged)
    verdict = (kappa, kappa_interval, sign, causal, alive, found, which, grades)
    if weights is None or kappa_draws is None or not subject.headline.any():
        return Verdict(*verdict, NO_NUMBER, NO_NUMBER)
    sign_draws = energies.sign(weights)
    causal_draws = causal_effect(measured.original, measured.removed, weights)
    found_draws, _ = interpretable(kappa_draws, kappa_interval[0], sign_draws, causal_draws, *judged, cutoffs)
    fraction_draws = found_draws.mean(axis=-1)
    graded_draws = graded(kappa_draws, sign_draws, causal_draws, *judged).mean(axis=-1)
    return Verdict(
        *verdict,
        number(found.mean(), fraction_draws),
        number(grades.mean(), graded_draws),
        fraction_draws,
        graded_draws,
    )


def sprite_grade(verdict: Verdict, eligible: BoolArray) -> float:
    """The graded score of one set of features with surface left out of the eligible classes (C,)."""
    classes = eligible & np.array([name != FIXED for name in NAMES])
    return float(graded(verdict.kappa, verdict.sign, verdict.causal, classes, verdict.alive, NAMES).mean())


def number(value: float, draws: FloatArray) -> dict[str, Any]:
    """A number with its 95 % interval from bootstrap draws."""
    low, high = interval(draws)
    return {"value": float(value), "interval": [float(low), float(high)]}


def mean_number(numbers: Sequence[dict[str, Any]], draws: Sequence[FloatArray | None]) -> dict[str, Any]:
    """The mean of numbers that were taken on the same bootstrap draws, with its interval; no number if one is none."""
    present = [each for each in draws if each is not None]
    if len(present) < len(draws):
        return NO_NUMBER
    return number(float(np.mean([each["value"] for each in numbers])), np.mean(present, axis=0))
