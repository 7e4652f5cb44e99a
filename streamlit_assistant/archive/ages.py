"""How long a thread must have been left alone: a number and a unit, such as `90d`."""

import re

UNITS = {"s": 1, "h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}
ACCEPTED = "a whole number and a unit, such as 12h, 90d, 2w or 1y (a month is 30d)"
LONGEST = 100 * UNITS["y"]


class WrongAge(ValueError):
    """The text is no age; what is accepted stands in the error."""


def seconds(age: str) -> int:
    """Return an age in seconds; raise `WrongAge`."""
    found = re.fullmatch(r"([1-9][0-9]{0,9})([shdwy])", age, re.ASCII)
    if found is None:
        raise WrongAge(f"{age!r} is no age; accepted: {ACCEPTED}")
    long = int(found[1]) * UNITS[found[2]]
    if long > LONGEST:
        raise WrongAge(f"{age!r} is longer than 100 years; accepted: {ACCEPTED}")
    return long
