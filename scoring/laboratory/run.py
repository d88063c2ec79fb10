"""The laboratory from end to end: maps of every method, every test of them, test by test."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from annotated_types import Interval

from agents.checkpoint import Agent, fingerprint
from rollouts.bank import FrameBank, content_sha256
from rollouts.errors import InputError
from rollouts.files import atomic_path
from rollouts.progress import Track, silent, untracked
from rollouts.ranges import Seed, check_ranges
from scoring.explain.base import Maps, target_output
from scoring.explain.pixels.base import function_of
from scoring.explain.pixels.methods import ALL, Listed, methods_named
from scoring.explain.pixels.objects import removals
from scoring.explain.scenes import Scenes, scenes_of
from scoring.laboratory.base import Bench, Row, Test
from scoring.laboratory.registry import named_tests
from scoring.laboratory.report import maps_figure

PARTS = "parts"
CODE = 1
"""The version of methods and tests: raised with any change by which the same agent and bank get other numbers."""
COLUMNS = ("agent", "test", "method", "target", "statistic", "value", "low", "high", "frames", "passes", "note")


@dataclass(frozen=True)
class LaboratoryConfig:
    """Which methods and tests, what is explained, on how many frames of the bank, from which seed."""

    methods: tuple[str, ...] = (ALL,)
    tests: tuple[str, ...] = (ALL,)
    targets: tuple[str, ...] = ("value",)
    scenes: Annotated[int, Interval(ge=2, le=1_000_000)] = 128
    seed: Seed = 0

    def __post_init__(self) -> None:
        check_ranges(self)


def check(agent: Agent, config: LaboratoryConfig) -> tuple[dict[str, Listed], dict[str, Test]]:
    """The methods and tests that are asked for; raises `InputError` for one, or a target, that is not there."""
    methods, tests = methods_named(config.methods), named_tests(config.tests)
    for target in config.targets:
        target_output(agent.network, target)
    return methods, tests


def run(
    name: str, agent: Agent, bank: FrameBank, config: LaboratoryConfig, folder: Path, track: Track = untracked
) -> pd.DataFrame:
    """Every test on every method, one row a statistic (`COLUMNS`).

    Each test's rows are written when it is done, and not made again while agent, bank and settings are the same. A test
    that fails leaves the others their rows, and is raised at the end. Raises `InputError` before any work as `check`
    and `scenes_of` do.
    """
    methods, tests = check(agent, config)
    bank.check_options(agent.options, name)
    parts = [(test, target) for target in config.targets for test in tests]
    paths = {part: folder / PARTS / _file(*part, agent, bank, config) for part in parts}
    failure: Exception | None = None
    if any(not path.exists() for path in paths.values()):
        with track("Masking", config.scenes) as update:
            scenes = scenes_of(bank, config.scenes, update)
        for target in config.targets:
            missing = [test for test in tests if not paths[test, target].exists()]
            if not missing:
                continue
            bench = prepare(name, agent, scenes, target, methods, config, track)
            maps_figure(folder / f"maps-{_word(target)}.png", bench)
            for test in missing:
                try:
                    with track(f"{test} of {target}", len(bench.methods)) as update:
                        rows = tests[test](bench, update)
                    write_table(paths[test, target], table(name, rows))
                except Exception as error:  # raised below, when the other tests are done
                    failure = failure or error
    if failure is not None:
        raise failure
    return pd.concat([pd.read_parquet(path) for path in paths.values()], ignore_index=True)


def prepare(
    name: str,
    agent: Agent,
    scenes: Scenes,
    target: str,
    methods: Mapping[str, Listed],
    config: LaboratoryConfig,
    track: Track = untracked,
) -> Bench:
    """The methods' maps of a target; of `all`, those that cannot explain it are left out, any other raises."""
    maps: dict[str, Maps] = {}
    with track(f"Explaining {target} of {name}", len(methods) * len(scenes)) as update:
        for method, listed in methods.items():
            try:
                maps[method] = listed.draw(agent, scenes, target, config.seed, partial(update, note=method))
            except InputError:
                if config.methods != (ALL,):
                    raise
                update(len(scenes), method)
    for method, drawn in maps.items():
        if not np.isfinite(drawn).all():
            raise InputError(f"{method} of {name} is not finite; the network's {target} cannot be explained.")
    reference = removals(function_of(agent, target), scenes, silent)
    known = {method: methods[method] for method in maps}
    return Bench(agent, scenes, target, config.seed, known, maps, tuple(reference))


def table(name: str, rows: Sequence[Row]) -> pd.DataFrame:
    """Rows as a table of `COLUMNS`."""
    records = [
        {
            "agent": name,
            **{key: getattr(row, key) for key in ("test", "method", "target", "statistic", "frames", "passes", "note")},
            "value": row.number.value,
            "low": row.number.low,
            "high": row.number.high,
        }
        for row in rows
    ]
    frame = pd.DataFrame(records, columns=list(COLUMNS))
    return frame.astype({"value": float, "low": float, "high": float, "passes": "boolean"})


def _file(test: str, target: str, agent: Agent, bank: FrameBank, config: LaboratoryConfig) -> str:
    """A part's file is named after all that its rows depend on."""
    settings = {key: value for key, value in asdict(config).items() if key not in ("tests", "targets")}
    digest = hashlib.sha256(repr((CODE, fingerprint(agent), content_sha256(bank), settings)).encode())
    return f"{test}-{_word(target)}-{digest.hexdigest()[:12]}.parquet"


def _word(target: str) -> str:
    return target.replace(":", "-")


def write_table(path: Path, rows: pd.DataFrame) -> None:
    """Write rows as Parquet, atomically."""
    with atomic_path(path) as temporary:
        rows.to_parquet(temporary, index=False)
