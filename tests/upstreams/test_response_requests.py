"""What the Responses API is sent, and what of it a server may refuse."""

from collections.abc import Sequence
from dataclasses import replace

from streamlit_assistant.settings import Settings
from tests.upstream_rules import is_blind, refuses
from tests.upstream_wire import (
    JSON,
)
from tests.upstreams.matrix import each, play
from tests.upstreams.rows import (
    ASK_WEATHER,
    NAME,
    OSLO,
    RESPONSES,
    SCHEMA,
    WITH_TOOLS,
    Row,
    answered,
    calls,
    unfit,
)
from tests.upstreams.site import Places

TURN = f"Turn 1. You said: {NAME}"
OPENAI_HOST = "api.openai.com"
PIXEL = "data:image/png;base64,iVBORw0KGgo="
TEXT = {"type": "text", "text": NAME}
IMAGE = {"type": "image_url", "image_url": {"url": PIXEL}}


def first(bodies: Sequence[JSON]) -> JSON:
    """Return what was asked first."""
    return bodies[0]


ROWS = [
    Row(
        "instructions are told each time",
        answered(TURN),
        assistant={"instructions": "Be kind."},
        sends=lambda bodies: all(body["instructions"] == "Be kind." for body in bodies),
    ),
    Row(
        "a schema is a level higher",
        answered(TURN),
        run={"response_format": SCHEMA},
        sends=lambda bodies: first(bodies)["text"]["format"]["name"] == "answer",
    ),
    Row(
        "a function says whether it is strict",
        calls(OSLO),
        question=ASK_WEATHER,
        assistant=WITH_TOOLS,
        run={"tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
        sends=lambda bodies: (
            first(bodies)["tools"][0]["strict"] is False
            and first(bodies)["tool_choice"] == {"type": "function", "name": "get_weather"}
        ),
    ),
    Row(
        "a limit and an effort",
        answered(TURN),
        assistant={"reasoning_effort": "low"},
        run={"max_completion_tokens": 300},
        sends=lambda bodies: (
            first(bodies)["max_output_tokens"] == 300
            and first(bodies)["reasoning"]["effort"] == "low"
        ),
    ),
    Row(
        "an image is told by its address",
        answered(TURN),
        question=[TEXT, IMAGE],
        sends=lambda bodies: (
            {"type": "input_image", "image_url": PIXEL, "detail": "auto"}
            in first(bodies)["input"][0]["content"]
        ),
    ),
    Row(
        "a server that sees no images",
        unfit("cannot see images"),
        question=[TEXT, IMAGE],
        rules=[is_blind],
    ),
    Row(
        "JSON without the word",
        unfit("must contain the word 'json'"),
        run={"response_format": {"type": "json_object"}},
        later={"response_format": "auto"},
    ),
    Row(
        "a model that takes no temperature",
        answered(TURN, notices=["parameter_refused"], asked=2),
        run={"temperature": 0.2},
        rules=[refuses("temperature")],
        host=OPENAI_HOST,
    ),
    Row(
        "a model that takes no effort",
        answered(TURN, notices=["parameter_refused"], asked=2),
        assistant={"reasoning_effort": "high"},
        rules=[refuses("reasoning.effort")],
        host=OPENAI_HOST,
    ),
    Row(
        "a server that encrypts nothing",
        calls(OSLO, asked=2),
        question=ASK_WEATHER,
        assistant=WITH_TOOLS,
        rules=[refuses("include")],
    ),
    Row(
        "a server without a background",
        answered(TURN, asked=2),
        rules=[refuses("background")],
        host=OPENAI_HOST,
    ),
    Row(
        "no say in parallel calls",
        calls(OSLO, asked=2),
        question=ASK_WEATHER,
        assistant=WITH_TOOLS,
        run={"parallel_tool_calls": False},
        rules=[refuses("parallel_tool_calls")],
    ),
]


@each([replace(row, apis=[RESPONSES]) for row in ROWS])
def test_every_request_is_one_that_the_server_takes(
    row: Row, api: str, settings: Settings, places: Places
) -> None:
    play(row, api, settings, places)
