from typing import Any

from streamlit_assistant.chat.assistants_payloads import Message, MessageDelta
from streamlit_assistant.chat.chat_records import ChatMessage
from streamlit_assistant.chat.streamed_answer import StreamedAnswer
from tests.chat.scripted_runs import delta


def add(answer: StreamedAnswer, message_id: str, *words: str, part: int = 0) -> str:
    return answer.add(MessageDelta.model_validate(delta(message_id, *words, part=part)))


def message(message_id: str, *parts: str) -> ChatMessage:
    content: list[dict[str, Any]] = [{"type": "text", "text": {"value": part}} for part in parts]
    return Message(id=message_id, role="assistant", content=content).record()  # type: ignore[arg-type]


def test_deltas_are_shown_as_they_come() -> None:
    answer = StreamedAnswer()

    assert add(answer, "msg_1", "Hel") == "Hel"
    assert add(answer, "msg_1", "lo", "!") == "lo!"
    assert answer.text == "Hello!"


def test_what_was_not_streamed_is_missing() -> None:
    answer = StreamedAnswer()
    add(answer, "msg_1", "Hello")

    assert answer.missing_from(message("msg_1", "Hello there")) == " there"
    assert answer.missing_from(message("msg_1", "Hello")) == ""


def test_all_is_missing_when_nothing_was_streamed() -> None:
    assert StreamedAnswer().missing_from(message("msg_1", "Hello")) == "Hello"


def test_nothing_can_be_added_to_a_text_that_reads_differently() -> None:
    answer = StreamedAnswer()
    add(answer, "msg_1", "Hullo")

    assert answer.missing_from(message("msg_1", "Hello there")) == ""


def test_parts_of_a_message_are_paragraphs_streamed_as_well_as_read() -> None:
    answer = StreamedAnswer()

    shown = add(answer, "msg_1", "One") + add(answer, "msg_1", "Two", part=2)

    assert shown == answer.text == message("msg_1", "One", "", "Two").text == "One\n\nTwo"


def test_a_second_message_of_the_run_is_a_paragraph_of_its_own() -> None:
    answer = StreamedAnswer()
    add(answer, "msg_1", "Let me look.")

    assert add(answer, "msg_2", "Found it.") == "\n\nFound it."
    assert answer.text == "Found it."
    assert answer.missing_from(message("msg_2", "Found it. Here.")) == " Here."


def test_a_second_message_nobody_streamed_is_missing_as_a_paragraph() -> None:
    answer = StreamedAnswer()
    add(answer, "msg_1", "Let me look.")

    assert answer.missing_from(message("msg_2", "Found it.")) == "\n\nFound it."
    assert answer.missing_from(message("msg_2")) == ""


def test_refusals_are_read_and_images_passed_over() -> None:
    parts: list[dict[str, Any]] = [
        {"index": 0, "type": "image_file", "image_file": {"file_id": "file-1"}},
        {"index": 1, "type": "refusal", "refusal": "I can't."},
    ]
    streamed = MessageDelta.model_validate({"id": "msg_1", "delta": {"content": parts}})
    read = Message.model_validate({"id": "msg_1", "role": "assistant", "content": parts})

    assert StreamedAnswer().add(streamed) == read.record().text == "I can't."


def test_a_delta_without_content_shows_nothing() -> None:
    assert StreamedAnswer().add(MessageDelta.model_validate({"id": "msg_1", "delta": {}})) == ""
