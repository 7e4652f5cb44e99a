"""Threads come back from the archive into the database, each of them whole or not at all."""

import asyncio
import hashlib
import os
import pickle
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import IO

from streamlit_assistant.archive.archive_errors import ArchiveError
from streamlit_assistant.archive.places import Place, check, file_chunks, temporary_file
from streamlit_assistant.archive.site_database import SiteDatabase
from streamlit_assistant.archive.thread_object import Checked, parsed, pieces, rows
from streamlit_assistant.json_text import to_json
from streamlit_assistant.store.archived_return import ReadyRows, ready
from streamlit_assistant.store.archived_rows import TABLES, StoredRow

# Where a row stands among all others, which another database counts anew.
PLACES = frozenset({"seq", "last_message_seq"})


class Restored(StrEnum):
    """What became of a thread that was to come back."""

    STORED = "restored"
    PRESENT = "in the database already, as it is in the archive"
    READABLE = "can be restored"


class BringingBack:
    """Restores threads from a place."""

    def __init__(self, site: SiteDatabase, place: Place) -> None:
        self._site = site
        self._place = place

    async def restore(self, thread_id: str, *, removes: bool, tries: bool) -> Restored:
        """Store a thread and, if asked, remove its object; with `tries` only see if that can be.

        Raises `ArchiveError` and `DatabaseTrouble`; then nothing was changed.
        """
        with self._place.fetched(thread_id) as file:
            checked = await asyncio.to_thread(check, self._place, thread_id, file_chunks(file))
            _ensure_known(thread_id, checked.columns)
            present = await self._site.leaving.own_line(thread_id) is not None
            if present and not await self._is_same(checked, file):
                raise ArchiveError(
                    f"{thread_id} is in the database with another content than in {self._place}; "
                    "nothing was changed. It can be restored once that thread is deleted."
                )
            if tries:
                return Restored.PRESENT if present else Restored.READABLE
            if not present:
                await self._put(checked, file)
        if removes:
            await asyncio.to_thread(self._site.settle)
            await asyncio.to_thread(self._place.remove, thread_id)
        return Restored.PRESENT if present else Restored.STORED

    async def _put(self, checked: Checked, file: IO[bytes]) -> None:
        with temporary_file() as prepared:

            def prepare() -> None:
                for piece in pieces(file_chunks(file)):
                    pickle.dump(ready(piece), prepared, pickle.HIGHEST_PROTOCOL)

            def stored() -> Iterator[ReadyRows]:
                end = prepared.seek(0, os.SEEK_END)
                prepared.seek(0)
                while prepared.tell() < end:
                    yield pickle.load(prepared)

            await asyncio.to_thread(prepare)
            await self._site.returning.put(checked.header.thread_id, stored, checked.newest)

    async def _is_same(self, checked: Checked, file: IO[bytes]) -> bool:
        there = Content(checked.columns)
        async for piece in self._site.leaving.pieces(checked.header.thread_id):
            for line in piece.lines:
                there.add(parsed(line))
        here = Content(checked.columns)
        for row in rows(file_chunks(file)):
            here.add(row)
        return there.sha256 == here.sha256


class Content:
    """A hash of what some columns of rows hold, wherever the rows stand among others."""

    def __init__(self, columns: Mapping[str, Iterable[str]]) -> None:
        """`columns` of each table that count: a newer database has some that an object lacks."""
        self._columns = {table: sorted(set(names) - PLACES) for table, names in columns.items()}
        self._hash = hashlib.sha256()

    def add(self, row: StoredRow) -> None:
        """Take in a row."""
        held = [row.values[name] for name in self._columns.get(row.table, ())]
        self._hash.update(f"{to_json([row.table, held])}\n".encode())

    @property
    def sha256(self) -> str:
        """The hash of what was taken in."""
        return self._hash.hexdigest()


def _ensure_known(thread_id: str, columns: Mapping[str, Iterable[str]]) -> None:
    for table, names in columns.items():
        if unknown := set(names) - set(TABLES[table].c.keys()):
            raise ArchiveError(
                f"{thread_id} cannot be restored: this version does not know "
                f"{', '.join(sorted(unknown))} of {table}."
            )
