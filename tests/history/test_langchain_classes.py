"""LangChain's own histories under the suite that ours must pass, as a comparison.

What they break is expected to fail, so that the day they mend it is noticed here.
"""

import uuid
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import redis
from langchain_core.chat_history import BaseChatMessageHistory, InMemoryChatMessageHistory
from sqlalchemy import Engine, create_engine

from streamlit_assistant.history import KafkaHistory
from tests.history.contract import EVERY_KIND, HistoryContract, Store
from tests.postgres import Postgres

with warnings.catch_warnings():
    # It says that it is no longer maintained, which is why ours exist.
    warnings.simplefilter("ignore", DeprecationWarning)
    from langchain_community.chat_message_histories import (
        KafkaChatMessageHistory,
        SQLChatMessageHistory,
        StreamlitChatMessageHistory,
    )
    from langchain_redis import RedisChatMessageHistory

pytestmark = [
    pytest.mark.filterwarnings("ignore:The class `.*` was deprecated in LangChain"),
]

PIECES = {
    "an_answer_that_came_in_pieces_is_one_message": "a streamed answer is kept as a chunk",
}


class Comparison(HistoryContract):
    """The suite, but for what is known to fail."""

    extended = False
    broken: ClassVar[Mapping[str, str]] = {}  # by the test's name: why
    unsteady: ClassVar[Mapping[str, str]] = {}  # the same for what fails at times

    @pytest.fixture(autouse=True)
    def _known_to_fail(self, request: pytest.FixtureRequest) -> None:
        name = request.node.name.removeprefix("test_")
        for known, strict in ((self.broken, True), (self.unsteady, False)):
            if name in known:
                request.applymarker(pytest.mark.xfail(strict=strict, reason=known[name]))

    def test_what_is_known_to_fail_is_part_of_the_suite(self) -> None:
        for name in (*self.broken, *self.unsteady):
            assert hasattr(self, f"test_{name.partition('[')[0]}")


class Made:
    """Histories that a function makes."""

    def __init__(self, make: Callable[[str], BaseChatMessageHistory]) -> None:
        self.history = make


class TestInMemory(Comparison):
    broken = PIECES

    @pytest.fixture
    def store(self) -> Store:
        sessions: dict[str, Any] = {}
        return Made(lambda name: sessions.setdefault(name, InMemoryChatMessageHistory()))


class TestStreamlit(Comparison):
    broken: ClassVar[Mapping[str, str]] = {
        **PIECES,
        "the_async_twins_do_the_same": "what it has returned is emptied by clear",
    }

    @pytest.fixture
    def store(self, request: pytest.FixtureRequest) -> Store:
        test = request.node.name
        return Made(lambda name: StreamlitChatMessageHistory(key=f"{test}/{name}"))


class OverSQL(Comparison):
    broken: ClassVar[Mapping[str, str]] = {
        **PIECES,
        "the_async_twins_do_the_same": "its async methods refuse the connection of its others",
    }
    unsteady: ClassVar[Mapping[str, str]] = {
        # In SQLite two at once cannot make the table; in PostgreSQL:
        "many_writers_lose_nothing_and_keep_their_order": "others write between two of one call",
    }


class TestSQLite(OverSQL):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        engine = create_engine(f"sqlite:///{tmp_path / 'langchain.db'}")
        yield Made(lambda name: SQLChatMessageHistory(name, connection=engine))
        engine.dispose()


@pytest.fixture(scope="module")
def postgres_engine(postgres: Postgres) -> Iterator[Engine]:
    url = postgres.new_database()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()
    postgres.drop(url)


class TestPostgreSQL(OverSQL):
    @pytest.fixture
    def store(self, postgres_engine: Engine, request: pytest.FixtureRequest) -> Store:
        test = request.node.name
        return Made(
            lambda name: SQLChatMessageHistory(f"{test}/{name}", connection=postgres_engine)
        )


class TestRedis(Comparison):
    broken: ClassVar[Mapping[str, str]] = {
        **PIECES,
        "every_kind_of_message_is_unharmed": "it keeps content and role, and not even all roles",
        "messages_without_ids_are_unharmed": "it keeps content and role, and not even all roles",
        "odd_characters_are_unharmed": "half of a surrogate pair is an error",
        "sessions_never_mix[case]": "small and capital letters are the same to it",
        "sessions_never_mix[comma]": "a comma makes two sessions of one name",
    }
    unsteady: ClassVar[Mapping[str, str]] = {
        "many_writers_lose_nothing_and_keep_their_order": "two at once cannot make the index",
    }

    @pytest.fixture
    def store(self, redis_stack_url: str, request: pytest.FixtureRequest) -> Iterator[Store]:
        # Its index is over all sessions with a prefix; each test has its own.
        name = uuid.uuid4().hex
        with redis.Redis.from_url(redis_stack_url, protocol=2) as client:
            yield Made(
                lambda session_id: RedisChatMessageHistory(
                    session_id, redis_client=client, key_prefix=f"{name}:", index_name=name
                )
            )


class TestKafka(Comparison):
    broken: ClassVar[Mapping[str, str]] = {
        "messages_come_back_in_order_through_any_object": "it shows nothing twice",
        "many_messages_come_back_whole": "it shows five at a time",
        "a_message_of_a_million_characters_is_unharmed": "it is larger than it lets through",
        "sessions_never_mix[accent]": "session ids must be names of topics",
        "clear_empties_one_session_only": "what is cleared already cannot be cleared",
    }
    # A look at its messages takes three seconds, and five more if there are fewer than five. What
    # is left of the suite fails, or passes, for the same reasons.
    chosen: ClassVar[Collection[str]] = {
        *broken,
        "what_is_added_is_left_as_it_was",
        "what_is_known_to_fail_is_part_of_the_suite",
        "its_topics_are_read_as_they_are",
    }

    @pytest.fixture(autouse=True)
    def _only_some(self, request: pytest.FixtureRequest) -> None:
        if request.node.name.removeprefix("test_") not in self.chosen:
            pytest.skip("a look at its messages takes eight seconds")

    @pytest.fixture
    def store(self, kafka_servers: str) -> Iterator[Store]:
        mine = uuid.uuid4().hex
        made: list[Any] = []

        def make(name: str) -> Any:
            topic = f"{mine}-{name.replace(' ', '-')}"
            made.append(KafkaChatMessageHistory(topic, kafka_servers))
            return made[-1]

        yield Made(make)
        for history in made:
            del history.producer, history.admin_client  # else they outlive the broker, and complain

    def test_its_topics_are_read_as_they_are(self, store: Store, kafka_servers: str) -> None:
        theirs: Any = store.history("moving")
        for message in EVERY_KIND:
            theirs.add_message(message)

        with KafkaHistory(theirs.session_id, kafka_servers, messages_from="beginning") as ours:
            assert ours.messages == list(EVERY_KIND)
            ours.add_user_message("and on")
            assert [message.content for message in ours.messages][-1] == "and on"
