"""File search from upload to citation: the official client, real documents, real search."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import openai
import pytest
from openai.types.beta.threads import FileCitationAnnotation, TextContentBlock

from streamlit_assistant.settings import Settings
from tests.api.conftest import checked
from tests.conftest import FakeClock, serve
from tests.spec_validator import load_spec
from tests.upstream import Upstream, model_server
from tests.upstream_scripts import Answer, spoken
from tests.upstream_wire import Call

SEARCH: list[Any] = [{"type": "file_search"}]
RESULTS: list[Any] = ["step_details.tool_calls[*].file_search.results[*].content"]
# About three things each, so that finding the right passage is no accident.
TEA = """# 茶叶手册

绿茶不经发酵，冲泡水温以八十度为宜，过高会烫坏嫩芽。

红茶是全发酵茶，适合用沸水冲泡，可以加牛奶饮用。

普洱茶经后发酵而成，存放越久，味道越醇厚。
"""
BIKES = """# Repairing bicycles

A chain that slips has usually been stretched by wear: measure it and replace it.

Brakes squeal when oil has got onto the rims. Clean them with alcohol.

Flat tyres are patched after the rubber around the hole has been roughened.
"""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with model_server() as server:
        yield server


@pytest.fixture
def offline_client(settings: Settings) -> Iterator[openai.OpenAI]:
    yield from connected(settings)


@pytest.fixture
def client(settings: Settings, upstream: Upstream) -> Iterator[openai.OpenAI]:
    yield from connected(replace(settings, openai_base_url=upstream.base_url))


def connected(settings: Settings) -> Iterator[openai.OpenAI]:
    hooks = {"response": [checked(load_spec())]}
    with serve(settings) as live, openai.DefaultHttpx2Client(event_hooks=hooks) as http:
        yield live.client(http_client=http)


def library(client: openai.OpenAI, **texts: str) -> str:
    """A vector store with these documents, indexed."""
    store = client.vector_stores.create(name="library")
    for name, text in texts.items():
        document = (f"{name}.md", text.encode())
        done = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=document)
        assert done.status == "completed", done.last_error
    return store.id


def searching(client: openai.OpenAI, *stores: str) -> str:
    resources: Any = {"file_search": {"vector_store_ids": list(stores)}}
    made = client.beta.assistants.create(
        model="scripted", tools=SEARCH, tool_resources=resources if stores else None
    )
    return made.id


def ask(client: openai.OpenAI, assistant: str, question: str, **thread: Any) -> Any:
    new: Any = {"messages": [{"role": "user", "content": question}], **thread}
    return client.beta.threads.create_and_run_poll(assistant_id=assistant, thread=new)


def answer(client: openai.OpenAI, run: Any) -> tuple[str, list[FileCitationAnnotation]]:
    assert run.status == "completed", run.last_error
    block = client.beta.threads.messages.list(run.thread_id, limit=1).data[0].content[0]
    assert isinstance(block, TextContentBlock)
    cited = [a for a in block.text.annotations if isinstance(a, FileCitationAnnotation)]
    for annotation in cited:
        start, end = annotation.start_index, annotation.end_index
        assert block.text.value[start:end] == annotation.text
    return block.text.value, cited


@pytest.mark.parametrize(
    ("question", "document", "passage"),
    [
        ("绿茶用多少度的水？", "tea", "八十度"),
        ("红茶能加牛奶吗？", "tea", "牛奶"),
        ("普洱", "tea", "醇厚"),
        ("My brakes are squealing, what shall I do?", "bikes", "alcohol"),
    ],
)
def test_without_a_model_the_right_passage_is_quoted_and_cited(
    offline_client: openai.OpenAI, question: str, document: str, passage: str
) -> None:
    store = library(offline_client, tea=TEA, bikes=BIKES)
    run = ask(offline_client, searching(offline_client, store), question)
    text, (first, *_) = answer(offline_client, run)
    file = offline_client.files.retrieve(first.file_citation.file_id)

    assert passage in text.split(first.text)[0]
    assert file.filename == f"{document}.md"


def test_the_model_searches_and_its_markers_become_citations(
    client: openai.OpenAI, upstream: Upstream
) -> None:
    store = library(client, tea=TEA, bikes=BIKES)
    assistant = searching(client, store)
    search = Call("file_search", '{"queries": ["绿茶 水温"]}')
    upstream.queue(Answer(calls=[search]), spoken("水温八十度【0:0†tea.md】。"))
    run = ask(client, assistant, "绿茶？")
    text, (citation,) = answer(client, run)
    told = upstream.requests[1].messages[-1]

    assert text == "水温八十度【0:0†tea.md】。"
    assert client.files.retrieve(citation.file_citation.file_id).filename == "tea.md"
    assert told["role"] == "tool"
    assert told["content"].startswith("【0:0†tea.md】\n")
    assert "八十度" in told["content"]


def test_what_was_found_is_shown_on_request_only(client: openai.OpenAI) -> None:
    run = ask(client, searching(client, library(client, tea=TEA)), "红茶怎么泡？")
    steps = client.beta.threads.runs.steps
    bare: Any = steps.list(run.id, thread_id=run.thread_id, order="asc").data[0]
    full: Any = steps.retrieve(bare.id, thread_id=run.thread_id, run_id=run.id, include=RESULTS)
    (without,) = bare.step_details.tool_calls[0].file_search.results
    (with_text,) = full.step_details.tool_calls[0].file_search.results

    assert (without.file_name, without.content) == ("tea.md", None)
    assert 0 < without.score <= 1
    assert "红茶" in with_text.content[0].text
    assert full.step_details.tool_calls[0].file_search.ranking_options.score_threshold == 0


def test_a_stream_carries_what_was_found_if_it_was_asked_for(client: openai.OpenAI) -> None:
    assistant = searching(client, library(client, tea=TEA))
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "红茶？"}])
    texts: list[Any] = []
    for include in (RESULTS, []):
        stream = client.beta.threads.runs.create(
            thread_id=thread.id, assistant_id=assistant, stream=True, include=include
        )
        for event in stream:
            if event.event == "thread.run.step.completed":
                details: Any = event.data.step_details
                if details.type == "tool_calls":
                    texts.append(details.tool_calls[0].file_search.results[0].content)

    assert "红茶" in texts[0][0].text
    assert texts[1] is None


def test_the_stores_of_assistant_and_thread_are_both_searched(client: openai.OpenAI) -> None:
    assistant = searching(client, library(client, tea=TEA))
    resources = {"file_search": {"vector_store_ids": [library(client, bikes=BIKES)]}}
    found = set()
    for question in ("红茶", "squealing brakes"):
        run = ask(client, assistant, question, tool_resources=resources)
        step: Any = client.beta.threads.runs.steps.list(
            run.id, thread_id=run.thread_id, order="asc"
        ).data[0]
        found.add(step.step_details.tool_calls[0].file_search.results[0].file_name)

    assert found == {"tea.md", "bikes.md"}


def test_a_run_waits_for_the_files_its_thread_has_just_been_given(client: openai.OpenAI) -> None:
    long = "\n\n".join(f"Paragraph {n} about nothing at all." for n in range(20_000))
    secret = "The password of the lighthouse is heliotrope."
    file = client.files.create(
        file=("long.md", f"{long}\n\n{secret}".encode()), purpose="assistants"
    )
    attachment: Any = {"file_id": file.id, "tools": SEARCH}
    message: Any = {
        "role": "user",
        "content": "What is the password of the lighthouse?",
        "attachments": [attachment],
    }
    run = client.beta.threads.create_and_run_poll(
        assistant_id=searching(client), thread={"messages": [message]}
    )
    text, _ = answer(client, run)

    assert "heliotrope" in text


def test_a_run_on_an_expired_store_fails_in_plain_words(
    settings: Settings, upstream: Upstream
) -> None:
    clock = FakeClock()
    with serve(replace(settings, openai_base_url=upstream.base_url), clock=clock) as live:
        client = live.client()
        expiry: Any = {"anchor": "last_active_at", "days": 1}
        store = client.vector_stores.create(expires_after=expiry).id
        resources: Any = {"file_search": {"vector_store_ids": [store]}}
        assistant = searching(client)
        thread = client.beta.threads.create(
            messages=[{"role": "user", "content": "?"}], tool_resources=resources
        )
        clock.now += 2 * 86_400
        run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant)

        assert client.vector_stores.retrieve(store).status == "expired"
    assert run.status == "failed"
    assert run.last_error is not None
    assert "has expired" in run.last_error.message


def test_a_deleted_file_is_found_no_more(client: openai.OpenAI) -> None:
    store = library(client, tea=TEA)
    (file,) = client.vector_stores.files.list(store).data
    before = client.vector_stores.search(store, query="红茶").data
    client.files.delete(file.id)
    after = client.vector_stores.search(store, query="红茶").data

    assert [len(before), len(after)] == [1, 0]
    assert client.vector_stores.retrieve(store).file_counts.total == 0
