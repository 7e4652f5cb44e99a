"""Parameters of Chat Completions that a server does not take, or only by another name."""

from dataclasses import replace

from streamlit_assistant.settings import Settings
from tests.upstream_rules import (
    refuses,
    refuses_in_prose,
    refuses_old_limit,
    refuses_values,
)
from tests.upstream_scripts import (
    Answer,
)
from tests.upstreams.matrix import each, play
from tests.upstreams.rows import (
    ASK_WEATHER,
    CHAT,
    NAME,
    OSLO,
    WITH_TOOLS,
    Row,
    answered,
    calls,
    too_long,
)
from tests.upstreams.site import Places

TURN = f"Turn 1. You said: {NAME}"
HALF = ("half ",)

ROWS = [
    Row(
        "a parameter that is not known",
        answered(TURN, notices=["parameter_refused"], asked=2),
        run={"temperature": 0.2},
        rules=[refuses("temperature")],
    ),
    Row(
        "a value that is not known",
        answered(TURN, notices=["parameter_refused"], asked=2),
        run={"temperature": 0.2},
        rules=[refuses_values("temperature")],
    ),
    Row(
        "a parameter that is refused in prose",
        answered(TURN, notices=["parameter_refused"], asked=2),
        run={"top_p": 0.2},
        rules=[refuses_in_prose("top_p")],
    ),
    Row(
        "two parameters that are not known",
        answered(TURN, notices=["parameter_refused"] * 2, asked=3),
        run={"temperature": 0.2, "top_p": 0.2},
        rules=[refuses("temperature", "top_p")],
    ),
    Row(
        "an effort that is not known",
        answered(TURN, notices=["parameter_refused"], asked=2),
        assistant={"reasoning_effort": "low"},
        rules=[refuses("reasoning_effort")],
    ),
    Row(
        "no options of streams",
        answered(TURN, asked=2, usage={"estimated": True}),
        rules=[refuses("stream_options")],
    ),
    Row(
        "no say in parallel calls",
        calls(OSLO, asked=2),
        question=ASK_WEATHER,
        assistant=WITH_TOOLS,
        run={"parallel_tool_calls": False},
        rules=[refuses("parallel_tool_calls")],
    ),
    Row(
        "a limit by its new name only",
        answered(TURN, asked=2),
        run={"max_completion_tokens": 300},
        rules=[refuses_old_limit],
        sends=lambda bodies: bodies[1]["max_completion_tokens"] == 300,
    ),
    Row(
        "nothing that only OpenAI knows",
        answered(TURN),
        assistant={"metadata": {"a": "b"}},
        sends=lambda bodies: not {"metadata", "store"} & bodies[0].keys(),
    ),
    Row(
        "the limit of tokens is met",
        too_long("half "),
        [Answer(HALF, reason="length")],
        run={"max_completion_tokens": 300},
    ),
]


@each([replace(row, apis=[CHAT]) for row in ROWS])
def test_what_is_refused_is_left_out_and_said(
    row: Row, api: str, settings: Settings, places: Places
) -> None:
    play(row, api, settings, places)
