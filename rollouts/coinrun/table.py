"""CoinRun as data: what there is in it, what that means to the agent, and how it looks."""

from functools import partial

from rollouts.coinrun.concepts import surface
from rollouts.game import Game, Kind

_wall = partial(Kind, removable=False, controlled=False, movable=True, made_of=("wall",))
_walking = partial(Kind, sense=-1, controlled=False, made_of=("enemy", "trail"))
_SURFACE = Kind(
    "surface",
    "#ffffff",
    "edge of the ground",
    "g",
    removable=False,
    controlled=False,
    made_of=("wall",),
    part=surface,
    dash=(2, 3),
)
_INSIDE = Kind(
    "wall",
    "#9fd3e6",
    "inside of walls",
    "w",
    headline=False,
    removable=False,
    controlled=False,
    together=True,
    dash=(2, 4),
)
OBJECTS = (
    Kind("coin", "#ffe14d", "coin", "c", sense=1),
    Kind("saw", "#ff6b5e", "saw", "s", sense=-1),
    Kind("enemy", "#ff9ff3", "enemy", "e", sense=-1, made_of=("enemy", "trail")),
    Kind("crate", "#ffb86b", "crate", "r"),
    Kind("lava", "#ff8c1a", "lava", "l", sense=-1, together=True, dash=(6, 3)),
)
"""What every version of the score looks for."""
CONCEPTS = (
    *OBJECTS,
    _wall("top", "#ffffff", "platform top", "t", region="top"),
    _wall("left", "#7fb8ff", "wall facing left", "a", region="left"),
    _wall("right", "#b98cff", "wall facing right", "d", region="right"),
    Kind("agent", "#7dffb0", "the player", "p", controlled=False, still=True),
    Kind(
        "velocity",
        "#d0d0d0",
        "velocity squares",
        "v",
        removable=False,
        controlled=False,
        together=True,
        display=True,
        still=True,
        dash=(2, 4),
    ),
    _wall("under", "#9fd3e6", "underside of a wall", "u", region="under"),
    _wall("end_left", "#e0f0a0", "left end of a platform", "q", region="end_left", dash=(2, 3)),
    _wall("end_right", "#ffe9a8", "right end of a platform", "w", region="end_right", dash=(2, 3)),
    _wall("foot_left", "#7fb8ff", "foot of a step, left", "f", region="foot_left", dash=(2, 3)),
    _wall("foot_right", "#b98cff", "foot of a step, right", "g", region="foot_right", dash=(2, 3)),
    _walking("enemy_left", "#ff9ff3", "enemy moving left", "z", region="enemy_left", dash=(2, 3)),
    _walking("enemy_right", "#ff9ff3", "enemy moving right", "x", region="enemy_right", dash=(6, 3)),
    Kind(
        "screen_edge",
        "#808080",
        "edge of the screen",
        "b",
        headline=False,
        removable=False,
        controlled=False,
        still=True,
        region="screen_edge",
    ),
)
"""What people see in an agent's features (Hilton et al. 2020), as version 2 of the score has it."""
COINRUN = Game(
    name="coinrun",
    title="CoinRun",
    modes=("hard", "easy"),
    actions=tuple(range(9)),
    moves={
        "left": (1,),
        "left-up": (2,),
        "left-down": (0,),
        "up": (5,),
        "nothing": (4, 9, 10, 11, 12, 13, 14),
        "down": (3,),
        "right": (7,),
        "right-up": (8,),
        "right-down": (6,),
    },
    completed_return=10,
    completed_words="reaches the coin",
    most_steps=1000,
    hazards=("saw", "enemy", "lava", "time"),
    drawn=("coin", "saw", "enemy", "trail", "crate", "lava", "wall", "agent", "velocity"),
    kinds=(
        *OBJECTS,
        _SURFACE,
        _INSIDE,
        Kind("agent", "#7dffb0", "the player", "p", headline=False, controlled=False),
        Kind(
            "velocity",
            "#d0d0d0",
            "velocity squares",
            "v",
            headline=False,
            removable=False,
            controlled=False,
            together=True,
            display=True,
            dash=(2, 4),
        ),
    ),
    guide=(
        ("agent", "the player"),
        ("coin", "what it is to reach; it counts for the agent"),
        ("saws", "round blades; they count against the agent"),
        ("enemies", "they walk, and leave a trail; they count against the agent"),
        ("lava", "it counts against the agent"),
        ("crates", "boxes that it can stand on"),
        ("platform top", "what the agent stands and lands on"),
        ("wall facing left", "a side that stops the agent on its way to the right"),
        ("wall facing right", "a side that stops the agent on its way to the left"),
        ("underside of a wall", "what the agent hits its head on"),
        ("left end of a platform", "its upper corner, where the agent can fall off to the left"),
        ("right end of a platform", "its upper corner, where the agent can fall off to the right"),
        ("foot of a step, left", "the corner where ground meets a wall one higher to its left"),
        ("foot of a step, right", "the corner where ground meets a wall one higher to its right"),
        ("edge of the ground", "what the agent stands on"),
        ("inside of walls", "all other ground"),
        ("velocity squares", "two grey ones in the upper left corner, which show how the agent moves"),
        ("backgrounds and colours of the ground", "they mean nothing"),
    ),
    concepts=CONCEPTS,
)
