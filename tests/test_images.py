"""Images in messages: checked when they come, and shown to the model with their bytes."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import openai
import pytest

from streamlit_assistant.settings import Settings
from tests.conftest import serve
from tests.upstream import Upstream, model_server

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with model_server() as server:
        yield server


@pytest.fixture
def client(settings: Settings, upstream: Upstream) -> Iterator[openai.OpenAI]:
    with serve(replace(settings, openai_base_url=upstream.base_url)) as live:
        yield live.client()


def shown(client: openai.OpenAI, upstream: Upstream, *parts: dict[str, Any]) -> list[Any]:
    """What the model server is sent for a message of these parts."""
    content: Any = [{"type": "text", "text": "What is this?"}, *parts]
    message: Any = {"role": "user", "content": content}
    client.beta.threads.create_and_run_poll(
        assistant_id="asst_default", thread={"messages": [message]}
    )
    sent: list[Any] = upstream.requests[-1].messages[-1]["content"]
    return sent


def test_an_uploaded_image_reaches_the_model(client: openai.OpenAI, upstream: Upstream) -> None:
    file = client.files.create(file=("pixel.png", PIXEL), purpose="vision")
    part = {"type": "image_file", "image_file": {"file_id": file.id, "detail": "low"}}
    text, image = shown(client, upstream, part)

    assert text == {"type": "text", "text": "What is this?"}
    assert image["image_url"] == {
        "url": f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}",
        "detail": "low",
    }


def test_an_image_by_its_address_reaches_the_model(
    client: openai.OpenAI, upstream: Upstream
) -> None:
    part = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}

    assert shown(client, upstream, part)[1]["image_url"]["url"] == "https://example.com/a.png"


def test_a_file_that_is_no_image_or_not_there_is_refused(client: openai.OpenAI) -> None:
    text = client.files.create(file=("a.png", b"not a picture"), purpose="vision")
    for file_id, message in ((text.id, "cannot be shown to a model"), ("file-x", "No such File")):
        content: Any = [{"type": "image_file", "image_file": {"file_id": file_id}}]
        with pytest.raises(openai.APIStatusError, match=message):
            client.beta.threads.create(messages=[{"role": "user", "content": content}])
