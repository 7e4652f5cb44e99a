"""A repeated request for a stream: the same run's events again, from their first one, and live."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest

from streamlit_assistant.settings import Settings
from tests.api.idempotency.keyed_site import KeyedSite, is_replayed, post
from tests.conformance.world import ASK_FOR_WEATHER, ASSISTANT, World
from tests.conftest import API_KEY, serve
from tests.sse import Event, parse_events, read_events
from tests.upstream import model_server
from tests.upstream_scripts import Answer
from tests.upstream_wire import Call

pytestmark = pytest.mark.both_databases

STREAM: dict[str, Any] = {"assistant_id": ASSISTANT, "stream": True}


class OpenStream:
    """A stream that is being read, event by event."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.events: list[Event] = []
        self._lines = read_events(answer.iter_lines())

    def read_until(self, text: str) -> None:
        """Read up to the event with this text."""
        while text not in self.events[-1].data if self.events else True:
            self.events.append(next(self._lines))

    def read_out(self) -> list[Event]:
        """Read to the end, and return all."""
        self.events.extend(self._lines)
        return self.events


@pytest.fixture
def follow(http: httpx.Client) -> Iterator[Any]:
    """Opens streams, which are closed at the end."""
    with ExitStack() as streams:

        def open_stream(key: str, path: str, **body: Any) -> OpenStream:
            headers = {"Idempotency-Key": key, "X-Heartbeat-Seconds": "0.1"}
            answer = http.stream("POST", path, json=body, headers=headers)
            return OpenStream(streams.enter_context(answer))

        yield open_stream


@pytest.mark.parametrize("is_lost", [False, True], ids=["remembered", "lost"])
@pytest.mark.parametrize("with_thread", [False, True], ids=["run", "thread and run"])
def test_a_running_stream_is_taken_up_from_its_first_event(
    site: KeyedSite, world: World, key: str, follow: Any, with_thread: bool, is_lost: bool
) -> None:
    gate = threading.Event()
    site.upstream.queue(Answer(("one ", gate, "two")))
    path = "/threads/runs" if with_thread else f"/threads/{world.thread('hi').id}/runs"
    first = follow(key, path, **STREAM)
    first.read_until("one ")
    if is_lost:
        site.lose_answer(key)

    second = follow(key, path, **STREAM)
    second.read_until("one ")
    gate.set()

    assert second.read_out() == first.read_out()
    assert [event.id for event in first.events][:2] == ["1", "2"]
    assert first.events[-1].event == "done"
    assert (is_replayed(first.answer), is_replayed(second.answer)) == (False, True)
    assert second.answer.headers["content-location"].endswith("/events?after=0")


@pytest.mark.parametrize("is_lost", [False, True], ids=["remembered", "lost"])
@pytest.mark.parametrize("rounds", [1, 2])
def test_submitted_outputs_are_answered_from_where_they_were_first(
    site: KeyedSite, http: httpx.Client, world: World, key: str, rounds: int, is_lost: bool
) -> None:
    run = world.waiting_run(ASK_FOR_WEATHER)
    if rounds == 2:
        # More is asked for by the time the repetition comes.
        site.upstream.queue(Answer(calls=[Call("get_weather", '{"city": "Lima"}')]))
    path = f"/threads/{run.thread_id}/runs/{run.id}/submit_tool_outputs"
    body = {"tool_outputs": world.outputs(run), "stream": True}

    first = post(http, key, path, **body)
    if is_lost:
        site.lose_answer(key)
    again = post(http, key, path, **body)

    events = parse_events(first.content)
    last = "thread.run.completed" if rounds == 1 else "thread.run.requires_action"
    assert events[0].event == "thread.run.step.completed"
    assert int(str(events[0].id)) > 1
    assert events[-2].event == last
    assert again.content == first.content
    assert is_replayed(again)


@pytest.mark.parametrize("is_lost", [False, True], ids=["remembered", "lost"])
def test_a_repetition_that_is_refused_does_not_free_the_key(
    site: KeyedSite, http: httpx.Client, world: World, key: str, is_lost: bool
) -> None:
    path = f"/threads/{world.thread('hi').id}/runs"
    first = post(http, key, path, **STREAM)
    if is_lost:
        site.lose_answer(key)

    headers = {"Idempotency-Key": key, "X-Heartbeat-Seconds": "never"}
    refused = http.post(path, json=STREAM, headers=headers)
    again = post(http, key, path, **STREAM)

    assert refused.status_code == 400
    assert "x-heartbeat-seconds" in refused.json()["error"]["message"]
    assert again.content == first.content
    assert len(http.get(path).json()["data"]) == 1


def test_a_stream_goes_on_after_the_server_was_restarted(settings: Settings, key: str) -> None:
    gate = threading.Event()
    with model_server(Answer(("one ", gate, "two"))) as upstream, ExitStack() as lines:
        settings = replace(settings, openai_base_url=upstream.base_url, drain_seconds=0)
        headers = {"Authorization": f"Bearer {API_KEY}", "Idempotency-Key": key}
        with serve(settings) as live, httpx.Client(headers=headers, timeout=30) as client:
            url = f"{live.url}/v1/threads/runs"
            answer = lines.enter_context(client.stream("POST", url, json=STREAM))
            first = OpenStream(answer)
            first.read_until("one ")
        with serve(settings) as live:
            url = f"{live.url}/v1/threads/runs"
            again = parse_events(httpx.post(url, json=STREAM, headers=headers, timeout=30).content)

    seen = [event for event in first.events if event.event != "error"]
    assert again[: len(seen)] == seen
    assert again[-1].event == "done"
    assert len(upstream.requests) <= 2
