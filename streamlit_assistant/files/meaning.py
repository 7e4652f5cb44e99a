"""Search by meaning: vectors for chunks and questions, and how near they are to each other."""

import asyncio
import importlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from streamlit_assistant.store.chunk_index import ChunkIndex

if TYPE_CHECKING:
    from streamlit_assistant.files.vectors import Matrix, MatrixCache, Nearness

_VECTORS = "streamlit_assistant.files.vectors"
FILES_AT_ONCE = 50  # when vectors are loaded, so that no other reader waits long
QUESTION_SECONDS = 5.0  # somebody waits for the answer; without one the words have to do


class Embedder(Protocol):
    """Turns texts into vectors."""

    async def model(self) -> str | None:
        """Return the name under which vectors are comparable; None while there are none."""
        ...

    async def embed(
        self, texts: Sequence[str], *, attempts: int = ..., seconds: float = ...
    ) -> Sequence[Sequence[float]] | None:
        """Return a vector for each text, or None where there are none."""
        ...


class EmbedderSource(Protocol):
    """Knows who makes vectors now."""

    async def embedder(self) -> Embedder | None:
        """Return who does, or None."""
        ...


@dataclass(frozen=True)
class Embedded:
    """Vectors as they are stored, and the model that made them."""

    model: str
    vectors: list[bytes]


class Meaning:
    """Compares chunks and questions by their vectors. It keeps those of the stores asked last."""

    def __init__(self, index: ChunkIndex, source: EmbedderSource) -> None:
        self._index = index
        self._source = source
        self._cache: MatrixCache | None = None  # loaded with the first vector
        self._loading = asyncio.Lock()

    async def embed(self, texts: Sequence[str]) -> Embedded | None:
        """Return vectors for chunks, or None where there are none to be had."""
        embedder = await self._source.embedder()
        model = await embedder.model() if embedder else None
        if embedder is None or model is None or (found := await embedder.embed(texts)) is None:
            return None
        vectors = await asyncio.to_thread(importlib.import_module, _VECTORS)
        return Embedded(model, await asyncio.to_thread(vectors.packed, found))

    async def nearness(
        self,
        stores: Sequence[tuple[int, str]],
        questions: Sequence[str],
        files: Collection[int] | None,
    ) -> "Nearness | None":
        """Return how near the chunks of vector stores (`seq` and id) are; None if nobody can say.

        `files`, if given, are the only ones whose chunks count.
        """
        embedder = await self._source.embedder()
        model = await embedder.model() if embedder else None
        if embedder is None or model is None:
            return None
        matrices = [await self._matrix(seq, store_id, model) for seq, store_id in stores]
        filled = [matrix for matrix in matrices if len(matrix.rows)]
        if not filled:
            return None
        asked = await embedder.embed(questions, attempts=1, seconds=QUESTION_SECONDS)
        return await asyncio.to_thread(_nearness, filled, asked, files) if asked else None

    async def _matrix(self, store: int, store_id: str, model: str) -> "Matrix":
        async with self._loading:
            if self._cache is None:
                vectors = await asyncio.to_thread(importlib.import_module, _VECTORS)
                self._cache = vectors.MatrixCache()
            # Asked for first: what is replaced after that is another time's, and read anew.
            files = await self._index.revisions(store_id)
            known = self._cache.get(store, model)
            if files == known.files:
                return known
            missing = known.lacks(files)
            rows: list[tuple[int, int, bytes]] = []
            for at in range(0, len(missing), FILES_AT_ONCE):
                rows += await self._index.vectors(missing[at : at + FILES_AT_ONCE], model)
            matrix: Matrix = await asyncio.to_thread(known.changed, files, rows)
            self._cache.put(store, model, matrix)
            return matrix


def _nearness(
    matrices: "Sequence[Matrix]", asked: Sequence[Sequence[float]], files: Collection[int] | None
) -> "Nearness":
    vectors = importlib.import_module(_VECTORS)
    found: Nearness = vectors.Nearness(matrices, vectors.normalised(asked), files)
    return found
