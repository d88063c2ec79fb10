"""Every group of checks, by name: a new one is a file and a line here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rollouts.errors import InputError
from scoring.validation import (
    banks,
    by_hand,
    choice,
    labels,
    pairs,
    permuted_targets,
    planted_shares,
    published,
    randomisation,
    rotation,
    shifted_masks,
    untrained,
)
from scoring.validation.base import Outcome, judged
from scoring.validation.identities import identities
from scoring.validation.material import Material


@dataclass(frozen=True)
class Group:
    """How a group is run, how its details are drawn, and whether it needs the published agent."""

    run: Callable[[Material], Outcome[Any]]
    figure: Callable[[Any, Path], None] | None = None
    needs_published: bool = False


def _randomisation(m: Material) -> Outcome[randomisation.Randomisation]:
    return randomisation.randomisation(m.published_agent, *m.published_bank, m.published_level, m.progress)


def _permuted_targets(m: Material) -> Outcome[permuted_targets.PermutedTargets]:
    level = m.untrained.details.level(permuted_targets.NETWORK)
    return permuted_targets.permuted_targets(m.agent, *m.bank, level, m.progress)


GROUPS: Mapping[str, Group] = {
    "identities": Group(lambda m: identities(judged(m.subject, "channels"), m.attribution(32), m.attribution(320))),
    "planted": Group(
        lambda m: planted_shares.planted_shares(*m.bank, m.lesson, m.progress),
        planted_shares.figure,
    ),
    "untrained": Group(lambda m: m.untrained, untrained.figure),
    "randomisation": Group(_randomisation, randomisation.figure, needs_published=True),
    "permuted_targets": Group(_permuted_targets, permuted_targets.figure),
    "rotation": Group(lambda m: rotation.rotation(m.subjects, m.progress), rotation.figure),
    "shifted_masks": Group(
        lambda m: shifted_masks.shifted_masks(m.subject, "zoo agent", m.progress), shifted_masks.figure
    ),
    "by_hand": Group(lambda m: by_hand.by_hand(*m.bank, m.progress), by_hand.figure),
    "published": Group(
        lambda m: published.published(m.published_subject, m.published_controls(), m.progress),
        published.figure,
        needs_published=True,
    ),
    "choice": Group(lambda m: choice.choice(m.published_subject, m.progress), choice.figure, needs_published=True),
    "labels": Group(lambda m: labels.labels(m.published_subject, m.progress), labels.figure, needs_published=True),
    "banks": Group(
        lambda m: banks.banks(m.published_subject, m.fresh_subjects(), m.progress), banks.figure, needs_published=True
    ),
    "pairs": Group(lambda m: pairs.pairs(m.subjects, m.progress), pairs.figure, needs_published=True),
}


def chosen_groups(only: str | Sequence[str]) -> list[str]:
    """The groups to run, all or some; raises `InputError` for one that is not there."""
    names = list(GROUPS) if only == "all" else [only] if isinstance(only, str) else list(only)
    for name in names:
        if name not in GROUPS:
            raise InputError(f"only names '{name}'; the groups are {', '.join(GROUPS)}.")
    return names
