"""How many cores a command may use, and that its libraries use no more."""

import os

import torch
from joblib import cpu_count
from threadpoolctl import threadpool_info, threadpool_limits


def allowed_cores() -> int:
    """Cores that this process may use: what the machine has, its affinity and its container's quota allow."""
    return int(cpu_count())


def cores() -> int:
    """Cores that this process is to use, which OMP_NUM_THREADS can make fewer than it may.

    The processes of a sweep have it, so that they share the machine.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(allowed_cores(), int(wanted)) if wanted.isdigit() and int(wanted) else allowed_cores()


def keep_to_cores() -> None:
    """Have torch, BLAS and the compiling of networks use no more cores; by themselves they know of no quota."""
    most = cores()
    if most < len(os.sched_getaffinity(0)):
        torch.set_num_threads(min(torch.get_num_threads(), most))
        threadpool_limits({library["prefix"]: min(library["num_threads"], most) for library in threadpool_info()})
        os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", str(most))
