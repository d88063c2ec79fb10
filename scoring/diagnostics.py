"""What is told beside the headline: lift, `orbay2020`, reliability, completeness and the rest (`docs/method.md`)."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from rollouts.errors import InputError
from scoring.changes import Counterfactual
from scoring.explain.base import Attribution
from scoring.explain.geometry import cell_weights
from scoring.features.base import FeatureSet, residual
from scoring.features.components import Components, choose_components
from scoring.features.projection import covered
from scoring.metrics.arrays import BoolArray, FloatArray, Maps
from scoring.metrics.energies import Energies
from scoring.metrics.orbay import orbay2020, orbay_chance, threshold
from scoring.metrics.statistics import (
    NO_NUMBER,
    Number,
    best_class_lift,
    halves,
    jackknife_interval,
    split_half_reliability,
)
from scoring.record import AgainstChance, Brief, ClassRecord, Diagnostics, Factorisation, Orbay, Spread, TargetValue
from scoring.rules import Rule
from scoring.settings import ScoreConfig
from scoring.subject import Measured, Subject
from scoring.verdict import Verdict, judge

BRIEF_DRAWS = 200
"""Bootstrap draws for the lower limit of kappa where masks are widened otherwise than in the score."""


def diagnose(
    subject: Subject,
    basis: FeatureSet,
    measured: Measured,
    verdicts: Sequence[Verdict],
    converged: Sequence[bool | None],
    widened_otherwise: dict[int, Measured],
    rule: Rule,
    config: ScoreConfig,
) -> Diagnostics:
    """All diagnostics of features of a basis.

    `verdicts` are those of its factorisations, its own first, and `converged` is whether each ended before the most
    iterations allowed, None for features that are not fitted.
    """
    own, verdict = subject.own, verdicts[0]
    return Diagnostics(
        lift=held_out(measured, subject, verdict, config, Energies.lift),
        localisation=held_out(measured, subject, verdict, config, Energies.localisation),
        orbay2020=orbay(subject, measured, config),
        split_half_reliability=reliability(measured, subject, verdict, config),
        prevalence=subject.evidence.prevalence,
        completeness_error=spread(own.completeness_error),
        factorisation=None
        if basis.converged is None
        else Factorisation(
            [bool(ended) for ended in converged],
            [fit.fraction.value for fit in verdicts],
            [fit.graded.value for fit in verdicts],
        ),
        target_value=TargetValue(float(own.outputs.mean()), float(own.outputs.std()), own.baseline),
        frames_without_attribution=int((~measured.attributed).sum()),
        dead_features=int((~verdict.alive).sum()),
        residual_share=None if basis.converged is None else residual_share(own, measured.cells),
        components=components(subject) if basis.converged is not None and config.refits else None,
        dilations={str(pixels): brief(other, subject, rule, config) for pixels, other in widened_otherwise.items()},
    )


def components(subject: Subject) -> Components | None:
    """How many components held-out reconstruction would choose on the pool; None where it is too small to tell."""
    assert subject.pool is not None
    try:
        return choose_components(subject.pool.maps, subject.bank.pool_environment, subject.bank.seed)
    except InputError:
        return None


def brief(measured: Measured, subject: Subject, rule: Rule, config: ScoreConfig) -> Brief:
    """The headline's two numbers, without intervals."""
    verdict = judge(measured, subject, rule, BRIEF_DRAWS, config.seed)
    return Brief(verdict.fraction.value, verdict.graded.value)


def reliability(measured: Measured, subject: Subject, verdict: Verdict, config: ScoreConfig) -> float | None:
    """How well the features' grades on one half of the environments predict those on the other."""
    if not subject.resamples or not subject.headline.any() or not verdict.alive.any():
        return None
    weights = halves(subject.environments, config.seed)
    grades = verdict.rule.graded(verdict.rule.values(measured, subject.game.kinds, weights), verdict.judging)
    return split_half_reliability(grades[:, :, verdict.alive])


def held_out(
    measured: Measured,
    subject: Subject,
    verdict: Verdict,
    config: ScoreConfig,
    measure: Callable[[Energies, FloatArray], FloatArray],
) -> Number:
    """Mean over living features of the best class's lift, chosen on half of the environments, taken on the other."""
    alive = verdict.alive
    if not subject.resamples or not subject.headline.any() or not alive.any():
        return NO_NUMBER
    lift = partial(best_class_lift, measured.energies, subject.headline, alive, config.seed, measure=measure)
    value = float(lift()[1])
    if np.isnan(value):
        return NO_NUMBER
    left_out = lift(weights=1 - np.eye(subject.environments))[1]
    return Number(value, jackknife_interval(value, left_out))


def orbay(subject: Subject, measured: Measured, config: ScoreConfig) -> Orbay:
    """The score of Orbay (2020) through receptive-field boxes and on bare cells, each beside its chance level."""
    chosen = threshold(np.abs(measured.cells), config.tau)
    squares = (cell_weights(subject.geometry) > 0).astype(np.float32)

    def through(cover: Callable[[BoolArray], BoolArray]) -> AgainstChance:
        areas = [cover(chosen[:, k]) for k in range(chosen.shape[1])]
        objects = subject.evidence.objects
        numbers = orbay2020(areas, objects), orbay_chance(areas, objects, subject.bank.environment)
        return AgainstChance(*(None if np.isnan(number) else number for number in numbers))

    return Orbay(
        rf_box=through(lambda cells: covered(cells, subject.geometry)),
        none=through(lambda cells: np.asarray(squares.T @ cells.astype(np.float32) @ squares > 0)),
    )


def residual_share(own: Attribution, cells: Maps) -> float | None:
    """Share of each frame's attribution, summed over cells, that features leave over (Hilton et al. 2020)."""
    left = np.abs(residual(own, cells)).sum(dtype=np.float64)
    taken = np.abs(cells).sum(dtype=np.float64)
    return float(left / (left + taken)) if left + taken else None


def spread(values: FloatArray) -> Spread:
    if not np.isfinite(values).all():
        return Spread(None, None, None)
    return Spread(float(values.mean()), float(values.std()), float(values.max()))


def class_records(subject: Subject) -> dict[str, ClassRecord]:
    """For each kind: frames and episodes that show it, whether it is eligible, and what its removal costs."""
    evidence = subject.evidence
    pixels, prevalence = evidence.pixels, evidence.prevalence
    records = {}
    for c, name in enumerate(subject.game.names):
        frames = pixels[:, c] > 0
        records[name] = ClassRecord(
            frames=int(frames.sum()),
            episodes=len(np.unique(subject.bank.episode[frames])),
            eligible=bool(subject.eligible[c]),
            prevalence=prevalence[name],
            target_drop=_drop(subject, subject.removed, evidence.removed, name),
            target_drop_control=_drop(subject, subject.control, evidence.control, name),
        )
    return records


def _drop(
    subject: Subject, changed: dict[str, Attribution], frames: dict[str, Counterfactual], name: str
) -> float | None:
    """Mean of the target before less after the change, None for a kind that is not changed."""
    if name not in changed:
        return None
    return float((subject.own.outputs[frames[name].index] - changed[name].outputs).mean(dtype=np.float64))
