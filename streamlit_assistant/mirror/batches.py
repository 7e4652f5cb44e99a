"""What is delivered next to a target: changes from the outbox, or threads from before its time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamlit_assistant.mirror.copies import Cleared, Removed, Step, ThreadChanges
from streamlit_assistant.records import Message
from streamlit_assistant.store import Store
from streamlit_assistant.store.mirror_changes import CLEARED, MESSAGE
from streamlit_assistant.store.mirror_outbox import Change
from streamlit_assistant.store.mirrors import Mirror

BATCH = 100  # messages at a time; some are a megabyte
PROBE = 1  # of a store that was away: to make all ready again and again would slow the chats


def batch_for(mirror: Mirror) -> int:
    """Return how much is brought at once."""
    return BATCH if mirror.away_since is None else PROBE


async def next_changes(store: Store, mirror: Mirror) -> list[ThreadChanges]:
    """Return the oldest changes of a mirror by thread, with messages that still exist."""
    changes = await store.mirror_outbox.changes(mirror.target, batch_for(mirror))
    ids = [c.message_id for c in changes if c.kind == MESSAGE and c.message_id]
    return _by_thread(changes, await store.mirror_outbox.messages(ids) if ids else {})


def _by_thread(changes: Sequence[Change], messages: Mapping[str, Message]) -> list[ThreadChanges]:
    threads: dict[str, ThreadChanges] = {}
    for change in changes:
        thread = threads.setdefault(change.thread_id, ThreadChanges(change.thread_id))
        thread.numbers.append(change.seq)
        thread.steps.extend(_steps(change, messages))
    return list(threads.values())


def _steps(change: Change, messages: Mapping[str, Message]) -> Sequence[Step]:
    if change.kind == CLEARED:
        return [Cleared()]
    if change.kind == MESSAGE:
        found = messages.get(change.message_id or "")
        return [] if found is None else [found]
    return [Removed(change.message_id or "")]


@dataclass(frozen=True)
class OldThreads:
    """Some threads from before a mirror's time.

    With these all are copied up to number `until`, and of thread `amid[0]` what is up to `amid[1]`.
    """

    threads: Sequence[ThreadChanges]
    until: int
    amid: tuple[int, int] = (0, 0)


class OldThreadReader:
    """Reads threads as they are, one after the other, long ones in pieces."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # Who takes over begins a long thread again, which does no harm.
        self._amid = (0, 0)

    async def next(self, mirror: Mirror) -> OldThreads:
        """Return the next threads of a mirror that is still copying."""
        most = batch_for(mirror)
        found = await self._store.mirror_outbox.threads_from_before(mirror, most)
        threads: list[ThreadChanges] = []
        until, room = mirror.copied_until, most
        for number, thread_id in found:
            after = self._amid[1] if self._amid[0] == number else 0
            read = await self._store.mirror_outbox.finished_of(thread_id, after, room)
            threads.append(ThreadChanges(thread_id, [message for _, message in read]))
            if len(read) == room:
                return OldThreads(threads, until, (number, read[-1][0]))
            until, room = number, room - len(read)
        # Nothing follows, whatever the numbers of threads that hold nothing.
        return OldThreads(threads, until if len(found) == most else mirror.threads_until)

    def go_on_behind(self, old: OldThreads) -> None:
        """Note that these have been copied."""
        self._amid = old.amid
