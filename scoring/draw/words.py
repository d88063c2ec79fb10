"""Numbers as people read them."""

from collections.abc import Sequence

from scoring.metrics.statistics import Number

NONE = "–"


def plain(value: float | None, form: str = ".3f") -> str:
    """A number with a true minus sign; a dash where there is none (None or nan)."""
    return NONE if value is None or value != value else format(value, form).replace("-", "−")


def with_interval(number: Number, form: str = ".2f", between: str = " to ") -> str:
    """'0.31 (0.20 to 0.42)', or a dash where there is no number; `between` stands between the limits."""
    if number.value is None or number.interval is None:
        return NONE
    low, high = number.interval
    return f"{plain(number.value, form)} ({plain(low, form)}{between}{plain(high, form)})"


def percent(share: float | None, digits: int = 1) -> str:
    """'63.3%'"""
    return NONE if share is None or share != share else f"{share:.{digits}%}"


def percent_with_interval(share: float, interval: tuple[float, float], digits: int = 1, between: str = " to ") -> str:
    """'63.3% (61.2% to 65.4%)'"""
    return f"{share:.{digits}%} ({interval[0]:.{digits}%}{between}{interval[1]:.{digits}%})"


def listed(names: Sequence[str]) -> str:
    """'coin, saw and enemy'; 'none' for none."""
    if not names:
        return "none"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
