"""Serving a study until somebody ends it, in a process that holds nothing of what made it.

python -m scoring.rating.serving FOLDER PORT
"""

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from rollouts.errors import InputError
from rollouts.locks import locked
from scoring.rating.answers import Answers
from scoring.rating.served import ANSWERS, served
from scoring.rating.server import RatingServer

ROOT = Path(__file__).parents[2]


def turn_into_server(folder: Path, port: int) -> NoReturn:
    """Replace this process, and all the memory that making a study took, by one that serves the study in a folder."""
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    sys.stdout.flush()
    sys.stderr.flush()
    command = [sys.executable, "-m", "scoring.rating.serving", str(folder), str(port)]
    os.execve(sys.executable, command, os.environ | {"PYTHONPATH": paths})


def serve(folder: Path, port: int) -> None:
    """Serve until Ctrl+C or SIGTERM, which a process started in the background would else not hear.

    The page's address is printed, and at the end how many answers there are.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    answers = Answers(folder / ANSWERS)
    with locked(folder), RatingServer(folder, served(folder), answers, port) as server:
        print(f"The rating page of {folder}: {server.address} (Ctrl+C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print(f"{len(answers.all())} answers are in {answers.path}.", flush=True)


if __name__ == "__main__":
    try:
        serve(Path(sys.argv[1]), int(sys.argv[2]))
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
