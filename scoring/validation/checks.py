"""What must hold before the score is believed (design, section 5). `docs/validation.md` says why each check exists.

Each function returns its checks, each with a number and a bound, and what its figure shows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity

from agents.checkpoint import Agent, untrained_agent
from agents.networks import NETWORKS
from rollouts.bank import FrameBank
from scoring.evidence import CONTROLLED, NAMES, SCORED, Evidence
from scoring.explain.geometry import average_over_cells, layer_geometry
from scoring.features.base import FeatureSet
from scoring.features.channels import Channels
from scoring.features.nmf import fit_nmf
from scoring.features.projection import covered
from scoring.features.rotated import rotated
from scoring.metrics.arrays import FloatArray
from scoring.metrics.energies import Energies, eligible
from scoring.metrics.orbay import orbay2020, orbay_chance, threshold
from scoring.metrics.statistics import best_class_lift, interval, jackknife_interval
from scoring.subject import Measured, Subject, explain
from scoring.validation.controls import HANDMADE, cascade, distilled, handmade, randomised
from scoring.validation.planted import CHANNELS, DIRECTIONS, Planted, plant, train_detectors
from scoring.verdict import FIXED, SENSE, Cutoffs, Verdict, judge, sprite_grade

Advance = Callable[[str], None]
"""Told after every piece of work what it was."""

STEPS = 10
"""Of integrated gradients: enough for a verdict (Hilton et al. 2020 use it)."""
DRAWS = 500
DILATION = 2
SHARES = 20
SEEDS = 3
UNTRAINED_SEEDS = 10
TILE = 64 / 13
"""Pixels of a tile: 13 are visible."""
SENSED = tuple(name for name, sense in SENSE.items() if sense)


@dataclass(frozen=True)
class Check:
    """One line of the table: a number, the bound it must keep, and whether it does (None: not run)."""

    name: str
    value: float | None
    bound: str
    passed: bool | None
    note: str = ""


@dataclass(frozen=True)
class Found:
    """A group of checks, and the numbers behind them for the figure and the record."""

    checks: list[Check]
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """An agent's features judged on a bank."""

    subject: Subject
    basis: FeatureSet
    measured: Measured
    verdict: Verdict

    @property
    def fraction(self) -> float:
        return float(self.verdict.found.mean())

    @property
    def graded(self) -> float:
        return float(self.verdict.grades.mean())


def judged(subject: Subject, features: str, components: int = 8) -> Judged:
    """The verdict on `channels`, `nmf` or `rotated` features of a subject."""
    basis: FeatureSet
    dead = 1.0
    if features == "nmf":
        assert subject.pool is not None
        basis = fit_nmf(subject.pool.maps, components, seed=0)
    elif features == "channels":
        basis = Channels(subject.geometry.channels)
    else:
        dead = 1 / 5
        basis = rotated(subject.geometry.channels, 5, seed=0)
    (measured,) = subject.measure(basis, None, [DILATION])
    chosen = Cutoffs(dead=Cutoffs.dead * dead)
    return Judged(subject, basis, measured, judge(measured, subject, chosen, DRAWS, seed=0))


def explained(agent: Agent, bank: FrameBank, evidence: Evidence, pool: bool = False, steps: int = STEPS) -> Subject:
    """Attributions of the value at the network's default layer."""
    return explain(agent.network, agent.network.default_layer, bank, evidence, steps=steps, pool=pool)


def at_least(name: str, value: float, bound: float, note: str = "") -> Check:
    return Check(name, value, f">= {bound:g}", bool(value >= bound), note)


def at_most(name: str, value: float, bound: float, note: str = "") -> Check:
    return Check(name, value, f"<= {bound:g}", bool(value <= bound), note)


# ---- planted networks


def planted(
    bank: FrameBank,
    evidence: Evidence,
    lesson: FrameBank,
    lesson_evidence: Evidence,
    advance: Advance,
    seeds: Sequence[int] = range(SEEDS),
) -> Found:
    """The headline follows the planted share, and `orbay2020` does not.

    Detectors are trained on the frames of `lesson`; the networks are scored on `bank`.
    """
    rows: list[dict[str, Any]] = []
    for seed in seeds:
        for network, features, kind in planted_networks(bank, evidence, lesson, lesson_evidence, seed, advance):
            subject = explained(network.agent, bank, evidence, pool=kind == "nmf", steps=1)
            found = judged(subject, kind, features)
            rows.append(
                {
                    "seed": seed,
                    "features": kind,
                    "share": network.share,
                    "fraction": found.fraction,
                    "graded": found.graded,
                    "named": _named(found, network),
                    **_orbay(found),
                }
            )
            advance(f"planted {kind}, seed {seed}")
    checks = []
    for kind, bound in (("channels", 0.95), ("nmf", 0.80)):
        sets = [[r for r in rows if r["features"] == kind and r["seed"] == seed] for seed in seeds]
        follows = [spearmanr([r["share"] for r in own], [r["fraction"] for r in own]).statistic for own in sets]
        checks.append(
            at_least(f"planted share and headline, {kind}: Spearman", float(min(follows)), bound, "lowest seed")
        )
        value, chance = (
            np.mean([[r[name] for r in own] for own in sets], axis=0) for name in ("orbay2020", "orbay_chance")
        )
        note = f"of the mean over seeds; without taking chance away {np.ptp(value):.3f}"
        name = f"the same through orbay2020 over its chance, {kind}: range"
        checks.append(at_most(name, float(np.ptp(value - chance)), 0.05, note))
    named = [r["named"] for r in rows if np.isfinite(r["named"])]
    checks.append(at_least("planted detectors that are found: share named by their class", float(np.mean(named)), 0.9))
    return Found(checks, {"rows": rows})


def planted_networks(
    bank: FrameBank, evidence: Evidence, lesson: FrameBank, lesson_evidence: Evidence, seed: int, advance: Advance
) -> Iterator[tuple[Planted, int, str]]:
    """Networks with shares from 0 to 1 of detectors trained on the lesson: one set for channels, one for the NMF."""
    geometry = layer_geometry(handmade().network, "2b")
    shares = average_over_cells(lesson_evidence.masks[:, : len(SCORED)], geometry)
    detectors = train_detectors(lesson.frames, shares, seed)
    advance(f"detectors, seed {seed}")
    shown = eligible(evidence.pixels, bank.episode)
    wanted = [name for c, name in enumerate(SCORED) if shown[c]]
    for features, kind in ((CHANNELS, "channels"), (DIRECTIONS, "nmf")):
        for number, share in enumerate(np.linspace(0, 1, SHARES)):
            own = 1000 * seed + number
            yield plant(detectors, SCORED, wanted, share, features, lesson.frames[:512], own), features, kind


def _orbay(found: Judged) -> dict[str, float]:
    """The published score, through receptive-field boxes, and its chance level."""
    cells = threshold(np.abs(found.measured.maps))
    areas = [covered(cells[:, k], found.subject.geometry) for k in range(cells.shape[1])]
    objects, environment = found.subject.evidence.objects, found.subject.bank.environment
    return {"orbay2020": orbay2020(areas, objects), "orbay_chance": orbay_chance(areas, objects, environment)}


def _named(found: Judged, network: Planted) -> float:
    """Of the planted detectors that are found, the share that is found for its own class; nan without any.

    For the NMF, of the found features: the share whose class was planted.
    """
    which = [NAMES[c] if c >= 0 else None for c in found.verdict.which]
    if len(which) == len(network.classes) and isinstance(found.basis, Channels):
        right = [a == b for a, b in zip(which, network.classes, strict=True) if a and b]
    else:
        right = [a in network.classes for a in which if a]
    return float(np.mean(right)) if right else float("nan")


# ---- networks that must fail


def untrained(bank: FrameBank, evidence: Evidence, advance: Advance, seeds: int = UNTRAINED_SEEDS) -> Found:
    """Untrained networks of every kind have no interpretable features to speak of."""
    rows: list[dict[str, Any]] = []
    for network in NETWORKS:
        for seed in range(seeds):
            agent = untrained_agent(network, bank.options, 100 + seed)
            subject = explained(agent, bank, evidence, pool=True)
            for features in ("channels", "nmf"):
                found = judged(subject, features)
                rows.append(
                    {
                        "network": network,
                        "seed": seed,
                        "features": features,
                        "fraction": found.fraction,
                        "graded": found.graded,
                        **_terms(found),
                    }
                )
            advance(f"untrained {network}, seed {seed}")
    checks = []
    for network in NETWORKS:
        for features in ("channels", "nmf"):
            own = [r["fraction"] for r in rows if (r["network"], r["features"]) == (network, features)]
            checks.append(
                at_most(f"untrained {network}, {features}: interpretable fraction", float(np.mean(own)), 0.05)
            )
    return Found(checks, {"rows": rows})


def _terms(found: Judged) -> dict[str, float]:
    """The parts of the score over an agent's living features: the best kappa, how much the signs agree with the game,
    and T where kappa is best, each over sprite classes that the bank shows often enough."""
    verdict = found.verdict
    use = [c for c, name in enumerate(NAMES) if found.subject.headline[c] and name != FIXED]
    sensed = [c for c in use if NAMES[c] in SENSED]
    alive = verdict.alive
    kappa = np.nan_to_num(verdict.kappa[alive][:, use])
    best = kappa.argmax(axis=1)
    causal = np.nan_to_num(verdict.causal[alive][:, use])[np.arange(len(best)), best]
    senses = np.array([SENSE[NAMES[c]] for c in sensed])
    weight = found.measured.energies.energy()[alive][:, sensed] * found.measured.energies.share()[alive][:, None]
    agreement = senses * np.nan_to_num(verdict.sign[alive][:, sensed])
    return {
        "kappa": float(kappa.max(axis=1).mean()),
        "sign": float((weight * agreement).sum() / weight.sum()),
        "causal": float(causal.mean()),
    }


def levels(rows: Sequence[dict[str, Any]], network: str) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of each term over untrained networks of one kind, channels."""
    own = [r for r in rows if r["network"] == network and r["features"] == "channels"]
    return {
        term: (float(np.mean([r[term] for r in own])), float(np.std([r[term] for r in own])))
        for term in ("kappa", "sign", "causal", "graded")
    }


def level_of(subjects: Iterable[Subject]) -> dict[str, tuple[float, float]]:
    """`levels` of the networks whose attributions are given."""
    found = [judged(subject, "channels") for subject in subjects]
    rows = [{"network": "", "features": "channels", "graded": each.graded, **_terms(each)} for each in found]
    return levels(rows, "")


def _at_level(name: str, value: float, level: tuple[float, float], note: str = "") -> Check:
    """At the untrained level: no more than two standard deviations of single networks above their mean."""
    mean, deviation = level
    return at_most(name, value, mean + 2 * deviation, note or f"untrained {mean:.3f} ± {deviation:.3f}")


def randomisation(
    agent: Agent,
    bank: FrameBank,
    evidence: Evidence,
    level: dict[str, tuple[float, float]],
    advance: Advance,
    seeds: int = SEEDS,
) -> Found:
    """Cascading randomisation (Adebayo et al. 2018), from the value head down, and of 2b, 2a and 1a alone.

    The curve has, against the trained agent's maps, the rank correlation of signed and of absolute attribution and the
    structural similarity of each frame's absolute attribution summed over channels.
    """
    parts = cascade(agent.network)
    stages: dict[str, list[str]] = {"trained": []}
    stages |= {part: parts[: number + 1] for number, part in enumerate(parts)}
    below = [part for part in parts if part in ("2b_conv", "2a_conv", "1a_conv")]
    stages["2b, 2a, 1a alone"] = below
    reference = None
    rows: list[dict[str, Any]] = []
    for stage, chosen in stages.items():
        for seed in range(seeds if chosen else 1):
            subject = explained(randomised(agent, chosen, 200 + seed), bank, evidence)
            found = judged(subject, "channels")
            reference = found if reference is None else reference
            rows.append(
                {"stage": stage, "seed": seed, "graded": found.graded, **_terms(found), **_likeness(found, reference)}
            )
            advance(f"randomised down to {stage}, seed {seed}")

    def mean(stage: str, term: str) -> float:
        return float(np.mean([r[term] for r in rows if r["stage"] == stage]))

    trained = f"trained {mean('trained', 'sign'):.3f}, untrained {level['sign'][0]:.3f} ± {level['sign'][1]:.3f}"
    kappa = f"trained {mean('trained', 'kappa'):.3f}, untrained {level['kappa'][0]:.3f} ± {level['kappa'][1]:.3f}"
    checks = [
        _at_level("value head random: sign term", mean("value", "sign"), level["sign"], trained),
        _at_level(
            "2b, 2a, 1a random, the rest trained: kappa", mean("2b, 2a, 1a alone", "kappa"), level["kappa"], kappa
        ),
    ]
    return Found(checks, {"rows": rows, "level": level, "stages": list(stages)})


def _likeness(found: Judged, reference: Judged, frames: int = 64) -> dict[str, float]:
    """How alike the maps of two agents are on some frames: rank correlations, and structural similarity."""
    ours, theirs = found.measured.maps[:frames], reference.measured.maps[:frames]
    drawn = np.random.default_rng(0).choice(ours.size, min(ours.size, 100_000), replace=False)
    a, b = ours.reshape(-1)[drawn], theirs.reshape(-1)[drawn]
    sums = [np.abs(maps).sum(axis=1) for maps in (ours, theirs)]
    alike = [structural_similarity(x, y, data_range=float(max(x.max(), y.max()))) for x, y in zip(*sums, strict=True)]
    return {
        "spearman_signed": float(spearmanr(a, b).statistic),
        "spearman_absolute": float(spearmanr(np.abs(a), np.abs(b)).statistic),
        "ssim": float(np.mean(alike)),
    }


def permuted_targets(
    agent: Agent,
    bank: FrameBank,
    evidence: Evidence,
    level: dict[str, tuple[float, float]],
    advance: Advance,
    loss: float = 0.1,
) -> Found:
    """A `compact` network that learnt the agent's values of shuffled frames, beside one that learnt the right ones."""
    frames = np.concatenate([bank.frames, bank.pool])
    with torch.no_grad():
        values = np.concatenate([agent.network(torch.from_numpy(part))[1].numpy() for part in np.split(frames, 8)])
    values = (values - values.mean()) / values.std()
    rows: dict[str, dict[str, float]] = {}
    for name, targets in (("right", values), ("shuffled", np.random.default_rng(0).permutation(values))):
        student, reached = distilled("compact", frames, targets, loss, seed=300)
        found = judged(explained(student, bank, evidence), "channels")
        rows[name] = {"loss": reached, "fraction": found.fraction, "graded": found.graded, **_terms(found)}
        advance(f"distilled, {name} values")
    shuffled, right = rows["shuffled"], rows["right"]
    checks = [
        at_most("shuffled values: loss of the distilled network, standardised", shuffled["loss"], loss),
        *(
            _at_level(
                f"shuffled values: {name}",
                shuffled[term],
                level[term],
                f"right values {right[term]:.3f}, untrained {level[term][0]:.3f} ± {level[term][1]:.3f}",
            )
            for name, term in (("sign term", "sign"), ("T", "causal"))
        ),
        Check(
            "shuffled values: kappa, reported",
            shuffled["kappa"],
            "none",
            True,
            f"right values {right['kappa']:.3f}, untrained {level['kappa'][0]:.3f} ± {level['kappa'][1]:.3f}",
        ),
    ]
    return Found(checks, {"rows": rows, "level": level})


# ---- features and masks that must score less


def rotation(subjects: Mapping[str, Subject], advance: Advance) -> Found:
    """Channels beside randomly rotated channels: reported, as it falls, with and without surface.

    The difference of the graded scores is taken draw by draw of one bootstrap.
    """
    checks, rows = [], {}
    for name, subject in subjects.items():
        channels, control = judged(subject, "channels"), judged(subject, "rotated")
        advance(f"rotated channels of {name}")
        assert channels.verdict.graded_draws is not None
        assert control.verdict.graded_draws is not None
        low, high = interval(channels.verdict.graded_draws - control.verdict.graded_draws)
        sprites = [sprite_grade(each.verdict, each.subject.eligible) for each in (channels, control)]
        rows[name] = {
            "channels": channels.graded,
            "rotated": control.graded,
            "interval": [float(low), float(high)],
            "sprites": sprites,
        }
        note = f"{channels.graded:.3f} and {control.graded:.3f}, difference's interval {low:.3f} to {high:.3f}; "
        note += f"without surface {sprites[0]:.3f} and {sprites[1]:.3f}"
        title = f"channels over rotated channels, {name}, reported"
        checks.append(Check(title, channels.graded - control.graded, "none", True, note))
    return Found(checks, {"rows": rows})


def shifted_masks(subject: Subject, name: str, advance: Advance) -> Found:
    """Kappa of the pairs that reach the cut-off falls as the masks are shifted down by 1, 2 and 4 tiles."""
    found = judged(subject, "channels")
    kappa = found.verdict.kappa
    use = np.array([c for c, other in enumerate(NAMES) if subject.headline[c]])
    pairs = np.argwhere(np.nan_to_num(kappa[:, use]) >= Cutoffs.kappa)
    curve = []
    for tiles in (0, 1, 2, 4):
        masks = _shifted(subject.evidence.masks, round(tiles * TILE))
        moved = replace(subject, evidence=replace(subject.evidence, masks=masks))
        energies = Energies.from_maps(
            found.measured.maps, moved.masks(DILATION), subject.bank.environment, subject.bank.time
        )
        values = np.nan_to_num(energies.kappa()[:, use])
        curve.append(float(np.mean([values[k, c] for k, c in pairs])) if len(pairs) else float("nan"))
        advance(f"masks shifted by {tiles} tiles")
    steps = np.diff(curve)
    check = at_most(
        f"masks shifted by 0, 1, 2, 4 tiles, {name}: largest step of kappa",
        float(steps.max()),
        0,
        f"kappa {', '.join(f'{value:.3f}' for value in curve)}; {len(pairs)} pairs",
    )
    return Found([check], {"tiles": [0, 1, 2, 4], "kappa": curve})


def _shifted(masks: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Masks (N, C, 64, 64) moved down; what comes in at the top is empty."""
    moved = np.zeros_like(masks)
    moved[:, :, pixels:] = masks[:, :, : masks.shape[2] - pixels]
    return moved


def by_hand(bank: FrameBank, evidence: Evidence, advance: Advance) -> Found:
    """Edges and constants detect no sprite; how near a filter for the coin's yellow comes to a coin detector."""
    subject = explained(handmade(), bank, evidence, steps=1)
    found = judged(subject, "channels")
    advance("features made by hand")
    sprites = [c for c, name in enumerate(NAMES) if subject.headline[c] and name != FIXED]
    checks = []
    for k, name in enumerate(HANDMADE):
        kappa = np.nan_to_num(found.verdict.kappa[k, sprites])
        best = sprites[int(kappa.argmax())]
        if name == "yellow":
            which = int(found.verdict.which[k])
            note = f"passes as {NAMES[which]}" if which >= 0 else f"passes as nothing; nearest {NAMES[best]}"
            coin = float(np.nan_to_num(found.verdict.kappa[k, NAMES.index("coin")]))
            checks.append(Check("yellow filter: kappa on coins, reported", coin, "none", True, note))
        else:
            checks.append(
                Check(
                    f"{name}: highest kappa on a sprite",
                    float(kappa.max()),
                    f"< {Cutoffs.kappa}",
                    bool(kappa.max() < Cutoffs.kappa),
                    NAMES[best],
                )
            )
    wrong = sum(bool(found.verdict.found[HANDMADE.index(name)]) for name in ("edges", "constant"))
    checks.append(at_most("edges and constants that are found, surface among the classes", wrong, 0))
    return Found(checks, {"kappa": found.verdict.kappa.tolist(), "features": list(HANDMADE), "classes": list(NAMES)})


# ---- trained agents


def published(subject: Subject, controls: Iterable[Subject], advance: Advance) -> Found:
    """The published agent's features lie on objects far more than those of untrained networks of its shape."""
    trained = judged(subject, "nmf")
    lifts = [_held_out_localisation(trained)]
    advance("published agent")
    for number, control in enumerate(controls):
        lifts.append(_held_out_localisation(judged(control, "nmf")))
        advance(f"untrained network {number} beside the published agent")
    values = [value for value, _ in lifts]
    difference = values[0] - float(np.mean(values[1:]))
    left_out = lifts[0][1] - np.mean([each for _, each in lifts[1:]], axis=0)
    low, high = jackknife_interval(difference, left_out)
    checks = [
        at_least(
            "published agent over untrained, localisation in bits: lower limit",
            low,
            1,
            f"{values[0]:.2f} and {np.mean(values[1:]):.2f}, difference {difference:.2f} ({low:.2f} to {high:.2f})",
        )
    ]
    bases = {"nmf": trained, "channels": judged(subject, "channels")}
    for name in ("coin", "enemy", "saw"):
        checks.append(_best_feature(bases, name, reported=name == "saw"))
    return Found(checks, {"localisation": values, "difference": [difference, low, high]})


def _best_feature(bases: Mapping[str, Judged], name: str, reported: bool) -> Check:
    """The feature with the highest kappa on a class, and whether it is found with the sign that the game gives it."""
    c = NAMES.index(name)
    basis, k = max(
        ((basis, k) for basis, found in bases.items() for k in np.flatnonzero(found.verdict.alive)),
        key=lambda pair: float(np.nan_to_num(bases[pair[0]].verdict.kappa[pair[1], c])),
    )
    verdict = bases[basis].verdict
    kappa, sign = float(verdict.kappa[k, c]), float(verdict.sign[k, c])
    note = f"{basis} {k}: kappa {kappa:.2f}, T {verdict.causal[k, c]:.2f}, sign {sign:+.2f}"
    if reported:
        return Check(f"published agent's {name} feature, reported", kappa, "none", True, note)
    passed = bool(bases[basis].subject.headline[c] and kappa >= Cutoffs.kappa and SENSE[name] * sign >= Cutoffs.sign)
    bound = f"kappa >= {Cutoffs.kappa}, sign {'+' if SENSE[name] > 0 else '-'}"
    return Check(f"published agent's {name} feature: kappa", kappa, bound, passed, note)


def _held_out_localisation(found: Judged) -> tuple[float, FloatArray]:
    """Localisation of the best class, chosen on other environments; and its values with each environment left out."""
    energies, alive, allowed = found.measured.energies, found.verdict.alive, found.subject.headline
    held_out = partial(best_class_lift, energies, allowed, alive, 0, measure=Energies.localisation)
    return float(held_out()[1]), held_out(weights=1 - np.eye(energies.environments))[1]


def pairs(subjects: Mapping[str, Subject], advance: Advance) -> Found:
    """Of the pairs of feature and class with high kappa most pass the causal test, of the others few do."""
    rows: list[dict[str, Any]] = []
    for name, subject in subjects.items():
        for features in ("channels", "nmf"):
            found = judged(subject, features)
            for c, other in enumerate(NAMES):
                if subject.headline[c] and other in CONTROLLED:
                    for k in np.flatnonzero(found.verdict.alive):
                        kappa, causal = found.verdict.kappa[k, c], found.verdict.causal[k, c]
                        if np.isfinite([kappa, causal]).all():
                            rows.append(
                                {
                                    "agent": name,
                                    "features": features,
                                    "class": other,
                                    "kappa": float(kappa),
                                    "causal": float(causal),
                                }
                            )
            advance(f"pairs of {name}, {features}")
    high = [r["causal"] >= Cutoffs.causal for r in rows if r["kappa"] >= Cutoffs.kappa]
    low = [r["causal"] >= Cutoffs.causal for r in rows if r["kappa"] < Cutoffs.kappa]
    checks = [
        at_least(
            "pairs with high kappa: share that passes the causal test", float(np.mean(high)), 0.7, f"{len(high)} pairs"
        ),
        at_most(
            "pairs with low kappa: share that passes the causal test", float(np.mean(low)), 0.35, f"{len(low)} pairs"
        ),
    ]
    return Found(checks, {"rows": rows})
