import itertools

import httpx
import pytest

from streamlit_assistant.chatbot import ChatError, Ending, Finished, TextDelta, Waiting
from tests.chat.scripted_assistants import ScriptedAssistants, both_modes
from tests.chat.scripted_runs import RunScript
from tests.chat.updates import finished, shown, waits

without_extensions = pytest.mark.parametrize("extensions", [True, False], ids=["ours", "foreign"])


@both_modes
@without_extensions
def test_the_first_question_makes_a_thread_and_is_answered(
    streaming: bool, extensions: bool
) -> None:
    server = ScriptedAssistants(extensions=extensions)
    bot = server.chatbot(streaming=streaming)

    updates = list(bot.ask("Hi"))

    assert bot.thread_id == "thread_1"
    assert server.texts(bot.thread_id) == [("user", "Hi"), ("assistant", "Hello there!")]
    assert shown(updates) == "Hello there!"
    assert finished(updates) == Finished(
        ending=Ending.COMPLETED,
        text="Hello there!",
        message_id="msg_of_run_1",
        error_message=None,
        error_code=None,
        request_id="req_stream" if streaming else "req_run",
    )


@both_modes
def test_the_second_question_goes_to_the_same_thread(streaming: bool) -> None:
    server = ScriptedAssistants(RunScript(("One.",)), RunScript(("Two.",)))
    bot = server.chatbot(streaming=streaming)

    first, second = list(bot.ask("1?")), list(bot.ask("2?"))

    assert [shown(first), shown(second)] == ["One.", "Two."]
    assert len(server.asked("create_thread")) == 1
    assert server.texts(bot.thread_id) == [
        ("user", "1?"),
        ("assistant", "One."),
        ("user", "2?"),
        ("assistant", "Two."),
    ]


def test_streamed_words_come_one_by_one() -> None:
    server = ScriptedAssistants(RunScript(("Hel", "lo", "\u2028", "你好", " 🐢")))

    updates = list(server.chatbot().ask("Hi"))

    deltas = [update.text for update in updates if isinstance(update, TextDelta)]
    assert deltas == ["Hel", "lo", "\u2028", "你好", " 🐢"]


def test_a_polled_answer_comes_in_one_piece() -> None:
    server = ScriptedAssistants()

    updates = list(server.chatbot(streaming=False).ask("Hi"))

    assert [update for update in updates if isinstance(update, TextDelta)] == [
        TextDelta("Hello there!")
    ]
    assert server.bodies == []


def test_a_slow_answer_gives_signs_of_life_by_the_servers_heartbeats() -> None:
    server = ScriptedAssistants(RunScript(heartbeats=40))
    updates = list(server.chatbot().ask("Hi"))

    times = {wait.elapsed for wait in waits(updates)}

    assert times == {0.25 * beat for beat in range(41)}
    assert {wait.status for wait in waits(updates)} == {"queued", "in_progress"}
    assert shown(updates) == "Hello there!"


def test_a_slow_answer_without_heartbeats_arrives_all_the_same() -> None:
    server = ScriptedAssistants(RunScript(heartbeats=40), extensions=False)

    assert shown(server.chatbot().ask("Hi")) == "Hello there!"


def test_a_slow_answer_that_is_polled_gives_signs_of_life_four_times_a_second() -> None:
    server = ScriptedAssistants(RunScript(looks=("queued",) * 3 + ("in_progress",) * 20))
    updates = list(server.chatbot(streaming=False).ask("Hi"))

    times = [wait.elapsed for wait in waits(updates)]
    gaps = [later - sooner for sooner, later in itertools.pairwise(times)]

    assert times[-1] > 60
    assert max(gaps) <= 0.25 + 1e-9
    assert [waits(updates)[0].status, waits(updates)[-1].status] == ["queued", "in_progress"]


@both_modes
def test_a_run_without_a_message_finishes_with_none(streaming: bool) -> None:
    server = ScriptedAssistants(RunScript((), posts_message=False))

    last = finished(list(server.chatbot(streaming=streaming).ask("Hi")))

    assert (last.ending, last.text, last.message_id) == (Ending.COMPLETED, "", None)


@both_modes
@pytest.mark.parametrize("prompt", ["", " ", "\n\t  \u3000"])
def test_an_empty_question_is_refused_before_anything_is_sent(prompt: str, streaming: bool) -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(streaming=streaming)

    with pytest.raises(ChatError) as caught:
        bot.ask(prompt)

    assert caught.value.kind == "rejected"
    assert server.requests == []
    assert bot.thread_id is None


def test_a_question_is_posted_as_it_was_written() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot()
    prompt = "  def f():\n\treturn '你好 🐢 \u2028'  \n"

    list(bot.ask(prompt))

    assert server.texts(bot.thread_id)[0] == ("user", prompt)


@both_modes
def test_asking_the_same_twice_posts_it_twice(streaming: bool) -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(streaming=streaming)

    list(bot.ask("Again"))
    list(bot.ask("Again"))

    assert server.texts(bot.thread_id).count(("user", "Again")) == 2


@both_modes
def test_retrying_answers_the_thread_anew_without_a_new_message(streaming: bool) -> None:
    server = ScriptedAssistants(RunScript((), ending="failed", posts_message=False), RunScript())
    bot = server.chatbot(streaming=streaming)
    assert finished(list(bot.ask("Hi"))).ending is Ending.FAILED

    updates = list(bot.retry())

    assert finished(updates).ending is Ending.COMPLETED
    assert server.texts(bot.thread_id) == [("user", "Hi"), ("assistant", "Hello there!")]


def test_no_chat_can_be_retried_or_followed_before_one_is_open() -> None:
    bot = ScriptedAssistants().chatbot(thread_id="")

    for attempt in (bot.retry, lambda: bot.follow("run_1")):
        with pytest.raises(ChatError) as caught:
            attempt()
        assert caught.value.kind == "not_found"


@both_modes
def test_closing_the_updates_hangs_up_and_lets_the_run_go_on(streaming: bool) -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(streaming=streaming)
    updates = bot.ask("Hi")
    next(updates)

    updates.close()

    assert all(body.closed for body in server.bodies)
    assert len(server.bodies) == streaming
    assert server.asked("cancel_run") == []
    run = bot.latest_run()
    assert run is not None and run.active
    assert shown(bot.follow(run.id)) == "Hello there!"


def test_a_stream_read_to_its_end_is_closed() -> None:
    server = ScriptedAssistants()

    list(server.chatbot().ask("Hi"))

    assert [body.closed for body in server.bodies] == [True]


@both_modes
@without_extensions
def test_a_running_run_is_followed_from_its_first_word(streaming: bool, extensions: bool) -> None:
    server = ScriptedAssistants(extensions=extensions)
    run = server.run(server.thread("Hi"))

    updates = list(server.chatbot("thread_1", streaming=streaming).follow(run.id))

    assert shown(updates) == finished(updates).text == "Hello there!"


@both_modes
def test_a_run_that_has_ended_is_shown_in_full(streaming: bool) -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(streaming=streaming)
    first = list(bot.ask("Hi"))

    again = list(bot.follow("run_1"))

    assert shown(again) == shown(first)
    assert finished(again).ending is Ending.COMPLETED


def test_followers_do_not_disturb_each_other() -> None:
    server = ScriptedAssistants()
    run = server.run(server.thread("Hi"))
    one, two = (server.chatbot("thread_1").follow(run.id) for _ in range(2))

    pairs = list(zip(one, two, strict=True))

    assert [shown(updates) for updates in zip(*pairs, strict=True)] == ["Hello there!"] * 2


def test_heartbeats_are_asked_for_when_streaming() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot()

    list(bot.ask("Hi"))
    list(bot.follow("run_1"))

    for request in server.asked("create_run") + server.asked("run_events"):
        assert request.headers["x-heartbeat-seconds"] == "0.25"


def test_the_first_update_comes_only_when_the_run_exists() -> None:
    server = ScriptedAssistants()

    first = next(server.chatbot().ask("Hi"))

    assert first == Waiting(0.0, "queued")
    assert len(server.runs) == 1


@both_modes
def test_a_server_that_ignores_the_run_filter_does_not_pass_off_another_message(
    streaming: bool,
) -> None:
    script = RunScript((), ending="failed", posts_message=False)
    server = ScriptedAssistants(script, extensions=False)

    last = finished(list(server.chatbot(streaming=streaming).ask("Hi")))

    assert (last.text, last.message_id) == ("", None)


@both_modes
def test_the_thread_has_the_last_word_about_the_text(streaming: bool) -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(streaming=streaming)
    edited = httpx.Response(
        200,
        json={
            "data": [
                {
                    "id": "msg_9",
                    "role": "assistant",
                    "run_id": "run_1",
                    "content": [{"type": "text", "text": {"value": "Hello there! More."}}],
                }
            ]
        },
    )
    server.meets("list_messages", edited)

    assert finished(list(bot.ask("Hi"))).text == "Hello there! More."
