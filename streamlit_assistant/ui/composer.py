"""Page layer: where the person writes, sends, and stops the answer."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from streamlit_assistant.chatbot import ChatError
from streamlit_assistant.ui.session import Page, Problem, Unsent, begin_action

COMPOSER = "composer"
LONGEST_PROMPT = 256_000  # characters, the most a message may hold
SUGGESTIONS = {"explain": "school", "write": "edit_note", "plan": "event_note", "code": "code"}


def draw_composer(page: Page, *, answering: bool, closed: bool) -> DeltaGenerator:
    """Draw the input box and, in the place returned, the button that stops the answer."""
    stop = st.bottom.empty()
    if page.temporary:
        with st.bottom.container(key="temporary"):
            st.caption(f":material/visibility_off: {page.texts('composer.temporary')}")
    if answering:
        stop.button(
            page.texts("composer.stop"),
            key="stop",
            icon=":material/stop:",
            type="primary",
            on_click=stop_answer,
            args=(page,),
        )
    prompt = st.chat_input(
        page.texts("composer.full" if closed else "composer.placeholder"),
        key=COMPOSER,
        disabled=closed,
        on_submit=_take_prompt,
        args=(page,),
    )
    if prompt and page.is_new:
        # Written in a tab whose session was lost, and with it the callback.
        send(page, prompt)
        st.rerun()
    return stop


def draw_greeting(page: Page) -> None:
    """Draw what an empty chat shows: a word of welcome and a few things to ask."""
    kind = "temporary." if page.temporary else ""
    with st.container(key="greeting"):
        st.header(page.texts(f"greeting.{kind}title"), anchor=False)
        st.markdown(page.texts(f"greeting.{kind}text"))
        with st.container(horizontal=True, gap="small", key="suggestions"):
            for name, icon in SUGGESTIONS.items():
                st.button(
                    page.texts(f"suggestion.{name}"),
                    key=f"suggestion-{name}",
                    icon=f":material/{icon}:",
                    on_click=send,
                    args=(page, page.texts(f"suggestion.{name}.prompt")),
                )


def send(page: Page, prompt: str) -> None:
    """Have the prompt sent by the run of the script that follows; for callbacks."""
    if not prompt.strip():
        return
    try_again(page)
    if len(prompt) > LONGEST_PROMPT:
        page.state.notice = "too_long"
        st.session_state[COMPOSER] = prompt
        return
    page.unsent.append(Unsent(prompt))


def try_again(page: Page) -> None:
    """Have everything sent that waits, and the last message answered if it is not."""
    begin_action(page)
    for waiting in page.unsent:
        waiting.problem = None
    page.state.wants_answer = True


def take_back(page: Page) -> None:
    """Put the first prompt that waits back into the input box."""
    begin_action(page)
    if page.unsent:
        st.session_state[COMPOSER] = page.unsent.pop(0).text


def stop_answer(page: Page) -> None:
    """Cancel the answer being written; what there is of it stays."""
    begin_action(page)
    try:
        page.chat.stop()
    except ChatError as error:
        page.state.problem = Problem.of(error)


def _take_prompt(page: Page) -> None:
    send(page, st.session_state[COMPOSER] or "")
