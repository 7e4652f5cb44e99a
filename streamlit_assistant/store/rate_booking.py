"""When requests may be sent so that a limit is kept, however whoever set it counts.

Every request is given a time, one after the other, `amount / rate` seconds apart. What was left
unused in the pause before may go at once, and is made up for afterwards: so a site at rest answers
several people at the same time, yet no second is given more than a second's worth, and no minute
more than a minute's.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Booked:
    """A limit is used up `until` then; `spare` of it may go all the same."""

    until: float = 0.0
    spare: float = 0.0


@dataclass(frozen=True)
class Limit:
    """What may be sent: `rate` each second, and `most` at the same time."""

    rate: float
    most: float

    def earliest(self, booked: Booked, amount: float, now: float) -> float:
        """Return when so much may be sent. What is too much for any pause follows at its turn."""
        if amount <= min(booked.spare, self.most):
            return now
        return max(now, booked.until)

    def book(self, booked: Booked, amount: float, slot: float) -> Booked:
        """Return what is booked once so much is to be sent at `slot`, which is not too early."""
        seconds = amount / self.rate
        if slot < booked.until:
            return Booked(booked.until + seconds, min(booked.spare, self.most) - amount)
        unused = (slot - booked.until) * self.rate
        return Booked(slot + seconds, max(min(unused, self.most - amount), 0.0))


def book(
    limits: Sequence[Limit | None],
    amounts: Sequence[float],
    booked: Sequence[Booked],
    now: float,
) -> tuple[float, list[Booked]]:
    """Return when a request may be sent that counts towards several limits, and what is booked.

    None is no limit. Amounts are above 0. Nobody overtakes: whoever asks later is not sent earlier.
    """
    each = list(zip(limits, amounts, booked, strict=True))
    slot = max([now, *(limit.earliest(b, n, now) for limit, n, b in each if limit is not None)])
    return slot, [b if limit is None else limit.book(b, n, slot) for limit, n, b in each]
