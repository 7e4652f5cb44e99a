from dataclasses import replace

import pytest

from streamlit_assistant.providers.base import (
    CallsMessage,
    FunctionCall,
    OutputMessage,
    PromptMessage,
    Turn,
)
from streamlit_assistant.providers.pacing import expected_tokens, prompt_tokens
from tests.providers.steady import REQUEST

EMPTY = replace(REQUEST, messages=())


def said(text: str) -> dict[str, object]:
    return {"type": "text", "text": {"value": text}}


@pytest.mark.parametrize(
    ("turn", "tokens"),
    [
        (PromptMessage("user", [said("a" * 400)]), 100),
        (PromptMessage("user", [said("中" * 40)]), 30),
        (PromptMessage("assistant", [{"type": "refusal", "refusal": "a" * 40}]), 10),
        (PromptMessage("user", [{"type": "image_url", "image_url": {"url": "d" * 9999}}]), 1000),
        (PromptMessage("user", [{"type": "file", "file": {"url": "d" * 800}}]), 100),
        (PromptMessage("user", [{"type": "strange"}]), 0),
        (OutputMessage("call_1", "a" * 40), 10),
        (CallsMessage([FunctionCall("call_1", "f" * 4, "a" * 36)], [said("a" * 40)]), 20),
    ],
)
def test_about_as_many_tokens_are_counted_as_the_model_is_shown(turn: Turn, tokens: int) -> None:
    assert prompt_tokens(replace(EMPTY, messages=[turn])) == tokens


def test_instructions_and_functions_are_shown_too() -> None:
    assert prompt_tokens(replace(EMPTY, instructions="a" * 40)) == 10
    assert prompt_tokens(replace(EMPTY, functions=[{"name": "f" * 40}])) > 10


@pytest.mark.parametrize(("limit", "tokens"), [(None, 500), (100, 100), (10_000, 500)])
def test_the_answer_is_expected_to_be_of_the_usual_length(limit: int | None, tokens: int) -> None:
    assert expected_tokens(replace(EMPTY, max_completion_tokens=limit)) == tokens
