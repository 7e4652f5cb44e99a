"""A Streamlit script that keeps what is said, as a person would write it."""

import streamlit as st
from langchain_core.messages import HumanMessage

from streamlit_assistant.history import StreamlitHistory

history = StreamlitHistory()
aside = StreamlitHistory(key="aside")

if said := st.text_input("say"):
    history.add_messages([HumanMessage(said, id=f"{said}-{len(history.messages)}")])
if noted := st.text_input("note"):
    aside.add_ai_message(noted)
if st.button("forget"):
    st.session_state.clear()
    history.add_user_message("after forgetting")
if st.button("drop"):
    del st.session_state["langchain_messages"]
    history.add_user_message("after dropping")
if st.button("clear"):
    history.clear()

st.json([message.text for message in history.messages], expanded=True)
st.json([message.text for message in aside.messages], expanded=True)
