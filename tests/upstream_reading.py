"""Reads what the scripted `/v1/responses` writes, and holds it to the official client's types."""

import json
from typing import Any, get_args

import httpx2
import openai
from openai.types.responses import ResponseStreamEvent

from tests.upstream import Upstream
from tests.upstream_wire import JSON

SOON = 10.0  # seconds; nothing here takes nearly as long
MODELS = {
    get_args(model.model_fields["type"].annotation)[0]: model
    for model in get_args(get_args(ResponseStreamEvent)[0])
}
EVERYTHING = [
    "file_search_call.results",
    "code_interpreter_call.outputs",
    "web_search_call.action.sources",
    "reasoning.encrypted_content",
]


def official_client(upstream: Upstream, timeout: float = SOON) -> openai.OpenAI:
    """Return the client, which does not ask again."""
    return openai.OpenAI(base_url=upstream.base_url, api_key="none", max_retries=0, timeout=timeout)


def stream(client: openai.OpenAI, **body: Any) -> list[Any]:
    """Return the events of an answer as the client makes them."""
    body = {"model": "m", "input": "Hi", "include": EVERYTHING, **body}
    return list(client.responses.create(stream=True, **body))


def events_of(upstream: Upstream, **body: Any) -> list[JSON]:
    """Return the events of an answer as they are sent."""
    body = {"model": "m", "input": "Hi", "include": EVERYTHING, "stream": True, **body}
    text = httpx2.post(f"{upstream.base_url}/responses", json=body, timeout=SOON).text
    return [
        json.loads(line.removeprefix("data:"))
        for line in text.splitlines()
        if line.startswith("data:") and "[DONE]" not in line
    ]


def held_to_types(events: list[JSON]) -> list[JSON]:
    """Check each event strictly, and that they are numbered."""
    for event in events:
        MODELS[event["type"]].model_validate(event, strict=True)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    return events


def kinds(events: list[Any]) -> list[str]:
    """Return the names of events."""
    return [event["type"] if isinstance(event, dict) else event.type for event in events]
