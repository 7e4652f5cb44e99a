"""Page layer: the messages of the open chat; of a long one only the last page is drawn."""

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from streamlit_assistant.chatbot import ChatError, ChatMessage, Ending, RunState
from streamlit_assistant.ui.drawing import draw_answer
from streamlit_assistant.ui.message_files import draw_files, draw_picture, parts_of
from streamlit_assistant.ui.session import Page, Problem, Unsent, Window, begin_action, go_to

PAGE_LENGTH = 40  # messages
GROWTH = 8  # messages that may have come since the last drawing; more start the window anew
LARGEST_READ = 100  # messages, the most the API gives at once
LONGEST_REASONING = 20_000  # characters of it that are drawn
# What programs write into a chat for the model, and what that is called.
BY_PROGRAMS = {
    "tool": "exchanged.result",
    "function": "exchanged.result",
    "system": "exchanged.instructions",
}
UNKNOWN = ("not_found", "rejected")  # the answers to an id of nothing, and to what is no id


@dataclass(frozen=True)
class Thread:
    """The open chat as the API tells it."""

    messages: list[ChatMessage]
    has_earlier: bool
    run: RunState | None  # the newest
    problem: Problem | None = None  # why it could not be read

    @property
    def active_run(self) -> RunState | None:
        """The run that is writing an answer right now."""
        return self.run if self.run is not None and self.run.active else None

    @property
    def is_unfinished(self) -> bool:
        """Whether the last message got no answer, or not a whole one, and none is being written."""
        if not self.messages or self.active_run:
            return False
        newest = self.messages[-1]
        if self.run is None:  # somebody else wrote it, or its run has been forgotten
            return newest.role == "user" or newest.status != "completed"
        if newest.role == "assistant" and newest.run_id is None:  # a program has answered since
            return self.run.ending is Ending.REQUIRES_ACTION
        return newest.role == "user" or self.run.ending is not Ending.COMPLETED


def read_thread(page: Page) -> Thread:
    """Read the open chat; one that does not exist gives way to a new chat."""
    if page.chat.thread_id is None:
        return Thread([], has_earlier=False, run=None)
    try:
        return _read(page)
    except ChatError as error:
        if page.temporary:
            return Thread(*_read_messages(page), run=None, problem=Problem.of(error))
        if error.kind not in UNKNOWN:
            return Thread([], has_earlier=False, run=None, problem=Problem.of(error))
    go_to(page, None)
    page.state.notice = "unknown_chat"
    return Thread([], has_earlier=False, run=None)


def _read(page: Page) -> Thread:
    run = page.chat.latest_run()
    messages, has_earlier = _read_messages(page)
    _cross_off(page.unsent, messages)
    page.state.newest = messages[-1].id if messages else None
    if run is not None and run.active:
        # Following the run shows its words from the first one on.
        messages = [each for each in messages if each.role == "user" or each.run_id != run.id]
    return Thread(messages, has_earlier, run)


def draw_messages(page: Page, thread: Thread) -> None:
    """Draw the messages into the container that is open."""
    earlier = st.empty()
    if thread.has_earlier:
        earlier.button(
            page.texts("transcript.earlier"),
            key="earlier",
            icon=":material/history:",
            type="tertiary",
            on_click=_show_earlier,
            args=(page,),
        )
    for message in filter(_shows_something, thread.messages):
        if message.role == "user":
            _draw_posted(page, message)
        elif message.kind in BY_PROGRAMS:
            _draw_exchanged(page, message)
        else:
            _draw_finished(page, message, thread.run)


def _shows_something(message: ChatMessage) -> bool:
    said = message.text.strip() or message.pictures or message.files or message.reasoning
    return bool(said) or message.status != "completed"


def draw_prompt(text: str, note: str = "") -> None:
    """Draw what the person wrote, just as it was written."""
    with st.chat_message("user"):
        st.text(text)
        if note:
            st.caption(note)


def _draw_posted(page: Page, message: ChatMessage) -> None:
    if not message.pictures:
        draw_prompt(message.text)
        return
    with st.chat_message("user"):
        for part in parts_of(message):
            if isinstance(part, str):
                st.text(part)
            else:
                draw_picture(page, part)


def answer_bubble(place: DeltaGenerator) -> DeltaGenerator:
    """A bubble for an answer."""
    return place.chat_message("assistant", avatar=":material/auto_awesome:")


def _draw_finished(page: Page, message: ChatMessage, run: RunState | None) -> None:
    bubble = answer_bubble(st.empty())
    if message.reasoning:
        _draw_reasoning(page, bubble, message.reasoning)
    body = bubble.container()
    with body:
        for part in parts_of(message):
            if isinstance(part, str):
                draw_answer(body, part)
            else:
                draw_picture(page, part)
        draw_files(page, message)
    # What became of the newest run is told below the transcript.
    if message.status == "incomplete" and (run is None or message.run_id != run.id):
        key = f"incomplete.{message.incomplete_reason}"
        bubble.caption(page.texts(key if key in page.texts else "incomplete.unknown"))


def _draw_exchanged(page: Page, message: ChatMessage) -> None:
    """Draw what programs and the model told each other: just as it was written."""
    more = " …" if len(message.text) > LONGEST_REASONING else ""
    with answer_bubble(st.empty()):
        st.caption(page.texts(BY_PROGRAMS[message.kind]))
        st.text(message.text[:LONGEST_REASONING] + more)


def _draw_reasoning(page: Page, bubble: DeltaGenerator, reasoning: str) -> None:
    shown = reasoning[:LONGEST_REASONING].strip()
    more = " …" if len(reasoning) > LONGEST_REASONING else ""
    with bubble.expander(page.texts("reasoning.title"), icon=":material/psychology:"):
        st.text(shown + more)


def _read_messages(page: Page) -> tuple[list[ChatMessage], bool]:
    """The messages to draw, from the same one on as last time, and whether there are earlier."""
    window = page.state.window
    wanted = window.length + GROWTH
    messages = _newest(page, wanted)
    ids = [message.id for message in messages]
    start = ids.index(window.oldest) if window.oldest in ids else len(ids) - window.length
    if len(ids) - start > window.longest:
        start = len(ids) - PAGE_LENGTH
    start = max(start, 0)
    window.oldest = ids[start] if ids else None
    window.length = max(len(ids) - start, PAGE_LENGTH)
    return messages[start:], start > 0 or len(ids) == wanted


def _newest(page: Page, wanted: int) -> list[ChatMessage]:
    messages: list[ChatMessage] = []
    while (missing := min(wanted - len(messages), LARGEST_READ)) > 0:
        older = page.chat.messages(missing, messages[0].id if messages else None)
        messages = older + messages
        if len(older) < missing:
            break
    return messages


def _cross_off(unsent: list[Unsent], messages: list[ChatMessage]) -> None:
    """Drop the first prompt if it was posted after all, whatever became of the attempt."""
    if not unsent or not (first := unsent[0]).tried:
        return
    ids = [message.id for message in messages]
    since = messages[ids.index(first.after) + 1 :] if first.after in ids else messages
    own = [message.text.strip() for message in since if message.role == "user"]
    if first.text.strip() in own:
        unsent.pop(0)


def _show_earlier(page: Page) -> None:
    begin_action(page)
    window = page.state.window
    page.state.window = Window(window.length + PAGE_LENGTH, window.length + 2 * PAGE_LENGTH)
