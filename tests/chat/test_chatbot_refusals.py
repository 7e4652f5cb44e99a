from collections.abc import Callable, Iterator

import httpx
import pytest

from streamlit_assistant.chatbot import ChatBot, ChatError, ErrorKind
from tests.chat.scripted_assistants import Mishap, ScriptedAssistants, both_modes, refusal
from tests.chat.scripted_runs import ScriptedBody
from tests.chat.updates import shown

# Every method that speaks to the API, with the operation it calls first.
METHODS: dict[str, tuple[str, Callable[[ChatBot], object]]] = {
    "ask": ("post_message", lambda bot: list(bot.ask("Hi"))),
    "retry": ("create_run", lambda bot: list(bot.retry())),
    "follow": ("retrieve_run", lambda bot: list(bot.follow("run_1"))),
    "latest_run": ("list_runs", lambda bot: bot.latest_run()),
    "stop": ("list_runs", lambda bot: bot.stop()),
    "messages": ("list_messages", lambda bot: bot.messages()),
    "message_count": ("list_messages", lambda bot: bot.message_count()),
    "limit_reached": ("list_messages", lambda bot: bot.limit_reached()),
    "threads": ("list_threads", lambda bot: bot.threads()),
}
every_method = pytest.mark.parametrize(("operation", "call"), METHODS.values(), ids=METHODS)


@both_modes
@every_method
@pytest.mark.parametrize(
    ("mishap", "kind"),
    [
        (httpx.ConnectError("[Errno 111] Connection refused"), "unreachable"),
        (httpx.ReadTimeout("timed out"), "unreachable"),
        (refusal(500), "server"),
        (refusal(429), "rate_limited"),
        (refusal(403), "unauthorized"),
        (refusal(400), "rejected"),
    ],
    ids=str,
)
def test_every_method_raises_a_chat_error_and_nothing_else(
    operation: str,
    call: Callable[[ChatBot], object],
    mishap: Mishap,
    kind: ErrorKind,
    streaming: bool,
) -> None:
    server = ScriptedAssistants(extensions=operation == "list_threads")
    thread_id = server.thread("Hi")
    server.meets(operation, *[mishap] * 1000)

    with pytest.raises(ChatError) as caught:
        call(server.chatbot(thread_id, streaming=streaming))

    assert caught.value.kind == kind


def test_a_line_that_breaks_within_a_refusal_is_a_broken_line() -> None:
    def torn() -> Iterator[bytes]:
        yield b'{"error": {"mess'
        raise httpx.ReadError("connection reset by peer")

    server = ScriptedAssistants()
    server.meets("create_run", *[httpx.Response(500, stream=ScriptedBody(torn()))])

    assert shown(server.chatbot().ask("Hi")) == "Hello there!"


def test_no_request_waits_for_ever() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot()

    list(bot.ask("Hi"))
    for _, call in METHODS.values():
        call(bot)

    timeouts = [request.extensions["timeout"] for _, request, _ in server.requests]
    assert all(timeout["connect"] == 5.0 for timeout in timeouts)
    assert all(timeout["read"] == 15.0 for timeout in timeouts)


@every_method
def test_a_server_of_something_else_is_told_as_such(
    operation: str, call: Callable[[ChatBot], object]
) -> None:
    # A page that is not mounted beside the API answers every address with its own HTML.
    server = ScriptedAssistants(extensions=False)
    thread_id = server.thread("Hi")
    html = httpx.Response(200, html="<html><body>Hello</body></html>")
    server.meets(operation, *[html] * 10)

    with pytest.raises(ChatError) as caught:
        call(server.chatbot(thread_id))

    assert caught.value.kind == "server"
    assert "<" not in caught.value.detail


@both_modes
@every_method
def test_a_wrong_key_is_refused_without_being_shown(
    operation: str, call: Callable[[ChatBot], object], streaming: bool
) -> None:
    server = ScriptedAssistants()
    wrong = "another-key-than-the-right-one"
    bot = server.chatbot(server.thread("Hi"), key=wrong, streaming=streaming)

    with pytest.raises(ChatError) as caught:
        call(bot)

    assert caught.value.kind == "unauthorized"
    assert caught.value.request_id == "req_401"
    assert wrong not in f"{caught.value!r} {caught.value.detail}"


@both_modes
@pytest.mark.parametrize("name", [name for name in METHODS if name != "threads"])
def test_an_unknown_thread_is_not_found(name: str, streaming: bool) -> None:
    _, call = METHODS[name]

    with pytest.raises(ChatError) as caught:
        call(ScriptedAssistants().chatbot("thread_gone", streaming=streaming))

    assert caught.value.kind == "not_found"


@both_modes
def test_an_unknown_run_is_not_found(streaming: bool) -> None:
    server = ScriptedAssistants()

    with pytest.raises(ChatError) as caught:
        list(server.chatbot(server.thread(), streaming=streaming).follow("run_gone"))

    assert (caught.value.kind, caught.value.detail) == (
        "not_found",
        "No run found with id 'run_gone'.",
    )


@pytest.mark.parametrize("thread_id", ["..", ".", "a/b", "thread_1?x=1", "#", "\x00", "线程"])
def test_an_id_that_is_none_leads_nowhere_else(thread_id: str) -> None:
    server = ScriptedAssistants()
    server.thread("Hi")

    with pytest.raises(ChatError) as caught:
        server.chatbot(thread_id).messages()

    assert caught.value.kind in ("not_found", "rejected")


@pytest.mark.parametrize("run_id", ["", "..", "../../threads"])
def test_a_run_id_that_is_none_leads_nowhere_else(run_id: str) -> None:
    server = ScriptedAssistants()

    with pytest.raises(ChatError) as caught:
        list(server.chatbot(server.thread()).follow(run_id))

    assert caught.value.kind in ("not_found", "rejected")
    assert all("/runs/" in request.url.raw_path.decode() for _, request, _ in server.requests)


@both_modes
def test_a_question_too_long_is_refused_and_the_thread_stays_usable(streaming: bool) -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(streaming=streaming)

    with pytest.raises(ChatError) as caught:
        list(bot.ask("a" * 256_001))

    assert caught.value.kind == "too_long"
    assert shown(bot.ask("Shorter")) == "Hello there!"


def test_a_question_that_is_no_unicode_is_refused() -> None:
    server = ScriptedAssistants()

    with pytest.raises(ChatError) as caught:
        list(server.chatbot().ask("\ud800"))

    assert caught.value.kind == "rejected"


@both_modes
def test_a_question_while_a_run_is_active_finds_the_thread_busy(streaming: bool) -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(server.thread("Hi"), streaming=streaming)
    server.run("thread_1")

    with pytest.raises(ChatError) as asked:
        list(bot.ask("And?"))
    with pytest.raises(ChatError) as retried:
        list(bot.retry())

    assert (asked.value.kind, retried.value.kind) == ("busy", "busy")
    assert asked.value.detail == "Can't add messages to thread_1 while a run run_1 is active."
    assert server.texts("thread_1") == [("user", "Hi")]


def test_reading_is_patient_for_a_moment() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(server.thread("Hi"))
    for operation in ("list_runs", "list_messages", "list_threads"):
        server.meets(operation, refusal(500), httpx.ConnectError("refused"), refusal(429))

    assert bot.latest_run() is None
    assert [message.text for message in bot.messages()] == ["Hi"]
    assert [thread.id for thread in bot.threads()] == ["thread_1"]


def test_reading_gives_up_before_the_page_looks_dead() -> None:
    server = ScriptedAssistants()
    bot = server.chatbot(server.thread("Hi"))
    server.meets("list_messages", *[refusal(500)] * 100)
    began = server.time.now

    with pytest.raises(ChatError):
        bot.messages()

    assert server.time.now - began <= 5
