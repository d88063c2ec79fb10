"""Every test of the laboratory, by name: a new one is a file and a line here."""

from collections.abc import Mapping, Sequence

from scoring.explain.pixels.methods import entries_named
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
    """The tests of these names; raises `InputError` as `entries_named` does."""
    return entries_named(TESTS, names, "tests")
