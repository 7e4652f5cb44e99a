"""What the test of a model finds out, asked of servers that can and cannot do each thing."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from streamlit_assistant.errors import RunErrorCode, Trouble, UpstreamError
from streamlit_assistant.providers.base import (
    Begun,
    CallsMessage,
    Delta,
    Finish,
    FinishReason,
    FunctionCall,
    ModelRequest,
    Remember,
    TextDelta,
)
from streamlit_assistant.providers.capabilities import Capability, Check, Report, Verdict
from streamlit_assistant.providers.chat.completions import ChatCompletionsProvider
from streamlit_assistant.providers.chat.dialects import OLLAMA
from streamlit_assistant.providers.connection import Connection
from streamlit_assistant.providers.probing.inquiry import (
    MOST_CHARACTERS,
    THINKING_TOKENS,
    TOKENS,
    Answer,
    Inquiry,
)
from streamlit_assistant.providers.probing.probe import Subject
from streamlit_assistant.providers.probing.questions import COUNT, TOOL, fits_the_form, said
from streamlit_assistant.providers.probing.reports import made_report
from streamlit_assistant.providers.probing.subject import connected_subject
from streamlit_assistant.providers.probing.tools import tool_choice as judged_choice
from streamlit_assistant.providers.probing.tools import tools as judged_tools
from streamlit_assistant.providers.probing.verdicts import HELD_SECONDS, SLOW_SECONDS
from streamlit_assistant.providers.probing.verdicts import latency as judged_latency
from streamlit_assistant.providers.probing.verdicts import streaming as judged_streaming
from streamlit_assistant.providers.upstream import Api, Manner, Upstream
from tests.providers.native_server import native_server, ollama, running
from tests.providers.probed_server import MODEL, ProbedServer, probed_server, refusal

YES, PARTLY, NO, UNKNOWN = Verdict.YES, Verdict.PARTLY, Verdict.NO, Verdict.UNKNOWN
KEY = "sk-1234567890"


@asynccontextmanager
async def subject_of(server: ProbedServer, api: Api | None = None) -> AsyncIterator[Subject]:
    connection = Connection(Upstream(server.url, KEY), Manner(api))
    try:
        yield await connected_subject(connection, None)
    finally:
        await connection.close()


async def report_on(server: ProbedServer, api: Api | None = None) -> Report:
    async with subject_of(server, api) as subject:
        return await made_report(subject, time.time, lambda check: None)


async def check_of(name: Capability, **abilities: Any) -> Check:
    with probed_server(**abilities) as server:
        report = await report_on(server)
    return next(check for check in report.checks if check.name is name)


async def test_a_server_that_can_do_everything_is_found_to() -> None:
    with probed_server(thoughts="Hm.") as server:
        report = await report_on(server)

    assert [check.name for check in report.checks] == list(Capability)
    assert {check.name: check.detail for check in report.checks if check.verdict is not YES} == {}
    assert report.can_answer
    assert report.tokens == len(server.requests) * 50
    assert not report.is_estimated


async def test_the_same_is_found_out_of_a_server_of_the_responses_api() -> None:
    with probed_server(sees=False, parallel=False) as server:
        report = await report_on(server, "responses")

    lacking = {check.name for check in report.checks if check.verdict is NO}
    assert report.api == "responses"
    assert lacking == {Capability.VISION, Capability.PARALLEL_TOOLS, Capability.REASONING}
    assert {check.verdict for check in report.checks} == {YES, NO}
    assert "input" in server.requests[0]
    assert report.tokens == len(server.requests) * 50


async def test_a_refusal_of_a_server_of_the_responses_api_is_told_in_its_own_words() -> None:
    refused = refusal(400, "image input is not available here")
    with probed_server(sees=refused, schema=refused) as server:
        report = await report_on(server, "responses")

    for check in report.checks:
        if check.name in (Capability.VISION, Capability.JSON_SCHEMA):
            assert (check.verdict, "not available here" in check.detail) == (NO, True)


async def test_who_is_tested_is_the_one_who_answers_by_default() -> None:
    with probed_server(shutdown_date="2027-01-14", context=4096) as server:
        async with subject_of(server) as subject:
            found = (subject.server, subject.api, subject.model, subject.failure)

    assert found == (server.url, "chat", MODEL, None)
    assert (subject.context_tokens, subject.shutdown_date) == (4096, "2027-01-14")


async def test_how_much_a_model_holds_is_asked_once_it_is_loaded() -> None:
    with native_server(says=ollama(**{"/api/ps": {"models": []}})) as server:
        connection = Connection(Upstream(server.url))
        assert isinstance(connection.provider, ChatCompletionsProvider)
        connection.provider.dialect = OLLAMA
        subject = await connected_subject(connection, None)
        server.says["/api/ps"] = running(4096)
        report = await made_report(subject, time.time, lambda check: None)
        await connection.close()

    assert subject.context_tokens == subject.models[0].context_tokens == 40960
    checks = {check.name: check for check in report.checks}
    assert checks[Capability.CONTEXT_LENGTH].figure == 4096


async def test_every_question_is_small_and_bounded() -> None:
    with probed_server() as server:
        await report_on(server)

    assert len(server.requests) <= 10
    assert {request["max_tokens"] for request in server.requests} == {TOKENS}
    assert max(len(str(request)) for request in server.requests) < 2000


@pytest.mark.parametrize(
    ("abilities", "name", "verdict", "words"),
    [
        ({"pieces": False}, "streaming", PARTLY, "in one piece"),
        ({"usage": False}, "usage", NO, "estimated"),
        ({}, "reasoning", NO, "without showing any thoughts"),
        ({"calls": False}, "tools", PARTLY, "only when it is made to."),
        ({"calls": False, "obeys_force": False}, "tools", NO, "does not call"),
        ({"calls": False, "obeys_force": False}, "parallel_tools", NO, "calls no functions"),
        ({"calls": False, "obeys_force": False}, "tool_choice", NO, "calls no functions"),
        ({"uses_outputs": False}, "tools", PARTLY, "makes nothing of what they return"),
        ({"obeys_force": False}, "tool_choice", PARTLY, "cannot be made to"),
        ({"parallel": False}, "parallel_tools", NO, "one function at a time"),
        ({"schema": False}, "json_schema", NO, "plain text"),
        ({"schema": '{"name": "Paris"}'}, "json_schema", NO, "not as the schema wants"),
        ({"sees": False}, "vision", NO, "of a purple one it said “White”"),
        ({"context": None}, "context_length", UNKNOWN, "does not say"),
        ({"context": 32768}, "context_length", YES, "32,768 tokens"),
        ({"vectors": None}, "embeddings", NO, "by words alone"),
        ({"vectors": 3}, "embeddings", YES, "vectors of 3 numbers"),
        ({"unwilling": refusal(400, "no pooling here")}, "embeddings", NO, "no pooling here"),
    ],
)
async def test_what_a_server_lacks_is_found_out(
    abilities: dict[str, Any], name: str, verdict: Verdict, words: str
) -> None:
    check = await check_of(Capability(name), **abilities)

    assert (check.verdict, words in check.detail) == (verdict, True), check.detail


@pytest.mark.parametrize(
    ("ability", "name", "verdict"),
    [
        ("sees", "vision", NO),
        ("schema", "json_schema", NO),
        ("calls", "tools", PARTLY),
        ("uses_outputs", "tools", PARTLY),
    ],
)
async def test_a_refusal_is_told_in_the_servers_own_words(
    ability: str, name: str, verdict: Verdict
) -> None:
    refused = refusal(500, f"input is not supported with {KEY} - hint: provide the mmproj")
    check = await check_of(Capability(name), **{ability: refused})

    assert check.verdict is verdict
    assert "hint: provide the mmproj" in check.detail
    assert KEY not in check.detail


async def test_tools_that_are_refused_altogether_are_told_in_the_servers_own_words() -> None:
    refused = refusal(400, '"auto" tool choice requires --enable-auto-tool-choice')
    check = await check_of(Capability.TOOLS, calls=refused, obeys_force=refused)

    assert check.verdict is NO
    assert "requires --enable-auto-tool-choice" in check.detail


async def test_a_server_that_is_busy_for_one_question_has_not_said_that_it_cannot() -> None:
    check = await check_of(Capability.VISION, sees=refusal(429, "Rate limit reached"))

    assert check.verdict is UNKNOWN
    assert "Rate limit reached" in check.detail


@pytest.mark.parametrize("status", [401, 404, 500])
async def test_a_server_that_answers_nothing_is_asked_once(status: int) -> None:
    with probed_server(down=refusal(status, "no such luck")) as server:
        report = await report_on(server)

    verdicts = {check.name: check.verdict for check in report.checks}
    assert verdicts.pop(Capability.STREAMING) is NO
    assert verdicts.pop(Capability.CONTEXT_LENGTH) is YES
    assert verdicts.pop(Capability.EMBEDDINGS) is YES
    assert set(verdicts.values()) == {UNKNOWN}
    assert "no such luck" in report.checks[0].detail
    assert not report.can_answer
    assert (len(server.requests), report.tokens) == (1, 0)


async def test_parameters_that_are_refused_are_left_out_from_then_on() -> None:
    with probed_server() as server:
        async with subject_of(server) as subject:
            picky = Picky(subject, "temperature")
            report = await made_report(picky.subject, time.time, lambda check: None)

    assert report.verdict(Capability.STREAMING) is YES
    assert picky.refusals == 1


class Picky:
    """A provider that refuses a parameter until it is left out."""

    def __init__(self, subject: Subject, parameter: str) -> None:
        self._provider = subject.provider
        self._parameter = parameter
        self.refusals = 0
        self.subject = Subject(subject.server, "chat", subject.model, self)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        if self._parameter not in request.refused:
            self.refusals += 1
            raise UpstreamError("No.", trouble=Trouble.PARAMETER, parameter=self._parameter)
        async for delta in self._provider.stream(request):
            yield delta

    async def cancel(self, begun: str) -> None:
        raise AssertionError("nothing has begun")


async def test_what_is_tested_is_not_left_out_because_it_is_refused() -> None:
    with probed_server() as server:
        async with subject_of(server) as subject:
            for name in ("response_format", "text.format", "tools[0].function"):
                inquiry = Inquiry(Picky(subject, name), MODEL)
                answer = await inquiry.ask(said(COUNT))

                assert answer.trouble is not None and answer.trouble.message == "No."


async def test_a_model_that_thinks_its_tokens_away_is_given_more() -> None:
    with probed_server(wasted=1000) as server:
        report = await report_on(server)

    limits = [request["max_tokens"] for request in server.requests]
    assert limits == [TOKENS, *[THINKING_TOKENS] * (len(limits) - 1)]
    assert report.verdict(Capability.JSON_SCHEMA) is YES


async def test_a_model_that_thinks_all_tokens_away_is_not_said_to_lack_anything() -> None:
    with probed_server(wasted=10**6) as server:
        report = await report_on(server)

    assert report.verdict(Capability.STREAMING) is PARTLY
    assert report.verdict(Capability.VISION) is UNKNOWN
    assert report.verdict(Capability.JSON_SCHEMA) is UNKNOWN


async def test_tokens_that_nobody_counts_are_estimated() -> None:
    with probed_server(usage=False) as server:
        report = await report_on(server)

    assert report.is_estimated
    assert 200 < report.tokens < 5000


class Spoken:
    """A provider that says what a test gives it."""

    def __init__(self, *deltas: Delta | float) -> None:
        self._deltas = deltas
        self.cancelled: list[str] = []
        self.requests: list[ModelRequest] = []

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        self.requests.append(request)
        for delta in self._deltas:
            if isinstance(delta, float):
                await asyncio.sleep(delta)
            else:
                yield delta

    async def cancel(self, begun: str) -> None:
        self.cancelled.append(begun)


async def test_an_answer_that_takes_too_long_is_given_up_and_ended_at_the_server() -> None:
    provider = Spoken(Begun("resp_1"), TextDelta("1 2"), 60.0)
    answer = await Inquiry(provider, MODEL, seconds=0.1).ask(said(COUNT))

    assert answer.is_late
    assert answer.trouble is not None and "within 0.1 seconds" in answer.trouble.message
    assert provider.cancelled == ["resp_1"]


async def test_an_answer_that_never_ends_is_given_up() -> None:
    provider = Spoken(*[TextDelta("x" * 1000)] * 1000)
    answer = await Inquiry(provider, MODEL).ask(said(COUNT))

    assert MOST_CHARACTERS < len(answer.text) < MOST_CHARACTERS + 2000


async def test_an_answer_without_an_end_broke_off() -> None:
    answer = await Inquiry(Spoken(TextDelta("1 2")), MODEL).ask(said(COUNT))

    assert answer.trouble is not None and "broke off" in answer.trouble.message


async def test_what_a_server_wants_to_hear_again_is_told_with_the_results() -> None:
    with probed_server() as server:
        async with subject_of(server) as subject:
            forgetful = Forgetful(subject)
            report = await made_report(forgetful.subject, time.time, lambda check: None)

    assert report.verdict(Capability.TOOLS) is YES
    assert forgetful.replayed == [{"server": server.url, "data": {"thoughts": "Hm."}}]


class Forgetful:
    """A provider that must be told again what it thought."""

    def __init__(self, subject: Subject) -> None:
        self._provider = subject.provider
        self.subject = Subject(subject.server, "chat", subject.model, self)
        self.replayed: list[object] = []

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        told = (turn.replay for turn in request.messages if isinstance(turn, CallsMessage))
        self.replayed.extend(told)
        yield Remember({"thoughts": "Hm."})
        async for delta in self._provider.stream(request):
            yield delta

    async def cancel(self, begun: str) -> None:
        raise AssertionError("nothing has begun")


async def test_without_a_model_there_is_nothing_to_ask() -> None:
    provider = Spoken(Finish(FinishReason.STOP))
    failure = UpstreamError("No model server is connected.")
    subject = Subject("", "offline", "offline", provider, failure=failure)

    report = await made_report(subject, time.time, lambda check: None)

    assert report.checks[0] == Check(Capability.STREAMING, NO, failure.message)
    assert provider.requests == []
    assert not report.can_answer


def called(*cities: str) -> Answer:
    calls = [FunctionCall(f"call_{city}", TOOL, f'{{"city": "{city}"}}') for city in cities]
    return Answer(calls=calls, finish=FinishReason.TOOL_CALLS)


@pytest.mark.parametrize(
    ("forced", "forbidden", "verdict"),
    [
        (called("Paris"), Answer(text="No."), YES),
        (called("Paris"), called("Paris"), PARTLY),
        (called(), Answer(text="No."), PARTLY),
        (called(), called("Paris"), NO),
        (called("Paris"), Answer(trouble=UpstreamError("No.")), PARTLY),
    ],
)
def test_a_model_that_is_told_whether_to_call_obeys_or_not(
    forced: Answer, forbidden: Answer, verdict: Verdict
) -> None:
    assert judged_choice(forced, forbidden).verdict is verdict


def test_calls_that_cannot_be_understood_are_none() -> None:
    broken = Answer(calls=[FunctionCall("call_1", TOOL, '{"city": ')])
    strange = Answer(calls=[FunctionCall("call_1", TOOL, '["Paris"]')])
    other = Answer(calls=[FunctionCall("call_1", "get_weather", '{"city": "Paris"}')])

    for answer in (broken, strange, other):
        check = judged_tools(answer, answer, None)
        assert (check.verdict, "cannot be understood" in check.detail) == (NO, True)


def test_pieces_that_come_all_at_once_were_held_back() -> None:
    late = HELD_SECONDS + 1
    check = judged_streaming(Answer(text="1 2", pieces=[late, late + 0.001]))

    assert (check.verdict, "holds them back" in check.detail) == (PARTLY, True)


def test_an_answer_without_a_word_is_none() -> None:
    assert judged_streaming(Answer(finish=FinishReason.STOP)).verdict is NO


@pytest.mark.parametrize(("seconds", "verdict"), [(0.5, YES), (SLOW_SECONDS + 1, PARTLY)])
def test_a_first_word_that_takes_long_is_named(seconds: float, verdict: Verdict) -> None:
    check = judged_latency(Answer(text="hello", pieces=[seconds]))

    assert (check.verdict, check.figure) == (verdict, seconds)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ('{"place_name": "Paris", "is_seat_of_government": true}', True),
        (' {"is_seat_of_government": false, "place_name": "x"}\n', True),
        ('{"place_name": "Paris", "is_seat_of_government": "yes"}', False),
        ('{"place_name": "Paris", "is_seat_of_government": true, "more": 1}', False),
        ('{"place_name": "Paris"}', False),
        ("[]", False),
        ("Paris", None),
        ('```json\n{"place_name": "Paris", "is_seat_of_government": true}\n```', None),
    ],
)
def test_an_answer_is_held_against_the_schema(text: str, fits: bool | None) -> None:
    assert fits_the_form(text) is fits


def test_a_rate_limit_counts_as_passing_whatever_its_status() -> None:
    error = UpstreamError("Slow down.", RunErrorCode.RATE_LIMIT_EXCEEDED)

    assert judged_latency(Answer(trouble=error)).verdict is UNKNOWN
