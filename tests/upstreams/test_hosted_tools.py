"""What OpenAI's own tools bring, as a program written for the Assistants API sees it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import openai
import pytest

from streamlit_assistant.settings import Settings
from tests.stream_order import check_order
from tests.upstream import Upstream
from tests.upstream_items import (
    code_run,
    files_searched,
    image_drawn,
    image_not_drawn,
    mcp_call,
    mcp_tools,
    strange_item,
    web_search,
)
from tests.upstream_scripts import Answer
from tests.upstream_wire import JSON, OPENAI
from tests.upstreams.matrix import DONE, LATER, REMEMBERED
from tests.upstreams.page_words import TEXTS, check_page
from tests.upstreams.rows import NAME, RESPONSES
from tests.upstreams.site import Places, site
from tests.upstreams.talk import Outcome, Talk

HOST = "api.openai.com"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360f8cf500f0003030180a1e6c1c50000000049454e44ae426082"
)
WANTED = "web_search, image_generation"
ASSISTANT: Any = {"metadata": {"hosted_tools": WANTED}}
CODE: Any = {"tools": [{"type": "code_interpreter"}]}


@dataclass
class Hosted:
    """A site in front of OpenAI."""

    upstream: Upstream
    client: openai.OpenAI

    def ask(self, answer: Answer, assistant: Any = ASSISTANT) -> tuple[Talk, Outcome]:
        """Ask, be answered in this way, and see that the chat goes on."""
        self.upstream.queue(answer)
        talk = Talk(self.client, assistant)
        outcome = talk.ask(NAME)
        assert outcome.run.status == "completed", outcome.run.last_error
        check_order([*outcome.heard.pairs, DONE])
        return talk, outcome

    def go_on(self, talk: Talk, outcome: Outcome, text: str | None = None) -> None:
        """See that the page shows the answer, and that the next message is answered."""
        for locale in TEXTS:
            check_page(self.client, talk, outcome, locale, text=text)
        assert talk.ask(LATER).text == REMEMBERED

    def content(self, file_id: str) -> bytes:
        """Return the bytes of a file of ours."""
        return self.client.files.content(file_id).read()


@pytest.fixture
def hosted(settings: Settings, places: Places) -> Iterator[Hosted]:
    places.upstream.become(dialect=OPENAI)
    with site(settings, places.base_url(HOST), RESPONSES) as live:
        yield Hosted(places.upstream, live.client())


def calls_of(outcome: Outcome) -> list[Any]:
    return [
        call
        for step in outcome.steps
        if step.type == "tool_calls"
        for call in step.step_details.tool_calls
    ]


def test_a_search_on_the_web_is_a_step_and_its_pages_stand_below(hosted: Hosted) -> None:
    citation: JSON = {
        "type": "url_citation",
        "url": "https://tea.example/green",
        "title": "Green tea",
        "start_index": 0,
        "end_index": 3,
    }
    talk, outcome = hosted.ask(
        Answer(
            ["Tea is ", "green."],
            items=[web_search("tea", ["https://tea.example/green"])],
            annotations=[citation],
            dialect=OPENAI,
        )
    )

    (call,) = calls_of(outcome)
    assert (call.type, call.function.name) == ("function", "web_search")
    assert "tea" in call.function.arguments
    assert outcome.text is not None and outcome.text.startswith("Tea is green.")
    assert "[Green tea](https://tea.example/green)" in outcome.text
    assert [tool["type"] for tool in hosted.upstream.requests[0].body["tools"]] == [
        "web_search",
        "image_generation",
    ]
    hosted.go_on(talk, outcome)


def test_remote_tools_are_steps_and_their_failures_too(hosted: Hosted) -> None:
    items = [
        mcp_tools("shop", ["buy"]),
        mcp_call("shop", "buy", '{"what": "tea"}', "Bought."),
        mcp_call("shop", "buy", '{"what": "gold"}', error="Sold out"),
    ]
    wanted = '{"type": "mcp", "server_label": "shop", "server_url": "https://shop.example"}'
    talk, outcome = hosted.ask(
        Answer(["Done."], items=items, dialect=OPENAI), {"metadata": {"hosted_tools": wanted}}
    )

    called = [(call.function.name, call.function.arguments) for call in calls_of(outcome)]
    assert called == [("mcp.buy", '{"what": "tea"}'), ("mcp.buy", '{"what": "gold"}')]
    assert calls_of(outcome)[0].function.output == "Bought."
    assert "Sold out" in calls_of(outcome)[1].function.output
    assert hosted.upstream.requests[0].body["tools"][0]["require_approval"] == "never"
    hosted.go_on(talk, outcome, "Done.")


def test_an_image_is_kept_and_stands_in_the_answer(hosted: Hosted) -> None:
    talk, outcome = hosted.ask(
        Answer(["A cat."], items=[image_drawn(PNG, partials=1)], dialect=OPENAI)
    )

    images = [
        part.image_file.file_id
        for message in outcome.messages
        for part in message.content
        if part.type == "image_file"
    ]
    assert [hosted.content(file_id) for file_id in images] == [PNG]
    assert [call.function.name for call in calls_of(outcome)] == ["image_generation"]
    hosted.go_on(talk, outcome)


def test_an_image_that_could_not_be_made_harms_nothing(hosted: Hosted) -> None:
    talk, outcome = hosted.ask(Answer(["Sorry."], items=[image_not_drawn()], dialect=OPENAI))

    assert outcome.text == "Sorry."
    hosted.go_on(talk, outcome, "Sorry.")


def test_code_brings_logs_and_images_and_files_of_ours(hosted: Hosted) -> None:
    upstream = hosted.upstream
    upstream.containers.put("cntr_1", "cfile_1", "table.csv", b"a,b\n1,2\n")
    upstream.containers.put("files", "plot.png", "plot.png", PNG)
    text = "See [table.csv](sandbox:/mnt/data/table.csv)."
    path = "sandbox:/mnt/data/table.csv"
    citation: JSON = {
        "type": "container_file_citation",
        "container_id": "cntr_1",
        "file_id": "cfile_1",
        "filename": "table.csv",
        "start_index": text.index(path),
        "end_index": text.index(path) + len(path),
    }
    run = code_run("print(1)\nplot()", ["1\n"], [f"http://{HOST}/made/plot.png"])
    talk, outcome = hosted.ask(
        Answer([text], items=[run], annotations=[citation], dialect=OPENAI), CODE
    )

    (call,) = calls_of(outcome)
    assert call.type == "code_interpreter"
    assert call.code_interpreter.input == "print(1)\nplot()"
    logs, image = call.code_interpreter.outputs
    assert logs.logs == "1\n"
    assert hosted.content(image.image.file_id) == PNG
    parts = [part for message in outcome.messages for part in message.content]
    (annotation,) = [
        each for part in parts if part.type == "text" for each in part.text.annotations
    ]
    assert annotation.type == "file_path"
    assert annotation.text == path
    assert text[annotation.start_index : annotation.end_index] == path
    assert hosted.content(annotation.file_path.file_id) == b"a,b\n1,2\n"
    hosted.go_on(talk, outcome)


def test_a_file_that_is_gone_is_told_and_the_answer_stays(hosted: Hosted) -> None:
    citation: JSON = {
        "type": "container_file_citation",
        "container_id": "cntr_1",
        "file_id": "cfile_1",
        "filename": "table.csv",
        "start_index": 0,
        "end_index": 3,
    }
    talk, outcome = hosted.ask(
        Answer(["See it."], items=[code_run("1")], annotations=[citation], dialect=OPENAI), CODE
    )

    assert outcome.text == "See it."
    assert [notice["code"] for notice in outcome.notices] == ["file_lost"]
    hosted.go_on(talk, outcome)


def test_a_thread_s_container_is_used_until_it_ends_and_then_made_anew(hosted: Hosted) -> None:
    upstream, client = hosted.upstream, hosted.client
    file = client.files.create(file=("in.csv", b"x,y\n"), purpose="assistants")
    resources: Any = {"code_interpreter": {"file_ids": [file.id]}}
    talk, _ = hosted.ask(Answer(["One."], dialect=OPENAI), CODE | {"tool_resources": resources})
    upstream.queue(Answer(["Two."], dialect=OPENAI))
    talk.ask("Again.")
    used = [request.body["tools"][0]["container"] for request in upstream.requests]
    inside = [content for _, content in upstream.containers.files[used[0]].values()]
    upstream.containers.expire(used[0])
    talk.ask(LATER)
    last = upstream.requests[-1].body["tools"][0]["container"]

    assert used[0] == used[1] != last
    assert inside == [b"x,y\n"]
    assert [content for _, content in upstream.containers.files[last].values()] == [b"x,y\n"]


def test_what_the_server_s_stores_hold_is_cited_in_the_text(hosted: Hosted) -> None:
    result = {"file_id": "file_up", "filename": "tea.txt", "score": 0.5, "text": "Tea is green."}
    citation: JSON = {
        "type": "file_citation",
        "file_id": "file_up",
        "filename": "tea.txt",
        "index": 6,
    }
    wanted = '{"type": "file_search", "vector_store_ids": ["vs_1"]}'
    talk, outcome = hosted.ask(
        Answer(
            ["Green.", " Or black."],
            items=[files_searched(["tea"], [result])],
            annotations=[citation],
            dialect=OPENAI,
        ),
        {"metadata": {"hosted_tools": wanted}},
    )

    (call,) = calls_of(outcome)
    assert call.type == "file_search"
    (part,) = outcome.messages[-1].content
    assert part.type == "text"
    (annotation,) = part.text.annotations
    assert annotation.type == "file_citation"
    assert part.text.value[annotation.start_index : annotation.end_index] == annotation.text
    assert "【" in annotation.text and "tea.txt" in annotation.text
    hosted.go_on(talk, outcome)


def test_a_tool_that_nobody_knows_yet_harms_nothing(hosted: Hosted) -> None:
    talk, outcome = hosted.ask(Answer(["Done."], items=[strange_item()], dialect=OPENAI))

    assert outcome.text == "Done."
    hosted.go_on(talk, outcome, "Done.")


def test_where_no_tools_are_hosted_none_are_asked_for(settings: Settings, places: Places) -> None:
    with site(settings, places.base_url(), RESPONSES) as live:
        talk = Talk(live.client(), ASSISTANT)
        assert talk.ask(NAME).run.status == "completed"

    body = places.upstream.requests[0].body
    assert "tools" not in body
    assert "web_search" in body["instructions"]
