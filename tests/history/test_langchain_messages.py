"""Messages as they are written down and read again."""

import math
from typing import Any

import pytest
from langchain_core.messages import AIMessage, message_to_dict

from streamlit_assistant.history.langchain_messages import entry_of, message_of


@pytest.mark.parametrize(
    "number", [2**63, -(2**63) - 1, 2**64, 10**40 + 1, math.inf, -math.inf, 0.1, 1e308], ids=str
)
def test_every_number_is_unharmed(number: float) -> None:
    message = AIMessage(
        "null",
        tool_calls=[{"name": "add", "args": {"of": [{"n": number}, None]}, "id": "call_1"}],
        response_metadata={"logprobs": [None, {"logprob": number}]},
    )
    read = message_of(entry_of(message).body)

    assert read == message
    assert isinstance(read, AIMessage)
    assert type(read.tool_calls[0]["args"]["of"][0]["n"]) is type(number)


def test_what_is_no_number_stays_none() -> None:
    read = message_of(entry_of(AIMessage("x", response_metadata={"n": math.nan})).body)

    assert math.isnan(read.response_metadata["n"])


def test_langchain_reads_the_same(everything: dict[str, Any]) -> None:
    message = AIMessage("x", additional_kwargs=everything)
    read = message_of(entry_of(message).body)

    assert message_to_dict(read) == message_to_dict(message)


@pytest.fixture
def everything() -> dict[str, Any]:
    return {"a": None, "b": [True, 1, 1.5, "\ud83d"], "c": {"d": {}, "e": 2**70}}
