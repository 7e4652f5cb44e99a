"""What a history in Kafka does beyond what every history does: reading on from a position."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from streamlit_assistant.history import KafkaHistory, open_history
from streamlit_assistant.history.kafka_log import log_at
from tests.start_process import ROOT


@pytest.fixture
def session() -> str:
    """A name that no other test uses."""
    return f"session-{uuid4().hex}"


Opened = Callable[..., KafkaHistory]


@pytest.fixture
def opened(kafka_servers: str, session: str) -> Opened:
    """Return a new history of the session."""

    def open_one(**options: Any) -> KafkaHistory:
        return KafkaHistory(session, kafka_servers, **options)

    return open_one


def say(history: KafkaHistory, *texts: str) -> None:
    """Add messages one by one, whose ids are their texts."""
    for text in texts:
        history.add_message(HumanMessage(text, id=text))


def said(messages: Sequence[BaseMessage]) -> list[str]:
    return [str(message.content) for message in messages]


def test_messages_continue_from_the_last_consumed_and_end_in_an_empty_list(opened: Opened) -> None:
    history = opened()
    assert history.messages == []
    say(history, "one", "two")

    assert said(history.messages) == ["one", "two"]
    assert history.messages == []
    say(history, "three")
    assert said(history.messages) == ["three"]
    assert history.messages == []


def test_every_object_of_a_session_shares_its_position(opened: Opened) -> None:
    say(opened(), "one", "two", "three")

    assert said(opened().messages_from_last_consumed(2)) == ["one", "two"]
    assert said(opened().messages) == ["three"]
    assert opened().messages == []


def test_the_position_outlives_the_process(
    opened: Opened, session: str, kafka_servers: str
) -> None:
    say(opened(), "one", "two", "three")
    program = (
        "from streamlit_assistant.history import KafkaHistory\n"
        f"history = KafkaHistory({session!r}, {kafka_servers!r})\n"
        "print(*[message.content for message in history.messages_from_last_consumed(1)])\n"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]

    assert outputs == ["one\n", "two\n"]
    assert said(opened().messages) == ["three"]


def test_what_was_added_at_once_can_be_consumed_in_parts(opened: Opened) -> None:
    history = opened()
    history.add_messages([HumanMessage(str(number)) for number in range(5)])
    say(history, "5", "6")

    assert said(history.messages_from_last_consumed(2)) == ["0", "1"]
    assert said(opened().messages_from_last_consumed(2)) == ["2", "3"]
    assert said(opened().messages_from_last_consumed(2)) == ["4", "5"]
    assert said(opened().messages_from_last_consumed(2)) == ["6"]
    assert opened().messages_from_last_consumed(2) == []


def test_the_position_passes_over_what_is_doubled_or_removed(opened: Opened) -> None:
    history = opened()
    say(history, "one", "one", "two", "three")
    history.remove_messages(["two"])
    say(history, "two", "four", "one")

    assert said(history.messages_from_last_consumed(1)) == ["one"]
    assert said(history.messages_from_last_consumed(1)) == ["three"]
    assert said(history.messages) == ["four"]
    assert history.messages == []


def test_reading_from_elsewhere_leaves_the_position(opened: Opened) -> None:
    history = opened()
    say(history, "one", "two")
    assert said(history.messages) == ["one", "two"]
    say(history, "three")

    assert said(history.messages_from_beginning()) == ["one", "two", "three"]
    assert said(history.messages_from_beginning(2)) == ["one", "two"]
    assert history.messages_from_beginning(0) == []
    assert history.messages_from_latest(max_time_sec=None) == []
    assert said(history.messages) == ["three"]


def test_messages_from_latest_are_those_written_from_now_on(opened: Opened) -> None:
    history = opened()
    say(history, "old")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(history.messages_from_latest, None, 20.0)
        threading.Event().wait(0.2)
        say(opened(), "new")

        assert said(waiting.result()) == ["new"]
    assert said(history.messages) == ["old", "new"]


def test_waiting_ends_with_the_first_message(opened: Opened) -> None:
    reads = ["messages_from_beginning", "messages_from_last_consumed", "messages_from_latest"]
    with ThreadPoolExecutor(len(reads)) as pool:
        waiting = [pool.submit(getattr(opened(), read), 1, 20.0) for read in reads]
        threading.Event().wait(0.2)
        say(opened(), "one", "two")

        assert [said(read.result()) for read in waiting] == [["one"]] * len(reads)


def test_waiting_ends_after_the_time_given(opened: Opened) -> None:
    history = opened()

    assert history.messages_from_beginning(max_time_sec=0.05) == []
    assert history.messages_from_last_consumed(max_time_sec=0.05) == []
    assert history.messages_from_latest(max_time_sec=0.05) == []


def test_a_cleared_session_is_consumed_from_its_new_beginning(opened: Opened) -> None:
    history = opened()
    say(history, "one", "two")
    assert said(history.messages_from_last_consumed(1)) == ["one"]
    history.clear()
    assert history.messages == []
    say(history, "three")

    assert said(opened().messages) == ["three"]


def test_the_whole_transcript_leaves_the_position(opened: Opened, session: str) -> None:
    whole = opened(messages_from="beginning")
    say(whole, "one", "two")

    assert said(whole.messages) == said(whole.messages) == ["one", "two"]
    assert said(opened().messages) == ["one", "two"]
    assert said(whole.messages) == ["one", "two"]


def test_a_history_opened_by_its_url_is_the_whole_transcript(
    kafka_url: str, session: str, opened: Opened
) -> None:
    history = open_history(f"{kafka_url}/?partition=2", session)
    history.add_messages([HumanMessage("one"), AIMessage("two")])

    assert said(history.messages) == said(history.messages) == ["one", "two"]
    assert said(opened().messages) == ["one", "two"]


def test_the_async_twins_of_reading_do_the_same(opened: Opened) -> None:
    history = opened()
    say(history, "one", "two")

    async def talk() -> list[list[BaseMessage]]:
        return [
            await history.amessages_from_beginning(1),
            await history.amessages_from_last_consumed(1),
            await history.amessages_from_latest(1, None),
            await history.aget_messages(),
            await history.aget_messages(),
        ]

    assert [said(messages) for messages in asyncio.run(talk())] == [
        *(["one"], ["one"], [], ["two"], [])
    ]


def test_what_cannot_be_meant_is_refused(opened: Opened) -> None:
    with pytest.raises(ValueError, match="last_consumed, beginning"):
        opened(messages_from="end")
    with pytest.raises(ValueError, match="max_message_count"):
        opened().messages_from_beginning(-1)


def test_a_log_and_a_history_of_a_session_are_one(
    kafka_url: str, session: str, opened: Opened
) -> None:
    log = log_at(kafka_url, session)
    say(opened(), "Käse")

    assert log.search(["kase"], 3) == log.read()
    log.remove(["Käse"])
    assert opened(messages_from="beginning").messages == []
    log.close()
    log.close()
