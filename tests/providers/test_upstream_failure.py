"""What failures of model servers mean, and how they are told."""

import json
import ssl
from typing import Any

import httpx2
import pytest

from streamlit_assistant.errors import RunErrorCode, Trouble, Unreachable, UpstreamError
from streamlit_assistant.event_frames import StreamBroken
from streamlit_assistant.providers.upstream_failure import Explainer
from tests.providers.conftest import RawUpstream

KEY = "sk-secret-0123456789"
NOW = 1_794_000_000.0
PASSING, ELSEWHERE = Trouble.PASSING, Trouble.ELSEWHERE
PARAMETER, REQUEST = Trouble.PARAMETER, Trouble.REQUEST
SERVER, RATE, PROMPT = (
    RunErrorCode.SERVER_ERROR,
    RunErrorCode.RATE_LIMIT_EXCEEDED,
    RunErrorCode.INVALID_PROMPT,
)

explainer = Explainer("http://h/v1", KEY, clock=lambda: NOW)


def error(message: str = "no", code: object = None, **fields: Any) -> dict[str, Any]:
    """The error in OpenAI's envelope."""
    return {"error": {"message": message, "type": None, "param": None, "code": code, **fields}}


async def refused(
    status: int, body: object, headers: dict[str, str] | None = None, kind: str = "application/json"
) -> UpstreamError:
    """What is made of a whole answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    told = {"content-type": kind, **(headers or {})}
    with pytest.raises(UpstreamError) as caught:
        await explainer.read_json(httpx2.Response(status, headers=told, content=content))
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "trouble", "code", "words"),
    [
        (429, error("Limit 3", "rate_limit_exceeded", type="requests"), PASSING, RATE, "for now"),
        (429, error("too fast", "slow_down", type="rate_limit_error"), PASSING, RATE, "for now"),
        (429, b"", PASSING, RATE, "without a word"),
        (401, error("bad key", "invalid_api_key"), ELSEWHERE, SERVER, "key in OPENAI_API_KEY"),
        (403, error("country"), ELSEWHERE, SERVER, "refused the key"),
        (403, error("Your input was flagged"), REQUEST, PROMPT, "refused the request"),
        (404, error("no m", "model_not_found"), ELSEWHERE, SERVER, "does not know this model"),
        (404, {"detail": "Not Found"}, ELSEWHERE, SERVER, "Not Found"),
        (405, b"", ELSEWHERE, SERVER, "model or address"),
        (400, error("no m", "model_not_found"), ELSEWHERE, SERVER, "model or address"),
        (408, error(), PASSING, SERVER, "failed with status 408"),
        (409, error(), PASSING, SERVER, "failed with status 409"),
        (500, error("oops"), PASSING, SERVER, "failed with status 500: oops"),
        (502, b"<html>", PASSING, SERVER, "failed with status 502"),
        (599, error(), PASSING, SERVER, "failed with status 599"),
        (400, error("must be positive"), REQUEST, PROMPT, "refused the request"),
        (400, [error("no signature", 400)], REQUEST, PROMPT, ": no signature"),
        (413, error("too large"), REQUEST, PROMPT, "refused the request"),
        (418, error("tea"), REQUEST, PROMPT, "tea"),
        (400, error("x", "context_length_exceeded"), REQUEST, PROMPT, "is too long"),
        (400, error("x", 400, type="exceed_context_size_error"), REQUEST, PROMPT, "is too long"),
        (400, error("maximum context length is 8"), REQUEST, PROMPT, "is too long"),
        (500, error("input exceeds the available context size"), REQUEST, PROMPT, "is too long"),
    ],
)
async def test_a_status_says_what_may_help(
    status: int, body: object, trouble: Trouble, code: RunErrorCode, words: str
) -> None:
    found = await refused(status, body)

    assert (found.trouble, found.code) == (trouble, code)
    assert words in found.message
    assert found.message.startswith("The model server at http://h/v1 ")
    assert found.parameter is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, error(code="insufficient_quota", type="insufficient_quota")),
        (429, error(code=None, type="insufficient_quota")),
        (429, error(code="credit_balance_exhausted", type="insufficient_quota")),
        (429, error(code="organization_spend_limit_exceeded")),
        (429, error(code="project_spend_limit_exceeded")),
        (429, error(code="organization_usage_limit_exceeded")),
        (402, error("no credits", 402)),
        (402, b"pay"),
    ],
)
async def test_an_empty_purse_is_told_apart_from_haste(status: int, body: object) -> None:
    for headers in ({}, {"retry-after": "1", "x-should-retry": "true"}):
        found = await refused(status, body, headers)

        assert (found.trouble, found.code) == (ELSEWHERE, RATE)
        assert "its budget is used up" in found.message


@pytest.mark.parametrize(
    ("status", "body", "parameter"),
    [
        (400, error("no", "unsupported_parameter", param="temperature"), "temperature"),
        (400, error("no", "unsupported_value", param="reasoning.effort"), "reasoning.effort"),
        (400, error("no", "unknown_parameter", param="store"), "store"),
        (400, error("'top_p' is not supported", "unsupported_value"), "top_p"),
        (400, error("tools with effort are not supported", param="reasoning_effort"), None),
        (400, {"detail": "Unsupported parameter: max_tokens"}, "max_tokens"),
        (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "store"]}]}, "store"),
        (400, error('"gemma" does not support tools', type="api_error"), "tools"),
        (500, error("tools param requires --jinja flag", 500), "tools"),
        (500, error("Input should be 'text' or 'json_object': x"), "response_format"),
    ],
)
async def test_a_parameter_that_is_refused_is_named(
    status: int, body: object, parameter: str | None
) -> None:
    found = await refused(status, body)

    assert found.trouble is PARAMETER
    assert found.parameter == (parameter or "reasoning_effort")
    assert found.code is PROMPT


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (500, "image input is not supported - hint: you may need to provide the mmproj"),
        (404, "No endpoints found that support image input"),
        (400, "Invalid content type. image_url is only supported by certain models."),
        (400, "m is not a multimodal model"),
        (500, "this model is missing data required for image input"),
    ],
)
async def test_a_model_that_sees_nothing_says_so_in_many_ways(status: int, words: str) -> None:
    found = await refused(status, error(words))

    assert (found.trouble, found.code, found.parameter) == (ELSEWHERE, PROMPT, "image_url")
    assert "says that this model cannot see images" in found.message


async def test_one_image_that_is_refused_says_nothing_of_others() -> None:
    found = await refused(400, error("This image is not supported: it is a film."))

    assert (found.trouble, found.parameter) == (REQUEST, None)


async def test_a_value_that_is_merely_wrong_is_no_parameter_that_is_refused() -> None:
    found = await refused(400, error("temperature must be below 2", param="temperature"))

    assert (found.trouble, found.parameter) == (REQUEST, None)


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"retry-after": "7"}, 7.0),
        (429, {"retry-after-ms": "250"}, 0.25),
        (503, {"retry-after": "Fri, 06 Nov 2026 21:20:30 GMT"}, 30.0),
        (503, {}, 5.0),
        (529, {}, 5.0),
        (503, {"retry-after": "0"}, 0.0),
        (500, {}, None),
        (429, {}, None),
    ],
)
async def test_how_long_to_wait_is_told(
    status: int, headers: dict[str, str], seconds: float | None
) -> None:
    assert (await refused(status, error(), headers)).retry_after == seconds


@pytest.mark.parametrize(
    ("status", "said", "trouble"),
    [
        (500, "false", ELSEWHERE),
        (429, "false", ELSEWHERE),
        (400, "false", REQUEST),
        (400, "true", PASSING),
        (401, "true", PASSING),
        (500, "true", PASSING),
        (500, "perhaps", PASSING),
    ],
)
async def test_a_server_is_believed_when_it_says_whether_to_ask_again(
    status: int, said: str, trouble: Trouble
) -> None:
    assert (await refused(status, error(), {"x-should-retry": said})).trouble is trouble


@pytest.mark.parametrize(
    ("frame", "trouble", "code"),
    [
        ({"code": 502, "message": "died"}, PASSING, SERVER),
        ({"code": "502", "message": "died"}, PASSING, SERVER),
        ({"code": 503, "message": "full"}, PASSING, SERVER),
        ({"code": 429, "message": "slow"}, PASSING, RATE),
        ({"code": 402, "message": "broke"}, ELSEWHERE, RATE),
        ({"code": 400, "message": "odd"}, REQUEST, PROMPT),
        ({"code": 401, "message": "who"}, ELSEWHERE, SERVER),
        ({"code": "rate_limit_exceeded", "message": "slow"}, PASSING, RATE),
        ({"code": "insufficient_quota", "message": "broke"}, ELSEWHERE, RATE),
        ({"code": "server_error", "message": "oops"}, PASSING, SERVER),
        ({"type": "error", "code": "server_error", "message": "oops"}, PASSING, SERVER),
        ({"code": "vector_store_timeout", "message": "late"}, PASSING, SERVER),
        ({"code": "invalid_prompt", "message": "odd"}, REQUEST, PROMPT),
        ({"code": "invalid_image_url", "message": "odd"}, REQUEST, PROMPT),
        ({"code": "failed_to_download_image", "message": "odd"}, REQUEST, PROMPT),
        ({"code": "bio_policy", "message": "no"}, REQUEST, PROMPT),
        ({"code": "misalignment_policy_violation", "message": "no"}, REQUEST, PROMPT),
        ({"code": "data_residency_mismatch", "message": "no"}, REQUEST, PROMPT),
        ({"code": "context_length_exceeded", "message": "long"}, REQUEST, PROMPT),
        ({"type": "invalid_request_error", "message": "odd"}, REQUEST, PROMPT),
        ({"type": "overloaded_error", "message": "full"}, PASSING, SERVER),
        ({"message": "odd"}, PASSING, SERVER),
        ({"code": True, "message": 7}, PASSING, SERVER),
        ("just words", PASSING, SERVER),
        (["a", "list"], PASSING, SERVER),
        (7, PASSING, SERVER),
    ],
)
def test_an_error_in_mid_stream_means_what_its_code_says(
    frame: object, trouble: Trouble, code: RunErrorCode
) -> None:
    found = explainer.error_frame(frame)

    assert (found.trouble, found.code) == (trouble, code)


def test_an_overloaded_server_is_left_alone_also_when_it_says_so_in_mid_stream() -> None:
    found = explainer.error_frame({"code": "server_is_overloaded", "message": "full"})

    assert found.retry_after == 5.0
    assert "reported an error: full" in found.message


def test_a_parameter_may_be_refused_in_mid_stream() -> None:
    words = "Unsupported parameter: 'temperature' is not supported with this model."
    found = explainer.error_frame({"code": "unsupported_parameter", "message": words})

    assert (found.trouble, found.parameter) == (PARAMETER, "temperature")


def test_what_the_server_behind_the_server_said_is_passed_on() -> None:
    frame = {"code": 400, "message": "Provider returned error", "metadata": {"raw": "too hot"}}

    assert explainer.error_frame(frame).message.endswith("Provider returned error too hot")


@pytest.mark.parametrize(
    ("cause", "kind", "words"),
    [
        (httpx2.ConnectError("x"), Unreachable, "cannot be reached."),
        (httpx2.ConnectTimeout("x"), Unreachable, "cannot be reached."),
        (httpx2.ReadTimeout("x"), UpstreamError, "did not answer in time"),
        (TimeoutError(), UpstreamError, "did not answer in time"),
        (httpx2.ReadError("x"), UpstreamError, "the connection broke"),
        (httpx2.RemoteProtocolError("x"), UpstreamError, "the connection broke"),
        (json.JSONDecodeError("x", "", 0), UpstreamError, "not a valid answer"),
        (RecursionError(), UpstreamError, "not a valid answer"),
        (StreamBroken("x"), UpstreamError, "not a valid answer"),
    ],
)
def test_what_breaks_may_hold_the_next_time(
    cause: Exception, kind: type[UpstreamError], words: str
) -> None:
    found = explainer.failure(cause)

    assert type(found) is kind
    assert found.trouble is PASSING
    assert words in found.message


async def test_a_key_is_shown_nowhere() -> None:
    words = f"bad {KEY}, sk-proj-ab***wxyz and gsk_other_0123456789"
    plain = Explainer("https://user:hunter2@h/v1", "plainkey", clock=lambda: NOW)
    shown = [
        (await refused(401, error(words))).message,
        explainer.error_frame({"message": words}).message,
        plain.error_frame("with plainkey in it").message,
    ]

    for message in shown:
        assert "…" in message
        assert not any(part in message for part in ("secret", "wxyz", "other", "plain", "hunter"))


async def test_a_web_page_leads_to_the_setting_that_is_wrong() -> None:
    usual = await refused(200, b"<html>", kind="text/html")
    other = Explainer("http://h/v1", None, setting="FALLBACK_MODELS")
    response = httpx2.Response(200, headers={"content-type": "text/html"}, content=b"<html>")
    with pytest.raises(UpstreamError, match=r"^FALLBACK_MODELS leads to a web page") as caught:
        await other.read_json(response)

    assert usual.message.startswith("OPENAI_BASE_URL leads to a web page")
    assert usual.trouble is caught.value.trouble is ELSEWHERE


async def test_the_key_of_a_stand_in_is_named_by_its_setting() -> None:
    other = Explainer("http://h/v1", "k", setting="FALLBACK_MODELS")
    response = httpx2.Response(401, content=b"who are you")
    with pytest.raises(UpstreamError, match="refused the key in FALLBACK_MODELS"):
        await other.read_json(response)


async def test_one_body_in_place_of_a_stream_may_be_a_whim(upstream: RawUpstream) -> None:
    upstream.content_type = "application/json"
    upstream.pieces = [b"{}"]
    async with httpx2.AsyncClient() as client:
        response = await client.post(f"{upstream.url}/chat/completions", json={})
        with pytest.raises(UpstreamError, match="does not stream") as caught:
            await explainer.refuse_unless_streaming(response)

    assert caught.value.trouble is PASSING


async def test_only_the_beginning_of_a_long_refusal_is_read_and_told(
    upstream: RawUpstream,
) -> None:
    upstream.status, upstream.content_type = 500, "text/plain"
    upstream.pieces = [b"x" * 40_000] * 20
    async with httpx2.AsyncClient() as client:
        request = client.build_request("POST", f"{upstream.url}/chat/completions", json={})
        response = await client.send(request, stream=True)
        with pytest.raises(UpstreamError) as caught:
            await explainer.refuse_unless_streaming(response)
        await response.aclose()

    assert len(caught.value.message) < 600


def test_tls_that_fails_is_a_server_that_cannot_be_reached() -> None:
    refusal = httpx2.ConnectError("x")
    refusal.__cause__ = ssl.SSLError("certificate verify failed")

    assert isinstance(explainer.failure(refusal), Unreachable)


@pytest.mark.parametrize(
    "words",
    [
        "Incorrect API key provided: abcd************wxyz.",
        "Your api key: ****wxyz is invalid",
        "No such key: ab-cd***wxyz",
    ],
)
def test_what_is_left_of_a_starred_out_key_is_not_shown(words: str) -> None:
    error = Explainer("http://one/v1", "abcd-secret-wxyz").error_frame({"message": words})

    assert "wxyz" not in error.message
    assert "key: …" in error.message or "provided: …" in error.message
