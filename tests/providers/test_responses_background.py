"""Answers with which the server of the Responses API goes on when nobody listens."""

import logging
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest

from streamlit_assistant.errors import RunErrorCode, UpstreamError
from streamlit_assistant.providers.base import (
    Begun,
    CallStart,
    Delta,
    Finish,
    FinishReason,
    Remember,
    TextDelta,
    Usage,
)
from tests.providers.responses_frames import (
    Asked,
    Event,
    Reply,
    ResponsesServer,
    answer_of,
    asking,
    call_item,
    called,
    client_of,
    counts,
    created,
    ended,
    frame,
    message_item,
    numbered,
    provider_of,
    response,
    responses_server,
    said,
)

STOP = Finish(FinishReason.STOP)
BEGUN = Begun("resp_1")
HERE = "GET responses/resp_1"
RESUMED = asking(resume="resp_1")
EVENTS = numbered(created(), *said("Hel", "lo", "."), ended(usage=counts(1, 3)))
ANSWER = [TextDelta("Hel"), TextDelta("lo"), TextDelta("."), Usage(1, 3), STOP]
TOO_OLD = b'{"error": {"message": "can no longer be streamed: more than 5 minutes old"}}'


@pytest.fixture(scope="module")
def running() -> Iterator[ResponsesServer]:
    with responses_server() as server:
        yield server


@pytest.fixture
def server(running: ResponsesServer) -> ResponsesServer:
    running.reset()
    return running


async def answer(server: ResponsesServer, **options: Any) -> list[Delta]:
    return await answer_of(server, background=True, hosts_tools=True, **options)


async def again(server: ResponsesServer, request: Any = RESUMED, **options: Any) -> list[Delta]:
    return await answer_of(server, request, background=True, hosts_tools=True, **options)


def refuse(server: ResponsesServer) -> None:
    server.reply(Reply([TOO_OLD], 400, "application/json"), to=HERE)


def frames(*events: Event) -> list[bytes]:
    return [frame(event) for event in events]


async def failure(server: ResponsesServer, **options: Any) -> tuple[list[Delta], UpstreamError]:
    seen: list[Delta] = []
    async with client_of(server) as client:
        provider = provider_of(client, server, background=True, **options)
        with pytest.raises(UpstreamError) as caught:
            async for one in provider.stream(RESUMED):
                seen.append(one)
    return seen, caught.value


async def test_the_id_is_told_before_anything_can_be_seen(server: ResponsesServer) -> None:
    queued = {"type": "response.queued", "response": response("queued")}
    server.say(*numbered(queued, *EVENTS[1:-1], ended()))

    assert await answer(server) == [BEGUN, *ANSWER[:3], STOP]


async def test_who_knows_of_no_background_does_not_go_on(server: ResponsesServer) -> None:
    server.say(created(background=False), *EVENTS[1:4])

    assert await answer(server) == ANSWER[:1]
    assert len(server.asked) == 1


@pytest.mark.parametrize("place", range(1, len(EVENTS)))
@pytest.mark.parametrize("breaks", [False, True])
async def test_a_connection_that_ends_early_is_taken_up_where_it_ended(
    server: ResponsesServer, place: int, breaks: bool
) -> None:
    ends: list[Any] = [ConnectionError] if breaks else []
    server.reply(Reply([*frames(*EVENTS[:place]), *ends]))
    server.reply(Reply(frames(*EVENTS[place:])), to=HERE)

    assert await answer(server) == [BEGUN, *ANSWER]
    assert dict(server.asked[1].query) == {"stream": "true", "starting_after": str(place - 1)}
    assert server.asked[1].authorized


async def test_a_connection_that_hangs_is_taken_up_too(server: ResponsesServer) -> None:
    server.reply(Reply([*frames(*EVENTS[:4]), 2.0]))
    server.reply(Reply(frames(*EVENTS[4:])), to=HERE)

    assert await answer(server, silence_seconds=0.2) == [BEGUN, *ANSWER]


async def test_it_is_taken_up_as_often_as_it_takes(server: ResponsesServer) -> None:
    server.reply(Reply(frames(EVENTS[0])))
    server.reply(*(Reply(frames(event)) for event in EVENTS[1:]), to=HERE)

    assert await answer(server) == [BEGUN, *ANSWER]


async def test_a_server_that_tells_all_events_again_is_heard_once(
    server: ResponsesServer,
) -> None:
    server.reply(Reply(frames(*EVENTS[:5])))
    server.reply(Reply(frames(*EVENTS)), to=HERE)

    assert await answer(server) == [BEGUN, *ANSWER]


async def test_where_events_are_refused_the_answer_is_looked_at_until_it_is_whole(
    server: ResponsesServer,
) -> None:
    server.reply(Reply(frames(*EVENTS[:4])))
    refuse(server)
    server.tell(response("in_progress"), to=HERE)
    server.tell({"error": {"message": "busy"}}, 503, to=HERE)
    server.tell(response("completed", message_item("Hello."), usage=counts(1, 3)), to=HERE)

    assert await answer(server) == [BEGUN, TextDelta("Hel"), TextDelta("lo."), *ANSWER[3:]]
    assert [asked.query for asked in server.asked[2:]] == [[], [], []]


async def test_where_connections_bring_nothing_the_answer_is_looked_at(
    server: ResponsesServer,
) -> None:
    server.reply(Reply(frames(*EVENTS[:4])))
    server.reply(*(Reply() for _ in range(3)), to=HERE)
    server.tell(response("completed", message_item("Hello."), usage=counts(1, 3)), to=HERE)

    assert await answer(server) == [BEGUN, TextDelta("Hel"), TextDelta("lo."), *ANSWER[3:]]


async def test_events_without_numbers_cannot_be_asked_for_again(server: ResponsesServer) -> None:
    server.reply(Reply(frames(created(), *said("Hel")[:3])))
    server.tell(response("completed", message_item("Hello.")), to=HERE)

    assert await answer(server) == [BEGUN, TextDelta("Hel"), TextDelta("lo."), STOP]
    assert server.asked[1].query == []


async def test_an_answer_that_is_queued_in_one_body_is_followed(server: ResponsesServer) -> None:
    server.tell(response("queued", background=True))
    server.reply(Reply(frames(*EVENTS[1:])), to=HERE)

    assert await answer(server) == [BEGUN, *ANSWER]


async def test_a_connection_that_breaks_before_the_id_is_known_is_an_error(
    server: ResponsesServer,
) -> None:
    server.reply(Reply([b": hello\n\n", ConnectionError]))

    with pytest.raises(UpstreamError, match="the connection broke"):
        await answer(server)
    assert len(server.asked) == 1


async def test_a_refused_request_is_not_followed(server: ResponsesServer) -> None:
    server.tell({"error": {"message": "no background", "param": "background"}}, 400)

    with pytest.raises(UpstreamError, match="no background"):
        await answer(server)
    assert len(server.asked) == 1


async def test_an_answer_that_has_begun_is_read_from_its_beginning(
    server: ResponsesServer,
) -> None:
    server.reply(Reply(frames(*EVENTS[1:])), to=HERE)

    assert await again(server) == ANSWER
    assert [(asked.method, asked.path) for asked in server.asked] == [("GET", "responses/resp_1")]
    assert dict(server.asked[0].query) == {"stream": "true", "starting_after": "0"}


async def test_what_tools_brought_is_asked_for_again_too(server: ResponsesServer) -> None:
    tools = [{"type": "file_search", "vector_store_ids": ["vs_1"]}]
    refuse(server)
    server.tell(response("completed", message_item("Hello.")), to=HERE)

    await again(server, asking(resume="resp_1", hosted_tools=tools))

    included = ("include[]", "file_search_call.results")
    assert all(included in asked.query for asked in server.asked)


async def test_an_old_answer_is_read_as_it_stands(server: ResponsesServer) -> None:
    refuse(server)
    server.tell(response("queued"), to=HERE)
    server.tell(response("completed", message_item("Hello."), usage=counts(1, 3)), to=HERE)

    assert await again(server) == [TextDelta("Hello."), *ANSWER[3:]]


async def test_a_resumed_answer_is_read_though_the_background_is_not_in_use_any_more(
    server: ResponsesServer,
) -> None:
    server.reply(Reply(frames(*EVENTS[1:5])), Reply(frames(*EVENTS[5:])), to=HERE)

    assert await answer_of(server, RESUMED) == ANSWER


async def test_calls_of_a_kept_answer_are_remembered_as_kept(server: ResponsesServer) -> None:
    items = [{"id": "rs_1", "type": "reasoning", "summary": []}, call_item("{}", 1)]
    server.say(*numbered(created(), *called("{}", index=1), ended("completed", *items)))
    refuse(server)
    server.tell(response("completed", *items), to=HERE)

    for found in (await answer(server), await again(server)):
        assert Remember({"items": items, "stored": True}, "a server") in found
        assert any(isinstance(one, CallStart) for one in found)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_an_answer_that_is_not_to_be_had_is_an_error(
    server: ResponsesServer, status: int
) -> None:
    server.tell({"error": {"message": "No such answer."}}, status, to=HERE)

    seen, error = await failure(server)

    assert seen == []
    assert "No such answer." in error.message
    assert len(server.asked) == 1


async def test_a_server_that_stays_away_is_given_up(server: ResponsesServer) -> None:
    refuse(server)
    for _ in range(9):
        server.tell({"error": {"message": "busy"}}, 503, to=HERE)

    _, error = await failure(server)

    assert "busy" in error.message
    assert len(server.asked) == 7


async def test_an_answer_that_failed_meanwhile_is_an_error(server: ResponsesServer) -> None:
    refuse(server)
    told = {"code": "rate_limit_exceeded", "message": "Too many."}
    server.tell(response("failed", error=told), to=HERE)

    _, error = await failure(server)

    assert "Too many." in error.message
    assert error.code is RunErrorCode.RATE_LIMIT_EXCEEDED


async def test_an_answer_that_was_cancelled_meanwhile_is_an_error(
    server: ResponsesServer,
) -> None:
    server.reply(Reply(frames(*EVENTS[1:4], ended("cancelled"))), to=HERE)

    seen, error = await failure(server)

    assert seen == ANSWER[:1]
    assert "cancelled" in error.message


async def test_an_id_cannot_lead_elsewhere(server: ResponsesServer) -> None:
    with pytest.raises(UpstreamError, match="nothing here"):
        await again(server, asking(resume="../files?x=/y"))

    assert [asked.path for asked in server.asked] == ["responses/..%2Ffiles%3Fx%3D%2Fy"]


async def test_cancelling_tells_the_server(server: ResponsesServer) -> None:
    server.tell(response("cancelled"), to="POST responses/resp_1/cancel")

    async with client_of(server) as client:
        await provider_of(client, server).cancel("resp_1")

    assert server.asked == [Asked("POST", "responses/resp_1/cancel", [], None, True)]


@pytest.mark.parametrize("reply", [Reply([TOO_OLD], 400, "application/json"), None, "nobody"])
async def test_cancelling_never_fails(
    server: ResponsesServer, reply: Reply | str | None, caplog: pytest.LogCaptureFixture
) -> None:
    if isinstance(reply, Reply):
        server.reply(reply, to="POST responses/resp_1/cancel")
    async with client_of(server) as client:
        if reply == "nobody":
            client.base_url = "http://127.0.0.1:1/v1"
        with caplog.at_level(logging.INFO):
            await provider_of(client, server).cancel("resp_1")

    assert "was not cancelled" in caplog.text
    assert "secret" not in caplog.text


async def test_closing_the_stream_leaves_the_answer_to_the_server(
    server: ResponsesServer,
) -> None:
    server.reply(Reply([*frames(*EVENTS[:4]), 30.0]))

    async with client_of(server) as client:
        provider = provider_of(client, server, background=True)
        async with aclosing(provider.stream(asking())) as stream:
            assert [await anext(stream), await anext(stream)] == [BEGUN, ANSWER[0]]

    assert [asked.method for asked in server.asked] == ["POST"]


@pytest.mark.parametrize(
    "said_of_events",
    [
        Reply([b"<html>"], 200, "text/html"),
        Reply([b'{"error": {"message": "not now"}}'], 200, "application/json"),
    ],
)
async def test_where_something_else_than_events_comes_the_answer_is_looked_at(
    server: ResponsesServer, said_of_events: Reply
) -> None:
    server.say(*EVENTS[:4])
    server.reply(*[said_of_events] * 3, to=HERE)
    server.tell(response("completed", message_item("Hello."), usage=counts(1, 3)), to=HERE)

    assert await answer(server) == [BEGUN, ANSWER[0], TextDelta("lo."), Usage(1, 3), STOP]
