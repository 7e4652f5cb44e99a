"""Threads that are not to be kept: `temporary`, an extension of `POST /threads`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import openai
import pytest
from sqlalchemy import Engine, NullPool, create_engine, select

from streamlit_assistant.store.schema import metadata
from tests.api.conftest import checked
from tests.conftest import API_KEY, LiveServer, new_site, serve
from tests.spec_validator import Spec
from tests.upstream import Upstream, model_server
from tests.upstream_scripts import Answer

pytestmark = pytest.mark.both_databases

TEMPORARY: dict[str, Any] = {"temporary": True}
SECRET = "mauve-elephant"
QUESTION: Any = {"role": "user", "content": f"Tell me of the {SECRET}."}


def listed(http: httpx.Client) -> list[str]:
    return [thread["id"] for thread in http.get("/threads?limit=100").json()["data"]]


def test_it_says_of_itself_what_it_is(client: openai.OpenAI, http: httpx.Client) -> None:
    made = client.beta.threads.create(extra_body=TEMPORARY)
    ordinary = client.beta.threads.create(extra_body={"temporary": False})

    assert http.get(f"/threads/{made.id}").json()["temporary"] is True
    assert client.beta.threads.update(made.id, metadata={"a": "b"}).model_extra == TEMPORARY
    assert "temporary" not in http.get(f"/threads/{ordinary.id}").json()


def test_it_is_in_no_list(client: openai.OpenAI, http: httpx.Client) -> None:
    made = client.beta.threads.create(messages=[QUESTION], extra_body=TEMPORARY)
    client.beta.threads.messages.create(made.id, role="user", content="more")
    ordinary = client.beta.threads.create(messages=[QUESTION])

    assert made.id not in listed(http)
    assert ordinary.id in listed(http)


def test_it_can_be_begun_together_with_a_run(client: openai.OpenAI, http: httpx.Client) -> None:
    thread: Any = {"messages": [QUESTION], **TEMPORARY}
    run = client.beta.threads.create_and_run_poll(
        assistant_id="asst_default", thread=thread, poll_interval_ms=20
    )

    assert run.status == "completed"
    assert http.get(f"/threads/{run.thread_id}").json()["temporary"] is True
    assert run.thread_id not in listed(http)


def test_the_events_of_its_run_are_those_of_any(client: openai.OpenAI) -> None:
    body = {"assistant_id": "asst_default", "thread": {"messages": [QUESTION], **TEMPORARY}}
    with client.beta.threads.with_streaming_response.create_and_run(
        assistant_id="asst_default", stream=True, extra_body=body
    ) as stream:
        text = stream.read().decode()

    assert '"temporary":true' in text.replace(" ", "").partition("\n\n")[0]


def test_it_is_deleted_like_any(client: openai.OpenAI) -> None:
    made = client.beta.threads.create(extra_body=TEMPORARY)

    assert client.beta.threads.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.beta.threads.retrieve(made.id)


@pytest.mark.parametrize("wrong", ["yes", 1, []])
def test_what_is_neither_true_nor_false_is_refused(client: openai.OpenAI, wrong: object) -> None:
    with pytest.raises(openai.BadRequestError, match="expected a boolean"):
        client.beta.threads.create(extra_body={"temporary": wrong})


def test_a_thread_stays_what_it_is(client: openai.OpenAI) -> None:
    ordinary = client.beta.threads.create()

    with pytest.raises(openai.BadRequestError, match="Unknown parameter: 'temporary'"):
        client.beta.threads.update(ordinary.id, extra_body=TEMPORARY)


class Site:
    """A site with a model, that keeps answers for those who ask the same, and its database."""

    def __init__(self, live: LiveServer, engine: Engine, upstream: Upstream, spec: Spec) -> None:
        self._engine = engine
        self.upstream = upstream
        self.http = httpx.Client(
            base_url=f"{live.url}/v1",
            headers={"Authorization": f"Bearer {API_KEY}"},
            timeout=20,
            event_hooks={"response": [checked(spec)]},
        )

    def post(self, path: str, body: Any, key: str = "") -> httpx.Response:
        answer = self.http.post(path, json=body, headers={"Idempotency-Key": key or uuid4().hex})
        assert answer.status_code == 200, answer.text
        return answer

    def talk(self, **thread: Any) -> str:
        """Have a question answered, in both ways, and return the thread's id."""
        thread_id: str = self.post("/threads", thread).json()["id"]
        for streams in (True, False):
            self.upstream.queue(Answer([f"A {SECRET} is grey."]))
            self.post(f"/threads/{thread_id}/messages", QUESTION)
            told = {"assistant_id": "asst_default", "additional_instructions": SECRET}
            run = self.post(f"/threads/{thread_id}/runs", {**told, "stream": streams})
            if not streams:
                events = f"/threads/{thread_id}/runs/{run.json()['id']}/events"
                assert self.http.get(events).status_code == 200
        return thread_id

    def tables_with(self, word: str) -> list[str]:
        """The tables in which a word can be read anywhere."""
        with self._engine.connect() as connection:
            return [
                table.name
                for table in metadata.sorted_tables
                if any(word in str(tuple(row)) for row in connection.execute(select(table)))
            ]


@pytest.fixture
def site(
    tmp_path: Path,
    empty_database: Path,
    database: str,
    spec: Spec,
    request: pytest.FixtureRequest,
) -> Iterator[Site]:
    settings = replace(new_site(tmp_path, empty_database), answer_cache_seconds=3600)
    url = f"sqlite:///{settings.data_dir}/assistant.db"
    if database == "postgresql":
        url = request.getfixturevalue("postgres_url")
        settings = replace(settings, database_url=url)
        url = url.replace("postgresql:", "postgresql+psycopg:")
    engine = create_engine(url, poolclass=NullPool)
    with model_server() as upstream:
        settings = replace(settings, openai_base_url=upstream.base_url)
        with serve(settings) as live:
            opened = Site(live, engine, upstream, spec)
            yield opened
            opened.http.close()
    engine.dispose()


def test_nothing_of_it_is_left_once_it_is_deleted(site: Site) -> None:
    thread_id = site.talk(temporary=True)
    assert set(site.tables_with(SECRET)) == {"threads", "messages", "runs", "run_events"}

    site.http.delete(f"/threads/{thread_id}")

    assert site.tables_with(SECRET) == []


def test_nothing_is_kept_of_what_is_answered_when_it_is_repeated(site: Site) -> None:
    about = {"metadata": {"about": SECRET}}
    thread_id: str = site.post("/threads", {**TEMPORARY, **about}).json()["id"]
    thread = f"/threads/{thread_id}"
    run = {"assistant_id": "asst_default", "additional_instructions": SECRET, **about}
    requests: list[tuple[str, Any]] = [
        ("/threads", {**TEMPORARY, **about}),
        (thread, about),
        (f"{thread}/messages", QUESTION),
        (f"{thread}/messages/batch", {"messages": [QUESTION]}),
        (f"{thread}/runs", run),
    ]

    for path, body in requests:
        first, again = site.post(path, body, path), site.post(path, body, path)
        assert SECRET in first.text, path
        assert SECRET in again.text, path

    assert "idempotency_keys" not in site.tables_with(SECRET)


def test_elsewhere_words_are_left(site: Site) -> None:
    site.http.delete(f"/threads/{site.talk()}")

    assert set(site.tables_with(SECRET)) == {"idempotency_keys", "cached_answers"}


def test_what_was_answered_elsewhere_is_not_said_in_it(site: Site) -> None:
    site.talk()
    asked = len(site.upstream.requests)

    site.talk(temporary=True)

    assert len(site.upstream.requests) == asked + 2


def test_what_is_posted_to_it_twice_is_there_once(site: Site) -> None:
    thread_id: str = site.post("/threads", TEMPORARY).json()["id"]

    first = site.post(f"/threads/{thread_id}/messages", QUESTION, "one key")
    again = site.post(f"/threads/{thread_id}/messages", QUESTION, "one key")

    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert len(site.http.get(f"/threads/{thread_id}/messages").json()["data"]) == 1
    assert first.headers["cache-control"] == "no-store"
