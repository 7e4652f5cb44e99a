"""PostgreSQL's full-text index: it finds and ranks as SQLite's does."""

from collections.abc import AsyncIterator

import pytest

from streamlit_assistant.file_records import VectorStore
from streamlit_assistant.files.terms import Analyzer
from streamlit_assistant.store import Store, postgres_chunk_index
from tests.bench.texts import chinese, english
from tests.conftest import FakeClock, opened_store
from tests.files.shelf import Shelf

QUESTIONS = ("how do people answer letters about work", "管理方法", "the time of the year")


@pytest.fixture
async def postgres_store(postgres_url: str, clock: FakeClock) -> AsyncIterator[Store]:
    async with opened_store(postgres_url, clock) as opened:
        yield opened


async def filled(store: Store) -> tuple[Shelf, VectorStore, VectorStore]:
    """Two vector stores with the same texts, the first one and a half times."""
    shelf = Shelf(store)
    one, other = await shelf.vector_store(), await shelf.vector_store()
    for seed in range(3):
        for text in (english(60_000, seed), chinese(30_000, seed)):
            await shelf.put(one, text)
            if seed < 2:
                await shelf.put(other, text)
    return shelf, one, other


async def test_both_databases_rank_alike(postgres_store: Store, sqlite_store: Store) -> None:
    ranked = []
    for store in (postgres_store, sqlite_store):
        _, one, other = await filled(store)
        index = store.chunk_index
        for question in QUESTIONS:
            words = [term.text for term in Analyzer().of_query(question)]
            for stores in ([other.seq], [one.seq, other.seq]):
                known = await index.frequencies(stores, words)
                ranked.append((known, await index.matches(stores, known, 1_000)))

    half = len(ranked) // 2
    for (known, found), (known_too, expected) in zip(ranked[:half], ranked[half:], strict=True):
        assert known == known_too
        assert known.words
        scores, expected_scores = dict(found), dict(expected)
        assert scores.keys() == expected_scores.keys()
        best = max(expected_scores.values())
        for seq, score in scores.items():
            # How often a word stands in a chunk is known roughly; so is what is usual.
            assert score == pytest.approx(expected_scores[seq], rel=0.25, abs=0.05 * best)


async def test_a_common_word_is_looked_for_in_its_vector_store_alone(
    postgres_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, one, other = await filled(postgres_store)
    index = postgres_store.chunk_index
    known = await index.frequencies([other.seq], ["peopl", "learn"])
    found = [await index.matches(stores, known, 1_000) for stores in ([one.seq], [other.seq])]
    monkeypatch.setattr(postgres_chunk_index, "COMMON", 1)

    assert [await index.matches([where.seq], known, 1_000) for where in (one, other)] == found
    both = await index.matches([one.seq, other.seq], known, 1_000)
    assert {seq for seq, _ in both} == {seq for some in found for seq, _ in some}


async def test_what_stands_in_very_many_chunks_is_estimated(
    postgres_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, one, _ = await filled(postgres_store)
    index = postgres_store.chunk_index
    exact = await index.frequencies([one.seq], ["peopl", "管理"])
    monkeypatch.setattr(postgres_chunk_index, "MOST_COUNTED", 20)

    estimated = await index.frequencies([one.seq], ["peopl", "管理", "nowhere"])

    assert estimated.words.keys() == exact.words.keys()
    assert min(exact.words.values()) > 20
    for word, count in exact.words.items():
        assert estimated.words[word] == pytest.approx(count, rel=0.7)
