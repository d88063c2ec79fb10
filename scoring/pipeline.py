"""Scoring one agent on one bank, start to finish."""

import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.checkpoint import Agent, fingerprint
from rollouts.bank import FrameBank
from rollouts.coinrun import renderer_sha256
from rollouts.errors import InputError
from rollouts.masks import dilate
from scoring.attribution import METHODS, Attribution, attribute, normalise, target_function
from scoring.evidence import NAMES, SCORED, Counterfactual, Evidence
from scoring.features import NMF, Channels, FeatureSet, fit_nmf, resampled, rotated
from scoring.geometry import LayerGeometry, average_over_cells, cell_weights, layer_geometry
from scoring.metrics import (
    BoolArray,
    Cutoffs,
    Energies,
    FloatArray,
    IntArray,
    causal_effect,
    distinct_classes,
    eligible,
    graded,
    interpretable,
    orbay2020,
    orbay_chance,
    threshold,
)
from scoring.projection import PROJECTIONS, box_kernel, covered, effective_receptive_field, push_forward
from scoring.statistics import (
    benjamini_hochberg,
    best_class_lift,
    bootstrap_multiplicities,
    interval,
    jackknife_interval,
    permutation_p_values,
)

Maps = NDArray[np.float32]
Progress = Callable[[int], None]

FEATURES = ("nmf", "channels", "rotated")
DILATIONS = (0, 2, 4)
"""Pixels by which masks are widened: one of them in the score, the others reported beside it."""
REFIT_ROWS, REFIT_DRAWS = 100_000, 200
"""Cells that a refit is fitted on, and bootstrap draws that it is judged by."""
ERF_FRAMES = 64
NO_NUMBER: dict[str, Any] = {"value": None, "interval": None}
PACKAGES = ("torch", "numpy", "scikit-learn", "scipy", "procgen-mirror")


@dataclass(frozen=True)
class ScoreConfig:
    """How an agent is scored. `layer` may be `default`, the network's own; the cut-offs are design's first ones."""

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
    class; `p` is from the permutation test and `significant` after Benjamini-Hochberg. Of each feature (K,): `share` of
    all attribution, `interpretable`, the class index `which` (-1 for none), `graded` and held-out `best_lift`.
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
    which: IntArray
    graded: FloatArray
    best_lift: FloatArray


@dataclass(frozen=True)
class Score:
    """The result: `summary` as JSON can hold it, the features' scores, and their normalised maps (N, K, H, W).

    The maps are on the cells of the layer, whose place in the frame is `geometry`, or on pixels (64, 64) if projected.
    """

    summary: dict[str, Any]
    features: FeatureScores
    eligible: BoolArray
    maps: Maps
    geometry: LayerGeometry


def attributed_frames(bank: FrameBank, evidence: Evidence, config: ScoreConfig) -> int:
    """Frames that `score` attributes, the total of its progress."""
    changed = sum(len(c.index) for group in (evidence.removed, evidence.control) for c in group.values())
    return len(bank) + changed + (len(bank.pool) if config.features == "nmf" else 0)


def check(agent: Agent, config: ScoreConfig) -> LayerGeometry:
    """The layer's geometry; raises `InputError` for a layer, target, method or number of features it cannot have."""
    layer = agent.network.default_layer if config.layer == "default" else config.layer
    geometry = layer_geometry(agent.network, layer)
    target_function(agent.network, layer, config.target)
    if config.attribution not in METHODS:
        raise InputError(f"attribution is '{config.attribution}'; it can be {', '.join(METHODS)}.")
    if config.features == "nmf" and config.components > geometry.channels:
        raise InputError(f"components is {config.components}; layer {layer} has {geometry.channels} channels.")
    return geometry


def score(
    agent: Agent, bank: FrameBank, evidence: Evidence, config: ScoreConfig, progress: Progress = lambda frames: None
) -> Score:
    """Score an agent on a bank whose evidence was gathered. `progress` is told the frames attributed.

    Raises `InputError` for an unknown layer or target, and `BankError` for a bank that the agent cannot see as it sees
    its own frames, or too small to fit features on.
    """
    bank.check_options(agent.options, "the agent")
    geometry = check(agent, config)
    network = agent.network
    layer = network.default_layer if config.layer == "default" else config.layer
    done = 0

    def explain(frames: NDArray[np.uint8]) -> Attribution:
        nonlocal done
        base = done
        result = attribute(
            network, layer, frames, config.target, config.attribution, config.steps, lambda n: progress(base + n)
        )
        done += len(frames)
        return result

    own = explain(bank.frames)
    pool = _pool(bank, explain) if config.features == "nmf" else None
    subject = _Subject(
        bank, evidence, geometry, own,
        {name: explain(changed.frames) for name, changed in evidence.removed.items()},
        {name: explain(changed.frames) for name, changed in evidence.control.items()},
    )  # fmt: skip
    basis: FeatureSet
    if pool is not None:
        basis = fit_nmf(pool.maps, config.components, config.seed)
    elif config.features == "channels":
        basis = Channels(geometry.channels)
    else:
        basis = rotated(geometry.channels, config.rotations, config.seed)
    kernel = _kernel(agent, layer, geometry, basis, bank, config)
    measured = subject.measure(basis, kernel, config.dilation)
    cutoffs = Cutoffs(dead=Cutoffs.dead / (config.rotations if config.features == "rotated" else 1))
    verdict = _judge(measured, subject, cutoffs, config.bootstrap, config.seed)
    scores, headline = _feature_scores(measured, subject, verdict, config), _headline(verdict, subject)
    orbay = _orbay(subject, basis, config)
    summary = {
        "headline": headline,
        "diagnostics": {
            "lift": _lift(measured, subject, verdict, config, Energies.lift),
            "localisation": _lift(measured, subject, verdict, config, Energies.localisation),
            "orbay2020": orbay,
            "prevalence": evidence.prevalence,
            "completeness_error": _spread(own.completeness_error),
            "target_value": {
                "mean": float(own.outputs.mean()),
                "sd": float(own.outputs.std()),
                "baseline": own.baseline,
            },
            "frames_without_attribution": int((~measured.kept).sum()),
            "dead_features": int((scores.share < cutoffs.dead).sum()),
            "residual_share": _residual_share(basis, own),
            "dilations": {
                str(pixels): _brief(subject.measure(basis, kernel, pixels), subject, cutoffs, config)
                for pixels in DILATIONS
                if pixels != config.dilation
            },
        },
        "classes": subject.classes(own),
        "layer": {"name": layer, **asdict(geometry)},
        "agent": {
            "network": network.network, "weights_sha256": fingerprint(agent), "steps": agent.steps, "seed": agent.seed,
            "options": asdict(agent.options), "evaluation": agent.evaluation,
        },
        "bank": {
            "kind": bank.kind, "frames": len(bank), "environments": len(np.unique(bank.environment)),
            "episodes": len(np.unique(bank.episode)), "players": list(bank.players), "seed": bank.seed,
            "options": asdict(bank.options), "pool_frames": len(bank.pool),
        },
        "settings": asdict(config),
        "cutoffs": asdict(cutoffs),
        "versions": {name: version(name) for name in PACKAGES}
        | {"python": platform.python_version(), "renderer_sha256": renderer_sha256()},
    }  # fmt: skip
    if pool is not None:
        summary["headline"]["refits"] = _refits(pool, subject, kernel, cutoffs, config)
        summary["headline"]["converged"] = isinstance(basis, NMF) and basis.converged
    return Score(summary, scores, subject.eligible, measured.maps, geometry)


def _pool(bank: FrameBank, explain: Callable[[NDArray[np.uint8]], Attribution]) -> Attribution:
    if not len(bank.pool):
        raise InputError("The bank has no pool of frames to fit features on; collect it with pool_frames=1024.")
    return explain(bank.pool)


@dataclass(frozen=True)
class _Measured:
    """What a basis yields: normalised maps, energies, and unnormalised attribution on each class, with it and without.

    `original`, `removed`, `control_original` and `control` are sums over frames (K, C, E).
    """

    maps: Maps
    kept: BoolArray
    energies: Energies
    original: FloatArray
    removed: FloatArray
    control_original: FloatArray
    control: FloatArray


class _Subject:
    """An agent's attributions on a bank, before any choice of features."""

    def __init__(
        self, bank: FrameBank, evidence: Evidence, geometry: LayerGeometry, own: Attribution,
        removed: dict[str, Attribution], control: dict[str, Attribution],
    ) -> None:  # fmt: skip
        self.bank, self.evidence, self.geometry = bank, evidence, geometry
        self.own, self.removed, self.control = own, removed, control
        self.environments, self.environment = np.unique(bank.environment, return_inverse=True)
        self.eligible = eligible(evidence.pixels, bank.episode)
        self.headline = self.eligible & np.isin(NAMES, SCORED)
        self._masks: dict[tuple[int, bool], Maps] = {}

    @property
    def resamples(self) -> bool:
        """Whether there are environments enough for intervals, tests and chance between frames."""
        return len(self.environments) >= 4

    def masks(self, dilation: int, in_pixels: bool) -> Maps:
        """Widened masks (N, C, H, W), as shares of cells or as pixels."""
        if (dilation, in_pixels) not in self._masks:
            wide = dilate(self.evidence.masks, dilation)
            self._masks[dilation, in_pixels] = (
                wide.astype(np.float32) if in_pixels else average_over_cells(wide, self.geometry)
            )
        return self._masks[dilation, in_pixels]

    def measure(self, basis: FeatureSet, kernel: Maps | None, dilation: int) -> _Measured:
        def placed(attribution: Attribution) -> Maps:
            maps = basis.transform(attribution)
            return maps if kernel is None else push_forward(maps, kernel, self.geometry)

        masks = self.masks(dilation, kernel is not None)
        raw = placed(self.own)
        maps, kept = normalise(raw)
        energies = Energies.from_maps(maps, masks, self.bank.environment, self.bank.time)
        sums = [
            self._on_class(np.abs(raw), {name: placed(a) for name, a in group.items()}, changed, masks)
            for group, changed in ((self.removed, self.evidence.removed), (self.control, self.evidence.control))
        ]
        return _Measured(maps, kept, energies, *sums[0], *sums[1])

    def _on_class(
        self, w: Maps, changed_maps: dict[str, Maps], changed: dict[str, Counterfactual], masks: Maps
    ) -> tuple[FloatArray, FloatArray]:
        """Attribution that falls on each class (K, C, E), in the original frames and in the changed ones."""
        original = np.zeros((w.shape[1], len(NAMES), len(self.environments)))
        after = np.zeros_like(original)
        for name, maps in changed_maps.items():
            index, c = changed[name].index, NAMES.index(name)
            y = masks[index, c]
            for sums, frames in ((original, w[index]), (after, np.abs(maps))):
                on_class = np.einsum("mkhw,mhw->mk", frames, y, optimize=True, dtype=np.float64)
                np.add.at(sums[:, c].T, self.environment[index], on_class)
        return original, after

    def classes(self, own: Attribution) -> dict[str, Any]:
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
                    drop = own.outputs[changed[name].index] - group[name].outputs
                    found[name][key] = float(drop.mean(dtype=np.float64))
        return found


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


@dataclass(frozen=True)
class _Verdict:
    """The rule of design section 4 applied to every feature, and over bootstrap draws of environments."""

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


def _judge(measured: _Measured, subject: _Subject, cutoffs: Cutoffs, draws: int, seed: int) -> _Verdict:
    """Which features are interpretable; no number for the agent where environments or eligible classes are too few.

    Within a bootstrap draw the lower limit of kappa is the whole bank's.
    """
    energies = measured.energies
    kappa, sign = energies.kappa(), energies.sign()
    causal = causal_effect(measured.original, measured.removed)
    alive = energies.share() >= cutoffs.dead
    judged = (subject.eligible, alive, NAMES)
    weights = bootstrap_multiplicities(len(subject.environments), draws, seed) if subject.resamples else None
    kappa_draws = energies.kappa(weights) if weights is not None else None
    kappa_interval = interval(kappa_draws) if kappa_draws is not None else np.full((2, *kappa.shape), np.nan)
    found, which = interpretable(kappa, kappa_interval[0], sign, causal, *judged, cutoffs)
    grades = graded(kappa, sign, causal, *judged)
    fraction = mean_grade = NO_NUMBER
    if weights is not None and kappa_draws is not None and subject.headline.any():
        sign_draws = energies.sign(weights)
        causal_draws = causal_effect(measured.original, measured.removed, weights)
        found_draws, _ = interpretable(kappa_draws, kappa_interval[0], sign_draws, causal_draws, *judged, cutoffs)
        grade_draws = graded(kappa_draws, sign_draws, causal_draws, *judged)
        fraction = _number(found.mean(), found_draws.mean(axis=-1))
        mean_grade = _number(grades.mean(), grade_draws.mean(axis=-1))
    return _Verdict(kappa, kappa_interval, sign, causal, alive, found, which, grades, fraction, mean_grade)


def _feature_scores(
    measured: _Measured, subject: _Subject, verdict: _Verdict, config: ScoreConfig
) -> FeatureScores:  # fmt: skip
    """Everything about the features, with permutation tests and held-out lift where there are environments enough."""
    energies = measured.energies
    p, best_lift = np.full(verdict.kappa.shape, np.nan), np.full(len(verdict.kappa), np.nan)
    if subject.resamples:
        p = permutation_p_values(energies, config.permutations, config.seed)
        best_lift, _ = best_class_lift(energies, subject.headline, verdict.alive, config.seed)
    tested = np.where(subject.headline & verdict.alive[:, None], p, np.nan)
    return FeatureScores(
        energy=energies.energy(), chance_between=energies.chance_between(), chance_within=energies.chance_within(),
        lift=energies.lift(), localisation=energies.localisation(), kappa=verdict.kappa,
        kappa_interval=verdict.kappa_interval, sign=verdict.sign, causal=verdict.causal,
        causal_control=causal_effect(measured.control_original, measured.control), p=p,
        significant=benjamini_hochberg(tested), share=energies.share(), interpretable=verdict.found,
        which=verdict.which, graded=verdict.grades, best_lift=best_lift,
    )  # fmt: skip


def _headline(verdict: _Verdict, subject: _Subject) -> dict[str, Any]:
    return {
        "interpretable_fraction": verdict.fraction,
        "graded_score": verdict.graded,
        "distinct_classes": int(distinct_classes(verdict.which)),
        "classes": sorted({NAMES[c] for c in verdict.which if c >= 0}),
        "features": len(verdict.found),
        "eligible": [name for name, allowed in zip(NAMES, subject.headline, strict=True) if allowed],
    }


def _brief(measured: _Measured, subject: _Subject, cutoffs: Cutoffs, config: ScoreConfig) -> dict[str, Any]:
    """The headline's two numbers, without intervals."""
    verdict = _judge(measured, subject, cutoffs, REFIT_DRAWS, config.seed)
    return {"interpretable_fraction": verdict.fraction["value"], "graded_score": verdict.graded["value"]}


def _refits(
    pool: Attribution, subject: _Subject, kernel: Maps | None, cutoffs: Cutoffs, config: ScoreConfig
) -> dict[str, Any]:
    """The headline's numbers over factorisations of resampled environments of the pool: mean, spread and each."""
    found = []
    for refit in range(config.refits):
        frames = resampled(subject.bank.pool_environment, config.seed + 1 + refit)
        basis = fit_nmf(pool.maps[frames], config.components, config.seed + 1 + refit, REFIT_ROWS)
        found.append(_brief(subject.measure(basis, kernel, config.dilation), subject, cutoffs, config))
    return (
        {name: _spread(np.array([brief[name] for brief in found], dtype=float)) for name in found[0]} if found else {}
    )


def _lift(
    measured: _Measured, subject: _Subject, verdict: _Verdict, config: ScoreConfig,
    measure: Callable[[Energies, FloatArray], FloatArray],
) -> dict[str, Any]:  # fmt: skip
    """Mean over living features of the best class's lift, chosen on half of the environments, taken on the other."""
    if not subject.resamples or not subject.headline.any():
        return NO_NUMBER
    alive = verdict.alive
    _, value = best_class_lift(measured.energies, subject.headline, alive, config.seed, measure=measure)
    left_out = []
    for weights in 1 - np.eye(len(subject.environments)):

        def without_one(energies: Energies, halves: FloatArray, weights: FloatArray = weights) -> FloatArray:
            return measure(energies, halves * weights)

        left_out.append(
            best_class_lift(measured.energies, subject.headline, alive, config.seed, measure=without_one)[1]
        )
    return {"value": value, "interval": list(jackknife_interval(value, np.array(left_out)))}


def _orbay(subject: _Subject, basis: FeatureSet, config: ScoreConfig) -> dict[str, Any]:
    """The score of Orbay (2020) through receptive-field boxes and on bare cells, each beside its chance level."""
    chosen = threshold(np.abs(basis.transform(subject.own)), config.tau)
    squares = (cell_weights(subject.geometry) > 0).astype(np.float32)
    covers: dict[str, Callable[[BoolArray], BoolArray]] = {
        "rf_box": lambda cells: covered(cells, subject.geometry),
        "none": lambda cells: np.asarray(squares.T @ cells.astype(np.float32) @ squares > 0),
    }
    found = {}
    for name, cover in covers.items():
        areas = [cover(chosen[:, k]) for k in range(chosen.shape[1])]
        objects = subject.evidence.objects
        value, chance = orbay2020(areas, objects), orbay_chance(areas, objects, subject.bank.environment)
        found[name] = {"value": value, "chance": chance}
    return found


def _residual_share(basis: FeatureSet, own: Attribution) -> float | None:
    """Share of attribution, summed over each frame's cells, that an NMF leaves over (Hilton et al. 2020, interface)."""
    if not isinstance(basis, NMF):
        return None
    left = np.abs(basis.residual(own)).sum(dtype=np.float64)
    taken = np.abs(basis.transform(own)).sum(dtype=np.float64)
    return float(left / (left + taken)) if left + taken else None


def _number(value: float, draws: FloatArray) -> dict[str, Any]:
    low, high = interval(draws)
    return {"value": float(value), "interval": [float(low), float(high)]}


def _spread(values: FloatArray) -> dict[str, Any]:
    if not np.isfinite(values).all():
        return {"mean": None, "sd": None, "max": None}
    return {"mean": float(values.mean()), "sd": float(values.std()), "max": float(values.max())}
