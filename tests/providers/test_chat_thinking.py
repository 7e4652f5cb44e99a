"""What a model thinks, told apart from what it answers, in the Chat Completions adapter."""

from typing import Any

import pytest

from streamlit_assistant.providers.base import (
    CallArguments,
    CallStart,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
)
from streamlit_assistant.providers.chat.completions import ChatCompletionsProvider
from streamlit_assistant.providers.chat.dialects import (
    DEEPSEEK,
    GEMINI,
    LLAMA_CPP,
    LLAMA_CPP_PYTHON,
    LM_STUDIO,
    OLLAMA,
    OPENAI,
    UNKNOWN,
    VLLM,
    Dialect,
)
from tests.providers.chat_talk import CALLS, STOP, deltas, heard, provider_at, request
from tests.providers.conftest import RawUpstream, calling, chunk

YES = TextDelta("yes")


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_thinking_has_a_field_of_its_own(upstream: RawUpstream, field: str) -> None:
    upstream.say(chunk(**{field: "hm"}), chunk(content="yes"), chunk("stop"))

    assert await heard(upstream) == [ReasoningDelta("hm"), YES, STOP]


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        {"reasoning": "hm", "reasoning_content": "hm"},
        {"reasoning_content": "", "reasoning": "hm"},
        {"reasoning": None, "reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]},
    ],
)
async def test_what_two_fields_say_is_heard_once(
    upstream: RawUpstream, fields: dict[str, Any]
) -> None:
    upstream.say(chunk(**fields), chunk(**fields), chunk(content="yes"), chunk("stop"))

    thought = ReasoningDelta("hm")
    assert await heard(upstream) == [thought, thought, YES, STOP]


async def test_thoughts_without_words_are_no_text(upstream: RawUpstream) -> None:
    secret = [{"type": "reasoning.encrypted", "data": "xyz"}]
    upstream.say(chunk(reasoning=None, reasoning_details=secret), chunk("stop", content="yes"))

    assert await heard(upstream) == [YES, STOP]


async def test_mistrals_parts_say_which_of_them_are_thoughts(upstream: RawUpstream) -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    upstream.say(
        chunk(content=[thought]),
        chunk(content=[{"type": "text", "text": "yes"}]),
        chunk("stop", content=""),
    )

    assert await heard(upstream) == [ReasoningDelta("hm"), YES, STOP]


@pytest.mark.parametrize(
    "dialect", [OLLAMA, LLAMA_CPP, LLAMA_CPP_PYTHON, VLLM, UNKNOWN], ids=lambda d: d.name
)
async def test_thoughts_within_the_text_are_told_apart_by_their_tags(
    upstream: RawUpstream, dialect: Dialect
) -> None:
    upstream.say(
        *(chunk(content=piece) for piece in ("<th", "ink>", "\nhm", "\n</thi", "nk>\n\n", "yes")),
        chunk("stop"),
    )

    assert await heard(upstream, dialect) == [
        ReasoningDelta("hm"),
        ReasoningDelta("\n"),
        YES,
        STOP,
    ]


@pytest.mark.parametrize("dialect", [OPENAI, DEEPSEEK, GEMINI], ids=lambda d: d.name)
async def test_tags_are_text_where_thoughts_never_stand_in_it(
    upstream: RawUpstream, dialect: Dialect
) -> None:
    upstream.say(chunk(content="<think>x</think>"), chunk("stop"))

    assert await heard(upstream, dialect) == [TextDelta("<think>x</think>"), STOP]


async def test_thoughts_before_a_call_leave_no_text(upstream: RawUpstream) -> None:
    upstream.say(
        chunk(content="<think>hm</think>\n\n"),
        calling(index=0, id="a", name="f", arguments="{}"),
        chunk("tool_calls"),
    )

    assert await heard(upstream) == [
        ReasoningDelta("hm"),
        CallStart(0, "a", "f"),
        CallArguments(0, "{}"),
        CALLS,
    ]


async def test_a_thought_that_a_limit_cut_off_is_no_answer(upstream: RawUpstream) -> None:
    upstream.say(chunk(content="<think>hm"), chunk("length"))

    assert await heard(upstream) == [ReasoningDelta("hm"), Finish(FinishReason.MAX_TOKENS)]


async def test_a_thought_that_is_all_there_is_is_the_answer(upstream: RawUpstream) -> None:
    upstream.say(chunk(content="<think>yes, "), chunk(content="it is</th"), chunk("stop"))

    seen = await heard(upstream)

    assert seen[-2:] == [TextDelta("yes, it is</th"), STOP]


async def asked(provider: ChatCompletionsProvider, model: str = "m") -> list[Any]:
    return await deltas(provider, request(model=model))


HIDDEN = [chunk(content=piece) for piece in ("hm\n", "</think>\n", "\nyes")]


@pytest.mark.parametrize("dialect", [LLAMA_CPP, VLLM, LM_STUDIO], ids=lambda d: d.name)
async def test_a_model_known_to_leave_out_the_opening_tag_begins_within_a_thought(
    upstream: RawUpstream, dialect: Dialect
) -> None:
    upstream.say(*HIDDEN, chunk("stop"))

    seen = await heard(upstream, dialect, model="DeepSeek-R1-Distill-Qwen-7B")

    assert seen == [ReasoningDelta("hm\n"), YES, STOP]


async def test_such_a_model_may_begin_with_its_answer_all_the_same(upstream: RawUpstream) -> None:
    client, provider = provider_at(upstream.url, dialect=VLLM)
    async with client:
        upstream.say(chunk(content="ye"), chunk(content="s"), chunk("stop"))
        first = await asked(provider, "qwq-32b")
        second = await asked(provider, "qwq-32b")

    assert first == [ReasoningDelta("ye"), ReasoningDelta("s"), YES, STOP]
    assert second == [TextDelta("ye"), TextDelta("s"), STOP]


async def test_such_a_models_text_is_its_answer_where_thoughts_have_their_field(
    upstream: RawUpstream,
) -> None:
    upstream.say(chunk(reasoning="hm"), chunk(content="yes"), chunk("stop"))

    seen = await heard(upstream, VLLM, model="Qwen3-4B-Thinking-2507")

    assert seen == [ReasoningDelta("hm"), YES, STOP]


async def test_a_lonely_closing_tag_is_learned_from(upstream: RawUpstream) -> None:
    client, provider = provider_at(upstream.url, dialect=UNKNOWN)
    async with client:
        upstream.say(*HIDDEN, chunk("stop"))
        first = await asked(provider)
        second = await asked(provider)
        other = await asked(provider, "another")

    text = [TextDelta("hm\n"), TextDelta("</think>\n"), TextDelta("\nyes"), STOP]
    assert first == other == text  # what was shown is not taken back
    assert second == [ReasoningDelta("hm\n"), YES, STOP]


async def test_an_answer_about_tags_teaches_nothing(upstream: RawUpstream) -> None:
    client, provider = provider_at(upstream.url, dialect=UNKNOWN)
    async with client:
        upstream.say(chunk(content="It is\n<think>\nx\n</think>\n."), chunk("stop"))
        assert await asked(provider) == await asked(provider)
        upstream.say(chunk(content="Write </think> after it."), chunk("stop"))
        assert await asked(provider) == await asked(provider)


async def test_text_is_not_held_back_for_tags_that_cannot_come(upstream: RawUpstream) -> None:
    upstream.say(chunk(content="ye"), chunk(content="s"))
    upstream.pieces[1:1] = [5.0]
    client, provider = provider_at(upstream.url)
    async with client:
        stream = provider.stream(request())
        assert await anext(stream) == TextDelta("ye")
        await stream.aclose()
