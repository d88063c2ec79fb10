"""Mutates states, parses each, and plays on from those that are accepted: `python fuzz_states.py SEED TRIALS`.

A process of its own, for a step may not end or end the process: then the last line of the error stream is the trial.
Prints how many were refused and accepted, the seconds of the slowest step, and trials whose next states are refused.
"""

import json
import signal
import sys
import time
from collections.abc import Callable

import numpy as np

from rollouts.coinrun.state import DRAWN, ENTITY_RANGES, GRID_VALUES, RANGES, parse
from rollouts.env import EnvOptions, make_env, observe
from rollouts.procgen_state import PLAYER, State, StateError, assemble
from scenes import played

SECONDS = 60
"""That a trial may take, with all its steps."""
STEPS, LONG, EVERY = 6, 150, 50
"""Steps after a mutation, and after one in `EVERY`."""
FLOATS = (
    0,
    -0.0,
    1e-45,
    1e-9,
    0.5,
    1,
    -1,
    2,
    10,
    100,
    1e3,
    -1e3,
    1e5,
    -1e5,
    999_999,
    1e9,
    3e38,
    np.inf,
    -np.inf,
    np.nan,
)
INTEGERS = (0, 1, -1, 2, 5, 20, 59, 100, 999, 1000, 2**15, 2**30, 2**31 - 1, -(2**31))
PARTS = ("game", "episode", "entities", "world", "view", "own")
Generator = np.random.Generator


def flipped(state: State, generator: Generator) -> bytes:
    """Bits anywhere, in the options, in what stands before the grid, or in CoinRun's own fields."""
    data = bytearray(assemble(state))
    n = len(data)
    start, end = [(0, n), (15, 90), (n - 33000, n - 16500), (n - 36, n)][generator.integers(4)]
    for _ in range(generator.integers(1, 5)):
        data[generator.integers(start, end)] ^= 1 << generator.integers(8)
    return bytes(data)


def replaced(state: State, generator: Generator) -> bytes:
    """Some fields with extreme values, of one entity or of all."""
    for _ in range(generator.integers(1, 4)):
        part = getattr(state, PARTS[generator.integers(len(PARTS))])
        name = str(generator.choice(part.dtype.names))
        value = generator.choice(FLOATS if part.dtype[name].kind == "f" else INTEGERS)
        if part.ndim and generator.random() < 0.7:
            part[name][generator.integers(len(part))] = value
        else:
            part[name] = value
    return assemble(state)


def within(state: State, generator: Generator) -> bytes:
    """Many fields, each somewhere in its range or at its edge, now and then beyond it: most of these are accepted."""
    for part, ranges in RANGES.items():
        for name, (low, high) in ranges.items():
            if generator.random() < 0.2:
                getattr(state, part)[name] = drawn(low, high, generator)
    names, kinds = state.entities.dtype.names, state.entities["type"].copy()
    assert names is not None
    for kind in np.unique(kinds):
        for field in np.flatnonzero(generator.random(len(names)) < 0.2):
            low, high = ENTITY_RANGES.limits[kind, :, field]
            if high - low < 1e5 and names[field] != "type":
                for index in np.flatnonzero(kinds == kind):
                    state.entities[names[field]][index] = drawn(low, high, generator)
    return assemble(state)


def drawn(low: float, high: float, generator: Generator) -> float:
    place = generator.choice([0, 1, generator.random(), 1.1 if generator.random() < 0.01 else 0.5])
    return low + (high - low) * place


def crowded(state: State, generator: Generator) -> bytes:
    """Entities copied up to thousands of times, turned into others, moved together, or taken away."""
    entities = state.entities
    if generator.random() < 0.2:
        entities = entities[generator.random(len(entities)) < 0.7]
    others = entities[entities["type"] != PLAYER]
    if len(others) and generator.random() < 0.9:
        count = int(np.exp(generator.uniform(0, np.log(5001))))
        copies = others[generator.integers(len(others), size=count)]
        copies["life_time"] = generator.integers(0, 9, count)
        where = state.agent if generator.random() < 0.5 else others[0]
        spread = generator.choice([0, 0.4, 2, 30])
        for name in ("x", "y"):
            copies[name] = where[name] + generator.uniform(-spread, spread, count)
        entities = np.concatenate([entities, copies])
    state.entities = entities
    if len(entities) and generator.random() < 0.3:
        kind = int(generator.choice([kind for kind in DRAWN if kind != PLAYER]))
        mould = next(iter(others[others["type"] == kind]), None)
        chosen = np.flatnonzero((generator.random(len(entities)) < 0.5) & (entities["type"] != PLAYER))
        if mould is not None:
            for name in set(entities.dtype.names) - {"x", "y"}:
                entities[name][chosen] = mould[name]
        else:
            entities["type"][chosen] = kind
    state.own["last_agent_y"] = generator.choice([state.own["last_agent_y"], 100])
    if PLAYER in entities["type"]:
        state.agent["vy"] = generator.choice([0, -1, -5])
    return assemble(state)


def rebuilt(state: State, generator: Generator) -> bytes:
    """Cells of the grid with other contents, known or not, in a block."""
    x, y = generator.integers(0, 64, 2)
    width, height = generator.integers(1, 65, 2)
    values = (*GRID_VALUES, 33) if generator.random() < 0.05 else GRID_VALUES
    block = state.grid[y : y + height, x : x + width]
    block[:] = generator.choice(values, block.shape if generator.random() < 0.5 else ())
    state.agent["x"], state.agent["y"] = generator.uniform(-1, 65, 2)
    state.view["out_of_bounds_object"] = generator.choice([15, 16, 100])
    return assemble(state)


MUTATIONS: tuple[Callable[[State, Generator], bytes], ...] = (flipped, replaced, within, crowded, rebuilt)


def main(seed: int, trials: int) -> None:
    env = make_env(1, EnvOptions(), 0)
    pairs = [pair for mode in ("hard", "easy") for pair in played(EnvOptions(mode), 8, 25, 4, seed)]
    states = [parse(data) for data, _ in pairs]
    counts = {mutation.__name__: [0, 0] for mutation in MUTATIONS}
    slowest, open_ended = 0.0, []
    for trial in range(trials):
        print(trial, file=sys.stderr, flush=True)
        generator = np.random.default_rng([seed, trial])
        mutation = MUTATIONS[trial % len(MUTATIONS)]
        data = mutation(states[generator.integers(len(states))].copy(), generator)
        try:
            state = parse(data)
        except StateError:
            counts[mutation.__name__][0] += 1
            continue
        counts[mutation.__name__][1] += 1
        assert assemble(state) == data
        signal.alarm(SECONDS)
        env.callmethod("set_state", [data])
        observe(env)
        for _ in range(LONG if generator.integers(EVERY) == 0 else STEPS):
            began = time.perf_counter()
            env.act(np.array([generator.integers(15)], dtype=np.int32))
            observe(env)
            slowest = max(slowest, time.perf_counter() - began)
        after = env.callmethod("get_state")[0]
        signal.alarm(0)
        try:
            parse(after)
        except StateError as error:
            open_ended.append(f"{trial}: {error}")
    print(json.dumps({"counts": counts, "slowest": slowest, "open_ended": open_ended}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
