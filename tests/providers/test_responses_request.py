"""What the Responses API adapter asks for: whole bodies, as they arrive at the server."""

from collections.abc import Iterator
from typing import Any

import pytest

from streamlit_assistant.providers.base import (
    CallsMessage,
    FunctionCall,
    ModelRequest,
    OutputMessage,
    PromptMessage,
    Remember,
    Turn,
)
from tests.providers.responses_frames import (
    JSON,
    SERVER,
    ResponsesServer,
    answer_of,
    asking,
    call_item,
    created,
    ended,
    message_item,
    responses_server,
    said,
    text_part,
)

HI = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
THOUGHTS = "reasoning.encrypted_content"
FUNCTION = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {}}}}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "Sunny."}
CALL = FunctionCall("call_1", "weather", '{"city": "Oslo"}')
PLAIN = {
    "type": "function_call",
    "call_id": "call_1",
    "name": "weather",
    "arguments": '{"city": "Oslo"}',
}


@pytest.fixture(scope="module")
def running() -> Iterator[ResponsesServer]:
    with responses_server() as server:
        yield server


@pytest.fixture
def server(running: ResponsesServer) -> ResponsesServer:
    running.reset()
    return running


async def asked(server: ResponsesServer, request: ModelRequest, **options: Any) -> JSON:
    server.say(created(), *said("ok"), ended())
    await answer_of(server, request, **options)
    body: JSON = server.body
    return body


async def inputs(server: ResponsesServer, *turns: Turn) -> list[JSON]:
    body = await asked(server, asking(messages=turns))
    items: list[JSON] = body["input"]
    return items


async def test_the_least_that_is_asked(server: ResponsesServer) -> None:
    assert await asked(server, asking()) == {
        "model": "m",
        "instructions": "Be kind.",
        "input": [HI],
        "stream": True,
        "store": False,
        "include": [THOUGHTS],
    }
    assert server.asked[-1].authorized


async def test_all_that_can_be_asked_of_a_server_with_tools(server: ResponsesServer) -> None:
    schema = {"type": "object", "properties": {}}
    search = {"type": "file_search", "vector_store_ids": ["vs_1"], "max_num_results": 5}
    code = {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file_1"]}}
    request = asking(
        temperature=0.5,
        top_p=0.9,
        max_completion_tokens=300,
        response_format={
            "type": "json_schema",
            "json_schema": {
                "name": "a",
                "schema": schema,
                "strict": True,
                "description": None,
            },
        },
        reasoning_effort="low",
        functions=[FUNCTION, {"name": "now", "description": "The time", "strict": True}],
        tool_choice="required",
        parallel_tool_calls=False,
        hosted_tools=[search, code],
        trace={"thread_id": "thread_1", "run_id": "run_1"},
    )

    assert await asked(server, request, hosts_tools=True) == {
        "model": "m",
        "instructions": "Be kind.",
        "input": [HI],
        "stream": True,
        "stream_options": {"include_obfuscation": False},
        "store": False,
        "metadata": {"thread_id": "thread_1", "run_id": "run_1"},
        "temperature": 0.5,
        "top_p": 0.9,
        "max_output_tokens": 300,
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {"type": "json_schema", "name": "a", "schema": schema, "strict": True}},
        "include": [THOUGHTS, "file_search_call.results", "code_interpreter_call.outputs"],
        "tools": [
            {"type": "function", **FUNCTION, "strict": False},
            {
                "type": "function",
                "name": "now",
                "description": "The time",
                "parameters": {"type": "object", "properties": {}},
                "strict": True,
            },
            search,
            code,
        ],
        "tool_choice": "required",
        "parallel_tool_calls": False,
    }


async def test_other_servers_are_not_asked_for_what_only_openai_knows(
    server: ResponsesServer,
) -> None:
    request = asking(
        reasoning_effort="low",
        hosted_tools=[{"type": "web_search"}],
        trace={"run_id": "run_1"},
        max_completion_tokens=3,
    )

    body = await asked(server, request)

    assert body["reasoning"] == {"effort": "low"}
    assert body["max_output_tokens"] == 3
    assert not {"tools", "metadata", "stream_options"} & body.keys()


async def test_openai_is_not_asked_for_fewer_tokens_than_it_accepts(
    server: ResponsesServer,
) -> None:
    body = await asked(server, asking(max_completion_tokens=3), hosts_tools=True)

    assert body["max_output_tokens"] == 16


async def test_a_summary_of_no_thoughts_is_not_asked_for(server: ResponsesServer) -> None:
    body = await asked(server, asking(reasoning_effort="none"), hosts_tools=True)

    assert body["reasoning"] == {"effort": "none"}


async def test_what_is_private_is_not_stored_by_the_model_server(server: ResponsesServer) -> None:
    body = await asked(server, asking(private=True), background=True, hosts_tools=True)

    assert body["store"] is False
    assert "background" not in body


async def test_in_the_background_the_answer_is_kept(server: ResponsesServer) -> None:
    body = await asked(server, asking(), background=True, hosts_tools=True)

    assert (body["background"], body["store"]) == (True, True)
    assert "include" not in body


@pytest.mark.parametrize("refused", ["background", "store"])
async def test_where_the_background_is_refused_the_answer_comes_in_the_foreground(
    server: ResponsesServer, refused: str
) -> None:
    request = asking(refused=frozenset({refused}))

    body = await asked(server, request, background=True)

    assert "background" not in body
    assert body.get("store") is (None if refused == "store" else False)
    assert body["include"] == [THOUGHTS]


@pytest.mark.parametrize(
    "refused",
    [
        *("temperature", "top_p", "max_output_tokens", "reasoning", "text", "include"),
        *("metadata", "stream_options", "parallel_tool_calls", "tool_choice", "instructions"),
    ],
)
async def test_what_a_model_refuses_is_left_out(server: ResponsesServer, refused: str) -> None:
    request = asking(
        temperature=0.5,
        top_p=0.9,
        max_completion_tokens=300,
        reasoning_effort="low",
        response_format={"type": "json_object"},
        functions=[FUNCTION],
        tool_choice="required",
        parallel_tool_calls=False,
        trace={"run_id": "run_1"},
    )
    whole = await asked(server, request, hosts_tools=True)
    assert refused in whole

    body = await asked(
        server,
        asking(**{**vars(request), "refused": frozenset({refused, "unheard_of"})}),
        hosts_tools=True,
    )

    assert body == {name: value for name, value in whole.items() if name != refused}


@pytest.mark.parametrize(
    ("refused", "missing"),
    [
        ("reasoning_effort", "reasoning"),
        ("response_format", "text"),
        ("text.format.schema", "text"),
        ("max_completion_tokens", "max_output_tokens"),
        ("include[0]", "include"),
        ("metadata.run_id", "metadata"),
    ],
)
async def test_a_refused_parameter_is_known_by_its_other_names(
    server: ResponsesServer, refused: str, missing: str
) -> None:
    fields: JSON = {
        **{"reasoning_effort": "low", "response_format": {"type": "json_object"}},
        **{"max_completion_tokens": 300, "trace": {"run_id": "run_1"}},
    }
    whole = await asked(server, asking(**fields), hosts_tools=True)

    body = await asked(server, asking(**fields, refused=frozenset({refused})), hosts_tools=True)

    assert whole.keys() - body.keys() == {missing}


async def test_a_part_of_a_parameter_is_left_out_alone(server: ResponsesServer) -> None:
    fields: JSON = {"reasoning_effort": "low", "response_format": {"type": "json_object"}}
    summary = frozenset({"reasoning.summary", "text.format"})
    effort = frozenset({"reasoning.effort", "reasoning.summary"})

    body = await asked(server, asking(**fields, refused=summary), hosts_tools=True)
    assert body["reasoning"] == {"effort": "low"}
    assert "text" not in body
    body = await asked(server, asking(**fields, refused=effort), hosts_tools=True)
    assert "reasoning" not in body


async def test_results_of_tools_are_asked_for_though_thoughts_are_refused(
    server: ResponsesServer,
) -> None:
    tools = [{"type": "file_search", "vector_store_ids": ["vs_1"]}]
    request = asking(hosted_tools=tools, refused=frozenset({"include"}))

    body = await asked(server, request, hosts_tools=True)

    assert body["include"] == ["file_search_call.results"]


async def test_model_and_input_cannot_be_left_out(server: ResponsesServer) -> None:
    body = await asked(server, asking(refused=frozenset({"model", "input"})))

    assert body["model"] == "m"
    assert body["input"] == [HI]


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", None),
        ("none", "none"),
        ("required", "required"),
        ("function:weather", {"type": "function", "name": "weather"}),
        ("hosted:web_search", {"type": "web_search"}),
        ("hosted:mcp", {"type": "mcp", "server_label": "notes"}),
    ],
)
async def test_which_tool_is_to_be_used(
    server: ResponsesServer, choice: str, sent: str | JSON | None
) -> None:
    hosted = [{"type": "web_search"}, {"type": "mcp", "server_label": "notes"}]
    request = asking(functions=[FUNCTION], hosted_tools=hosted, tool_choice=choice)

    body = await asked(server, request, hosts_tools=True)

    assert body.get("tool_choice") == sent


async def test_without_tools_nothing_is_said_of_choosing(server: ResponsesServer) -> None:
    body = await asked(server, asking(tool_choice="none", parallel_tool_calls=False))

    assert not {"tools", "tool_choice", "parallel_tool_calls"} & body.keys()


@pytest.mark.parametrize("kind", ["text", "json_object"])
async def test_the_format_is_told(server: ResponsesServer, kind: str) -> None:
    body = await asked(server, asking(response_format={"type": kind}))

    assert body["text"] == {"format": {"type": kind}}


async def test_long_traces_are_cut_to_what_metadata_may_be(server: ResponsesServer) -> None:
    trace = {f"{number:02}" * 40: "v" * 600 for number in range(20)}

    body = await asked(server, asking(trace=trace), hosts_tools=True)

    assert len(body["metadata"]) == 16
    assert {(len(name), len(value)) for name, value in body["metadata"].items()} == {(64, 512)}


async def test_what_users_send(server: ResponsesServer) -> None:
    image = {
        "type": "image_url",
        "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"},
    }
    far = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
    file = {
        "type": "file",
        "file": {"filename": "a.pdf", "url": "data:application/pdf;base64,AA=="},
    }
    content = [text_part("Look"), image, far, file]

    assert await inputs(server, PromptMessage("user", content), PromptMessage("user", [])) == [
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look"},
                {
                    "type": "input_image",
                    "image_url": "data:image/png;base64,AA==",
                    "detail": "low",
                },
                {
                    "type": "input_image",
                    "image_url": "https://example.com/cat.png",
                    "detail": "auto",
                },
                {
                    "type": "input_file",
                    "filename": "a.pdf",
                    "file_data": "data:application/pdf;base64,AA==",
                },
            ],
        }
    ]


async def test_what_assistants_have_said(server: ResponsesServer) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    spoken = [text_part("Here"), {"type": "refusal", "refusal": "No."}, image]

    assert await inputs(
        server,
        PromptMessage("user", [text_part("hi")]),
        PromptMessage("assistant", spoken),
        PromptMessage("assistant", [image]),
        PromptMessage("user", [{"type": "refusal", "refusal": "Never."}]),
    ) == [
        HI,
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "Here", "annotations": []},
                {"type": "refusal", "refusal": "No."},
            ],
        },
        SHOWN,
        SHOWN,
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Never."}],
        },
    ]


# Not valid in an assistant's own message.
SHOWN = {
    "type": "message",
    "role": "user",
    "content": [
        {"type": "input_text", "text": "[An image from the assistant's answer:]"},
        {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "auto"},
    ],
}


def calls_turn(*calls: FunctionCall, said: str = "", **replay: Any) -> CallsMessage:
    told = {"server": SERVER, "data": replay} if replay else None
    return CallsMessage(calls, [text_part(said)] if said else [], told)


async def test_calls_and_their_outputs(server: ResponsesServer) -> None:
    other = FunctionCall("call_2", "mcp.notes search", "")
    turns: list[Turn] = [
        calls_turn(CALL, other, said="Wait."),
        OutputMessage("call_2", "x"),
        OutputMessage("call_1", "Sunny."),
    ]

    assert await inputs(server, *turns) == [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Wait.", "annotations": []}],
        },
        PLAIN,
        # a name as it is accepted, arguments as they are
        {
            "type": "function_call",
            "call_id": "call_2",
            "name": "mcp_notes_search",
            "arguments": "{}",
        },
        OUTPUT,
        {"type": "function_call_output", "call_id": "call_2", "output": "x"},
    ]


async def test_a_call_without_output_and_an_output_without_call_are_left_out(
    server: ResponsesServer,
) -> None:
    lonely = FunctionCall("call_2", "time", "{}")
    turns: list[Turn] = [
        OutputMessage("call_0", "of what?"),
        calls_turn(lonely),
        calls_turn(CALL, FunctionCall("call_3", "time", "{}")),
        OutputMessage("call_1", "Sunny."),
        OutputMessage("call_1", "Rainy."),
        OutputMessage("call_2", "too late"),
    ]

    assert await inputs(server, *turns) == [PLAIN, OUTPUT]


THOUGHT = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "secret"}


async def test_the_servers_own_words_are_told_again_in_order_with_the_ids_that_count(
    server: ResponsesServer,
) -> None:
    searched = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {}}
    items = [
        {**THOUGHT, "status": None},
        searched,
        {**message_item("Wait."), "phase": "commentary"},
        {**call_item(), "call_id": "old_1"},
        {**call_item("{}", name="time"), "call_id": "old_2"},
    ]
    # Among the calls may be one that the server has answered itself.
    hosted = FunctionCall("call_9", "web_search", "{}")
    turns: list[Turn] = [
        calls_turn(hosted, CALL, FunctionCall("call_2", "time", "{}"), said="Wait.", items=items),
        OutputMessage("call_9", "found"),
        OutputMessage("call_1", "Sunny."),
        OutputMessage("call_2", "Noon."),
    ]

    assert await inputs(server, *turns) == [
        {"type": "reasoning", "summary": [], "encrypted_content": "secret"},
        {"type": "web_search_call", "status": "completed", "action": {}},
        {
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Wait.", "annotations": []}],
            "phase": "commentary",
        },
        {**PLAIN, "status": "completed"},
        {
            "type": "function_call",
            "status": "completed",
            "call_id": "call_2",
            "name": "time",
            "arguments": "{}",
        },
        OUTPUT,
        {"type": "function_call_output", "call_id": "call_2", "output": "Noon."},
    ]


async def test_what_was_said_before_is_told_where_the_servers_words_lack_it(
    server: ResponsesServer,
) -> None:
    turns: list[Turn] = [
        calls_turn(CALL, said="Wait.", items=[call_item()]),
        OutputMessage("call_1", "Sunny."),
    ]

    message, call, output = await inputs(server, *turns)

    assert message["content"] == [{"type": "output_text", "text": "Wait.", "annotations": []}]
    assert (call["type"], call["call_id"], output) == ("function_call", "call_1", OUTPUT)


async def test_thoughts_that_nobody_has_kept_are_not_told(server: ResponsesServer) -> None:
    aloud = {"id": "rs_2", "type": "reasoning", "summary": [], "content": [{"text": "Hm."}]}
    bare: JSON = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": None}
    turns: list[Turn] = [
        calls_turn(CALL, items=[bare, aloud, call_item()]),
        OutputMessage("call_1", "Sunny."),
    ]

    thought, call, _ = await inputs(server, *turns)

    assert thought == {"type": "reasoning", "summary": [], "content": [{"text": "Hm."}]}
    assert call["type"] == "function_call"


async def test_what_the_server_has_kept_is_told_by_its_ids(server: ResponsesServer) -> None:
    bare: JSON = {"id": "rs_1", "type": "reasoning", "summary": []}
    turns: list[Turn] = [
        calls_turn(CALL, items=[bare, call_item()], stored=True),
        OutputMessage("call_1", "Sunny."),
    ]

    assert await inputs(server, *turns) == [
        bare,
        {**call_item(), "call_id": "call_1"},
        OUTPUT,
    ]


@pytest.mark.parametrize(
    "replay",
    [
        None,
        {"server": "another", "data": {"items": [THOUGHT, call_item()]}},
        {"server": SERVER, "data": None},
        {"server": SERVER, "data": {"items": [THOUGHT]}},
        {"server": SERVER, "data": {"items": "what"}},
        # a call that was not answered
        {"server": SERVER, "data": {"items": [THOUGHT, call_item(), call_item(name="time")]}},
        {"server": SERVER, "data": {"items": [THOUGHT, call_item(name="time")]}},
    ],
)
async def test_what_cannot_be_told_again_is_told_plainly(
    server: ResponsesServer, replay: JSON | None
) -> None:
    turns: list[Turn] = [
        CallsMessage([CALL, FunctionCall("call_2", "time", "{}")], [], replay),
        OutputMessage("call_1", "Sunny."),
    ]

    assert await inputs(server, *turns) == [PLAIN, OUTPUT]


async def test_a_conversation_with_tools_over_two_rounds(server: ResponsesServer) -> None:
    items = [THOUGHT, call_item(index=1)]
    server.say(created(), ended("completed", *items))
    request = asking(functions=[FUNCTION])
    first = await answer_of(server, request)
    memory = next(one for one in first if isinstance(one, Remember))
    replay = {"server": memory.server, "data": memory.data}

    turns: list[Turn] = [
        *request.messages,
        CallsMessage([CALL], [], replay),
        OutputMessage("call_1", "Sunny."),
    ]
    body = await asked(server, asking(functions=[FUNCTION], messages=turns))

    thought, call = ({k: v for k, v in item.items() if k != "id"} for item in items)
    assert body["input"] == [HI, thought, call, OUTPUT]
    assert body["instructions"] == "Be kind."
