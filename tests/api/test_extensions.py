"""What this server adds to the protocol: listing threads, counting messages, resuming events."""

import httpx
import openai
import pytest

from tests.conftest import API_KEY, LiveServer

pytestmark = pytest.mark.both_databases

HEADERS = {"Authorization": f"Bearer {API_KEY}"}


def frames(text: str) -> list[str]:
    return [frame for frame in text.split("\n\n") if frame]


def test_threads_are_listed_with_titles_the_last_active_first(
    offline: LiveServer, client: openai.OpenAI
) -> None:
    first = client.beta.threads.create(messages=[{"role": "user", "content": "About tea"}])
    second = client.beta.threads.create(messages=[{"role": "user", "content": "About 咖啡"}])
    client.beta.threads.messages.create(first.id, role="user", content="more")

    page = httpx.get(f"{offline.url}/v1/threads?limit=2", headers=HEADERS).json()
    behind = httpx.get(f"{offline.url}/v1/threads?limit=1&after={first.id}", headers=HEADERS).json()

    assert [(t["id"], t["title"]) for t in page["data"]] == [
        (first.id, "About tea"),
        (second.id, "About 咖啡"),
    ]
    assert [t["id"] for t in behind["data"]] == [second.id]
    assert page["data"][0]["last_active_at"] >= first.created_at


def test_a_message_list_says_how_long_the_thread_is(
    offline: LiveServer, client: openai.OpenAI
) -> None:
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": f"m{n}"} for n in range(5)]
    )

    page = client.beta.threads.messages.with_raw_response.list(thread.id, limit=1)

    assert page.headers["x-message-count"] == "5"


def test_events_are_replayed_from_any_number(offline: LiveServer, client: openai.OpenAI) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "hi"}])
    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id="asst_default", poll_interval_ms=20
    )
    url = f"{offline.url}/v1/threads/{thread.id}/runs/{run.id}/events"

    whole = frames(httpx.get(url, headers=HEADERS).text)
    by_header = frames(httpx.get(url, headers={**HEADERS, "Last-Event-ID": "4"}).text)
    by_query = frames(httpx.get(f"{url}?after=4", headers=HEADERS).text)
    beyond = httpx.get(f"{url}?after=99999", headers=HEADERS).text

    assert whole[-1] == "event: done\ndata: [DONE]"
    assert [frame.split("\n")[0] for frame in whole[:-1]] == [
        f"id: {n}" for n in range(1, len(whole))
    ]
    assert by_header == by_query == whole[4:]
    # Whoever saw more than was stored before a crash is told the outcome again.
    assert frames(beyond) == whole[-2:]
