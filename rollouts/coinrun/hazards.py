"""What ends an episode of CoinRun before the coin, by replaying its last step without one hazard after another."""

from functools import reduce

import numpy as np

from rollouts.coinrun.state import ENEMY, LAVA, LAVA_TOP, SAW, SPACE, parse, serialize
from rollouts.coinrun.table import COINRUN
from rollouts.env import EnvOptions, make_env, observe
from rollouts.errors import InputError
from rollouts.procgen_state import State

_ENTITIES = {"saw": SAW, "enemy": ENEMY}


def without_hazard(state: State, hazard: str) -> State:
    """The state in which one of the hazards is not there: entities gone, lava made space, or the clock set back to 0.

    Unlike `rollouts.coinrun.masks.without_drawn`, which only hides, this changes the game's course. Raises `InputError`
    for a hazard that CoinRun does not have.
    """
    changed = state.copy()
    if hazard in _ENTITIES:
        changed.entities = state.entities[state.entities["type"] != _ENTITIES[hazard]]
    elif hazard == "lava":
        changed.grid[np.isin(state.grid, (LAVA, LAVA_TOP))] = SPACE
    elif hazard == "time":
        changed.episode["cur_time"] = 0
    else:
        raise InputError(f"There is no hazard '{hazard}'; there are {', '.join(COINRUN.hazards)}.")
    return changed


class CoinRunReplay:
    """CoinRun's `rollouts.replays.Replay`.

    A state holds all of the game's randomness, so the same action repeats the step exactly.
    """

    def __init__(self) -> None:
        self._env = make_env(2 + len(COINRUN.hazards), EnvOptions(num_levels=1), seed=0, threads=0)

    parse = staticmethod(parse)

    def cause(self, state: State, action: int) -> str:
        """The hazard without which the episode goes on after this action, `several` or `unknown` if none alone is.

        Raises `StateError` for a state that CoinRun could not use, and `InputError` if the episode goes on anyway.
        """
        hazards = COINRUN.hazards
        scenes = [state, *(without_hazard(state, hazard) for hazard in hazards), reduce(without_hazard, hazards, state)]
        self._env.callmethod("set_state", [serialize(scene) for scene in scenes])
        self._env.act(np.full(len(scenes), action, dtype=np.int32))
        ended, *ended_without = observe(self._env, copy=False)[2]
        if not ended:
            raise InputError(f"The episode does not end with action {action} in this state.")
        causes = (*hazards, "several")
        return next((cause for cause, end in zip(causes, ended_without, strict=True) if not end), "unknown")
