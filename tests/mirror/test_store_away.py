"""Stores that are killed, frozen or not there at all: no chat notices, and no copy gets lost."""

import socket
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from streamlit_assistant.history import ThreadHistory, open_history
from streamlit_assistant.mirror.figures import FRESH_SECONDS
from streamlit_assistant.runs import Pace
from tests.conftest import API_KEY, LiveServer, new_site, serve
from tests.history.conftest import missing
from tests.kafka_broker import KafkaBroker
from tests.mirror.mirrored_store import PATIENCE, wait_until
from tests.postgres import postgres_server, programs
from tests.redis_server import RedisServer
from tests.start_process import Site, free_port
from tests.test_metrics import read as samples_of

QUICK = Pace(look=0.2, mirror_pause=0.3)


@pytest.fixture
def site(tmp_path: Path, empty_database: Path) -> Any:
    """Serves a site with copies at the given addresses."""

    @contextmanager
    def serving(*urls: str) -> Iterator[LiveServer]:
        folder = tmp_path / "site"
        folder.mkdir(exist_ok=True)
        settings = new_site(folder, empty_database)
        with serve(replace(settings, history_urls=urls), pace=QUICK) as live:
            yield live

    return serving


def health(url: str) -> list[dict[str, Any]]:
    answer = httpx2.get(f"{url}/healthz", trust_env=False)
    assert answer.status_code == 200
    mirrors: list[dict[str, Any]] = answer.json().get("mirrors", [])
    return mirrors


def pending(url: str) -> list[int]:
    return [mirror["pending"] for mirror in health(url)]


def until_caught_up(live: LiveServer, seconds: float = PATIENCE) -> None:
    time.sleep(2 * FRESH_SECONDS)  # what is told may be a moment old
    wait_until(lambda: pending(live.url) == [0], seconds)


def metric(live: LiveServer, name: str, target: str) -> float:
    bearer = {"Authorization": f"Bearer {API_KEY}"}
    answer = httpx2.get(f"{live.url}/metrics", headers=bearer, trust_env=False)
    return samples_of(answer.text)[f"assistant_mirror_{name}", frozenset({("target", target)})]


def talk(client: openai.OpenAI, thread_id: str, turns: int) -> None:
    """Ask and be answered, so many times."""
    for turn in range(turns):
        run = client.beta.threads.runs.create_and_poll(
            thread_id=thread_id,
            assistant_id="asst_default",
            additional_messages=[{"role": "user", "content": f"question {turn}"}],
        )
        assert run.status == "completed"


def new_thread(live: LiveServer) -> str:
    return live.client().beta.threads.create().id


def test_nothing_is_lost_or_doubled_when_a_store_is_killed_amid_its_work(
    site: Any, own_redis: RedisServer
) -> None:
    with site(own_redis.url) as live, ThreadPoolExecutor(4) as people:
        threads = [new_thread(live) for _ in range(4)]
        talking = [people.submit(talk, live.client(), thread_id, 12) for thread_id in threads]
        for _ in range(3):
            time.sleep(0.2)
            own_redis.kill()
            time.sleep(0.1)
            own_redis.start()
        for done in talking:
            done.result()
        until_caught_up(live)

        for thread_id in threads:
            written = ThreadHistory(live.client(), thread_id).messages
            assert len(written) == 24
            assert open_history(own_redis.url, thread_id).messages == written
        assert metric(live, "delivered_total", "redis") == 96


def test_the_lag_of_a_store_that_is_down_is_told_until_it_has_caught_up(
    site: Any, own_redis: RedisServer
) -> None:
    with site(f"{own_redis.url}?patience=0.5") as live:
        thread_id = new_thread(live)
        talk(live.client(), thread_id, 1)
        until_caught_up(live)
        own_redis.kill()

        talk(live.client(), thread_id, 3)
        wait_until(lambda: health(live.url)[0]["state"] == "away")
        wait_until(lambda: health(live.url)[0]["lag_seconds"] > 1)
        wait_until(lambda: pending(live.url) == [6])
        assert metric(live, "up", "redis") == 0
        assert metric(live, "pending", "redis") == 6
        assert metric(live, "lag_seconds", "redis") > 1

        own_redis.start()
        until_caught_up(live)
        caught_up = {"target": "redis", "pending": 0, "lag_seconds": 0.0, "state": "ok"}
        assert health(live.url) == [caught_up]
        assert metric(live, "up", "redis") == 1
        assert metric(live, "lag_seconds", "redis") == 0
        written = ThreadHistory(live.client(), thread_id).messages
        assert open_history(own_redis.url, thread_id).messages == written


def test_nothing_is_lost_or_doubled_when_a_database_is_killed_amid_its_work(site: Any) -> None:
    if programs() is None:
        missing("PostgreSQL is missing: apt-get install postgresql")
    with postgres_server() as postgres:
        url = postgres.new_database()
        with site(url) as live, ThreadPoolExecutor(1) as person:
            thread_id = new_thread(live)
            talking = person.submit(talk, live.client(), thread_id, 20)
            time.sleep(0.2)
            postgres.restart()
            talking.result()
            until_caught_up(live)

            written = ThreadHistory(live.client(), thread_id).messages
            assert len(written) == 40
            assert open_history(url, thread_id).messages == written


def test_nothing_is_lost_or_doubled_when_a_broker_is_killed_amid_its_work(
    site: Any, own_kafka: KafkaBroker
) -> None:
    url = f"kafka://{own_kafka.servers}"
    with site(url) as live, ThreadPoolExecutor(1) as person:
        thread_id = new_thread(live)
        talking = person.submit(talk, live.client(), thread_id, 20)
        time.sleep(0.5)
        own_kafka.restart()
        talking.result()
        until_caught_up(live, 60)

        written = ThreadHistory(live.client(), thread_id).messages
        assert len(written) == 40
        assert open_history(url, thread_id).messages == written


def test_a_file_that_somebody_else_has_locked_is_written_later(site: Any, tmp_path: Path) -> None:
    file = tmp_path / "copies.db"
    url = f"sqlite:///{file}"
    with site(f"{url}?patience=0.3") as live:
        thread_id = new_thread(live)
        talk(live.client(), thread_id, 1)
        until_caught_up(live)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            talk(live.client(), thread_id, 2)
            wait_until(lambda: health(live.url)[0]["state"] == "away")
            wait_until(lambda: pending(live.url) == [4])
            other.execute("ROLLBACK")
        until_caught_up(live)

        assert len(open_history(url, thread_id).messages) == 6


@contextmanager
def mute() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        yield listening.getsockname()[1]


ADDRESSES = {
    "redis": "redis://127.0.0.1:{port}",
    "postgresql": "postgresql://me:hunter2@127.0.0.1:{port}/chats",
    "kafka": "kafka://127.0.0.1:{port}",
}


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize("is_there", [True, False])
def test_a_store_that_hangs_or_is_not_there_keeps_nobody_waiting(
    site: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, is_there: bool
) -> None:
    other = f"sqlite:///{tmp_path / 'copies.db'}"
    with mute() as port:
        url = ADDRESSES[kind].format(port=port if is_there else free_port())
        with site(url, other) as live:
            # What is said before the stores are known is copied with the older chats.
            wait_until(lambda: len(health(live.url)) == 2)
            thread_id = new_thread(live)
            talk(live.client(), thread_id, 5)
            wait_until(lambda: len(open_history(other, thread_id).messages) == 10)

            # All that was said while not a word of it could be delivered there.
            wait_until(lambda: pending(live.url) == [10, 0])
            assert metric(live, "delivered_total", kind) == 0
            wait_until(lambda: health(live.url)[0]["state"] == "away")
            assert health(live.url)[1]["state"] == "ok"
            talk(live.client(), thread_id, 1)
            wait_until(lambda: len(open_history(other, thread_id).messages) == 12)

    complaints = [r.getMessage() for r in caplog.records if "mirror" in r.name]
    assert len(complaints) == 1  # however often it was tried
    assert kind in complaints[0]
    assert "hunter2" not in caplog.text
    assert all(record.exc_info is None for record in caplog.records)


@pytest.mark.parametrize("kind", ADDRESSES)
def test_a_store_that_hangs_does_not_keep_the_process_from_ending(
    tmp_path: Path, kind: str
) -> None:
    with mute() as port:
        started = Site.at(
            tmp_path,
            ASSISTANT_API_KEY=API_KEY,
            HISTORY_URLS=ADDRESSES[kind].format(port=port),
        )
        with started.started() as process:
            with openai.OpenAI(base_url=f"{started.url}/v1", api_key=API_KEY) as client:
                talk(client, client.beta.threads.create().id, 1)
            wait_until(lambda: pending(started.url) == [2])

            assert process.end() == 0
