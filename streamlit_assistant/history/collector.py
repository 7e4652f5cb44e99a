"""Python's garbage collector, which looks again and again through messages that are all kept."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_resting(wanted: bool) -> Iterator[None]:
    """Let nobody look for garbage among many objects that are all kept: it takes half the time."""
    if not (wanted and gc.isenabled()):
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
