"""The Responses API adapter against a server on a real socket: text, ends, failures."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import httpx2
import pytest

from streamlit_assistant.errors import RunErrorCode, UpstreamError
from streamlit_assistant.providers.base import (
    CallArguments,
    CallStart,
    Delta,
    Finish,
    FinishReason,
    MessageStart,
    ReasoningDelta,
    RefusalDelta,
    Remember,
    TextDelta,
    Usage,
)
from streamlit_assistant.providers.responses.api import ResponsesProvider
from streamlit_assistant.providers.upstream_failure import Explainer
from tests.providers.responses_frames import (
    DONE,
    SERVER,
    SSE,
    Event,
    Piece,
    Reply,
    ResponsesServer,
    added,
    answer_of,
    asking,
    call_item,
    called,
    client_of,
    counts,
    created,
    delta,
    done,
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
TOOLS = Finish(FinishReason.TOOL_CALLS)


@pytest.fixture(scope="module")
def running() -> Iterator[ResponsesServer]:
    with responses_server() as server:
        yield server


@pytest.fixture
def server(running: ResponsesServer) -> ResponsesServer:
    running.reset()
    return running


async def failure(server: ResponsesServer, **options: Any) -> tuple[list[Delta], UpstreamError]:
    seen: list[Delta] = []
    async with client_of(server) as client:
        with pytest.raises(UpstreamError) as caught:
            async for one in provider_of(client, server, **options).stream(asking()):
                seen.append(one)
    return seen, caught.value


def remembered(*items: dict[str, Any], stored: bool = False) -> Remember:
    return Remember({"items": list(items), "stored": stored}, SERVER)


async def test_text_usage_and_the_end_arrive_as_deltas(server: ResponsesServer) -> None:
    usage = counts(5, 2, cached=3, reasoned=1)
    server.say(*numbered(created(), *said("你", "好🙂"), ended(usage=usage)))

    assert await answer_of(server) == [
        TextDelta("你"),
        TextDelta("好🙂"),
        Usage(5, 2, cached_tokens=3, reasoning_tokens=1),
        STOP,
    ]


async def test_usage_without_details_counts_and_half_of_it_does_not(
    server: ResponsesServer,
) -> None:
    server.say(created(), *said("x"), ended(usage=counts(5, 2)))
    server.say(created(), *said("x"), ended(usage={"input_tokens": 5}))

    assert await answer_of(server) == [TextDelta("x"), Usage(5, 2), STOP]
    assert await answer_of(server) == [TextDelta("x"), STOP]


async def test_bytes_cut_anywhere_comments_and_the_end_mark_do_no_harm(
    server: ResponsesServer,
) -> None:
    events = numbered(created(), *said("小", "智🙂"), ended(usage=counts(1, 2)))
    whole = b": PROCESSING\n\n" + b"".join(map(frame, events)) + DONE
    server.reply(Reply([whole[n : n + 1] for n in range(len(whole))]))

    assert await answer_of(server) == [
        TextDelta("小"),
        TextDelta("智🙂"),
        Usage(1, 2),
        STOP,
    ]


async def test_a_character_cut_in_two_by_the_server_is_put_together(
    server: ResponsesServer,
) -> None:
    sent = [
        b'data: {"type": "response.output_text.delta", "delta": "a\\ud83d"}\n\n',
        b'data: {"type": "response.output_text.delta", "delta": "\\ude42!"}\n\n',
    ]
    server.reply(Reply([*sent, frame(ended())]))

    assert await answer_of(server) == [TextDelta("a"), TextDelta("🙂!"), STOP]


async def test_a_refusal_and_thoughts_are_told_apart_from_the_answer(
    server: ResponsesServer,
) -> None:
    server.say(
        created(),
        added({"id": "rs", "type": "reasoning", "summary": []}),
        delta("reasoning_summary_text", "First.", item_id="rs", summary_index=0),
        delta("reasoning_summary_text", "Second.", item_id="rs", summary_index=1),
        done({"id": "rs", "type": "reasoning", "summary": [{"text": "First."}]}),
        delta("reasoning_text", "Aloud.", 1, content_index=0),
        delta("refusal", "I can", 2, content_index=0),
        delta("refusal", "not.", 2, content_index=0),
        ended(),
    )

    assert await answer_of(server) == [
        ReasoningDelta("First."),
        ReasoningDelta("\n\nSecond."),
        ReasoningDelta("\n\nAloud."),
        RefusalDelta("I can"),
        RefusalDelta("not."),
        STOP,
    ]


async def test_another_message_begins_another_message(server: ResponsesServer) -> None:
    server.say(created(), *said("Look:"), *said("Here.", index=1), ended())

    assert await answer_of(server) == [
        TextDelta("Look:"),
        MessageStart(),
        TextDelta("Here."),
        STOP,
    ]


async def test_function_calls_end_the_answer_and_are_to_be_remembered(
    server: ResponsesServer,
) -> None:
    thought = {"id": "rs_0", "type": "reasoning", "summary": [], "encrypted_content": "x"}
    items = [thought, call_item(index=1), call_item("{}", index=2, name="time")]
    server.say(
        created(),
        added({**thought, "encrypted_content": ""}),
        done(thought),
        *called('{"city": ', '"Oslo"}', index=1),
        *called("{}", index=2, name="time"),
        ended("completed", *items, usage=counts(3, 9)),
    )

    assert await answer_of(server) == [
        CallStart(0, "call_1", "weather"),
        CallArguments(0, '{"city": '),
        CallArguments(0, '"Oslo"}'),
        CallStart(1, "call_2", "time"),
        CallArguments(1, "{}"),
        Usage(3, 9),
        remembered(*items),
        TOOLS,
    ]


async def test_calls_that_come_at_the_same_time_are_told_apart(server: ResponsesServer) -> None:
    first, second = called('{"a"', ":1}", index=0), called('{"b"', ":2}", index=1)
    woven = [event for pair in zip(first, second, strict=True) for event in pair]
    server.say(created(), *woven, ended("completed", call_item('{"a":1}'), call_item('{"b":2}', 1)))

    assert (await answer_of(server))[:-2] == [
        CallStart(0, "call_0", "weather"),
        CallArguments(0, '{"a"'),
        CallStart(1, "call_1", "weather"),
        CallArguments(1, '{"b"'),
        CallArguments(0, ":1}"),
        CallArguments(1, ":2}"),
    ]


async def test_a_call_without_arguments_has_empty_ones(server: ResponsesServer) -> None:
    server.say(created(), *called(name="now"), ended())

    assert await answer_of(server) == [
        CallStart(0, "call_0", "now"),
        CallArguments(0, "{}"),
        remembered(call_item("", name="now")),
        TOOLS,
    ]


async def test_two_calls_with_one_id_get_two(server: ResponsesServer) -> None:
    twin = {**call_item(index=1), "call_id": "call_0"}
    server.say(created(), done(call_item()), done(twin, 1), ended())

    starts = [one for one in await answer_of(server) if isinstance(one, CallStart)]
    assert len({start.id for start in starts}) == 2


async def test_a_call_that_names_nothing_is_an_error(server: ResponsesServer) -> None:
    nameless = {"type": "function_call", "call_id": "c", "arguments": "{}"}
    server.say(created(), done(nameless), ended())

    _, error = await failure(server)
    assert "without naming it" in error.message


# What is told only in other ways than in pieces.
ANSWER = message_item("Hello, you.")


@pytest.mark.parametrize(
    "events",
    [
        [{"type": "response.output_text.done", "text": "Hello, you."}],
        [{"type": "response.content_part.done", "part": ANSWER["content"][0]}],
        [done(ANSWER)],
        [],
        [delta("output_text", "Hello"), done(ANSWER)],
        [delta("output_text", "Hello")],
        # an item with another name in every event
        [added({**ANSWER, "content": []}), delta("output_text", "Hello"), done(ANSWER)],
        [delta("output_text", "Hello, ", 0), done({**ANSWER, "id": "other"}, 1)],
        said("Hello, ", "you."),
    ],
)
async def test_what_is_told_in_whatever_way_is_said_once(
    server: ResponsesServer, events: list[Event]
) -> None:
    server.say(created(), *events, ended("completed", ANSWER))

    answer = await answer_of(server)
    assert "".join(one.text for one in answer if isinstance(one, TextDelta)) == "Hello, you."
    assert {type(one) for one in answer} == {TextDelta, Finish}


async def test_calls_told_only_in_the_whole_response_are_called(server: ResponsesServer) -> None:
    items = [message_item("Wait."), call_item(index=1)]
    server.say(created(), ended("completed", *items))

    assert await answer_of(server) == [
        TextDelta("Wait."),
        CallStart(0, "call_1", "weather"),
        CallArguments(0, '{"city": "Oslo"}'),
        remembered(*items),
        TOOLS,
    ]


async def test_calls_that_the_whole_response_leaves_out_are_remembered_as_they_came(
    server: ResponsesServer,
) -> None:
    pieces = called('{"city": "Oslo"}')
    server.say(created(), *pieces[:2], ended())

    *_, memory, finish = await answer_of(server)
    assert memory == remembered({**call_item(), "status": "in_progress"})
    assert finish == TOOLS


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (ended("incomplete", incomplete_details={"reason": "max_output_tokens"}), "max_tokens"),
        (ended("incomplete", incomplete_details={"reason": "content_filter"}), "content_filter"),
        (ended("incomplete", incomplete_details={"reason": "steered"}), "stop"),
        (ended("incomplete", incomplete_details=None), "max_tokens"),
        ({"type": "response.completed"}, "stop"),
        ({"type": "response.done", "response": response("completed")}, "stop"),
        # the status counts, not the event's name
        ({"type": "response.completed", "response": response("incomplete")}, "max_tokens"),
    ],
)
async def test_why_the_answer_ended_is_passed_on(
    server: ResponsesServer, end: Event, reason: str
) -> None:
    server.say(created(), *said("x"), end)

    assert await answer_of(server) == [TextDelta("x"), Finish(FinishReason(reason))]


async def test_a_call_that_was_cut_off_is_no_call(server: ResponsesServer) -> None:
    cut = ended("incomplete", incomplete_details={"reason": "max_output_tokens"})
    server.say(created(), *called('{"ci')[:2], cut)

    assert (await answer_of(server))[-1] == Finish(FinishReason.MAX_TOKENS)


@pytest.mark.parametrize(
    ("hosts_tools", "asked", "events", "reason"),
    [
        (False, 20, said("x"), "max_tokens"),
        (False, 21, said("x"), "stop"),
        (False, None, said("x"), "stop"),
        (False, 20, called("{}"), "tool_calls"),
        (False, 20, called('{"ci'), "max_tokens"),
        (True, 20, said("x"), "stop"),  # its word counts
    ],
)
async def test_an_answer_that_has_used_up_its_tokens_was_cut_off_whatever_is_said(
    server: ResponsesServer,
    hosts_tools: bool,
    asked: int | None,
    events: list[Event],
    reason: str,
) -> None:
    server.say(created(), *events, ended(usage=counts(1, 20)))

    request = asking(max_completion_tokens=asked)
    answer = await answer_of(server, request, hosts_tools=hosts_tools)
    assert answer[-1] == Finish(FinishReason(reason))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("rate_limit_exceeded", RunErrorCode.RATE_LIMIT_EXCEEDED),
        ("invalid_prompt", RunErrorCode.INVALID_PROMPT),
        ("bio_policy", RunErrorCode.INVALID_PROMPT),
        ("misalignment_policy_violation", RunErrorCode.INVALID_PROMPT),
        ("data_residency_mismatch", RunErrorCode.INVALID_PROMPT),
        ("image_too_large", RunErrorCode.INVALID_PROMPT),
        ("invalid_base64_image", RunErrorCode.INVALID_PROMPT),
        ("failed_to_download_image", RunErrorCode.INVALID_PROMPT),
        ("server_error", RunErrorCode.SERVER_ERROR),
        ("vector_store_timeout", RunErrorCode.SERVER_ERROR),
        ("something_new", RunErrorCode.SERVER_ERROR),
    ],
)
async def test_an_answer_that_failed_says_why(
    server: ResponsesServer, error: str, code: RunErrorCode
) -> None:
    told = {"code": error, "message": f"It went wrong. {KEY_IN_WORDS}"}
    server.say(created(), *said("half")[:3], ended("failed", error=told))

    seen, raised = await failure(server)

    assert seen == [TextDelta("half")]
    assert "It went wrong." in raised.message
    assert "secret" not in raised.message
    assert raised.code is code


KEY_IN_WORDS = "Key sk-secret-0123456789 was used."


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "server_error", "message": "Dead.", "param": None},
        {"type": "error", "error": {"type": "server_error", "message": "Dead."}},
        {"error": {"code": 502, "message": "Dead."}},
        {"type": "response.error", "error": {"message": "Dead."}},
    ],
)
async def test_an_error_between_the_pieces_keeps_what_came_before(
    server: ResponsesServer, event: Event
) -> None:
    server.say(created(), *said("half")[:3], event)

    seen, raised = await failure(server)

    assert seen == [TextDelta("half")]
    assert "Dead." in raised.message


async def test_the_name_of_a_frame_stands_for_a_type_that_is_not_there(
    server: ResponsesServer,
) -> None:
    frames = [
        b'event: response.output_text.delta\ndata: {"delta": "hi"}\n\n',
        b'event: error\ndata: {"type": "server_error", "message": "Dead."}\n\n',
    ]
    server.reply(Reply(frames))

    seen, raised = await failure(server)

    assert seen == [TextDelta("hi")]
    assert "Dead." in raised.message


async def test_a_cancelled_answer_is_an_error(server: ResponsesServer) -> None:
    server.say(created(), ended("cancelled"))

    _, raised = await failure(server)
    assert "cancelled" in raised.message


async def test_an_early_end_has_no_finish(server: ResponsesServer) -> None:
    server.say(created(), *said("half")[:3])

    assert await answer_of(server) == [TextDelta("half")]


async def test_what_comes_after_the_end_is_not_said(server: ResponsesServer) -> None:
    server.say(created(), *said("x"), ended(), *said("y", index=1), ended())

    assert await answer_of(server) == [TextDelta("x"), STOP]


async def test_a_connection_that_breaks_after_the_end_harms_nothing(
    server: ResponsesServer,
) -> None:
    frames = [frame(event) for event in [created(), *said("x"), ended()]]
    server.reply(Reply([*frames, ConnectionError]))

    assert await answer_of(server) == [TextDelta("x"), STOP]


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        ([b"data: {broken\n\n"], "not a valid answer"),
        ([b"data: [1]\n\n"], "not a valid answer"),
        ([2.0], "did not answer in time"),
        ([ConnectionError], "the connection broke"),
    ],
)
async def test_a_failure_in_mid_stream_keeps_what_came_before(
    server: ResponsesServer, tail: list[Any], words: str
) -> None:
    server.reply(Reply([*map(frame, [created(), *said("half")[:3]]), *tail]))

    seen, raised = await failure(server, silence_seconds=0.3)

    assert seen == [TextDelta("half")]
    assert words in raised.message


async def test_a_first_token_may_take_longer_than_the_next_ones(server: ResponsesServer) -> None:
    events = [frame(event) for event in [*said("x"), ended()]]
    server.reply(Reply([frame(created()), 0.5, *events]))

    answer = await answer_of(server, silence_seconds=0.1, first_token_seconds=2.0)
    assert answer == [TextDelta("x"), STOP]


@pytest.mark.parametrize("pieces", [[2.0], [frame(created()), 2.0]])
async def test_a_server_that_hangs_is_given_up(
    server: ResponsesServer, pieces: list[bytes | float]
) -> None:
    server.reply(Reply(pieces))

    seen, raised = await failure(server, first_token_seconds=0.2)

    assert seen == []
    assert "did not answer in time" in raised.message


@pytest.mark.parametrize(
    ("status", "kind", "body", "words", "code"),
    [
        (200, "text/html", b"<html>hello</html>", "web page", RunErrorCode.SERVER_ERROR),
        (200, "application/json", b"{}", "does not stream", RunErrorCode.SERVER_ERROR),
        (200, "application/json", b'{"error": {"message": "No."}}', "No.", None),
        (200, "application/json", b"{", "not a valid answer", RunErrorCode.SERVER_ERROR),
        (
            400,
            "application/json",
            b'{"error":{"message":"too long","code":"context_length_exceeded"}}',
            "too long",
            RunErrorCode.INVALID_PROMPT,
        ),
        (
            429,
            "application/json",
            b'{"error":{"message":"slow down","code":"rate_limit_exceeded"}}',
            "slow down",
            RunErrorCode.RATE_LIMIT_EXCEEDED,
        ),
    ],
)
async def test_a_refusal_of_the_server_becomes_plain_words(
    server: ResponsesServer,
    status: int,
    kind: str,
    body: bytes,
    words: str,
    code: RunErrorCode | None,
) -> None:
    server.reply(Reply([body], status, kind))

    seen, raised = await failure(server)

    assert seen == []
    assert words in raised.message
    assert code is None or raised.code is code


async def test_nobody_there_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}/v1"
    async with httpx2.AsyncClient(base_url=url) as client:
        provider = ResponsesProvider(client, Explainer(url, None), server=SERVER)
        with pytest.raises(UpstreamError, match="cannot be reached"):
            async for _ in provider.stream(asking()):
                pass


async def test_one_body_in_place_of_a_stream_is_the_answer(server: ResponsesServer) -> None:
    items = [message_item("Wait."), call_item(index=1)]
    server.tell(response("completed", *items, usage=counts(1, 2)))

    assert await answer_of(server) == [
        TextDelta("Wait."),
        CallStart(0, "call_1", "weather"),
        CallArguments(0, '{"city": "Oslo"}'),
        Usage(1, 2),
        remembered(*items),
        TOOLS,
    ]


async def test_one_body_that_failed_is_an_error(server: ResponsesServer) -> None:
    told = {"code": "invalid_prompt", "message": "Not that."}
    server.tell(response("failed", error=told))

    _, raised = await failure(server)
    assert "Not that." in raised.message
    assert raised.code is RunErrorCode.INVALID_PROMPT


async def test_closing_the_stream_closes_the_connection(server: ResponsesServer) -> None:
    server.reply(Reply([*map(frame, [created(), *said("half")[:3]]), 30.0]))

    async with client_of(server) as client:
        async with aclosing(provider_of(client, server).stream(asking())) as stream:
            async with asyncio.timeout(5):
                assert await anext(stream) == TextDelta("half")
        assert len(server.asked) == 1
    assert server.asked[0].authorized


async def test_an_event_stream_that_does_not_say_so_is_read(server: ResponsesServer) -> None:
    frames = [frame(event) for event in [created(), *said("x"), ended()]]
    server.reply(Reply(frames, content_type=f"{SSE}; charset=utf-8"))

    assert await answer_of(server) == [TextDelta("x"), STOP]


async def test_a_line_that_is_kept_open_after_the_answer_does_not_keep_the_run_open(
    server: ResponsesServer,
) -> None:
    events = [*said("Hello."), ended()]
    open_line: list[Piece] = [0.2, b": still here\n\n"] * 300
    server.reply(Reply([*map(frame, events), *open_line]))

    async with asyncio.timeout(20):
        seen = await answer_of(server)

    assert seen[-1] == STOP
