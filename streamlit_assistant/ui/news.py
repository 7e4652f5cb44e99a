"""Page layer: looks whether somebody else has written into the open chat."""

from contextlib import suppress
from dataclasses import dataclass

import streamlit as st

from streamlit_assistant.chatbot import ChatError
from streamlit_assistant.ui.session import Page

LOOK_SECONDS = 5.0  # each costs the server a tenth of a second


@dataclass
class Look:
    """Whether the chat has been looked at since it was drawn."""

    is_first: bool = True


@st.fragment(run_every=LOOK_SECONDS)
def watch_for_news(page: Page, look: Look) -> None:
    """Have the page drawn anew once the chat's newest message is another one.

    A chain or a second tab may write into the thread. Of a temporary chat nobody else knows.
    """
    if look.is_first:  # it has been read a moment ago
        look.is_first = False
        return
    with suppress(ChatError):  # there will be another look
        newest = page.bot.messages(limit=1)
        if (newest[-1].id if newest else None) != page.state.newest:
            st.rerun()
