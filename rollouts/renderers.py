"""What reads, edits and draws the states of each game."""

from collections.abc import Callable, Mapping

import numpy as np

from rollouts.bank import BankError, FrameBank
from rollouts.coinrun.masks import CoinRunRenderer
from rollouts.masks import Renderer

RENDERERS: Mapping[str, Callable[[], Renderer]] = {"coinrun": CoinRunRenderer}
"""Every game there is, by name: a new one is a folder with a table, and a line here."""
SAMPLED = 16


def renderer_of(bank: FrameBank) -> Renderer:
    """What draws a bank's states, after a sample of them was found to give the bank's frames.

    The sample is spread evenly over the bank, the frames one step later included. Raises `BankError` when another
    build of the renderer drew the bank, or its frames are not those of its states, and `StateError` for a state that
    the game could not draw.
    """
    bank.check_renderer()
    renderer = RENDERERS[bank.options.game]()
    for i in np.unique(np.linspace(0, len(bank) - 1, SAMPLED).astype(int)):
        pairs = [("frame", bank.states[i], bank.frames[i])]
        if bank.next_states is not None and bank.next_frames is not None:
            pairs.append(("next frame", bank.next_states[i], bank.next_frames[i]))
        for what, state, frame in pairs:
            if not np.array_equal(renderer.render(renderer.parse(state)), frame):
                raise BankError(
                    f"The bank's {what} {i} is not what its state shows: its frames and states do not belong together."
                )
    return renderer
