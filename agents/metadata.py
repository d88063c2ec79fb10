"""What the metadata of agents and of training states holds: the schemas that it is read against."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field, TypeAdapter

from agents.evaluation import Evaluation
from agents.ppo import PPOConfig
from rollouts import sealing
from rollouts.env import PROCGEN_ACTIONS, EnvOptions
from rollouts.sealing import Positive, Sha256, Whole

Action = Annotated[int, Field(ge=0, lt=len(PROCGEN_ACTIONS))]
Cost = Annotated[float, Field(ge=0)]
Curve = list[tuple[Whole, float]]


@dataclass(frozen=True)
class Imitation:
    """As `Distiller.record` writes it."""

    teacher: str
    steps: Whole
    epochs: Positive
    minibatch: Positive
    learning_rate: float


@dataclass(frozen=True)
class Epochs:
    epochs: Positive


@dataclass(frozen=True)
class Training:
    """What is read of how an agent was trained; whatever else is kept there is for people."""

    flops: Cost = 0
    ppo: Epochs = Epochs(1)
    distillation: Imitation = Imitation("", 0, 1, 1, 0)
    command: str = ""
    reward_scale: Annotated[float, Field(gt=0)] = 1


_TRAINING = TypeAdapter(Training)


def _training(values: dict[str, Any]) -> dict[str, Any]:
    sealing.fit(_TRAINING, values, others=True)
    return values


@dataclass(frozen=True)
class AgentMetadata:
    """Beside an agent's weights."""

    format: str
    network: str
    num_actions: int
    actions: tuple[Action, ...]
    options: EnvOptions
    seed: Whole
    steps: Whole
    renderer: str
    curve: Curve
    evaluation: dict[str, Evaluation]
    training: Annotated[dict[str, Any], AfterValidator(_training)]
    sha256: Sha256 | None = None

    def __post_init__(self) -> None:
        if self.num_actions != len(self.actions):
            raise ValueError(f"num_actions is {self.num_actions}, but {len(self.actions)} actions are named")


@dataclass(frozen=True)
class Fixed:
    """As `TrainConfig.fixed` writes it."""

    network: str
    options: EnvOptions
    ppo: PPOConfig
    seed: Whole
    bfloat16: bool
    actions: str = "all"


@dataclass(frozen=True)
class StateMetadata:
    """Beside a training state's tensors; `normaliser` holds the mean, the variance and the count of returns."""

    format: str
    fixed: Fixed
    circumstances: dict[str, Any]
    environments: bool
    renderer: str
    steps: Whole
    curve: Curve
    recent: list[tuple[float, Whole]]
    normaliser: tuple[float, Annotated[float, Field(ge=0)], Annotated[float, Field(gt=0)]]
    flops: Cost = 0
    distillation: Imitation | None = None
    sha256: Sha256 | None = None


AGENT_SCHEMA, STATE_SCHEMA = TypeAdapter(AgentMetadata), TypeAdapter(StateMetadata)
