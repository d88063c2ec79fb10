"""Serving a study until somebody ends it."""

import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from rollouts.errors import InputError
from scoring.rating.answers import Answers
from scoring.rating.server import RatingServer
from scoring.rating.settings import RatingConfig
from scoring.rating.study import ANSWERS, load


def serve(
    folder: Path,
    port: int,
    raters: Sequence[str],
    agents: Sequence[str],
    settings: RatingConfig,
    say: Callable[[str], None],
) -> None:
    """Serve a study until Ctrl+C or SIGTERM, which a process started in the background would else not hear.

    `raters` are added to those who are there. `agents` are the weights (SHA-256) and `settings` what the study is asked
    for with; without agents any study will do. `say` is told the page's address, and at the end how many answers there
    are. Raises `InputError` for a study without raters, or of other agents or settings.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    study = load(folder)
    study.check_agents()
    if agents:
        study.check_same(agents, settings, folder)
    answers = Answers(folder / ANSWERS)
    answers.add_raters(raters)
    if not answers.raters():
        raise InputError("The study has no raters yet; raters=[…] names them.")
    with RatingServer(folder, study, answers, port) as server:
        say(f"The rating page of {folder}: {server.address} (Ctrl+C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say(f"{len(answers.all())} answers are in {answers.path}.")
