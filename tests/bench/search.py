"""How long a search over 10,000 chunks takes, by words and by meaning as well.

Run with `python -m tests.bench.search`. Limit: 30 ms in the median. The vectors are random, also
those of the questions: what a model server takes for them is not ours.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from streamlit_assistant.file_records import NewChunk, VectorStore
from streamlit_assistant.files.chunking import CHUNK_TOKENS, OVERLAP_TOKENS, chunk
from streamlit_assistant.files.meaning import EmbedderSource
from streamlit_assistant.files.search import FileSearch
from streamlit_assistant.files.terms import Analyzer
from streamlit_assistant.store import Store, sqlite_url
from tests.bench.figures import milliseconds, progress, show, spread
from tests.bench.texts import chinese, english
from tests.files.shelf import NoEmbeddings, Shelf

CHUNKS = 10_000
FILES = 100
LIMIT = 0.030  # seconds
QUESTIONS = {
    "English": (english, 1_480_000, "how do people learn to answer letters about {}"),
    "Chinese": (chinese, 1_000_000, "{}的管理方法有哪些？"),
}
"""Of each language: the texts, bytes for a thousand chunks, and what is asked."""


class RandomEmbeddings:
    """A model that has never learned anything."""

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions
        self._chance = np.random.default_rng(1)

    async def embedder(self) -> "RandomEmbeddings":
        """Return itself."""
        return self

    async def model(self) -> str:
        """Return a name of its own for each size."""
        return f"random/{self._dimensions}"

    async def embed(
        self, texts: Sequence[str], *, attempts: int = 1, seconds: float = 1.0
    ) -> list[list[float]]:
        """Return any vectors."""
        rows: list[list[float]] = self._chance.standard_normal(
            (len(texts), self._dimensions)
        ).tolist()
        return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=100)
    times = parser.parse_args().times
    rows = []
    for language in QUESTIONS:
        with tempfile.TemporaryDirectory() as folder:
            rows += asyncio.run(measure(Path(folder), language, times))
    show(
        f"Searching {CHUNKS:,} chunks, {times} times each "
        f"(limit: {milliseconds(LIMIT)} in the median)",
        ["search", "p50", "p95", "max", "the first"],
        rows,
    )


async def measure(folder: Path, language: str, times: int) -> list[list[str]]:
    """Fill a vector store for each way of searching, and ask."""
    store = Store(sqlite_url(folder / "bench.db"), time.time)
    await store.open()
    try:
        documents = _documents(language)
        ways: dict[str, EmbedderSource] = {
            "by words": NoEmbeddings(),
            "with vectors of 256": RandomEmbeddings(256),
            "with vectors of 1536": RandomEmbeddings(1536),
        }
        rows = []
        for way, source in ways.items():
            progress(f"{language}, {way}")
            shelf = Shelf(store, FileSearch(store, source))
            where = await _filled(shelf, documents)
            seconds = [await _asked(shelf, where, question) for question in _asks(language, times)]
            rows.append([f"{language}, {way}", *spread(seconds[1:]), milliseconds(seconds[0])])
        return rows
    finally:
        await store.close()


def _documents(language: str) -> list[list[NewChunk]]:
    texts, size, _ = QUESTIONS[language]
    analyzer, chunks = Analyzer(), list[NewChunk]()
    for seed in range(1_000):
        chunks += chunk(texts(size, seed), CHUNK_TOKENS, OVERLAP_TOKENS, analyzer)
        if len(chunks) >= CHUNKS:
            break
    size = CHUNKS // FILES
    return [chunks[at : at + size] for at in range(0, CHUNKS, size)]


async def _filled(shelf: Shelf, documents: Sequence[Sequence[NewChunk]]) -> VectorStore:
    where = await shelf.vector_store()
    for number, chunks in enumerate(documents):
        await shelf.index(await shelf.wait(where, filename=f"{number}.txt"), chunks)
    return where


def _asks(language: str, times: int) -> list[str]:
    """Ask for something else each time: a word of the texts, by chance."""
    texts, _, question = QUESTIONS[language]
    chance, sample = random.Random(7), texts(20_000, 0)
    words = sample.split() if language == "English" else [sample[i : i + 2] for i in range(2_000)]
    return [question.format(chance.choice(words)) for _ in range(times + 1)]


async def _asked(shelf: Shelf, where: VectorStore, question: str) -> float:
    began = time.perf_counter()
    found = await shelf.find(where, query=question, max_num_results=20)
    took = time.perf_counter() - began
    assert found
    return took


if __name__ == "__main__":
    main()
