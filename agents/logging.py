"""TensorBoard scalars of a training run; `docs/metrics.md` explains each."""

from pathlib import Path
from types import TracebackType

from torch.utils.tensorboard import SummaryWriter

from agents.trainer import Progress


class TrainingLog:
    """Writes each update's scalars; `resumed_at` steps discards what an earlier process wrote beyond its checkpoint."""

    def __init__(self, folder: Path, resumed_at: int) -> None:
        self.writer = SummaryWriter(str(folder), purge_step=resumed_at + 1)

    def __enter__(self) -> "TrainingLog":
        return self

    def __call__(self, progress: Progress) -> None:
        for name, value in progress.scalars.items():
            self.writer.add_scalar(name, value, progress.steps)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()
