"""What comes of the Responses API, in the manners of those who speak it."""

from dataclasses import replace
from typing import get_args

from openai.types.responses import ResponseError

from streamlit_assistant.settings import Settings
from tests.upstream_items import said_before, strange_item
from tests.upstream_scripts import Answer, Ending, numbered, spoken
from tests.upstream_wire import (
    COMPACT,
    LLAMA_CPP,
    LM_STUDIO,
    OLLAMA,
    OPENAI,
    VLLM,
    Call,
    Dialect,
)
from tests.upstreams.matrix import each, play
from tests.upstreams.rows import (
    ASK_TWICE,
    OSLO,
    RESPONSES,
    ROME,
    WITH_TOOLS,
    Expected,
    Row,
    answered,
    busy,
    calls,
    failed,
    filtered,
    too_long,
    unfit,
)
from tests.upstreams.site import Places

HALF = ("half ",)
OPENAI_HOST = "api.openai.com"
SERVERS: dict[str, tuple[Dialect, str | None]] = {
    "openai": (OPENAI, OPENAI_HOST),
    "azure": (OPENAI, "me.openai.azure.com"),
    "ollama": (OLLAMA, None),
    "llama.cpp": (LLAMA_CPP, None),
    "lm studio": (LM_STUDIO, None),
    "vllm": (VLLM, None),
    "a proxy": (COMPACT, None),
}
NO_PROMPT = {
    *("invalid_prompt", "data_residency_mismatch", "bio_policy", "misalignment_policy_violation"),
}


def of_code(code: str) -> Expected:
    """Return what a failure with this code comes to."""
    if code == "rate_limit_exceeded":
        return busy("Because.", text="half ", asked=1)
    if code in NO_PROMPT or "image" in code:
        return unfit("Because.", text="half ", asked=1)
    return failed("Because.", text="half ", asked=1)


def failure(code: str, *tokens: str) -> Answer:
    """Return an answer that ends with `response.failed`."""
    error = {"code": code, "message": "Because."}
    return Answer(tokens, ending=Ending.FAILED, error=error, dialect=OPENAI)


MANNERS = [
    *(
        Row(
            f"thoughts and text of {name}",
            answered("Four.", thinking="Two and two. "),
            [Answer(["Fo", "ur."], thoughts=["Two ", "and two. "], dialect=dialect)],
            host=host,
        )
        for name, (dialect, host) in SERVERS.items()
    ),
    *(
        Row(
            f"two calls of {name}",
            calls(OSLO, ROME),
            question=ASK_TWICE,
            assistant=WITH_TOOLS,
            dialect=dialect,
            host=host,
        )
        for name, (dialect, host) in SERVERS.items()
    ),
    *(
        Row(
            f"thoughts before calls of {name}",
            calls(OSLO),
            [Answer(calls=[Call("get_weather", OSLO)], thoughts=["Hm. "], dialect=dialect)],
            assistant=WITH_TOOLS,
            dialect=dialect,
            host=host,
        )
        for name, (dialect, host) in SERVERS.items()
    ),
    Row(
        "llama.cpp says completed although the answer was cut",
        too_long(numbered(300).text),
        [replace(numbered(300), reason="length", dialect=LLAMA_CPP)],
        run={"max_completion_tokens": 300},
    ),
    Row(
        "one message before the other",
        answered("Done."),
        [Answer(["Done."], items=[said_before("Wait. ", "commentary")], dialect=OPENAI)],
        host=OPENAI_HOST,
    ),
    Row(
        "events and items that nobody knows",
        answered("Done."),
        [
            Answer(
                ["Done."],
                items=[strange_item("dream")],
                strange=[{"type": "response.dream.delta", "delta": "zzz", "item_id": 7}],
                dialect=OPENAI,
            )
        ],
    ),
]
ENDINGS = [
    Row(
        "incomplete, max_output_tokens",
        too_long("half "),
        [Answer(HALF, reason="length", dialect=OPENAI)],
    ),
    Row(
        "incomplete, max_output_tokens, all of it thoughts",
        Expected("incomplete", page="ending.incomplete", run_reason="max_completion_tokens"),
        [Answer(thoughts=["Hm. "], reason="length", dialect=OPENAI)],
    ),
    Row(
        "incomplete, content_filter",
        filtered("half "),
        [Answer(HALF, reason="content_filter", dialect=OPENAI)],
    ),
    Row(
        "incomplete, content_filter, without a word",
        filtered(None),
        [Answer(reason="content_filter", dialect=OPENAI)],
    ),
    Row(
        "incomplete, max_messages",
        too_long("half "),
        [Answer(HALF, reason="max_messages", dialect=OPENAI)],
    ),
    Row(
        "incomplete, steered",
        answered("half "),
        [Answer(HALF, reason="steered", dialect=OPENAI)],
    ),
    Row(
        "a refusal",
        Expected("completed", refusal="I will not."),
        [Answer(refusal=["I will ", "not."], dialect=OPENAI)],
    ),
    Row(
        "text, then a refusal",
        Expected("completed", text="Well, ", refusal="I will not."),
        [Answer(["Well, "], refusal=["I will ", "not."], dialect=OPENAI)],
    ),
    *(
        Row(f"failed, {code}", of_code(code), [failure(code, *HALF)], host=OPENAI_HOST)
        for code in get_args(ResponseError.model_fields["code"].annotation)
    ),
    Row(
        "failed before a word, then an answer",
        answered("There.", asked=2),
        [failure("server_error"), spoken("There.")],
    ),
    Row(
        "too many requests before a word, then an answer",
        answered("There.", asked=2),
        [failure("rate_limit_exceeded"), spoken("There.")],
    ),
    Row(
        "the credit is spent, in mid-stream",
        busy("budget is used up", asked=1),
        [
            Answer(
                ending=Ending.ERROR,
                error={
                    "type": "insufficient_quota",
                    "code": "insufficient_quota",
                    "message": "You exceeded your current quota.",
                },
            )
        ],
    ),
    Row(
        "arguments that are no JSON",
        calls('{"city": Oslo'),
        [Answer(calls=[Call("get_weather", '{"city": Oslo')], dialect=OPENAI)],
        assistant=WITH_TOOLS,
    ),
    Row(
        "counts of what was cached and thought",
        answered(
            "one two",
            usage={
                "completion_tokens": 2,
                "prompt_token_details": {"cached_tokens": 5},
                "completion_tokens_details": {"reasoning_tokens": 3},
                "estimated": None,
            },
        ),
        [Answer(["one ", "two"], cached=5, reasoned=3, dialect=OPENAI)],
    ),
]


ROWS = [*MANNERS, *ENDINGS]


@each([replace(row, apis=[RESPONSES]) for row in ROWS])
def test_every_way_of_responding_comes_to_the_same(
    row: Row, api: str, settings: Settings, places: Places
) -> None:
    play(row, api, settings, places)
