"""However the line breaks while a question is posted, it stands in the thread exactly once."""

import httpx
import pytest

from streamlit_assistant.chatbot import ChatError, ErrorKind
from tests.chat.scripted_assistants import (
    LostAnswer,
    Mishap,
    ScriptedAssistants,
    both_modes,
    refusal,
)
from tests.chat.updates import finished, shown, waits

RESET = httpx.ReadError("connection reset by peer")
REFUSED = httpx.ConnectError("connection refused")
TIMEOUT = httpx.ReadTimeout("timed out")

posts = pytest.mark.parametrize("operation", ["create_thread", "post_message", "create_run"])
troubles = pytest.mark.parametrize(
    "mishaps",
    [
        [RESET],
        [TIMEOUT],
        [REFUSED] * 3,
        [refusal(500)],
        [refusal(500), refusal(502), refusal(503)],
        [refusal(429, headers={"retry-after": "3"})],
        [refusal(429, headers={"retry-after-ms": "10"})],
        [LostAnswer()],
        [LostAnswer(TIMEOUT)],
        [LostAnswer(refusal(502))],
        [refusal(429), LostAnswer(), REFUSED],
        [REFUSED, LostAnswer()],
        [LostAnswer(), refusal(429)],
    ],
    ids=str,
)


@both_modes
@posts
@troubles
def test_passing_trouble_posts_everything_once(
    operation: str, mishaps: list[Mishap], streaming: bool
) -> None:
    server = ScriptedAssistants()
    server.meets(operation, *mishaps)
    bot = server.chatbot(streaming=streaming)

    updates = list(bot.ask("Hi"))

    assert shown(updates) == finished(updates).text == "Hello there!"
    assert server.texts(bot.thread_id) == [("user", "Hi"), ("assistant", "Hello there!")]
    assert len(server.runs) == 1


@both_modes
def test_every_post_has_a_key_of_its_own_and_keeps_it_when_it_is_repeated(streaming: bool) -> None:
    server = ScriptedAssistants()
    for operation in ("create_thread", "post_message", "create_run"):
        server.meets(operation, LostAnswer(), refusal(429), REFUSED)
    bot = server.chatbot(streaming=streaming)

    list(bot.ask("Hi"))
    list(bot.ask("Hi"))

    posts = [request for _, request, _ in server.requests if request.method == "POST"]
    keys = [request.headers["idempotency-key"] for request in posts]
    assert [keys.count(key) for key in dict.fromkeys(keys)] == [4, 4, 4, 1, 1]
    assert all(len(key) == 32 for key in keys)


@both_modes
def test_nothing_is_looked_for_when_an_answer_is_lost(streaming: bool) -> None:
    server = ScriptedAssistants()
    server.meets("post_message", LostAnswer())
    server.meets("create_run", LostAnswer())

    list(server.chatbot(streaming=streaming).ask("Hi"))

    assert server.asked("list_runs") == []
    assert len(server.asked("list_messages")) == 1  # the answer itself


@both_modes
@pytest.mark.parametrize(
    "mishap", [LostAnswer(), LostAnswer(TIMEOUT), LostAnswer(refusal(502)), RESET], ids=str
)
def test_a_server_that_ignores_keys_is_not_given_a_message_twice(
    mishap: Mishap, streaming: bool
) -> None:
    server = ScriptedAssistants(extensions=False)
    server.meets("post_message", mishap)
    bot = server.chatbot(streaming=streaming)

    with pytest.raises(ChatError) as caught:
        list(bot.ask("Hi"))

    assert caught.value.kind in ("unreachable", "server")
    assert len(server.asked("post_message")) == 1
    assert server.time.naps == []


@both_modes
def test_a_server_that_ignores_keys_is_not_asked_for_a_run_twice(streaming: bool) -> None:
    server = ScriptedAssistants(extensions=False)
    server.meets("create_run", LostAnswer())

    with pytest.raises(ChatError):
        list(server.chatbot(streaming=streaming).ask("Hi"))

    assert len(server.runs) == 1


@both_modes
@pytest.mark.parametrize("mishap", [REFUSED, refusal(429)], ids=str)
def test_a_server_that_ignores_keys_is_asked_again_for_what_was_certainly_not_done(
    mishap: Mishap, streaming: bool
) -> None:
    server = ScriptedAssistants(extensions=False)
    server.meets("post_message", *[mishap] * 3)
    server.meets("create_run", *[mishap] * 3)

    assert shown(server.chatbot(streaming=streaming).ask("Hi")) == "Hello there!"

    assert len(server.asked("post_message")) == len(server.asked("create_run")) == 4


def test_a_server_that_has_not_answered_yet_is_taken_for_one_that_knows_keys() -> None:
    server = ScriptedAssistants(extensions=False)
    server.meets("create_thread", LostAnswer())

    list(server.chatbot().ask("Hi"))

    assert len(server.threads) == 2


def test_an_older_message_of_the_same_words_is_not_taken_for_the_lost_one() -> None:
    server = ScriptedAssistants()
    thread_id = server.thread("Hi")
    server.meets("post_message", RESET)

    list(server.chatbot(thread_id).ask("Hi"))

    assert server.texts(thread_id).count(("user", "Hi")) == 2


def test_a_lost_message_is_found_behind_those_of_others() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(server.thread("Hi"))
    server.meets("post_message", LostAnswer(), REFUSED)
    updates = bot.ask("How are you?")
    next(updates)
    for text in ("Me too!", "And me!"):
        server.say("thread_1", text)

    list(updates)

    assert server.texts("thread_1").count(("user", "How are you?")) == 1


@both_modes
def test_waiting_for_a_post_gives_signs_of_life(streaming: bool) -> None:
    server = ScriptedAssistants()
    server.meets("post_message", refusal(503, headers={"retry-after": "5"}))

    updates = list(server.chatbot(streaming=streaming).ask("Hi"))

    times = {wait.elapsed for wait in waits(updates)}
    assert {0.25 * beat for beat in range(1, 21)} <= times
    assert {wait.status for wait in waits(updates)[:20]} == {"queued"}


@both_modes
@posts
@pytest.mark.parametrize(
    ("mishap", "kind"),
    [(REFUSED, "unreachable"), (refusal(500), "server"), (refusal(429), "rate_limited")],
)
def test_lasting_trouble_ends_within_twenty_seconds(
    operation: str, mishap: Mishap, kind: ErrorKind, streaming: bool
) -> None:
    server = ScriptedAssistants()
    server.meets(operation, *[mishap] * 100)
    began = server.time.now

    with pytest.raises(ChatError) as caught:
        list(server.chatbot(streaming=streaming).ask("Hi"))

    assert caught.value.kind == kind
    assert 10 < server.time.now - began <= 20


@posts
def test_a_pause_longer_than_anyone_waits_is_an_error_at_once(operation: str) -> None:
    server = ScriptedAssistants()
    server.meets(operation, refusal(429, "Slow down.", headers={"retry-after": "3600"}))

    with pytest.raises(ChatError) as caught:
        list(server.chatbot().ask("Hi"))

    assert (caught.value.kind, caught.value.detail) == ("rate_limited", "Slow down.")
    assert caught.value.retry_after == 3600
    assert server.time.naps == []


@both_modes
def test_what_could_not_be_started_can_be_retried(streaming: bool) -> None:
    server = ScriptedAssistants()
    server.meets("create_run", refusal(400, "Unknown model."))
    bot = server.chatbot(streaming=streaming)
    with pytest.raises(ChatError, match="Unknown model"):
        list(bot.ask("Hi"))

    assert shown(bot.retry()) == "Hello there!"

    assert server.texts(bot.thread_id) == [("user", "Hi"), ("assistant", "Hello there!")]
