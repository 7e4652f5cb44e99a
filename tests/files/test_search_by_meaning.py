"""Where the model server makes vectors, what means the same is found without the same words."""

from collections.abc import Sequence

import pytest

from streamlit_assistant.file_records import NewChunk, SearchResult, VectorStore
from streamlit_assistant.files.search import FileSearch
from streamlit_assistant.files.vectors import EMPTY, MatrixCache, packed
from streamlit_assistant.store import Store
from tests.factories import OWNER
from tests.file_factories import make_store_file, static
from tests.files.shelf import Shelf

# What a model knows of these words: one direction for each subject.
SUBJECTS = (
    ("holiday", "vacation", "leave", "年假"),
    ("car", "vehicle", "parking", "停车"),
    ("illness", "doctor", "sick", "病"),
)


class SubjectEmbeddings:
    """A model that knows three subjects, and may be exchanged or be away."""

    def __init__(self) -> None:
        self.name: str | None = "subjects"
        self.is_away = False
        self.embedded: list[str] = []

    async def embedder(self) -> "SubjectEmbeddings | None":
        """Return itself."""
        return self if self.name else None

    async def model(self) -> str | None:
        """Return its name of the moment."""
        return self.name

    async def embed(
        self, texts: Sequence[str], *, attempts: int = 1, seconds: float = 1.0
    ) -> list[list[float]] | None:
        """Return how much each text has to do with each subject."""
        if self.is_away:
            return None
        self.embedded += texts
        return [self._vector(text.lower()) for text in texts]

    def _vector(self, text: str) -> list[float]:
        return [0.1 + sum(word in text for word in words) for words in SUBJECTS]


@pytest.fixture
def model() -> SubjectEmbeddings:
    return SubjectEmbeddings()


@pytest.fixture
def shelf(store: Store, model: SubjectEmbeddings) -> Shelf:
    return Shelf(store, FileSearch(store, model))


@pytest.fixture
async def where(shelf: Shelf) -> VectorStore:
    where = await shelf.vector_store()
    await shelf.put(where, "Annual vacation is thirty days.", filename="vacation")
    await shelf.put(where, "Vehicles stand in the yard.", filename="vehicles")
    await shelf.put(where, "See a doctor when you feel bad.", filename="doctor")
    return where


def names(found: list[SearchResult]) -> list[str]:
    return [result.filename for result in found]


async def test_the_same_meaning_in_other_words_is_found_first(
    shelf: Shelf, where: VectorStore
) -> None:
    assert names(await shelf.find(where, query="holiday"))[0] == "vacation"
    assert names(await shelf.find(where, query="停车"))[0] == "vehicles"


async def test_words_and_meaning_together_score_highest(shelf: Shelf, where: VectorStore) -> None:
    by_both = (await shelf.find(where, query="vacation"))[0]
    by_meaning = (await shelf.find(where, query="holiday"))[0]

    assert by_both.filename == by_meaning.filename == "vacation"
    assert 0.9 < by_both.score <= 1
    assert 0.5 < by_meaning.score < 0.7


async def test_a_threshold_leaves_out_what_is_far_away(shelf: Shelf, where: VectorStore) -> None:
    assert names(await shelf.find(where, query="holiday", score_threshold=0.4)) == ["vacation"]


async def test_each_query_is_compared_by_its_own_vector(shelf: Shelf, where: VectorStore) -> None:
    found = await shelf.find(where, queries=["holiday", "illness"], score_threshold=0.4)

    assert set(names(found)) == {"vacation", "doctor"}


async def test_filters_hold_for_meaning_too(shelf: Shelf) -> None:
    where = await shelf.vector_store()
    for year in (2023, 2024):
        text = "Annual vacation is thirty days."
        await shelf.put(where, text, filename=str(year), attributes={"year": year})

    found = await shelf.find(
        where, query="holiday", filters={"type": "eq", "key": "year", "value": 2023}
    )

    assert names(found) == ["2023"]


async def test_other_vector_stores_are_not_searched(shelf: Shelf, where: VectorStore) -> None:
    other = await shelf.vector_store()
    await shelf.put(other, "Leave of another kind.", filename="other")

    assert names(await shelf.find(other, query="holiday")) == ["other"]
    assert "other" not in names(await shelf.find(where, query="holiday"))
    assert "other" in names(await shelf.find(where, other, query="holiday"))


async def test_files_that_come_and_go_are_noticed(
    shelf: Shelf, where: VectorStore, store: Store
) -> None:
    before = await shelf.find(where, query="holiday")
    await shelf.put(where, "Leave without pay.", filename="unpaid")
    added = await shelf.find(where, query="holiday")
    await store.vector_store_files.remove(where.id, before[0].file_id)
    removed = await shelf.find(where, query="holiday")

    assert "unpaid" not in names(before)
    assert set(names(added)[:2]) == {"vacation", "unpaid"}
    assert names(removed)[0] == "unpaid"
    assert "vacation" not in names(removed)


async def test_a_file_that_was_indexed_anew_is_found_by_its_new_chunks(
    shelf: Shelf, where: VectorStore, store: Store
) -> None:
    (first, *_) = await shelf.find(where, query="holiday")
    again = make_store_file(first.file_id, where.id, chunking_strategy=static(100, 0))
    waiting = await shelf.claim(await store.vector_store_files.add(OWNER, again))
    await shelf.index(waiting, [NewChunk("Leave, told anew.", "leav told anew")])

    (found, *_) = await shelf.find(where, query="holiday")

    assert (found.file_id, found.text) == (first.file_id, "Leave, told anew.")


async def test_vectors_of_another_model_are_not_compared(
    shelf: Shelf, where: VectorStore, model: SubjectEmbeddings
) -> None:
    model.name = "another"

    assert await shelf.find(where, query="holiday") == []
    assert names(await shelf.find(where, query="vacation")) == ["vacation"]


async def test_a_question_is_not_sent_where_nothing_can_be_compared(
    shelf: Shelf, where: VectorStore, model: SubjectEmbeddings
) -> None:
    model.name = "another"
    model.embedded.clear()

    await shelf.find(where, query="holiday")

    assert model.embedded == []


async def test_without_the_model_words_are_still_found(
    shelf: Shelf, where: VectorStore, model: SubjectEmbeddings
) -> None:
    model.is_away = True

    assert names(await shelf.find(where, query="vacation")) == ["vacation"]
    await shelf.put(where, "Indexed all the same.", filename="late")
    assert names(await shelf.find(where, query="indexed")) == ["late"]


async def test_what_has_no_vector_is_found_by_words_beside_what_has(
    shelf: Shelf, where: VectorStore, model: SubjectEmbeddings
) -> None:
    model.is_away = True
    await shelf.put(where, "A plain sentence about zebras.", filename="zebras")
    model.is_away = False

    assert names(await shelf.find(where, query="zebras"))[0] == "zebras"


async def test_what_has_no_vector_is_not_lifted_above_what_has(
    shelf: Shelf, where: VectorStore, model: SubjectEmbeddings
) -> None:
    model.is_away = True
    await shelf.put(where, "Nothing about vacation here, only days.", filename="late")
    model.is_away = False

    found = await shelf.find(where, query="vacation days")

    assert names(found)[:2] == ["vacation", "late"]
    assert found[0].score - found[1].score > 0.1


def test_vectors_are_kept_within_bounds_and_the_last_one_always() -> None:
    rows = [(number, 1, vector) for number, vector in enumerate(packed([[3.0, 4.0]] * 10))]
    matrix = EMPTY.changed({1: 1}, rows)
    cache = MatrixCache(most_bytes=2 * matrix.rows.nbytes)
    for store in range(4):
        cache.put(store, "m", matrix)

    assert [len(cache.get(store, "m").rows) for store in range(4)] == [0, 0, 10, 10]
    small = MatrixCache(most_bytes=1)
    small.put(1, "m", matrix)
    assert len(small.get(1, "m").rows) == 10


def test_vectors_of_another_size_are_left_out() -> None:
    matrix = EMPTY.changed({1: 1}, [(1, 1, packed([[1.0, 0.0]])[0])])

    changed = matrix.changed({1: 1, 2: 1}, [(2, 2, packed([[1.0, 0.0, 0.0]])[0])])

    assert changed.seqs.tolist() == [1]
    assert changed.files == {1: 1, 2: 1}
