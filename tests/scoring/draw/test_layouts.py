"""What is said beside the completion of unseen levels."""

from rollouts.env import EnvOptions
from scoring.draw.layouts import on_unseen_levels


def easy(*levels: int) -> list[EnvOptions]:
    return [EnvOptions("easy", num_levels=count) for count in levels]


def test_on_easy_it_is_told_how_many_unseen_levels_have_a_known_layout() -> None:
    assert on_unseen_levels(easy(200)) == (
        "On easy unseen levels are not all new: with 200 training levels 16.6% of them have the layout of one of those "
        "(7.7% its themes, too); docs/metrics.md."
    )
    several = on_unseen_levels(easy(1000, 200, 230))
    assert several is not None
    assert several.endswith("(7.7% its themes, too), with 1,000 28.4% (13.1%); docs/metrics.md.")
    assert "with 100,000 training levels 36.0%" in (on_unseen_levels(easy(0)) or "")


def test_on_hard_nothing_is_told() -> None:
    assert on_unseen_levels([EnvOptions("hard", num_levels=200)]) is None
    assert on_unseen_levels([EnvOptions("hard"), *easy(100)]) == on_unseen_levels(easy(100))
