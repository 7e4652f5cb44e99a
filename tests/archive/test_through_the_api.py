"""What programs see of it: the official client, a server that runs all the time."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from streamlit_assistant.settings import Settings
from tests.archive.archived_site import AGE, ArchivedSite
from tests.conftest import FakeClock, LiveServer, serve

pytestmark = pytest.mark.both_databases
ASSISTANT = "asst_default"


@pytest.fixture
def live(settings: Settings) -> Iterator[LiveServer]:
    with serve(settings) as running:
        yield running


@pytest.fixture
def later(settings: Settings, tmp_path: Path) -> ArchivedSite:
    """The site as somebody finds it when all that is in it now is old."""
    return ArchivedSite(settings, str(tmp_path / "archive"), FakeClock(time.time() + 2 * AGE))


def conversation(client: openai.OpenAI, text: str) -> str:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": text}])
    client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=ASSISTANT, poll_interval_ms=20
    )
    return thread.id


def listed(client: openai.OpenAI) -> list[str]:
    return [thread["id"] for thread in client.get("/threads", cast_to=dict[str, Any])["data"]]


def seen(client: openai.OpenAI, thread_id: str) -> dict[str, Any]:
    """All that the API says of a thread."""
    threads = client.beta.threads
    runs = threads.runs.list(thread_id).data
    return {
        "thread": threads.retrieve(thread_id).to_dict(),
        "messages": [message.to_dict() for message in threads.messages.list(thread_id)],
        "runs": [run.to_dict() for run in runs],
        "steps": [
            step.to_dict()
            for run in runs
            for step in threads.runs.steps.list(run.id, thread_id=thread_id)
        ],
    }


async def test_a_thread_is_gone_and_comes_back_as_it_was(
    live: LiveServer, later: ArchivedSite
) -> None:
    client = live.client()
    threads = [conversation(client, f"你好 {number} 🙂") for number in range(3)]
    before = [seen(client, thread) for thread in threads]
    order = listed(client)
    assert len(before[0]["messages"]) == 2
    assert before[0]["steps"]

    assert (await later.move()).code == 0
    for thread in threads:
        with pytest.raises(openai.NotFoundError):
            client.beta.threads.retrieve(thread)
        with pytest.raises(openai.NotFoundError):
            client.beta.threads.runs.create(thread_id=thread, assistant_id=ASSISTANT)
    assert listed(client) == []
    young = conversation(client, "meanwhile")
    assert (await later.restore(threads[1], threads[2], threads[0])).code == 0

    assert [seen(client, thread) for thread in threads] == before
    assert listed(client) == [young, *order]


async def test_a_thread_that_came_back_is_gone_on_with(
    live: LiveServer, later: ArchivedSite
) -> None:
    client = live.client()
    first, second = conversation(client, "first"), conversation(client, "second")
    await later.move()
    await later.restore(first, second)

    client.beta.threads.messages.create(first, role="user", content="And then?")
    run = client.beta.threads.runs.create_and_poll(
        thread_id=first, assistant_id=ASSISTANT, poll_interval_ms=20
    )

    assert run.status == "completed"
    messages = client.beta.threads.messages.list(first, order="asc").data
    assert [message.role for message in messages] == ["user", "assistant"] * 2
    assert listed(client) == [first, second]
    # By now it is another one than the archive has.
    assert "with another content" in (await later.restore(first)).complaints


async def test_a_thread_at_work_stays_until_it_is_done(
    live: LiveServer, later: ArchivedSite
) -> None:
    client = live.client()
    thread = conversation(client, "first")
    [run] = client.beta.threads.runs.list(thread)
    later.execute("UPDATE runs SET status = 'requires_action' WHERE id = :id", id=run.id)

    moved = await later.move()
    assert "1 thread as old stayed: a run is active." in moved.out
    assert listed(client) == [thread]
    later.execute("UPDATE runs SET status = 'completed' WHERE id = :id", id=run.id)
    await later.move()

    assert listed(client) == []


async def test_a_young_thread_stays(live: LiveServer, settings: Settings, tmp_path: Path) -> None:
    client = live.client()
    thread = conversation(client, "first")
    now = ArchivedSite(settings, str(tmp_path / "archive"), FakeClock(time.time()))

    assert "Moved 0 threads" in (await now.move()).out
    assert listed(client) == [thread]
