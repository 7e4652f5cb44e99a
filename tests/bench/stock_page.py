"""The peer: a chat as Streamlit's own documentation builds it, on the same model server."""

import openai
import streamlit as st

messages = st.session_state.setdefault("messages", [])
for message in messages:
    with st.chat_message(message["role"]):
        st.markdown(message["content"])

if prompt := st.chat_input("Say something"):
    messages.append({"role": "user", "content": prompt})
    with st.chat_message("user"):
        st.markdown(prompt)
    with st.chat_message("assistant"):
        stream = openai.OpenAI().chat.completions.create(
            model="scripted", messages=messages, stream=True
        )
        answer = st.write_stream(stream)
    messages.append({"role": "assistant", "content": answer})
