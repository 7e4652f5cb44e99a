import pytest

from streamlit_assistant.providers.retry_hints import retry_after, should_retry

NOW = 1_794_000_000.0  # 2026-11-06 21:20:00 UTC


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": "Fri, 06 Nov 2026 21:20:30 GMT"}, 30.0),
        ({"retry-after": "Fri, 06 Nov 2026 21:20:30 -0000"}, 30.0),
        ({"retry-after": "Fri, 06 Nov 2026 21:19:00 GMT"}, 0.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "later"}, None),
        ({"retry-after": "Mon, 01 Jan 0001 00:00:00 +2300"}, 0.0),
        ({"retry-after": "Fri, 06 Nov 2026 21:20:30 +9999"}, None),
        ({"retry-after": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_a_server_says_in_several_ways_when_to_ask_again(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("said", "meant"), [("true", True), (" False ", False), ("maybe", None), ("", None)]
)
def test_a_server_may_say_whether_to_ask_again(said: str, meant: bool | None) -> None:
    assert should_retry({"x-should-retry": said}) is meant
    assert should_retry({}) is None
