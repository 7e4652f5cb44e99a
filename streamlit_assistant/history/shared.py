"""What all histories of one address share within a process: its connections."""

import atexit
import os
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass
class _Held(Generic[T]):
    resource: T
    users: int


class Shared(Generic[T]):
    """Opened for the first who asks for an address, closed with the last or with the process.

    A history that is never closed keeps it open: histories are made for every request and thrown
    away, and the next one would have to connect again.
    """

    def __init__(self, opened: Callable[..., T], closed: Callable[[T], None]) -> None:
        """`opened` is called with what is asked for by `acquire`; it must not wait for long."""
        self._opened = opened
        self._closed = closed
        self._held: dict[Hashable, _Held[T]] = {}
        self._lock = threading.Lock()
        atexit.register(self.close_all)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._unlock)

    def acquire(self, *address: Hashable) -> T:
        """Return what belongs to an address; it is shared by all who asked for the same."""
        key = (os.getpid(), *address)  # a forked process must not use its parent's connections
        with self._lock:
            if (held := self._held.get(key)) is None:
                held = self._held[key] = _Held(self._opened(*address), 0)
            held.users += 1
            return held.resource

    def release(self, *address: Hashable) -> None:
        """Give it back; the last one closes it."""
        key = (os.getpid(), *address)
        with self._lock:
            held = self._held.get(key)
            if held is None:
                return
            held.users -= 1
            if held.users > 0:
                return
            del self._held[key]
        self._closed(held.resource)

    def _unlock(self) -> None:
        # A thread of the parent may have held it, which the child does not have.
        self._lock = threading.Lock()

    def close_all(self) -> None:
        """Close everything that this process has opened."""
        mine = os.getpid()
        with self._lock:
            keys = [key for key in self._held if isinstance(key, tuple) and key[0] == mine]
            held = [self._held.pop(key) for key in keys]
        for one in held:
            self._closed(one.resource)
