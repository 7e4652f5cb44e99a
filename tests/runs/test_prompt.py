"""What the model is shown of a thread: all of it, its ends, or its newest messages."""

from collections.abc import Sequence

from streamlit_assistant.providers.base import ModelRequest, PromptMessage
from streamlit_assistant.records import JSON, MessageStatus
from streamlit_assistant.runs.attached_documents import Documents
from streamlit_assistant.runs.history import RunHistory
from streamlit_assistant.runs.offered_tools import OfferedTools
from streamlit_assistant.runs.prompt import DEFAULT_WINDOW, build_request
from streamlit_assistant.runs.room import Room
from streamlit_assistant.store import Store
from tests.factories import make_message, make_run, make_thread
from tests.scripted_toolbox import ScriptedFiles

PAGE = "p" * 400  # a hundred tokens, and four for the turn


async def shown(
    store: Store, texts: Sequence[str], room: Room | None = None, **fields: object
) -> list[str]:
    """The first word of every message that the model is shown."""
    thread = make_thread()
    await store.threads.add(thread, [make_message(thread.id, text) for text in texts])
    request = await build(store, thread.id, room or Room(), **fields)
    return [text(turn).split()[0] for turn in request.messages if isinstance(turn, PromptMessage)]


async def build(store: Store, thread_id: str, room: Room, **fields: object) -> ModelRequest:
    files = ScriptedFiles(images={"file-cat": "data:image/png;base64,AAAA"})
    run = make_run(thread_id, **fields)
    documents = Documents(files, is_read=False)
    return await build_request(store, files, run, RunHistory(), OfferedTools(), room, documents)


def text(turn: PromptMessage) -> str:
    value: str = turn.content[0]["text"]["value"]
    return value


def pages(count: int) -> list[str]:
    return [f"{number} {PAGE}" for number in range(count)]


async def test_without_a_limit_everything_is_shown(store: Store) -> None:
    assert await shown(store, pages(30)) == [str(n) for n in range(30)]


async def test_auto_keeps_the_beginning_and_the_end_and_drops_the_middle(store: Store) -> None:
    assert await shown(store, pages(10), Room(prompt=550)) == ["0", "6", "7", "8", "9"]


async def test_a_long_beginning_gives_way_to_the_end(store: Store) -> None:
    texts = [f"0 {PAGE * 3}", *pages(10)[1:]]

    assert await shown(store, texts, Room(prompt=550)) == ["5", "6", "7", "8", "9"]


async def test_last_messages_shows_so_many(store: Store) -> None:
    strategy: JSON = {"type": "last_messages", "last_messages": 3}

    assert await shown(store, pages(10), truncation_strategy=strategy) == ["7", "8", "9"]


async def test_last_messages_that_do_not_fit_lose_the_oldest(store: Store) -> None:
    strategy: JSON = {"type": "last_messages", "last_messages": 5}

    found = await shown(store, pages(10), Room(prompt=330), truncation_strategy=strategy)
    assert found == ["7", "8", "9"]


async def test_the_newest_message_is_shown_even_beyond_what_the_model_is_said_to_hold(
    store: Store,
) -> None:
    assert await shown(store, pages(3), Room(prompt=10)) == ["2"]


async def test_a_very_long_thread_shows_its_first_message_and_a_window_of_the_newest(
    store: Store,
) -> None:
    found = await shown(store, pages(DEFAULT_WINDOW + 50))

    assert found == ["0", *[str(n) for n in range(50, DEFAULT_WINDOW + 50)]]


async def test_what_the_run_itself_wrote_is_shown_from_its_steps_only(store: Store) -> None:
    thread = make_thread()
    run = make_run(thread.id)
    own = make_message(thread.id, "mine", role="assistant", run_id=run.id)
    await store.threads.add(thread, [make_message(thread.id, "question"), own])

    request = await build(store, thread.id, Room(), id=run.id)
    assert len(request.messages) == 1


async def test_uploaded_images_are_sent_and_deleted_ones_named(store: Store) -> None:
    thread = make_thread()
    content = [
        {"type": "image_file", "image_file": {"file_id": "file-cat", "detail": "low"}},
        {"type": "image_file", "image_file": {"file_id": "file-gone"}},
    ]
    await store.threads.add(thread, [make_message(thread.id, content=content)])

    (turn,) = (await build(store, thread.id, Room())).messages
    assert isinstance(turn, PromptMessage)
    image, gone = turn.content
    assert image["image_url"] == {"url": "data:image/png;base64,AAAA", "detail": "low"}
    assert "deleted" in gone["text"]["value"]


async def test_last_messages_counts_what_is_shown(store: Store) -> None:
    thread = make_thread()
    broken = make_message(
        thread.id, "half", role="assistant", run_id="run_1", status=MessageStatus.INCOMPLETE
    )
    empty = make_message(thread.id, content=[], role="assistant")
    await store.threads.add(thread, [make_message(thread.id, "question"), broken, empty])
    strategy: JSON = {"type": "last_messages", "last_messages": 1}
    request = await build(store, thread.id, Room(), truncation_strategy=strategy)

    assert [text(turn) for turn in request.messages if isinstance(turn, PromptMessage)] == [
        "question"
    ]
