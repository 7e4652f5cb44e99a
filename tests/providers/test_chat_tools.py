"""Functions in the Chat Completions adapter: offered, forced, forbidden and called."""

import pytest

from streamlit_assistant.errors import Trouble
from streamlit_assistant.providers.base import (
    CallArguments,
    CallStart,
    Finish,
    FinishReason,
    FunctionCall,
    Noticed,
    TextDelta,
)
from streamlit_assistant.providers.chat.dialects import (
    LLAMA_CPP,
    LLAMA_CPP_PYTHON,
    OLLAMA,
    OPENAI,
    UNKNOWN,
    VLLM,
    Dialect,
)
from tests.providers.chat_talk import (
    CALLS,
    CLOCK,
    STOP,
    WEATHER,
    called,
    failure,
    heard,
    provider_at,
    request,
    sent,
)
from tests.providers.conftest import RawUpstream, calling, chunk

BOTH = [WEATHER, CLOCK]
FORCED = "function:get_time"
REQUIRED = "required"
NAMED = {"type": "function", "function": {"name": "get_time"}}


async def test_functions_are_sent_as_tools(upstream: RawUpstream) -> None:
    plain = await sent(upstream, functions=[WEATHER])
    strict = await sent(upstream, functions=[{**WEATHER, "strict": True}])

    empty = {"type": "object", "properties": {}}
    described = {"name": "get_weather", "description": "The weather.", "parameters": empty}
    assert plain["tools"] == [{"type": "function", "function": described}]
    assert not {"tool_choice", "parallel_tool_calls"} & set(plain)
    assert strict["tools"][0]["function"]["strict"] is True


async def test_one_call_at_a_time_is_asked_for_and_several_are_taken_all_the_same(
    upstream: RawUpstream,
) -> None:
    upstream.say(
        calling(index=0, id="a", name="f", arguments="{}"),
        calling("tool_calls", index=1, id="b", name="f", arguments="{}"),
    )

    seen = await heard(upstream, OLLAMA, functions=BOTH, parallel_tool_calls=False)

    assert upstream.requests[0]["parallel_tool_calls"] is False
    assert len([delta for delta in seen if isinstance(delta, CallStart)]) == 2


def names(body: dict[str, list[dict[str, dict[str, str]]]]) -> list[str]:
    return [tool["function"]["name"] for tool in body.get("tools", [])]


@pytest.mark.parametrize("dialect", [OPENAI, VLLM, UNKNOWN], ids=lambda dialect: dialect.name)
async def test_a_server_that_keeps_to_it_is_told_by_the_parameter(
    upstream: RawUpstream, dialect: Dialect
) -> None:
    named = await sent(upstream, dialect=dialect, functions=BOTH, tool_choice=FORCED)
    forced = await sent(upstream, dialect=dialect, functions=BOTH, tool_choice=REQUIRED)

    assert named["tool_choice"] == NAMED
    assert names(named) == ["get_weather", "get_time"]
    assert forced["tool_choice"] == "required"
    assert named["messages"][0]["content"] == forced["messages"][0]["content"] == "Be kind."


@pytest.mark.parametrize("dialect", [OLLAMA, LLAMA_CPP_PYTHON], ids=lambda dialect: dialect.name)
async def test_a_server_that_ignores_or_breaks_on_it_is_told_in_words(
    upstream: RawUpstream, dialect: Dialect
) -> None:
    named = await sent(upstream, dialect=dialect, functions=BOTH, tool_choice=FORCED)
    forced = await sent(upstream, dialect=dialect, functions=BOTH, tool_choice=REQUIRED)

    assert "tool_choice" not in named
    assert names(named) == ["get_time"]
    assert "call of the function `get_time`" in named["messages"][0]["content"]
    assert "tool_choice" not in forced
    assert names(forced) == ["get_weather", "get_time"]
    assert "call of one of the functions" in forced["messages"][0]["content"]


async def test_a_server_that_takes_it_without_keeping_to_it_is_told_both_ways(
    upstream: RawUpstream,
) -> None:
    body = await sent(upstream, dialect=LLAMA_CPP, functions=BOTH, tool_choice=FORCED)

    assert body["tool_choice"] == NAMED
    assert "call of the function `get_time`" in body["messages"][0]["content"]


async def test_where_it_was_refused_the_one_function_is_offered_and_whoever_saw_it_says_why(
    upstream: RawUpstream,
) -> None:
    refused = frozenset({"tool_choice"})
    body = await sent(upstream, functions=BOTH, tool_choice=FORCED, refused=refused)

    assert "tool_choice" not in body
    assert names(body) == ["get_time"]
    assert body["messages"][0]["content"] == "Be kind."


@pytest.mark.parametrize("dialect", [OLLAMA, OPENAI, UNKNOWN], ids=lambda dialect: dialect.name)
async def test_none_offers_no_functions(upstream: RawUpstream, dialect: Dialect) -> None:
    body = await sent(upstream, dialect=dialect, functions=BOTH, tool_choice="none")

    assert not {"tools", "tool_choice"} & set(body)


@pytest.mark.parametrize(
    ("dialect", "offered"), [(UNKNOWN, BOTH), (OPENAI, BOTH), (OLLAMA, []), (LLAMA_CPP, [])]
)
async def test_calls_that_were_made_are_described_where_none_is_kept_to(
    upstream: RawUpstream, dialect: Dialect, offered: list[dict[str, str]]
) -> None:
    turns = called(FunctionCall("call_1", "get_time", "{}"))
    asked = request(*turns, functions=BOTH, tool_choice="none")
    body = await sent(upstream, asked, dialect)

    assert names(body) == [function["name"] for function in offered]
    assert body.get("tool_choice") == ("none" if offered else None)


async def test_a_tool_of_another_protocol_cannot_be_chosen(upstream: RawUpstream) -> None:
    body = await sent(upstream, functions=BOTH, tool_choice="hosted:web_search")

    assert "tool_choice" not in body


@pytest.mark.parametrize(("choice", "named"), [(FORCED, "get_time"), (REQUIRED, "")])
async def test_a_call_that_was_asked_for_and_did_not_come_is_noticed(
    upstream: RawUpstream, choice: str, named: str
) -> None:
    upstream.say(chunk(content="No."), chunk("stop"))

    text, notice, end = await heard(upstream, OLLAMA, functions=BOTH, tool_choice=choice)

    assert (text, end) == (TextDelta("No."), STOP)
    assert isinstance(notice, Noticed)
    assert notice.code == "tool_choice_unmet"
    assert notice.details == {"function": named}
    assert named in notice.message


async def test_another_call_than_the_one_that_was_asked_for_is_noticed(
    upstream: RawUpstream,
) -> None:
    upstream.say(calling("stop", index=0, id="a", name="get_weather", arguments="{}"))

    seen = await heard(upstream, functions=BOTH, tool_choice=FORCED)

    assert [type(delta) for delta in seen][-2:] == [Noticed, Finish]


@pytest.mark.parametrize("choice", [FORCED, REQUIRED, "auto"])
async def test_a_call_that_came_needs_no_notice(upstream: RawUpstream, choice: str) -> None:
    upstream.say(calling("stop", index=0, id="a", name="get_time", arguments="{}"))

    seen = await heard(upstream, functions=BOTH, tool_choice=choice)

    assert seen == [CallStart(0, "a", "get_time"), CallArguments(0, "{}"), CALLS]


async def test_a_call_that_a_limit_prevented_needs_no_notice(upstream: RawUpstream) -> None:
    upstream.say(chunk("length", content="I"))

    seen = await heard(upstream, functions=BOTH, tool_choice=REQUIRED)

    assert seen == [TextDelta("I"), Finish(FinishReason.MAX_TOKENS)]


async def test_an_empty_stream_is_blamed_on_the_forced_call(upstream: RawUpstream) -> None:
    client, provider = provider_at(upstream.url)
    for nothing in ([], [b"data: [DONE]\n\n"], [b": ping\n\n"]):
        upstream.pieces = list(nothing)
        seen, error = await failure(provider, request(functions=BOTH, tool_choice=REQUIRED))

        assert seen == []
        assert (error.trouble, error.parameter) == (Trouble.PARAMETER, "tool_choice")
    await client.aclose()


async def test_an_empty_stream_is_blamed_on_the_schema(upstream: RawUpstream) -> None:
    client, provider = provider_at(upstream.url)
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}
    async with client:
        _, error = await failure(provider, request(response_format=form))

    assert (error.trouble, error.parameter) == (Trouble.PARAMETER, "response_format")


@pytest.mark.parametrize("tool_choice", ["auto", "none"])
async def test_an_empty_stream_that_nothing_explains_just_ends(
    upstream: RawUpstream, tool_choice: str
) -> None:
    assert await heard(upstream, functions=BOTH, tool_choice=tool_choice) == []


async def test_a_failure_that_names_the_parameter_is_its_refusal(upstream: RawUpstream) -> None:
    client, provider = provider_at(upstream.url)
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}
    upstream.status, upstream.content_type = 500, "application/json"
    said = b"[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type')}]"
    upstream.pieces = [b'{"error":{"message":"' + said + b'","type":"internal_server_error"}}']

    async with client:
        _, error = await failure(provider, request(response_format=form))
        _, other = await failure(provider, request())

    assert (error.trouble, error.parameter) == (Trouble.PARAMETER, "response_format")
    assert other.trouble is Trouble.PASSING


async def test_calls_arrive_as_deltas_whatever_the_reason_says(upstream: RawUpstream) -> None:
    for reason in ("tool_calls", "stop", "function_call", "length"):
        upstream.say(
            calling(index=0, id="call_1", type="function", name="f", arguments=""),
            calling(index=0, arguments='{"a": 1}'),
            chunk(reason),
        )

        assert await heard(upstream) == [
            CallStart(0, "call_1", "f"),
            CallArguments(0, '{"a": 1}'),
            CALLS,
        ]


async def test_calls_are_whole_without_a_reason_if_the_server_says_that_it_is_done(
    upstream: RawUpstream,
) -> None:
    upstream.say(calling(index=0, id="call_1", name="f", arguments='{"a": 1}'))
    assert (await heard(upstream))[-1] == CALLS

    upstream.say(calling(index=0, id="call_1", name="f", arguments='{"a": '))
    assert (await heard(upstream))[-1] == CallArguments(0, '{"a": ')

    upstream.say(calling(index=0, id="call_1", name="f", arguments='{"a": 1}'))
    upstream.pieces.pop()  # nothing says so
    assert (await heard(upstream))[-1] == CallArguments(0, '{"a": 1}')


async def test_a_call_cut_off_by_a_limit_says_so(upstream: RawUpstream) -> None:
    upstream.say(calling(index=0, id="call_1", name="f", arguments='{"a'), chunk("length"))

    assert (await heard(upstream))[-1] == Finish(FinishReason.MAX_TOKENS)


async def test_calls_of_a_filtered_answer_are_not_carried_out(upstream: RawUpstream) -> None:
    upstream.say(calling("content_filter", index=0, id="call_1", name="f", arguments="{}"))

    assert (await heard(upstream))[-1] == Finish(FinishReason.CONTENT_FILTER)


async def test_the_function_call_of_old_servers_is_one_too(upstream: RawUpstream) -> None:
    upstream.say(
        chunk(function_call={"name": "f", "arguments": "{"}),
        chunk(function_call={"arguments": "}"}),
        chunk("function_call"),
    )

    start, *rest = await heard(upstream)

    assert isinstance(start, CallStart)
    assert start.name == "f"
    assert rest == [CallArguments(0, "{"), CallArguments(0, "}"), CALLS]


async def test_an_empty_list_of_calls_beside_text_is_none(upstream: RawUpstream) -> None:
    empty = {"index": 0, "id": "", "type": "function", "function": {"name": "", "arguments": ""}}
    upstream.say(chunk(content="x", tool_calls=[]), chunk(tool_calls=[empty]), chunk("stop"))

    assert await heard(upstream) == [TextDelta("x"), STOP]
