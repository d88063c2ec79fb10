"""What every command is: a task under Hydra, its folder, and errors in one sentence."""

import importlib
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TypeVar

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from agents.naming import fitting
from common import CHECKOUT
from common.arguments import taken
from common.cores import keep_to_cores
from common.progress import CONSOLE
from common.stopping import STOPPED, Stopped
from rollouts.errors import InputError
from rollouts.locks import locked

# conf/hydra/launcher/joblib.yaml stands in for the plugin's own of that name, and Hydra wonders.
warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/joblib' is validated against ConfigStore schema")
# Scores say themselves whether a factorisation converged.
warnings.filterwarnings("ignore", message=r"Maximum number of iterations \d+ reached")


SCRIPTS = CHECKOUT / "scripts"


RENAMED = {"threads": "env_threads are those that step the environments, torch_threads those of torch"}
"""What became of settings that a command once had."""
ESCAPED = "; in the name of a file that is still to be written, ${ is written \\${ within single quotes."

Folder = Callable[[Mapping[str, Any]], str]
"""Turns a configuration into the name of the run's folder."""


def current(config: Mapping[str, Any]) -> str:
    """Of commands that name their output: they run in the current folder."""
    return "."


def main(task: Callable[[DictConfig], object], config_name: str, folder: Folder = current) -> None:
    """Run `task` under Hydra, in the run's folder.

    Names on the command line are taken as `common.arguments` says. Bad input ends as one sentence on the error stream
    and exit status 1; `task` itself only raises, or returns `FINISHED` when there was nothing to do. With -m it becomes
    the jobs of a sweep (`common.sweeps.Job`).
    """
    task = importable(task)
    folder = folder if folder is current else importable(folder)
    OmegaConf.register_new_resolver(
        "run_folder",
        lambda kind, *, _root_: "." if folder is current else str(Path("runs") / kind / fitting(folder(plain(_root_)))),
        replace=True,
    )
    os.environ["HYDRA_FULL_ERROR"] = "1"
    own = (str(CHECKOUT), str(SCRIPTS))  # first on the path of other processes, too
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (*own, os.environ.get("PYTHONPATH"))))
    keep_to_cores()
    conf = str(CHECKOUT / "conf")
    sys.argv[1:] = map(taken, sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what the terminal's encoding lacks
    try:
        hydra.main(version_base="1.3", config_path=conf, config_name=config_name)(task)()
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(STOPPED)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        sentence = explain(error)
        if sentence is None:
            raise
        print(f"error: {sentence}", file=sys.stderr)
        sys.exit(1)


Function = TypeVar("Function", bound=Callable[..., Any])


def importable(function: Function) -> Function:
    """The same function, imported with its script by name: what `__main__` holds cannot be sent to other processes."""
    if function.__module__ != "__main__":
        return function
    script = importlib.import_module(Path(function.__code__.co_filename).stem)
    imported: Function = getattr(script, function.__name__, function)
    return imported


def explain(error: BaseException) -> str | None:
    """The sentence for an error that bad input caused, or None for a defect of the program."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, InputError):
            return str(cause)
        if isinstance(cause, OSError):
            return f"{cause.filename or 'A file'}: {cause.strerror or cause}."
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, HydraException | OmegaConfBaseException):
        key = re.match(r"Could not override '(\w+)'", str(error))
        if key is not None and key[1] in RENAMED:
            return f"There is no setting '{key[1]}' here; {RENAMED[key[1]]}."
        sentence = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
        return sentence + (ESCAPED if isinstance(error, InterpolationKeyError) else "")
    return None


def plain(config: DictConfig) -> dict[str, Any]:
    """The configuration without Hydra's own part, as plain dictionaries."""
    return {
        str(key): OmegaConf.to_object(config[key]) if OmegaConf.is_config(config[key]) else config[key]
        for key in config
        if key != "hydra"
    }


@contextmanager
def run_folder() -> Iterator[Path]:
    """The run's folder, held by a lock that the kernel releases when the process ends, however it ends."""
    with locked(Path(HydraConfig.get().run.dir), warn=CONSOLE.print) as folder:
        yield folder
