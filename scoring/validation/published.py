"""The published agent's features lie on objects far more than those of untrained networks of its shape."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from rollouts.progress import Update, silent
from scoring.draw.charts import COLOURS, panels, save
from scoring.metrics.arrays import FloatArray
from scoring.metrics.energies import Energies
from scoring.metrics.statistics import best_class_lift, jackknife_interval
from scoring.numbers import Judged
from scoring.subject import Subject
from scoring.validation.base import CUTOFFS, Check, Outcome, at_least, fraction, judged, reported

KINDS = ("coin", "enemy", "saw")
"""Hilton et al. (2020) show features of these; saws are reported only."""
FITS = 6
"""Factorisations: on the pool, and on resamples of it."""
FRACTIONS = {"nmf": 0.6, "channels": 0.5}
"""The least that is interpretable; people gave agents like it 0.84 (Hilton et al. 2020)."""


@dataclass(frozen=True)
class Published:
    """Held-out localisation in bits, of the agent first, and by how much it is above the untrained (low, high)."""

    localisation: list[float]
    difference: tuple[float, float, float]


def published(subject: Subject, controls: Iterable[Subject], progress: Update = silent) -> Outcome[Published]:
    """`controls` are untrained networks of the agent's shape on its bank."""
    trained = judged(subject, "nmf")
    value, without = _held_out_localisation(trained)
    values, left_out = [value], [without]
    progress(0, "published agent")
    for number, control in enumerate(controls):
        value, without = _held_out_localisation(judged(control, "nmf"))
        values.append(value)
        left_out.append(without)
        progress(0, f"untrained network {number} beside the published agent")
    untrained = float(np.mean(values[1:]))
    difference = values[0] - untrained
    low, high = jackknife_interval(difference, left_out[0] - np.mean(left_out[1:], axis=0))
    checks = [
        at_least(
            "published agent over untrained, localisation in bits: lower limit",
            low,
            1,
            f"{values[0]:.2f} and {untrained:.2f}, difference {difference:.2f} ({low:.2f} to {high:.2f})",
        )
    ]
    bases = {"nmf": trained, "channels": judged(subject, "channels")}
    fractions = {"nmf": float(np.mean([fraction(judged(subject, "nmf", fit=fit)) for fit in range(FITS)]))}
    fractions["channels"] = fraction(bases["channels"])
    checks += [
        at_least(f"published agent's interpretable fraction, {features}", fractions[features], least)
        for features, least in FRACTIONS.items()
    ]
    checks += [_best_feature(bases, name, bounded=name != "saw") for name in KINDS]
    return Outcome(checks, Published(values, (difference, low, high)))


def _best_feature(bases: Mapping[str, Judged], name: str, bounded: bool) -> Check:
    """The feature with the highest kappa on a kind, and whether it is found with the sense that the game gives it."""
    game = bases["nmf"].subject.game
    c, sense = game.index(name), game.kind(name).sense
    features, k = max(
        ((features, k) for features, scored in bases.items() for k in np.flatnonzero(scored.verdict.alive)),
        key=lambda pair: float(np.nan_to_num(bases[pair[0]].verdict.kappa[pair[1], c])),
    )
    verdict = bases[features].verdict
    kappa, sign = float(verdict.kappa[k, c]), float(verdict.sign[k, c])
    note = f"{features} {k}: kappa {kappa:.2f}, T {verdict.causal[k, c]:.2f}, sign {sign:+.2f}"
    if not bounded:
        return reported(f"published agent's {name} feature, reported", kappa, note)
    passed = bases[features].subject.headline[c] and kappa >= CUTOFFS.kappa and sense * sign > CUTOFFS.sign
    bound = f"kappa >= {CUTOFFS.kappa}, sign {'+' if sense > 0 else '-'}"
    return Check(f"published agent's {name} feature: kappa", kappa, bound, bool(passed), note)


def _held_out_localisation(scored: Judged) -> tuple[float, FloatArray]:
    """Localisation of the best class, chosen on other environments; and its values with each environment left out."""
    energies, alive, allowed = scored.measured.energies, scored.verdict.alive, scored.subject.headline
    held_out = partial(best_class_lift, energies, allowed, alive, 0, measure=Energies.localisation)
    return float(held_out()[1]), held_out(weights=1 - np.eye(energies.environments))[1]


def figure(details: Published, path: Path) -> None:
    """Held-out localisation of the published agent and of untrained networks of its shape."""
    picture, (axis,) = panels(1, 5.0)
    values = details.localisation
    axis.bar(range(len(values)), values, color=[COLOURS[0], *["0.6"] * (len(values) - 1)])
    axis.set(xticks=range(len(values)), ylabel="localisation, bits (class chosen on other environments)")
    axis.set_xticklabels(["published", *[f"untrained {i}" for i in range(len(values) - 1)]], rotation=30, ha="right")
    difference, low, high = details.difference
    axis.set_title(f"difference {difference:.2f} bits ({low:.2f} to {high:.2f})")
    save(picture, path)
