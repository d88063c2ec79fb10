"""Detectors learn what they are to detect."""

import numpy as np
import torch

from scoring.validation.detectors import run, train_detectors


def test_detectors_learn_to_tell_a_red_square_from_a_green_one() -> None:
    generator = np.random.default_rng(1)
    frames, shares = np.zeros((256, 64, 64, 3), dtype=np.uint8), np.zeros((256, 2, 16, 16), dtype=np.float32)
    for i in range(256):
        for colour in range(2):
            y, x = generator.integers(0, 16, 2)
            frames[i, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4] = 0
            frames[i, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4, colour] = 255
            shares[i, :, y, x] = 0
            shares[i, colour, y, x] = 1
    convolutions = train_detectors(frames[:224], shares[:224], seed=0, batches=150, batch=32)
    with torch.no_grad():
        detected = run(convolutions, torch.from_numpy(frames[224:])).numpy() > 0
    truth = shares[224:] > 0.25
    assert (detected & truth).sum() > 0.8 * truth.sum()
    assert (detected & truth).sum() > 0.8 * detected.sum()
