import httpx
import pytest

from streamlit_assistant.chatbot import ChatMessage, ChatThread, Picture, RunState
from tests.chat.scripted_assistants import LostAnswer, ScriptedAssistants, refusal
from tests.chat.scripted_runs import RunScript


def test_a_new_chat_has_nothing_and_asks_for_nothing() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot()

    assert bot.messages() == []
    assert bot.latest_run() is None
    assert bot.message_count() == 0
    assert not bot.limit_reached()
    bot.stop()
    assert server.requests == []


def test_messages_are_the_newest_with_the_oldest_first() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(server.thread(*(f"{number}" for number in range(100))))

    assert [message.text for message in bot.messages(limit=3)] == ["97", "98", "99"]
    assert len(bot.messages()) == 40


def test_messages_page_back_to_the_first_without_gap_or_overlap() -> None:
    texts = [f"{number}" for number in range(95)]
    server = ScriptedAssistants()
    bot = server.chatbot(server.thread(*texts))

    read: list[str] = []
    page = bot.messages()
    while page:
        read = [message.text for message in page] + read
        page = bot.messages(before=page[0].id)

    assert read == texts


def test_a_message_is_read_with_what_the_page_shows_of_it() -> None:
    server = ScriptedAssistants(RunScript(("Hello!",)))
    bot = server.chatbot()
    list(bot.ask("Hi"))
    now = int(server.time.wall())

    assert bot.messages() == [
        ChatMessage("msg_1", "user", "Hi", "completed", None, None, now),
        ChatMessage("msg_of_run_1", "assistant", "Hello!", "completed", None, "run_1", now),
    ]


def test_an_incomplete_message_says_why() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(server.thread())
    server.meets(
        "list_messages",
        httpx.Response(
            200,
            json={
                "data": [
                    {
                        "id": "msg_1",
                        "role": "assistant",
                        "created_at": 1_795_000_000,
                        "status": "incomplete",
                        "incomplete_details": {"reason": "run_cancelled"},
                        "run_id": "run_1",
                        "content": [
                            {"type": "text", "text": {"value": "So", "annotations": []}},
                            {"type": "image_file", "image_file": {"file_id": "file-1"}},
                            {"type": "text", "text": {"value": "far", "annotations": []}},
                        ],
                    }
                ]
            },
        ),
    )

    assert bot.messages() == [
        ChatMessage(
            id="msg_1",
            role="assistant",
            text="So\n\nfar",
            status="incomplete",
            incomplete_reason="run_cancelled",
            run_id="run_1",
            created_at=1_795_000_000,
            pictures=(Picture("file-1", 2),),
        )
    ]


def test_the_latest_run_tells_whether_there_is_something_to_follow() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(server.thread("Hi"))
    server.run("thread_1").over = True
    server.run("thread_1")

    running = bot.latest_run()
    assert running == RunState("run_2", "queued", None, None)
    assert running.active

    list(bot.follow(running.id))

    ended = bot.latest_run()
    assert ended == RunState("run_2", "completed", None, None)
    assert not ended.active


@pytest.mark.parametrize(
    ("status", "active"),
    [
        ("queued", True),
        ("in_progress", True),
        ("cancelling", True),
        ("a status of next year", True),
        ("requires_action", False),
        ("completed", False),
        ("failed", False),
        ("cancelled", False),
        ("incomplete", False),
        ("expired", False),
    ],
)
def test_a_run_is_active_while_more_is_to_come(status: str, active: bool) -> None:
    assert RunState("run_1", status, None, None).active is active


def test_threads_are_listed_last_active_first() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot()
    for _ in range(3):
        server.thread("Hi")

    assert bot.threads(limit=2) == [
        ChatThread("thread_3", "", 102),
        ChatThread("thread_2", "", 101),
    ]


def test_threads_have_titles_and_a_time() -> None:
    server = ScriptedAssistants()
    listed = [
        {"id": "thread_1", "title": "A walk", "created_at": 5, "last_active_at": 7},
        {"id": "thread_2", "title": None, "created_at": 5, "last_active_at": None},
        {"id": "thread_3", "created_at": 5},
    ]
    server.meets("list_threads", httpx.Response(200, json={"data": listed}))

    assert server.chatbot().threads() == [
        ChatThread("thread_1", "A walk", 7),
        ChatThread("thread_2", "", 5),
        ChatThread("thread_3", "", 5),
    ]


def test_a_server_without_a_list_of_threads_lists_none() -> None:
    server = ScriptedAssistants(extensions=False)
    server.thread("Hi")

    assert server.chatbot().threads() == []


def test_the_limit_counts_all_messages_of_the_thread() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(server.thread("1"), message_limit=3)

    assert (bot.message_count(), bot.limit_reached()) == (1, False)
    list(bot.ask("2"))
    assert (bot.message_count(), bot.limit_reached()) == (3, True)


def test_the_limit_is_a_thousand_messages() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(server.thread(*["Hi"] * 998))

    assert not bot.limit_reached()
    list(bot.ask("One more"))
    assert bot.limit_reached()


@pytest.mark.parametrize("count", [None, "", "many", "-1"])
def test_without_a_count_there_is_no_limit(count: str | None) -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(server.thread("Hi"), message_limit=1)
    headers = {} if count is None else {"x-message-count": count}
    answer = httpx.Response(200, json={"data": []}, headers=headers)
    server.meets("list_messages", answer, answer)

    assert bot.message_count() is None
    assert not bot.limit_reached()


def test_stopping_cancels_the_run_and_keeps_what_it_wrote() -> None:
    server = ScriptedAssistants(RunScript(looks=("in_progress",) * 100))
    bot = server.chatbot(streaming=False)
    updates = bot.ask("Hi")
    next(updates)

    bot.stop()

    assert [request.url.path for request in server.asked("cancel_run")] == [
        "/v1/threads/thread_1/runs/run_1/cancel"
    ]
    run = bot.latest_run()
    assert run is not None and run.status == "cancelled"


@pytest.mark.parametrize(
    "status", ["completed", "failed", "cancelled", "incomplete", "expired", "cancelling"]
)
def test_stopping_leaves_a_run_alone_that_is_over_or_stopping(status: str) -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(server.thread("Hi"))
    runs = {"data": [{"id": "run_1", "status": status}]}
    server.meets("list_runs", httpx.Response(200, json=runs))

    bot.stop()

    assert server.asked("cancel_run") == []


def test_stopping_frees_a_thread_that_waits_for_tools() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(server.thread("Hi"))
    run = server.run("thread_1", RunScript(looks=("requires_action",)))

    bot.stop()

    assert run.cancelled


def test_stopping_a_run_that_ends_at_the_same_moment_is_no_error() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(server.thread("Hi"))
    run = server.run("thread_1")
    stale = httpx.Response(200, json={"data": [run.body("in_progress")]})
    server.meets("list_runs", stale)
    run.over = True

    bot.stop()

    assert len(server.asked("cancel_run")) == 1


def test_stopping_once_more_because_the_answer_was_lost_is_no_error() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(server.thread("Hi"))
    server.run("thread_1")
    server.meets("cancel_run", LostAnswer())

    bot.stop()

    first, second = server.asked("cancel_run")
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert len(server.asked("list_runs")) == 1


def test_stopping_says_so_when_the_run_goes_on() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(server.thread("Hi"))
    server.run("thread_1")
    server.meets("cancel_run", refusal(400, "Not today."))

    with pytest.raises(Exception, match="Not today"):
        bot.stop()


def test_stopping_again_after_a_lost_answer_does_no_harm() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(server.thread("Hi"))
    run = server.run("thread_1")
    server.meets("cancel_run", refusal(502), httpx.ReadError("reset"))

    bot.stop()

    assert run.cancelled
