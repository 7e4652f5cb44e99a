"""A Streamlit script that starts threads of its own, one of them in its context."""

import threading
from contextvars import copy_context

import streamlit as st

from streamlit_assistant.history import StreamlitHistory
from streamlit_assistant.history.history_errors import HistoryError

history = StreamlitHistory()
told: list[str] = []


def work() -> None:
    try:
        history.add_user_message("from a thread")
    except HistoryError as error:
        told.append(str(error))


for target, args in ((work, ()), (copy_context().run, (work,))):
    thread = threading.Thread(target=target, args=args)
    thread.start()
    thread.join()
st.json([message.text for message in history.messages])
st.json(told)
