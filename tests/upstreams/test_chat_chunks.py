"""Thoughts, calls, counts and reasons of Chat Completions, in every way in which they come."""

from dataclasses import replace
from typing import Any

from streamlit_assistant.settings import Settings
from tests.upstream_scripts import Answer, Ending
from tests.upstream_wire import (
    DEEPSEEK,
    DIALECTS,
    GEMINI,
    HALF_TAGS,
    LLAMA_CPP_PYTHON,
    LM_STUDIO,
    OPENAI,
    OPENROUTER,
    TAGS,
    VLLM_COUNTING,
    Call,
)
from tests.upstreams.chunks import call_piece, chunk
from tests.upstreams.matrix import each, play
from tests.upstreams.rows import (
    ASK_TWICE,
    CHAT,
    OSLO,
    ROME,
    WITH_TOOLS,
    Expected,
    Row,
    answered,
    calls,
    failed,
    filtered,
    too_long,
)
from tests.upstreams.site import Places

HALF = ("half ",)
CALL: Any = {"id": "call_1", "type": "function", "name": "get_weather"}
OTHER = CALL | {"id": "call_2"}

REASONS = [
    Row("the reason length", too_long("half "), [Answer(HALF, reason="length")]),
    Row("the reason content_filter", filtered("half "), [Answer(HALF, reason="content_filter")]),
    Row("the reason content_filter and no word", filtered(None), [Answer(reason="content_filter")]),
    Row("a reason that nobody knows", answered("half "), [Answer(HALF, reason="eos_token")]),
    Row(
        "the reason error before a word",
        answered("There.", asked=2),
        [Answer(reason="error"), Answer(["There."])],
    ),
    Row(
        "the reason tool_calls without calls",
        failed("'tool_calls'", text="half "),
        [Answer(HALF, reason="tool_calls")],
    ),
    Row(
        "calls with the reason stop",
        calls(OSLO, ROME),
        question=ASK_TWICE,
        dialect=GEMINI,
    ),
    Row(
        "calls with the reason length, but whole",
        calls(OSLO),
        [Answer(calls=[Call("get_weather", OSLO)], reason="length")],
    ),
    Row(
        "calls without a reason, but whole",
        calls(OSLO),
        [Answer(calls=[Call("get_weather", OSLO)], ending=Ending.NO_FINISH)],
    ),
    Row(
        "calls of the time before there were several",
        calls(OSLO),
        [
            Answer(
                strange=[
                    chunk({"function_call": {"name": "get_weather", "arguments": '{"city":'}}),
                    chunk({"function_call": {"arguments": ' "Oslo"}'}}),
                ],
                reason="function_call",
            )
        ],
    ),
]
ASSEMBLY = [
    Row(
        "calls of two kinds of pieces",
        calls(OSLO, ROME),
        [
            Answer(
                strange=[
                    call_piece(OSLO, index=0, **CALL),
                    call_piece(ROME[:5], index=0, **OTHER),
                    call_piece(ROME[5:], index=0),
                ],
                reason="tool_calls",
            )
        ],
    ),
    Row(
        "pieces without numbers or ids",
        calls(OSLO),
        [
            Answer(
                strange=[
                    call_piece("", **CALL),
                    call_piece(OSLO[:5]),
                    call_piece(OSLO[5:], id=None, name=""),
                ],
                reason="tool_calls",
            )
        ],
    ),
    Row(
        "one character after the other",
        calls(OSLO),
        [
            Answer(
                strange=[
                    call_piece("", index=0, **CALL),
                    *(call_piece(letter, index=0) for letter in OSLO),
                ],
                reason="tool_calls",
            )
        ],
    ),
    Row(
        "arguments as an object",
        calls(OSLO),
        [Answer(strange=[call_piece({"city": "Oslo"}, index=0, **CALL)], reason="tool_calls")],
    ),
    Row(
        "no arguments at all",
        calls("{}"),
        [Answer(strange=[call_piece("", index=0, **CALL)], reason="tool_calls")],
    ),
    Row(
        "arguments that are no JSON",
        calls('{"city": Oslo'),
        [Answer(calls=[Call("get_weather", '{"city": Oslo')])],
    ),
    Row(
        "no id",
        calls(OSLO, ROME),
        [Answer(calls=[Call("get_weather", each, id="") for each in (OSLO, ROME)])],
    ),
    *(
        Row(f"two calls of {name}", calls(OSLO, ROME), question=ASK_TWICE, dialect=dialect)
        for name, dialect in DIALECTS.items()
    ),
]
THOUGHTS = [
    *(
        Row(
            f"thoughts of {name}",
            answered("Four.", thinking="Two and two. "),
            [Answer(["Four."], thoughts=["Two ", "and two. "], dialect=dialect)],
        )
        for name, dialect in DIALECTS.items()
        if dialect is not HALF_TAGS
    ),
    Row(
        "thoughts without an opening tag",
        answered("Four.", thinking="Two and two. "),
        [Answer(["Four."], thoughts=["Two ", "and two. "], dialect=HALF_TAGS)],
        model="deepseek-r1:8b",
    ),
    Row(
        "thoughts without an opening tag, of llama.cpp",
        answered("Four.", thinking="Two and two. "),
        [Answer(["Four."], thoughts=["Two ", "and two. "], dialect=HALF_TAGS)],
        model="deepseek-r1:8b",
        facts={"owned_by": "llamacpp"},
    ),
    Row(
        "tags that are part of the answer",
        answered("Write <think> and </think>."),
        [Answer(["Write <thi", "nk> and </think>."])],
    ),
    Row(
        "thoughts before calls",
        calls(OSLO),
        [Answer(calls=[Call("get_weather", OSLO)], thoughts=["Hm. "], dialect=TAGS)],
    ),
    Row(
        "thoughts that were cut off",
        failed("closed the connection"),
        [Answer(thoughts=["Hm. "], ending=Ending.EARLY, dialect=DEEPSEEK)] * 4,
    ),
]
COUNTS = [
    Row(
        "counts when asked for",
        answered("one two", usage={"completion_tokens": 2, "estimated": None}),
        [Answer(["one ", "two"], dialect=OPENAI)],
    ),
    Row(
        "counts always",
        answered("one two", usage={"completion_tokens": 2, "estimated": None}),
        [Answer(["one ", "two"], dialect=OPENROUTER)],
    ),
    Row(
        "counts with every chunk",
        answered("one two", usage={"completion_tokens": 2, "estimated": None}),
        [Answer(["one ", "two"], dialect=VLLM_COUNTING)],
    ),
    Row(
        "counts with the reason",
        answered("one two", usage={"completion_tokens": 2, "estimated": None}),
        [Answer(["one ", "two"], dialect=DEEPSEEK)],
    ),
    Row(
        "no counts",
        answered("one two", usage={"estimated": True}),
        [Answer(["one ", "two"], dialect=LLAMA_CPP_PYTHON)],
    ),
    Row(
        "counts of what was cached and thought",
        answered(
            "one",
            usage={
                "prompt_token_details": {"cached_tokens": 5},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
        ),
        [Answer(["one"], cached=5, reasoned=3, dialect=LM_STUDIO)],
    ),
]
SAID = [
    Row(
        "a refusal",
        Expected("completed", refusal="I will not."),
        [Answer(refusal=["I will ", "not."])],
    ),
    Row(
        "a list of parts, as Mistral's thinking models write it",
        answered("Four.", thinking="Two and two."),
        [
            Answer(
                strange=[
                    chunk(
                        {
                            "content": [
                                {
                                    "type": "thinking",
                                    "thinking": [{"type": "text", "text": "Two and two."}],
                                }
                            ]
                        }
                    ),
                    chunk({"content": [{"type": "text", "text": "Four."}]}),
                ]
            )
        ],
    ),
]
ROWS = [*REASONS, *ASSEMBLY, *THOUGHTS, *COUNTS, *SAID]


@each([replace(row, apis=[CHAT], assistant=WITH_TOOLS) for row in ROWS])
def test_every_way_of_saying_it_comes_to_the_same(
    row: Row, api: str, settings: Settings, places: Places
) -> None:
    play(row, api, settings, places)
