"""A Streamlit script whose history is one object for all sessions, which nobody should do."""

import streamlit as st

from streamlit_assistant.history import StreamlitHistory


@st.cache_resource
def made_once() -> StreamlitHistory:
    """The history that every session is given."""
    return StreamlitHistory()


history = made_once()
if said := st.text_input("say"):
    history.add_user_message(said)
st.json([message.text for message in history.messages])
st.text(id(history))
