"""What was said in a temporary chat, in a session's state."""

import json
from typing import Any

from streamlit_assistant.chatbot import ChatMessage, OfferedFile, Picture
from streamlit_assistant.history.langchain_messages import message_of
from streamlit_assistant.ui.session_transcript import KEY, SessionTranscript

QUESTION = ChatMessage(
    "msg_1", "user", "Grüße, 世界! 👩‍👩‍👧\n\0", "completed", None, None, 1_795_000_000
)
ANSWER = ChatMessage(
    id="msg_2",
    role="assistant",
    text="So\n\nfar [a](sandbox:/a.csv)",
    status="incomplete",
    incomplete_reason="run_cancelled",
    run_id="run_1",
    created_at=1_795_000_001,
    reasoning="Hm.",
    pictures=(Picture("file-1", 2), Picture("file-2", 2)),
    files=(OfferedFile("file-3", "a.csv"),),
)


def test_messages_come_back_as_they_were() -> None:
    state: dict[str, Any] = {}
    SessionTranscript(state).append([QUESTION])
    SessionTranscript(state).append([ANSWER])

    assert SessionTranscript(state).read() == [QUESTION, ANSWER]


def test_a_message_counts_once() -> None:
    transcript = SessionTranscript({})
    transcript.append([QUESTION, ANSWER])
    transcript.append([QUESTION])

    assert transcript.read() == [QUESTION, ANSWER]


def test_what_is_forgotten_is_gone() -> None:
    state: dict[str, Any] = {}
    transcript = SessionTranscript(state)
    transcript.append([QUESTION, ANSWER])

    transcript.clear()

    assert transcript.read() == []
    assert "世界" not in str(state)
    transcript.append([QUESTION])
    assert transcript.read() == [QUESTION]


def test_sessions_do_not_share() -> None:
    SessionTranscript({}).append([QUESTION])

    assert SessionTranscript({}).read() == []


def test_it_is_plain_data() -> None:
    state: dict[str, Any] = {}
    SessionTranscript(state).append([QUESTION, ANSWER])

    assert json.loads(json.dumps(state)) == state


def test_langchain_reads_it() -> None:
    state: dict[str, Any] = {}
    SessionTranscript(state).append([QUESTION, ANSWER])

    messages = [message_of(body) for body, _ in state[KEY]["messages"].values()]

    assert [(message.type, message.id, message.content) for message in messages] == [
        ("human", "msg_1", QUESTION.text),
        ("ai", "msg_2", ANSWER.text),
    ]
