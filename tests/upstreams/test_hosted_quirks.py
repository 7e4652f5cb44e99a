"""What hosted model servers do in their own ways, on Chat Completions."""

from dataclasses import replace

from streamlit_assistant.settings import Settings
from tests.upstream_rules import (
    bad_request,
    has_no_tools_on_chat,
    refuses_old_limit,
    wants_short_ids,
    wants_signatures_back,
    wants_thoughts_back,
)
from tests.upstream_scripts import (
    Answer,
    Body,
    Ending,
    context_too_long,
    rate_limited,
    spoken,
)
from tests.upstream_wire import (
    AZURE,
    DEEPSEEK,
    GEMINI,
    MISTRAL,
    OPENROUTER,
    Call,
    error_body,
)
from tests.upstreams.matrix import each, play
from tests.upstreams.rows import (
    ASK_TWICE,
    ASK_WEATHER,
    CHAT,
    NAME,
    OSLO,
    ROME,
    WITH_TOOLS,
    Row,
    answered,
    busy,
    calls,
    failed,
    unfit,
)
from tests.upstreams.site import Places

TURN = f"Turn 1. You said: {NAME}"
HALF = ("half ",)
CREDITS = Body({"error": {"code": 402, "message": "This request requires more credits"}}, 402)
UPSTREAM_BUSY = {"code": 429, "message": "Provider returned error", "metadata": {"raw": "busy"}}
AZURE_BUSY = Body(error_body("Slow.", "requests", "429"), 429, {"retry-after-ms": "20"})
MISTRAL_BUSY = Body({"message": "Requests rate limit exceeded", "type": "rate_limited"}, 429)
FILTERED_PROMPT = bad_request(
    "The response was filtered due to the prompt triggering content management policy.",
    "prompt",
    "content_filter",
)

ROWS = [
    Row(
        "OpenRouter, an error with a number in mid-stream",
        failed("Provider returned error", text="half "),
        [Answer(HALF, ending=Ending.ERROR, dialect=OPENROUTER)],
        host="openrouter.ai",
    ),
    Row(
        "OpenRouter, an error and the reason error",
        failed("Provider returned error", text="half "),
        [Answer(HALF, ending=Ending.FAILED, dialect=OPENROUTER)],
        host="openrouter.ai",
    ),
    Row(
        "OpenRouter, the reason error alone",
        failed("'error'", text="half "),
        [Answer(HALF, reason="error", dialect=OPENROUTER)],
        host="openrouter.ai",
    ),
    Row(
        "OpenRouter, no credits",
        busy("budget is used up", asked=1),
        [CREDITS],
        host="openrouter.ai",
    ),
    Row(
        "OpenRouter, 200 with an error in place of an answer",
        answered("There.", asked=2),
        [Body({"error": UPSTREAM_BUSY}), spoken("There.")],
        host="openrouter.ai",
    ),
    Row(
        "OpenRouter, calls and usage",
        calls(OSLO, ROME),
        question=ASK_TWICE,
        assistant=WITH_TOOLS,
        dialect=OPENROUTER,
        host="openrouter.ai",
    ),
    Row(
        "DeepSeek wants its thoughts back",
        calls(OSLO),
        [Answer(calls=[Call("get_weather", OSLO)], thoughts=["Hm. "], dialect=DEEPSEEK)],
        assistant=WITH_TOOLS,
        rules=[wants_thoughts_back],
        dialect=DEEPSEEK,
        host="api.deepseek.com",
        sends=lambda bodies: bodies[1]["messages"][-2]["reasoning_content"] == "Hm. ",
    ),
    Row(
        "DeepSeek wants back even what it did not think",
        calls(OSLO),
        question=ASK_WEATHER,
        assistant=WITH_TOOLS,
        rules=[wants_thoughts_back],
        dialect=DEEPSEEK,
        host="api.deepseek.com",
    ),
    Row(
        "DeepSeek under another name",
        calls(OSLO),
        [Answer(calls=[Call("get_weather", OSLO)], thoughts=["Hm. "], dialect=DEEPSEEK)],
        assistant=WITH_TOOLS,
        rules=[wants_thoughts_back],
        dialect=DEEPSEEK,
    ),
    Row(
        "Gemini wants its signature back",
        calls(OSLO, ROME),
        question=ASK_TWICE,
        assistant=WITH_TOOLS,
        rules=[wants_signatures_back],
        dialect=GEMINI,
        host="generativelanguage.googleapis.com",
    ),
    Row(
        "Gemini under another name",
        calls(OSLO),
        question=ASK_WEATHER,
        assistant=WITH_TOOLS,
        rules=[wants_signatures_back],
        dialect=GEMINI,
    ),
    Row(
        "Mistral takes ids of nine characters",
        calls(OSLO, ROME),
        [
            Answer(
                calls=[
                    Call("get_weather", OSLO, id="call_0123456789abcdef"),
                    Call("get_weather", ROME, id="call_fedcba9876543210"),
                ]
            )
        ],
        assistant=WITH_TOOLS,
        rules=[wants_short_ids],
        dialect=MISTRAL,
        host="api.mistral.ai",
    ),
    Row(
        "Mistral, a limit of requests",
        answered("There.", asked=2),
        [MISTRAL_BUSY, spoken("There.")],
        host="api.mistral.ai",
    ),
    Row(
        "Azure, an empty chunk with filter results first",
        answered("There you are."),
        [Answer(["There ", "you are."], dialect=AZURE)],
        host="me.openai.azure.com",
    ),
    Row(
        "Azure asks for milliseconds",
        answered("There.", asked=2),
        [AZURE_BUSY, spoken("There.")],
        host="me.openai.azure.com",
    ),
    Row(
        "Azure filters the prompt",
        unfit("content management policy", asked=1),
        [FILTERED_PROMPT],
        host="me.openai.azure.com",
    ),
    Row(
        "OpenAI, the old name of the limit",
        answered(TURN),
        run={"max_completion_tokens": 300},
        rules=[refuses_old_limit],
        host="api.openai.com",
        sends=lambda bodies: bodies[0]["max_completion_tokens"] == 300,
    ),
    Row(
        "OpenAI's GPT-6, no tools here",
        unfit("Please use /v1/responses instead"),
        question=ASK_WEATHER,
        assistant=WITH_TOOLS,
        later={"tools": []},
        rules=[has_no_tools_on_chat],
        host="api.openai.com",
    ),
    Row(
        "OpenAI, too long",
        unfit("too long for this model", asked=1),
        [context_too_long()],
        host="api.openai.com",
    ),
    Row(
        "OpenAI, too many requests",
        busy("Rate limit reached", asked=4),
        [rate_limited("0.1")] * 4,
        host="api.openai.com",
    ),
]


@each([replace(row, apis=[CHAT]) for row in ROWS])
def test_every_hosted_server_s_quirk_is_met(
    row: Row, api: str, settings: Settings, places: Places
) -> None:
    play(row, api, settings, places)
