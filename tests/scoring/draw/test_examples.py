"""The grid of examples: which frame stands where."""

import numpy as np

from scoring.draw.examples import GRID, REUSE, example_grid


def test_the_grid_of_examples_is_that_of_a_slow_choice() -> None:
    activations = np.random.default_rng(0).random((40, 16, 16))
    found = example_grid(activations)
    pairs = sorted(
        (
            (activations[n, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2].max(), n, r, c)
            for n in range(40)
            for r in range(GRID)
            for c in range(GRID)
        ),
        reverse=True,
    )
    chosen: dict[tuple[int, int], int] = {}
    for _, n, r, c in pairs:
        if (r, c) not in chosen and list(chosen.values()).count(n) < REUSE:
            chosen[r, c] = n
    assert {(r, c): int(found.frame[r, c]) for r, c in chosen} == chosen
    few = example_grid(activations[:2])
    assert np.count_nonzero(few.frame < 0) == GRID * GRID - 2 * REUSE
    assert example_grid(activations[:, :5, :5]).frame.shape == (GRID, GRID)
