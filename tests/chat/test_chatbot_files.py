from typing import Any

import httpx
import pytest

from streamlit_assistant.chatbot import ChatError, OfferedFile, Picture
from tests.chat.scripted_assistants import KEY, ScriptedAssistants, refusal


def text(value: str, *annotations: dict[str, Any]) -> dict[str, Any]:
    return {"type": "text", "text": {"value": value, "annotations": list(annotations)}}


def image(file_id: str) -> dict[str, Any]:
    return {"type": "image_file", "image_file": {"file_id": file_id, "detail": "auto"}}


def path(where: str, file_id: str) -> dict[str, Any]:
    place = {"start_index": 0, "end_index": len(where)}
    return {"type": "file_path", "text": where, **place, "file_path": {"file_id": file_id}}


def meets(server: ScriptedAssistants, *content: dict[str, Any]) -> None:
    message = {"id": "msg_1", "role": "assistant", "content": list(content)}
    server.meets("list_messages", httpx.Response(200, json={"data": [message]}))


def test_pictures_keep_their_place_between_the_texts() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(server.thread())
    meets(server, image("file-1"), text("One"), image("file-2"), image("file-3"), text("Two"))

    [message] = bot.messages()

    assert message.text == "One\n\nTwo"
    assert message.pictures == (Picture("file-1", 0), Picture("file-2", 3), Picture("file-3", 3))


def test_a_file_is_offered_once_under_the_name_in_its_path() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(server.thread())
    where = "sandbox:/mnt/data/my%20table.csv"
    cited = {"type": "file_citation", "text": "【0†a】", "file_citation": {"file_id": "file-9"}}
    meets(
        server,
        text(where, path(where, "file-1"), path(where, "file-1"), path("x", "file-2"), cited),
    )

    [message] = bot.messages()

    assert message.files == (OfferedFile("file-1", "my table.csv"), OfferedFile("file-2", "file-2"))


def test_the_bytes_of_a_file_are_read_with_the_key_of_the_site() -> None:
    server = ScriptedAssistants()
    server.meets("anything_else", httpx.Response(200, content=b"\x89PNG"))

    assert server.chatbot().file("file-1") == b"\x89PNG"

    [request] = server.asked("anything_else")
    assert request.url.path == "/v1/files/file-1/content"
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_a_file_that_is_gone_is_a_chat_error() -> None:
    server = ScriptedAssistants()
    server.meets("anything_else", refusal(404))

    with pytest.raises(ChatError) as raised:
        server.chatbot().file("file-1")
    assert raised.value.kind == "not_found"
