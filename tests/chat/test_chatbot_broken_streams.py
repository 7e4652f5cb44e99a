"""Whatever happens to a stream, every word is shown exactly once."""

import httpx
import pytest

from streamlit_assistant.chatbot import ChatError, Ending
from tests.chat.scripted_assistants import LostAnswer, ScriptedAssistants, refusal
from tests.chat.scripted_runs import FIRST_DELTA, Break, Cut, RunScript
from tests.chat.updates import finished, shown

WORDS = ("One, ", "two, ", "three, ", "four.")
TEXT = "".join(WORDS)
LAST_FRAME = FIRST_DELTA + len(WORDS) + 2  # the run's end

every_break = pytest.mark.parametrize("how", Break, ids=lambda how: how.name.lower())
# These leave a gap which the events' numbers can bridge; after the others the server is asked
# what became of the run.
resumable = [how for how in Break if how not in (Break.ERROR_EVENT, Break.EARLY_DONE)]
every_resumable_break = pytest.mark.parametrize("how", resumable, ids=lambda how: how.name.lower())


@every_break
@pytest.mark.parametrize("at", range(LAST_FRAME + 1))
@pytest.mark.parametrize("extensions", [True, False], ids=["ours", "foreign"])
def test_no_word_is_lost_or_doubled_wherever_a_stream_breaks(
    how: Break, at: int, extensions: bool
) -> None:
    server = ScriptedAssistants(RunScript(WORDS, cuts=(Cut(at, how),)), extensions=extensions)

    updates = list(server.chatbot().ask("Count"))

    assert shown(updates) == finished(updates).text == TEXT
    assert finished(updates).ending is Ending.COMPLETED
    assert len(server.runs) == len(server.asked("post_message")) == 1
    assert all(body.closed for body in server.bodies)


@every_resumable_break
def test_a_broken_stream_is_resumed_behind_the_last_frame_that_came_whole(how: Break) -> None:
    server = ScriptedAssistants(RunScript(WORDS, cuts=(Cut(FIRST_DELTA + 2, how),)))

    assert shown(server.chatbot().ask("Count")) == TEXT

    (resumed,) = server.asked("run_events")
    assert resumed.headers["last-event-id"] == str(FIRST_DELTA + 1)
    assert server.asked("retrieve_run") == []


def test_a_stream_is_resumed_again_as_long_as_it_gets_on() -> None:
    cuts = tuple(Cut(FIRST_DELTA + number, Break.RESET) for number in range(len(WORDS)))
    server = ScriptedAssistants(RunScript(WORDS, cuts=cuts))

    assert shown(server.chatbot().ask("Count")) == TEXT

    assert len(server.asked("run_events")) == len(WORDS)
    assert server.asked("retrieve_run") == []


def test_a_stream_that_gets_no_further_is_given_up_for_polling() -> None:
    cuts = (Cut(FIRST_DELTA + 1, Break.RESET),) * 2
    server = ScriptedAssistants(RunScript(WORDS, cuts=cuts))

    assert shown(server.chatbot().ask("Count")) == TEXT

    assert len(server.asked("run_events")) == 1
    assert len(server.asked("retrieve_run")) > 0


@pytest.mark.parametrize("how", [Break.ERROR_EVENT, Break.EARLY_DONE])
def test_a_stream_the_server_gave_up_is_polled_and_not_resumed(how: Break) -> None:
    server = ScriptedAssistants(RunScript(WORDS, cuts=(Cut(FIRST_DELTA + 1, how),)))

    assert shown(server.chatbot().ask("Count")) == TEXT

    assert server.asked("run_events") == []
    assert len(server.asked("retrieve_run")) > 0


def test_a_server_without_events_is_polled() -> None:
    script = RunScript(WORDS, cuts=(Cut(FIRST_DELTA + 1, Break.RESET),))
    server = ScriptedAssistants(script, extensions=False)

    updates = list(server.chatbot().ask("Count"))

    assert shown(updates) == TEXT
    assert server.asked("run_events") == []
    # What the run logs carries the id of the request that started it, so that one is shown.
    assert finished(updates).request_id == "req_stream"


@pytest.mark.parametrize(
    "mishap",
    [
        refusal(404, "Invalid URL"),
        refusal(500),
        refusal(401, code="invalid_api_key"),
        httpx.ConnectError("connection refused"),
        httpx.Response(200, text="<html>", headers={"content-type": "text/html"}),
        httpx.Response(200, json={"id": "run_1"}),
    ],
)
def test_events_that_cannot_be_had_are_replaced_by_polling(
    mishap: httpx.Response | httpx.TransportError,
) -> None:
    server = ScriptedAssistants(RunScript(WORDS, cuts=(Cut(FIRST_DELTA + 1, Break.RESET),)))
    server.meets("run_events", mishap)

    updates = list(server.chatbot().ask("Count"))

    assert shown(updates) == finished(updates).text == TEXT


def test_a_server_that_replays_from_the_start_doubles_nothing() -> None:
    server = ScriptedAssistants(RunScript(WORDS, cuts=(Cut(FIRST_DELTA + 2, Break.END),)))
    server.replays_everything = True

    assert shown(server.chatbot().ask("Count")) == TEXT

    assert server.asked("retrieve_run") == []


def test_a_follower_is_resumed_as_well() -> None:
    server = ScriptedAssistants()
    script = RunScript(WORDS, cuts=(Cut(FIRST_DELTA + 1, Break.RESET),))
    run = server.run(server.thread("Count"), script)

    updates = list(server.chatbot("thread_1").follow(run.id))

    assert shown(updates) == TEXT
    first, second = server.asked("run_events")
    assert "last-event-id" not in first.headers
    assert second.headers["last-event-id"] == str(FIRST_DELTA)


def test_a_stream_that_answers_with_plain_json_is_polled() -> None:
    server = ScriptedAssistants(RunScript(WORDS))
    server.meets("create_run", LostAnswer(httpx.Response(200, json={"id": "run_1"})))

    updates = list(server.chatbot().ask("Count"))

    assert shown(updates) == finished(updates).text == TEXT
    assert len(server.runs) == 1


@pytest.mark.parametrize("cuts", [1, 2])
def test_a_stream_that_breaks_before_the_run_has_a_name_is_asked_for_again(cuts: int) -> None:
    server = ScriptedAssistants(RunScript(WORDS, cuts=(Cut(0, Break.RESET),) * cuts))

    assert shown(server.chatbot().ask("Count")) == TEXT

    assert len(server.runs) == 1
    assert len(server.asked("create_run")) == 1 + cuts
    assert len({request.headers["idempotency-key"] for request in server.asked("create_run")}) == 1
    assert server.asked("retrieve_run") == server.asked("list_runs") == []


@pytest.mark.parametrize("knows_keys", [True, False])
@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'event: error\ndata: {"error": {"message": "Out of luck."}}\n\n', "Out of luck."),
        (b'event: error\ndata: {"error": "?"}\n\n', "The server started no run."),
        (b"event: done\ndata: [DONE]\n\n", "The server started no run."),
        (b"", "The server started no run."),
    ],
)
def test_a_stream_behind_which_there_is_no_run_is_an_error(
    body: bytes, detail: str, knows_keys: bool
) -> None:
    server = ScriptedAssistants()
    headers = {"idempotency-key": "understood"} if knows_keys else {}
    server.meets("create_run", *[httpx.Response(200, content=body, headers=headers)] * 9)

    with pytest.raises(ChatError) as caught:
        list(server.chatbot().ask("Count"))

    assert (caught.value.kind, caught.value.detail) == ("server", detail)
    assert len(server.asked("create_run")) == (3 if knows_keys else 1)


def test_an_older_run_is_not_taken_for_one_that_was_never_named() -> None:
    server = ScriptedAssistants(extensions=False)
    bot = server.chatbot()
    list(bot.ask("Count"))
    server.meets("create_run", httpx.Response(200, content=b""))

    with pytest.raises(ChatError, match="started no run"):
        list(bot.ask("Count again"))


def test_a_run_is_not_lost_when_the_server_restarts_in_the_middle() -> None:
    server = ScriptedAssistants(RunScript(WORDS, cuts=(Cut(FIRST_DELTA + 1, Break.RESET),)))
    refused = httpx.ConnectError("connection refused")
    server.meets("run_events", refused)
    server.meets("retrieve_run", *[refused] * 6, refusal(503, headers={"retry-after": "2"}))

    updates = list(server.chatbot().ask("Count"))

    assert shown(updates) == finished(updates).text == TEXT
    assert server.time.now - server.times("create_run")[0] > 10


def test_words_that_the_thread_has_otherwise_are_corrected_by_the_last_update() -> None:
    server = ScriptedAssistants(RunScript(WORDS))
    message = {"id": "msg_of_run_1", "role": "assistant", "run_id": "run_1"}
    content = [{"type": "text", "text": {"value": "Uno, due."}}]
    server.meets(
        "list_messages", httpx.Response(200, json={"data": [{**message, "content": content}]})
    )

    updates = list(server.chatbot().ask("Count"))

    assert shown(updates) == TEXT
    assert finished(updates).text == "Uno, due."


def test_words_whose_message_is_gone_are_not_taken_back() -> None:
    server = ScriptedAssistants(RunScript(WORDS, posts_message=False))

    last = finished(list(server.chatbot().ask("Count")))

    assert (last.text, last.message_id) == (TEXT, None)
