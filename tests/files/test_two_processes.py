"""Two processes add, read and delete the same few contents at once, and nothing goes missing.

On SQLite they share a folder; on PostgreSQL each has a machine of its own.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from streamlit_assistant.errors import NotFound
from streamlit_assistant.file_records import File
from streamlit_assistant.files.blobs import PIECE_BYTES
from streamlit_assistant.records import PageQuery
from streamlit_assistant.store import Store
from tests.conftest import FakeClock, opened_store
from tests.factories import OWNER
from tests.files.blob_sites import Process, stream

pytestmark = pytest.mark.both_databases

CONTENTS = (b"", b"one", b"two", b"3" * (PIECE_BYTES + 1))
SEEDS = 3
PEOPLE = 4  # at each process
DEEDS = 8  # of each


@pytest.fixture
async def site(
    store: Store, database_url: str, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[tuple[Process, Process]]:
    folders = [tmp_path / name for name in ("ab" if store.is_shared else "aa")]
    async with opened_store(database_url, clock) as second:
        yield (
            await Process.begin(store, folders[0], clock),
            await Process.begin(second, folders[1], clock),
        )


async def read(process: Process, file: File) -> bytes:
    pieces = await process.library.read(file)
    return b"".join([piece async for piece in pieces])


class Person:
    """Somebody who does this and that with files, in an order that the seed decides."""

    def __init__(self, chance: random.Random, process: Process, files: dict[str, bytes]) -> None:
        self._chance = chance
        self._process = process
        self._files = files  # everybody's, by id; what is not listed may be gone

    async def act(self) -> None:
        for _ in range(DEEDS):
            deed = self._chance.choice((self.add, self.add, self.upload, self.read, self.delete))
            for _ in range(self._chance.randrange(4)):
                await asyncio.sleep(0)
            await deed()
        await self._process.library.keep_house()

    async def add(self) -> None:
        content = self._chance.choice(CONTENTS)
        self._files[(await self._process.library_add(content)).id] = content

    async def upload(self) -> None:
        """Add in two parts, which are contents of files as well, or give it up."""
        library = self._process.library
        contents = self._chance.choices(CONTENTS, k=2)
        whole = b"".join(contents)
        upload = await library.create_upload(OWNER, "a.txt", "assistants", len(whole), "")
        drafts = [await library.receive(stream(content)) for content in contents]
        parts = [await library.add_part(OWNER, upload.id, draft) for draft in drafts]
        if self._chance.random() < 0.3:
            await library.cancel(OWNER, upload.id)
            return
        _, file = await library.complete(OWNER, upload.id, [part.id for part in parts])
        self._files[file.id] = whole

    async def read(self) -> None:
        for file_id, content in self._chosen():
            try:
                file = await self._process.library.get(OWNER, file_id)
                assert await read(self._process, file) == content
            except NotFound:
                assert file_id not in self._files, "only what somebody deletes is unknown"

    async def delete(self) -> None:
        for file_id, _ in self._chosen():
            del self._files[file_id]
            await self._process.library.delete(OWNER, file_id)

    def _chosen(self) -> list[tuple[str, bytes]]:
        return self._chance.sample(sorted(self._files.items()), min(1, len(self._files)))


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_every_file_that_is_there_can_be_read(
    site: tuple[Process, Process], seed: int
) -> None:
    chance = random.Random(seed)
    files: dict[str, bytes] = {}
    people = [Person(chance, process, files) for process in site for _ in range(PEOPLE)]

    await asyncio.gather(*(person.act() for person in people))

    for process in site:
        listed = await process.library.page(OWNER, PageQuery(limit=1000))
        assert {file.id for file in listed.items} == set(files)
        for file in listed.items:
            assert await read(process, file) == files[file.id]
    assert sorted(await site[0].kept()) == sorted({file.sha256 for file in listed.items})

    await asyncio.gather(*(site[n % 2].delete(file) for n, file in enumerate(listed.items)))
    for process in site:
        await process.library.keep_house()
        assert (await process.kept(), await process.drafts(), process.cached) == ([], 0, [])
    assert list(site[0].folder.rglob("incoming/*")) == []


async def test_a_file_that_expires_is_removed_once(
    site: tuple[Process, Process], clock: FakeClock
) -> None:
    for content in CONTENTS:
        await site[0].library.add(OWNER, "a", "vision", stream(content), expires_after=3600)
    clock.now += 3600

    await asyncio.gather(*(process.library.keep_house() for process in site))

    assert await site[0].kept() == []


async def test_one_of_two_deletions_at_once_finds_the_file(
    site: tuple[Process, Process],
) -> None:
    file = await site[0].library_add(b"text")

    ends = await asyncio.gather(*(process.delete(file) for process in site), return_exceptions=True)

    assert [end for end in ends if end is not None and not isinstance(end, NotFound)] == []
    assert None in ends
    assert await site[1].kept() == []
    with suppress(NotFound):
        pytest.fail(str(await site[0].library.get(OWNER, file.id)))
