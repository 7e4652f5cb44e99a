"""`start archive`: moves old threads out of the database, lists what left, brings it back.

It works beside the server, asks nothing, and can be ended at any time.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TextIO

from streamlit_assistant.archive.archive_errors import ArchiveError
from streamlit_assistant.archive.bringing_back import BringingBack
from streamlit_assistant.archive.moving_out import Moved, MovingOut, old_threads
from streamlit_assistant.archive.open_place import place_at
from streamlit_assistant.archive.places import Found, Place, header
from streamlit_assistant.archive.site_database import SiteDatabase, opened_database
from streamlit_assistant.archive.thread_object import Header
from streamlit_assistant.errors import StartError
from streamlit_assistant.records import Clock
from streamlit_assistant.settings import Settings
from streamlit_assistant.store.archived_threads import DatabaseTrouble, HeldBack, Removal

DONE, FAILED, MISUSED = 0, 1, 2  # exit codes
HEADERS_AT_ONCE = 8


class Unheard(Exception):
    """Whoever reads what is said is gone, or the disk that it goes to is full."""


class ArchiveCommand:
    """One call of the command."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        out: TextIO,
        complaints: TextIO,
        clock: Clock = time.time,
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._out = out
        self._complaints = complaints
        self._clock = clock

    async def run(self, given: Mapping[str, Any]) -> int:
        """Do what the flags say, tell how it went, and return the exit code."""
        moves = given.get("older_than") is not None
        if problem := _misuse(given, moves=moves):
            self._complain(f"start archive: error: {problem}")
            return MISUSED
        try:
            place = place_at(given["to"] if moves else given["from"], self._environ)
            if moves:
                return await self._move(place, given["older_than"], tries=given["dry_run"])
            place.ensure_there()
            if given["list"]:
                return await self._list(place)
            return await self._restore(place, given)
        except (ArchiveError, DatabaseTrouble, StartError) as error:
            self._complain(str(error))
            return FAILED
        except Unheard as error:
            self._complain(f"Ended, because nobody can read what is said ({error}).")
            return FAILED

    async def _move(self, place: Place, age: int, *, tries: bool) -> int:
        before = int(self._clock()) - age
        async with opened_database(self._settings) as site:
            if tries:
                return await self._plan(site, before)
            place.make()
            moving = MovingOut(site.leaving, place, self._clock)
            async with site.alone():
                moved = await moving.run(before)
            self._tell_moved(place, moved, await site.leaving.held_back(before))
        return FAILED if moved.trouble else DONE

    async def _plan(self, site: SiteDatabase, before: int) -> int:
        threads = messages = 0
        async for page in old_threads(site.leaving, before):
            for thread in page:
                self._tell(f"{thread.id}  {_day(thread.last_active_at)}  {thread.message_count:>8}")
                threads, messages = threads + 1, messages + thread.message_count
        self._tell(f"Would move {_threads(threads)} with {messages:,} messages.")
        self._tell_held_back(await site.leaving.held_back(before))
        return DONE

    def _tell_moved(self, place: Place, moved: Moved, held_back: HeldBack) -> None:
        if moved.trouble:
            self._complain(str(moved.trouble))
            self._complain("Nothing is lost; run it again once that is mended.")
        self._tell(
            f"Moved {_threads(moved.threads)} with {moved.messages:,} messages to {place} "
            f"({_size(moved.size)})."
        )
        if changed := moved.outcomes[Removal.CHANGED]:
            self._tell(f"{_threads(changed)} changed meanwhile and stayed.")
        for thread_id in moved.gone:
            self._tell(f"{thread_id} was deleted meanwhile; {place} holds a copy of it.")
        self._tell_held_back(held_back)

    def _tell_held_back(self, held_back: HeldBack) -> None:
        if held_back.at_work:
            self._tell(f"{_threads(held_back.at_work)} as old stayed: a run is active.")
        if held_back.awaited:
            self._tell(f"{_threads(held_back.awaited)} as old stayed: a mirror lacks messages.")

    async def _restore(self, place: Place, given: Mapping[str, Any]) -> int:
        code = DONE
        async with opened_database(self._settings) as site, site.alone():
            bringing = BringingBack(site, place)
            for thread_id in given["restore"]:
                try:
                    restored = await bringing.restore(
                        thread_id, removes=given["remove"], tries=given["dry_run"]
                    )
                    self._tell(f"{thread_id}: {restored}")
                except (ArchiveError, DatabaseTrouble) as error:
                    self._complain(str(error))
                    code = FAILED
        return code

    async def _list(self, place: Place) -> int:
        code, count = DONE, 0
        async for found, first_line in _headers(place):
            if isinstance(first_line, ArchiveError):
                self._complain(str(first_line))
                code = FAILED
                continue
            count += 1
            self._tell(
                f"{found.thread_id}  {_day(first_line.last_active_at)}  {first_line.messages:>8}  "
                f"{_size(found.size):>9}  {_printable(first_line.title or '')}".rstrip()
            )
        self._tell(f"{_threads(count)} in {place}.")
        return code

    def _tell(self, text: str) -> None:
        _write(self._out, text)

    def _complain(self, text: str) -> None:
        _write(self._complaints, text)


def _misuse(given: Mapping[str, Any], *, moves: bool) -> str | None:
    if moves and "from" in given:
        return "threads are moved --to a place, not --from one"
    if not moves and "to" in given:
        return "threads are listed and restored --from a place"
    if given["remove"] and "restore" not in given:
        return "--remove goes with --restore"
    return None


async def _headers(place: Place) -> AsyncIterator[tuple[Found, Header | ArchiveError]]:
    found = place.found()
    while some := await asyncio.to_thread(_next, found):
        lines = await asyncio.gather(*(asyncio.to_thread(_header, place, one) for one in some))
        for one, first_line in zip(some, lines, strict=True):
            yield one, first_line


def _next(found: Iterator[Found]) -> Sequence[Found]:
    return list(islice(found, HEADERS_AT_ONCE))


def _header(place: Place, found: Found) -> Header | ArchiveError:
    try:
        return header(place, found)
    except ArchiveError as error:
        return error


def _write(out: TextIO, text: str) -> None:
    encoding = out.encoding or "utf-8"
    try:
        # Nobody shall miss the rest because a terminal lacks a letter.
        out.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        out.flush()
    except OSError as error:
        raise Unheard(error.strerror) from error


def _threads(count: int) -> str:
    return f"{count:,} thread{'' if count == 1 else 's'}"


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _size(size: int) -> str:
    return f"{size / 1000:,.1f} kB" if size < 1_000_000 else f"{size / 1_000_000:,.1f} MB"


def _printable(text: str) -> str:
    """The same text without what would move the cursor or change the colours."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
