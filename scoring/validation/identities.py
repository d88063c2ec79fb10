"""What must hold whatever the network: numbers known by hand or from a slow way of computing them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from agents.networks import NETWORKS, ActorCritic
from scoring.explain.base import Attribution
from scoring.explain.geometry import layer_geometry
from scoring.metrics.arrays import ratio
from scoring.metrics.dissection import detection
from scoring.metrics.energies import Energies
from scoring.metrics.orbay import orbay2020
from scoring.numbers import Judged
from scoring.validation.base import Check, Outcome, at_most

REPAIRINGS = 10_000


@dataclass(frozen=True)
class Identities:
    """No numbers but those of the checks."""


def identities(scored: Judged, few_steps: Attribution, many_steps: Attribution) -> Outcome[Identities]:
    """`scored` is a judged agent; the attributions are its own of some frames, with 32 and with 320 steps."""
    few, many = (float(attribution.completeness_error.max()) for attribution in (few_steps, many_steps))
    between, within = _repairings(scored)
    checks = [
        at_most("ten pixels on a wall, ten beside it: |orbay2020 - 0.5|", abs(_half_on_a_wall() - 0.5), 0),
        at_most("chance between frames: distance from 10,000 re-pairings, standard errors", between, 4),
        at_most("chance within the frame: distance from 10,000 re-pairings, standard errors", within, 4),
        at_most(
            "completeness error, 320 steps over 32 steps", many / few, 0.2, f"{few:.2g} and {many:.2g} units of value"
        ),
        at_most("receptive fields that differ from the support of the gradient", float(_wrong_fields()), 0),
        *_extremes(),
    ]
    return Outcome(checks, Identities())


def _half_on_a_wall() -> float:
    attribution, wall = np.zeros((1, 1, 64, 64), dtype=bool), np.zeros((1, 64, 64), dtype=bool)
    wall[0, 40:] = True
    attribution[0, 0, 50, 10:20] = attribution[0, 0, 10, 10:20] = True
    return orbay2020(attribution, wall)


def _repairings(scored: Judged) -> tuple[float, float]:
    """Largest distance of the two closed chances from means over random re-pairings, in standard errors.

    Over the eligible kinds that are not still, and four features. Between frames, each frame gets the masks of a frame
    of another environment; within the frame, each keeps its mass but gets the map of a frame drawn in proportion to
    mass.
    """
    subject, energies = scored.subject, scored.measured.energies
    order = np.lexsort((subject.bank.time, subject.environment))
    frames, samples = len(order), energies.samples
    maps = np.abs(scored.measured.maps[order]).astype(np.float64).reshape(frames, len(energies.mass), -1)
    shares = subject.masks(scored.config.dilation).shares[order].astype(np.float64)
    masks = shares.reshape(*shares.shape[:2], -1)
    generator = np.random.default_rng(0)
    after_own = (np.arange(frames) // samples + 1) * samples
    others = (after_own + generator.integers(0, frames - samples, (REPAIRINGS, frames))) % frames
    between: list[float] = []
    within: list[float] = []
    for k in generator.choice(len(energies.mass), 4, replace=False):
        mass = maps[:, k].sum(axis=1)
        weight = mass / mass.sum()
        drawn = generator.choice(frames, (REPAIRINGS, frames), p=weight)
        for c in np.flatnonzero(subject.headline & ~subject.game.flags("still")):
            hits = maps[:, k] @ masks[:, c].T  # the map of row i on the masks of column j
            unit = ratio(hits, np.broadcast_to(mass[:, None], hits.shape).copy())
            for distances, closed, sums in (
                (between, energies.chance_between()[k, c], hits[np.arange(frames), others].sum(axis=1) / mass.sum()),
                (within, energies.chance_within()[k, c], (weight * unit[drawn, np.arange(frames)]).sum(axis=1)),
            ):
                distances.append(abs(sums.mean() - closed) / (sums.std(ddof=1) / np.sqrt(REPAIRINGS)))
    return float(max(between)), float(max(within))


def _wrong_fields() -> int:
    """Layers whose middle cell, in a network of positive weights, sees other pixels than its geometry says."""
    wrong = 0
    for kind in NETWORKS:
        network = ActorCritic(kind, 15)
        for parameter in network.parameters():
            nn.init.uniform_(parameter, 0.1, 1.0)
        for layer in network.layers:
            geometry = layer_geometry(network, layer)
            averaging = (
                nn.AvgPool2d(module.kernel_size, module.stride, module.padding)
                if isinstance(module, nn.MaxPool2d)
                else module
                for module in network.until(layer)
            )
            frame = torch.rand(1, 3, 64, 64, requires_grad=True)
            cell = geometry.size // 2
            (gradient,) = torch.autograd.grad(nn.Sequential(*averaging)(frame)[0, 0, cell, cell], frame)
            rows = np.flatnonzero(gradient[0, 0].abs().sum(dim=1).numpy())
            wrong += (int(rows[0]), int(rows[-1]) + 1) != geometry.box(cell)
    return wrong


def _extremes() -> list[Check]:
    """kappa and average precision of a map that is the mask, and of one that is the same everywhere."""
    generator = np.random.default_rng(0)
    masks = (generator.random((32, 1, 8, 8)) < 0.1).astype(np.float32)
    environment, time = np.repeat(np.arange(8), 4), np.tile(np.arange(4), 8)
    kappas, precisions = [], []
    for maps in (masks, np.ones_like(masks)):
        kappas.append(float(Energies.from_maps(maps, masks, environment, time).kappa()[0, 0]))
        precisions.append(float(detection(maps, masks)[1][0, 0]))
    return [
        at_most("map that is the mask: |kappa - 1|", abs(kappas[0] - 1), 1e-9),
        at_most("map that is constant: |kappa|", abs(kappas[1]), 1e-9),
        at_most("map that is the mask: |average precision - 1|", abs(precisions[0] - 1), 1e-9),
        at_most("map that is constant: |average precision|", abs(precisions[1]), 1e-9),
    ]
