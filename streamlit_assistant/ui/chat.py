"""Page layer: the open chat, from its first message to the one being written."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from streamlit_assistant.chatbot import ChatError
from streamlit_assistant.ui.composer import draw_composer, draw_greeting
from streamlit_assistant.ui.news import Look, watch_for_news
from streamlit_assistant.ui.notices import draw_last_notice, draw_notices, draw_problem
from streamlit_assistant.ui.session import Page
from streamlit_assistant.ui.transcript import Thread, draw_messages, draw_prompt
from streamlit_assistant.ui.turn import Turn, next_turn, play


def draw_chat(page: Page, thread: Thread) -> None:
    """Draw the chat, then follow the answer being written, if there is one, to its end."""
    # Until a script ends Streamlit leaves standing what the one before drew into a container, and
    # with an answer to follow that is long. So two chats in a row never share theirs: the empty
    # element wipes the one that was left.
    stages = (st.empty(), st.empty())
    notices = st.empty()
    stage = stages[page.state.opened % len(stages)].container(key="transcript")
    turn = next_turn(page, thread)
    closed = turn is None and _is_full(page)
    with stage:
        place = _draw_transcript(page, thread, turn)
    stop = draw_composer(page, answering=turn is not None, closed=closed)
    if turn is None:
        with notices.container(key="notices"):
            draw_notices(page, thread, full=closed)
        if page.bot.thread_id is not None and not page.temporary and not thread.problem:
            watch_for_news(page, Look())
        return
    with notices.container(key="notices"):
        draw_last_notice(page)
    problem = play(page, turn, place)
    stop.empty()
    with notices.container(key="problem"):
        draw_problem(page, problem)


def _draw_transcript(page: Page, thread: Thread, turn: Turn | None) -> DeltaGenerator:
    """Draw what is there and what waits, with a place for the answer between the two."""
    asked = turn.prompt if turn else None
    if turn or thread.messages or thread.problem or page.unsent:
        draw_messages(page, thread)
    else:
        draw_greeting(page)
    if asked:
        draw_prompt(asked.text)
    place = st.empty()
    for waiting in page.unsent:
        if waiting is not asked:
            draw_prompt(waiting.text, note=page.texts("transcript.waiting"))
    return place


def _is_full(page: Page) -> bool:
    try:
        return page.chat.limit_reached()
    except ChatError:
        return False  # the server will say so itself should it be
