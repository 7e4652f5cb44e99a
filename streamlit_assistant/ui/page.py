"""Page layer: the script Streamlit runs, from its first line on, whenever a person does something.

It draws from what the API says and follows; it owns nothing. See `ChatBot` for the other end.
"""

from pathlib import Path

import streamlit as st

from streamlit_assistant.ui.browser import prepare_browser
from streamlit_assistant.ui.chat import draw_chat
from streamlit_assistant.ui.session import open_page
from streamlit_assistant.ui.sidebar import draw_sidebar
from streamlit_assistant.ui.transcript import read_thread

STYLE = Path(__file__).with_name("style.css")


def draw_page() -> None:
    """Draw the whole page once."""
    page = open_page()
    st.set_page_config(
        page_title=page.texts("page.title"),
        page_icon="✨",
        layout="centered",
        initial_sidebar_state="auto",
    )
    st.html(STYLE)
    with st.container(key="brand"):
        st.title(page.texts("page.heading"), anchor=False)
        prepare_browser(page.texts)
    thread = read_thread(page)
    draw_sidebar(page, api_is_silent=thread.problem is not None)
    draw_chat(page, thread)


if __name__ == "__main__":
    draw_page()
