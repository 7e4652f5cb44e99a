"""What the model is told of messages that LangChain wrote."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from streamlit_assistant.providers.base import (
    CallsMessage,
    FunctionCall,
    ModelRequest,
    OutputMessage,
    PromptMessage,
    Turn,
)
from streamlit_assistant.records import JSON, Message, new_id
from streamlit_assistant.runs.attached_documents import Documents
from streamlit_assistant.runs.history import RunHistory
from streamlit_assistant.runs.offered_tools import OfferedTools
from streamlit_assistant.runs.prompt import build_request
from streamlit_assistant.runs.room import Room
from streamlit_assistant.store import Store
from tests.factories import make_message, make_run, make_thread
from tests.scripted_toolbox import ScriptedFiles

WEATHER = {"name": "weather", "parameters": {"type": "object"}}
CALL = {"name": "weather", "args": {"city": "北京"}, "id": "call_1"}
ARGUMENTS = '{"city":"北京"}'


def message(kind: str, text: str, **data: Any) -> Message:
    """A message as LangChain's histories post it; what it says is in its content."""
    role = "user" if kind == "human" else "assistant"
    return make_message("", text, role=role, langchain={"type": kind, "data": data})


def calling(*calls: JSON, said: str = "") -> Message:
    return message("ai", "`weather(...)`", content=said, tool_calls=list(calls))


def result(text: str = "-3 °C", call_id: str = "call_1", **data: Any) -> Message:
    return message("tool", text, tool_call_id=call_id, name="weather", **data)


async def request(
    store: Store, messages: Sequence[Message], functions: Sequence[JSON] = (), **fields: Any
) -> ModelRequest:
    thread = make_thread()
    mine = [replace(each, id=new_id("msg"), thread_id=thread.id) for each in messages]
    await store.threads.add(thread, mine)
    files = ScriptedFiles()
    run = make_run(thread.id, **fields)
    documents, tools = Documents(files, is_read=False), OfferedTools(functions=functions)
    return await build_request(store, files, run, RunHistory(), tools, Room(), documents)


def words(turns: Sequence[Turn]) -> list[tuple[str, str]]:
    """Who says what; nothing here is a call."""
    assert all(isinstance(turn, PromptMessage) for turn in turns)
    return [
        (turn.role, "".join(part["text"]["value"] for part in turn.content))
        for turn in turns
        if isinstance(turn, PromptMessage)
    ]


async def test_whole_calls_of_offered_functions_are_told_as_calls(store: Store) -> None:
    told = await request(
        store,
        [make_message("", "Cold?"), calling(CALL, said="Let me see."), result(), calling(CALL)],
        [WEATHER],
    )

    question, called, output, unanswered = told.messages
    assert isinstance(called, CallsMessage) and isinstance(question, PromptMessage)
    assert called.calls == [FunctionCall("call_1", "weather", ARGUMENTS)]
    assert [part["text"]["value"] for part in called.content] == ["Let me see."]
    assert output == OutputMessage("call_1", "-3 °C")
    assert words([unanswered]) == [("assistant", f"[Called weather({ARGUMENTS})]")]


async def test_several_calls_keep_their_order_whatever_that_of_their_results(store: Store) -> None:
    other = {**CALL, "id": "call_2"}

    told = await request(
        store, [calling(CALL, other), result("two", "call_2"), result("one")], [WEATHER]
    )

    assert told.messages[1:] == [OutputMessage("call_1", "one"), OutputMessage("call_2", "two")]


async def test_without_the_function_calls_are_words(store: Store) -> None:
    told = await request(store, [calling(CALL, said="Let me see. "), result()])

    assert words(told.messages) == [
        ("assistant", f"Let me see. [Called weather({ARGUMENTS})]"),
        ("user", "[weather returned: -3 °C]"),
    ]


@pytest.mark.parametrize(
    "messages",
    [
        [result()],
        [calling(CALL)],
        [calling(CALL), make_message("", "never mind"), result()],
        [calling(CALL, {**CALL, "id": "call_2"}), result()],
        [calling(CALL, CALL), result(), make_message("", "well?")],
        [calling(CALL, CALL), result(), result("x", "call_2")],
        [calling({**CALL, "id": None}), result()],
        [calling({**CALL, "name": "other"}), result()],
        [calling({"name": 3}), result()],
        [message("ai", "?", content="", tool_calls="weather"), result()],
        [message("function", "3", name="add")],
    ],
)
async def test_what_is_not_whole_is_words_and_nothing_is_lost(
    store: Store, messages: Sequence[Message]
) -> None:
    told = await request(store, messages, [WEATHER])

    assert len(words(told.messages)) == len(messages)


async def test_an_empty_result_is_a_result(store: Store) -> None:
    nothing = replace(result(""), content=[])

    assert (await request(store, [calling(CALL), nothing], [WEATHER])).messages[1:] == [
        OutputMessage("call_1", "")
    ]
    assert words((await request(store, [nothing])).messages) == [("user", "[weather returned: ]")]


async def test_system_messages_join_the_instructions(store: Store) -> None:
    told = await request(
        store,
        [message("system", "Be brief."), make_message("", "Hi"), message("system", "In French.")],
        instructions="You are Ada.",
    )

    assert told.instructions == "You are Ada.\n\nBe brief.\n\nIn French."
    assert words(told.messages) == [("user", "Hi")]


async def test_a_text_that_is_too_long_for_a_message_is_told_whole(store: Store) -> None:
    long = "x" * 300_000
    told = await request(store, [message("human", "x…", content=long)])

    assert words(told.messages) == [("user", long)]


async def test_other_messages_are_told_as_everybody_sees_them(store: Store) -> None:
    told = await request(
        store,
        [
            message("human", "Hello", name="Zoë", id="h1"),
            message("chat", "No.", role="critic"),
            message("ai", "So.", content=[{"type": "thinking"}, {"type": "text", "text": "So."}]),
            make_message("", "half", langchain={"type": "human", "data": '{"content": "\\ud83d"}'}),
        ],
    )

    assert words(told.messages) == [
        ("user", "Hello"),
        ("assistant", "No."),
        ("assistant", "So."),
        ("user", "half"),
    ]
