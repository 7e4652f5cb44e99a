import itertools

import pytest

from streamlit_assistant.event_frames import Frame, StreamBroken, Tick, read_events


def read(*chunks: bytes) -> list[Frame | Tick]:
    return list(read_events(chunks))


def test_a_frame_has_its_number_its_event_and_its_data() -> None:
    assert read(b'id: 7\nevent: thread.run.created\ndata: {"id": "run_1"}\n\n') == [
        Frame(7, "thread.run.created", '{"id": "run_1"}')
    ]


def test_comments_are_ticks_also_within_a_frame() -> None:
    assert read(b":\n\n: ping\n\ndata: 1\n: ping\n\n") == [
        Tick(),
        Tick(),
        Tick(),
        Frame(None, "message", "1"),
    ]


@pytest.mark.parametrize(
    ("comment", "position"),
    [
        (b": queued 3", 3),
        (b":queued 12", 12),
        (b": queued", None),
        (b": queued -3", None),
        (b": queued \xd9\xa3", None),
        (b": queued 1234567890", None),
        (b": queued 3 or so", None),
    ],
)
def test_a_comment_may_tell_the_place_in_the_queue(comment: bytes, position: int | None) -> None:
    assert read(comment + b"\n\n") == [Tick(position)]


def test_a_comment_may_tell_that_the_model_server_rests() -> None:
    assert read(b": resting 12\n\n") == [Tick(resting=12)]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_every_line_ending_of_the_standard_is_understood(line_end: bytes) -> None:
    lines = [b"event: a", b"data: 1", b"", b"event: b", b"data: 2", b"", b""]

    assert read(line_end.join(lines)) == [Frame(None, "a", "1"), Frame(None, "b", "2")]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_where_the_chunks_are_cut_makes_no_difference(line_end: str) -> None:
    text = "id: 1\nevent: a\ndata: 等一等 🐢\n\n: ping\nid: 2\ndata: 2\n\n".replace("\n", line_end)
    whole = text.encode()
    expected = [Frame(1, "a", "等一等 🐢"), Tick(), Frame(2, "message", "2")]

    for first, second in itertools.combinations_with_replacement(range(len(whole)), 2):
        assert read(whole[:first], whole[first:second], whole[second:]) == expected


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_characters_that_only_python_takes_for_line_ends_stay_in_the_data(odd: str) -> None:
    assert read(f"data: a{odd}b\n\n".encode()) == [Frame(None, "message", f"a{odd}b")]


def test_data_lines_of_one_frame_are_joined() -> None:
    assert read(b"data: 1\ndata:2\ndata\ndata:  3\n\n") == [Frame(None, "message", "1\n2\n\n 3")]


def test_a_number_counts_for_its_own_frame_only() -> None:
    assert read(b"id: 4\ndata: 1\n\ndata: 2\n\n") == [
        Frame(4, "message", "1"),
        Frame(None, "message", "2"),
    ]


@pytest.mark.parametrize("number", [b"", b"-1", b"1.5", b"abc", "٤".encode(), b"9" * 5000])
def test_an_id_that_is_no_number_is_none(number: bytes) -> None:
    assert read(b"id: " + number + b"\ndata: 1\n\n") == [Frame(None, "message", "1")]


def test_unknown_fields_are_passed_over() -> None:
    assert read(b"retry: 10\nfoo\ndata: 1\n\n") == [Frame(None, "message", "1")]


def test_a_frame_without_data_is_none() -> None:
    assert read(b"id: 1\nevent: a\n\n\n\n") == []


@pytest.mark.parametrize("cut", [b"data: 1", b"data: 1\n", b"data: 1\n\ndata: 2\n"])
def test_a_frame_that_the_end_cuts_off_is_not_dispatched(cut: bytes) -> None:
    assert read(cut) == read(b"data: 1\n\n")[: cut.count(b"\n\n")]


def test_a_byte_order_mark_is_no_part_of_the_first_field() -> None:
    assert read(b"\xef\xbb\xbfdata: 1\n\n") == [Frame(None, "message", "1")]


def test_frames_are_handed_out_before_the_stream_ends() -> None:
    assert next(read_events(itertools.repeat(b"data: 1\r\n\r\n"))) == Frame(None, "message", "1")


def test_what_is_not_utf8_breaks_the_stream_after_what_was_good() -> None:
    events = read_events([b"data: 1\n\ndata: \xff\n\n"])

    assert next(events) == Frame(None, "message", "1")
    with pytest.raises(StreamBroken, match="UTF-8"):
        next(events)
