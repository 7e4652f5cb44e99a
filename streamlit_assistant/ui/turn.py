"""Page layer: the answer that is being written, new or found running."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from streamlit_assistant.chatbot import ChatError, Ending, Finished, TextDelta, Update, Waiting
from streamlit_assistant.ui.answer import AnswerView
from streamlit_assistant.ui.session import Page, Problem, Unsent, follow_address
from streamlit_assistant.ui.transcript import Thread


class Updates(Protocol):
    """What a ChatBot hands out: updates, until closed."""

    def __iter__(self) -> Iterator[Update]: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Turn:
    """An answer to follow, and the prompt it answers if that is yet to be posted."""

    updates: Updates
    prompt: Unsent | None = None


def next_turn(page: Page, thread: Thread) -> Turn | None:
    """What there is to follow: the answer that runs, else to what waits, else to what lacks one."""
    wants_answer, page.state.wants_answer = page.state.wants_answer, False
    if thread.problem:
        return None
    if run := thread.active_run:
        return Turn(page.chat.follow(run.id))
    if page.unsent:
        first = page.unsent[0]
        if first.problem:
            return None
        first.tried, first.after = True, page.state.newest
        return Turn(page.chat.ask(first.text), first)
    return Turn(page.chat.retry()) if wants_answer and thread.is_unfinished else None


def play(page: Page, turn: Turn, place: DeltaGenerator) -> Problem:
    """Draw the updates to their end and run the script anew; returns only what went wrong.

    A click ends the script inside one of the drawing calls. The answer goes on without it, and
    the next run of the script finds it.
    """
    view = AnswerView(place, page.texts)
    page.state.request_id = None
    try:
        with closing(turn.updates) as updates:
            for update in updates:
                if page.chat.thread_id != page.state.address:
                    follow_address(page)
                _draw(page, view, update)
    except ChatError as error:
        problem = Problem.of(error)
        if turn.prompt:
            turn.prompt.problem = problem
        follow_address(page)
        view.break_off()
        return problem
    st.rerun()


def _draw(page: Page, view: AnswerView, update: Update) -> None:
    match update:
        case TextDelta(text):
            view.write(text)
        case Waiting():
            view.wait(update)
        case Finished(ending=Ending.COMPLETED | Ending.CANCELLED):
            pass
        case Finished(request_id=request_id):
            page.state.request_id = request_id
