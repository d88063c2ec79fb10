"""The networks: a named sequence of layers (the trunk), then a policy head and a value head.

Every network is one `ActorCritic`; a new one is one function in `NETWORKS`. Because the trunk is a sequence, it
can be cut behind any of its layers: `until` gives observation -> hidden, `after` gives hidden -> (logits, value).
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise, takewhile

from torch import Tensor, nn

from rollouts.errors import InputError

OBSERVATION_SHAPE = (64, 64, 3)


class L2Pool(nn.Module):
    """2x2 pooling by the root of the mean square, sqrt(mean(x^2) + 1e-8) (Hilton et al. 2020, appendix C)."""

    kernel_size, stride, padding = 2, 2, 0

    def forward(self, x: Tensor) -> Tensor:
        return self.root(self.mean_square(x))

    @classmethod
    def mean_square(cls, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x.square(), cls.kernel_size)

    @staticmethod
    def root(x: Tensor) -> Tensor:
        return (x + 1e-8).sqrt()


class Residual(nn.Module):
    """x + conv(relu(conv(relu(x)))), the block of IMPALA's network (Espeholt et al. 2018, figure 3)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.relu_0 = nn.ReLU()
        self.conv_0 = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu_1 = nn.ReLU()
        self.conv_1 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.conv_1(self.relu_1(self.conv_0(self.relu_0(x))))
        return x + hidden


@dataclass(frozen=True)
class Blueprint:
    """The trunk's modules by name, the width of its output, the layers that can be scored and the default one."""

    modules: dict[str, nn.Module]
    width: int
    layers: tuple[str, ...]
    default_layer: str


class ActorCritic(nn.Module):
    """Frames (batch, 64, 64, 3) uint8 -> policy logits (batch, actions) and value (batch,).

    `layers` names the hidden layers that can be scored, all of them convolutional and all of them bottlenecks:
    every path from the frame to the heads runs through each. A `blueprint` makes a network that `NETWORKS` does not
    list, under the name `kind`. Raises `InputError` for an unknown network.
    """

    def __init__(self, kind: str, num_actions: int, blueprint: Blueprint | None = None) -> None:
        super().__init__()
        if blueprint is None:
            if kind not in NETWORKS:
                raise InputError(f"There is no network '{kind}'; there are {', '.join(NETWORKS)}.")
            blueprint = NETWORKS[kind]()
        self.kind = kind
        self.num_actions = num_actions
        self.layers = blueprint.layers
        self.default_layer = blueprint.default_layer
        self.trunk = nn.Sequential(OrderedDict(blueprint.modules))
        self.policy = nn.Linear(blueprint.width, num_actions)
        self.value = nn.Linear(blueprint.width, 1)
        for module in self.trunk.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(_bias(module))
        for head, gain in ((self.policy, 0.01), (self.value, 1.0)):
            nn.init.orthogonal_(head.weight, gain)
            nn.init.zeros_(_bias(head))

    @staticmethod
    def prepare(frames: Tensor) -> Tensor:
        """Frames (batch, 64, 64, 3) uint8 -> (batch, 3, 64, 64) float32 in [0, 1], channels last in memory."""
        return frames.permute(0, 3, 1, 2).float() / 255

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        return self.heads(self.trunk(self.prepare(frames)))

    def heads(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        return self.policy(embedding), self.value(embedding).squeeze(-1)

    def until(self, layer: str) -> nn.Sequential:
        """The part of the trunk from the prepared frame to the output of `layer`, parameters shared."""
        return nn.Sequential(*list(self.trunk)[: self._cut(layer)])

    def after(self, layer: str) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """The function from the output of `layer` to (logits, value), parameters shared."""
        lead, _, rest = self.behind(layer)
        return lambda hidden: rest(lead(hidden))

    def behind(self, layer: str) -> tuple[Callable[[Tensor], Tensor], int, Callable[[Tensor], tuple[Tensor, Tensor]]]:
        """`after` in two functions, `lead` and what is left, and the degree of `lead`.

        It takes a * hidden to lead(0) + a**degree * (lead(hidden) - lead(0)): 1 for the affine modules right behind the
        layer, 2 for the mean square within an `L2Pool`. Where neither follows, it is the identity.
        """
        modules = list(self.trunk)[self._cut(layer) :]
        if isinstance(modules[0], L2Pool):
            rest = nn.Sequential(*modules[1:])
            return L2Pool.mean_square, 2, lambda squares: self.heads(rest(L2Pool.root(squares)))
        affine = list(takewhile(lambda module: isinstance(module, nn.Conv2d | nn.Flatten | nn.Linear), modules))
        rest = nn.Sequential(*modules[len(affine) :])
        return nn.Sequential(*affine), 1, lambda maps: self.heads(rest(maps))

    def _cut(self, layer: str) -> int:
        if layer not in self.layers:
            raise InputError(f"{self.kind} has no layer '{layer}'; its layers are {', '.join(self.layers)}.")
        return [name for name, _ in self.trunk.named_children()].index(layer) + 1


def _bias(module: nn.Conv2d | nn.Linear) -> Tensor:
    assert module.bias is not None
    return module.bias


def convolutions(*layers: tuple[str, int, int, int, int], pooled: str) -> tuple[dict[str, nn.Module], tuple[str, ...]]:
    """Convolution, ReLU and, behind the layers in `pooled`, an L2 pool; layers are (name, kernel, in, out, stride)."""
    modules: dict[str, nn.Module] = {}
    for name, kernel, inputs, outputs, stride in layers:
        modules[f"{name}_conv"] = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
        modules[name] = nn.ReLU()
        if name in pooled.split():
            modules[f"{name}_pool"] = L2Pool()
    return modules, tuple(name for name, *_ in layers)


def dense(*widths: int) -> dict[str, nn.Module]:
    modules: dict[str, nn.Module] = {"flatten": nn.Flatten()}
    for index, (inputs, outputs) in enumerate(pairwise(widths), start=1):
        modules[f"fc{index}_linear"] = nn.Linear(inputs, outputs)
        modules[f"fc{index}"] = nn.ReLU()
    return modules


def clear() -> Blueprint:
    """The network of Hilton et al. 2020, appendix C: five convolutions, L2 pooling, no residual links."""
    modules, layers = convolutions(
        ("1a", 7, 3, 16, 1),
        ("2a", 5, 16, 32, 1),
        ("2b", 5, 32, 32, 1),
        ("3a", 5, 32, 32, 1),
        ("4a", 5, 32, 32, 1),
        pooled="1a 2b 3a 4a",
    )
    return Blueprint({**modules, **dense(512, 256, 512)}, 512, layers, "2b")


def compact() -> Blueprint:
    """`clear` made for CPUs: two strided convolutions instead of pooling at full resolution."""
    modules, layers = convolutions(
        ("1a", 5, 3, 16, 2), ("2a", 5, 16, 32, 2), ("2b", 3, 32, 32, 1), ("3a", 3, 32, 32, 1), pooled="2b 3a"
    )
    return Blueprint({**modules, **dense(512, 256)}, 256, layers, "2b")


def nature() -> Blueprint:
    """The DQN network (Mnih et al. 2015) on 64x64 frames, no padding."""
    modules: dict[str, nn.Module] = {}
    for name, kernel, inputs, outputs, stride in (("1a", 8, 3, 32, 4), ("2a", 4, 32, 64, 2), ("3a", 3, 64, 64, 1)):
        modules[f"{name}_conv"] = nn.Conv2d(inputs, outputs, kernel, stride)
        modules[name] = nn.ReLU()
    return Blueprint({**modules, **dense(1024, 512)}, 512, ("1a", "2a", "3a"), "2a")


def impala() -> Blueprint:
    """IMPALA's residual network (Espeholt et al. 2018) with 16, 32, 32 channels, as in train-procgen.

    Block b is a convolution and max pooling (layer `ba`) and two residual blocks (`bb`, `bc`). The ReLUs inside a
    residual block are no bottlenecks, so the layers are the sums; they can be negative.
    """
    modules: dict[str, nn.Module] = {}
    layers: list[str] = []
    inputs = 3
    for block, channels in enumerate((16, 32, 32), start=1):
        modules[f"{block}a_conv"] = nn.Conv2d(inputs, channels, 3, padding=1)
        modules[f"{block}a"] = nn.MaxPool2d(3, stride=2, padding=1)
        modules[f"{block}b"] = Residual(channels)
        modules[f"{block}c"] = Residual(channels)
        layers += [f"{block}a", f"{block}b", f"{block}c"]
        inputs = channels
    modules["relu"] = nn.ReLU()
    return Blueprint({**modules, **dense(2048, 256)}, 256, tuple(layers), "1c")


NETWORKS: dict[str, Callable[[], Blueprint]] = {
    "clear": clear,
    "compact": compact,
    "impala": impala,
    "nature": nature,
}
