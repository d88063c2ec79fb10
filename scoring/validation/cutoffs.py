"""Version 2's cut-offs: what passes at each of them, of a real agent's features and of what must not pass."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scoring.features.kinds import kind_named
from scoring.features.nmf import resampled
from scoring.metrics.arrays import FloatArray, IntArray, Weights
from scoring.metrics.energies import Energies
from scoring.metrics.statistics import bootstrap_multiplicities, interval
from scoring.rules import Judging, Values, Version2, for_draws
from scoring.settings import ScoreConfig
from scoring.subject import Subject

OBJECTS = (0.1, 0.125, 0.15, 0.2)
FIXED = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
WIDTHS = (2, 4)
DRAWS = 200
SETTINGS = ScoreConfig(version=2, steps=10, refits=5, bootstrap=DRAWS)


def halves_of(environments: int) -> FloatArray:
    """Weights (2, E): the even-numbered environments, and the odd ones."""
    even = np.arange(environments) % 2 == 0
    return np.stack([even, ~even]).astype(np.float64)


@dataclass(frozen=True)
class Looked:
    """What the rule looks at on some of the environments: `values` (K, C) and the lower limit of kappa (K, C)."""

    values: Values
    lower: FloatArray
    judging: Judging

    def named(self, objects: float, fixed: float) -> IntArray:
        """The kind (K,) that each feature is interpretable by at these cut-offs, -1 for none."""
        rule = Version2(replace(Version2().cutoffs, kappa=objects, fixed=fixed))
        return rule.interpretable(self.values, self.lower, self.judging)[1]

    def fraction(self, objects: float, fixed: float) -> float:
        return float((self.named(objects, fixed) >= 0).mean())


def looked(subject: Subject, features: str, width: int, weights: Weights, fits: int = 1) -> list[Looked]:
    """Of one kind of features, once for each fit; `weights` (E,) choose the environments."""
    subject = subject.with_kinds(SETTINGS.definition.game(subject.bank.options.rules))
    kind, config = kind_named(features), replace(SETTINGS, features=features, dilation=width)
    rule, kinds = for_draws(Version2(), kind.draws(config)), subject.game.kinds
    widened = [subject.masks(width)]
    found = []
    for fit in range(fits if kind.fitted else 1):
        pool = None
        if kind.fitted:
            assert subject.pool is not None
            every = np.arange(len(subject.pool.maps))
            pool = subject.pool.maps[every if fit == 0 else resampled(subject.bank.pool_environment, fit)]
        basis = kind.fit(subject.geometry.channels, pool, replace(config, seed=fit))
        (measured,) = subject.measure(basis, widened)
        draws = _draws(weights)
        still = np.array([kind.still for kind in kinds])
        energies: Energies = measured.energies
        kappas = np.where(still, energies.kappa_uniform(draws), energies.kappa(draws))
        judging = Judging(kinds, subject.eligible, measured.energies.share() >= rule.cutoffs.dead)
        found.append(Looked(rule.values(measured, kinds, weights), interval(kappas)[0], judging))
    return found


def _draws(weights: Weights) -> FloatArray:
    """Bootstrap draws (draws, E) of the environments that count."""
    chosen = np.flatnonzero(weights)
    draws = np.zeros((DRAWS, len(weights)))
    draws[:, chosen] = bootstrap_multiplicities(len(chosen), DRAWS, 0)
    return draws


def mean_fraction(sets: Sequence[Looked], objects: float, fixed: float) -> float:
    return float(np.mean([one.fraction(objects, fixed) for one in sets]))
