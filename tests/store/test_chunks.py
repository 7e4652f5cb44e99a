"""Chunks in the database: replaced as a whole, gone with their file, told without repetition."""

import pytest
from sqlalchemy import text

from streamlit_assistant.file_records import NewChunk, WaitingFile
from streamlit_assistant.files.chunking import chunk
from streamlit_assistant.files.terms import Analyzer
from streamlit_assistant.store import Store
from tests.bench.texts import english
from tests.factories import OWNER
from tests.files.shelf import Shelf

pytestmark = pytest.mark.both_databases

CHUNKS = [NewChunk("one two", "one two", 0), NewChunk("two three", "two three", 4)]


@pytest.fixture
def shelf(store: Store) -> Shelf:
    return Shelf(store)


@pytest.fixture
async def waiting(shelf: Shelf) -> WaitingFile:
    return await shelf.wait(await shelf.vector_store())


async def count(store: Store, table: str) -> int:
    async with store._database.read() as connection:
        return int((await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar() or 0)


async def test_texts_come_in_order_without_what_chunks_share(
    store: Store, waiting: WaitingFile
) -> None:
    whole = english(40_000).strip()
    cut = chunk(whole, 200, 100, Analyzer())

    await store.chunks.replace(waiting, cut)

    texts = await store.chunks.texts(waiting.file.seq)
    assert len(texts) == len(cut)
    assert "".join("".join(texts).split()) == "".join(whole.split())


async def test_overlap_is_told_once(store: Store, waiting: WaitingFile) -> None:
    await store.chunks.replace(waiting, CHUNKS)

    assert await store.chunks.texts(waiting.file.seq) == ["one two", "three"]


async def test_new_chunks_take_the_place_of_the_old(store: Store, waiting: WaitingFile) -> None:
    for _ in range(2):
        await store.chunks.replace(waiting, CHUNKS)

    assert (await count(store, "chunks"), await count(store, "chunk_terms")) == (2, 2)


async def test_more_chunks_than_a_transaction_takes_are_all_written(
    store: Store, waiting: WaitingFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.chunk_index, "piece", 2)
    many = [NewChunk(f"chunk {number}", f"w{number}", 10 * number) for number in range(5)]

    await store.chunks.replace(waiting, many, [b"1234"] * 5, "m")

    assert await store.chunks.texts(waiting.file.seq) == [piece.text for piece in many]
    vectors = await store.chunk_index.vectors([waiting.file.seq], "m")
    assert [vector for _, _, vector in vectors] == [b"1234"] * 5


async def test_a_file_that_is_no_longer_wanted_gets_no_chunks(
    store: Store, waiting: WaitingFile
) -> None:
    await store.vector_store_files.remove(waiting.file.vector_store_id, waiting.file.id)

    await store.chunks.replace(waiting, CHUNKS)

    assert await count(store, "chunks") == 0


async def test_chunks_go_with_their_file_from_the_index_too(
    shelf: Shelf, store: Store, waiting: WaitingFile
) -> None:
    await shelf.index(waiting, CHUNKS)

    await store.files.delete(OWNER, waiting.file.id)

    assert (await count(store, "chunks"), await count(store, "chunk_terms")) == (0, 0)


async def test_words_are_indexed_as_they_are_given(shelf: Shelf, store: Store) -> None:
    words = ["v1.2.3", "foo_bar", "c++", "c#", "a@b.c", "gpt-4", "年假", "𠀀𠀁", "ру", "naïve"]
    waiting = await shelf.wait(await shelf.vector_store())
    await shelf.index(waiting, [NewChunk("all of them", " ".join(words))])

    for word in words:
        known = await store.chunk_index.frequencies([waiting.store_seq], [word])
        assert known.words == {word: 1}
        assert len(await store.chunk_index.matches([waiting.store_seq], known, 10)) == 1
