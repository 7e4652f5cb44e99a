"""The official client against the real server: what a program that changed its `base_url` does."""

import httpx
import openai
import pytest

from tests.conftest import API_KEY, LiveServer

pytestmark = pytest.mark.both_databases


def test_an_assistant_lives_through_all_five_operations(client: openai.OpenAI) -> None:
    made = client.beta.assistants.create(
        model="gpt-4o",
        name="Tutor",
        instructions="Teach.",
        tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}],
        metadata={"a": "b"},
    )
    found = client.beta.assistants.retrieve(made.id)
    changed = client.beta.assistants.update(made.id, name=None, temperature=0.5)
    listed = client.beta.assistants.list(limit=1)
    gone = client.beta.assistants.delete(made.id)

    assert found == made
    assert made.id.startswith("asst_")
    assert (made.temperature, made.top_p, made.response_format) == (1.0, 1.0, "auto")
    assert made.tools[0].model_dump()["function"]["strict"] is False
    assert (changed.name, changed.temperature, changed.instructions) == (None, 0.5, "Teach.")
    assert [assistant.id for assistant in listed.data] == [made.id]
    assert (gone.id, gone.object, gone.deleted) == (made.id, "assistant.deleted", True)
    with pytest.raises(openai.NotFoundError):
        client.beta.assistants.retrieve(made.id)


def test_a_thread_lives_through_all_its_operations(client: openai.OpenAI) -> None:
    made = client.beta.threads.create(
        messages=[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
    )
    changed = client.beta.threads.update(made.id, metadata={"k": "v"})
    messages = client.beta.threads.messages.list(made.id, order="asc").data
    gone = client.beta.threads.delete(made.id)

    assert (made.metadata, changed.metadata) == ({}, {"k": "v"})
    assert [(m.role, m.status) for m in messages] == [
        ("user", "completed"),
        ("assistant", "completed"),
    ]
    assert (gone.object, gone.deleted) == ("thread.deleted", True)
    with pytest.raises(openai.NotFoundError):
        client.beta.threads.retrieve(made.id)


def test_metadata_sent_as_null_is_emptied_and_unsent_is_kept(client: openai.OpenAI) -> None:
    thread = client.beta.threads.create(metadata={"k": "v"})

    kept = client.beta.threads.update(thread.id)
    emptied = client.beta.threads.update(thread.id, metadata=None)

    assert (kept.metadata, emptied.metadata) == ({"k": "v"}, {})


def test_text_parts_and_images_are_stored_as_sent(client: openai.OpenAI) -> None:
    thread = client.beta.threads.create()
    message = client.beta.threads.messages.create(
        thread.id,
        role="user",
        content=[
            {"type": "text", "text": "what is this? 🙂"},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        ],
    )

    assert client.beta.threads.messages.retrieve(message.id, thread_id=thread.id) == message
    text, image = message.content
    assert text.model_dump() == {
        "type": "text",
        "text": {"value": "what is this? 🙂", "annotations": []},
    }
    assert image.model_dump()["image_url"] == {"url": "https://example.com/a.png", "detail": "auto"}


def test_a_created_run_shows_the_resolved_values(client: openai.OpenAI) -> None:
    assistant = client.beta.assistants.create(model="m", instructions="Be brief.")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "hi"}])
    run = client.beta.threads.runs.create(
        thread.id,
        assistant_id=assistant.id,
        additional_instructions="In French.",
        temperature=0.2,
        metadata={"k": "v"},
        truncation_strategy={"type": "last_messages", "last_messages": 3},
    )

    assert (run.status, run.started_at, run.usage) == ("queued", None, None)
    assert run.expires_at == run.created_at + 600
    assert run.instructions == "Be brief.\n\nIn French."
    assert (run.temperature, run.top_p, run.metadata) == (0.2, 1.0, {"k": "v"})
    assert run.truncation_strategy is not None
    assert run.truncation_strategy.last_messages == 3
    assert (run.tool_choice, run.response_format, run.parallel_tool_calls) == ("auto", "auto", True)


def test_the_polling_helper_ends_with_the_answer_in_the_thread(client: openai.OpenAI) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "hi"}])

    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id="asst_default", poll_interval_ms=20
    )

    answer = client.beta.threads.messages.list(thread.id, run_id=run.id).data
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=thread.id).data
    assert (run.status, run.expires_at) == ("completed", None)
    assert [(m.role, m.run_id, m.assistant_id) for m in answer] == [
        ("assistant", run.id, "asst_default")
    ]
    assert [step.step_details.model_dump() for step in steps] == [
        {
            "type": "message_creation",
            "message_creation": {"message_id": answer[0].id},
        }
    ]
    step = client.beta.threads.runs.steps.retrieve(steps[0].id, thread_id=thread.id, run_id=run.id)
    assert step == steps[0]


def test_the_streaming_helper_accumulates_exactly_the_stored_message(
    client: openai.OpenAI,
) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "你好"}])
    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id="asst_default"
    ) as stream:
        seen = "".join(stream.text_deltas)
        [final] = stream.get_final_messages()
        run = stream.get_final_run()

    [stored] = client.beta.threads.messages.list(thread.id, run_id=run.id).data
    assert final == stored
    assert final.content[0].model_dump()["text"]["value"] == seen
    assert "还没有连接语言模型" in seen


def test_a_thread_and_its_run_are_created_in_one_call(client: openai.OpenAI) -> None:
    names = [
        event.event
        for event in client.beta.threads.create_and_run(
            assistant_id="asst_default",
            thread={"messages": [{"role": "user", "content": "hi"}], "metadata": {"k": "v"}},
            stream=True,
        )
    ]

    assert names[:3] == ["thread.created", "thread.run.created", "thread.run.queued"]
    assert names[-1] == "thread.run.completed"


def test_additional_messages_join_the_thread_before_the_run(client: openai.OpenAI) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "one"}])

    client.beta.threads.runs.create_and_poll(
        thread_id=thread.id,
        assistant_id="asst_default",
        additional_messages=[{"role": "user", "content": "two"}],
        poll_interval_ms=20,
    )

    messages = client.beta.threads.messages.list(thread.id, order="asc").data
    assert [m.role for m in messages] == ["user", "user", "assistant"]


def test_the_page_iterator_of_the_client_sees_everything_once(client: openai.OpenAI) -> None:
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": f"m{n}"} for n in range(25)]
    )

    listed = list(client.beta.threads.messages.list(thread.id, limit=7, order="asc"))

    texts = [m.content[0].model_dump()["text"]["value"] for m in listed]
    assert texts == [f"m{n}" for n in range(25)]


def test_runs_are_listed_newest_first(client: openai.OpenAI) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "hi"}])
    runs = [
        client.beta.threads.runs.create_and_poll(
            thread_id=thread.id, assistant_id="asst_default", poll_interval_ms=20
        )
        for _ in range(3)
    ]

    listed = client.beta.threads.runs.list(thread.id).data

    assert [run.id for run in listed] == [run.id for run in runs[::-1]]
    assert listed[0] == runs[-1]


def test_an_ended_run_cannot_be_cancelled(client: openai.OpenAI) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "hi"}])
    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id="asst_default", poll_interval_ms=20
    )

    with pytest.raises(openai.BadRequestError, match="Cannot cancel run with status 'completed'"):
        client.beta.threads.runs.cancel(run.id, thread_id=thread.id)


def test_without_a_model_the_offline_assistant_is_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["offline"]
    assert client.models.retrieve("offline").object == "model"


def test_a_wrong_key_raises_the_clients_own_error(offline: LiveServer) -> None:
    with pytest.raises(openai.AuthenticationError):
        offline.client(api_key="sk-wrong").beta.threads.create()


def test_whoever_deletes_every_assistant_leaves_the_page_its_own(client: openai.OpenAI) -> None:
    for assistant in client.beta.assistants.list():
        client.beta.assistants.delete(assistant.id)

    assert [left.id for left in client.beta.assistants.list()] == ["asst_default"]


def test_the_key_of_an_azure_client_is_taken_too(offline: LiveServer) -> None:
    azure = httpx.get(
        f"{offline.url}/v1/assistants?api-version=2024-05-01-preview", headers={"api-key": API_KEY}
    )

    assert azure.status_code == 200
