"""What the scripted model server keeps: answers that go on alone, and files in containers."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.upstream import Upstream, model_server
from tests.upstream_scripts import Answer, Ending
from tests.upstream_wire import OLLAMA, OPENAI

SOON = 10.0


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with model_server() as served:
        yield served


@pytest.fixture
def client(upstream: Upstream) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=upstream.base_url, api_key="none", max_retries=0, timeout=SOON
    ) as opened:
        yield opened


def begin(client: openai.OpenAI, **body: Any) -> Any:
    return client.responses.create(model="m", input="Hi", background=True, **body)


def until_done(client: openai.OpenAI, response_id: str) -> Any:
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        answer = client.responses.retrieve(response_id)
        if answer.status not in ("queued", "in_progress"):
            return answer
        time.sleep(0.01)
    raise AssertionError("the answer did not end")


def text_of(events: list[Any]) -> str:
    return "".join(e.delta for e in events if e.type == "response.output_text.delta")


def test_an_answer_in_the_background_goes_on_without_its_reader(
    client: openai.OpenAI, upstream: Upstream
) -> None:
    gate = threading.Event()
    upstream.queue(Answer(["one ", gate, "two"], dialect=OPENAI))
    with begin(client, stream=True) as stream:
        seen = []
        for event in stream:
            seen.append(event)
            if event.type == "response.output_text.delta":
                break
    assert upstream.requests[0].hung_up.wait(SOON)
    gate.set()

    answer = until_done(client, seen[0].response.id)
    assert (answer.status, answer.output_text) == ("completed", "one two")
    assert seen[0].response.status == "queued"
    assert [event.type for event in seen][:3] == [
        "response.created",
        "response.queued",
        "response.in_progress",
    ]


def test_its_stream_is_taken_up_where_it_was_left_and_goes_on_live(
    client: openai.OpenAI, upstream: Upstream
) -> None:
    gate = threading.Event()
    upstream.queue(Answer(["one ", "two ", gate, "three"], torn_after=1, dialect=OPENAI))
    seen: list[Any] = []
    with pytest.raises(openai.APIConnectionError):
        read_into(seen, begin(client, stream=True))
    assert text_of(seen) == "one "

    rest = client.responses.retrieve(
        seen[0].response.id, stream=True, starting_after=seen[-1].sequence_number
    )
    more = []
    for event in rest:
        more.append(event)
        if text_of(more) == "two ":
            gate.set()

    assert text_of(more) == "two three"
    assert [event.sequence_number for event in [*seen, *more]] == list(range(len(seen) + len(more)))
    assert f"starting_after={seen[-1].sequence_number}" in upstream.background.asked[-1]


def read_into(seen: list[Any], stream: Any) -> None:
    for event in stream:
        seen.append(event)


def test_without_a_stream_it_is_queued_and_asked_for(
    client: openai.OpenAI, upstream: Upstream
) -> None:
    upstream.queue(Answer(["one"], delay=0.05, dialect=OPENAI))
    begun = begin(client)

    assert begun.status == "queued"
    assert until_done(client, begun.id).output_text == "one"
    with pytest.raises(openai.BadRequestError, match="cannot be streamed"):
        client.responses.retrieve(begun.id, stream=True)


def test_it_can_be_cancelled_and_what_is_not_kept_is_not_found(
    client: openai.OpenAI, upstream: Upstream
) -> None:
    upstream.queue(Answer(["one ", threading.Event()], dialect=OPENAI), Answer(["x"]))
    begun = begin(client)
    cancelled = client.responses.cancel(begun.id)

    assert cancelled.status == client.responses.retrieve(begun.id).status == "cancelled"
    assert client.responses.cancel(begun.id).status == "cancelled"
    forgotten = client.responses.create(model="m", input="Hi", store=False)
    for unknown in (forgotten.id, "resp_x"):
        with pytest.raises(openai.NotFoundError, match="not found"):
            client.responses.retrieve(unknown)


def test_a_stream_that_is_too_old_is_refused_and_the_answer_still_given(
    client: openai.OpenAI, upstream: Upstream
) -> None:
    upstream.queue(Answer(["one"], dialect=OPENAI))
    begun, *_ = begin(client, stream=True)
    upstream.background.too_old = True

    with pytest.raises(openai.BadRequestError, match="more than 5 minutes old"):
        client.responses.retrieve(begun.response.id, stream=True)
    assert client.responses.retrieve(begun.response.id).output_text == "one"


def test_an_answer_that_fails_in_the_background_says_so(
    client: openai.OpenAI, upstream: Upstream
) -> None:
    error = {"code": "server_error", "message": "Sorry."}
    upstream.queue(Answer(["one"], ending=Ending.FAILED, error=error, dialect=OPENAI))

    assert until_done(client, begin(client).id).error.message == "Sorry."


def test_who_waits_for_its_answer_cannot_cancel_it(
    client: openai.OpenAI, upstream: Upstream
) -> None:
    upstream.queue(Answer(["one"], dialect=OPENAI))
    answered = client.responses.create(model="m", input="Hi")

    with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
        client.responses.cancel(answered.id)
    assert client.responses.retrieve(answered.id).output_text == "one"


def test_a_small_server_knows_no_background(client: openai.OpenAI, upstream: Upstream) -> None:
    upstream.queue(Answer(["one"], dialect=OLLAMA))
    answered = begin(client)

    assert answered.status == "completed"
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(answered.id)


def test_files_in_containers_are_read_until_it_expires(
    client: openai.OpenAI, upstream: Upstream
) -> None:
    upstream.containers.put("cntr_1", "cfile_1", "plot.csv", b"a,b\n")

    assert client.containers.files.content.retrieve("cfile_1", container_id="cntr_1").read() == (
        b"a,b\n"
    )
    listed = client.containers.files.list("cntr_1").data
    assert [file.path for file in listed] == ["/mnt/data/plot.csv"]
    with pytest.raises(openai.NotFoundError, match="cfile_2"):
        client.containers.files.content.retrieve("cfile_2", container_id="cntr_1")
    upstream.containers.expire("cntr_1")
    with pytest.raises(openai.NotFoundError, match="Container with id 'cntr_1' not found"):
        client.containers.files.content.retrieve("cfile_1", container_id="cntr_1")


def test_containers_and_files_are_made_and_filled(client: openai.OpenAI) -> None:
    uploaded = client.files.create(file=("a.txt", b"hello"), purpose="user_data")
    container = client.containers.create(name="thread_1", file_ids=[uploaded.id])
    added = client.containers.files.create(container.id, file=("b.txt", b"world"))

    assert client.containers.retrieve(container.id).status == "running"
    names = [file.path for file in client.containers.files.list(container.id).data]
    assert names == ["/mnt/data/a.txt", "/mnt/data/b.txt"]
    assert client.files.content(uploaded.id).read() == b"hello"
    content = client.containers.files.content.retrieve(added.id, container_id=container.id)
    assert content.read() == b"world"
    with pytest.raises(openai.NotFoundError):
        client.containers.files.create("cntr_x", file=("b.txt", b"world"))
