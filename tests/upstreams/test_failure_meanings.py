"""What the statuses and codes of refusals mean: which are asked again, and what is said of them."""

from streamlit_assistant.settings import Settings
from tests.upstream_rules import bad_request
from tests.upstream_scripts import Body, spoken, wrong_key
from tests.upstream_wire import JSON, error_body
from tests.upstreams.matrix import each, play
from tests.upstreams.rows import Row, answered, busy, failed, unfit
from tests.upstreams.site import KEY, Places

FINE = spoken("All is well.")
WELL = "All is well."
ACCOUNT = "Your account is not what it was."


def refusal(status: int, kind: str, code: str | int | None = None, **headers: str) -> Body:
    """Return a refusal in OpenAI's form."""
    return Body(error_body(ACCOUNT, kind, code), status, headers)


def plain(status: int, content: JSON | str) -> Body:
    """Return a refusal in a form of its own."""
    return Body(content, status)


SPENT = (
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
)
OVERLOADED = refusal(503, "service_unavailable_error", "server_is_overloaded")
PASSING = {
    "429, requests": refusal(429, "requests", "rate_limit_exceeded"),
    "429, tokens": refusal(429, "tokens", "rate_limit_exceeded"),
    "429, slow down": refusal(429, "rate_limit_error", "slow_down"),
    "429, until a moment that is past": refusal(
        429, "requests", **{"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}
    ),
    "503, overloaded": OVERLOADED,
    "408": refusal(408, "timeout"),
    "409": refusal(409, "conflict"),
    "500": refusal(500, "server_error"),
    "504": plain(504, "Gateway Timeout"),
    "529": refusal(529, "overloaded_error"),
    "400 that says to ask again": refusal(400, "proxy_error", **{"x-should-retry": "true"}),
}
ROWS = [
    *(
        Row(f"{name}, then an answer", answered(WELL, asked=2), [body, FINE])
        for name, body in PASSING.items()
    ),
    *(
        Row(
            f"429, {code}",
            busy("budget is used up", asked=1),
            [refusal(429, "insufficient_quota", code)],
        )
        for code in SPENT
    ),
    Row(
        "429, spent, though it says to ask again",
        busy("budget is used up", asked=1),
        [refusal(429, "insufficient_quota", "insufficient_quota", **{"x-should-retry": "true"})],
    ),
    Row("401", failed("refused the key in OPENAI_API_KEY", asked=1), [wrong_key(KEY)]),
    Row("403", failed("refused the key", asked=1), [refusal(403, "permission_error")]),
    Row("402", busy("budget is used up", asked=1), [refusal(402, "payment_required")]),
    Row(
        "404, model_not_found",
        failed("does not know this model", asked=1),
        [refusal(404, "invalid_request_error", "model_not_found")],
    ),
    Row("404, a word", failed("does not know", asked=1), [plain(404, {"detail": "Not Found"})]),
    Row(
        "400 that is nobody's fault but ours",
        unfit("refused the request", asked=1),
        [bad_request("Invalid schema for function 'f'.", "tools[0].function.parameters")],
    ),
    Row(
        "422 in FastAPI's words",
        unfit("refused the request", asked=1),
        [plain(422, {"detail": [{"loc": ["body", "messages"], "msg": "Field required"}]})],
    ),
    Row("413 without a word", unfit("refused the request", asked=1), [plain(413, "")]),
]


@each(ROWS)
def test_every_refusal_is_taken_for_what_it_means(
    row: Row, api: str, settings: Settings, places: Places
) -> None:
    play(row, api, settings, places)
