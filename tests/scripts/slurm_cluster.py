"""A SLURM of one node that lives in a folder: its own munge key, database, accounting, controller and node.

Debian's packages slurm-wlm, munge, slurmdbd and mariadb-server are needed, and no rights beyond those of its user.
"""

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd", "sbatch", "sacct")
CPUS = 2
MEMORY_MB = 4096
SEARCHED = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))

SLURM_CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={ctld}
SlurmdPort={slurmd}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd}
AccountingStoragePass={folder}/munge.socket
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000,defer
ReturnToService=2
KillWait=15
SlurmctldTimeout=30
SlurmdTimeout=60
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=60 State=UP
"""

SLURMDBD_CONF = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={dbd}
SlurmUser={user}
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={mariadb}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
"""

INIT_SQL = """CREATE DATABASE IF NOT EXISTS slurm;
CREATE USER IF NOT EXISTS 'slurm'@'%' IDENTIFIED BY 'slurm';
GRANT ALL ON slurm.* TO 'slurm'@'%';
"""


class NotUp(RuntimeError):
    """A daemon did not come up, or a command failed."""


def missing_programs() -> list[str]:
    """Programs of the four packages that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name, path=SEARCHED) is None]


@dataclass(frozen=True)
class Cluster:
    """A running SLURM; `environment` is for its commands."""

    folder: Path
    environment: dict[str, str]

    def __call__(self, *command: str) -> str:
        """What one of SLURM's commands prints; raises `NotUp` when it fails."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise NotUp(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start the daemons in `folder`, which is empty; whatever happens, none of them and no job outlives the block."""
    ports = dict(zip(("ctld", "slurmd", "dbd", "mariadb"), free_ports(4), strict=True))
    host, user = socket.gethostname().split(".")[0], getpass.getuser()
    names = {"folder": folder, "host": host, "user": user, "cpus": CPUS, "memory": MEMORY_MB, **ports}
    for name in ("state", "spool", "database"):
        (folder / name).mkdir()
    write(folder / "slurm.conf", SLURM_CONF.format(**names))
    write(folder / "slurmdbd.conf", SLURMDBD_CONF.format(**names))
    write(folder / "cgroup.conf", "CgroupAutomount=no\n")
    write(folder / "init.sql", INIT_SQL)
    (folder / "munge.key").write_bytes(secrets.token_bytes(128))
    (folder / "munge.key").chmod(0o400)
    environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": SEARCHED}
    running = Cluster(folder, environment)
    with guarded(folder), ExitStack() as daemons:

        def start(name: str, *arguments: str, up: Callable[[], bool]) -> None:
            daemons.enter_context(daemon(folder, environment, name, arguments, up))

        start(
            "munged",
            "--foreground",
            "--force",
            f"--socket={folder}/munge.socket",
            f"--key-file={folder}/munge.key",
            f"--pid-file={folder}/munged.pid",
            f"--log-file={folder}/munged-own.log",
            f"--seed-file={folder}/munged.seed",
            up=(folder / "munge.socket").exists,
        )
        install = (
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={folder}/database",
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
            f"--user={user}",
        )
        subprocess.run(install, env=environment, check=True, capture_output=True, timeout=300)
        start(
            "mariadbd",
            "--no-defaults",
            f"--datadir={folder}/database",
            f"--socket={folder}/mariadb.socket",
            f"--pid-file={folder}/mariadb.pid",
            f"--port={ports['mariadb']}",
            "--bind-address=127.0.0.1",
            f"--init-file={folder}/init.sql",
            f"--user={user}",
            "--innodb-buffer-pool-size=32M",
            "--innodb-flush-log-at-trx-commit=0",
            up=lambda: listens(ports["mariadb"]),
        )
        start("slurmdbd", "-D", up=lambda: listens(ports["dbd"]))
        running("sacctmgr", "--immediate", "add", "cluster", "test")
        start("slurmctld", "-D", up=lambda: listens(ports["ctld"]))
        start("slurmd", "-D", up=lambda: "idle" in running("sinfo", "--noheader", "--format=%T"))
        try:
            yield running
        finally:
            subprocess.run(("scancel", "--full", f"--user={user}"), env=environment, check=False, timeout=30)


@contextmanager
def daemon(
    folder: Path, environment: dict[str, str], name: str, arguments: tuple[str, ...], up: Callable[[], bool]
) -> Iterator[None]:
    """Run a daemon in the foreground, its output in `folder`, from when it is `up`; raises `NotUp` with its output."""
    log = folder / f"{name}.log"
    with log.open("w") as output:
        program = shutil.which(name, path=SEARCHED) or name
        process = subprocess.Popen((program, *arguments), env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 120
        while not up():
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotUp(f"{name} is not up:\n{log.read_text()[-3000:]}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Kill what was started in `folder` at the end of the block, or when this process is killed within it.

    A process with a session of its own does so: it waits for the end of its input, which no signal can keep back.
    """
    command = (sys.executable, __file__, str(folder))
    guard = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        guard.communicate(timeout=60)


def kill_all_of(folder: Path) -> None:
    """Kill every process that was started with this folder's SLURM: what its node ran is not the daemons' child."""
    mark = f"SLURM_CONF={folder / 'slurm.conf'}".encode()
    found = True
    while found:
        found = False
        for environ in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if mark in environ.read_bytes().split(b"\0"):
                    os.kill(int(environ.parent.name), signal.SIGKILL)
                    found = True
        time.sleep(0.2)


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nothing listens on."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def listens(port: int) -> bool:
    """Whether something answers at a port of this machine."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def write(path: Path, text: str) -> None:
    """Write a file that only its owner can read, as slurmdbd demands."""
    path.write_text(text)
    path.chmod(0o600)


if __name__ == "__main__":
    sys.stdin.read()
    kill_all_of(Path(sys.argv[1]))
