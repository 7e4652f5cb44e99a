"""A chat of which only the session keeps what was said."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from streamlit_assistant.chat.temporary_chat import (
    LONGEST_COPIED,
    MOST_COPIED,
    MOST_COPIED_BYTES,
    Copied,
    TemporaryChat,
)
from streamlit_assistant.chatbot import ChatError, ChatMessage
from tests.chat.scripted_assistants import (
    LostAnswer,
    ScriptedAssistants,
    both_modes,
    refusal,
)
from tests.chat.scripted_runs import RunScript
from tests.chat.updates import finished, shown

HI = [("user", "Hi"), ("assistant", "Hello there!")]


@dataclass
class Transcript:
    """A transcript in memory."""

    kept: list[ChatMessage] = field(default_factory=list)

    def read(self) -> Sequence[ChatMessage]:
        return self.kept

    def append(self, messages: Sequence[ChatMessage]) -> None:
        known = {message.id for message in self.kept}
        assert not known & {message.id for message in messages}
        self.kept.extend(messages)

    def clear(self) -> None:
        self.kept.clear()

    @property
    def texts(self) -> list[tuple[str, str]]:
        return [(message.role, message.text) for message in self.kept]


class Talk:
    """A temporary chat with a scripted server, and what the session keeps of it."""

    def __init__(self, *scripts: RunScript, **options: Any) -> None:
        self.server = ScriptedAssistants(*scripts)
        self.bot = self.server.chatbot(**options)
        self.transcript = Transcript()
        self.copied = Copied()

    @property
    def chat(self) -> TemporaryChat:
        """As after a new run of the page's script."""
        return TemporaryChat(self.bot, self.transcript, self.copied)

    def ask(self, text: str) -> str:
        answer = shown(self.chat.ask(text))
        self.chat.latest_run()
        return answer

    def in_thread(self) -> list[tuple[str, str]]:
        return self.server.texts(self.bot.thread_id)

    def forget(self) -> None:
        """As the server does after an hour."""
        self.server.threads.clear()

    def first_messages(self) -> list[dict[str, str]]:
        """What the newest thread was made of."""
        body = json.loads(self.server.asked("create_thread")[-1].content)
        messages: list[dict[str, str]] = body.get("messages", [])
        return messages


def said(role: str, text: str, number: int = 0, status: str = "completed") -> ChatMessage:
    return ChatMessage(f"old_{number}", role, text, status, None, None, 0)


@both_modes
def test_what_was_said_is_in_the_transcript_once(streaming: bool) -> None:
    talk = Talk(streaming=streaming)

    assert talk.ask("Hi") == "Hello there!"
    assert talk.ask("And?") == "Hello there!"

    assert talk.transcript.texts == [*HI, ("user", "And?"), ("assistant", "Hello there!")]
    assert [message.text for message in talk.chat.messages()] == [
        *("Hi", "Hello there!", "And?", "Hello there!"),
    ]
    assert len(talk.server.threads) == 1
    assert talk.server.temporary == {talk.bot.thread_id}


def test_its_name_does_not_say_where_it_is() -> None:
    talk = Talk()
    talk.ask("Hi")

    assert talk.chat.thread_id == "temporary"
    assert talk.bot.thread_id == "thread_1"


def test_an_ordinary_thread_is_not_said_to_be_temporary() -> None:
    server = ScriptedAssistants()

    list(server.chatbot().ask("Hi"))

    assert json.loads(server.asked("create_thread")[0].content or "{}") == {}


def test_reading_again_adds_nothing() -> None:
    talk = Talk()
    talk.ask("Hi")

    for _ in range(3):
        run = talk.chat.latest_run()
        assert run is not None and not run.active

    assert talk.transcript.texts == HI


def test_an_answer_that_is_being_written_is_not_in_the_transcript_yet() -> None:
    talk = Talk()
    list(talk.chat.ask("Hi"))
    thread = talk.server.threads["thread_1"]
    thread[-1]["status"] = "in_progress"

    talk.chat.latest_run()
    assert talk.transcript.texts == HI[:1]

    thread[-1]["status"] = "incomplete"
    thread[-1]["incomplete_details"] = {"reason": "run_cancelled"}
    talk.chat.latest_run()
    assert talk.transcript.texts == HI
    assert talk.transcript.kept[-1].incomplete_reason == "run_cancelled"


def test_many_messages_are_taken_over_page_by_page() -> None:
    talk = Talk()
    talk.ask("Hi")
    for number in range(250):
        talk.server.say("thread_1", str(number))

    talk.chat.latest_run()

    assert [text for _, text in talk.transcript.texts[2:]] == [str(n) for n in range(250)]


@both_modes
def test_a_thread_that_is_gone_is_made_again_of_the_transcript(streaming: bool) -> None:
    talk = Talk(streaming=streaming)
    talk.ask("Hi")
    talk.forget()
    assert talk.chat.latest_run() is None
    assert talk.transcript.texts == HI

    talk.ask("Where were we?")

    whole = [*HI, ("user", "Where were we?"), ("assistant", "Hello there!")]
    assert talk.in_thread() == talk.transcript.texts == whole
    assert talk.server.temporary == {"thread_1", "thread_2"}
    assert [message.id for message in talk.transcript.kept[:2]] == ["msg_1", "msg_of_run_1"]


def test_a_thread_is_made_again_as_often_as_it_takes() -> None:
    talk = Talk()
    for number in range(4):
        talk.ask(str(number))
        talk.forget()
        talk.chat.latest_run()

    talk.ask("4")

    assert [text for role, text in talk.in_thread() if role == "user"] == [*"01234"]
    assert talk.in_thread() == talk.transcript.texts


def test_an_answer_can_be_asked_for_again_in_a_thread_made_again() -> None:
    talk = Talk()
    talk.transcript.kept = [said("user", "Tell me."), said("assistant", "On", 1, "incomplete")]

    list(talk.chat.retry())
    talk.chat.latest_run()

    # Taken for a whole answer, the broken one would be gone on from and not replaced.
    assert talk.in_thread() == [("user", "Tell me."), ("assistant", "Hello there!")]
    assert talk.transcript.texts[1:] == [("assistant", "On"), ("assistant", "Hello there!")]


def test_a_broken_answer_further_up_is_part_of_the_thread_made_again() -> None:
    talk = Talk()
    talk.transcript.kept = [said("user", "Tell me."), said("assistant", "On", 1, "incomplete")]

    talk.ask("Never mind.")

    assert talk.in_thread()[:2] == [("user", "Tell me."), ("assistant", "On")]


def test_a_message_without_words_is_left_out_of_a_thread_made_again() -> None:
    talk = Talk()
    talk.transcript.kept = [said("user", "Draw."), said("assistant", "", 1)]

    talk.ask("Again.")

    assert [text for _, text in talk.in_thread()] == ["Draw.", "Again.", "Hello there!"]
    assert [text for _, text in talk.transcript.texts] == ["Draw.", "", "Again.", "Hello there!"]


def test_no_more_is_given_to_a_new_thread_than_it_takes() -> None:
    talk = Talk()
    talk.transcript.kept = [said("user", str(n), n) for n in range(MOST_COPIED + 5)]
    talk.ask("Hi")

    first = talk.first_messages()
    assert [given["content"] for given in first] == [str(n + 5) for n in range(MOST_COPIED)]
    assert len(talk.transcript.kept) == MOST_COPIED + 7


def test_a_new_thread_is_made_of_the_newest_where_all_would_be_too_large() -> None:
    talk = Talk()
    long = "好" * LONGEST_COPIED
    talk.transcript.kept = [said("user", long + "more", n) for n in range(30)]
    talk.ask("Hi")

    first = talk.first_messages()
    assert {given["content"] for given in first} == {long}
    assert len(first) == MOST_COPIED_BYTES // len(long.encode())
    assert len(talk.server.asked("create_thread")[-1].content) < 16 * 1024 * 1024


@pytest.mark.parametrize("mishap", [LostAnswer(), refusal(503), httpx.ConnectError("no")], ids=str)
def test_passing_trouble_makes_one_thread(mishap: Any) -> None:
    talk = Talk()
    talk.transcript.kept = [said("user", "Before.")]
    talk.server.meets("create_thread", mishap)

    talk.ask("Hi")

    assert list(talk.server.threads) == ["thread_1"]
    assert talk.in_thread() == [("user", "Before."), *HI]


def test_a_thread_that_could_not_be_made_can_be_made_later() -> None:
    talk = Talk()
    talk.server.meets("create_thread", refusal(400, "Not today."))
    with pytest.raises(ChatError, match="Not today"):
        talk.ask("Hi")

    assert talk.ask("Hi") == "Hello there!"
    assert talk.transcript.texts == HI


def test_a_question_that_could_not_be_posted_leaves_nothing_doubled() -> None:
    talk = Talk()
    talk.transcript.kept = [said("user", "Before.")]
    talk.server.meets("post_message", refusal(400, "Not today."))
    with pytest.raises(ChatError, match="Not today"):
        talk.ask("Hi")
    talk.chat.latest_run()

    talk.ask("Hi")

    assert talk.transcript.texts == talk.in_thread() == [("user", "Before."), *HI]


@pytest.mark.parametrize("kind", ["unreachable", "unauthorized", "rejected", "server"])
def test_other_trouble_while_reading_is_told_and_the_thread_kept(kind: str) -> None:
    answer = {"unreachable": 408, "unauthorized": 401, "rejected": 400, "server": 500}[kind]
    talk = Talk()
    talk.ask("Hi")
    talk.server.meets("list_runs", *[refusal(answer)] * 100)

    with pytest.raises(ChatError) as caught:
        talk.chat.latest_run()

    assert caught.value.kind == kind
    assert talk.bot.thread_id == "thread_1"
    assert [message.text for message in talk.chat.messages()] == ["Hi", "Hello there!"]


def test_messages_are_read_page_by_page_without_a_request() -> None:
    talk = Talk()
    talk.transcript.kept = [said("user", str(n), n) for n in range(95)]

    read: list[str] = []
    page = talk.chat.messages()
    while page:
        read = [message.text for message in page] + read
        page = talk.chat.messages(before=page[0].id)

    assert read == [str(n) for n in range(95)]
    assert talk.server.requests == []


def test_stop_keeps_what_there_is() -> None:
    talk = Talk(RunScript(looks=("in_progress",) * 100), streaming=False)
    updates = talk.chat.ask("Hi")
    next(updates)

    talk.chat.stop()

    run = talk.chat.latest_run()
    assert run is not None and run.status == "cancelled"
    assert talk.transcript.texts == HI[:1]


def test_an_answer_found_running_is_followed() -> None:
    talk = Talk()
    updates = talk.chat.ask("Hi")
    next(updates)
    updates.close()
    run = talk.chat.latest_run()
    assert run is not None and run.active

    assert finished(list(talk.chat.follow(run.id))).text == "Hello there!"


def test_it_is_full_when_its_transcript_is() -> None:
    talk = Talk(message_limit=2)
    assert not talk.chat.limit_reached()

    talk.ask("Hi")
    talk.forget()

    assert talk.chat.limit_reached()


def test_the_end_leaves_nothing() -> None:
    talk = Talk()
    talk.ask("Hi")

    talk.chat.end()

    assert talk.transcript.kept == []
    assert talk.server.threads == {}
    assert talk.bot.thread_id is None


def test_the_end_of_one_that_never_began_asks_nothing() -> None:
    talk = Talk()

    talk.chat.end()

    assert talk.server.requests == []


@pytest.mark.parametrize("answer", [refusal(404), refusal(500), httpx.ConnectError("no")], ids=str)
def test_it_ends_here_whatever_the_server_says(answer: Any) -> None:
    talk = Talk()
    talk.ask("Hi")
    talk.server.meets("delete_thread", *[answer] * 100)

    talk.chat.end()

    assert talk.transcript.kept == []
    assert talk.bot.thread_id is None
