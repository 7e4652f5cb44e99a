"""Images and models that see none."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import httpx2
import pytest

from streamlit_assistant.providers.base import (
    CallsMessage,
    FunctionCall,
    OutputMessage,
    PromptMessage,
    Turn,
)
from streamlit_assistant.providers.candidates import Abilities, Candidate
from streamlit_assistant.providers.retrying import SteadyProvider
from streamlit_assistant.providers.unseen_images import (
    UNSEEN,
    asks_about_image,
    has_images,
    without_images,
)
from tests.providers.steady import HI, REQUEST, FakeTime, asked, candidate, chat_candidate, text
from tests.scripted_provider import STOP, ScriptedProvider
from tests.upstream import Upstream, model_server
from tests.upstream_rules import is_blind

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
LOOK = PromptMessage("user", [{"type": "text", "text": {"value": "look"}}, IMAGE])
SEEN = PromptMessage("assistant", [{"type": "text", "text": {"value": "A cat."}}])
CALLED = CallsMessage([FunctionCall("call_1", "f", "{}")])
OUTPUT = OutputMessage("call_1", "done")


@pytest.fixture
def server() -> Iterator[Upstream]:
    with model_server(rules=[is_blind]) as running:
        yield running


@pytest.fixture
async def model(server: Upstream) -> AsyncIterator[Candidate]:
    async with httpx2.AsyncClient(base_url=server.base_url) as client:
        yield chat_candidate(client, server.base_url, "asked")


@pytest.mark.parametrize(
    ("turns", "asks"),
    [
        ([LOOK], True),
        ([LOOK, HI], False),
        ([LOOK, CALLED, OUTPUT], True),
        ([LOOK, SEEN, HI], False),
        ([HI], False),
        ([], False),
    ],
)
def test_a_question_is_the_last_message_and_what_was_called_for_it(
    turns: list[Turn], asks: bool
) -> None:
    assert asks_about_image(replace(REQUEST, messages=turns)) is asks


def test_words_take_the_place_of_images_and_all_else_stays() -> None:
    request = replace(REQUEST, messages=[LOOK, SEEN, CALLED, OUTPUT, HI])

    changed = without_images(request)

    assert has_images(request)
    assert not has_images(changed)
    assert changed.messages[1:] == request.messages[1:]
    assert changed.messages[0] == PromptMessage(
        "user", [LOOK.content[0], {"type": "text", "text": {"value": UNSEEN}}]
    )


async def test_an_image_fails_in_plain_words_and_the_next_question_is_answered(
    server: Upstream, model: Candidate
) -> None:
    shared = FakeTime().steadiness()
    about_image = replace(REQUEST, messages=[LOOK])
    afterwards = replace(REQUEST, messages=[LOOK, SEEN, HI])

    _, error = await asked(SteadyProvider([model], shared), about_image)
    seen, none = await asked(SteadyProvider([model], shared), afterwards)

    assert error is not None
    assert "says that this model cannot see images" in error.message
    assert none is None
    assert text(seen)
    assert len(server.requests) == 2
    assert UNSEEN in str(server.requests[1].body)


async def test_a_model_that_is_known_to_be_blind_is_not_asked(
    server: Upstream, model: Candidate
) -> None:
    shared = FakeTime().steadiness()
    about_image = replace(REQUEST, messages=[LOOK])
    await asked(SteadyProvider([model], shared), about_image)

    _, error = await asked(SteadyProvider([model], shared), about_image)

    assert error is not None
    assert error.message.startswith("asked cannot see images")
    assert len(server.requests) == 1


async def test_images_of_former_questions_are_left_out_at_once(
    server: Upstream, model: Candidate
) -> None:
    time = FakeTime()
    request = replace(REQUEST, messages=[LOOK, SEEN, HI])

    seen, error = await asked(SteadyProvider([model], time.steadiness()), request)

    assert error is None
    assert text(seen)
    assert (len(server.requests), time.slept) == (2, [])


async def test_a_model_with_eyes_is_asked_where_there_is_one(model: Candidate) -> None:
    sharp = ScriptedProvider(["A cat.", STOP])
    line_up = [model, candidate(sharp, "sharp", "http://two/v1")]

    seen, error = await asked(
        SteadyProvider(line_up, FakeTime().steadiness()), replace(REQUEST, messages=[LOOK])
    )

    assert (text(seen), error) == ("A cat.", None)


async def test_a_model_whose_list_says_that_it_sees_nothing_is_shown_no_old_images() -> None:
    provider = ScriptedProvider(["Hello.", STOP])
    only = candidate(provider, "asked", able=Abilities(frozenset({"tools"})))

    await asked(
        SteadyProvider([only], FakeTime().steadiness()),
        replace(REQUEST, messages=[LOOK, SEEN, HI]),
    )

    assert not has_images(provider.requests[0])
