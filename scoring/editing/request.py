"""What is to be edited out of whom: settings, checked before anything is played, and what results depend on."""

from dataclasses import dataclass

from pydantic import TypeAdapter

from agents.banks import BankSettings
from agents.checkpoint import Agent, fingerprint
from agents.editing import reader
from agents.play import division
from rollouts.bank import FrameBank, content_sha256
from rollouts.env import renderer_sha256
from rollouts.errors import InputError
from rollouts.ranges import Episodes, check_ranges
from scoring.features.kinds import kind_named, shown_kinds
from scoring.identity import CODE
from scoring.naming import score_folder
from scoring.pipeline import check
from scoring.settings import ScoreConfig

EPISODES = 500


@dataclass(frozen=True)
class EditConfig:
    """The features that `score` and `bank` give, which one of them is edited out (None: each), and episodes to play.

    Raises `InputError` for features that nobody should edit.
    """

    score: ScoreConfig
    bank: BankSettings
    feature: int | None = None
    episodes: Episodes = EPISODES

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.score.features not in shown_kinds():
            raise InputError(f"features is '{self.score.features}'; {' or '.join(shown_kinds())} can be edited out.")


@dataclass(frozen=True)
class EditSettings:
    """Everything that the result depends on but the agent, however it was written."""

    layer: str
    features: str
    target: str
    attribution: str
    steps: int
    components: int
    seed: int
    edited_out: list[int]
    episodes: int
    frames: int
    pool_frames: int
    bank: str
    levels: str


@dataclass(frozen=True)
class EditedAgent:
    name: str
    network: str
    weights_sha256: str


@dataclass(frozen=True)
class EditRequest:
    """What is edited out of whom, the weights that are edited, and who draws the frames it plays on.

    `bank_sha256` is of the content of the bank that the features were fitted on, None for features that are not fitted,
    and `code` the version of the score's code that finds them.
    """

    settings: EditSettings
    agent: EditedAgent
    edited_weights: str
    renderer_sha256: str
    bank_sha256: str | None
    code: int

    @property
    def rows(self) -> int:
        """Players in all: the agent, and two edited ones for each feature."""
        return 1 + 2 * len(self.settings.edited_out)


REQUEST = TypeAdapter(EditRequest)


def selected(agent: Agent, config: EditConfig) -> list[int]:
    """The numbers of the features to edit out; raises `InputError` for one that is not there, or cannot be edited."""
    layer, geometry = check(agent, config.score)
    reader(agent.network, layer)
    division(config.episodes)
    count = kind_named(config.score.features).count(geometry.channels, config.score)
    if config.feature is None:
        return list(range(count))
    if not 0 <= config.feature < count:
        raise InputError(f"feature is {config.feature}; there are {count} features, 0 to {count - 1}, or all.")
    return [config.feature]


def edit_folder(name: str, agent: Agent, config: EditConfig) -> str:
    """The features as score.py names them, which of them, and the episodes unless 500."""
    numbers = selected(agent, config)
    feature = "all" if config.feature is None else str(numbers[0])
    layer, _ = check(agent, config.score)
    folder = score_folder(name, layer, config.bank, config.score) + f"-feature{feature}"
    return folder + ("" if config.episodes == EPISODES else f"-episodes{config.episodes}")


def requested(name: str, agent: Agent, config: EditConfig, fitted_on: FrameBank | None) -> EditRequest:
    """What is asked for, of features that were `fitted_on` a bank, if any; raises `InputError` as `selected` does."""
    numbers = selected(agent, config)
    layer, _ = check(agent, config.score)
    score, bank = config.score, config.bank
    settings = EditSettings(
        layer=layer,
        features=score.features,
        target=score.target,
        attribution=score.attribution,
        steps=score.steps,
        components=score.components,
        seed=score.seed,
        edited_out=numbers,
        episodes=config.episodes,
        frames=bank.frames,
        pool_frames=bank.pool_frames,
        bank=bank.bank,
        levels=bank.levels,
    )
    edited = EditedAgent(name, agent.network.kind, fingerprint(agent))
    sha256 = None if fitted_on is None else content_sha256(fitted_on)
    return EditRequest(settings, edited, reader(agent.network, layer), renderer_sha256(), sha256, CODE)
