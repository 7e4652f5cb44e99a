"""How good a chunk is as an answer to a query: a score from 0 to 1 that means the same every time.

By words: the share of the query that the chunk holds, each word weighing as much as it is rare
(its inverse document frequency). 1 says that the chunk has all of them, whatever other chunks have;
so a threshold can be set. How often and how densely the words stand, which is BM25, decides
between chunks that hold the same words: up to `BY_DENSITY` of the score depends on it, measured
against the best.

Chinese words are looked for as pairs of characters. Where no document holds a pair, as it says the
same in another word, its characters count by themselves, for little. Where no pair of a query is
known at all, a chunk must hold two of the characters to be more than an accident.

With vectors: the weighted sum of that and of the cosine between chunk and query. A chunk without a
vector, indexed while there were none to be had, is taken to be as near as the middle one of the
candidates (the median of their cosines): its words alone would lift it above the others.
"""

import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import accumulate

from streamlit_assistant.files.terms import QueryTerm, is_spaceless
from streamlit_assistant.store.chunk_index import ChunkWords

BY_DENSITY = 0.25
BY_MEANING = 0.6
UNSEEN = 0.5  # the weight of a word that no chunk holds: it may be misspelt
PART = 0.3  # the weight of a character that is only part of a word of the query
LEAST_PARTS = 2  # in a chunk that holds nothing else, where nothing else is known
MOST_LOOKED_AT = 3_000  # chunks, each as often as it holds a word
MOST_WORDS = 32
FEW_WORDS = 64  # are looked for in less time than it takes to cut a chunk's words apart
NEIGHBOURS = 1  # chunks so near to each other share much of their text


@dataclass(frozen=True)
class WordQuery:
    """One query by words: what each weighs, and the BM25 of the chunks it was found in."""

    weights: Mapping[str, float]
    densities: Mapping[int, float]
    accidents: Set[str] = frozenset()  # of these one alone says nothing

    def scores(self, chunks: Mapping[int, str]) -> dict[int, float]:
        """Return the score by words of each chunk, given by `seq` with the words it holds."""
        best = max(self.densities.values(), default=0.0)
        whole = math.fsum(self.weights.values())
        found: dict[int, float] = {}
        for seq, terms in chunks.items():
            common = self._common(terms)
            if len(common) < LEAST_PARTS and common <= self.accidents:
                common = set()
            held = math.fsum(self.weights[word] for word in common)
            density = self.densities.get(seq, 0.0) / best if best > 0 else 0.0
            coverage = held / whole if whole else 0.0
            found[seq] = coverage * (1 - BY_DENSITY + BY_DENSITY * density)
        return found

    def _common(self, terms: str) -> Set[str]:
        if len(self.weights) > FEW_WORDS:
            # A question may have thousands of words: only those of the chunk are looked at.
            return self.weights.keys() & frozenset(terms.split())
        padded = f" {terms} "
        return {word for word in self.weights if f" {word} " in padded}


def weigh(
    terms: Iterable[QueryTerm], frequencies: Mapping[str, int], total: int
) -> dict[str, float]:
    """Return what each word of a query weighs; what is no word at all is left out."""
    weights = {}
    for term in terms:
        found = frequencies.get(term.text, 0)
        if not found and (term.is_seam or term.is_part):
            continue
        rarity = math.log(1 + (max(total - found, 0) + 0.5) / (found + 0.5))
        share = PART if term.is_part else 1.0 if found else UNSEEN
        weights[term.text] = rarity * share
    return weights


def accidents(terms: Collection[QueryTerm], known: Collection[str]) -> frozenset[str]:
    """Return the characters that may stand in a chunk by accident: nothing better is known."""
    better = any(
        term.text in known and not term.is_part and not term.is_seam and is_spaceless(term.text)
        for term in terms
    )
    return frozenset() if better else frozenset(term.text for term in terms if term.is_part)


def telling_words(frequencies: Mapping[str, int], chunks: int) -> list[str]:
    """Return the words by which candidates are looked for: the rarest, and more while it is cheap.

    Words that most of the `chunks` hold hardly tell them apart, and cost the most to look for.
    They still count in the score.
    """
    rarest = sorted(frequencies, key=lambda word: frequencies[word])
    looked_at = accumulate(min(frequencies[word], chunks) for word in rarest)
    cheap = sum(total <= MOST_LOOKED_AT for total in looked_at)
    return rarest[: min(max(cheap, 1), MOST_WORDS)]


def typical(cosines: Collection[Sequence[float]]) -> list[float]:
    """Return for each question how near a chunk is of which nothing is known."""
    return [statistics.median(column) for column in zip(*cosines, strict=True)]


def blended(by_words: float, cosine: float) -> float:
    """Return the score of a chunk."""
    return (1 - BY_MEANING) * by_words + BY_MEANING * min(max(cosine, 0.0), 1.0)


def choose(
    chunks: Sequence[ChunkWords], scores: Mapping[int, float], most: int
) -> list[ChunkWords]:
    """Return the best chunks, best first; neighbours of better ones only to fill up the places.

    Neighbours overlap: without this one good passage would take two or three places.
    """
    ranked = sorted(chunks, key=lambda chunk: (-scores[chunk.seq], chunk.seq))
    chosen: list[ChunkWords] = []
    spare: list[ChunkWords] = []
    taken: set[tuple[int, int]] = set()
    for chunk in ranked:
        if _near(chunk, taken):
            spare.append(chunk)
        else:
            chosen.append(chunk)
            taken.add((chunk.file_seq, chunk.position))
    best = chosen[:most] + spare[: max(most - len(chosen), 0)]
    return sorted(best, key=lambda chunk: (-scores[chunk.seq], chunk.seq))


def _near(chunk: ChunkWords, taken: Collection[tuple[int, int]]) -> bool:
    return any((chunk.file_seq, chunk.position + by) in taken for by in (-NEIGHBOURS, NEIGHBOURS))
