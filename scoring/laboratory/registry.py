"""Every test of the laboratory, by name: a new one is a file and a line here."""

from collections.abc import Mapping, Sequence

from rollouts.errors import InputError
from scoring.explain.pixels.methods import ALL
from scoring.laboratory.base import Test
from scoring.laboratory.claims import claims
from scoring.laboratory.deletion import deletion
from scoring.laboratory.localisation import localisation
from scoring.laboratory.objects import objects
from scoring.laboratory.randomisation import randomisation
from scoring.laboratory.recovery import recovery
from scoring.laboratory.surrogates import surrogates

TESTS: Mapping[str, Test] = {
    "objects": objects,
    "localisation": localisation,
    "deletion": deletion,
    "randomisation": randomisation,
    "recovery": recovery,
    "claims": claims,
    "surrogates": surrogates,
}


def named_tests(names: Sequence[str]) -> dict[str, Test]:
    """The tests of these names, or of `all`, in the table's order; raises `InputError` for one that is not there."""
    asked = list(TESTS) if tuple(names) == (ALL,) else list(names)
    for name in asked:
        if name not in TESTS:
            raise InputError(f"tests has '{name}'; it can have {', '.join(TESTS)}, or be all.")
    return {name: test for name, test in TESTS.items() if name in asked}
