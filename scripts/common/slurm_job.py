"""A job of a sweep on a cluster, and how it is stopped there."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from hydra.core.utils import JobReturn

from common.stopping import STOPPED
from common.sweeps import State


@dataclass(frozen=True)
class OnCluster:
    """A job of SLURM. One that was stopped, having written its state, goes back to the queue unless it was cancelled.

    `launcher` is the one of hydra-submitit-launcher, which runs the job. submitit's own handler of the signal before a
    time limit counts how often that came, and asks for the requeueing.
    """

    launcher: Any

    def __call__(self, *arguments: Any) -> JobReturn:
        from submitit import JobEnvironment

        number = JobEnvironment._usr_sig()
        count_and_requeue = signal.getsignal(number)
        assert callable(count_and_requeue)

        def requeue(number: int, frame: Any) -> None:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # else requeueing ends the program that asks for it, too
            count_and_requeue(number, frame)

        signal.signal(number, requeue)
        returned: JobReturn = self.launcher(*arguments)
        if returned.return_value.state == State.STOPPED:
            if slurm_state(os.environ["SLURM_JOB_ID"]) != "RUNNING":  # SLURM has cancelled or requeued it by itself
                sys.exit(STOPPED)
            requeue(number, None)
        return returned

    def checkpoint(self, *arguments: Any) -> Any:
        """What submitit submits again: the same job, which goes on from its state."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *arguments)


def slurm_state(job: str) -> str:
    """What SLURM does with a job: RUNNING, COMPLETING and so on."""
    command = ("squeue", "--noheader", "--format=%T", f"--jobs={job}")
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout.strip()
