"""The Responses API as servers other than OpenAI write it, and answers with lost parts."""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from streamlit_assistant.providers.responses.growth import Growth, Numbering
from tests.providers.responses_frames import (
    DONE,
    JSON,
    SERVER,
    Event,
    Reply,
    ResponsesServer,
    added,
    answer_of,
    asking,
    called,
    counts,
    created,
    delta,
    done,
    ended,
    frame,
    message_item,
    numbered,
    response,
    responses_server,
    said,
)

STOP = Finish(FinishReason.STOP)


@pytest.fixture(scope="module")
def running() -> Iterator[ResponsesServer]:
    with responses_server() as server:
        yield server


@pytest.fixture
def server(running: ResponsesServer) -> ResponsesServer:
    running.reset()
    return running


def bare(kind: str, **fields: Any) -> Event:
    """An event of llama.cpp's: without any number."""
    return {"type": f"response.{kind}", **fields}


def llama_beginning() -> list[Event]:
    told = {"id": "resp_l", "object": "response", "status": "in_progress"}
    return [bare("created", response=told), bare("in_progress", response=told)]


def llama_call(call_id: str, name: str, *pieces: str) -> tuple[list[Event], JSON]:
    """The events of a call while it is written, and its item as it is told at the end."""
    head = {"type": "function_call", "call_id": call_id, "name": name}
    opened = {**head, "arguments": "", "status": "in_progress"}
    kind = "function_call_arguments.delta"
    return (
        [
            bare("output_item.added", item=opened),
            *(bare(kind, delta=piece, item_id=call_id) for piece in pieces),
        ],
        {**head, "arguments": "".join(pieces), "status": "completed"},
    )


async def test_llama_cpp_says_text_thoughts_and_calls(server: ResponsesServer) -> None:
    thought = {
        **{"id": "rs_l", "type": "reasoning", "summary": [], "encrypted_content": ""},
        "content": [{"type": "reasoning_text", "text": "Hm."}],
    }
    message = message_item("Wait.")
    first, first_item = llama_call("fc_a", "weather", '{"city":', ' "Oslo"}')
    second, second_item = llama_call("fc_b", "weather", '{"city": "Rome"}')
    output = [thought, message, first_item, second_item]
    whole = {"id": "resp_l", "object": "response", "status": "completed", "output": output}
    server.say(
        *llama_beginning(),
        *llama_beginning(),  # once more where there are tools
        bare("output_item.added", item={**thought, "content": []}),
        bare("reasoning_text.delta", delta="Hm.", item_id="rs_l"),
        bare("output_item.added", item={**message, "content": []}),
        bare("content_part.added", item_id="msg_0", part={"type": "output_text", "text": ""}),
        bare("output_text.delta", item_id="msg_0", delta="Wait."),
        *first,
        *second,
        bare("output_item.done", item=thought),
        bare("output_text.done", item_id="msg_0", text="Wait."),
        bare("content_part.done", item_id="msg_0", part=message["content"][0]),
        *(bare("output_item.done", item=item) for item in output[1:]),
        bare("completed", response={**whole, "usage": counts(7, 20)}),
    )

    # It has cut nothing off, though it has used up what it was given: the calls are whole.
    assert await answer_of(server, asking(max_completion_tokens=20)) == [
        ReasoningDelta("Hm."),
        TextDelta("Wait."),
        CallStart(0, "fc_a", "weather"),
        CallArguments(0, '{"city":'),
        CallArguments(0, ' "Oslo"}'),
        CallStart(1, "fc_b", "weather"),
        CallArguments(1, '{"city": "Rome"}'),
        Usage(7, 20),
        Remember({"items": output, "stored": False}, SERVER),
        Finish(FinishReason.TOOL_CALLS),
    ]


async def test_llama_cpp_does_not_say_that_it_was_cut_off(server: ResponsesServer) -> None:
    told = response("completed", message_item("Once upon"), usage=counts(7, 2))
    server.say(
        *llama_beginning(),
        bare("output_text.delta", item_id="msg_0", delta="Once upon"),
        bare("completed", response=told),
    )

    answer = await answer_of(server, asking(max_completion_tokens=2))

    assert answer == [TextDelta("Once upon"), Usage(7, 2), Finish(FinishReason.MAX_TOKENS)]


async def test_llama_cpp_trims_at_the_end_what_it_has_said(server: ResponsesServer) -> None:
    server.say(
        *llama_beginning(),
        bare("output_text.delta", item_id="msg_0", delta=" Hello. \n"),
        bare("completed", response=response("completed", message_item("Hello."))),
    )

    assert await answer_of(server) == [TextDelta(" Hello. \n"), STOP]


async def test_ollama_says_thoughts_as_summaries_and_calls_as_wholes(
    server: ResponsesServer,
) -> None:
    thought = {
        **{"id": "rs_1", "type": "reasoning", "encrypted_content": "Hm."},
        "summary": [{"type": "summary_text", "text": "Hm."}],
    }
    calls = called('{"city": "Oslo"}', index=1), called("{}", index=2, name="time")
    place: JSON = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
    items = [thought, *(events[-1]["item"] for events in calls)]
    server.say(
        *numbered(
            created(background=False),
            {"type": "response.in_progress", "response": response()},
            added({"id": "rs_1", "type": "reasoning", "summary": []}),
            {"type": "response.reasoning_summary_text.delta", **place, "delta": "Hm."},
            {"type": "response.reasoning_summary_text.done", **place, "text": "Hm."},
            done(thought),
            *itertools.chain(*calls),
            ended("completed", *items, usage=counts(5, 9)),
        )
    )

    assert await answer_of(server) == [
        ReasoningDelta("Hm."),
        CallStart(0, "call_1", "weather"),
        CallArguments(0, '{"city": "Oslo"}'),
        CallStart(1, "call_2", "time"),
        CallArguments(1, "{}"),
        Usage(5, 9),
        Remember({"items": items, "stored": False}, SERVER),
        Finish(FinishReason.TOOL_CALLS),
    ]


async def test_a_server_may_name_items_anew_with_every_event(server: ResponsesServer) -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "weather"}
    message = message_item("Hello.")
    server.say(
        created(),
        added({**message, "id": "a", "content": []}, 0),
        delta("output_text", "Hel", 0, item_id="b"),
        delta("output_text", "lo.", 0, item_id="c"),
        done({**message, "id": "d"}, 0),
        added({**call, "id": "e", "arguments": ""}, 1),
        delta("function_call_arguments", "{}", 1, item_id="f"),
        done({**call, "id": "g", "arguments": "{}"}, 1),
        ended("completed", {**message, "id": "h"}, {**call, "id": "i", "arguments": "{}"}),
    )

    assert (await answer_of(server))[:-2] == [
        TextDelta("Hel"),
        TextDelta("lo."),
        CallStart(0, "call_1", "weather"),
        CallArguments(0, "{}"),
    ]


async def test_a_server_may_give_all_items_the_same_number(server: ResponsesServer) -> None:
    first, second = said("One."), said("Two.")
    renamed = [{**event, "item_id": "msg_1"} for event in second[1:-1]]
    items = {**message_item("Two."), "id": "msg_1"}
    begun = {**items, "content": []}
    server.say(created(), *first, added(begun), *renamed, done(items), ended())

    assert await answer_of(server) == [TextDelta("One."), MessageStart(), TextDelta("Two."), STOP]


async def test_a_server_may_name_neither_items_nor_parts(server: ResponsesServer) -> None:
    message, head = message_item("Hello."), {"type": "function_call", "name": "now"}
    server.say(
        bare("output_item.added", item={"type": "message", "content": []}),
        bare("output_text.delta", delta="Hel"),
        bare("output_text.delta", delta="lo."),
        bare("output_item.done", item={**message, "id": None}),
        bare("output_item.added", item=head),
        bare("function_call_arguments.delta", delta="{}"),
        bare("output_item.done", item={**head, "arguments": "{}"}),
        bare("completed", response={"output": [{**message, "id": None}, head]}),
    )

    answer = await answer_of(server)

    assert answer[:2] == [TextDelta("Hel"), TextDelta("lo.")]
    assert isinstance(answer[2], CallStart)
    assert answer[3] == CallArguments(0, "{}")
    assert [type(one) for one in answer[4:]] == [Remember, Finish]


async def test_arguments_may_be_what_the_json_means(server: ResponsesServer) -> None:
    head = {"type": "function_call", "call_id": "call_1", "name": "weather"}
    server.say(created(), done({**head, "arguments": {"city": "Zürich"}}), ended())

    assert CallArguments(0, '{"city": "Zürich"}') in await answer_of(server)


async def test_content_may_be_a_string(server: ResponsesServer) -> None:
    server.say(created(), done({"type": "message", "content": "Hello."}), ended())

    assert await answer_of(server) == [TextDelta("Hello."), STOP]


def whole_answer(texts: list[list[str]], refusal: list[str], arguments: list[str]) -> list[Event]:
    """All events of an answer as OpenAI sends it."""
    events: list[Event] = [created(), {"type": "response.in_progress", "response": response()}]
    thought = {"id": "rs_0", "type": "reasoning", "summary": [{"text": "Hm, well."}]}
    events += [
        added({**thought, "summary": []}),
        delta("reasoning_summary_text", "Hm, ", item_id="rs_0", summary_index=0),
        delta("reasoning_summary_text", "well.", item_id="rs_0", summary_index=0),
        done(thought),
    ]
    for index, pieces in enumerate(texts, 1):
        events += said(*pieces, index=index)
    if refusal:
        item = {"id": "msg_r", "type": "message", "content": []}
        part = {"type": "refusal", "refusal": "".join(refusal)}
        place = {"item_id": "msg_r", "content_index": 0}
        events += [
            added(item, 50),
            *(delta("refusal", piece, 50, **place) for piece in refusal),
            done({**item, "content": [part]}, 50),
        ]
    events += called(*arguments, index=60) if arguments else []
    items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    return numbered(*events, ended("completed", *items, usage=counts(3, 4)))


def folded(answer: list[Delta]) -> list[Any]:
    """What the deltas add up to."""
    found: list[Any] = []
    for one in answer:
        match one:
            case TextDelta(text) | RefusalDelta(text) | ReasoningDelta(text):
                if found and found[-1][0] is type(one):
                    found[-1] = (type(one), found[-1][1] + text)
                else:
                    found.append((type(one), text))
            case CallArguments(index, text):
                if found and found[-1][0] == index:
                    found[-1] = (index, found[-1][1] + text)
                else:
                    found.append((index, text))
            case _:
                found.append((type(one), one))
    return found


def is_piece(event: Event) -> bool:
    return str(event["type"]).endswith(".delta")


@st.composite
def torn_answers(draw: st.DrawFn) -> tuple[list[Event], list[Event], list[int]]:
    """An answer, the same with some of its pieces lost, and where its bytes are cut."""
    piece = st.text(alphabet="ab \n你🙂é", min_size=1, max_size=4)
    pieces = st.lists(piece, min_size=1, max_size=4)
    texts = draw(st.lists(pieces, min_size=1, max_size=3))
    arguments = draw(st.sampled_from([[], ["{", '"a": 1', "}"], ['{"a": "', "🙂", '"}']]))
    whole = whole_answer(texts, draw(st.lists(piece, max_size=3)), arguments)
    kept = [event for event in whole if not is_piece(event) or draw(st.booleans())]
    cuts = draw(st.lists(st.integers(1, 5000), max_size=8))
    return whole, kept, cuts


@given(torn_answers())
def test_an_answer_cut_anywhere_with_pieces_missing_is_the_same_answer(
    running: ResponsesServer, torn: tuple[list[Event], list[Event], list[int]]
) -> None:
    whole, kept, cuts = torn

    async def answers() -> tuple[list[Delta], list[Delta]]:
        running.reset()
        running.say(*whole)
        sent = b"".join(map(frame, kept)) + DONE
        places = [0, *sorted({min(cut, len(sent)) for cut in cuts}), len(sent)]
        pieces = [sent[start:end] for start, end in itertools.pairwise(places)]
        running.reply(Reply([piece for piece in pieces if piece]))
        return await answer_of(running), await answer_of(running)

    first, second = asyncio.run(answers())

    assert folded(second) == folded(first)


async def test_after_a_lost_piece_nothing_is_said_until_the_whole_is_known(
    server: ResponsesServer,
) -> None:
    events = numbered(created(), *said("a", "b", "c", "d"), ended())
    del events[4]
    server.say(*events)

    assert await answer_of(server) == [TextDelta("a"), TextDelta("bcd"), STOP]


async def test_a_server_that_counts_in_its_own_way_has_lost_nothing(
    server: ResponsesServer,
) -> None:
    events = numbered(created(), *said("a", "b")[:4], ended())
    server.say(*({**event, "sequence_number": 10 * n} for n, event in enumerate(events)))

    assert await answer_of(server) == [TextDelta("a"), TextDelta("b"), STOP]


async def test_what_was_held_back_is_said_where_the_whole_never_comes(
    server: ResponsesServer,
) -> None:
    events = numbered(created(), *said("a", "b", "c")[:5], ended())
    del events[4]
    server.say(*events)

    assert await answer_of(server) == [TextDelta("a"), TextDelta("c"), STOP]


@pytest.mark.parametrize("is_torn", [False, True])
def test_a_growing_text_says_everything_once(is_torn: bool) -> None:
    growth = Growth(is_torn)

    pieces = [growth.add("Hel"), growth.add("lo"), growth.settle(""), growth.settle("Hello.")]
    pieces += [growth.add("Hello."), growth.settle("Hello."), growth.settle("Hello. You."), ""]

    assert "".join(pieces) == growth.said == "Hello. You."
    assert growth.flush() == ""


def test_a_growing_text_does_not_say_again_what_was_polished() -> None:
    growth = Growth()

    assert [growth.add(" Hello "), growth.settle("Hello")] == [" Hello ", ""]


def test_half_a_character_that_stays_alone_is_replaced() -> None:
    growth = Growth()

    assert [growth.add("a\ud83d"), growth.flush()] == ["a", "�"]


def test_numbers_tell_what_was_lost_and_what_has_come() -> None:
    numbering = Numbering()

    gaps = [numbering.notes_gap({"sequence_number": n}) for n in (0, 1, 3, None, "x", 4)]

    assert gaps == [False, False, True, False, False, False]
    assert numbering.has_seen({"sequence_number": 4})
    assert not numbering.has_seen({"sequence_number": 5})
    assert not numbering.has_seen({})
