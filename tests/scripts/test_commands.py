"""The commands as a user runs them: names of folders, presets, and one sentence for bad input."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from shutil import copyfile

import pandas as pd
import pytest
import yaml

import collect
import score
import train
from agents.banks import BankSettings
from agents.checkpoint import load_agent, save_agent, untrained_agent
from agents.computation import Computation, choose, computes_bfloat16
from agents.distillation import DistillationConfig
from agents.naming import differences
from agents.ppo import PPOConfig
from agents.recipe import TrainConfig
from agents.states import STATE
from agents.tensors import load_tensors
from commands import ROOT, SCRIPTS, configuration, namesakes, refused, run
from common.values import build, picked
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from scoring.settings import ScoreConfig


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agents") / "small.safetensors"
    save_agent(path, untrained_agent("compact", EnvOptions(), seed=1))
    return path


def test_presets_are_the_defaults_of_the_code() -> None:
    """The YAML files repeat the defaults so that they can be read and overridden; they may not drift apart."""
    config = configuration("train")
    assert build(PPOConfig, config["train"]["ppo"], "train.ppo") == PPOConfig()
    assert build(EnvOptions, config["env"], "env") == EnvOptions()
    assert build(DistillationConfig, config["distillation"], "distillation") == DistillationConfig()
    chosen = train.settings(config)
    assert replace(chosen, computation=Computation(), env_threads=1) == TrainConfig()
    assert chosen.computation == choose("compact", chosen.total_steps)
    for group, defaults in (("scoring", asdict(ScoreConfig())), ("played", asdict(BankSettings()))):
        assert yaml.safe_load((ROOT / f"conf/{group}/default.yaml").read_text()) == defaults
    first = configuration("score", "agent=any", "scoring=version1")
    assert picked(ScoreConfig, first) == ScoreConfig(version=1)


@pytest.mark.parametrize("experiment", ["orbay2020", "hilton2020"])
def test_experiments_change_settings_that_exist(experiment: str) -> None:
    values = yaml.safe_load((ROOT / f"conf/experiment/{experiment}.yaml").read_text())
    known = configuration("score", "agent=any")
    assert set(values) <= set(known)
    assert values["bank"] == "trajectory"
    assert values["steps"] == 10


def test_a_folder_is_a_function_of_the_settings(agent: Path) -> None:
    base = configuration("train")

    def name(**changes: object) -> str:
        config = json.loads(json.dumps(base))
        for path, value in changes.items():
            *parts, last = path.split("__")
            place = config
            for part in parts:
                place = place[part]
            place[last] = value
        return train.folder(config)

    assert name(env__num_levels=100) == "compact-hard-n100-s0"
    assert name(env__num_levels=100.0, train__total_steps=5e6, run__env_threads=7) == "compact-hard-n100-s0"
    changes: list[dict[str, object]] = [
        {},
        {"seed": 1},
        {"network": "clear"},
        {"env__distribution_mode": "easy"},
        {"env__num_levels": 100},
        {"env__num_levels": 100, "env__start_level": 5},
        {"env__paint_velocity": False},
        {"train__ppo__gamma": 0.99},
        {"run__precision": "float32"},
        {"run__path": "plain"},
        {"run__path": "contiguous"},
        {"actions": "distinct"},
        {"train__ppo__decay_start": 1e6},
        {"distillation__teacher": "a", "distillation__steps": 1e6},
        {"distillation__teacher": "a", "distillation__steps": 25e6},
        {"distillation__teacher": "a", "distillation__steps": 25e6, "distillation__epochs": 3},
    ]
    assert name(distillation__teacher="a", distillation__steps=25e6) == "compact-hard-n0-s0-distilled"
    assert name(distillation__teacher="a", distillation__steps=1e6) == "compact-hard-n0-s0-distilled1000000"
    different = {name(**change) for change in changes}
    assert len(different) == len(changes)
    scored = configuration("score", f"agent={agent}")
    names = {
        score.folder(scored | change)
        for change in (
            {},
            {"layer": "3a"},
            {"features": "channels"},
            {"projection": "erf"},
            {"seed": 3},
            {"steps": 10},
            {"bank": "trajectory"},
            {"pool_frames": 128},
            {"levels": "training"},
            {"target": "logit:3"},
            {"frames": 128},
        )
    }
    assert len(names) == 11
    assert score.folder(scored | {"layer": "default"}) == score.folder(scored | {"layer": "2b"})
    assert collect.folder(scored).startswith("small-")
    many = [
        collect.folder(scored | {"agent": [f"untrained:compact:{s}" for s in seeds]})
        for seeds in (range(16), range(1, 17))
    ]
    assert many[0] != many[1]
    assert {name[:10] for name in many} == {"16-agents-"}


def test_whole_numbers_may_be_written_with_an_exponent() -> None:
    assert build(PPOConfig, {"num_envs": 64.0, "learning_rate": 1}, "ppo") == PPOConfig(learning_rate=1.0)
    for values, message in (
        ({"num_envs": 6.5}, "ppo.num_envs is 6.5; it must be a whole number"),
        ({"num_envs": "many"}, "ppo.num_envs is 'many'; it must be a number"),
        ({"gamma": float("nan")}, "ppo.gamma is nan; it must be a number"),
        ({"epochs": True}, "ppo.epochs is True; it must be a number"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            build(PPOConfig, values, "ppo")
    assert differences(PPOConfig(gamma=0.5, num_envs=8)) == "-numenvs8-gamma0.5"


def test_a_package_of_the_same_name_does_not_stand_in_for_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(namesakes(tmp_path / "namesakes")))
    done = run("curves", "--help", cwd=tmp_path, fresh=True)
    assert done.returncode == 0, done.stderr
    assert refused("train", "env.num_levels=-5", cwd=tmp_path, fresh=True).startswith("error: env.num_levels is -5")


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.py")), ids=lambda path: path.stem)
def test_what_puts_the_checkout_on_the_path_is_imported_before_its_packages(script: Path) -> None:
    imported = re.findall(r"^(?:from|import) (agents|rollouts|scoring|common\.command)\b", script.read_text(), re.M)
    assert imported[0] == "common.command"


def test_a_training_goes_on_in_the_number_format_of_its_state_whatever_this_machine_prefers(tmp_path: Path) -> None:
    """It is begun as on a machine that computes in the other one; `precision` is asked for, and the folder given."""
    small = ["train.ppo.num_envs=8", "train.ppo.rollout_steps=32", "run.evaluation_episodes=0"]
    folder = f"hydra.run.dir={tmp_path}/run"
    other = "float32" if computes_bfloat16("cpu") else "bfloat16"
    done = run("train", *small, folder, f"run.precision={other}", "train.total_steps=256", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    further = ("train", *small, folder, "train.total_steps=512")
    assert "was trained with bfloat16 = " in refused(*further, "run.deterministic=true", cwd=tmp_path)
    done = run(*further, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert load_tensors(tmp_path / "run" / STATE)[1]["fixed"]["bfloat16"] == (other == "bfloat16")
    assert load_agent(tmp_path / "run/agent.safetensors").steps == 512


def test_training_scoring_and_running_twice(tmp_path: Path) -> None:
    """The thin path through all commands, on a small scale."""
    small = ["train.ppo.num_envs=8", "train.ppo.rollout_steps=32", "train.total_steps=512", "run.evaluation_episodes=8"]
    done = run("train", *small, "env.num_levels=1e1", cwd=tmp_path, fresh=True)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs/train").iterdir()
    assert folder.name == "compact-hard-n10-s0-numenvs8-rolloutsteps32"
    assert "unseen levels:" in done.stdout
    assert list(folder.glob("events.out.tfevents*"))
    trained = folder / "agent.safetensors"
    before = trained.stat().st_mtime_ns
    again = run("train", *small, "env.num_levels=10", cwd=tmp_path)
    assert "is finished; nothing to do." in again.stdout
    assert trained.stat().st_mtime_ns == before

    quick = ["frames=64", "pool_frames=64", "steps=2", "refits=1", "bootstrap=50", "permutations=50"]
    done = run("score", f"agent={trained.relative_to(tmp_path)}", *quick, cwd=tmp_path, fresh=True)
    assert done.returncode == 0, done.stderr
    (scored,) = (tmp_path / "runs/score").iterdir()
    summary = json.loads((scored / "scores.json").read_text())
    assert summary["bank"]["frames"] == 64
    assert summary["settings"] == asdict(ScoreConfig(steps=2, refits=1, bootstrap=50, permutations=50))
    table = pd.read_parquet(scored / "features.parquet")
    assert list(table["feature"].unique()) == list(range(8))
    assert (scored / "features.png").stat().st_size > 10_000
    again = run("score", f"agent={trained.relative_to(tmp_path)}", *quick, cwd=tmp_path)
    assert "is finished; nothing to do." in again.stdout
    # A sweep finds the same bank, and its folders are the single runs' folders.
    swept = run("score", "-m", f"agent={trained.relative_to(tmp_path)}", "features=nmf,channels", *quick, cwd=tmp_path)
    assert swept.returncode == 0, swept.stderr
    assert "is finished; nothing to do." in swept.stdout
    assert len(list((tmp_path / "runs/score").iterdir())) == 2
    assert len(list((tmp_path / "runs/collect").iterdir())) == 1

    # The bank's file serves another agent of the same environment, and no agent of another.
    bank = next((tmp_path / "runs/collect").iterdir()) / "bank.zip"
    save_agent(tmp_path / "easy.safetensors", untrained_agent("compact", EnvOptions("easy"), seed=0))
    done = run("score", "agent=easy.safetensors", f"bank={bank}", "frames=64", cwd=tmp_path)
    assert done.returncode == 1
    assert "The bank is hard, velocity painted, but easy-" in done.stderr
    done = run("score", f"agent={trained}", f"bank={bank}", cwd=tmp_path)
    assert done.returncode == 1
    assert "has 64 frames, 512 were asked for" in done.stderr


def test_bad_input_is_answered_with_one_sentence(agent: Path, tmp_path: Path) -> None:
    assert "There is no checkpoint at nothing.safetensors" in refused(
        "score", "agent=nothing.safetensors", cwd=tmp_path
    )
    (tmp_path / "short.safetensors").write_bytes(agent.read_bytes()[:1000])
    assert "not a complete safetensors file" in refused("score", "agent=short.safetensors", cwd=tmp_path)
    (tmp_path / "text.safetensors").write_text("no agent")
    assert "not a complete safetensors file" in refused("collect", "agent=text.safetensors", cwd=tmp_path)
    assert "its layers are 1a, 2a, 2b, 3a" in refused("score", f"agent={agent}", "layer=5a", cwd=tmp_path)
    assert "logits 0 to 14" in refused("score", f"agent={agent}", "target=logit:15", cwd=tmp_path)
    assert "a multiple of 64" in refused("collect", f"agent={agent}", "frames=100", cwd=tmp_path)
    assert "num_levels is -5" in refused("train", "env.num_levels=-5", cwd=tmp_path)
    assert "start_level is 5" in refused("train", "env.start_level=5", cwd=tmp_path)
    assert "There is no network 'resnet'" in refused("train", "network=resnet", cwd=tmp_path)
    assert "train.total_steps is 2.5; it must be a whole number" in refused(
        "train", "train.total_steps=2.5", cwd=tmp_path
    )
    assert "give both, or neither" in refused("train", "distillation.steps=5", cwd=tmp_path)
    missing = ("distillation.teacher=missing.safetensors", "distillation.steps=5")
    assert "There is no teacher at missing.safetensors" in refused("train", *missing, cwd=tmp_path)
    assert "env.levels" in refused("train", "env.levels=5", cwd=tmp_path)
    renamed = "There is no setting 'threads' here; env_threads are those that step the environments"
    assert renamed in refused("score", f"agent={agent}", "threads=2", cwd=tmp_path)
    assert "version is '3'; it can be 1, 2." in refused("score", f"agent={agent}", "version=3", cwd=tmp_path)
    assert "There is no bank at" in refused("score", f"agent={agent}", "bank=missing.zip", cwd=tmp_path)
    assert "agent" in refused("score", cwd=tmp_path)


def test_a_folder_that_cannot_be_written(agent: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")
    sentence = refused("collect", f"agent={agent}", "frames=64", "pool_frames=0", cwd=tmp_path, fresh=True)
    assert "runs" in sentence


def test_a_folder_in_use_is_refused(agent: Path, tmp_path: Path) -> None:
    import fcntl

    config = configuration("collect", f"agent={agent}")
    folder = tmp_path / "runs/collect" / collect.folder(config)
    folder.mkdir(parents=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "is in use by another process" in refused("collect", f"agent={agent}", cwd=tmp_path)


def test_every_training_scalar_is_explained(agent: Path) -> None:
    from agents.trainer import Trainer
    from test_training import SMALL

    explained = (ROOT / "docs/metrics.md").read_text()
    distilled = replace(SMALL, distillation=DistillationConfig(str(agent), 256))
    for name in Trainer(SMALL).step().scalars | Trainer(distilled).step().scalars:
        assert f"`{name}`" in explained


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    names = re.findall(r'^\s+"([a-z0-9-]+)[>=<]', text, flags=re.MULTILINE)
    reasons = (ROOT / "docs/dependencies.md").read_text()
    assert len(names) > 10
    assert [name for name in names if f"`{name}`" not in reasons] == []


def test_curves_are_drawn_of_agents_that_remember_them(agent: Path, tmp_path: Path) -> None:
    assert "remembers no learning curve" in refused("curves", f"agents={agent}", "output=a.png", cwd=tmp_path)
    assert "agents is an empty list" in refused("curves", "agents=[]", "output=a.png", cwd=tmp_path)
    zoo = ROOT / "zoo/compact-hard-all.safetensors"
    assert run("curves", f"agents=[{zoo}]", "output=a.png", cwd=tmp_path, fresh=True).returncode == 0
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    for name in ("one", "two"):
        (tmp_path / f"runs/{name}").mkdir(parents=True)
        copyfile(zoo, tmp_path / f"runs/{name}/agent.safetensors")
    for agents, count in (("runs", 2), ("runs/one", 1), (f"[runs/two,{zoo}]", 2)):
        done = run("curves", f"agents={agents}", "output=b.png", cwd=tmp_path)
        assert f"b.png: {count} agents in {count} groups" in done.stdout, done.stderr


def test_documents_quote_lists_for_shells_that_expand_them() -> None:
    """zsh takes brackets for a pattern, and refuses one that matches no file."""
    files = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "zoo").rglob("*.md")]
    files += [*(ROOT / "conf").rglob("*.yaml"), *(ROOT / "scripts").glob("*.py")]
    bare = re.compile(r"(?:^#|\.py |`).*(?<!['\w.])[a-z_.]+=\[(?!\s)")
    assert bare.search("curves.py agents=[a,b]")
    assert not bare.search("curves.py 'agents=[a,b]'")
    found = [f"{path}: {line}" for path in files for line in path.read_text().splitlines() if bare.search(line)]
    assert found == []
