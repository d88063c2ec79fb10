"""Every number of every configuration file has its range, and a command says so before it does anything."""

import importlib
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

import rollouts.locks
from commands import ROOT, configuration, refused
from common.sweeps import Job
from hydra_plugins.coinrun_sweeps import RANGES as LAUNCHERS
from hydra_plugins.coinrun_sweeps import Slurm
from rollouts.errors import InputError

AGENT = "agent=untrained:compact:0"
COMMANDS: dict[str, tuple[str, ...]] = {
    "benchmark": (),
    "collect": (AGENT,),
    "curves": ("agents=a", "output=a.png"),
    "demo": (AGENT,),
    "edit": (AGENT,),
    "evaluate": (AGENT,),
    "import_openai": ("checkpoint=a.jd", "output=a.safetensors"),
    "laboratory": (AGENT,),
    "ladder": (),
    "layouts": (),
    "rate": ("agents=[untrained:compact:0]", "raters=[anna]", "port=0"),
    "report": (AGENT,),
    "reproduce": (),
    "score": (AGENT,),
    "train": (),
    "validate": (AGENT,),
    "video": (AGENT, "output=a.gif"),
}
BELOW_0, BELOW_1 = (("it must be at least 0.", -1),), (("it must be at least 1.", 0, -1),)
ABOVE_0 = "it must be above 0 and at most 1."
ONE_TO = "it must be from 1 to"
RATE = ((ABOVE_0, 0, -0.2, 1.5),)
SHARE = (("it must be from 0 to 1.", -0.1, 1.001),)
THREADS = (("it must be from 0 to 1,024.", -1, 100_000),)
SEED = (("it must be from 0 to 2,000,000,000.", -1, 2**31 - 1, 10**30),)
PPO = {
    "num_envs": ((f"{ONE_TO} 65,536.", 0, 10**9),),
    "rollout_steps": ((f"{ONE_TO} 65,536.", 0, 10**9),),
    "minibatches": BELOW_1,
    "epochs": BELOW_1,
    "learning_rate": RATE,
    "adam_eps": RATE,
    "gamma": SHARE,
    "gae_lambda": SHARE,
    "clip": RATE,
    "entropy_coef": (("it must be at least 0.", -10),),
    "value_coef": (("it must be at least 0.", -0.5),),
    "max_grad_norm": (("it must be above 0.", 0, -1),),
    "decay_start": BELOW_0,
}
TABLE: dict[str, tuple[tuple[Any, ...], ...]] = {
    **{f"train.ppo.{name}": bad for name, bad in PPO.items()},
    "train.total_steps": BELOW_1,
    "env.num_levels": (("it must be from 0 to 2,147,483,647.", -5, 2**31),),
    "env.start_level": (("it must be from 0 to 2,147,483,647.", -1),),
    "run.env_threads": THREADS,
    "run.torch_threads": THREADS,
    "run.checkpoint_minutes": (("it must be from 0 to 100,000.", -1, 1e9),),
    "run.evaluation_episodes": (("it must be from 0 to 10,000,000.", -1),),
    "run.milestones": (("it must be from 0 to 1,000.", -1, 10**6),),
    "distillation.steps": BELOW_0,
    "distillation.epochs": BELOW_1,
    "distillation.minibatch": BELOW_1,
    "distillation.learning_rate": RATE,
    "levels": ((f"{ONE_TO} 100,000.", [0], [100_001]),),
    "seeds": (("it must be from 0 to 2,000,000,000.", [-1]),),
    "stages": (("it must be at least 1.", [0]),),
    "next_seed_at": BELOW_1,
    "milestones": (("it must be from 0 to 1,000.", -1),),
    "checkpoint_minutes": (("it must be from 0 to 100,000.", -1),),
    "env_threads": THREADS,
    "torch_threads": THREADS,
    "threads": THREADS,
    "seed": SEED,
    "episodes": ((f"{ONE_TO} 10,000,000.", 0, -1),),
    "frames": ((f"{ONE_TO} 1,000,000.", 0, -64), ("a spread bank has a multiple of 64.", 100)),
    "pool_frames": (("it must be from 0 to 1,000,000.", -64), ("it must be a multiple of 64.", 100)),
    "steps": ((f"{ONE_TO} 10,000.", 0, 10**9),),
    "components": ((f"{ONE_TO} 10,000.", 0),),
    "rotations": ((f"{ONE_TO} 1,000.", 0),),
    "refits": (("it must be from 0 to 1,000.", -1),),
    "dilation": (("it can be 0, 2, 4.", -2, 3),),
    "tau": (("it must be at least 0 and below 1.", -0.1, 1),),
    "scenes": (("it must be from 2 to 1,000,000.", 1, -1),),
    "training": ((f"{ONE_TO} 1,000,000.", [0], [1_000_001]),),
    "unseen": ((f"{ONE_TO} 1,000,000.", 0, 1_000_001),),
    "bootstrap": (("it must be from 20 to 1,000,000.", 1, 0, 10**9),),
    "permutations": ((f"{ONE_TO} 1,000,000.", 0),),
    "version": (("it can be 1, 2.", 0, 3),),
    "port": (("it must be 0 to 65535.", -1, 65_536),),
    "rounds": BELOW_1,
    "min_ratio": BELOW_0,
    "first": (("they must be in order, from 0 to 511.", -1, 512),),
    "last": (("they must be in order, from 0 to 511.", -1, 512),),
    "rate": ((f"{ONE_TO} 240.", 0, 1000), ("a GIF shows at most 50 pictures a second, an .mp4 more.", 60)),
}
"""Of every key, ends of the sentence, each with the values that bring it about."""


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def numbers(config: Any, before: str = "") -> Iterator[str]:
    """The keys of a configuration that are numbers, or lists of them."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from numbers(value, f"{before}{key}.")
        elif is_number(value) or (isinstance(value, list) and any(map(is_number, value))):
            yield f"{before}{key}"


CASES = [
    pytest.param(command, key, id=f"{command}-{key}")
    for command, needed in COMMANDS.items()
    for key in numbers(configuration(command, *needed))
    if (command, key) != ("benchmark", "train.total_steps")  # it measures a training of any length
]


def test_every_command_is_here() -> None:
    assert set(COMMANDS) == {path.stem for path in (ROOT / "scripts").glob("*.py")}


@pytest.mark.parametrize("path", sorted((ROOT / "conf").rglob("*.yaml")), ids=lambda path: path.stem)
def test_no_number_of_a_file_is_without_a_range(path: Path) -> None:
    known = {key.rpartition(".")[2] for key in TABLE} | set(LAUNCHERS)
    config = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    assert {key.rpartition(".")[2] for key in numbers(config)} <= known


@pytest.mark.parametrize(("command", "key"), CASES)
def test_a_number_outside_of_its_range_is_refused_before_any_work(
    command: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command holds a folder while it works; that it gets there is a failure of its own here."""

    def began(folder: Path, timeout: float) -> None:
        raise AssertionError(f"work began in {folder}")

    monkeypatch.setattr(rollouts.locks, "_acquire", began)
    monkeypatch.chdir(tmp_path)
    task, whole = importlib.import_module(command).task, configuration(command, *COMMANDS[command])
    *outer, last = key.split(".")
    for end, *bad in TABLE[key]:
        for value in bad:
            inner = config = deepcopy(whole)
            for name in outer:
                inner = inner[name]
            inner[last] = value
            with pytest.raises(InputError) as refusal:
                task(OmegaConf.create(config))
            sentence = str(refusal.value)
            shown = value[0] if isinstance(value, list) else value
            assert sentence.startswith((f"{key} is {shown}", f"{key} is '{shown}'")) or f"{key} is {shown};" in sentence
            assert sentence.endswith(end)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", LAUNCHERS)
def test_a_launchers_number_outside_of_its_range_is_refused(key: str) -> None:
    for value in (-1, 2.5):
        launcher = Slurm(**{key: value})
        with pytest.raises(InputError, match=rf"^hydra.launcher.{key} is {value}; it must be "):
            launcher.setup(hydra_context=None, task_function=Job(print), config=None)  # type: ignore[arg-type]


def test_seeds_of_untrained_networks_have_the_range_of_all() -> None:
    from agents.naming import named_agents

    with pytest.raises(InputError, match=r"^The seed of untrained:compact:2147483647 is 2147483647; it must be from 0"):
        named_agents("untrained:compact:2147483647")


def test_a_user_sees_one_sentence(tmp_path: Path) -> None:
    sentence = refused("train", "train.ppo.gamma=1.5", cwd=tmp_path)
    assert sentence == "error: train.ppo.gamma is 1.5; it must be from 0 to 1."
