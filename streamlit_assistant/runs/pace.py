"""How fast processes notice each other and what each other does; tests are in a hurry."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """All in seconds. Two heartbeats may get lost before a lease is over."""

    heartbeat: float = 2.5
    lease: float = 10.0  # together with a heartbeat: the time after which a dead process is missed
    look: float = 1.0  # how often what a signal should have told is looked for all the same
    flush: float = 0.1  # events are stored in groups of so long
    shared_flush: float = 0.02  # the same while followers may be in other processes
    mirror_pause: float = 30.0  # between tries at a store that gets copies and is away, at most
    drain: float = 5.0  # how long running answers may go on when the process is told to end
