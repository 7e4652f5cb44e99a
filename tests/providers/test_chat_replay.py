"""What a server added to its message is told to it again, and to nobody else."""

import re
from typing import Any

import pytest

from streamlit_assistant.providers.base import (
    CallArguments,
    CallStart,
    Delta,
    FunctionCall,
    ReasoningDelta,
    Remember,
)
from streamlit_assistant.providers.chat.dialects import (
    AZURE,
    DEEPSEEK,
    GEMINI,
    LLAMA_CPP,
    MISTRAL,
    OLLAMA,
    OPENAI,
    OPENROUTER,
    STRICT,
    UNKNOWN,
    VLLM,
    Dialect,
)
from tests.providers.chat_talk import CALLS, called, heard, request, sent
from tests.providers.conftest import RawUpstream, calling, chunk

A, B = FunctionCall("call_a", "f", "{}"), FunctionCall("call_b", "g", '{"x": 1}')
SIGNED = {"google": {"thought_signature": "c2ln"}}


def remembered(seen: list[Delta]) -> Remember | None:
    """What is to be remembered; it must come right before the end."""
    found = [delta for delta in seen if isinstance(delta, Remember)]
    if found:
        assert seen[seen.index(found[0]) :] == [found[0], CALLS]
    return found[0] if found else None


def replay(message: Any = None, calls: Any = None, server: str = "here") -> dict[str, Any]:
    return {"server": server, "data": {"message": message or {}, "calls": calls or []}}


async def told(
    upstream: RawUpstream, dialect: Dialect, *calls: FunctionCall, **fields: Any
) -> list[dict[str, Any]]:
    """The messages that a server is sent after the person's."""
    refused = frozenset(fields.pop("refused", ()))
    asked = request(*called(*calls, **fields), refused=refused)
    messages: list[dict[str, Any]] = (await sent(upstream, asked, dialect))["messages"]
    return messages[2:]


async def test_calls_and_their_outputs_are_sent_as_turns(upstream: RawUpstream) -> None:
    turns = [*called(A), *called(B, said="Looking.")[1:]]
    messages = (await sent(upstream, request(*turns)))["messages"]

    first = {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    second = {
        "id": "call_b",
        "type": "function",
        "function": {"name": "g", "arguments": '{"x": 1}'},
    }
    assert messages[2:] == [
        {"role": "assistant", "content": "", "tool_calls": [first]},
        {"role": "tool", "tool_call_id": "call_a", "content": "of call_a"},
        {"role": "assistant", "content": "Looking.", "tool_calls": [second]},
        {"role": "tool", "tool_call_id": "call_b", "content": "of call_b"},
    ]


async def test_what_was_thought_before_a_call_is_remembered_whole(upstream: RawUpstream) -> None:
    upstream.say(
        chunk(role="assistant", content=None, reasoning_content="I need "),
        chunk(reasoning_content="the weather."),
        calling("tool_calls", index=0, id="a", name="f", arguments="{}"),
    )

    seen = await heard(upstream, DEEPSEEK)

    assert seen[:2] == [ReasoningDelta("I need "), ReasoningDelta("the weather.")]
    data = {"message": {"reasoning_content": "I need the weather."}, "calls": [{}]}
    assert remembered(seen) == Remember(data, "here")


async def test_details_in_pieces_are_remembered_as_the_items_they_are_of(
    upstream: RawUpstream,
) -> None:
    def detail(**fields: Any) -> dict[str, Any]:
        return chunk(reasoning_details=[{"type": "reasoning.text", "index": 0, **fields}])

    secret = {"type": "reasoning.encrypted", "data": "xyz", "index": 1, "id": "rs_1"}
    upstream.say(
        detail(text="Let ", format="f1"),
        detail(text="me see", signature=None),
        detail(signature="sig"),
        chunk(reasoning_details=[secret]),
        calling("tool_calls", index=0, id="a", name="f", arguments="{}"),
    )

    seen = await heard(upstream, OPENROUTER)

    found = remembered(seen)
    assert found is not None
    thought = {
        "type": "reasoning.text",
        "index": 0,
        "format": "f1",
        "text": "Let me see",
        "signature": "sig",
    }
    assert found.data["message"] == {"reasoning_details": [thought, secret]}
    assert seen[:2] == [ReasoningDelta("Let "), ReasoningDelta("me see")]


async def test_signatures_of_calls_are_remembered_in_the_order_of_the_calls(
    upstream: RawUpstream,
) -> None:
    upstream.say(
        calling(id="a", name="f", arguments="{}", extra_content=SIGNED),
        calling("stop", id="b", name="g", arguments="{}", odd=None),
    )

    found = remembered(await heard(upstream, GEMINI))

    assert found is not None
    assert found.data == {"message": {}, "calls": [{"extra_content": SIGNED}, {}]}


async def test_nothing_is_remembered_where_nothing_was_added_or_called(
    upstream: RawUpstream,
) -> None:
    upstream.say(chunk(role="assistant", content="x", reasoning="hm", refusal=None), chunk("stop"))
    assert remembered(await heard(upstream)) is None

    upstream.say(calling("stop", index=0, id="a", type="function", name="f", arguments="{}"))
    assert await heard(upstream) == [CallStart(0, "a", "f"), CallArguments(0, "{}"), CALLS]


@pytest.mark.parametrize(
    "dialect", [DEEPSEEK, OPENROUTER, OLLAMA, VLLM, LLAMA_CPP, UNKNOWN], ids=lambda d: d.name
)
async def test_a_server_is_told_its_own_fields_again(
    upstream: RawUpstream, dialect: Dialect
) -> None:
    added = {"reasoning_content": "hm", "reasoning_details": [{"text": "hm"}], "phase": "x"}
    extra = {"extra_content": SIGNED}
    [assistant, *_] = await told(upstream, dialect, A, B, replay=replay(added, [extra, {}]))

    assert {name: assistant[name] for name in added} == added
    first, second = assistant["tool_calls"]
    assert first["extra_content"] == SIGNED
    assert "extra_content" not in second


async def test_what_it_added_does_not_replace_what_is_known(upstream: RawUpstream) -> None:
    old = replay({"role": "user", "content": "x"}, [{"id": "old", "type": "x", "function": {}}])
    [assistant, *_] = await told(upstream, UNKNOWN, A, replay=old)

    assert (assistant["role"], assistant["content"]) == ("assistant", "")
    assert assistant["tool_calls"][0]["id"] == "call_a"
    assert assistant["tool_calls"][0]["function"]["name"] == "f"


async def test_what_another_server_added_is_not_told(upstream: RawUpstream) -> None:
    elsewhere = replay({"reasoning": "hm"}, [{"extra_content": SIGNED}], server="elsewhere")
    [assistant, *_] = await told(upstream, UNKNOWN, A, replay=elsewhere)

    assert set(assistant) == {"role", "content", "tool_calls"}
    assert "extra_content" not in assistant["tool_calls"][0]


@pytest.mark.parametrize("dialect", [OPENAI, AZURE, MISTRAL, STRICT], ids=lambda d: d.name)
async def test_a_server_that_refuses_its_own_fields_is_spared_them(
    upstream: RawUpstream, dialect: Dialect
) -> None:
    old = replay({"reasoning": "hm"}, [{"extra_content": SIGNED}])
    [assistant, *_] = await told(upstream, dialect, A, replay=old)

    assert set(assistant) == {"role", "content", "tool_calls"}
    assert set(assistant["tool_calls"][0]) == {"id", "type", "function"}


async def test_a_field_that_was_refused_is_not_told_again(upstream: RawUpstream) -> None:
    old = replay({"reasoning_content": "hm", "phase": "x"})
    refused = ["messages[2].reasoning_content"]
    [assistant, *_] = await told(upstream, UNKNOWN, A, replay=old, refused=refused)

    assert "reasoning_content" not in assistant
    assert assistant["phase"] == "x"


async def test_deepseek_gets_what_was_thought_on_every_message_with_calls(
    upstream: RawUpstream,
) -> None:
    thought = called(A, replay=replay({"reasoning_content": "hm"}))
    silent = called(B)[1:]
    foreign = called(B, replay=replay({"reasoning": "x"}, server="elsewhere"))[1:]
    asked = request(*thought, *silent, *foreign)

    messages = (await sent(upstream, asked, DEEPSEEK))["messages"]

    fields = [m.get("reasoning_content") for m in messages if m["role"] == "assistant"]
    assert fields == ["hm", "", ""]


async def test_gemini_gets_a_signature_for_calls_that_others_made(upstream: RawUpstream) -> None:
    [foreign, *_] = await told(upstream, GEMINI, A, B)
    [own, *_] = await told(upstream, GEMINI, A, B, replay=replay({}, [{"extra_content": SIGNED}]))

    first, second = foreign["tool_calls"]
    stand_in = {"google": {"thought_signature": "skip_thought_signature_validator"}}
    assert first["extra_content"] == stand_in
    assert "extra_content" not in second
    assert own["tool_calls"][0]["extra_content"] == SIGNED


LONG = "call__0_get_weather_cmpl-6f1f3bd7-0f6c-4e1a-9a57-1d7a9c7d2a11"


@pytest.mark.parametrize(
    ("dialect", "model", "form"),
    [
        (MISTRAL, "mistral-large-latest", r"[A-Za-z0-9]{9}"),
        (VLLM, "mistralai/Ministral-8B", r"[A-Za-z0-9]{9}"),
        (LLAMA_CPP, "Mixtral-8x7B", r"[A-Za-z0-9]{9}"),
        (OPENAI, "gpt-6-luna", r"[A-Za-z0-9_-]{1,40}"),
        (OPENROUTER, "m", r"[A-Za-z0-9_-]{1,40}"),
        (UNKNOWN, "m", r".+"),
    ],
)
async def test_ids_have_the_form_that_the_server_takes_in_call_and_output(
    upstream: RawUpstream, dialect: Dialect, model: str, form: str
) -> None:
    calls = [FunctionCall(call_id, "f", "{}") for call_id in (LONG, "日本:1", "D681PevKs")]
    asked = request(*called(*calls), model=model)

    first = (await sent(upstream, asked, dialect))["messages"][2:]
    again = (await sent(upstream, asked, dialect))["messages"][2:]

    ids = [call["id"] for call in first[0]["tool_calls"]]
    assert [message["tool_call_id"] for message in first[1:]] == ids
    assert all(re.fullmatch(form, each) for each in ids)
    assert len(set(ids)) == 3
    assert ids[2] == "D681PevKs"
    assert (ids[0] == LONG) is (dialect is UNKNOWN)
    assert again == first
