"""What goes wrong on the way to a model server and back: the rows of the table of failures."""

from streamlit_assistant.settings import Settings
from tests.upstream_scripts import (
    Answer,
    Body,
    Ending,
    Silence,
    context_too_long,
    empty_stream,
    llama_cpp_context_too_long,
    model_not_found,
    rate_limited,
    server_error,
    spoken,
    web_page,
)
from tests.upstream_wire import (
    COMPACT,
    GEMINI,
    OPENROUTER,
    Call,
    error_body,
)
from tests.upstreams.matrix import each, play
from tests.upstreams.rows import (
    ASK_TWICE,
    CHAT,
    OSLO,
    RESPONSES,
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

FINE = spoken("All is well.")
WELL = "All is well."
HALF = ("half ",)
SHORT = {"first_token_seconds": 0.3, "silence_seconds": 0.3}
SPENT = error_body("You have run out of credit.", "insufficient_quota", "credit_balance_exhausted")
SOON = Body(error_body("Slow.", "requests", "rate_limit_exceeded"), 429, {"retry-after-ms": "250"})
LATE = rate_limited("130")
NOT_AGAIN = Body(error_body("Broken for good.", "server_error"), 500, {"x-should-retry": "false"})
REPORTED = {"code": 502, "message": "Provider returned error"}

ROWS = [
    Row("429 with Retry-After, then an answer", answered(WELL, asked=2), [rate_limited(), FINE]),
    Row("429 with retry-after-ms, then an answer", answered(WELL, asked=2), [SOON, FINE]),
    Row("429 for longer than anybody waits", busy("Rate limit reached", asked=1), [LATE]),
    Row("429 again and again", busy("Rate limit reached", asked=4), [rate_limited()] * 4),
    Row("429 because the credit is spent", busy("budget is used up", asked=1), [Body(SPENT, 429)]),
    Row("500 that says not to ask again", failed("Broken for good", asked=1), [NOT_AGAIN]),
    Row("500 twice, then an answer", answered(WELL, asked=3), [server_error()] * 2 + [FINE]),
    Row("500 again and again", failed("status 500", asked=4), [server_error()] * 4),
    Row("502 with a web page", failed("status 502", asked=4), [web_page(502)] * 4),
    Row("502 with a web page, then an answer", answered(WELL, asked=2), [web_page(502), FINE]),
    Row("a web page where an answer should be", failed("a web page", asked=1), [web_page()]),
    Row("a conversation that is too long", unfit("too long", asked=1), [context_too_long()]),
    Row("a code that is a number", unfit("too long", asked=1), [llama_cpp_context_too_long()]),
    Row("404 for the model", failed("does not know", asked=1), [model_not_found()]),
    Row(
        "no answer at all",
        failed("did not answer in time", asked=4),
        [Silence()] * 4,
        settings=SHORT,
    ),
    Row(
        "no answer at all, then one",
        answered(WELL, asked=2),
        [Silence(), FINE],
        settings=SHORT,
    ),
    Row(
        "a clean end without a reason",
        failed("closed the connection", text="half ", asked=1),
        [Answer(HALF, ending=Ending.EARLY)],
    ),
    Row(
        "a last word without a reason",
        failed("closed the connection", text="half ", asked=1),
        [Answer(HALF, ending=Ending.NO_FINISH)],
    ),
    Row("an empty stream", failed("closed the connection", asked=4), [empty_stream()] * 4),
    Row("an empty stream, then an answer", answered(WELL, asked=2), [empty_stream(), FINE]),
    Row(
        "the connection is cut",
        failed("the connection broke", text="half ", asked=1),
        [Answer(HALF, ending=Ending.CUT)],
    ),
    Row(
        "the connection is cut before the first word",
        answered(WELL, asked=2),
        [Answer(ending=Ending.CUT), FINE],
    ),
    Row(
        "the connection is reset before the first word",
        answered(WELL, asked=2),
        [Answer(ending=Ending.RESET), FINE],
    ),
    Row(
        "an error in mid-stream",
        failed("Provider returned error", text="half ", asked=1),
        [Answer(HALF, ending=Ending.ERROR)],
    ),
    Row(
        "a flat error in mid-stream",
        failed("Provider returned error", text="half ", asked=1),
        [Answer(HALF, ending=Ending.FLAT_ERROR)],
    ),
    Row(
        "an error that ends the answer",
        failed("Provider returned error", text="half ", asked=1),
        [Answer(HALF, ending=Ending.FAILED)],
    ),
    Row(
        "an error before the first word, then an answer",
        answered(WELL, asked=2),
        [Answer(ending=Ending.ERROR), FINE],
    ),
    Row(
        "a stream that stalls",
        failed("did not answer in time", text="half ", asked=1),
        [Answer(HALF, ending=Ending.HANG)],
        settings=SHORT,
    ),
    Row(
        "one body in place of a stream",
        answered("All is well.", asked=1),
        [Answer(["All ", "is well."], as_one_body=True)],
    ),
    Row(
        "one body in place of a stream, with calls",
        calls(OSLO, ROME, asked=1),
        [Answer(calls=[Call("get_weather", OSLO), Call("get_weather", ROME)], as_one_body=True)],
        assistant=WITH_TOOLS,
    ),
    Row(
        "one body that is no answer",
        failed("not a valid answer", asked=4),
        [Body({"choices": []})] * 4,
        apis=[CHAT],
    ),
    Row(
        "one body that is no response",
        failed("it answered with one JSON body", asked=4),
        [Body({"output": "?"})] * 4,
        apis=[RESPONSES],
    ),
    Row(
        "one body that is an error",
        failed("Provider returned error", asked=4),
        [Body({"error": REPORTED})] * 4,
    ),
    Row(
        "a frame whose JSON is broken",
        failed("not a valid answer", text="half ", asked=1),
        [Answer(HALF, ending=Ending.BROKEN_JSON)],
    ),
    Row(
        "comments, CRLF, no space after data",
        answered(WELL),
        [Answer(["All ", "is well."], dialect=COMPACT)],
    ),
    Row(
        "comment lines before the first word",
        answered(WELL),
        [Answer(["All ", "is well."], dialect=OPENROUTER)],
        apis=[CHAT],
    ),
    Row(
        "characters cut in two between packets",
        answered("小智🙂 e\u0301"),
        [Answer(["小智", "🙂", " e\u0301"], byte_by_byte=True)],
    ),
    Row(
        "calls without numbers",
        calls(OSLO, ROME),
        question=ASK_TWICE,
        assistant=WITH_TOOLS,
        dialect=GEMINI,
        apis=[CHAT],
    ),
    Row(
        "an error as an event, flat",
        busy("Too much.", text="half ", asked=1),
        [
            Answer(
                HALF,
                ending=Ending.FLAT_ERROR,
                error={"code": "rate_limit_exceeded", "message": "Too much."},
            )
        ],
        apis=[RESPONSES],
    ),
    Row(
        "an error as an event, nested",
        busy("Too much.", text="half ", asked=1),
        [
            Answer(
                HALF,
                ending=Ending.ERROR,
                error={"code": "rate_limit_exceeded", "message": "Too much."},
            )
        ],
        apis=[RESPONSES],
    ),
    Row(
        "a response that failed",
        busy("Too much.", text="half ", asked=1),
        [
            Answer(
                HALF,
                ending=Ending.FAILED,
                error={"code": "rate_limit_exceeded", "message": "Too much."},
            )
        ],
        apis=[RESPONSES],
    ),
]


@each(ROWS)
def test_every_failure_is_told_in_plain_words_and_the_chat_goes_on(
    row: Row, api: str, settings: Settings, places: Places
) -> None:
    play(row, api, settings, places)
