"""Hydra's sweeper and launchers, made to carry on when a job fails; Hydra finds plugins in packages of this name only.

`Sweep` and `Serial` stand in for Hydra's own; `Joblib` and `Slurm` are built on `hydra-joblib-launcher` and
`hydra-submitit-launcher`, which the extra `sweeps` installs.
"""

import os
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Interval
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from common.cores import allowed_cores
from common.joblib_worker import OnWorker, gpu_names, stop_file
from common.progress import CONSOLE, track
from common.slurm_job import OnCluster
from common.sweeps import Job, Jobs, Outcome, State, check_apart, conclude, place, summary, with_agents
from common.values import convert
from rollouts.errors import InputError
from rollouts.ranges import Count, CountOrNone

OUTPUT_DIR, OUTPUT_SUBDIR = "hydra.sweep.dir", "hydra.sweep.subdir"
CHECK_SECONDS = 15
"""How often SLURM is asked for jobs that ended without a word."""
RANGES: dict[str, Any] = {
    "n_jobs": Annotated[int, Interval(ge=0, le=1024)],
    **dict.fromkeys(("nodes", "tasks_per_node"), Annotated[int, Interval(ge=1, le=1)]),
    **dict.fromkeys(("gpus_per_node", "signal_delay_s", "max_num_timeout"), CountOrNone),
    **dict.fromkeys(("cpus_per_task", "mem_gb", "timeout_min", "array_parallelism"), Count),
}
"""Of the numbers in `conf/hydra/launcher/`; a job is one process."""


class Sweep(BasicSweeper):
    """Every combination of the values given. Folders of agents are opened; a table at the end says how each job ended.

    Raises `InputError` for an empty sweep, and where two jobs would write into one place, before any begins; and
    `SweepFailed` or `Stopped` after a sweep that is not complete.
    """

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        super().setup(hydra_context=hydra_context, task_function=Job(task_function), config=config)

    def sweep(self, arguments: list[str]) -> Any:
        assert self.hydra_context is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        batches = super().sweep([with_agents(override) for override in parser.parse_overrides(arguments)])
        outcomes = [returned.return_value for batch in batches for returned in batch]
        CONSOLE.print(summary(outcomes))
        CONSOLE.print(conclude(outcomes))
        return batches

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Compose all jobs of all batches before the first is launched."""
        assert self.hydra_context is not None
        assert self.config is not None
        assert self.overrides is not None
        if self.batch_index > 1:
            return
        jobs = [list(job) for some in self.overrides for job in some]
        state = Singleton.get_state()
        loader = self.hydra_context.config_loader
        places = [place(loader.load_sweep_config(self.config, job)) for job in jobs]
        Singleton.set_state(state)
        check_apart(jobs, places)


class Runner(Launcher):
    """What the launchers share: the settings of `conf/hydra/launcher/`, and how outcomes go back to the sweeper."""

    def __init__(self, **settings: Any) -> None:
        self.settings: dict[str, Any] = {
            key: OmegaConf.to_object(value) if OmegaConf.is_config(value) else value
            for key, value in settings.items()
            if value is not None
        }

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        assert isinstance(task_function, Job)
        self.hydra_context, self.job, self.config = hydra_context, task_function, config
        for name, kind in RANGES.items():
            if name in self.settings:
                self.settings[name] = convert(self.settings[name], kind, f"hydra.launcher.{name}")

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        setup_globals()
        jobs = Jobs(job_overrides, initial_job_idx)
        folder = Path(str(self.config.hydra.sweep.dir)).absolute()
        self.run(jobs, folder)
        return [JobReturn(status=JobStatus.COMPLETED, _return_value=jobs.ended[number]) for number in jobs.overrides]

    def run(self, jobs: Jobs, folder: Path) -> None:
        """Bring every job to an end; `folder` is the sweep's own, for the jobs' output."""
        raise NotImplementedError


class Serial(Runner):
    """One job after another in this process. When one is stopped, the rest is not started."""

    def run(self, jobs: Jobs, folder: Path) -> None:
        for number, overrides in jobs.overrides.items():
            if any(job.state == State.STOPPED for job in jobs.ended.values()):
                jobs.end(number, State.NOT_STARTED)
                continue
            CONSOLE.print(f"Job {number} of 0 to {max(jobs.overrides)}: {' '.join(overrides)}")
            config = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
            with open_dict(config):
                config.hydra.job.id = config.hydra.job.num = number
            returned = run_job(self.job, config, OUTPUT_DIR, OUTPUT_SUBDIR, self.hydra_context)
            jobs.ended[number] = returned.return_value


class Joblib(Serial):
    """Several jobs at a time on this machine, in processes of their own."""

    def run(self, jobs: Jobs, folder: Path) -> None:
        require("hydra_joblib_launcher", "joblib")
        from hydra_plugins.hydra_joblib_launcher._core import execute_job
        from joblib import Parallel, delayed
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        gpus = gpu_names(torch.cuda.device_count(), os.environ)
        workers = min(self.settings["n_jobs"] or len(gpus) or allowed_cores(), len(jobs.overrides))
        if workers == 1:
            return super().run(jobs, folder)
        singletons = Singleton.get_state()
        print(f"{len(jobs.overrides)} jobs, {workers} at a time; their output is in {folder}", flush=True)
        with stop_file(folder) as stop, track("Jobs", len(jobs.overrides)) as update:
            work = OnWorker(self.job, folder, stop, os.getpid(), workers, gpus)
            calls = (
                delayed(execute_job)(number, overrides, self.hydra_context, self.config, work, singletons)
                for number, overrides in jobs.overrides.items()
            )
            pool = Parallel(n_jobs=workers, backend="loky", batch_size=1, return_as="generator_unordered")
            try:
                for returned in pool(calls):
                    ended: Outcome = returned.return_value
                    jobs.ended[ended.number] = ended
                    update(1, jobs.note(min(workers, len(jobs.overrides) - len(jobs.ended))))
            except TerminatedWorkerError:
                for number in jobs.left():
                    jobs.end(number, State.FAILED, "A process was killed, and with it all; the same command goes on.")


class Slurm(Runner):
    """A job of the cluster for each job, in one array; the sweep waits for the last of them."""

    def run(self, jobs: Jobs, folder: Path) -> None:
        require("hydra_submitit_launcher", "slurm")
        submitted = self.submit(jobs, folder)
        names = [job.job_id for job in submitted.values()]
        print(f"{len(names)} jobs of SLURM, {names[0]} to {names[-1]}; their output is in {folder}", flush=True)
        with track("Jobs", len(names)) as update:
            asked = time.monotonic()
            while submitted:
                time.sleep(1)
                ask = time.monotonic() - asked > CHECK_SECONDS
                asked = time.monotonic() if ask else asked
                done = [number for number, job in submitted.items() if job.done(force_check=ask)]
                for number in done:
                    collect(jobs, number, submitted.pop(number))
                running = sum(job.watcher.get_state(job.job_id, "cache") == "RUNNING" for job in submitted.values())
                update(len(done), jobs.note(running))

    def submit(self, jobs: Jobs, folder: Path) -> dict[int, Any]:
        """Hand the jobs to SLURM; raises `InputError` when it will not have them."""
        from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
        from hydra_plugins.hydra_submitit_launcher.submitit_launcher import SlurmLauncher
        from submitit import AutoExecutor
        from submitit.core.utils import FailedJobError

        settings = dict(self.settings)
        retries = settings.pop("max_num_timeout")
        try:
            executor = AutoExecutor(folder / "%j", cluster="slurm", slurm_max_num_timeout=retries)
        except RuntimeError as error:
            raise InputError("hydra/launcher=slurm needs the commands of SLURM; there is no srun.") from error
        shared = BaseQueueConf.__dataclass_fields__
        executor.update_parameters(**{key if key in shared else f"slurm_{key}": settings[key] for key in settings})
        launcher = SlurmLauncher()
        launcher.setup(hydra_context=self.hydra_context, task_function=self.job, config=self.config)
        singletons = Singleton.get_state()
        calls = [(list(given), OUTPUT_DIR, number, str(number), singletons) for number, given in jobs.overrides.items()]
        try:
            submitted = executor.map_array(OnCluster(launcher), *zip(*calls, strict=True))
        except FailedJobError as error:
            raise InputError(f"SLURM refuses the jobs: {' '.join(str(error).split())}") from error
        return dict(zip(jobs.overrides, submitted, strict=True))


def collect(jobs: Jobs, number: int, job: Any) -> None:
    """Take the outcome of a job of SLURM that has ended, or say how it ended without one."""
    from submitit.core.utils import FailedJobError, UncompletedJobError

    try:
        jobs.ended[number] = job.result().return_value
    except (FailedJobError, UncompletedJobError) as error:
        text = str(error).split("-" * 22)[1] if isinstance(error, FailedJobError) else str(error)  # between the rules
        last = text.strip().splitlines()[-1]
        jobs.end(number, State.FAILED, f"SLURM's job {job.job_id} is {job.state}: {last}")


def require(package: str, launcher: str) -> None:
    """Raise `InputError` unless a launcher's package is there."""
    if find_spec(f"hydra_plugins.{package}") is None:
        raise InputError(
            f"hydra/launcher={launcher} needs {package.replace('_', '-')}; pip install -e '.[sweeps]' installs it."
        )
