"""Messages of LangChain as messages of a thread and back: nothing is lost on the way."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from streamlit_assistant import responses
from streamlit_assistant.api.conversion import to_message
from streamlit_assistant.api.requests import CreateMessage
from streamlit_assistant.api.validation import parse
from streamlit_assistant.history.entries import fold
from streamlit_assistant.history.langchain_messages import entry_of, message_from, message_of
from streamlit_assistant.history.thread_messages import entry_of_thread_message, written_form
from streamlit_assistant.history.thread_posting import MOST_TEXT, posted_form
from streamlit_assistant.json_text import to_json
from tests.history.contract import EVERY_KIND

CALL: Any = {"name": "f", "args": {"`": 1}, "id": "call_1"}
PICTURE = {"url": "https://example.com/a.png", "detail": "auto"}


def test_numbers_of_any_length_reach_a_store_unharmed() -> None:
    data = {"content": "数", "additional_kwargs": {"n": 10**40 + 1}}
    message = {
        "id": "msg_1",
        "role": "user",
        "content": [],
        "langchain": {"type": "human", "data": data},
    }

    read = message_of(entry_of_thread_message(message).body)

    assert read == HumanMessage("数", id="msg_1", additional_kwargs={"n": 10**40 + 1})


def sent(message: BaseMessage) -> Any:
    """The body that posts a message."""
    return posted_form(json.loads(entry_of(message).body))


def stored(message: BaseMessage) -> dict[str, Any]:
    """What the API shows of a message that was posted."""
    body = json.loads(to_json(sent(message)).encode())
    shown = responses.message(to_message(parse(CreateMessage, body), "thread_a", 1))
    found: dict[str, Any] = json.loads(to_json(shown).encode())
    return found


def came_back(message: BaseMessage) -> BaseMessage:
    return message_from(written_form(stored(message)))


@pytest.mark.parametrize("message", EVERY_KIND, ids=lambda message: message.type)
def test_every_kind_of_message_comes_back(message: BaseMessage) -> None:
    assert came_back(message) == message


HALVES = st.characters(codec=None, exclude_categories=())
TEXTS = st.text(HALVES, max_size=20)
BLOCKS = st.one_of(
    TEXTS,
    st.builds(lambda text: {"type": "text", "text": text}, TEXTS),
    st.builds(lambda text: {"type": "text", "text": text, "annotations": []}, TEXTS),
    st.just({"type": "image_url", "image_url": PICTURE}),
    st.just({"type": "image_url", "image_url": {"url": "ftp://example.com/a.png"}}),
    st.just({"type": "image", "file_id": "file-a"}),
    st.just({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
    st.just({"type": "reasoning", "reasoning": "hm"}),
    st.just({"no": "type"}),
)


@given(
    content=st.one_of(TEXTS, st.lists(BLOCKS, max_size=4)),
    kind=st.sampled_from([HumanMessage, AIMessage]),
    message_id=st.one_of(st.none(), st.text(HALVES, min_size=1, max_size=5)),
    extra=st.dictionaries(TEXTS, st.one_of(st.none(), TEXTS, st.integers(-9, 9)), max_size=2),
)
def test_whatever_is_said_comes_back(
    content: Any, kind: Any, message_id: str | None, extra: dict[str, Any]
) -> None:
    message = kind(content, id=message_id, additional_kwargs=extra)
    found = came_back(message)

    if message_id is None:
        assert found.id is not None and found.id.startswith("msg_")
        found.id = None
    assert found == message


@pytest.mark.parametrize(
    "message",
    [
        HumanMessage("plain"),
        AIMessage("plain"),
        HumanMessage("x" * MOST_TEXT),
        HumanMessage(
            [{"type": "text", "text": "See:"}, {"type": "image_url", "image_url": PICTURE}]
        ),
    ],
)
def test_what_the_protocol_can_say_needs_no_extension(message: BaseMessage) -> None:
    assert "langchain" not in sent(message)


def test_what_is_said_is_not_said_twice() -> None:
    answer = AIMessage("words", id="a1", response_metadata={"model_name": "m"})

    assert sent(answer) == {
        "role": "assistant",
        "content": [{"type": "text", "text": "words"}],
        "langchain": {
            "type": "ai",
            "data": {"id": "a1", "response_metadata": {"model_name": "m"}},
        },
    }


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (AIMessage("", tool_calls=[CALL]), [r'`f({"\u0060": 1})`']),
        (ToolMessage("", tool_call_id="c"), []),
        (HumanMessage("x" * (MOST_TEXT + 1)), ["x" * (MOST_TEXT - 1) + "…"]),
        (HumanMessage([{"type": "audio", "base64": "AAAA"}]), ["[audio]"]),
        (HumanMessage("half \ud83d"), ["half \ufffd"]),
        (HumanMessage([f"{number} " for number in range(120)]), [f"{n} " for n in range(100)]),
        (HumanMessage(["x" * MOST_TEXT, "y"]), ["x" * MOST_TEXT]),
        (AIMessage([{"type": "thinking", "thinking": "hm"}, "So."]), ["So."]),
    ],
)  # fmt: skip
def test_everybody_else_sees_something_that_can_be_read(
    message: BaseMessage, shown: list[str]
) -> None:
    parts = stored(message)["content"]

    assert [part["text"]["value"] for part in parts] == shown
    assert came_back(message).content == message.content


def test_pictures_in_langchains_own_form_are_pictures() -> None:
    blocks: Any = [
        {"type": "image", "url": "https://example.com/a.png"},
        {"type": "image", "base64": "iVBORw0KGgo=", "mime_type": "image/png"},
        {"type": "image_url", "image_url": "data:image/png;base64,iVBORw0KGgo="},
    ]

    parts = stored(HumanMessage(blocks))["content"]
    data = "data:image/png;base64,iVBORw0KGgo="
    urls = [part["image_url"]["url"] for part in parts]
    assert urls == ["https://example.com/a.png", data, data]


def test_a_message_of_a_thread_is_an_entry_under_its_own_id() -> None:
    for message in EVERY_KIND:
        shown = stored(message)
        entry = entry_of_thread_message(shown)

        assert entry.key == shown["id"]
        assert message_of(entry.body) == message
        assert entry.text == entry_of(message).text


def test_half_a_character_reaches_an_entry() -> None:
    message = HumanMessage("half \ud83d", id="\ud83d")

    entry = entry_of_thread_message(stored(message))
    assert message_of(entry.body) == message
    assert entry.text == fold("half \ufffd")
    entry.body.encode()


def test_a_text_that_is_too_long_is_searched_to_its_end() -> None:
    message = HumanMessage("x" * MOST_TEXT + " needle")

    assert entry_of_thread_message(stored(message)).text.endswith(" needle")


def test_an_answer_that_broke_off_says_why() -> None:
    shown = stored(AIMessage("half of"))
    shown |= {
        "status": "incomplete",
        "incomplete_details": {"reason": "max_tokens"},
        "run_id": "run_1",
        "assistant_id": "asst_1",
    }

    assert written_form(shown)["data"]["response_metadata"] == {
        "assistant_id": "asst_1",
        "run_id": "run_1",
        "finish_reason": "max_tokens",
    }


def test_an_id_that_says_nothing_gives_way_to_the_messages_own() -> None:
    shown = stored(HumanMessage("hi"))
    for nothing in (None, ""):
        extended = {**shown, "langchain": {"type": "human", "data": {"id": nothing}}}
        assert written_form(extended)["data"]["id"] == shown["id"]
