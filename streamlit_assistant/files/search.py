"""Search over vector stores: by words always, by meaning too where the model server has embeddings.

How results are scored is told in `ranking`.
"""

import asyncio
import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from streamlit_assistant.file_records import NewChunk, SearchQuery, SearchResult, WaitingFile
from streamlit_assistant.files.attribute_filter import matches
from streamlit_assistant.files.meaning import Embedded, EmbedderSource, Meaning
from streamlit_assistant.files.ranking import (
    WordQuery,
    accidents,
    blended,
    choose,
    telling_words,
    typical,
    weigh,
)
from streamlit_assistant.files.terms import Analyzer, QueryTerm, parts
from streamlit_assistant.records import JSON
from streamlit_assistant.store import Store
from streamlit_assistant.store.chunk_index import ChunkWords, FoundChunk

if TYPE_CHECKING:
    from streamlit_assistant.files.vectors import Nearness

MOST_RESULTS = 50
MOST_LONE = 32  # characters of unknown words; a longer question has words enough that are known
CANDIDATES = 100  # chunks a query and side whose score is worked out


class FileSearch:
    """Finds passages, and stores chunks so that they are found."""

    def __init__(self, store: Store, source: EmbedderSource) -> None:
        self._store = store
        self._index = store.chunk_index
        self._meaning = Meaning(store.chunk_index, source)
        self._analyzer = Analyzer()

    async def search(
        self, vector_store_ids: Sequence[str], query: SearchQuery
    ) -> list[SearchResult]:
        """Return the best passages of all the vector stores, best first.

        A chunk is as good as the query that it fits best. Whose the stores are is not asked here.
        """
        stores = await self._index.stores(vector_store_ids)
        vector_store_ids = [store_id for _, store_id in stores]
        files = await self._meant(vector_store_ids, query.filters)
        questions = [text for text in dict.fromkeys(query.queries) if text.strip()]
        if not stores or not questions or files == set():
            return []
        store_seqs = [seq for seq, _ in stores]
        words = [self._by_words(store_seqs, text, files) for text in questions]
        nearness, by_words = await asyncio.gather(
            self._meaning.nearness(stores, questions, files), asyncio.gather(*words)
        )
        seqs = {seq for words in by_words for seq in words.densities}
        if nearness is not None:
            seqs |= nearness.nearest(CANDIDATES)
        chunks = await self._index.described(seqs, vector_store_ids)
        # In a thread: the more queries, the longer it takes.
        scores = await asyncio.to_thread(_scores, chunks, by_words, nearness)
        good = [chunk for chunk in chunks if scores[chunk.seq] >= max(query.score_threshold, 1e-9)]
        most = min(max(query.max_num_results, 1), MOST_RESULTS)
        chosen = choose(good, scores, most)
        found = await self._index.found([chunk.seq for chunk in chosen])
        return [
            _result(found[chunk.seq], scores[chunk.seq]) for chunk in chosen if chunk.seq in found
        ]

    async def embed_chunks(self, texts: Sequence[str]) -> Embedded | None:
        """Return vectors for the texts; None where the model server has no embeddings."""
        return await self._meaning.embed(texts)

    async def store_chunks(self, waiting: WaitingFile, new: Sequence[NewChunk]) -> None:
        """Put these chunks in place of a file's, with vectors where there are any to be had."""
        embedded = await self.embed_chunks([chunk.text for chunk in new])
        vectors, model = (embedded.vectors, embedded.model) if embedded else (None, None)
        await self._store.chunks.replace(waiting, new, vectors, model)

    async def _meant(
        self, vector_store_ids: Sequence[str], filters: JSON | None
    ) -> set[int] | None:
        if filters is None:
            return None
        files = await self._index.files(vector_store_ids)
        # In a thread: there may be ten thousand of them.
        return await asyncio.to_thread(_matching, files, filters)

    async def _by_words(
        self, stores: Sequence[int], query: str, files: Collection[int] | None
    ) -> WordQuery:
        terms = self._analyzer.of_query(query)
        seen = await self._index.frequencies(stores, [term.text for term in terms])
        words = dict(seen.words)
        if lone := _lone(terms, words):
            more = await self._index.frequencies(stores, [term.text for term in lone])
            words |= more.words
            terms += lone
        telling = telling_words(words, seen.searched)
        known = replace(seen, words={word: words[word] for word in telling})
        found = await self._index.matches(stores, known, CANDIDATES, files) if telling else []
        weights = weigh(terms, words, seen.everywhere)
        return WordQuery(weights, dict(found), accidents(terms, words))


def _lone(terms: Sequence[QueryTerm], known: Collection[str]) -> list[QueryTerm]:
    # What a known word says, its characters need not say again.
    words = [term.text for term in terms if not term.is_seam and term.text in known]
    told = {sign for word in words for sign in word}
    lone = [part for part in parts(terms) if part.text not in told]
    return lone if len(lone) <= MOST_LONE else []


def _matching(files: Sequence[tuple[int, str]], filters: JSON) -> set[int]:
    return {seq for seq, attributes in files if matches(filters, json.loads(attributes))}


def _scores(
    chunks: Sequence[ChunkWords], by_words: Sequence[WordQuery], nearness: "Nearness | None"
) -> dict[int, float]:
    terms = {chunk.seq: chunk.terms for chunk in chunks}
    scored = [words.scores(terms) for words in by_words]
    cosines = nearness.cosines(terms) if nearness else {}
    if not cosines:
        return {seq: max(scores[seq] for scores in scored) for seq in terms}
    unknown = typical(cosines.values()) if len(cosines) < len(terms) else []
    return {
        seq: max(
            blended(scores[seq], cosine)
            for scores, cosine in zip(scored, cosines.get(seq, unknown), strict=True)
        )
        for seq in terms
    }


def _result(chunk: FoundChunk, score: float) -> SearchResult:
    return SearchResult(chunk.file_id, chunk.filename, score, chunk.text, chunk.attributes)
