import itertools
from email.utils import formatdate

import httpx
import pytest

from streamlit_assistant.chatbot import ChatBot, ChatError, Ending, ErrorKind
from tests.chat.scripted_assistants import Mishap, ScriptedAssistants, both_modes, refusal
from tests.chat.scripted_runs import RunScript
from tests.chat.updates import finished, shown, waits


def polling(server: ScriptedAssistants) -> ChatBot:
    return server.chatbot(streaming=False)


def pauses(server: ScriptedAssistants) -> list[float]:
    times = server.times("retrieve_run")
    return [later - sooner for sooner, later in itertools.pairwise(times)]


def test_a_run_is_looked_at_ever_more_seldom() -> None:
    server = ScriptedAssistants(RunScript(looks=("in_progress",) * 8))

    list(polling(server).ask("Hi"))

    for number, pause in enumerate(pauses(server)):
        least = min(0.2 * 2**number, 5.0)
        assert least - 1e-9 <= pause <= min(least + 0.2, 5.0) + 1e-9


@pytest.mark.parametrize(("poll_after_ms", "pause"), [("1000", 1.0), ("60000", 5.0), ("1", 0.05)])
def test_the_server_sets_the_pace(poll_after_ms: str, pause: float) -> None:
    server = ScriptedAssistants(RunScript(looks=("in_progress",) * 4, poll_after_ms=poll_after_ms))

    list(polling(server).ask("Hi"))

    assert pauses(server) == [pytest.approx(pause)] * 4


@both_modes
def test_a_person_learns_how_the_queue_gets_on(streaming: bool) -> None:
    looks = ("queued",) * 3 + ("in_progress",) * 2
    server = ScriptedAssistants(RunScript(looks=looks, places=(12, 3, 1), heartbeats=2))

    updates = list(server.chatbot(streaming=streaming).ask("Hi"))

    seen = [(wait.status, wait.position) for wait in waits(updates)]
    told = [each for each in dict.fromkeys(seen) if each != ("queued", None)]
    assert told == [("queued", 12), ("queued", 3), ("queued", 1), ("in_progress", None)]


def test_a_place_in_the_queue_that_is_no_number_is_none() -> None:
    server = ScriptedAssistants(RunScript(looks=()))
    body = server.run(server.thread()).body("queued")
    server.runs.clear()
    odd = httpx.Response(200, json=body, headers={"x-queue-position": "soon"})
    server.meets("retrieve_run", odd)

    updates = list(polling(server).ask("Hi"))

    assert {wait.position for wait in waits(updates)} == {None}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "value", "pause"),
    [
        ("retry-after", "7", 7.0),
        ("retry-after", "DATE", 30.0),
        ("retry-after-ms", "600", 0.6),
    ],
)
def test_a_refusal_is_waited_out_as_long_as_it_asks(
    status: int, header: str, value: str, pause: float
) -> None:
    server = ScriptedAssistants(RunScript(looks=()))
    if value == "DATE":
        value = formatdate(server.time.wall() + 30, usegmt=True)
    server.meets("retrieve_run", refusal(status, headers={header: value}))

    updates = list(polling(server).ask("Hi"))

    assert pauses(server) == [pytest.approx(pause)]
    assert len(waits(updates)) == pytest.approx(pause / 0.25, abs=1)
    assert shown(updates) == "Hello there!"


@pytest.mark.parametrize(
    "mishaps",
    [
        [refusal(500)] * 3,
        [refusal(502), refusal(503), refusal(504)],
        [refusal(429)] * 3,
        [httpx.ConnectError("refused")] * 5,
        [httpx.ReadTimeout("timed out")],
        [httpx.RemoteProtocolError("server disconnected"), httpx.ReadError("reset")],
        [httpx.Response(502, text="<html><body>Bad Gateway</body></html>")],
    ],
)
def test_passing_trouble_is_ridden_out(mishaps: list[Mishap]) -> None:
    server = ScriptedAssistants()
    server.meets("retrieve_run", *mishaps)

    updates = list(polling(server).ask("Hi"))

    assert shown(updates) == finished(updates).text == "Hello there!"
    assert finished(updates).ending is Ending.COMPLETED


@pytest.mark.parametrize(
    ("mishap", "kind"),
    [
        (httpx.ConnectError("refused"), "unreachable"),
        (httpx.ReadTimeout("timed out"), "unreachable"),
        (refusal(500), "server"),
        (refusal(429), "rate_limited"),
    ],
)
def test_lasting_trouble_ends_within_a_minute(mishap: Mishap, kind: ErrorKind) -> None:
    server = ScriptedAssistants()
    server.meets("retrieve_run", *[mishap] * 1000)

    with pytest.raises(ChatError) as caught:
        list(polling(server).ask("Hi"))

    assert caught.value.kind == kind
    assert 50 < server.time.now - server.times("retrieve_run")[0] <= 60


def test_a_run_that_takes_an_hour_is_followed_for_an_hour() -> None:
    server = ScriptedAssistants(RunScript(looks=("in_progress",) * 800))

    assert finished(list(polling(server).ask("Hi"))).ending is Ending.COMPLETED
    assert server.time.now - server.times("create_run")[0] > 3600


@pytest.mark.parametrize(
    ("mishap", "kind"),
    [
        (refusal(404, "No run found with id 'run_1'."), "not_found"),
        (refusal(401, code="invalid_api_key"), "unauthorized"),
        (refusal(400), "rejected"),
        (httpx.Response(200, text="<html>", headers={"content-type": "text/html"}), "server"),
        (httpx.Response(200, json=["run"]), "server"),
        (httpx.Response(200, json={"id": "run_1"}), "server"),
        (httpx.Response(200, content=b'{"id": "ru'), "server"),
    ],
)
def test_a_refusal_that_will_not_pass_ends_it_at_once(mishap: Mishap, kind: ErrorKind) -> None:
    server = ScriptedAssistants()
    server.meets("retrieve_run", mishap)

    with pytest.raises(ChatError) as caught:
        list(polling(server).ask("Hi"))

    assert caught.value.kind == kind
    assert len(server.asked("retrieve_run")) == 1


def test_an_unknown_status_is_waited_out() -> None:
    server = ScriptedAssistants(RunScript(looks=("queued", "reticulating", "in_progress")))

    updates = list(polling(server).ask("Hi"))

    assert [wait.status for wait in waits(updates) if wait.status == "reticulating"]
    assert finished(updates).ending is Ending.COMPLETED


def test_trouble_with_the_message_after_the_run_is_ridden_out() -> None:
    server = ScriptedAssistants()
    server.meets("list_messages", refusal(500), httpx.ReadError("reset"))

    updates = list(polling(server).ask("Hi"))

    assert shown(updates) == finished(updates).text == "Hello there!"


def test_nobody_sleeps_longer_than_a_quarter_of_a_second() -> None:
    server = ScriptedAssistants(RunScript(looks=("in_progress",) * 10))
    server.meets("retrieve_run", refusal(429, headers={"retry-after": "20"}))

    list(polling(server).ask("Hi"))

    assert max(server.time.naps) <= 0.25
