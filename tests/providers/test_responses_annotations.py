"""What a text of the Responses API refers to, and where it stands in what is shown."""

from collections.abc import Iterator
from typing import Any

import pytest

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import (
    Annotated,
    CallArguments,
    CallKind,
    CallResult,
    CallStart,
    Delta,
    Finish,
    MessageStart,
    RefusalDelta,
    TextDelta,
)
from tests.providers.responses_frames import (
    JSON,
    Event,
    Reply,
    ResponsesServer,
    added,
    answer_of,
    asking,
    call_item,
    client_of,
    created,
    delta,
    done,
    ended,
    message_item,
    provider_of,
    responses_server,
    said,
)

CONTENT = "GET containers/cntr_1/files/cfile_1/content"


@pytest.fixture(scope="module")
def running() -> Iterator[ResponsesServer]:
    with responses_server() as server:
        yield server


@pytest.fixture
def server(running: ResponsesServer) -> ResponsesServer:
    running.reset()
    return running


def cited(index: Any, file_id: str = "file_1", filename: str = "a.txt") -> JSON:
    return {"type": "file_citation", "file_id": file_id, "filename": filename, "index": index}


def made(start: Any, end: Any, file_id: str = "cfile_1", filename: str = "x.csv") -> JSON:
    place = {"container_id": "cntr_1", "file_id": file_id, "filename": filename}
    kind = "container_file_citation"
    return {"type": kind, **place, "start_index": start, "end_index": end}


def linked(url: str, title: str | None = "A page") -> JSON:
    place = {"start_index": 0, "end_index": 1}
    return {"type": "url_citation", "url": url, "title": title, **place}


def text_of(answer: list[Delta]) -> str:
    return "".join(one.text for one in answer if isinstance(one, TextDelta))


def notes_of(answer: list[Delta]) -> list[Annotated]:
    """The annotations, each checked against the message as it was then."""
    text, found = "", []
    for one in answer:
        match one:
            case MessageStart() | CallStart() | RefusalDelta():
                text = ""
            case TextDelta(piece):
                text += piece
            case Annotated():
                assert text[one.start : one.end] == one.text
                found.append(one)
    return found


async def test_a_marker_is_written_where_the_citation_is(server: ResponsesServer) -> None:
    note = cited(5, filename="报告 †final†.pdf")
    server.say(created(), *said("It is", " so.", notes={0: note}), ended())

    assert (await answer_of(server))[:-1] == [
        TextDelta("It is"),
        TextDelta("【0†报告 final .pdf】"),
        Annotated("【0†报告 final .pdf】", 5, 22, file_id="file_1"),
        TextDelta(" so."),
    ]


async def test_a_marker_for_what_is_still_to_come_waits_for_its_place(
    server: ResponsesServer,
) -> None:
    notes = {0: cited(11, "file_2", "b.txt"), 1: cited(7)}
    server.say(created(), *said("你", "好吗", " 123 567 90", notes=notes), ended())

    answer = await answer_of(server)

    assert text_of(answer) == "你好吗 123【1†a.txt】 567【0†b.txt】 90"
    assert [note.file_id for note in notes_of(answer)] == ["file_1", "file_2"]


@pytest.mark.parametrize("index", [2, 0, None, -1, "3"])
async def test_a_marker_for_what_has_passed_is_written_where_the_text_is(
    server: ResponsesServer, index: Any
) -> None:
    server.say(created(), *said("It is", " so.", notes={0: cited(index)}), ended())

    assert text_of(await answer_of(server)) == "It is【0†a.txt】 so."


async def test_a_marker_behind_the_end_is_written_at_the_end(server: ResponsesServer) -> None:
    server.say(created(), *said("It is", notes={0: cited(99)}), ended())

    answer = await answer_of(server)

    assert text_of(answer) == "It is【0†a.txt】"
    assert len(notes_of(answer)) == 1


async def test_a_citation_that_is_told_several_times_is_marked_once(
    server: ResponsesServer,
) -> None:
    events = said("It is", notes={0: cited(5)})
    item = message_item("It is", annotations=[cited(5)])
    server.say(created(), *events, ended("completed", item))

    assert text_of(await answer_of(server)) == "It is【0†a.txt】"


async def test_citations_told_only_with_the_whole_are_marked_where_they_are(
    server: ResponsesServer,
) -> None:
    notes = [cited(2), cited(5, "file_2", "b.txt")]
    server.say(created(), ended("completed", message_item("It is", annotations=notes)))

    answer = await answer_of(server)

    assert text_of(answer) == "It【0†a.txt】 is【1†b.txt】"
    assert len(notes_of(answer)) == 2


async def test_citations_told_after_all_text_are_marked_at_the_end(
    server: ResponsesServer,
) -> None:
    item = message_item("It is", annotations=[cited(2)])
    server.say(created(), delta("output_text", "It is"), done({**item, "id": "item_0"}), ended())

    assert text_of(await answer_of(server)) == "It is【0†a.txt】"


async def test_every_message_counts_its_own_markers(server: ResponsesServer) -> None:
    first, second = said("One.", notes={0: cited(4)}), said("Two.", index=1, notes={0: cited(4)})
    server.say(created(), *first, *second, ended())

    answer = await answer_of(server)

    assert text_of(answer) == "One.【0†a.txt】Two.【0†a.txt】"
    assert [(note.start, note.end) for note in notes_of(answer)] == [(4, 13), (4, 13)]


async def test_positions_count_from_where_the_text_of_the_message_begins(
    server: ResponsesServer,
) -> None:
    place: JSON = {"item_id": "msg_0", "output_index": 0}
    note = {"type": "response.output_text.annotation.added", **place, "annotation_index": 0}
    server.say(
        created(),
        delta("output_text", "One ", content_index=0),
        delta("output_text", "two", content_index=1),
        {**note, "item_id": "item_0", "content_index": 1, "annotation": cited(3)},
        delta("refusal", "No.", content_index=2),
        delta("output_text", "three", content_index=3),
        {**note, "item_id": "item_0", "content_index": 3, "annotation": cited(5)},
        ended(),
    )

    answer = await answer_of(server)

    assert text_of(answer) == "One two【0†a.txt】three【1†a.txt】"
    assert [note.start for note in notes_of(answer)] == [7, 5]


PATH = "sandbox:/mnt/data/x.csv"
LINK = f"See [x]({PATH})."


async def test_a_file_of_a_container_is_where_the_text_names_it(server: ResponsesServer) -> None:
    server.say(created(), *said(LINK, notes={0: made(8, 31)}), ended())
    server.reply(Reply([b"a,b", b"\n1,2"], content_type="text/csv"), to=CONTENT)

    async with client_of(server) as client:
        stream = provider_of(client, server).stream(asking())
        answer = [one async for one in stream]
        (note,) = notes_of(answer)
        assert note.file is not None
        read = b"".join([piece async for piece in note.file.read()])

    assert (note.text, note.start, note.end) == (PATH, 8, 31)
    assert note.file.name == "x.csv"
    assert read == b"a,b\n1,2"
    assert server.asked[-1].authorized


async def test_a_file_that_is_gone_is_an_error_to_who_reads_it(server: ResponsesServer) -> None:
    server.say(created(), *said(LINK, notes={0: made(8, 31)}), ended())

    async with client_of(server) as client:
        answer = [one async for one in provider_of(client, server).stream(asking())]
        (note,) = notes_of(answer)
        assert note.file is not None
        with pytest.raises(UpstreamError, match="nothing here"):
            [piece async for piece in note.file.read()]


async def test_a_file_that_does_not_come_is_given_up(server: ResponsesServer) -> None:
    server.say(created(), *said(LINK, notes={0: made(8, 31)}), ended())
    server.reply(Reply([b"a", 5.0]), to=CONTENT)

    async with client_of(server) as client:
        provider = provider_of(client, server, silence_seconds=0.2)
        answer = [one async for one in provider.stream(asking())]
        (note,) = notes_of(answer)
        assert note.file is not None
        with pytest.raises(UpstreamError, match="in time"):
            [piece async for piece in note.file.read()]


async def test_markers_move_what_is_behind_them(server: ResponsesServer) -> None:
    notes = {0: cited(3), 1: made(8, 31)}
    server.say(created(), *said("See", " [x](" + PATH + ").", notes=notes), ended())

    citation, file = notes_of(await answer_of(server))

    assert (citation.start, citation.end) == (3, 12)
    assert (file.text, file.start) == (PATH, 17)


async def test_a_file_is_annotated_when_the_text_has_come_that_names_it(
    server: ResponsesServer,
) -> None:
    server.say(created(), *said("See", f" [x]({PATH}).", notes={0: made(8, 31)}), ended())

    answer = await answer_of(server)

    assert isinstance(answer[2], Annotated)
    assert notes_of(answer)[0].text == PATH


@pytest.mark.parametrize(
    ("start", "end"), [(0, 0), (None, None), (9, 3), (500, 520), (-4, 2), ("0", True)]
)
async def test_a_file_whose_place_makes_no_sense_is_looked_for_in_the_text(
    server: ResponsesServer, start: Any, end: Any
) -> None:
    server.say(created(), *said(LINK, notes={0: made(start, end)}), ended())

    answer = await answer_of(server)

    assert text_of(answer) == LINK
    assert notes_of(answer)[0].text == PATH


async def test_a_file_that_the_text_does_not_name_is_named_at_its_end(
    server: ResponsesServer,
) -> None:
    notes = {0: made(0, 0, filename="/mnt/data/my [new] table.csv")}
    server.say(created(), *said("Done.", notes=notes), ended())

    answer = await answer_of(server)

    path = "sandbox:/mnt/data/my%20%5Bnew%5D%20table.csv"
    assert text_of(answer) == f"Done.\n\n[my new table.csv]({path})"
    assert notes_of(answer)[0].text == path


async def test_the_same_file_is_the_same_wherever_it_is_named(server: ResponsesServer) -> None:
    notes = {0: made(8, 31), 1: made(8, 30)}
    server.say(created(), *said(LINK, " Again.", notes=notes), ended())

    first, second = notes_of(await answer_of(server))

    assert first.file is second.file


async def test_a_path_is_the_one_of_its_number(server: ResponsesServer) -> None:
    text = "See [a](sandbox:/mnt/data/a.csv) and [b](sandbox:/mnt/data/b.csv)."
    notes = {0: {"type": "file_path", "file_id": "file_9", "index": 1}}
    server.say(created(), *said(text, notes=notes), ended())
    server.reply(Reply([b"bytes"]), to="GET files/file_9/content")

    async with client_of(server) as client:
        answer = [one async for one in provider_of(client, server).stream(asking())]
        (note,) = notes_of(answer)
        assert note.file is not None
        read = [piece async for piece in note.file.read()]

    assert note.text == "sandbox:/mnt/data/b.csv"
    assert read == [b"bytes"]


async def test_a_path_that_the_text_lacks_is_written_at_its_end(server: ResponsesServer) -> None:
    notes = {0: {"type": "file_path", "file_id": "file_9", "index": 0}}
    server.say(created(), *said("Done.", notes=notes), ended())

    answer = await answer_of(server)

    assert text_of(answer) == "Done.\n\n[file_9](sandbox:/mnt/data/file_9)"


async def test_pages_that_the_text_does_not_name_are_linked_at_its_end(
    server: ResponsesServer,
) -> None:
    notes = {
        0: linked("https://example.com/a", "[A]\nfirst"),
        1: linked("https://example.com/b_(c)", None),
        2: linked("https://example.com/named", "Named"),
        3: linked("https://example.com/a", "Again"),
    }
    pieces = ("It ", "is ", "so: ", "https://example.com/named")
    server.say(created(), *said(*pieces, notes=notes), ended())

    assert text_of(await answer_of(server)) == (
        "It is so: https://example.com/named\n\n"
        "- [A first](https://example.com/a)\n"
        "- [example.com](https://example.com/b_%28c%29)"
    )


@pytest.mark.parametrize("url", ["javascript:alert(1)", "", "https://", "http://a b", None, 7])
async def test_what_is_no_page_is_not_linked(server: ResponsesServer, url: Any) -> None:
    server.say(created(), *said("So.", notes={0: linked(url)}), ended())

    assert text_of(await answer_of(server)) == "So."


async def test_links_stand_at_the_end_of_their_own_message(server: ResponsesServer) -> None:
    first = said("One.", notes={0: linked("https://example.com/1")})
    server.say(created(), *first[:-3], *said("Two.", index=1), ended())

    answer = await answer_of(server)

    assert answer[:4] == [
        TextDelta("One."),
        TextDelta("\n\n- [A page](https://example.com/1)"),
        MessageStart(),
        TextDelta("Two."),
    ]


async def test_links_stand_before_what_is_called_next(server: ResponsesServer) -> None:
    first = said("One.", notes={0: linked("https://example.com/1")})
    search = {"id": "ws", "type": "web_search_call", "action": {"type": "search"}}
    server.say(created(), *first[:-3], done(search, 1), first[-1], ended())

    answer = await answer_of(server)

    assert answer[1:5] == [
        TextDelta("\n\n- [A page](https://example.com/1)"),
        CallStart(0, "ws", "web_search", CallKind.HOSTED),
        CallArguments(0, '{"type":"search"}'),
        CallResult(0, ("Done.",)),
    ]
    assert len(answer) == 6


async def test_an_annotation_of_a_message_that_is_over_is_not_shown(
    server: ResponsesServer,
) -> None:
    events = said("One.", notes={0: cited(4)})
    *begun, note = events[:4]
    server.say(created(), *begun, added(call_item(), 1), done(call_item(), 1), note, ended())

    answer = await answer_of(server)

    assert text_of(answer) == "One."
    assert notes_of(answer) == []


@pytest.mark.parametrize("annotation", [{"type": "video_citation"}, {}, None, "x"])
async def test_an_unknown_annotation_is_passed_over(
    server: ResponsesServer, annotation: Any
) -> None:
    events: list[Event] = said("One.", notes={0: annotation})
    server.say(created(), *events, ended())

    answer = await answer_of(server)

    assert text_of(answer) == "One."
    assert isinstance(answer[-1], Finish)


async def test_a_part_that_is_cited_when_another_goes_on_has_its_markers_where_they_are(
    server: ResponsesServer,
) -> None:
    def piece(index: int, text: str) -> Event:
        return delta("output_text", text, item_id="msg_0", content_index=index)

    def note(index: int, annotation: JSON) -> Event:
        place = {"item_id": "msg_0", "output_index": 0, "content_index": index}
        kind = "response.output_text.annotation.added"
        return {"type": kind, **place, "annotation": annotation}

    server.say(
        *(created(), piece(0, "one two "), piece(1, "three"), note(0, made(0, 3))),
        *(note(0, cited(3)), note(1, made(0, 3, "cfile_2")), piece(1, " four"), ended()),
    )
    answer = await answer_of(server)

    assert text_of(answer) == "one two three【0†a.txt】 four"
    assert [one.text for one in notes_of(answer)] == ["one", "【0†a.txt】", "thr"]
