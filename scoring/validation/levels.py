"""The parts of the score over an agent's features, and their level in untrained networks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scoring.numbers import Judged
from scoring.subject import Subject
from scoring.validation.base import Check, at_most, grade, judged


@dataclass(frozen=True)
class Terms:
    """The graded score, and its parts as means over the living features, by the kinds of single objects.

    `kappa` is the highest of any kind, `causal` is T of that kind, and `sign` how much the signs agree with the game's
    senses, weighted by attribution.
    """

    graded: float
    kappa: float
    sign: float
    causal: float


class Level(NamedTuple):
    """Mean and standard deviation over networks."""

    mean: float
    deviation: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.deviation:.3f}"


Levels = Mapping[str, Level]
"""The level of each of `TERMS`."""

TERMS: Mapping[str, Callable[[Terms], float]] = {
    "kappa": lambda terms: terms.kappa,
    "sign": lambda terms: terms.sign,
    "causal": lambda terms: terms.causal,
    "graded": lambda terms: terms.graded,
}


def terms(scored: Judged) -> Terms:
    """Kinds count that the headline may name and the bank shows often enough."""
    verdict, energies, game = scored.verdict, scored.measured.energies, scored.subject.game
    objects = np.flatnonzero(scored.subject.headline & game.flags("controlled"))
    sensed = objects[game.senses[objects] != 0]
    alive = verdict.alive
    kappa = np.nan_to_num(verdict.kappa[alive][:, objects])
    best = kappa.argmax(axis=1)
    causal = np.nan_to_num(verdict.causal[alive][:, objects])[np.arange(len(best)), best]
    weight = energies.energy()[alive][:, sensed] * energies.share()[alive][:, None]
    agreement = game.senses[sensed] * np.nan_to_num(verdict.sign[alive][:, sensed])
    return Terms(
        graded=grade(scored),
        kappa=float(kappa.max(axis=1).mean()),
        sign=float((weight * agreement).sum() / weight.sum()),
        causal=float(causal.mean()),
    )


def levels(networks: Sequence[Terms]) -> dict[str, Level]:
    """Over single networks."""
    values = {name: [of(network) for network in networks] for name, of in TERMS.items()}
    return {name: Level(float(np.mean(own)), float(np.std(own))) for name, own in values.items()}


def channel_levels(subjects: Iterable[Subject]) -> dict[str, Level]:
    """Of the channels of networks whose attributions are given."""
    return levels([terms(judged(subject, "channels")) for subject in subjects])


def at_level(name: str, value: float, level: Level, note: str) -> Check:
    """At the level: no more than two standard deviations of single networks above their mean."""
    return at_most(name, value, level.mean + 2 * level.deviation, note)
