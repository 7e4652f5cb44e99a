from dataclasses import replace
from typing import Any

import pytest

from streamlit_assistant.providers.base import ModelRequest
from streamlit_assistant.providers.refused_parameters import (
    IMAGES,
    REMEMBERED_SECONDS,
    RefusedParameters,
    droppable,
    missed,
    named_parameter,
    notice,
    plainly_refused,
    with_stand_ins,
)

SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
BARE = ModelRequest("m", "", ())
FULL = replace(
    BARE,
    temperature=0.0,
    top_p=0.5,
    max_completion_tokens=9,
    reasoning_effort="low",
    response_format={"type": "json_object"},
    tool_choice="required",
)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Unsupported parameter: 'temperature' is not supported with this model.", "temperature"),
        ("Unsupported value: 'temperature' does not support 0.2 with this model.", "temperature"),
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
            "max_tokens",
        ),
        ("Unsupported parameter: temperature", "temperature"),
        ("Unsupported parameter(s): `parallel_tool_calls`", "parallel_tool_calls"),
        ("Unrecognized request argument supplied: metadata", "metadata"),
        ("Unrecognized request arguments supplied: reasoning_effort, store", "reasoning_effort"),
        ("Unknown parameter: 'reasoning.summary'.", "reasoning.summary"),
        ("Unknown parameter: 'include[0]'.", "include"),
        ("property 'stream_options' is unsupported, did you mean 'stream'?", "stream_options"),
        ("`temperature` and `top_p` cannot both be specified for this model.", "temperature"),
        ("invalid temperature: only 1 is allowed for this model", "temperature"),
        ("Thinking mode does not support this tool_choice", "tool_choice"),
        ("This response_format type is unavailable now", "response_format"),
        ("'response_format' of type 'json_schema' is not supported", "response_format"),
        ("got an unexpected keyword argument 'logprobs'", "logprobs"),
        ('"qwen" does not support thinking', "reasoning_effort"),
        (
            '[{"type": "extra_forbidden", "loc": ["body", "truncation"], "msg": "Extra inputs '
            'are not permitted"}]',
            "truncation",
        ),
        (
            "[{'type': 'extra_forbidden', 'loc': ('body', 'store'), 'msg': 'Extra inputs are "
            "not permitted', 'input': True}]",
            "store",
        ),
        ("temperature must be less than 2", None),
        ("The store is unknown to the user; its text is not supported", None),
        ("my_temperature_x is not supported", None),
        ("messages: roles must alternate; the role 'tool' is not supported", None),
        ("", None),
    ],
)
def test_the_parameter_is_found_in_the_words_of_a_refusal(words: str, name: str | None) -> None:
    assert named_parameter(words) == name


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("registry.ollama.ai/library/gemma:2b does not support tools", "tools"),
        ('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser', "tools"),
        ("tools param requires --jinja flag", "tools"),
        ("Input should be 'text' or 'json_object': response_format.type", "response_format"),
        ("the tools are in the shed", None),
    ],
)
def test_some_words_mean_a_parameter_whatever_the_status(words: str, name: str | None) -> None:
    assert plainly_refused(words) == name


@pytest.mark.parametrize(
    "name", ["temperature", "reasoning.effort", "include[0]", "max_tokens", "store"]
)
def test_a_request_can_be_made_without_some_parameters_once(name: str) -> None:
    assert droppable(name, BARE) == name
    assert droppable(name, replace(BARE, refused=frozenset({name}))) is None


@pytest.mark.parametrize("name", ["model", "messages", "tools", "input[0].content", None])
def test_a_request_makes_no_sense_without_others(name: str | None) -> None:
    assert droppable(name, BARE) is None


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        ({"temperature", "top_p"}, ["temperature", "top_p"]),
        ({"reasoning.effort", "reasoning"}, ["reasoning_effort"]),
        ({"text.format", "response_format"}, ["response_format"]),
        ({"tool_choice"}, ["tool_choice"]),
        ({"max_tokens"}, []),  # the other name is used
        ({"max_tokens", "max_completion_tokens"}, ["max_completion_tokens"]),
        ({"max_output_tokens"}, ["max_completion_tokens"]),
        ({"stream_options", "store", "include", "reasoning.summary", "metadata"}, []),
    ],
)
def test_only_what_was_asked_for_and_will_be_missed_is_told(
    refused: set[str], told: list[str]
) -> None:
    assert list(missed(replace(FULL, refused=frozenset(refused)))) == told
    assert list(missed(replace(BARE, refused=frozenset(refused)))) == []


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (replace(FULL, refused=frozenset({"temperature", "store"})), ""),
        (
            replace(BARE, response_format=SCHEMA, refused=frozenset({"text.format"})),
            'that fits this schema, and with nothing else:\n{"type":"object"}',
        ),
        (
            replace(FULL, instructions="Be kind.", refused=frozenset({"response_format"})),
            "Be kind.\n\nAnswer with one JSON object",
        ),
        (replace(FULL, refused=frozenset({"tool_choice"})), "a call of one of the functions"),
        (
            replace(BARE, tool_choice="function:f", refused=frozenset({"tool_choice"})),
            "a call of the function f",
        ),
        (replace(BARE, refused=frozenset({"tool_choice", "response_format"})), ""),
    ],
)
def test_words_stand_in_for_what_cannot_be_asked_for_otherwise(
    request_: ModelRequest, words: str
) -> None:
    told = with_stand_ins(request_).instructions

    assert words in told if words else told == request_.instructions


def test_what_is_refused_is_remembered_for_each_model_of_each_server() -> None:
    known, other = RefusedParameters(), replace(BARE, model="n")
    known.note("a", BARE, frozenset({"temperature"}))
    known.note("a", BARE, frozenset({"top_p"}))

    assert known.of("a", BARE) == {"temperature", "top_p"}
    assert known.of("a", other) == known.of("b", BARE) == frozenset()


@pytest.mark.parametrize(
    ("parameter", "refused", "another"),
    [
        ("reasoning_effort", {"reasoning_effort": "none"}, {"reasoning_effort": "high"}),
        ("reasoning.effort", {"reasoning_effort": "none"}, {"reasoning_effort": "high"}),
        (
            "response_format",
            {"response_format": {"type": "json_schema"}},
            {"response_format": {"type": "json_object"}},
        ),
        ("tool_choice", {"tool_choice": "required"}, {"tool_choice": "function:f"}),
    ],
)
def test_what_somebody_asked_for_in_vain_is_not_withheld_from_who_asks_for_less(
    parameter: str, refused: dict[str, Any], another: dict[str, Any]
) -> None:
    known = RefusedParameters()
    known.note("a", replace(BARE, **refused), frozenset({parameter}))

    assert known.of("a", replace(BARE, **refused)) == {parameter}
    assert known.of("a", replace(BARE, **another)) == frozenset()


def test_what_is_refused_is_forgotten_after_a_while_because_another_model_may_be_loaded() -> None:
    now = 1000.0
    known = RefusedParameters(lambda: now)
    known.note("a", BARE, frozenset({IMAGES}))

    now += REMEMBERED_SECONDS - 1
    before = known.of("a", BARE)
    now += 2

    assert before == {IMAGES}
    assert known.of("a", BARE) == frozenset()


@pytest.mark.parametrize(
    "words",
    [
        "'max_tokens' cannot be greater than 8192.",
        "`temperature` cannot be negative.",
        "top_p cannot be 0.",
    ],
)
def test_a_value_that_is_out_of_bounds_is_no_parameter_that_is_not_known(words: str) -> None:
    assert named_parameter(words) is None


def test_the_notice_names_parameter_and_model() -> None:
    told = notice("temperature", "gpt-6-luna")

    assert told.code == "parameter_refused"
    assert told.details == {"parameter": "temperature", "model": "gpt-6-luna"}
    assert "gpt-6-luna does not accept 'temperature'" in told.message
