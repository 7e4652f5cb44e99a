import httpx2
import openai
import pytest

from streamlit_assistant.chat.chat_errors import ChatError, ErrorKind, translate

SECRET = "key-of-the-site-1234"
REQUEST = httpx2.Request("GET", "http://assistants.test/v1/threads")


def refusal(
    status: int, body: object = None, headers: dict[str, str] | None = None
) -> openai.APIStatusError:
    response = httpx2.Response(status, json=body, headers=headers, request=REQUEST)
    error = body.get("error", body) if isinstance(body, dict) else body
    return openai.APIStatusError("Error code", response=response, body=error)


def translated(error: openai.OpenAIError | httpx2.HTTPError) -> ChatError:
    return translate(error, secret=SECRET, now=1_795_000_000)


def test_every_refusal_the_sdk_knows_has_its_kind() -> None:
    # A new class in the SDK fails here, so that somebody decides what it means to a chat.
    kinds: dict[type[openai.APIStatusError], ErrorKind] = {
        openai.BadRequestError: "rejected",
        openai.AuthenticationError: "unauthorized",
        openai.PermissionDeniedError: "unauthorized",
        openai.NotFoundError: "not_found",
        openai.ConflictError: "busy",
        openai.UnprocessableEntityError: "rejected",
        openai.RateLimitError: "rate_limited",
        openai.InternalServerError: "server",
    }

    assert set(kinds) == set(openai.APIStatusError.__subclasses__())
    for error, kind in kinds.items():
        status = getattr(error, "status_code", 500)
        assert translated(refusal(status)).kind == kind


@pytest.mark.parametrize(
    ("status", "kind", "transient"),
    [
        (408, "unreachable", True),
        (413, "too_long", False),
        (418, "rejected", False),
        (409, "busy", False),
        (429, "rate_limited", True),
        (502, "server", True),
        (503, "server", True),
        (401, "unauthorized", False),
    ],
)
def test_a_status_tells_the_kind_and_whether_to_try_again(
    status: int, kind: ErrorKind, transient: bool
) -> None:
    error = translated(refusal(status))

    assert (error.kind, error.transient) == (kind, transient)


@pytest.mark.parametrize(
    ("message", "code", "kind"),
    [
        ("Can't add messages to thread_1 while a run run_1 is active.", None, "busy"),
        ("Thread thread_1 already has an active run run_1.", None, "busy"),
        ("Invalid 'content': string too long.", "string_above_max_length", "too_long"),
        ("Invalid value: 'human'.", "invalid_value", "rejected"),
    ],
)
def test_a_bad_request_is_told_apart_by_its_words(
    message: str, code: str | None, kind: ErrorKind
) -> None:
    error = translated(refusal(400, {"error": {"message": message, "code": code}}))

    assert (error.kind, error.detail, str(error)) == (kind, message, message)


@pytest.mark.parametrize(
    "code", ["insufficient_quota", "credit_balance_exhausted", "project_spend_limit_exceeded"]
)
def test_a_spent_budget_is_not_tried_again(code: str) -> None:
    body = {"error": {"message": "Pay.", "type": "insufficient_quota", "code": code}}

    error = translated(refusal(429, body, {"retry-after": "1"}))

    assert (error.kind, error.transient, error.retry_after) == ("rate_limited", False, None)


def test_the_server_has_the_last_word_on_trying_again() -> None:
    assert not translated(refusal(500, headers={"x-should-retry": "false"})).transient
    assert translated(refusal(409, headers={"x-should-retry": "true"})).transient


def test_the_pause_asked_for_is_kept() -> None:
    assert translated(refusal(503, headers={"retry-after": "4"})).retry_after == 4


def test_the_request_id_is_kept() -> None:
    assert translated(refusal(500, headers={"x-request-id": "req_7"})).request_id == "req_7"


@pytest.mark.parametrize("key", [SECRET, "sk-proj-abcd_EF*****wxyz"])
def test_no_key_comes_through_in_the_servers_words(key: str) -> None:
    body = {"error": {"message": f"Incorrect API key provided: {key}. See the docs."}}

    error = translated(refusal(401, body))

    assert error.detail == "Incorrect API key provided: …. See the docs."


def test_a_placeholder_for_a_key_does_not_eat_the_words() -> None:
    error = translate(refusal(400, {"error": {"message": "none left"}}), secret="none", now=0)

    assert error.detail == "none left"


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("<html><h1>502 Bad Gateway</h1></html>", "HTTP 502"),
        ({"detail": "nope"}, "HTTP 502"),
        ({"error": {"message": None}}, "HTTP 502"),
        ({"error": "upstream is down"}, "upstream is down"),
        ("no healthy upstream", "no healthy upstream"),
        (None, "HTTP 502"),
    ],
)
def test_what_is_no_proper_error_body_is_kept_short(body: object, detail: str) -> None:
    assert translated(refusal(502, body)).detail == detail


def test_long_words_are_cut() -> None:
    assert len(translated(refusal(500, "a" * 10_000)).detail) == 500


def test_a_connection_error_says_what_went_wrong() -> None:
    error = openai.APIConnectionError(request=REQUEST)
    error.__cause__ = httpx2.ConnectError("[Errno 111] Connection refused")

    told = translated(error)

    assert (told.kind, told.transient) == ("unreachable", True)
    assert told.detail == "Connection error. [Errno 111] Connection refused"


@pytest.mark.parametrize(
    "error", [openai.APITimeoutError(request=REQUEST), httpx2.ReadError("reset")]
)
def test_whatever_breaks_the_line_is_unreachable(
    error: openai.OpenAIError | httpx2.HTTPError,
) -> None:
    assert (translated(error).kind, translated(error).transient) == ("unreachable", True)


def test_any_other_error_of_the_sdk_is_the_servers() -> None:
    assert translated(openai.OpenAIError("odd")).kind == "server"
