"""What is said of unseen levels beside their completion: on easy many begin as a level that was trained on."""

from collections.abc import Iterable
from math import log

from rollouts.env import EnvOptions
from rollouts.layouts import KNOWN_SHARES
from scoring.draw.words import percent

MODE = "easy"
"""The mode whose themes are few: on hard at most 3 % of unseen levels begin with a picture that was trained on."""


def on_unseen_levels(agents: Iterable[EnvOptions]) -> str | None:
    """A sentence on the unseen levels of agents that were trained on easy, None where none was.

    What it tells was measured for certain numbers of training levels, of which it takes the nearest.
    """
    easy = [options for options in agents if options.distribution_mode == MODE]
    measured = {_nearest(options): KNOWN_SHARES[options.game][MODE][_nearest(options)] for options in easy}
    if not measured:
        return None
    (fewest, (layout, picture)), *more = sorted(measured.items())
    shares = [f"with {fewest:,} training levels {percent(layout)} of them have the layout of one of those"]
    shares[0] += f" ({percent(picture)} its themes, too)"
    shares += [f"with {count:,} {percent(layout)} ({percent(picture)})" for count, (layout, picture) in more]
    return f"On easy unseen levels are not all new: {', '.join(shares)}; docs/metrics.md."


def _nearest(options: EnvOptions) -> int:
    """The number of training levels that was measured and is nearest; the highest for all levels."""
    measured = KNOWN_SHARES[options.game][MODE]
    return min(measured, key=lambda count: abs(log(count) - log(options.num_levels or max(measured))))
