"""What the scripted model servers refuse, seen by the official client."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.upstream import Upstream, model_server
from tests.upstream_rules import (
    Rule,
    cannot_require_tools,
    has_no_responses,
    has_no_schemas,
    has_no_tools_on_chat,
    is_blind,
    lacks_tool_flags,
    refuses_in_prose,
    refuses_old_limit,
    refuses_values,
    wants_content,
    wants_short_ids,
    wants_signatures_back,
    wants_strings,
    wants_thoughts_back,
)
from tests.upstream_scripts import Answer, spoken
from tests.upstream_wire import GEMINI, OPENAI, Call

HI: list[Any] = [{"role": "user", "content": "Hi"}]
TOOL: Any = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
FLAT_TOOL: Any = {"type": "function", "name": "f", "parameters": {}, "strict": False}
IMAGE: Any = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
CALL: Any = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def called(call: Any = CALL, **more: Any) -> list[Any]:
    turn = {"role": "assistant", "content": "", "tool_calls": [call], **more}
    return [*HI, turn, {"role": "tool", "tool_call_id": call["id"], "content": "1"}]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with model_server() as served:
        yield served


@pytest.fixture
def client(upstream: Upstream) -> Iterator[openai.OpenAI]:
    with client_of(upstream) as opened:
        yield opened


def client_of(upstream: Upstream) -> openai.OpenAI:
    return openai.OpenAI(base_url=upstream.base_url, api_key="none", max_retries=0, timeout=10)


def chat(client: openai.OpenAI, **body: Any) -> Any:
    return client.chat.completions.create(**{"model": "m", "messages": HI, **body})


def respond(client: openai.OpenAI, **body: Any) -> Any:
    return client.responses.create(**{"model": "m", "input": "Hi", **body})


def test_parameters_are_refused_by_name_and_the_script_waits_for_a_better_request() -> None:
    with (
        model_server(spoken("fine"), refuses={"temperature", "reasoning.effort"}) as upstream,
        client_of(upstream) as client,
    ):
        with pytest.raises(openai.BadRequestError) as refused:
            chat(client, temperature=0.5)
        with pytest.raises(openai.BadRequestError, match=r"reasoning\.effort"):
            respond(client, reasoning={"effort": "low"})
        answer = respond(client)

    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "temperature")
    assert answer.output_text == "fine"
    assert [request.refused for request in upstream.requests] == [True, True, False]


def test_a_strict_server_knows_its_own_models_only() -> None:
    with (
        model_server(models=("gpt-6",), strict_models=True) as upstream,
        client_of(upstream) as client,
    ):
        for ask in (chat, respond):
            with pytest.raises(openai.NotFoundError) as refused:
                ask(client, model="gpt-4o")
            assert refused.value.code == "model_not_found"
        assert respond(client, model="gpt-6").status == "completed"


RULES: list[tuple[Rule, dict[str, Any], int, str]] = [
    (refuses_values("temperature"), {"temperature": 0.2}, 400, "Only the default"),
    (refuses_old_limit, {"max_tokens": 9}, 400, "Use 'max_completion_tokens' instead"),
    (refuses_in_prose("top_p"), {"top_p": 0.2}, 400, "Unsupported parameter: top_p"),
    (has_no_tools_on_chat, {"tools": [TOOL]}, 400, "Please use /v1/responses"),
    (wants_thoughts_back, {"messages": called()}, 400, "passed back to the API"),
    (wants_signatures_back, {"messages": called()}, 400, "thought_signature"),
    (wants_short_ids, {"messages": called()}, 400, "with a length of 9"),
    (wants_content, {"messages": [{"role": "assistant", "content": None}]}, 500, "NoneType"),
    (wants_strings, {"messages": [{"role": "user", "content": []}]}, 500, "not list"),
    (cannot_require_tools, {"tools": [TOOL], "tool_choice": "required"}, 500, "attribute"),
    (has_no_schemas, {"response_format": {"type": "json_schema"}}, 500, "response_format"),
    (is_blind, {"messages": [{"role": "user", "content": [IMAGE]}]}, 500, "not supported"),
    (lacks_tool_flags, {"tools": [TOOL]}, 400, "--enable-auto-tool-choice"),
]


@pytest.mark.parametrize(
    ("rule", "body", "status", "words"), RULES, ids=[rule[0].__name__ for rule in RULES]
)
def test_a_quirk_hits_who_meets_it_and_nobody_else(
    rule: Rule, body: dict[str, Any], status: int, words: str
) -> None:
    with model_server(rules=[rule]) as upstream, client_of(upstream) as client:
        with pytest.raises(openai.APIStatusError) as refused:
            chat(client, **body)
        assert refused.value.status_code == status
        assert words in refused.value.response.text
        assert chat(client).choices[0].message.content == "Turn 1. You said: Hi"


def test_who_gives_back_what_is_wanted_is_answered() -> None:
    signed = {**CALL, "id": "a1B2c3D4e", **GEMINI.call_extra}
    rules = [wants_thoughts_back, wants_signatures_back, wants_short_ids]
    with model_server(rules=rules) as upstream, client_of(upstream) as client:
        answer = chat(client, messages=called(signed, reasoning_content=""))

    assert answer.choices[0].message.content == "I was told: 1"


def test_a_stream_with_required_tools_may_be_empty() -> None:
    with model_server(rules=[cannot_require_tools]) as upstream, client_of(upstream) as client:
        assert list(chat(client, tools=[TOOL], tool_choice="required", stream=True)) == []


def test_most_servers_have_no_responses() -> None:
    with model_server(rules=[has_no_responses]) as upstream, client_of(upstream) as client:
        with pytest.raises(openai.NotFoundError):
            respond(client)
        chat(client)


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        (called()[:2], "did not have response messages: call_1"),
        ([*called()[:2], *HI], "did not have response messages: call_1"),
        (called()[2:], "must be a response to a"),
        ([*called(), called()[2]], "must be a response to a"),
    ],
)
def test_chats_in_which_calls_and_outputs_do_not_meet_are_refused(
    client: openai.OpenAI, messages: list[Any], words: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=words):
        chat(client, messages=messages)


FUNCTION_CALL: Any = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
OUTPUT: Any = {"type": "function_call_output", "call_id": "call_1", "output": "1"}
THOUGHT: Any = {"type": "reasoning", "id": "rs_1_0", "summary": []}
BAD_REQUESTS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown parameter": ({"extra_body": {"max_tokens": 3}}, "Unknown parameter: 'max_tokens'"),
    "include": ({"include": ["all"]}, "Invalid value: 'all'"),
    "no memory": ({"previous_response_id": "resp_9"}, "Previous response with id 'resp_9'"),
    "background": ({"background": True, "store": False}, "requires 'store' to be true"),
    "auto format": ({"text": {"format": {"type": "auto"}}}, "Invalid value: 'auto'"),
    "nested format": (
        {"text": {"format": {"type": "json_schema", "json_schema": {}}}},
        "Missing required parameter: 'text.format.schema'",
    ),
    "json": ({"text": {"format": {"type": "json_object"}}}, "must contain the word 'json'"),
    "metadata": ({"metadata": {"a": "x" * 513}}, "Invalid value"),
    "nested tool": ({"tools": [TOOL]}, "Missing required parameter: 'tools[0].name'"),
    "stores": ({"tools": [{"type": "file_search"}]}, "vector_store_ids"),
    "container": ({"tools": [{"type": "code_interpreter"}]}, "container"),
    "choice": ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice"),
    "part": (
        {"input": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]},
        "Invalid value: 'text'",
    ),
    "said by the assistant": (
        {"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "Hi"}]}]},
        "Invalid value: 'input_text'",
    ),
    "image": (
        {"input": [{"role": "user", "content": [{**IMAGE, "type": "input_image"}]}]},
        "image_url",
    ),
    "no output": ({"input": [FUNCTION_CALL]}, "No tool output found for function call call_1"),
    "no call": ({"input": [OUTPUT]}, "No tool call found for function call output"),
    "id of a message": (
        {"input": [{**FUNCTION_CALL, "id": "msg_1"}, OUTPUT]},
        "Expected an ID that begins with 'fc'",
    ),
    "unknown id": ({"input": [{**FUNCTION_CALL, "id": "fc_1"}, OUTPUT]}, "'fc_1' not found"),
    "not stored": (
        {"input": [THOUGHT, FUNCTION_CALL, OUTPUT], "store": False},
        "not persisted when `store` is set to false",
    ),
    "made up": (
        {"input": [{**THOUGHT, "encrypted_content": "x"}, FUNCTION_CALL, OUTPUT]},
        "could not be verified",
    ),
    "only a thought": (
        {"input": [{**THOUGHT, "encrypted_content": "encrypted rs_1_0"}, *HI]},
        "without its required following item",
    ),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_responses_refuses_what_the_real_one_refuses(client: openai.OpenAI, name: str) -> None:
    body, words = BAD_REQUESTS[name]
    with pytest.raises(openai.BadRequestError) as refused:
        respond(client, **body)
    assert words in str(refused.value.body)


def test_thinking_and_calls_belong_together(client: openai.OpenAI, upstream: Upstream) -> None:
    upstream.queue(Answer(calls=[Call("f")], thoughts=["Hm."], dialect=OPENAI))
    first = respond(client, tools=[FLAT_TOOL], include=["reasoning.encrypted_content"])
    thought, call = (item.model_dump(exclude_none=True) for item in first.output)
    output = {**OUTPUT, "call_id": call["call_id"]}

    with pytest.raises(openai.BadRequestError, match="without its required 'reasoning' item"):
        respond(client, input=[*HI, call, output])
    for history in ([thought, call, output], [call | {"id": None}, output]):
        assert respond(client, input=[*HI, *history]).output_text == "I was told: 1"
    bare = [{k: v for k, v in item.items() if k != "id"} for item in (thought, call)]
    kept = respond(client, input=[*HI, *bare, output], store=False)
    assert kept.output_text == "I was told: 1"
