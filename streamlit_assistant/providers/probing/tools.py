"""Finds out how a model calls functions: at all, several at once, and only when it may."""

import json
from collections.abc import AsyncGenerator

from streamlit_assistant.providers.base import (
    CallsMessage,
    FunctionCall,
    OutputMessage,
)
from streamlit_assistant.providers.capabilities import Capability, Check, Verdict
from streamlit_assistant.providers.probing.inquiry import Answer, Inquiry
from streamlit_assistant.providers.probing.questions import (
    CLOCK,
    ONE_CITY,
    TIME,
    TOLD,
    TOOL,
    TWO_CITIES,
    USE_TOOLS,
    said,
)
from streamlit_assistant.providers.probing.verdicts import failed

NO_TOOLS = "It calls no functions."
UNDECIDED = "Not tested: it is not known whether it calls functions."


async def tool_checks(inquiry: Inquiry) -> AsyncGenerator[Check, None]:
    """Yield the checks of function calls."""
    forced = await _ask(inquiry, ONE_CITY, f"function:{TOOL}")
    free = await _ask(inquiry, ONE_CITY)
    told = await _tell(inquiry, free) if cities(free) else None
    calls = tools(forced, free, told)
    yield calls
    if calls.verdict in (Verdict.NO, Verdict.UNKNOWN):
        words = NO_TOOLS if calls.verdict is Verdict.NO else UNDECIDED
        yield Check(Capability.PARALLEL_TOOLS, calls.verdict, words)
        yield Check(Capability.TOOL_CHOICE, calls.verdict, words)
        return
    yield parallel_tools(await _ask(inquiry, TWO_CITIES))
    yield tool_choice(forced, await _ask(inquiry, ONE_CITY, "none"))


def tools(forced: Answer, free: Answer, told: Answer | None) -> Check:
    """Judge by a call that was ordered, one that was the model's own, and what it made of it."""
    name, seconds = Capability.TOOLS, forced.seconds + free.seconds
    if told is not None:
        return _used(told, seconds)
    if cities(forced):
        words = "It calls functions only when it is made to"
        said_so = f": {free.trouble.message}" if free.trouble else "."
        return Check(name, Verdict.PARTLY, words + said_so, seconds)
    for answer in (free, forced):
        if answer.trouble is not None:
            return failed(name, answer)
    if free.calls or forced.calls:
        words = "It calls functions in a form that cannot be understood."
        return Check(name, Verdict.NO, words, seconds)
    words = "It does not call the function it is offered."
    return Check(name, Verdict.NO, words, seconds)


def parallel_tools(answer: Answer) -> Check:
    """Judge whether one answer holds a call for each of two cities."""
    name = Capability.PARALLEL_TOOLS
    if answer.trouble is not None:
        return failed(name, answer)
    if len(cities(answer)) > 1:
        return Check(name, Verdict.YES, "It calls several functions at once.", answer.seconds)
    words = (
        "It calls one function at a time, which takes more rounds."
        if answer.calls
        else "It did not call the function that both answers needed."
    )
    return Check(name, Verdict.NO, words, answer.seconds)


def tool_choice(forced: Answer, forbidden: Answer) -> Check:
    """Judge whether the model calls what it must, and nothing when it may not."""
    name, seconds = Capability.TOOL_CHOICE, forced.seconds + forbidden.seconds
    obeys_must = bool(cities(forced))
    obeys_none = not forbidden.calls and forbidden.trouble is None
    if obeys_must and obeys_none:
        words = "It calls the function it must, and none when it may not."
        return Check(name, Verdict.YES, words, seconds)
    if obeys_must:
        words = "It calls the function it must, but does not keep from calling when it may not."
        return Check(name, Verdict.PARTLY, words, seconds)
    if obeys_none:
        words = "It calls none when it may not, but cannot be made to call one."
        return Check(name, Verdict.PARTLY, words, seconds)
    words = "It calls functions whenever it likes, whatever it is told."
    return Check(name, Verdict.NO, words, seconds)


def cities(answer: Answer) -> set[str]:
    """Return the cities for which the time was asked, in calls that can be understood."""
    found = (_city(call) for call in answer.calls if call.name == TOOL)
    return {city for city in found if city} if answer.trouble is None else set()


def _used(told: Answer, seconds: float) -> Check:
    name, seconds = Capability.TOOLS, seconds + told.seconds
    if told.trouble is not None:
        words = f"It calls functions, but cannot be told what they return: {told.trouble.message}"
        return Check(name, Verdict.PARTLY, words, seconds)
    if TIME not in told.text:
        words = "It calls functions, but makes nothing of what they return."
        return Check(name, Verdict.PARTLY, words, seconds)
    return Check(name, Verdict.YES, "It calls functions and uses what they return.", seconds)


async def _ask(inquiry: Inquiry, question: str, tool_choice: str = "auto") -> Answer:
    return await inquiry.ask(
        said(question), instructions=USE_TOOLS, functions=[CLOCK], tool_choice=tool_choice
    )


async def _tell(inquiry: Inquiry, asked: Answer) -> Answer:
    outputs = [OutputMessage(call.id, TOLD) for call in asked.calls]
    called = CallsMessage(asked.calls, _parts(asked.text), asked.replay)
    return await inquiry.ask(
        said(ONE_CITY), called, *outputs, instructions=USE_TOOLS, functions=[CLOCK]
    )


def _parts(text: str) -> list[dict[str, object]]:
    return [{"type": "text", "text": {"value": text}}] if text else []


def _city(call: FunctionCall) -> str | None:
    try:
        given = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return None
    city = given.get("city") if isinstance(given, dict) else None
    return city.strip().lower() if isinstance(city, str) else None
