import pytest

from tests.sse import Event, parse_events, read_events


def test_a_body_is_read_as_its_events() -> None:
    body = b'id: 7\nevent: created\ndata: {"id": "run_1"}\n\nevent: done\ndata: [DONE]\n\n'

    first, last = parse_events(body)

    assert first == Event("7", "created", '{"id": "run_1"}')
    assert first.json() == {"id": "run_1"}
    assert last == Event(None, "done", "[DONE]")


def test_comments_are_skipped_and_a_missing_space_or_name_is_fine() -> None:
    body = b": waiting\n\ndata:1\n\n: waiting\n\n"

    assert parse_events(body) == [Event(None, "message", "1")]


def test_lines_may_end_as_on_windows() -> None:
    assert parse_events(b"event: a\r\ndata: 1\r\n\r\n") == [Event(None, "a", "1")]


def test_characters_that_only_unicode_takes_for_line_ends_do_not_end_a_line() -> None:
    assert parse_events("data: a\u2028b\u0085c\n\n") == [Event(None, "message", "a\u2028b\u0085c")]


def test_a_frame_without_its_empty_line_is_not_an_event() -> None:
    assert parse_events(b"data: 1\n\ndata: 2\n") == [Event(None, "message", "1")]


def test_events_come_as_soon_as_their_lines_do() -> None:
    lines = iter(["data: 1", "", "data: 2"])

    assert next(read_events(lines)).data == "1"
    assert next(lines) == "data: 2"


@pytest.mark.parametrize(
    "body", [b"event: a\n\n", b"data: 1\ndata: 2\n\n", b"dta: 1\n\n", b"[DONE]\n\n"]
)
def test_sloppy_frames_are_refused(body: bytes) -> None:
    with pytest.raises(AssertionError):
        parse_events(body)
