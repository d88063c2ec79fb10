"""Banks that agents play: which, under which name they are found again, and playing them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Annotated

from annotated_types import Interval

from agents.checkpoint import Agent
from agents.naming import fitting
from agents.play import PRECISIONS, Player
from rollouts.bank import BankError, FrameBank, load, save
from rollouts.collecting import PLANS, POOL_ENVIRONMENTS, TRAJECTORY, BankPlan, collect, collection_steps
from rollouts.errors import InputError
from rollouts.locks import locked
from rollouts.progress import Track, untracked
from rollouts.ranges import Seed, Threads, check_ranges

FOLDER, FILE = Path("runs/collect"), "bank.zip"
LONGEST = 120
"""Characters of the players' names in a folder's name, which with a score's settings must stay below 255."""

Named = tuple[str, Agent]
Frames = Annotated[int, Interval(ge=1, le=1_000_000)]
PoolFrames = Annotated[int, Interval(ge=0, le=1_000_000)]


@dataclass(frozen=True)
class BankSettings:
    """A bank's file, or a kind of bank that agents play: how many frames, on which levels, from which seed.

    Agents play in float32, so that machines make the same bank, unless `precision` is bfloat16. Raises `BankError` for
    a kind that is not there, or a number of frames that it cannot have.
    """

    bank: str = "spread"
    frames: Frames = 512
    pool_frames: PoolFrames = 512
    levels: str = "unseen"
    seed: Seed = 0
    env_threads: Threads = 1
    precision: str = "float32"

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.levels not in ("unseen", "training"):
            raise InputError(f"levels is '{self.levels}'; it can be 'unseen' or 'training'.")
        if self.precision not in PRECISIONS:
            raise InputError(f"precision is '{self.precision}'; it can be {' or '.join(PRECISIONS)}.")
        if self.played and self.frames % PLANS[self.bank].environments:
            raise BankError(
                f"frames is {self.frames}; a {self.bank} bank has a multiple of {PLANS[self.bank].environments}."
            )
        if self.played and self.pool_frames % POOL_ENVIRONMENTS:
            raise BankError(f"pool_frames is {self.pool_frames}; it must be a multiple of {POOL_ENVIRONMENTS}.")

    @property
    def played(self) -> bool:
        """Whether agents play it now, or it is a file."""
        return self.bank in PLANS

    @property
    def plan(self) -> BankPlan:
        """Raises `BankError` where the bank is a file, or neither a file nor a kind of bank."""
        if not self.played:
            raise BankError(f"There is no bank '{self.bank}'; there are {', '.join(PLANS)}.")
        plan = PLANS[self.bank]
        return replace(plan, per_environment=self.frames // plan.environments, pool_frames=self.pool_frames)

    @property
    def trajectory(self) -> "BankSettings":
        """The same of consecutive frames of one environment, without any to fit features on."""
        return replace(self, bank=TRAJECTORY.kind, pool_frames=0)

    @property
    def name(self) -> str:
        """The bank in a run's name: what a file is called and eight digits of its SHA-256, or `played_name`.

        Raises `BankError` for a file that is not there.
        """
        if self.played:
            return self.played_name
        path = Path(self.bank)
        if not path.is_file():
            raise BankError(f"There is no bank at {path}.")
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        return f"{path.parent.name if path.name == FILE else path.stem}-{digest[:8]}"

    @property
    def played_name(self) -> str:
        """The kind, the seed, and what is not the default; raises `BankError` as `plan` does."""
        plan = self.plan
        name = f"{plan.kind}-s{self.seed}"
        if plan.frames != PLANS[plan.kind].frames:
            name += f"-frames{plan.frames}"
        if self.pool_frames != BankPlan.pool_frames:
            name += f"-pool{self.pool_frames}"
        if self.precision != "float32":
            name += f"-{self.precision}"
        return name + ("" if self.levels == "unseen" else f"-{self.levels}")


def folder_name(settings: BankSettings, players: Sequence[str]) -> str:
    """The players and the bank; many players as their number and a digest. Raises `BankError` for a bank's file."""
    names = "+".join(players)
    if len(names) > LONGEST:
        names = f"{len(players)}-agents-{sha256(names.encode()).hexdigest()[:8]}"
    return fitting(f"{names}-{settings.played_name}")


def play(settings: BankSettings, players: Sequence[Named], track: Track = untracked) -> FrameBank:
    """Let the players collect a bank in equal parts; raises `InputError` unless all see the same kind of frame."""
    first_name, first = players[0]
    for name, agent in players:
        if not agent.options.same_picture(first.options):
            raise InputError(
                f"{name} and {first_name} were trained on different kinds of frames; they cannot share a bank."
            )
    options = first.options.unseen() if settings.levels == "unseen" else first.options
    policies = [
        (name, Player(agent, settings.seed + index, settings.precision)) for index, (name, agent) in enumerate(players)
    ]
    with track("Playing", collection_steps(settings.plan)) as update:
        bank = collect(policies, options, settings.plan, settings.seed, settings.env_threads, update)
    return replace(bank, precision=settings.precision)


def load_or_play(path: Path, settings: BankSettings, players: Sequence[Named], track: Track = untracked) -> FrameBank:
    """The bank at `path`, played and saved there first if it is missing."""
    if path.exists():
        return load(path, settings.plan.frames)
    bank = play(settings, players, track)
    save(path, bank)
    return bank


def obtain(
    settings: BankSettings,
    players: Sequence[Named],
    track: Track = untracked,
    waiting: Callable[[str], None] = lambda sentence: None,
) -> FrameBank:
    """The bank's file, or the bank that the players play now and later runs find again under `FOLDER`.

    `waiting` is told when another process plays the same bank, and of a file system without locks. Raises `BankError`
    for a file that is no bank, or has fewer frames.
    """
    if not settings.played:
        return load(settings.bank, settings.frames)
    with locked(FOLDER / folder_name(settings, [name for name, _ in players]), waiting, waiting) as folder:
        return load_or_play(folder / FILE, settings, players, track)
