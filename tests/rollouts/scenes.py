"""States to test on: random play, and hand-made scenes that random play seldom reaches."""

import numpy as np

from rollouts.coinrun.faces import OVERLAP, UNIT, columns_of, rectangle, rows_of
from rollouts.coinrun.state import CRATE, ENEMY, SAW, SPACE, TRAIL, parse
from rollouts.env import EnvOptions, make_env
from rollouts.masks import Mask
from rollouts.procgen_state import PLAYER, State

HARD = EnvOptions()


def played(
    options: EnvOptions, environments: int, every: int, samples: int, seed: int = 0
) -> list[tuple[bytes, np.ndarray]]:
    """(state, frame) pairs of random play that leans to the right, where the level is."""
    env = make_env(environments, options, seed)
    generator = np.random.default_rng(seed)
    likelihood = np.full(15, 0.5 / 13)
    likelihood[[7, 8]] = 0.25
    pairs = []
    for _ in range(samples):
        for _ in range(every):
            env.act(generator.choice(15, environments, p=likelihood).astype(np.int32))
        pairs += list(zip(env.callmethod("get_state"), env.observe()[1]["rgb"].copy(), strict=True))
    return pairs


def moved(state: State, generator: np.random.Generator) -> State:
    """The agent somewhere else in its level: beside another entity, the coin, lava, or anywhere."""
    scene = state.copy()
    special = np.argwhere(np.isin(scene.grid, (1, 17, 18)))
    others = scene.entities[scene.entities["type"] != PLAYER]
    spots = [(x + 0.5, y + 0.5) for y, x in special] + [(e["x"], e["y"]) for e in others]
    x, y = spots[generator.integers(len(spots))] if spots else generator.uniform(1, 62, 2)
    scene.agent["x"] = np.clip(x + generator.normal(scale=2), 0.5, 63.5)
    scene.agent["y"] = np.clip(y + generator.normal(scale=2), 0.5, 63.5)
    return scene


def empty_scene() -> State:
    """The player alone in the middle of an empty level, black background, no velocity."""
    scene = parse(make_env(1, HARD, seed=0).callmethod("get_state")[0])
    scene.grid[:] = SPACE
    scene.game["use_backgrounds"] = scene.game["paint_vel_info"] = 0
    scene.entities = scene.entities[scene.entities["type"] == PLAYER].copy()
    scene.agent["x"] = scene.agent["y"] = 32
    return scene


def put(scene: State, kind: int, x: float, y: float, alpha: float = 1.0, theme: int = 0) -> int:
    """Add an entity in front of the others of its layer; returns its index."""
    entity = scene.entities[:1].copy()
    images = {SAW: 2, ENEMY: 6, CRATE: CRATE, TRAIL: TRAIL}
    for name, value in {
        "type": kind,
        "image_type": images[kind],
        "image_theme": theme,
        "x": x,
        "y": y,
        "rx": 0.5,
        "ry": 0.5,
        "alpha": alpha,
        "render_z": 1 if kind == ENEMY else 0,
        "is_reflected": 0,
        "smart_step": kind == ENEMY,
        "expire_time": 8 if kind == TRAIL else -1,
        "life_time": 0,
    }.items():
        entity[name] = value
    scene.entities = np.concatenate([scene.entities, entity])
    return len(scene.entities) - 1


def cell_pixels(state: State, x: int, y: int) -> Mask:
    """Pixels (64, 64) that are drawn for the cell in column x and row y, counted from the lower left."""
    edge = OVERLAP * UNIT
    left, bottom = columns_of(state, x), rows_of(state, y)
    return rectangle(left - edge, left + UNIT + edge, bottom - UNIT - edge, bottom + edge)
