"""A job of a sweep in another process of this machine, and how it is stopped there."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from common.stopping import STOPPED, Stopped
from common.sweeps import Job, Outcome, State, outcome
from rollouts.locks import InUse, locked

ENDS = (signal.SIGTERM, signal.SIGINT)
BUSY = threading.Lock()
"""Held by a process of joblib while it runs a job."""
HELD = ExitStack()
"""What a process of joblib keeps until it ends: its place among the others."""


@contextmanager
def stop_file(folder: Path) -> Iterator[Path]:
    """Until the end of the block, SIGTERM and SIGINT make a file that tells the processes of joblib to stop."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "stop"
    before = {number: signal.signal(number, lambda *_: path.touch()) for number in ENDS}
    try:
        yield path
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class OnWorker:
    """A job in a process of joblib, its output in `folder`.

    `parent` started the process; when it dies, or makes the file `stop`, the job is stopped as by SIGTERM: a training
    writes its state. Of several `gpus` each of the `workers` uses one.
    """

    job: Job
    folder: Path
    stop: Path
    parent: int
    workers: int
    gpus: Sequence[str]

    def __call__(self, config: DictConfig) -> Outcome:
        settle(self)
        with BUSY, redirected(self.folder / f"{HydraConfig.get().job.num}.log"), ended_by(raise_stopped):
            return outcome(State.NOT_STARTED) if self.stop.exists() else self.job(config)


@cache
def settle(worker: OnWorker) -> None:
    """Done once in each process: take a place, and with it a GPU, and watch the parent from now on."""
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=watch, args=(worker,), daemon=True).start()
    for place in range(worker.workers):
        with suppress(InUse):
            HELD.enter_context(locked(worker.folder / "places" / str(place)))
            if worker.gpus:
                os.environ["CUDA_VISIBLE_DEVICES"] = worker.gpus[place % len(worker.gpus)]
            return


def watch(worker: OnWorker) -> None:
    """Stop this process's job when it is to be stopped, and the process when its parent is dead."""
    while os.getppid() == worker.parent and not worker.stop.exists():
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
    while os.getppid() == worker.parent:
        time.sleep(0.5)
    with BUSY:
        os._exit(STOPPED)


def raise_stopped(number: int, frame: object) -> None:
    """A signal handler for jobs that have nothing to write before they end."""
    raise Stopped(f"Stopped by {signal.Signals(number).name}.")


@contextmanager
def ended_by(handler: Any) -> Iterator[None]:
    """Within the block, signals that end a process are handled by `handler`; after it they are ignored."""
    for number in ENDS:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in ENDS:
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def redirected(path: Path) -> Iterator[None]:
    """Within the block, the process's output goes to `path`."""
    sys.stdout.flush()
    sys.stderr.flush()
    before = os.dup(1), os.dup(2)
    with path.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, old in enumerate(before, start=1):
            os.dup2(old, number)
            os.close(old)


def gpu_names(count: int, environment: Mapping[str, str]) -> tuple[str, ...]:
    """What CUDA_VISIBLE_DEVICES can name of `count` GPUs, nothing where there is only one."""
    if count < 2:
        return ()
    named = environment.get("CUDA_VISIBLE_DEVICES")
    return tuple(named.split(","))[:count] if named else tuple(map(str, range(count)))
