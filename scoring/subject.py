"""An agent on a bank: attributions of a layer, and what features make of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from agents.networks import ActorCritic
from rollouts.bank import FrameBank
from rollouts.game import Game
from rollouts.masks import dilate
from rollouts.progress import Update, silent
from scoring.changes import Counterfactual
from scoring.evidence import Evidence
from scoring.explain.base import Attribution, normalise
from scoring.explain.geometry import LayerGeometry, average_over_cells, layer_geometry
from scoring.explain.methods import attribute
from scoring.features.base import FeatureSet
from scoring.features.projection import push_forward
from scoring.metrics.arrays import BoolArray, FloatArray
from scoring.metrics.dissection import stability
from scoring.metrics.energies import Effect, Energies, Ratio, eligible

Maps = NDArray[np.float32]
Changes = dict[str, tuple[Counterfactual, Attribution]]
"""Of kinds by name: frames in which a kind is changed, and their attribution."""
MIN_ENVIRONMENTS = 4
"""For intervals and tests: chance needs two environments in each half."""


@dataclass(frozen=True)
class Measured:
    """What a basis yields: normalised maps, energies, and what changes of frames do to unnormalised attribution.

    `cells` (N, K, H, W) are the signed maps on the layer's cells, `maps` the same normalised, projected if asked for.
    `removal`, `control` and `outline` are the effects of the changes of the same names (`scoring.evidence`), nan for
    kinds that are not changed so. `stability` (K, C) is the correlation of signed attribution on the same object in a
    frame and in the next one.
    """

    cells: Maps
    maps: Maps
    attributed: BoolArray
    energies: Energies
    removal: Effect
    control: Effect
    outline: Effect
    stability: FloatArray


@dataclass(frozen=True)
class WideMasks:
    """Masks widened by `dilation` pixels: `shares` (N, C, H, W) of the layer's cells, or of pixels (64, 64)."""

    dilation: int
    shares: Maps


@dataclass(frozen=True)
class Subject:
    """An agent's attributions at one layer on a bank, before any choice of features.

    `own` is of the bank's frames, `pool` of the frames that features are fitted on (None where none are), `following`
    (None where the bank has no next frames), `removed`, `control` and `outlined` of the evidence's frames (None where
    there are no outlines).
    """

    bank: FrameBank
    evidence: Evidence
    geometry: LayerGeometry
    own: Attribution
    following: Attribution | None
    pool: Attribution | None
    removed: dict[str, Attribution]
    control: dict[str, Attribution]
    outlined: Attribution | None

    @property
    def game(self) -> Game:
        return self.evidence.game

    def with_kinds(self, game: Game) -> "Subject":
        """The same with another set of kinds; raises `InputError` where one of them was not gathered."""
        return self if game == self.game else replace(self, evidence=self.evidence.with_kinds(game))

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
        return self.eligible & self.game.flags("headline")

    @property
    def resamples(self) -> bool:
        """Whether there are environments enough for intervals, tests and chance between frames."""
        return self.environments >= MIN_ENVIRONMENTS

    def masks(self, dilation: int, in_pixels: bool = False) -> "WideMasks":
        """The bank's masks, widened by `dilation` pixels."""
        return WideMasks(dilation, self._widened(self.evidence.masks, dilation, in_pixels))

    def _widened(self, masks: BoolArray, dilation: int, in_pixels: bool) -> Maps:
        wide = dilate(masks, dilation)
        return wide.astype(np.float32) if in_pixels else average_over_cells(wide, self.geometry)

    def placed(self, basis: FeatureSet, attribution: Attribution, kernel: Maps | None = None) -> Maps:
        """Signed maps (N, K, H, W) of a basis, on the layer's cells, or spread over pixels by a kernel."""
        maps = basis.transform(attribution)
        return maps if kernel is None else push_forward(maps, kernel, self.geometry)

    def measure(self, basis: FeatureSet, widened: Sequence[WideMasks], kernel: Maps | None = None) -> list[Measured]:
        """What a basis yields with each of the bank's `widened` masks; they are of pixels where there is a kernel.

        Permutation tests can be made with the first of them.
        """
        cells = basis.transform(self.own)
        raw = cells if kernel is None else push_forward(cells, kernel, self.geometry)
        maps, attributed = normalise(raw)
        masks = [wide.shares for wide in widened]
        removal, control, outline = (
            self._effects(raw, basis, kernel, changes, widened)
            for changes in (self._removals(), self._controls(), self._outlines())
        )
        steady = self._stability(raw, basis, kernel, [wide.dilation for wide in widened])
        when = self.bank.environment, self.bank.time
        energies = [Energies.from_maps(maps, masks[0], *when)]
        if masks[1:]:
            others = Energies.from_maps(maps, np.concatenate(masks[1:], axis=1), *when, aligned=False)
            energies += others.split(len(masks) - 1)
        return [
            Measured(cells, maps, attributed, *of_width)
            for of_width in zip(energies, removal, control, outline, steady, strict=True)
        ]

    def _removals(self) -> Changes:
        """Of each kind that is taken out, moved, or shows something else."""
        with_it = {kind.name: self.game.removed_with(kind) for kind in self.game.kinds}
        seen = self.evidence.removed
        return {name: (seen[other], self.removed[other]) for name, other in with_it.items() if other in seen}

    def _controls(self) -> Changes:
        return {name: (changed, self.control[name]) for name, changed in self.evidence.control.items()}

    def _outlines(self) -> Changes:
        changed = self.evidence.outlined
        if changed is None or self.outlined is None:
            return {}
        return dict.fromkeys(self.game.named("movable"), (changed, self.outlined))

    def _effects(
        self, raw: Maps, basis: FeatureSet, kernel: Maps | None, changes: Changes, widened: Sequence[WideMasks]
    ) -> list[Effect]:
        """For each of the masks: what the changes do to the attribution on each kind."""
        sums = np.zeros((len(widened), 6, raw.shape[1], len(self.game.kinds), self.environments))
        for name, (changed, attribution) in changes.items():
            index, c = changed.index, self.game.index(name)
            shares = [self._changed(changed, wide, c, kernel is not None) for wide in widened]
            on_class = np.logical_or.reduce([y > 0 for y in shares])
            before = np.moveaxis(raw[index], 1, -1)[on_class]
            if kernel is None:
                after = basis.transform(attribution.at(on_class))[:, :, 0, 0]
            else:
                after = np.moveaxis(self.placed(basis, attribution, kernel), 1, -1)[on_class]
            parts = (np.abs(before), np.abs(after), np.abs(before - after), before)
            drop = np.sign(self.own.outputs[index].astype(np.float64) - attribution.outputs)
            frame, count = np.nonzero(on_class)[0], np.count_nonzero(on_class)
            for of_width, y in zip(sums, shares, strict=True):
                share = y[on_class].astype(np.float64)
                adds = csr_array((share, (frame, np.arange(count))), shape=(len(index), count))
                mass, left, change, signed = (adds @ part for part in parts)
                of_frames = (left, mass, change, mass + left, signed * drop[:, None], np.abs(signed))
                for total, values in zip(of_width, of_frames, strict=True):
                    np.add.at(total[:, c].T, self.environment[index], values)
        return [Effect(Ratio(*s[:2]), Ratio(*s[2:4]), Ratio(*s[4:])) for s in sums]

    def _changed(self, changed: Counterfactual, wide: WideMasks, c: int, in_pixels: bool) -> Maps:
        """What was changed of class c in each of these frames, widened as `wide` (M, H, W)."""
        if changed.where is None:
            return wide.shares[changed.index, c]
        return self._widened(changed.where[:, None], wide.dilation, in_pixels)[:, 0]

    def _stability(
        self, raw: Maps, basis: FeatureSet, kernel: Maps | None, dilations: Sequence[int]
    ) -> list[FloatArray]:
        """Correlation (K, C) of signed attribution on the same object in a frame and in the next one."""
        evidence = self.evidence
        if evidence.tracks is None or evidence.following is None or self.following is None:
            return [np.full((raw.shape[1], len(self.game.kinds)), np.nan) for _ in dilations]
        tracks, correlations = evidence.tracks, []
        before = raw[evidence.following.index]
        after = self.placed(basis, self.following, kernel)
        for dilation in dilations:
            on_object = []
            for maps, masks in ((before, tracks.before), (after, tracks.after)):
                y = self._widened(masks, dilation, kernel is not None)
                on_object.append(np.einsum("mkhw,mhw->km", maps[tracks.index], y, optimize=True, dtype=np.float64))
            correlations.append(stability(on_object[0], on_object[1], tracks.kind, len(self.game.kinds)))
        return correlations


def frames_to_explain(bank: FrameBank, evidence: Evidence, pool: bool) -> int:
    """Frames that `explain` attributes, the total of its progress."""
    changed = sum(len(c.index) for group in (evidence.removed, evidence.control) for c in group.values())
    once = sum(len(c.index) for c in (evidence.following, evidence.outlined) if c is not None)
    return len(bank) + once + changed + (len(bank.pool) if pool else 0)


def explain(
    network: ActorCritic,
    layer: str,
    bank: FrameBank,
    evidence: Evidence,
    target: str = "value",
    method: str = "integrated_gradients",
    steps: int = 32,
    pool: bool = True,
    progress: Update = silent,
) -> Subject:
    """Attribute a layer of a network on a bank's frames, on the changed ones, and on the pool where that is asked for.

    `progress` is told of frames as they are attributed.
    """

    def of(frames: NDArray[np.uint8]) -> Attribution:
        return attribute(network, layer, frames, target, method, steps, progress)

    return Subject(
        bank,
        evidence,
        layer_geometry(network, layer),
        of(bank.frames),
        None if evidence.following is None else of(evidence.following.frames),
        of(bank.pool) if pool else None,
        {name: of(changed.frames) for name, changed in evidence.removed.items()},
        {name: of(changed.frames) for name, changed in evidence.control.items()},
        None if evidence.outlined is None else of(evidence.outlined.frames),
    )
