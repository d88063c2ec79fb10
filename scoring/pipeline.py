"""Scoring one agent on one bank, start to finish."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from importlib.metadata import version
from typing import Any

import numpy as np

from agents.checkpoint import Agent, fingerprint
from rollouts.bank import FrameBank
from rollouts.coinrun import renderer_sha256
from rollouts.errors import InputError
from scoring.attribution import METHODS, Attribution, target_output
from scoring.dissection import detection
from scoring.evidence import NAMES, SCORED, Evidence
from scoring.features import NMF, Channels, FeatureSet, fit_nmf, resampled, rotated
from scoring.geometry import LayerGeometry, cell_weights, layer_geometry
from scoring.metrics import (
    BoolArray,
    Cutoffs,
    Energies,
    FloatArray,
    IntArray,
    causal_effect,
    distinct_classes,
    graded,
    orbay2020,
    orbay_chance,
    threshold,
)
from scoring.projection import PROJECTIONS, box_kernel, covered, effective_receptive_field
from scoring.statistics import (
    benjamini_hochberg,
    best_class_lift,
    halves,
    jackknife_interval,
    permutation_p_values,
    split_half_reliability,
)
from scoring.subject import NO_NUMBER, Maps, Measured, Subject, Verdict, explain, frames_to_explain, judge, mean_number
from scoring.threads import divide

Progress = Callable[[int], None]

FEATURES = ("nmf", "channels", "rotated")
DILATIONS = (0, 2, 4)
"""Pixels by which masks are widened: one of them in the score, the others reported beside it."""
BRIEF_DRAWS = 200
"""Bootstrap draws for the lower limit of kappa where masks are widened otherwise than in the score."""
VERSION = 1
"""Of the score, as `docs/score.md` defines it; scores of different versions are not comparable."""
ERF_FRAMES = 64
PACKAGES = ("torch", "numpy", "scikit-learn", "scipy", "procgen-mirror")


@dataclass(frozen=True)
class ScoreConfig:
    """How an agent is scored. `layer` may be `default`, the network's own."""

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
        for name, choices in (("features", FEATURES), ("projection", PROJECTIONS), ("dilation", DILATIONS)):
            if getattr(self, name) not in choices:
                raise InputError(f"{name} is '{getattr(self, name)}'; it can be {', '.join(map(str, choices))}.")
        for name in ("steps", "components", "rotations", "bootstrap", "permutations"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.refits < 0:
            raise InputError(f"refits is {self.refits}; it must be at least 0.")
        if not 0 <= self.tau < 1:
            raise InputError(f"tau is {self.tau}; it must be at least 0 and below 1.")


@dataclass(frozen=True)
class FeatureScores:
    """Everything about K features and the C classes of `NAMES`: arrays (K, C), nan where there is no number.

    `kappa_interval` is (2, K, C); `causal_control` is T for silhouettes cut out of the background instead of the
    class; `iou` and `average_precision` are of the activation along the feature's direction; `p` is from the
    permutation test and `significant` after Benjamini-Hochberg. Of each feature (K,): `share` of all attribution,
    `interpretable`, the class index `which` (-1 for none), `graded` and held-out `best_lift`.
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
    stability: FloatArray
    iou: FloatArray
    average_precision: FloatArray
    p: FloatArray
    significant: BoolArray
    share: FloatArray
    interpretable: BoolArray
    which: IntArray
    graded: FloatArray
    best_lift: FloatArray


@dataclass(frozen=True)
class Score:
    """The result: `summary` as JSON can hold it, the verdict, and the features' normalised maps (N, K, H, W).

    The maps are on the cells of the layer, whose place in the frame is `geometry`, or on pixels (64, 64) if projected.
    `basis` makes the same features of attributions to other frames. `features` is worked out when it is asked for.
    """

    summary: dict[str, Any]
    verdict: Verdict
    eligible: BoolArray
    maps: Maps
    geometry: LayerGeometry
    basis: FeatureSet
    work_out: Callable[[], FeatureScores]

    @cached_property
    def features(self) -> FeatureScores:
        return self.work_out()


def attributed_frames(bank: FrameBank, evidence: Evidence, config: ScoreConfig) -> int:
    """Frames that `score` attributes, the total of its progress."""
    return frames_to_explain(bank, evidence, config.features == "nmf")


def check(agent: Agent, config: ScoreConfig) -> tuple[str, LayerGeometry]:
    """The layer's name and geometry; raises `InputError` for a layer, target, method or features it cannot have."""
    layer = agent.network.default_layer if config.layer == "default" else config.layer
    geometry = layer_geometry(agent.network, layer)
    target_output(agent.network, config.target)
    if config.attribution not in METHODS:
        raise InputError(f"attribution is '{config.attribution}'; it can be {', '.join(METHODS)}.")
    if config.features == "nmf" and config.components > geometry.channels:
        raise InputError(f"components is {config.components}; layer {layer} has {geometry.channels} channels.")
    return layer, geometry


def score(
    agent: Agent, bank: FrameBank, evidence: Evidence, config: ScoreConfig, progress: Progress = lambda frames: None
) -> Score:
    """Score an agent on a bank whose evidence was gathered. `progress` is told the frames attributed.

    Raises `InputError` for an unknown layer or target, and `BankError` for a bank that the agent cannot see as it sees
    its own frames, or too small to fit features on.
    """
    bank.check_options(agent.options, "the agent")
    layer = check(agent, config)[0]
    pool = config.features == "nmf"
    if pool and not len(bank.pool):
        raise InputError("The bank has no pool of frames to fit features on; collect it with pool_frames=512.")
    subject = explain(
        agent.network, layer, bank, evidence, config.target, config.attribution, config.steps, pool, progress
    )
    return score_subject(agent, subject, config)


def score_subject(agent: Agent, subject: Subject, config: ScoreConfig, dilations: Sequence[int] = DILATIONS) -> Score:
    """Score attributions that `explain` made with the same target, method, steps and layer as `config` says.

    The headline with masks widened by each of `dilations` stands beside that of `config.dilation`.
    """
    layer, geometry = check(agent, config)
    bank, own = subject.bank, subject.own
    basis: FeatureSet
    if config.features == "nmf":
        basis = fit_nmf(_pool(subject).maps, config.components, config.seed)
    elif config.features == "channels":
        basis = Channels(geometry.channels)
    else:
        basis = rotated(geometry.channels, config.rotations, config.seed)
    kernel = _kernel(agent, layer, geometry, basis, bank, config)
    others = [pixels for pixels in dilations if pixels != config.dilation]
    measured, *beside = subject.measure(basis, kernel, [config.dilation, *others])
    cutoffs = Cutoffs(dead=Cutoffs.dead / (config.rotations if config.features == "rotated" else 1))
    verdict = judge(measured, subject, cutoffs, config.bootstrap, config.seed)
    verdicts = [verdict, *_refits(subject, kernel, cutoffs, config)] if isinstance(basis, NMF) else [verdict]
    summary = {
        "version": VERSION,
        "headline": _headline(verdicts, subject),
        "diagnostics": {
            "lift": _lift(measured, subject, verdict, config, Energies.lift),
            "localisation": _lift(measured, subject, verdict, config, Energies.localisation),
            "orbay2020": _orbay(subject, measured, config),
            "split_half_reliability": _reliability(measured, subject, verdict, config),
            "prevalence": subject.evidence.prevalence,
            "completeness_error": _spread(own.completeness_error),
            "factorisation": _factorisation(basis, verdicts),
            "target_value": {
                "mean": float(own.outputs.mean()),
                "sd": float(own.outputs.std()),
                "baseline": own.baseline,
            },
            "frames_without_attribution": int((~measured.kept).sum()),
            "dead_features": int((~verdict.alive).sum()),
            "residual_share": _residual_share(basis, own, measured.cells),
            "dilations": {
                str(pixels): _brief(other, subject, cutoffs, config)
                for pixels, other in zip(others, beside, strict=True)
            },
        },
        "classes": subject.classes(),
        "layer": {"name": layer, **asdict(geometry)},
        "agent": {
            "network": agent.network.network,
            "weights_sha256": fingerprint(agent),
            "steps": agent.steps,
            "seed": agent.seed,
            "options": asdict(agent.options),
            "evaluation": agent.evaluation,
        },
        "bank": {
            "kind": bank.kind,
            "frames": len(bank),
            "environments": len(np.unique(bank.environment)),
            "episodes": len(np.unique(bank.episode)),
            "players": list(bank.players),
            "seed": bank.seed,
            "options": asdict(bank.options),
            "pool_frames": len(bank.pool),
        },
        "settings": asdict(config),
        "cutoffs": asdict(cutoffs),
        "versions": {name: version(name) for name in PACKAGES}
        | {"python": platform.python_version(), "renderer_sha256": renderer_sha256()},
    }
    work_out = partial(_feature_scores, measured, subject, verdict, basis, config)
    return Score(summary, verdict, subject.eligible, measured.maps, geometry, basis, work_out)


def _pool(subject: Subject) -> Attribution:
    if subject.pool is None:
        raise InputError("These attributions have no pool of frames to fit features on.")
    return subject.pool


def _kernel(
    agent: Agent, layer: str, geometry: LayerGeometry, basis: FeatureSet, bank: FrameBank, config: ScoreConfig
) -> Maps | None:
    """How a cell is spread over pixels, or None where scoring stays on the layer's cells."""
    if config.projection == "none":
        return None
    if config.projection == "rf_box":
        return box_kernel(geometry)
    every = max(len(bank) // ERF_FRAMES, 1)
    return effective_receptive_field(
        agent.network, layer, geometry, basis.directions, bank.frames[::every], seed=config.seed
    )


def _feature_scores(
    measured: Measured, subject: Subject, verdict: Verdict, basis: FeatureSet, config: ScoreConfig
) -> FeatureScores:
    """Everything about the features, with permutation tests and held-out lift where there are environments enough."""
    energies = measured.energies
    p, best_lift = np.full(verdict.kappa.shape, np.nan), np.full(len(verdict.kappa), np.nan)
    if subject.resamples:
        p = permutation_p_values(energies, config.permutations, config.seed)
        best_lift, _ = best_class_lift(energies, subject.headline, verdict.alive, config.seed)
    tested = np.where(subject.headline & verdict.alive[:, None], p, np.nan)
    activations = np.einsum("kc,nchw->nkhw", basis.directions, subject.own.activations, optimize=True)
    iou, average_precision = detection(activations, subject.masks(config.dilation))
    return FeatureScores(
        energy=energies.energy(),
        chance_between=energies.chance_between(),
        chance_within=energies.chance_within(),
        lift=energies.lift(),
        localisation=energies.localisation(),
        kappa=verdict.kappa,
        kappa_interval=verdict.kappa_interval,
        sign=verdict.sign,
        causal=verdict.causal,
        causal_control=causal_effect(measured.control_original, measured.control),
        stability=measured.stability,
        iou=iou,
        average_precision=average_precision,
        p=p,
        significant=benjamini_hochberg(tested),
        share=energies.share(),
        interpretable=verdict.found,
        which=verdict.which,
        graded=verdict.grades,
        best_lift=best_lift,
    )


def _headline(verdicts: list[Verdict], subject: Subject) -> dict[str, Any]:
    """Means over factorisations, which are one for features that are not factorised.

    `classes` has for each class the share of factorisations in which a feature is found for it.
    """
    found = [{NAMES[c] for c in verdict.which if c >= 0} for verdict in verdicts]
    return {
        "interpretable_fraction": mean_number(
            [verdict.fraction for verdict in verdicts], [verdict.fraction_draws for verdict in verdicts]
        ),
        "graded_score": mean_number(
            [verdict.graded for verdict in verdicts], [verdict.graded_draws for verdict in verdicts]
        ),
        "distinct_classes": float(np.mean([distinct_classes(verdict.which) for verdict in verdicts])),
        "classes": {
            name: float(np.mean([name in classes for classes in found]))
            for name in SCORED
            if any(name in classes for classes in found)
        },
        "features": len(verdicts[0].found),
        "eligible": [name for name, allowed in zip(NAMES, subject.headline, strict=True) if allowed],
    }


def _factorisation(basis: FeatureSet, verdicts: list[Verdict]) -> dict[str, Any] | None:
    """The headline's two numbers in each factorisation, the one on the whole pool first; None for other features."""
    if not isinstance(basis, NMF):
        return None
    each = {name: [getattr(verdict, name)["value"] for verdict in verdicts] for name in ("fraction", "graded")}
    return {"converged": basis.converged, "interpretable_fraction": each["fraction"], "graded_score": each["graded"]}


def _brief(measured: Measured, subject: Subject, cutoffs: Cutoffs, config: ScoreConfig) -> dict[str, Any]:
    """The headline's two numbers, without intervals."""
    verdict = judge(measured, subject, cutoffs, BRIEF_DRAWS, config.seed)
    return {"interpretable_fraction": verdict.fraction["value"], "graded_score": verdict.graded["value"]}


def _refits(subject: Subject, kernel: Maps | None, cutoffs: Cutoffs, config: ScoreConfig) -> list[Verdict]:
    """Verdicts on factorisations of resampled environments of the pool."""
    maps = _pool(subject).maps

    def refit(seed: int) -> Verdict:
        basis = fit_nmf(maps[resampled(subject.bank.pool_environment, seed)], config.components, seed)
        (measured,) = subject.measure(basis, kernel, [config.dilation])
        return judge(measured, subject, cutoffs, config.bootstrap, config.seed)

    return divide(refit, range(config.seed + 1, config.seed + 1 + config.refits))


def _reliability(measured: Measured, subject: Subject, verdict: Verdict, config: ScoreConfig) -> float | None:
    """How well the features' grades on one half of the environments predict those on the other."""
    if not subject.resamples or not subject.headline.any():
        return None
    weights = halves(subject.environments, config.seed)
    grades = graded(
        measured.energies.kappa(weights),
        measured.energies.sign(weights),
        causal_effect(measured.original, measured.removed, weights),
        subject.eligible,
        verdict.alive,
        NAMES,
    )
    return split_half_reliability(grades[:, :, verdict.alive])


def _lift(
    measured: Measured,
    subject: Subject,
    verdict: Verdict,
    config: ScoreConfig,
    measure: Callable[[Energies, FloatArray], FloatArray],
) -> dict[str, Any]:
    """Mean over living features of the best class's lift, chosen on half of the environments, taken on the other."""
    if not subject.resamples or not subject.headline.any():
        return NO_NUMBER
    alive = verdict.alive
    held_out = partial(best_class_lift, measured.energies, subject.headline, alive, config.seed, measure=measure)
    value = float(held_out()[1])
    left_out = held_out(weights=1 - np.eye(subject.environments))[1]
    return {"value": value, "interval": list(jackknife_interval(value, left_out))}


def _orbay(subject: Subject, measured: Measured, config: ScoreConfig) -> dict[str, Any]:
    """The score of Orbay (2020) through receptive-field boxes and on bare cells, each beside its chance level."""
    chosen = threshold(np.abs(measured.cells), config.tau)
    squares = (cell_weights(subject.geometry) > 0).astype(np.float32)
    covers: dict[str, Callable[[BoolArray], BoolArray]] = {
        "rf_box": lambda cells: covered(cells, subject.geometry),
        "none": lambda cells: np.asarray(squares.T @ cells.astype(np.float32) @ squares > 0),
    }
    found: dict[str, dict[str, float | None]] = {}
    for name, cover in covers.items():
        areas = [cover(chosen[:, k]) for k in range(chosen.shape[1])]
        objects = subject.evidence.objects
        numbers = orbay2020(areas, objects), orbay_chance(areas, objects, subject.bank.environment)
        value, chance = (None if np.isnan(number) else number for number in numbers)
        found[name] = {"value": value, "chance": chance}
    return found


def _residual_share(basis: FeatureSet, own: Attribution, cells: Maps) -> float | None:
    """Share of attribution, summed over each frame's cells, that an NMF leaves over (Hilton et al. 2020, interface)."""
    if not isinstance(basis, NMF):
        return None
    left = np.abs(own.maps.sum(axis=1) - cells.sum(axis=1)).sum(dtype=np.float64)
    taken = np.abs(cells).sum(dtype=np.float64)
    return float(left / (left + taken)) if left + taken else None


def _spread(values: FloatArray) -> dict[str, Any]:
    if not np.isfinite(values).all():
        return {"mean": None, "sd": None, "max": None}
    return {"mean": float(values.mean()), "sd": float(values.std()), "max": float(values.max())}
