"""Scores as pure functions of attribution maps and class masks; no files, devices or configuration.

Indices: frame i of environment e, sampled at time t; feature k; class c; grid cell p. alpha_ik(p) is signed
attribution, w = |alpha|, M_ik = sum_p w_ik(p), and y_ic(p) in [0, 1] is the part of cell p that class c covers. Maps
have the shape (frames, features, height, width). A ratio over 0 is nan: no number, which is not the same as 0."""

from dataclasses import dataclass

import numpy as np

from rollouts.errors import InputError
from scoring.metrics.arrays import BoolArray, FloatArray, IntArray, Labels, Maps, Weights, check_axes, ratio

DRAWS = 256
"""Draws of environments taken at once: a limit to memory."""

MIN_EPISODES = 30
"""In which a class must be seen to get a number."""

BLOCK = 8
"""Environments whose masks are weighted at once: a limit to memory."""

OFFSET = 1e-6
"""Added to both energies of a log-ratio, so that it stays finite where an energy is 0."""


@dataclass(frozen=True)
class Energies:
    """All that energies, chances, permutations and bootstrap need of G_kc[i, j] = sum_p w_ik(p) y_jc(p).

    With E environments of `samples` frames each, K features and C classes:

    - `on_class` (K, C, E): sum over i in e of G[i, i], the maps on their own masks;
    - `aligned` (K, C, E, E): sum over t of G[(e, t), (f, t)], the maps of e on the masks of f at equal sampling time,
      which permutations alone need (None where it was not asked for);
    - `between` (K, C, E, E): sum over i in e, j in f of G[i, j], and 0 at e = f;
    - `within` (K, C, E, E): sum over i in e, j in f of M_ik G[j, i], the maps of f on the masks of e, weighted by mass;
    - `signed` (K, C, E): sum over i in e and p of alpha y, and `mass` (K, E): sum over i in e of M_ik;
    - `uniform` (K, C, E): sum over i in e of M_ik times the mean of y over the frame's cells.

    The methods take `weights` (..., E), how often each environment counts (once by default; a bootstrap draw has its
    multiplicities), and return (..., K, C).
    """

    on_class: FloatArray
    aligned: FloatArray | None
    between: FloatArray
    within: FloatArray
    signed: FloatArray
    uniform: FloatArray
    mass: FloatArray
    samples: int

    @classmethod
    def from_maps(cls, alpha: Maps, masks: Maps, environment: Labels, time: Labels, aligned: bool = True) -> "Energies":
        """From `alpha` (N, K, H, W), `masks` (N, C, H, W), `environment` (N,) and sampling `time` (N,), in any order.

        `aligned` is what takes most of the time; permutation tests alone need it.
        Raises `InputError` for shapes that do not match, and unless all environments have frames at the same times.
        """
        check_axes(alpha=(alpha, "N K H W"), masks=(masks, "N C H W"), environment=(environment, "N"), time=(time, "N"))
        order, environments = _by_environment(environment, time)
        samples = len(order) // environments
        signed_maps, y = (
            _class_first(maps, order).reshape(maps.shape[1], environments, samples, -1) for maps in (alpha, masks)
        )
        features, classes, cells = len(signed_maps), len(y), y.shape[-1]

        def own(maps: FloatArray) -> FloatArray:
            """Of each environment's maps on its own masks (K, C, E)."""
            sums = (maps[:, e].reshape(features, -1) @ y[:, e].reshape(classes, -1).T for e in range(environments))
            return np.stack(list(sums), axis=2)

        signed = own(signed_maps)
        w = np.abs(signed_maps, out=signed_maps)
        on_class = own(w)
        w_summed, frame_mass = w.sum(axis=2), w.sum(axis=3)

        def pairs(left: FloatArray, right: FloatArray) -> FloatArray:
            """(K, E, n) and (C, E, n) -> (K, C, E, E), summed over n."""
            n = left.shape[2]
            product = left.reshape(-1, n) @ right.reshape(-1, n).T
            return np.moveaxis(product.reshape(features, environments, classes, environments), 2, 1).copy()

        of_environment = w.reshape(features, environments, -1), y.reshape(classes, environments, -1)
        all_pairs = pairs(*of_environment) if aligned else None
        between = pairs(w_summed, y.sum(axis=2))
        within = np.empty_like(between)
        for start in range(0, environments, BLOCK):
            block = range(start, min(start + BLOCK, environments))
            weighted = np.stack([np.tensordot(frame_mass[:, e], y[:, e], axes=(1, 1)) for e in block], axis=2)
            part = weighted.reshape(features, -1, cells) @ w_summed.swapaxes(1, 2)
            within[:, :, block] = part.reshape(features, classes, len(block), environments)
        same = np.arange(environments)
        between[:, :, same, same] = 0
        uniform = np.einsum("ket,cet->kce", frame_mass, y.mean(axis=3), optimize=True)
        return cls(on_class, all_pairs, between, within, signed, uniform, frame_mass.sum(axis=2), samples)

    def of_classes(self, chosen: BoolArray | slice) -> "Energies":
        """The energies of some of the classes (C,)."""
        aligned = None if self.aligned is None else np.ascontiguousarray(self.aligned[:, chosen])
        on_class, between, within, signed, uniform = (
            np.ascontiguousarray(sums[:, chosen])
            for sums in (self.on_class, self.between, self.within, self.signed, self.uniform)
        )
        return Energies(on_class, aligned, between, within, signed, uniform, self.mass, self.samples)

    def split(self, parts: int) -> list["Energies"]:
        """The energies of `parts` equal groups of consecutive classes."""
        count = self.signed.shape[1] // parts
        return [self.of_classes(slice(start, start + count)) for start in range(0, count * parts, count)]

    @property
    def environments(self) -> int:
        return self.mass.shape[1]

    def share(self) -> FloatArray:
        """Share (K,) of all attribution that each feature carries, 0 where there is none; it tells the dead ones."""
        return np.nan_to_num(ratio(self.mass.sum(axis=1), self.mass.sum()))

    def energy(self, weights: Weights | None = None) -> FloatArray:
        """E = sum_i sum_p w y / sum_i sum_p w: the share of a feature's attribution that falls on the class."""
        m = self._weights(weights)
        return ratio(self._on_class(m), self._mass(m))

    def chance_between(self, weights: Weights | None = None) -> FloatArray:
        """E0: expectation of E when each frame's masks are those of a random frame of another environment.

        The other environment is drawn in proportion to its weight, and copies of an environment are the same one. nan
        where no other is left.
        """
        m = self._weights(weights)
        others = m.sum(axis=-1, keepdims=True) - m
        return ratio(_quadratic(ratio(m, self.samples * others), self.between, m), self._mass(m))

    def chance_within(self, weights: Weights | None = None) -> FloatArray:
        """Ew = sum_i m_ik sum_p pi_k(p) y_ic(p): expectation of E when each frame has the feature's average map pi_k.

        m_ik = M_ik / sum_i M_ik is kept, so the frames in which a feature is strong stay those.
        """
        m = self._weights(weights)
        return ratio(_quadratic(m, self.within, m), self._mass(m) ** 2)

    def lift(self, weights: Weights | None = None) -> FloatArray:
        """log2 of energy over chance between frames, in bits."""
        return np.log2((self.energy(weights) + OFFSET) / (self.chance_between(weights) + OFFSET))

    def localisation(self, weights: Weights | None = None) -> FloatArray:
        """log2 of energy over chance within the frame, in bits."""
        return np.log2((self.energy(weights) + OFFSET) / (self.chance_within(weights) + OFFSET))

    def kappa(self, weights: Weights | None = None) -> FloatArray:
        """(E - Ew) / (1 - Ew), as Cohen's (1960) kappa: 0 at chance within the frame, 1 if all falls on the class."""
        chance = self.chance_within(weights)
        return ratio(self.energy(weights) - chance, 1 - chance)

    def kappa_uniform(self, weights: Weights | None = None) -> FloatArray:
        """(E - Eu) / (1 - Eu), Eu = sum_i m_ik mean_p y_ic(p): the same against attribution spread over the frame.

        For what is at the same place in every frame, where nothing can be told from the feature's average map.
        """
        m = self._weights(weights)
        chance = ratio(_linear(m, self.uniform), self._mass(m))
        return ratio(self.energy(weights) - chance, 1 - chance)

    def sign(self, weights: Weights | None = None) -> FloatArray:
        """sum alpha y / sum |alpha| y in [-1, 1]: whether the class counts for or against the target."""
        m = self._weights(weights)
        return ratio(_linear(m, self.signed), self._on_class(m))

    def _weights(self, weights: Weights | None) -> FloatArray:
        return _counted(weights, mass=(self.mass, "K E"))

    def _mass(self, m: FloatArray) -> FloatArray:
        return _linear(m, self.mass)[..., None]

    def _on_class(self, m: FloatArray) -> FloatArray:
        return _linear(m, self.on_class)


@dataclass(frozen=True)
class Ratio:
    """A ratio of two sums over frames, kept by environment: `above` and `below` (K, C, E)."""

    above: FloatArray
    below: FloatArray

    def of(self, weights: Weights | None = None) -> FloatArray:
        """(..., K, C), nan over 0; `weights` (..., E) as for `Energies`."""
        m = _counted(weights, above=(self.above, "K C E"), below=(self.below, "K C E"))
        return ratio(_linear(m, self.above), _linear(m, self.below))


@dataclass(frozen=True)
class Effect:
    """What a change of frames does to the attribution on each class, from sums over each environment's frames.

    With alpha before and alpha' after the change, not normalised, y of the original frame, a = sum_p alpha y of a
    frame, and D the target before less the target after:

    - `left`: sum |alpha'| y over sum |alpha| y, what is left of it;
    - `turnover`: sum |alpha - alpha'| y over sum (|alpha| + |alpha'|) y, 0 where nothing changes and at most 1;
    - `agreement`: sum a sgn D over sum |a|, whether attribution has the sign of the class's effect on the target.
    """

    left: Ratio
    turnover: Ratio
    agreement: Ratio

    def causal(self, weights: Weights | None = None) -> FloatArray:
        """T = 1 - sum |alpha'| y / sum |alpha| y (..., K, C): the share of a class's attribution that goes with it."""
        return 1 - self.left.of(weights)


def eligible(pixels: Labels, episode: Labels, min_pixels: int = 4, min_episodes: int = MIN_EPISODES) -> BoolArray:
    """Classes (C,) seen often enough: `min_pixels` visible in a frame of at least `min_episodes` different episodes.

    `pixels` (N, C) counts the visible, undilated pixels of each class; `episode` (N,).
    """
    check_axes(pixels=(pixels, "N C"), episode=(episode, "N"))
    seen = pixels >= min_pixels
    return np.array([np.unique(episode[frames]).size >= min_episodes for frames in seen.T])


def _counted(weights: Weights | None, **arrays: tuple[FloatArray, str]) -> FloatArray:
    """`weights` (..., E), once each by default, which must fit the arrays; these have an axis E."""
    environments = check_axes(**arrays)["E"]
    if weights is None:
        return np.ones(environments)
    check_axes(**arrays, weights=(weights, "... E"))
    return weights.astype(np.float64)


def _by_environment(environment: Labels, time: Labels) -> tuple[IntArray, int]:
    """The order that sorts frames by environment, then time, and the number of environments; they must match."""
    labels, counts = np.unique(environment, return_counts=True)
    order = np.lexsort((time, environment))
    uneven = labels[counts != counts[0]]
    if uneven.size:
        raise InputError(f"Environment {uneven[0]} has another number of frames than environment {labels[0]}.")
    times = time[order].reshape(len(labels), -1)
    other = labels[(times != times[0]).any(axis=1)]
    if other.size:
        raise InputError(f"Environment {other[0]} was sampled at other times than environment {labels[0]}.")
    if (np.diff(times[0]) == 0).any():
        raise InputError(f"Environment {labels[0]} has two frames at the same sampling time.")
    return order, len(labels)


def _class_first(maps: Maps, order: IntArray) -> FloatArray:
    """`maps` (N, C, H, W) in another order of frames, as (C, N, H W)."""
    result = np.empty((maps.shape[1], len(maps), maps.shape[2] * maps.shape[3]))
    for place, frame in enumerate(order):
        result[:, place] = maps[frame].reshape(maps.shape[1], -1)
    return result


def _linear(m: FloatArray, sums: FloatArray) -> FloatArray:
    """sum_e m_e sums_e: m (..., E) and sums (*, E) give (..., *)."""
    return np.tensordot(m, sums, axes=(-1, -1))


def _quadratic(left: FloatArray, matrices: FloatArray, right: FloatArray) -> FloatArray:
    """sum_ef left_e X_ef right_f: left, right (..., E) and matrices (K, C, E, E) give (..., K, C)."""
    environments = left.shape[-1]
    rows, columns = left.reshape(-1, environments, 1), right.reshape(-1, 1, environments)
    flat = matrices.reshape(-1, environments**2).T
    result = np.empty((len(rows), flat.shape[1]))
    for start in range(0, len(rows), DRAWS):
        products = rows[start : start + DRAWS] * columns[start : start + DRAWS]
        result[start : start + DRAWS] = products.reshape(-1, environments**2) @ flat
    return result.reshape(*left.shape[:-1], *matrices.shape[:2])
