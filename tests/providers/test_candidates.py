"""What a request needs, and who is asked if a model cannot do it."""

from dataclasses import replace

import pytest

from streamlit_assistant.errors import RunErrorCode, Trouble, UpstreamError
from streamlit_assistant.providers.base import ModelRequest, PromptMessage
from streamlit_assistant.providers.candidates import Abilities
from streamlit_assistant.providers.retrying import SteadyProvider
from tests.providers.steady import HI, REQUEST, FakeTime, asked, candidate, notices, text
from tests.scripted_provider import STOP, ScriptedProvider

GONE = UpstreamError("No such model.", trouble=Trouble.ELSEWHERE)
ONE, TWO, THREE = "http://one/v1", "http://two/v1", "http://three/v1"
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
DOCUMENT = {"type": "file", "file": {"filename": "a.pdf", "url": "data:application/pdf;base64,AA"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


def able(
    *names: str, context: int | None = None, hosts: bool = True, reads: bool = True
) -> Abilities:
    return Abilities(frozenset(names), context, hosts, reads)


WITH_TOOLS = replace(REQUEST, functions=[{"name": "f"}])
WITH_IMAGE = replace(REQUEST, messages=[PromptMessage("user", [IMAGE])])
WITH_DOCUMENT = replace(REQUEST, messages=[PromptMessage("user", [DOCUMENT])])
WITH_SEARCH = replace(REQUEST, hosted_tools=[{"type": "web_search"}])
FORCED_SEARCH = replace(WITH_SEARCH, tool_choice="hosted:web_search")
WITH_CONTAINER = replace(REQUEST, hosted_tools=[{"type": "code_interpreter", "container": "c"}])
LONG = replace(REQUEST, instructions="long " * 1000)
ALL = ("tools", "vision", "json_schema")


@pytest.mark.parametrize(
    ("request_", "abilities"),
    [
        (WITH_TOOLS, able("vision", "json_schema")),
        (WITH_IMAGE, able("tools", "json_schema")),
        (replace(WITH_IMAGE, functions=[{"name": "f"}]), able("tools")),
        (WITH_DOCUMENT, able(*ALL, reads=False)),
        (FORCED_SEARCH, able(*ALL, hosts=False)),
        (LONG, able(*ALL, context=1000)),
    ],
)
async def test_a_stand_in_that_cannot_do_it_is_passed_over(
    time: FakeTime, request_: ModelRequest, abilities: Abilities
) -> None:
    first, second, third = (
        *(ScriptedProvider([GONE]), ScriptedProvider()),
        ScriptedProvider(["There.", STOP]),
    )
    line_up = [
        candidate(first, "asked", ONE),
        candidate(second, "second", TWO, abilities),
        candidate(third, "third", THREE),
    ]

    seen, error = await asked(SteadyProvider(line_up, time.steadiness()), request_)

    assert (text(seen), error, second.requests) == ("There.", None, [])


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (WITH_TOOLS, "asked cannot call functions"),
        (WITH_IMAGE, "asked cannot see images"),
        (WITH_DOCUMENT, "asked cannot read documents by itself"),
        (
            replace(WITH_IMAGE, functions=[{"name": "f"}], response_format=SCHEMA),
            "asked cannot call functions and see images and keep to a JSON schema",
        ),
    ],
)
async def test_a_model_that_cannot_do_it_is_not_asked_and_the_reason_is_told(
    time: FakeTime, request_: ModelRequest, words: str
) -> None:
    provider = ScriptedProvider()
    only = candidate(provider, "asked", ONE, able(reads=False))

    seen, error = await asked(SteadyProvider([only], time.steadiness()), request_)

    assert error is not None
    assert error.message == f"{words}, and no other model is there that could take its place."
    assert error.code is RunErrorCode.INVALID_PROMPT
    assert (seen, provider.requests) == ([], [])


async def test_another_model_answers_what_the_one_asked_cannot(time: FakeTime) -> None:
    blind, other = ScriptedProvider(), ScriptedProvider(["A cat.", STOP])
    line_up = [candidate(blind, "asked", ONE, able()), candidate(other, "other", TWO)]

    seen, error = await asked(SteadyProvider(line_up, time.steadiness()), WITH_IMAGE)

    assert (text(seen), error) == ("A cat.", None)
    assert notices(seen)[0].details["reason"] == "asked cannot see images"


async def test_nothing_is_withheld_from_a_model_of_which_nothing_is_known(time: FakeTime) -> None:
    provider = ScriptedProvider(["There.", STOP])
    only = candidate(provider, "asked", ONE, Abilities(hosts_tools=True, reads_files=True))
    everything = replace(
        WITH_TOOLS, messages=[HI, PromptMessage("user", [IMAGE])], response_format=SCHEMA
    )

    seen, _ = await asked(SteadyProvider([only], time.steadiness()), everything)

    assert text(seen) == "There."


async def test_the_run_itself_has_seen_to_it_that_it_fits_the_model_it_asks(
    time: FakeTime,
) -> None:
    provider = ScriptedProvider(["There.", STOP])
    only = candidate(provider, "asked", ONE, able(*ALL, context=1000))

    seen, _ = await asked(SteadyProvider([only], time.steadiness()), LONG)

    assert text(seen) == "There."


async def test_a_model_without_schemas_is_asked_in_words_if_there_is_no_better(
    time: FakeTime,
) -> None:
    request = replace(REQUEST, response_format=SCHEMA)
    poor, better = ScriptedProvider(["{}", STOP], ["{}", STOP]), ScriptedProvider(["{ }", STOP])
    first = candidate(poor, "asked", ONE, able("tools"))

    alone, _ = await asked(SteadyProvider([first], time.steadiness()), request)
    other = candidate(better, "other", TWO, able("json_schema"))
    helped, _ = await asked(SteadyProvider([first, other], time.steadiness()), request)

    assert (text(alone), text(helped)) == ("{}", "{ }")
    assert notices(alone)[0].details == {"parameter": "response_format", "model": "asked"}
    assert {"response_format", "text.format"} <= poor.requests[0].refused
    assert better.requests[0].refused == frozenset()


async def test_tools_of_a_server_are_left_out_elsewhere_and_the_model_is_told(
    time: FakeTime,
) -> None:
    gone, other = ScriptedProvider([GONE]), ScriptedProvider(["There.", STOP])
    line_up = [
        candidate(gone, "asked", ONE),
        candidate(other, "other", TWO, able(*ALL, hosts=False)),
    ]

    seen, error = await asked(SteadyProvider(line_up, time.steadiness()), WITH_SEARCH)

    assert (text(seen), error) == ("There.", None)
    [request] = other.requests
    assert request.hosted_tools == ()
    assert "not available with this model: web_search" in request.instructions


async def test_what_lies_in_a_container_is_not_asked_for_at_another_server(
    time: FakeTime,
) -> None:
    gone, other, neighbour = (
        *(ScriptedProvider([GONE]), ScriptedProvider(["There.", STOP])),
        ScriptedProvider([GONE]),
    )
    line_up = [
        candidate(gone, "asked", ONE),
        candidate(other, "other", TWO),
        candidate(neighbour, "neighbour", ONE),
    ]

    await asked(SteadyProvider(line_up, time.steadiness()), WITH_CONTAINER)

    assert neighbour.requests[0].hosted_tools == WITH_CONTAINER.hosted_tools
    assert other.requests[0].hosted_tools == ()
