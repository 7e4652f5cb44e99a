from email.utils import formatdate

import pytest

from streamlit_assistant.chat.pause_headers import poll_after, retry_after

NOW = 1_795_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": formatdate(NOW + 40, usegmt=True)}, 40),
        ({"retry-after": formatdate(NOW + 40).replace("GMT", "-0000")}, 40),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "3"}, 3),
    ],
)
def test_a_refusal_says_how_long_to_wait(headers: dict[str, str], seconds: float) -> None:
    assert retry_after(headers, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value", ["", "soon", "0", "-1", "nan", "inf", "1e999", formatdate(NOW - 1, usegmt=True)]
)
def test_a_pause_that_makes_no_sense_was_not_asked_for(value: str) -> None:
    assert retry_after({"retry-after": value}, NOW) is None


def test_no_header_asks_for_no_pause() -> None:
    assert retry_after({}, NOW) is None
    assert poll_after({}) is None


def test_a_run_says_when_to_look_again() -> None:
    assert poll_after({"openai-poll-after-ms": "1500"}) == 1.5
    assert poll_after({"openai-poll-after-ms": "0"}) is None
    assert poll_after({"openai-poll-after-ms": "later"}) is None
