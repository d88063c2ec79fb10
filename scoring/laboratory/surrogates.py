"""How much of a target do simple models of the objects explain (Rudin 2019), and do they agree with the maps?

Of every kind that can be taken out: whether it shows, how many there are, and where the nearest one is, in pixels from
the player (0 where there is none). A ridge regression and a tree of depth 4 are fitted to the target on these numbers
and judged on environments that they were not fitted on, in five parts: the coefficient of determination, 1 for perfect
and 0 for the mean. `agreement` of a method is the rank correlation, over kinds, of its mass of |map| with the fall of
the tree's R^2 when a kind's numbers are shuffled among frames. Reported; a surrogate that fits badly says nothing of
the agent, and its agreement with a method nothing of the method."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.tree import DecisionTreeRegressor

from rollouts.items import Item
from rollouts.progress import Update
from scoring.explain.pixels.base import function_of, values_of
from scoring.explain.scenes import Scenes
from scoring.laboratory.base import DRAWS, Bench, FloatArray, Row
from scoring.metrics.statistics import Number, bootstrap_multiplicities, interval

PARTS, DEPTH, SHUFFLES = 5, 4, 10
PENALTIES = tuple(10.0**power for power in range(-2, 5))
MODELS = ("linear", "tree")


def surrogates(bench: Bench, progress: Update) -> list[Row]:
    """R^2 of both models, in rows of their names, and the agreement of every method with the tree."""
    kinds, numbers = described(bench.scenes)
    target = values_of(function_of(bench.agent, bench.target), bench.scenes.frames)
    environment = bench.scenes.environment
    rows = []
    for model in MODELS:
        predicted = held_out(model, numbers.reshape(len(target), -1), target, environment)
        number = determination(target, predicted, environment, bench.seed)
        rows.append(Row("surrogates", model, bench.target, "R² on other environments", number, len(target)))
    falls = importance(numbers, target, environment, bench.seed)
    for name, maps in bench.maps.items():
        mass = np.array([_mass(bench.scenes, maps, kind) for kind in kinds])
        value = float(spearmanr(mass, falls).statistic) if np.ptp(mass) > 0 and np.ptp(falls) > 0 else None
        rows.append(Row("surrogates", name, bench.target, "agreement with the tree", Number(value), len(target)))
        progress(1)
    return rows


def described(scenes: Scenes) -> tuple[list[str], FloatArray]:
    """Kinds that show somewhere, without the player, and their numbers (N, kinds, 4): there, how many, dx, dy."""
    centres = [[_centre(item) for item in own] for own in scenes.objects]
    still = {kind.name for kind in scenes.game.kinds if kind.still}
    showing = {name for own in centres for name, _, _ in own} - still
    kinds = [name for name in scenes.game.names if name in showing]
    numbers = np.zeros((len(scenes), len(kinds), 4))
    for i, own in enumerate(centres):
        player = next(((y, x) for name, y, x in own if name in still), (31.5, 31.5))
        for k, kind in enumerate(kinds):
            offsets = [(x - player[1], y - player[0]) for name, y, x in own if name == kind]
            if offsets:
                nearest = min(offsets, key=lambda offset: offset[0] ** 2 + offset[1] ** 2)
                numbers[i, k] = 1, len(offsets), *nearest
    return kinds, numbers


def _centre(item: Item) -> tuple[str, float, float]:
    """The kind of an object, and the middle of its pixels, down and to the right."""
    down, right = np.nonzero(item.mask)
    return item.kind, float(down.mean()), float(right.mean())


def held_out(model: str, numbers: FloatArray, target: FloatArray, environment: NDArray[np.int64]) -> FloatArray:
    """Predictions (N,) for each part of the environments by a model fitted on the others."""
    predicted = np.empty(len(target))
    for fit, test in GroupKFold(PARTS).split(numbers, target, environment):
        predicted[test] = _fitted(model, numbers[fit], target[fit]).predict(numbers[test])
    return predicted


def _fitted(model: str, numbers: FloatArray, target: FloatArray) -> RidgeCV | DecisionTreeRegressor:
    made = RidgeCV(PENALTIES) if model == "linear" else DecisionTreeRegressor(max_depth=DEPTH, random_state=0)
    return made.fit(numbers, target)


def determination(target: FloatArray, predicted: FloatArray, environment: NDArray[np.int64], seed: int) -> Number:
    """R^2 of held-out predictions, with an interval over environments."""
    labels = np.unique(environment, return_inverse=True)[1].reshape(-1)
    error, spread = (target - predicted) ** 2, (target - target.mean()) ** 2
    if not spread.any():
        return Number()
    missed, varied = (np.bincount(labels, values).astype(np.float64) for values in (error, spread))
    times = bootstrap_multiplicities(int(labels.max()) + 1, DRAWS, seed)
    draws: FloatArray = np.divide(times @ missed, times @ varied, dtype=np.float64)
    low, high = interval(1 - draws)
    return Number(float(1 - error.sum() / spread.sum()), (float(low), float(high)))


def importance(numbers: FloatArray, target: FloatArray, environment: NDArray[np.int64], seed: int) -> FloatArray:
    """How much the tree's held-out R^2 falls (kinds,) when a kind's numbers (N, kinds, 4) are shuffled among frames."""
    generator = np.random.default_rng(seed)
    falls = np.zeros(numbers.shape[1])
    spread = max(float(((target - target.mean()) ** 2).sum()), 1e-12)
    flat = numbers.reshape(len(numbers), -1)
    for fit, test in GroupKFold(PARTS).split(flat, target, environment):
        tree = _fitted("tree", flat[fit], target[fit])
        own = ((target[test] - tree.predict(flat[test])) ** 2).sum()
        for k in range(numbers.shape[1]):
            for _ in range(SHUFFLES):
                shuffled = numbers[test].copy()
                shuffled[:, k] = generator.permutation(shuffled[:, k])
                error = ((target[test] - tree.predict(shuffled.reshape(len(test), -1))) ** 2).sum()
                falls[k] += (error - own) / spread / SHUFFLES
    return falls


def _mass(scenes: Scenes, maps: NDArray[np.float32], kind: str) -> float:
    """The mean share of |map| on objects of a kind, over all frames."""
    total = 0.0
    for drawn, own in zip(maps, scenes.objects, strict=True):
        size = float(np.abs(drawn).sum())
        total += sum(float(np.abs(drawn[i.mask]).sum()) for i in own if i.kind == kind) / size if size else 0.0
    return total / len(maps)
